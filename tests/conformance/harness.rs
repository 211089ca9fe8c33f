//! Counting, printing and floors.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

/// The folder with the tables, or `None` after saying that it is missing.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    say(&format!(
        "conformance data not found at {}: skipped",
        folder.display()
    ));
    assert!(
        std::env::var_os("WATCHFIRE_REQUIRE_DATA").is_none(),
        "the conformance data is required here"
    );
    None
}

/// Prints past the test runner's capture, so that counts are always seen.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}

/// The counts of one group.
pub struct Group {
    name: &'static str,
    passed: usize,
    failures: Vec<String>,
    skipped: BTreeMap<String, usize>,
}

impl Group {
    /// Begins a group of the name that the floors file uses.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            passed: 0,
            failures: Vec::new(),
            skipped: BTreeMap::new(),
        }
    }

    /// Counts a passed case.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts a failed case; `what` names it and shows both sides.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    /// Counts a skipped case under its reason.
    pub fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts a case by its outcome.
    pub fn check(&mut self, case: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.pass(),
            Err(why) => self.fail(format!("{case}: {why}")),
        }
    }

    /// Prints the line and fails the test under the floor.
    pub fn finish(self) {
        let skipped: usize = self.skipped.values().sum();
        say(&format!(
            "group {}: {} passed, {} failed, {skipped} skipped",
            self.name,
            self.passed,
            self.failures.len()
        ));
        for (reason, count) in &self.skipped {
            say(&format!("  skipped {count}: {reason}"));
        }
        let verbose = std::env::var_os("WATCHFIRE_CONFORMANCE_VERBOSE").is_some();
        for failure in self
            .failures
            .iter()
            .take(if verbose { usize::MAX } else { 3 })
        {
            say(&format!("  failed {failure}"));
        }
        let total = self.passed + self.failures.len();
        assert!(total > 0, "group {} has no cases", self.name);
        let share = self.passed as f64 * 100.0 / total as f64;
        let floor = floor(self.name);
        assert!(
            share >= floor,
            "group {}: {share:.2} % passed, the floor is {floor} %",
            self.name
        );
    }
}

/// The floor of a group in percent.
fn floor(name: &str) -> f64 {
    include_str!("floors.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .find(|(group, _)| *group == name)
        .map_or_else(
            || panic!("group {name} has no floor in tests/conformance/floors.tsv"),
            |(_, floor)| floor.trim().parse().unwrap(),
        )
}
