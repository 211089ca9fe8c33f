//! What was checked, and what the program ends with.

use std::process::ExitCode;

use clap::ArgMatches;

use super::since::Changes;
use crate::check::source::Origin;
use crate::check::{Finding, Severity};

/// What lints that were made fatal end with, as promtool.
const LINT_EXIT: u8 = 3;

/// One file.
#[derive(Default)]
pub(super) struct Checked {
    /// Its name.
    pub(super) name: String,
    /// How many rules are right, where rules were looked for.
    pub(super) rules: Option<usize>,
    /// What is wrong or could be better, in the order of the file.
    pub(super) findings: Vec<Finding>,
    /// The Kubernetes objects in it.
    pub(super) origins: Vec<Origin>,
    /// What to say when nothing stands against success.
    pub(super) success: Vec<String>,
    /// What to say unless there is an error.
    pub(super) no_error: Vec<String>,
}

impl Checked {
    pub(super) fn has(&self, severity: Severity) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == severity)
    }

    /// The object that a finding is about.
    pub(super) fn origin_of(&self, finding: &Finding) -> Option<&Origin> {
        let at = finding.place.as_ref()?.bytes.start;
        self.origins
            .iter()
            .find(|origin| origin.bytes.contains(&at))
    }
}

/// Everything that was checked.
#[derive(Default)]
pub(super) struct Outcome {
    /// Every file, in the order of the arguments.
    pub(super) checked: Vec<Checked>,
    /// Files of folders that were passed over, as they hold something else.
    pub(super) skipped: usize,
    /// What the change does that `--since` asks about.
    pub(super) changes: Option<Changes>,
    /// Findings that a baseline took away.
    pub(super) known: usize,
    /// Whether rules were checked for what promtool checks only.
    pub(super) lints_left: bool,
}

impl Outcome {
    pub(super) fn findings(&self) -> impl Iterator<Item = (&Checked, &Finding)> {
        self.checked.iter().flat_map(|checked| {
            checked
                .findings
                .iter()
                .map(move |finding| (checked, finding))
        })
    }

    pub(super) fn count(&self, severity: Severity) -> usize {
        self.findings()
            .filter(|(_, finding)| finding.severity == severity)
            .count()
    }

    /// 1 for errors, 3 for lints that were made fatal, else 0.
    pub(super) fn exit_code(&self, matches: &ArgMatches) -> ExitCode {
        let worst = self.findings().map(|(_, finding)| finding.severity).max();
        let mut fatal = match matches.get_one::<String>("fail-on").map(String::as_str) {
            Some("info") => Some(Severity::Info),
            Some("warning") => Some(Severity::Warning),
            Some(_) => Some(Severity::Lint),
            None => None,
        };
        if matches!(matches.try_get_one::<bool>("lint-fatal"), Ok(Some(true))) {
            fatal = Some(fatal.unwrap_or(Severity::Lint).min(Severity::Lint));
        }
        match worst {
            Some(Severity::Error) => ExitCode::FAILURE,
            Some(worst) if fatal.is_some_and(|fatal| worst >= fatal) => ExitCode::from(LINT_EXIT),
            _ => ExitCode::SUCCESS,
        }
    }
}
