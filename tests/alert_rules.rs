//! The shipped rule packs load, tell what to do, and pass their unit tests.
#![allow(clippy::unwrap_used, reason = "a broken pack must stop the test")]
#![allow(clippy::disallowed_methods, reason = "the packs lie on the real disk")]

use std::io;
use std::path::{Path, PathBuf};

use watchfire::check::unit_test::{TestOptions, test_rules};
use watchfire::config::Files;
use watchfire::rules::file::{FileOptions, FileRuleKind, parse};

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

fn packs(tests: bool) -> Vec<PathBuf> {
    let pattern = Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/*.yaml");
    let all = Disk.glob(&pattern.to_string_lossy()).unwrap();
    all.into_iter()
        .filter(|path| path.to_string_lossy().ends_with("_test.yaml") == tests)
        .collect()
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_runbook_line() {
    assert!(packs(false).len() >= 2);
    for path in packs(false) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = parse(&text, &FileOptions::default())
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        for rule in file
            .groups
            .iter()
            .flat_map(|group| &group.rules)
            .filter(|rule| rule.kind == FileRuleKind::Alerting)
        {
            let has = |pairs: &[(String, String)], name: &str| {
                pairs.iter().any(|(n, v)| n == name && !v.is_empty())
            };
            assert!(has(&rule.labels, "severity"), "{}: no severity", rule.name);
            assert!(
                has(&rule.annotations, "summary") && has(&rule.annotations, "runbook"),
                "{}: no summary or runbook",
                rule.name
            );
        }
    }
}

#[test]
fn the_essential_pack_has_the_eight_alerts() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/essential.yaml"),
    )
    .unwrap();
    let file = parse(&text, &FileOptions::default()).unwrap();
    let names: Vec<&str> = file
        .groups
        .iter()
        .flat_map(|group| &group.rules)
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "APIServerDown",
            "etcdDown",
            "NodeDown",
            "PodCrashLooping",
            "HighErrorRate",
            "HighCPU",
            "HighMemory",
            "DiskFillingUp"
        ]
    );
}

#[test]
fn the_packs_pass_their_unit_tests() {
    assert!(!packs(true).is_empty());
    for path in packs(true) {
        let report = test_rules(&path, &Disk, &TestOptions::default());
        assert!(report.passed(), "{report:#?}");
    }
}
