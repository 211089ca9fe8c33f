//! `check alertmanager` and `check web-config`.

use clap::{ArgMatches, Command};

use super::fix;
use super::input::{Input, inputs, takes_all};
use super::outcome::{Checked, Outcome};
use super::since::{self, Since};
use super::{Error, files_argument};
use crate::alerting::matchers::Syntax;
use crate::check::lint::{self, Routing, Subjects};
use crate::check::source::{Origin, router_source};
use crate::check::{self, Finding};
use crate::cli::amtool;
use crate::config::lint::LintOptions;
use crate::daemon::RealFiles;
use crate::rules::file::FileOptions;

pub(super) fn alertmanager_command() -> Command {
    let command = Command::new("alertmanager")
        .about("Checks alertmanager.yml with the templates that it names, and AlertmanagerConfig objects")
        .after_help(
            "Examples:\n  watchfire check alertmanager alertmanager.yml\n  watchfire check alertmanager --fix alertmanager.yml\n  helm template chart | watchfire check alertmanager -",
        )
        .arg(files_argument(false))
        .arg(since::argument());
    fix::arguments(command)
}

pub(super) fn web_command() -> Command {
    Command::new("web-config")
        .about("Checks files for --web.config.file")
        .after_help("Example:\n  watchfire check web-config web.yml")
        .arg(files_argument(true))
}

pub(super) fn alertmanager(matches: &ArgMatches) -> Result<Outcome, Error> {
    let syntax = amtool::syntax(matches)?;
    let since = Since::of(matches)?;
    let (mut found, skipped) = inputs(matches, takes_all);
    fix::router(matches, syntax, &mut found)?;
    let mut outcome = each((found, skipped), |name, bytes| {
        let (mut findings, origins) = router_source(name, bytes, syntax);
        if findings.is_empty() && origins.is_empty() {
            findings = check::router_templates(name, bytes, syntax, &RealFiles::default());
            findings.extend(lint_routes(name, bytes, syntax));
        }
        (findings, origins)
    });
    if let Some(since) = since {
        let text = |name: &str| std::fs::read_to_string(name).ok();
        let mut routings = outcome
            .checked
            .iter()
            .filter_map(|checked| Routing::parse(&checked.name, &text(&checked.name)?, syntax));
        // Of several configurations, the last that is right is the one that routes.
        let routing = routings.next_back();
        let routing = routing
            .as_ref()
            .map(|routing| (routing.name.as_str(), &routing.config));
        since.narrow(&mut outcome, &[], FileOptions::default(), routing);
        if let Some(changes) = &mut outcome.changes {
            changes.rules.clear();
        }
    }
    Ok(outcome)
}

pub(super) fn web(matches: &ArgMatches) -> Outcome {
    each(inputs(matches, takes_all), |name, bytes| {
        (check::web(name, bytes), Vec::new())
    })
}

/// What the checks say of routes that load: warnings, which end nothing.
fn lint_routes(name: &str, bytes: &[u8], syntax: Syntax) -> Vec<Finding> {
    let text = String::from_utf8_lossy(bytes);
    let routing = Routing::parse(name, &text, syntax);
    let subjects = Subjects {
        routing: routing.as_ref(),
        ..Subjects::default()
    };
    lint::run(subjects, &LintOptions::default())
}

fn each(
    (inputs, skipped): (Vec<Input>, usize),
    check: impl Fn(&str, &[u8]) -> (Vec<Finding>, Vec<Origin>),
) -> Outcome {
    let checked = inputs.into_iter().map(|Input { name, bytes }| {
        let (findings, origins) = match bytes {
            Ok(bytes) => check(&name, &bytes),
            Err(finding) => (vec![finding], Vec::new()),
        };
        Checked {
            name,
            findings,
            origins,
            success: vec!["  SUCCESS".to_owned()],
            ..Checked::default()
        }
    });
    Outcome {
        checked: checked.collect(),
        skipped,
        ..Outcome::default()
    }
}
