//! Groups promql-evals, promql-steps and promql-runner: see `../shared/conformance/README.md`, 1.6. The first two also
//! over the storage engine, with what was loaded in memory and with all of it in blocks.

use std::path::PathBuf;
use std::sync::Arc;

use watchfire::disk::memory::MemoryDisk;
use watchfire::promql::script::{Runs, Script, parse_start_times};
use watchfire::storage::reference::ReferenceStorage;
use watchfire::storage::{Appender, Error, Querier, Storage};
use watchfire::tsdb::{Db, Options};

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

/// The storage engine over a disk in memory.
struct Engine {
    db: Db,
    /// Whether everything is in blocks when something is read.
    flushes: bool,
}

impl Engine {
    fn new(flushes: bool) -> Self {
        let options = Options {
            retention_ms: 0,
            // Scripts load series one after the other.
            out_of_order_window_ms: 1 << 50,
            ..Options::default()
        };
        let db = Db::open(Arc::new(MemoryDisk::new()), options, 0).unwrap();
        Self { db, flushes }
    }
}

impl Storage for Engine {
    fn appender(&self) -> Box<dyn Appender + '_> {
        self.db.appender()
    }

    fn querier(&self, min_ms: i64, max_ms: i64) -> Result<Box<dyn Querier + '_>, Error> {
        if self.flushes {
            self.db.checkpoint_now().unwrap();
        }
        self.db.querier(min_ms, max_ms)
    }
}

fn run<S: Storage>(group: &mut Group, runs: Runs, new_store: impl Fn() -> S) {
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
        let loaded = script.run_over(&engine, runs, &new_store, |report| {
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

/// Runs a group over the reference implementation, over the engine's memory and over its blocks.
fn run_all([reference, memory, blocks]: [&'static str; 3], runs: Runs) {
    if folder().is_none() {
        return;
    }
    let mut group = Group::new(reference);
    run(&mut group, runs, ReferenceStorage::new);
    group.finish();
    for (name, flushes) in [(memory, false), (blocks, true)] {
        let mut group = Group::new(name);
        run(&mut group, runs, || Engine::new(flushes));
        group.finish();
    }
}

#[test]
fn promql_evals() {
    let names = ["promql-evals", "promql-evals-memory", "promql-evals-blocks"];
    run_all(names, Runs::AsWritten);
}

#[test]
fn promql_steps() {
    let names = ["promql-steps", "promql-steps-memory", "promql-steps-blocks"];
    run_all(names, Runs::AtOtherTimes);
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
