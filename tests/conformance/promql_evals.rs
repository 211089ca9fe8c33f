//! Groups promql-evals, promql-steps and promql-runner: see `../shared/conformance/README.md`, 1.6.

use std::path::PathBuf;

use watchfire::promql::script::{Runs, Script, parse_start_times};

use crate::harness::{Group, folder};

fn scripts() -> Vec<(String, String)> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("promqltest/testdata"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "test"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // One file has bytes that are not UTF-8 on purpose.
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            (name, text)
        })
        .collect()
}

fn run(group: &mut Group, runs: Runs) {
    let engine = Script::engine();
    for (file, text) in scripts() {
        let script = match Script::parse(&text) {
            Ok(script) => script,
            Err(why) => {
                // Every eval of a file that cannot be read is lost.
                for line in text.lines().filter(|line| line.starts_with("eval")) {
                    group.fail(format!("{file}: {line}: {why}"));
                }
                continue;
            }
        };
        let loaded = script.run(&engine, runs, |report| {
            if runs == Runs::AtOtherTimes && report.is_range {
                group.skip("range query");
                return;
            }
            group.check(
                &format!("{file}:{} {}", report.line, report.expr),
                report.result,
            );
        });
        if let Err(why) = loaded {
            group.fail(format!("{file}: load: {why}"));
        }
    }
}

#[test]
fn promql_evals() {
    if folder().is_none() {
        return;
    }
    let mut group = Group::new("promql-evals");
    run(&mut group, Runs::AsWritten);
    group.finish();
}

#[test]
fn promql_steps() {
    if folder().is_none() {
        return;
    }
    let mut group = Group::new("promql-steps");
    run(&mut group, Runs::AtOtherTimes);
    group.finish();
}

#[test]
fn promql_runner() {
    let Some(folder) = folder() else {
        return;
    };
    let mut group = Group::new("promql-runner");
    let text = std::fs::read_to_string(folder.join("promqltest/runner_selftest.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let engine = Script::engine();
    for entry in &entries {
        let input = entry["input"].as_str().unwrap_or_default();
        if entry["test"] == "TestParseSTSequence" {
            let parsed = parse_start_times(input);
            group.check(
                &format!("start times {input:?}"),
                check_start_times(entry, &parsed),
            );
            continue;
        }
        let result = Script::parse(input).and_then(|script| script.run_to_first_failure(&engine));
        let expected = entry.get("expectedError").and_then(|e| e.as_str());
        let outcome = match (expected, result) {
            (None, Ok(())) => Ok(()),
            (None, Err(why)) => Err(format!("failed: {why}")),
            (Some(expected), Ok(())) => Err(format!("passed; expected {expected}")),
            (Some(expected), Err(why)) if why == expected => Ok(()),
            (Some(expected), Err(why)) => Err(format!("\n expected {expected}\n      got {why}")),
        };
        group.check(entry["name"].as_str().unwrap_or_default(), outcome);
    }
    group.finish();
}

fn check_start_times(
    entry: &serde_json::Value,
    parsed: &Result<Vec<Option<i64>>, String>,
) -> Result<(), String> {
    let wants_error = entry["wantErr"].as_bool().unwrap_or(false);
    let expected: Vec<Option<i64>> = entry["expected"]
        .as_array()
        .map(|items| items.iter().map(|item| item["Value"].as_i64()).collect())
        .unwrap_or_default();
    match parsed {
        Err(_) if wants_error => Ok(()),
        Ok(found) if !wants_error && *found == expected => Ok(()),
        other => Err(format!("expected {expected:?}, got {other:?}")),
    }
}
