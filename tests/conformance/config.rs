//! Groups config and rule-format: see `../shared/conformance/README.md`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use watchfire::config::Files;
use watchfire::config::prometheus::{LoadOptions, load};
use watchfire::model::ValidationScheme;
use watchfire::rules::file::{self, FileOptions};

use crate::harness::{Group, folder, say};

/// The table's files, named `testdata/..` as upstream's tests name them.
struct TestData(PathBuf);

impl Files for TestData {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(path))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let pattern = self.0.join(pattern).display().to_string();
        let mut found: Vec<PathBuf> = glob::glob(&pattern)
            .map_err(|error| error.to_string())?
            .flatten()
            .filter_map(|path| Some(path.strip_prefix(&self.0).ok()?.to_owned()))
            .collect();
        found.sort();
        Ok(found)
    }
}

/// Turns the table's `\\`, `\t` and `\n` back.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    out
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split('\t').map(unescape).collect())
        .collect()
}

fn refused(data: &TestData, file: &str, agent: bool) -> Option<String> {
    let options = LoadOptions {
        agent,
        ..LoadOptions::default()
    };
    let path = Path::new("testdata").join(file);
    load(&path, data, &|_| Some("set".to_owned()), options)
        .err()
        .map(|error| error.to_string())
}

fn expect_error(outcome: Option<String>, wanted: &str) -> Result<(), String> {
    match outcome {
        None => Err(format!("accepted, wanted: {wanted}")),
        Some(error) if error.contains(wanted) => Ok(()),
        Some(error) => Err(format!("said: {error}\n    wanted: {wanted}")),
    }
}

#[test]
fn config() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("config/prometheus");
    let data = TestData(folder.join("config"));
    let mut group = Group::new("config");
    for row in rows(&folder.join("expected_errors.tsv")) {
        group.check(
            &row[0],
            expect_error(refused(&data, &row[0], false), &row[1]),
        );
    }
    for row in rows(&folder.join("expected_good.tsv")) {
        let (file, agent, wanted) = (&row[0], row[1] == "agent", &row[2]);
        let outcome = refused(&data, file, agent);
        let outcome = if wanted == "ok" {
            outcome.map_or(Ok(()), Err)
        } else if let Some(text) = wanted.strip_prefix("error: ") {
            expect_error(outcome, text)
        } else {
            expect_error(outcome, "")
        };
        group.check(file, outcome);
    }
    group.finish();
}

/// What is wrong with a rule file, all of it.
fn rule_file_refused(path: &Path, validation: ValidationScheme) -> Option<String> {
    let options = FileOptions {
        validation,
        ..FileOptions::default()
    };
    let text = std::fs::read_to_string(path).unwrap();
    let problems = file::parse(&text, &options).err()?;
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Some(lines.join("\n"))
}

#[test]
fn rule_format() {
    let Some(folder) = folder() else { return };
    let mut group = Group::new("rule-format");
    let prometheus = folder.join("config/prometheus");
    for row in rows(&prometheus.join("rulefmt_expected.tsv")) {
        let path = prometheus.join("model/rulefmt/testdata").join(&row[0]);
        let scheme = match row[3].as_str() {
            "legacy" => ValidationScheme::Legacy,
            _ => ValidationScheme::Utf8,
        };
        let outcome = rule_file_refused(&path, scheme);
        let outcome = match row[1].as_str() {
            "ok" => outcome.map_or(Ok(()), Err),
            _ => expect_error(outcome, &row[2]),
        };
        group.check(&row[0], outcome);
    }
    group.finish();
}

#[test]
fn rule_files_of_the_wild_load() {
    let Some(folder) = folder() else { return };
    let wild = folder.join("rules-wild");
    let mut refused = Vec::new();
    let mut loaded = 0;
    for row in rows(&wild.join("expected_check.tsv")) {
        if row[3] != "0" {
            continue;
        }
        match rule_file_refused(&wild.join(&row[0]), ValidationScheme::Utf8) {
            None => loaded += 1,
            Some(problems) => refused.push(format!("{}: {problems}", row[0])),
        }
    }
    say(&format!("{loaded} rule files of the wild load"));
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn severity_beside_its_labels_is_refused_with_a_hint() {
    let Some(folder) = folder() else { return };
    let path = folder.join("../fixtures/course-alerts.yaml");
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    let problems = file::parse(&text, &FileOptions::default()).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (9, 5));
    assert!(
        problems
            .iter()
            .all(|problem| { problem.hint.as_deref() == Some("move `severity` under `labels:`") })
    );
    assert_eq!(problems.len(), text.matches("severity:").count());
}

/// Arguments of runs whose recording is out of date, and why.
const CHANGED_SINCE: [(&str, &str); 2] = [
    ("--lint=none", "3.14 knows the flag"),
    ("testdata/rules_run_fuzzy.yml", "3.14 knows fuzzy_compare"),
];

/// The exit status that upstream's own table gives for a unit-test file, which wins.
fn upstream_exit(table: &Value, args: &[&str]) -> Option<i64> {
    let [.., file] = args else { return None };
    let plain = args.len() == 3 && args[0] == "test";
    let entries = table.as_array().unwrap().iter().filter(|_| plain);
    let mut of_file = entries.filter(|entry| {
        entry["run"].as_array().is_none_or(Vec::is_empty)
            && entry["files"] == serde_json::json!([file])
            && entry["ignore_unknown_fields"] == false
    });
    of_file.next()?["want_exit"].as_i64()
}

#[test]
fn promtool_runs() {
    let Some(folder) = folder() else { return };
    let gold = folder.join("config/promtool-gold");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(gold.join(name)).unwrap()).unwrap()
    };
    let runs = read("promtool_3.5.3.json");
    let table = read("upstream_unit_test_table.json");
    let mut group = Group::new("promtool-runs");
    for run in runs.as_array().unwrap() {
        let args: Vec<&str> = run["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| arg.as_str().unwrap())
            .collect();
        if let Some((_, why)) = CHANGED_SINCE.iter().find(|(arg, _)| args.contains(arg)) {
            group.skip(why);
            continue;
        }
        let cwd = folder.join(run["cwd"].as_str().unwrap());
        let input = run["stdin"]
            .as_str()
            .map(|name| std::fs::read(cwd.join(name)).unwrap())
            .unwrap_or_default();
        let mut child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(&args)
            .current_dir(&cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&input);
        let output = child.wait_with_output().unwrap();
        let code = output.status.code().map(i64::from);
        let wanted = upstream_exit(&table, &args).or_else(|| run["exit"].as_i64());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let outcome = if code == wanted {
            Ok(())
        } else {
            Err(format!("exit {code:?}, wanted {wanted:?}: {said}"))
        };
        group.check(&args.join(" "), outcome);
    }
    group.finish();
}
