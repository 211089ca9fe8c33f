//! `watchfire check`: configuration, rules and metrics, before they do harm.

mod show;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, output};
use crate::check::{self, ConfigCheck, Finding, Severity};
use crate::daemon::RealFiles;
use crate::model::ValidationScheme;
use crate::promql::parser::ParseOptions;
use crate::rules::file::FileOptions;
use crate::time::Span;

/// What lints that were made fatal end with, as promtool.
const LINT_EXIT: u8 = 3;

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Checks configuration, rule files and metrics; shows every mistake at its place")
        .after_help(
            "Examples:\n  watchfire check config prometheus.yml\n  watchfire check rules --lint=all --lint-fatal rules/*.yml\n  curl -s http://localhost:9100/metrics | watchfire check metrics",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(config_command())
        .subcommand(rules_command())
        .subcommand(
            Command::new("metrics")
                .about("Lints the metrics page on standard input")
                .arg(
                    Arg::new("extended")
                        .long("extended")
                        .action(ArgAction::SetTrue)
                        .help("Show how many series each metric has"),
                )
                .arg(
                    Arg::new("lint")
                        .long("lint")
                        .value_name("LINT")
                        .value_parser(["all", "none"])
                        .default_value("all")
                        .help("Which lints to apply"),
                ),
        )
        .subcommand(
            Command::new("alertmanager")
                .about("Checks alertmanager.yml")
                .arg(files_argument(true)),
        )
        .subcommand(
            Command::new("web-config")
                .about("Checks files for --web.config.file")
                .arg(files_argument(true)),
        )
}

fn files_argument(required: bool) -> Arg {
    Arg::new("files")
        .value_name("FILE")
        .action(ArgAction::Append)
        .required(required)
        .help("The files; - reads standard input")
}

fn lint_arguments(command: Command, lints: &'static str) -> Command {
    command
        .arg(
            Arg::new("lint")
                .long("lint")
                .value_name("LINTS")
                .default_value("duplicate-rules")
                .help(lints),
        )
        .arg(
            Arg::new("lint-fatal")
                .long("lint-fatal")
                .action(ArgAction::SetTrue)
                .help("End with 3 when a lint finds something"),
        )
        .arg(
            Arg::new("ignore-unknown-fields")
                .long("ignore-unknown-fields")
                .action(ArgAction::SetTrue)
                .help("Let fields of rule files pass that nobody knows"),
        )
        .arg(
            Arg::new("enable-feature")
                .long("enable-feature")
                .value_name("FEATURES")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Feature flags of the expression language, such as promql-experimental-functions"),
        )
}

fn config_command() -> Command {
    let command = Command::new("config")
        .about("Checks prometheus.yml and the files that it names")
        .arg(files_argument(true))
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
        )
        .arg(
            Arg::new("lookback-delta")
                .long("query.lookback-delta")
                .value_name("DURATION")
                .default_value("5m")
                .help("The server's, for the lint too-long-scrape-interval"),
        );
    lint_arguments(
        command,
        "Lints, separated by commas: all, none, duplicate-rules, too-long-scrape-interval",
    )
}

fn rules_command() -> Command {
    let command = Command::new("rules")
        .about("Checks rule files; standard input when none is given")
        .arg(files_argument(false));
    lint_arguments(
        command,
        "Lints, separated by commas: all, none, duplicate-rules",
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("config", matches)) => config(matches),
        Some(("rules", matches)) => Ok(rules(matches)),
        Some(("metrics", matches)) => metrics(matches),
        Some(("alertmanager", matches)) => each(matches, check::alertmanager),
        Some(("web-config", matches)) => each(matches, check::web),
        _ => Err(Error::new("nothing to check")),
    }
}

/// Shows a finding with the line it is about.
pub(super) fn show_finding(finding: &Finding) {
    show::finding(finding);
}

/// What was found so far, and whether lints count.
struct Tally {
    errors: bool,
    lints: bool,
    fatal: bool,
}

impl Tally {
    fn new(matches: &ArgMatches) -> Self {
        Self {
            errors: false,
            lints: false,
            fatal: matches.get_flag("lint-fatal"),
        }
    }

    /// Shows findings and remembers how bad they were; true when nothing stands against success.
    fn show(&mut self, findings: &[Finding]) -> bool {
        let is = |severity| findings.iter().any(|finding| finding.severity == severity);
        let (errors, lints) = (is(Severity::Error), is(Severity::Lint));
        if errors || lints {
            show::failed();
        }
        findings.iter().for_each(show::finding);
        self.errors |= errors;
        self.lints |= lints;
        !errors && !lints
    }

    fn exit_code(&self) -> ExitCode {
        if self.errors {
            ExitCode::FAILURE
        } else if self.lints && self.fatal {
            ExitCode::from(LINT_EXIT)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// The names given, `-` when there are none.
fn names(matches: &ArgMatches) -> Vec<String> {
    let given: Vec<String> = matches
        .get_many::<String>("files")
        .map(|files| files.cloned().collect())
        .unwrap_or_default();
    if given.is_empty() {
        vec!["-".to_owned()]
    } else {
        given
    }
}

fn lints(matches: &ArgMatches, lint: &str) -> bool {
    matches.get_one::<String>("lint").is_some_and(|lints| {
        lints
            .split(',')
            .any(|given| given == "all" || given == lint)
    })
}

fn warn_of_unknown_lints(matches: &ArgMatches) {
    let known = [
        "all",
        "none",
        "duplicate-rules",
        "too-long-scrape-interval",
        "",
    ];
    let given = matches.get_one::<String>("lint");
    for lint in given.iter().flat_map(|lints| lints.split(',')) {
        if !known.contains(&lint) {
            output::warn(&format!("unknown lint option {lint}"));
        }
    }
}

fn read(name: &str) -> Result<Vec<u8>, Error> {
    let read = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(name)
    };
    read.map_err(|error| Error::new(format!("open {name}: {error}")))
}

fn announce(name: &str) {
    let shown = if name == "-" { "standard input" } else { name };
    output::line(&format!("Checking {shown}"));
}

fn rule_options(matches: &ArgMatches, validation: ValidationScheme) -> FileOptions {
    let features: Vec<&String> = matches
        .get_many::<String>("enable-feature")
        .map(Iterator::collect)
        .unwrap_or_default();
    let on = |name: &str| features.iter().any(|feature| *feature == name);
    FileOptions {
        ignore_unknown_fields: matches.get_flag("ignore-unknown-fields"),
        validation,
        parser: ParseOptions {
            experimental_functions: on("promql-experimental-functions"),
            extended_range_selectors: on("promql-extended-range-selectors"),
            fill_modifiers: on("promql-binop-fill-modifiers"),
            ..ParseOptions::default()
        },
    }
}

fn check_rules(matches: &ArgMatches, tally: &mut Tally, name: &str, options: FileOptions) {
    announce(name);
    let bytes = match read(name) {
        Ok(bytes) => bytes,
        Err(error) => {
            tally.show(&[Finding::unreadable(name, error.to_string())]);
            return;
        }
    };
    let report = check::rules(name, &bytes, &options, lints(matches, "duplicate-rules"));
    if tally.show(&report.findings) {
        output::line(&format!("  SUCCESS: {} rules found", report.rules));
    }
    output::line("");
}

fn rules(matches: &ArgMatches) -> ExitCode {
    warn_of_unknown_lints(matches);
    let mut tally = Tally::new(matches);
    let options = rule_options(matches, ValidationScheme::default());
    for name in names(matches) {
        check_rules(matches, &mut tally, &name, options);
    }
    tally.exit_code()
}

fn config(matches: &ArgMatches) -> Result<ExitCode, Error> {
    warn_of_unknown_lints(matches);
    let lookback = matches
        .get_one::<String>("lookback-delta")
        .map_or("5m", String::as_str);
    let lookback = Span::parse(lookback)
        .map_err(|error| Error::new(format!("--query.lookback-delta: {error}")))?;
    let check = ConfigCheck {
        agent: matches.get_flag("agent"),
        syntax_only: matches.get_flag("syntax-only"),
        lookback_delta: lints(matches, "too-long-scrape-interval").then_some(lookback),
    };
    let mut tally = Tally::new(matches);
    for name in names(matches) {
        announce(&name);
        let environment = |name: &str| std::env::var(name).ok();
        let path = PathBuf::from(&name);
        let overlay = match name.as_str() {
            "-" => Some((
                path.clone(),
                String::from_utf8_lossy(&read(&name)?).into_owned(),
            )),
            _ => None,
        };
        let report = check::config(&path, &RealFiles { overlay }, &environment, check);
        let good = tally.show(&report.findings);
        let has_errors = report
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        if !has_errors {
            if !report.rule_files.is_empty() {
                let count = report.rule_files.len();
                output::line(&format!("  SUCCESS: {count} rule files found"));
            }
            if good {
                let text = format!(" SUCCESS: {name} is valid prometheus config file syntax");
                output::line(&text);
            }
        }
        output::line("");
        let options = rule_options(matches, report.validation);
        for file in &report.rule_files {
            check_rules(matches, &mut tally, file, options);
        }
    }
    Ok(tally.exit_code())
}

fn each(
    matches: &ArgMatches,
    check: impl Fn(&str, &[u8]) -> Vec<Finding>,
) -> Result<ExitCode, Error> {
    let mut tally = Tally {
        errors: false,
        lints: false,
        fatal: false,
    };
    for name in names(matches) {
        announce(&name);
        if tally.show(&check(&name, &read(&name)?)) {
            output::line("  SUCCESS");
        }
        output::line("");
    }
    Ok(tally.exit_code())
}

fn metrics(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let page = read("-")?;
    let report = check::metrics(&page)
        .map_err(|error| Error::new(format!("error while linting: {error}")))?;
    let lint = matches
        .get_one::<String>("lint")
        .is_none_or(|lint| lint == "all");
    if lint && !report.problems.is_empty() {
        for (metric, text) in &report.problems {
            show::plain(&format!("{metric} {text}"));
        }
        return Ok(ExitCode::from(LINT_EXIT));
    }
    if matches.get_flag("extended") {
        show::cardinality(&report.cardinality);
    }
    Ok(ExitCode::SUCCESS)
}
