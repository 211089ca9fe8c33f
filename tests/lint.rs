//! How precise is the lint? Planted faults must be found, and well-known rules must be left alone.
#![allow(clippy::unwrap_used, reason = "a broken setup must stop the test")]
#![allow(clippy::disallowed_methods, reason = "the rules lie on the real disk")]
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watchfire::check::RuleFile;
use watchfire::check::lint::{Subjects, run};
use watchfire::config::lint::LintOptions;
use watchfire::rules::file::FileOptions;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "yml" || end == "yaml")
        {
            found.push(path);
        }
    }
}

/// The counts of findings in the best-known rules, reviewed by hand; `WATCHFIRE_LINT_SHOW=W012` shows
/// those of a check.
#[test]
fn well_known_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/rules-wild");
    let folder = if folder.is_dir() {
        folder
    } else {
        PathBuf::from("/work/shared/conformance/rules-wild")
    };
    if !folder.is_dir() {
        println!("skipped: the conformance data is not there");
        return;
    }
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let shown = std::env::var("WATCHFIRE_LINT_SHOW").unwrap_or_default();
    let (mut counts, mut rules) = (BTreeMap::new(), 0);
    for path in &paths {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let bytes = std::fs::read(path).unwrap();
        let (Some(file), _) = RuleFile::parse(&name, &bytes, &FileOptions::default()) else {
            continue;
        };
        rules += file.rule_count();
        let subjects = Subjects {
            rules: std::slice::from_ref(&file),
            ..Subjects::default()
        };
        for finding in run(subjects, &LintOptions::default()) {
            *counts
                .entry(format!("{} {}", finding.page.id, finding.page.name))
                .or_insert(0) += 1;
            if shown
                .split(',')
                .any(|id| id == finding.page.id || id == "all")
            {
                let rule = finding.rule.as_ref().map_or("", |rule| rule.name.as_str());
                println!("{} {rule}: {finding}", finding.page.id);
            }
        }
    }
    println!("{} files, {rules} rules", paths.len());
    for (check, count) in &counts {
        println!("{check}: {count}");
    }
    assert!(rules > 1000, "{rules}");
}
