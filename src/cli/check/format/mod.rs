//! How findings are written: for people, for programs, for the CI systems that show them beside a change.

mod changes;
mod checkstyle;
mod github;
mod gitlab;
pub(super) mod human;
mod json;
mod junit;
mod region;
mod sarif;
mod secrets;
#[cfg(test)]
mod tests;

use clap::ArgMatches;

use super::outcome::Outcome;
use crate::check::Finding;
use crate::cli::output;

/// The value of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Human,
    Json,
    Sarif,
    Github,
    Gitlab,
    Junit,
    Checkstyle,
}

impl Format {
    pub(super) const NAMES: [&'static str; 7] = [
        "human",
        "json",
        "sarif",
        "github",
        "gitlab",
        "junit",
        "checkstyle",
    ];

    pub(super) fn of(matches: &ArgMatches) -> Self {
        match matches
            .get_one::<String>("format")
            .map_or("", String::as_str)
        {
            "json" => Self::Json,
            "sarif" => Self::Sarif,
            "github" => Self::Github,
            "gitlab" => Self::Gitlab,
            "junit" => Self::Junit,
            "checkstyle" => Self::Checkstyle,
            _ => Self::Human,
        }
    }

    /// Writes an outcome: documents to standard output; for people, findings to standard error.
    pub(super) fn show(self, outcome: &Outcome) {
        if self == Self::Human {
            human::outcome(outcome);
        } else {
            output::raw(self.document(outcome).as_bytes());
        }
    }

    fn document(self, outcome: &Outcome) -> String {
        match self {
            Self::Human => String::new(),
            Self::Json => json::document(outcome),
            Self::Sarif => sarif::document(outcome),
            Self::Github => github::document(outcome),
            Self::Gitlab => gitlab::document(outcome),
            Self::Junit => junit::document(outcome),
            Self::Checkstyle => checkstyle::document(outcome),
        }
    }
}

/// A file's name as other programs want it: relative to where they look, with forward slashes.
fn path(name: &str) -> String {
    match name {
        "-" => "standard-input".to_owned(),
        name => name.strip_prefix("./").unwrap_or(name).replace('\\', "/"),
    }
}

/// What to say and what to do, in a line or two.
fn message(finding: &Finding) -> String {
    match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    }
}

/// The same for a finding wherever it moves in its file: `earlier` findings are alike.
fn fingerprint(finding: &Finding, earlier: usize) -> String {
    let (group, rule) = match &finding.rule {
        Some(rule) => (rule.group.as_str(), rule.name.as_str()),
        None => ("", ""),
    };
    let parts = [
        finding.id(),
        &path(&finding.file),
        group,
        rule,
        &finding.message,
    ];
    let text = format!("{}\u{0}{earlier}", parts.join("\u{0}"));
    format!("{:016x}", xxhash_rust::xxh64::xxh64(text.as_bytes(), 0))
}

/// Counts alike findings, for fingerprints.
#[derive(Default)]
struct Fingerprints(std::collections::BTreeMap<String, usize>);

impl Fingerprints {
    fn next(&mut self, finding: &Finding) -> String {
        let count = self.0.entry(fingerprint(finding, 0)).or_default();
        let earlier = *count;
        *count += 1;
        fingerprint(finding, earlier)
    }
}
