//! `check rules`.

use clap::{ArgMatches, Command};

use super::fix;
use super::input::{Input, inputs, no_rules};
use super::lints::{DUPLICATES, Lints, arguments, rule_options};
use super::outcome::{Checked, Outcome};
use super::since::{self, Since};
use super::{Error, files_argument};
use crate::check::lint::duplicates;
use crate::check::source::rule_source;
use crate::check::{Finding, RuleFile, Severity};
use crate::config::prometheus::Config;
use crate::model::ValidationScheme;
use crate::rules::file::FileOptions;

pub(super) fn command() -> Command {
    let command = Command::new("rules")
        .about("Checks rule files and PrometheusRule objects; standard input when none is given")
        .after_help(
            "Examples:\n  watchfire check rules rules/*.yml\n  watchfire check rules --lint=all --alertmanager.config.file=alertmanager.yml rules/\n  watchfire check rules --lint=W012,W037 --fail-on=warning rules/\n  watchfire check rules --since=main\n  watchfire check rules --diff --format-exprs rules/",
        )
        .arg(files_argument(false))
        .arg(since::argument())
        .arg(fix::format_argument());
    arguments(fix::arguments(command))
}

pub(super) fn run(matches: &ArgMatches) -> Result<Outcome, Error> {
    let lints = Lints::new(matches)?;
    let since = Since::of(matches)?;
    let (mut inputs, skipped) = match &since {
        Some(since) if !matches.contains_id("files") => (since.inputs(), 0),
        _ => inputs(matches, no_rules),
    };
    let options = rule_options(matches, ValidationScheme::default());
    fix::rules(matches, &mut inputs, options)?;
    let mut outcome = Outcome {
        skipped,
        lints_left: lints.asks_nothing(),
        ..Outcome::default()
    };
    let files = check(inputs, options, &lints, None, &mut outcome);
    if let Some(since) = since {
        since.narrow(&mut outcome, &files, options, lints.routing());
    }
    finish(&lints, matches, &mut outcome)?;
    // The program ends next: taking the trees of thousands of rules apart first would be time lost.
    std::mem::forget(files);
    Ok(outcome)
}

/// Checks rule files and adds them to an outcome; gives the files as far as they are right.
pub(super) fn check(
    inputs: Vec<Input>,
    options: FileOptions,
    lints: &Lints,
    config: Option<&Config>,
    outcome: &mut Outcome,
) -> Vec<RuleFile> {
    let first = outcome.checked.len();
    let mut files: Vec<RuleFile> = Vec::new();
    for input in inputs {
        outcome.checked.push(one(input, options, lints, &mut files));
    }
    let mut found = lints.find(&files, config);
    // The files of the rules; what is about another file, such as that of the routes, gets its own entry.
    for checked in &mut outcome.checked[first..] {
        let (mine, others): (Vec<Finding>, Vec<Finding>) = found
            .into_iter()
            .partition(|finding| finding.file == checked.name);
        checked.findings.extend(mine);
        found = others;
        let place = |finding: &Finding| finding.place.as_ref().map_or(0, |place| place.bytes.start);
        checked.findings.sort_by_key(place);
    }
    while let Some(next) = found.first() {
        let name = next.file.clone();
        let (findings, others) = found.into_iter().partition(|finding| finding.file == name);
        found = others;
        outcome.checked.push(Checked {
            name,
            findings,
            ..Checked::default()
        });
    }
    files
}

fn one(input: Input, options: FileOptions, lints: &Lints, files: &mut Vec<RuleFile>) -> Checked {
    let mut checked = Checked {
        name: input.name,
        ..Checked::default()
    };
    let bytes = match input.bytes {
        Ok(bytes) => bytes,
        Err(finding) => {
            checked.findings.push(finding);
            return checked;
        }
    };
    let mut source = rule_source(&checked.name, &bytes, &options);
    drop(bytes);
    let refused = source
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    if !refused && lints.wants(DUPLICATES) {
        let found = source.files.iter().flat_map(duplicates);
        source.findings.extend(found);
    }
    let count = source.rule_count();
    checked
        .success
        .push(format!("  SUCCESS: {count} rules found"));
    if source.origins.is_empty() && source.others > 0 {
        let text = format!(
            "there is no PrometheusRule among the {} Kubernetes objects",
            source.others
        );
        checked.success = vec![format!("  SUCCESS: 0 rules found: {text}")];
    }
    checked.rules = Some(count);
    checked.findings = source.findings;
    checked.origins = source.origins;
    files.append(&mut source.files);
    checked
}

/// What is left to do once everything is checked: the files named by arguments, and the baseline.
pub(super) fn finish(
    lints: &Lints,
    matches: &ArgMatches,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    for finding in &lints.findings {
        outcome.checked.push(Checked {
            name: finding.file.clone(),
            findings: vec![finding.clone()],
            ..Checked::default()
        });
    }
    let mut all: Vec<Finding> = Vec::new();
    for checked in &mut outcome.checked {
        all.append(&mut checked.findings);
    }
    outcome.known = lints.baseline(&mut all, matches)?;
    for finding in all {
        let mut files = outcome.checked.iter_mut();
        if let Some(checked) = files.find(|checked| checked.name == finding.file) {
            checked.findings.push(finding);
        }
    }
    Ok(())
}
