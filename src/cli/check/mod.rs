//! `watchfire check`: configuration, rules and metrics, before they do harm.

mod config;
mod fix;
mod format;
mod input;
mod lints;
mod metrics;
mod outcome;
mod router;
mod rules;
mod since;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::Error;
use crate::check::Finding;
use format::Format;
pub(super) use lints::features;

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Checks configuration, rule files and metrics; shows every mistake at its place")
        .after_help(
            "Examples:\n  watchfire check config prometheus.yml\n  watchfire check rules --lint=all --fail-on=warning rules/\n  helm template chart | watchfire check rules --format=sarif\n  curl -s http://localhost:9100/metrics | watchfire check metrics",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(Format::NAMES)
                .default_value("human")
                .global(true)
                .help("How findings are written"),
        )
        .arg(
            Arg::new("fail-on")
                .long("fail-on")
                .value_name("SEVERITY")
                .value_parser(["lint", "warning", "info"])
                .global(true)
                .help("End with 3 when there is a finding of this severity or a worse one"),
        )
        .arg(
            Arg::new("enable-feature")
                .long("enable-feature")
                .value_name("FEATURES")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .global(true)
                .help("Feature flags of the expression language, such as promql-experimental-functions"),
        )
        .arg(
            Arg::new("extended")
                .long("extended")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("check metrics: show how many series each metric has"),
        )
        .arg(
            Arg::new("lookback-delta")
                .long("query.lookback-delta")
                .value_name("DURATION")
                .default_value("5m")
                .global(true)
                .help("check config: the server's, for the lint too-long-scrape-interval"),
        )
        .subcommand(config::command())
        .subcommand(rules::command())
        .subcommand(metrics::command())
        .subcommand(router::alertmanager_command())
        .subcommand(router::web_command())
}

fn files_argument(required: bool) -> Arg {
    Arg::new("files")
        .value_name("FILE")
        .action(ArgAction::Append)
        .required(required)
        .help("Files, folders and patterns such as 'rules/*.yml'; - reads standard input")
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Err(Error::new("nothing to check"));
    };
    let outcome = match verb {
        "config" => config::run(matches)?,
        "rules" => rules::run(matches)?,
        "metrics" => return metrics::run(matches),
        "alertmanager" => router::alertmanager(matches)?,
        _ => router::web(matches),
    };
    Format::of(matches).show(&outcome);
    Ok(outcome.exit_code(matches))
}

/// Shows a finding with the line it is about.
pub(super) fn show_finding(finding: &Finding) {
    format::human::finding(finding, None);
}
