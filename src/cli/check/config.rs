//! `check config`.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::input::{Input, inputs, takes_all};
use super::lints::{Lints, SCRAPE_INTERVAL, arguments, rule_options};
use super::outcome::{Checked, Outcome};
use super::since::{self, Since};
use super::{Error, files_argument, rules};
use crate::check::{self, ConfigCheck, RuleFile};
use crate::config::Files as _;
use crate::config::prometheus::{self, LoadOptions};
use crate::daemon::RealFiles;
use crate::model::ValidationScheme;
use crate::time::Span;

pub(super) fn command() -> Command {
    let command = Command::new("config")
        .about("Checks prometheus.yml and the files that it names")
        .after_help(
            "Examples:\n  watchfire check config prometheus.yml\n  watchfire check config --syntax-only prometheus.yml\n  watchfire check config --lint=all --since=main prometheus.yml",
        )
        .arg(files_argument(true))
        .arg(since::argument())
        .arg(
            Arg::new("syntax-only")
                .long("syntax-only")
                .action(ArgAction::SetTrue)
                .help("Leave the files alone that it names"),
        )
        .arg(
            Arg::new("agent")
                .long("agent")
                .action(ArgAction::SetTrue)
                .help("Check it for an agent"),
        );
    arguments(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<Outcome, Error> {
    let lints = Lints::new(matches)?;
    let lookback = matches
        .get_one::<String>("lookback-delta")
        .map_or("5m", String::as_str);
    let lookback = Span::parse(lookback)
        .map_err(|error| Error::new(format!("--query.lookback-delta: {error}")))?;
    let check = ConfigCheck {
        agent: matches.get_flag("agent"),
        syntax_only: matches.get_flag("syntax-only"),
        lookback_delta: lints.wants(SCRAPE_INTERVAL).then_some(lookback),
    };
    let since = Since::of(matches)?;
    let mut outcome = Outcome {
        lints_left: lints.asks_nothing(),
        ..Outcome::default()
    };
    let (inputs, _) = inputs(matches, takes_all);
    let mut files = Vec::new();
    for input in inputs {
        files.extend(one(input, check, matches, &lints, &mut outcome));
    }
    if let Some(since) = since {
        let options = rule_options(matches, ValidationScheme::default());
        since.narrow(&mut outcome, &files, options, lints.routing());
    }
    rules::finish(&lints, matches, &mut outcome)?;
    Ok(outcome)
}

fn one(
    input: Input,
    check: ConfigCheck,
    matches: &ArgMatches,
    lints: &Lints,
    outcome: &mut Outcome,
) -> Vec<RuleFile> {
    let name = input.name;
    let mut checked = Checked {
        name: name.clone(),
        ..Checked::default()
    };
    let bytes = match input.bytes {
        Ok(bytes) => bytes,
        Err(finding) => {
            checked.findings.push(finding);
            outcome.checked.push(checked);
            return Vec::new();
        }
    };
    let path = PathBuf::from(&name);
    let overlay =
        (name == "-").then(|| (path.clone(), String::from_utf8_lossy(&bytes).into_owned()));
    let files = RealFiles { overlay };
    let environment = |name: &str| std::env::var(name).ok();
    let report = check::config(&path, &files, &environment, check);
    if !report.rule_files.is_empty() {
        let count = report.rule_files.len();
        checked
            .no_error
            .push(format!("  SUCCESS: {count} rule files found"));
    }
    checked.success.push(format!(
        " SUCCESS: {name} is valid prometheus config file syntax"
    ));
    checked.findings = report.findings;
    outcome.checked.push(checked);
    let inputs = report.rule_files.into_iter().map(|name| Input {
        bytes: files
            .read(Path::new(&name))
            .map_err(|error| check::Finding::unreadable(&name, format!("open {name}: {error}"))),
        name,
    });
    let options = LoadOptions {
        agent: check.agent,
        ..LoadOptions::default()
    };
    let config = prometheus::load(&path, &files, &environment, options).ok();
    let options = rule_options(matches, report.validation);
    rules::check(inputs.collect(), options, lints, config.as_ref(), outcome)
}
