//! `watchfire routes`: shows the route tree and tests it, as `amtool config routes` does, and with files of cases.

mod cases;

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::alert::words;
use super::amtool::{self, Server};
use super::{Error, output};
use crate::alerting::matchers::Syntax;
use crate::alerting::{RouteTree, matchers};
use crate::config::alertmanager::{self, AlertmanagerConfig};
use crate::model::{Labels, MatchOp};

pub(super) fn command() -> Command {
    let test = Command::new("test")
        .about("Tells which receivers hear of an alert, or plays files of cases")
        .long_about(
            "With labels: prints the receivers that an alert with these labels is routed to. With files: plays \
             each case (labels, time, other active alerts, silences) through the router and compares; exit code 1 \
             when something is not as expected.",
        )
        .after_help(
            "Examples:\n  watchfire routes test --config.file=alertmanager.yml --tree team=db severity=page\n  watchfire routes test --config.file=alertmanager.yml routes-test.yml",
        )
        .arg(
            Arg::new("verify.receivers")
                .long("verify.receivers")
                .value_name("NAMES")
                .help("Fail unless these receivers are found, in this order, with commas between"),
        )
        .arg(
            Arg::new("tree")
                .long("tree")
                .action(ArgAction::SetTrue)
                .help("Draw the routes that match"),
        )
        .arg(words("LABEL|FILE", "NAME=VALUE labels of an alert, or files of cases"));
    let command = Command::new("routes")
        .about("Shows the route tree of alertmanager.yml, and tests where alerts go")
        .after_help("Example:\n  watchfire routes show --config.file=alertmanager.yml")
        .arg_required_else_help(true)
        .subcommand_required(true)
        .arg(
            Arg::new("config.file")
                .long("config.file")
                .value_name("FILE")
                .global(true)
                .help("alertmanager.yml; otherwise a running server is asked"),
        )
        .subcommand(Command::new("show").about("Draws the route tree"))
        .subcommand(test);
    amtool::flags(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("show", matches)) => {
            let tree = RouteTree::new(&load(matches)?.route);
            output::raw(tree.to_text().as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        Some(("test", matches)) => {
            let words = amtool::texts(matches, "words");
            if words.first().is_some_and(|word| !word.contains('=')) {
                return cases::run(matches, &words);
            }
            test(matches, &words)
        }
        _ => Err(Error::new("nothing to do")),
    }
}

/// The configuration in `--config.file`, or that of the server.
fn load(matches: &ArgMatches) -> Result<AlertmanagerConfig, Error> {
    match amtool::text(matches, "config.file") {
        "" => {
            let status = Server::new(matches)?.get("/api/v2/status", &[])?;
            let original = status["config"]["original"].as_str().unwrap_or_default();
            parse(
                original,
                "the server's configuration",
                "",
                amtool::syntax(matches)?,
            )
            .map_err(|error| {
                error.with_hint(
                    "name the file with --config.file: what a server shows has no secrets in it",
                )
            })
        }
        file => load_file(Path::new(file), amtool::syntax(matches)?),
    }
}

/// Reads a router file.
fn load_file(path: &Path, syntax: Syntax) -> Result<AlertmanagerConfig, Error> {
    let name = path.display().to_string();
    let content = std::fs::read_to_string(path)
        .map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
    let folder = path.parent().map(Path::to_string_lossy);
    parse(
        &content,
        &name,
        folder.as_deref().unwrap_or_default(),
        syntax,
    )
}

fn parse(
    content: &str,
    name: &str,
    folder: &str,
    syntax: Syntax,
) -> Result<AlertmanagerConfig, Error> {
    alertmanager::parse_in(content, syntax, folder).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{name}:{problem}"))
            .collect();
        Error::new(lines.join("\n")).with_hint("`watchfire check alertmanager` shows the lines")
    })
}

/// One alert's receivers.
fn test(matches: &ArgMatches, words: &[String]) -> Result<ExitCode, Error> {
    let config = load(matches)?;
    let syntax = amtool::syntax(matches)?;
    let mut pairs = Vec::new();
    for word in words {
        let matcher = matchers::parse_matcher(syntax, word)
            .map_err(|error| Error::new(format!("failed to parse labels: {error}")))?;
        if matcher.op != MatchOp::Equal {
            return Err(Error::new("labels must be specified as key=value pairs"));
        }
        pairs.push((matcher.name, matcher.value));
    }
    let labels = Labels::from_pairs(pairs);
    let tree = RouteTree::new(&config.route);
    let found: Vec<&str> = tree
        .matches(&labels)
        .into_iter()
        .filter_map(|at| tree.get(at))
        .map(|route| route.receiver.as_str())
        .collect();
    if matches.get_flag("tree") {
        output::line(&tree.to_text_for(&labels));
    }
    let found = found.join(",");
    output::line(&found);
    let expected = amtool::text(matches, "verify.receivers");
    if !expected.is_empty() && expected != found {
        output::warn("expected receivers did not match resolved receivers");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
