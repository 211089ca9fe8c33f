//! Groups unit-tests and rules-wild: rule files of the world and their unit tests.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchfire::check::unit_test::{TestOptions, test_rules};
use watchfire::config::Files;
use watchfire::rules::file::{FileOptions, parse};
use watchfire::text::regex::Regex;

use crate::harness::{self, Group};

/// The real disk.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        glob::glob(pattern)
            .map(|paths| paths.flatten().collect())
            .map_err(|error| error.to_string())
    }
}

#[test]
fn unit_tests() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("unit-tests");
    let root = folder.join("config/prometheus/cmd/promtool");
    let table =
        std::fs::read_to_string(folder.join("config/promtool-gold/upstream_unit_test_table.json"))
            .unwrap();
    let cases: Vec<Value> = serde_json::from_str(&table).unwrap();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        if name.starts_with("Disabled feature") {
            group.skip("a mode that promtool does not have");
            continue;
        }
        let patterns = case["run"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| Regex::unanchored(run.as_str().unwrap()).unwrap());
        let options = TestOptions {
            ignore_unknown_fields: case["ignore_unknown_fields"].as_bool().unwrap(),
            run: patterns.collect(),
            ..TestOptions::default()
        };
        let mut failures = Vec::new();
        for file in case["files"].as_array().unwrap() {
            let report = test_rules(&root.join(file.as_str().unwrap()), &Disk, &options);
            if !report.passed() {
                let messages = report
                    .groups
                    .iter()
                    .flat_map(|group| &group.failures)
                    .map(|failure| failure.message.clone());
                failures.extend(
                    report
                        .errors
                        .iter()
                        .map(ToString::to_string)
                        .chain(messages),
                );
            }
        }
        let exit = i64::from(!failures.is_empty());
        let outcome = if case["want_exit"] == exit {
            Ok(())
        } else {
            Err(format!("exit {exit}: {}", failures.join("\n")))
        };
        group.check(name, outcome);
    }
    group.finish();
}

#[test]
fn rules_wild() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let folder = folder.join("rules-wild");
    let mut group = Group::new("rules-wild");
    for line in std::fs::read_to_string(folder.join("expected_check.tsv"))
        .unwrap()
        .lines()
        .skip(1)
    {
        let columns: Vec<&str> = line.split('\t').collect();
        let text = std::fs::read_to_string(folder.join(columns[0])).unwrap();
        let parsed = parse(&text, &FileOptions::default());
        let exit = if parsed.is_ok() { "0" } else { "1" };
        let why = parsed
            .err()
            .into_iter()
            .flatten()
            .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message));
        let outcome = if columns[3] == exit {
            Ok(())
        } else {
            Err(format!(
                "exit {exit}, wanted {}: {}",
                columns[3],
                why.collect::<Vec<_>>().join("\n")
            ))
        };
        group.check(columns[0], outcome);
    }
    for line in std::fs::read_to_string(folder.join("expected_test.tsv"))
        .unwrap()
        .lines()
        .skip(1)
    {
        let columns: Vec<&str> = line.split('\t').collect();
        let report = test_rules(&folder.join(columns[0]), &Disk, &TestOptions::default());
        let exit = if report.passed() { "0" } else { "1" };
        let messages = report
            .groups
            .iter()
            .flat_map(|group| &group.failures)
            .map(|failure| failure.message.clone());
        let errors = report.errors.iter().map(ToString::to_string);
        let why: Vec<String> = errors.chain(messages).collect();
        let outcome = if columns[1] == exit {
            Ok(())
        } else {
            Err(format!(
                "exit {exit}, wanted {}: {}",
                columns[1],
                why.join("\n")
            ))
        };
        group.check(columns[0], outcome);
    }
    group.finish();
}
