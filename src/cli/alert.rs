//! `watchfire alert`: looks at alerts of a running server and adds them, as `amtool alert` does.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::amtool::{self, Server};
use super::{Error, output};

pub(super) fn command() -> Command {
    let command = Command::new("alert")
        .about("Looks at the alerts of a running watchfire or Alertmanager, and adds some")
        .after_help(
            "Examples:\n  watchfire alert query --silenced -o extended\n  watchfire alert query HighLatency 'severity=~\"warn.*\"'\n  watchfire alert add HighLatency job=api --annotation=summary='p99 is 3 s'",
        )
        .arg_required_else_help(true)
        .subcommand_required(true)
        .subcommand(query_command())
        .subcommand(add_command());
    amtool::flags(command)
}

fn query_command() -> Command {
    let state = |name: &'static str, short: char, help: &'static str| {
        Arg::new(name)
            .long(name)
            .short(short)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("query")
        .about("Lists alerts; without a state only the active ones")
        .after_help("Example:\n  watchfire alert query alertname=NodeDown --receiver='team-.*'")
        .arg(state("inhibited", 'i', "Show inhibited alerts"))
        .arg(state("silenced", 's', "Show silenced alerts"))
        .arg(state("active", 'a', "Show active alerts"))
        .arg(state("unprocessed", 'u', "Show unprocessed alerts"))
        .arg(
            Arg::new("receiver")
                .long("receiver")
                .short('r')
                .value_name("PATTERN")
                .help("Show alerts of these receivers"),
        )
        .arg(words(
            "MATCHER",
            "Matchers; a first word without an operator is the alert's name",
        ))
}

fn add_command() -> Command {
    Command::new("add")
        .about("Adds an alert")
        .after_help("Example:\n  watchfire alert add Test severity=page --end=2026-11-21T07:00:00Z")
        .arg(
            Arg::new("generator-url")
                .long("generator-url")
                .value_name("URL")
                .help("Where the alert comes from"),
        )
        .arg(time("start", "When it began; default now"))
        .arg(time(
            "end",
            "When it ends; default after the server's resolve_timeout",
        ))
        .arg(annotation())
        .arg(words(
            "LABEL",
            "NAME=VALUE; a first word without = is the alert's name",
        ))
}

/// Positional words.
pub(super) fn words(value: &'static str, help: &'static str) -> Arg {
    Arg::new("words")
        .value_name(value)
        .action(ArgAction::Append)
        .help(help)
}

/// A flag with an RFC 3339 time.
pub(super) fn time(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TIME").help(help)
}

/// `--annotation`, which may be repeated.
pub(super) fn annotation() -> Arg {
    Arg::new("annotation")
        .long("annotation")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("An annotation; may be given more than once")
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("query", matches)) => query(matches),
        Some(("add", matches)) => add(matches),
        _ => Err(Error::new("nothing to do")),
    }
}

fn query(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let mut flags = ["silenced", "inhibited", "active", "unprocessed"]
        .map(|name| (name, matches.get_flag(name)));
    if flags.iter().all(|(_, given)| !given) {
        flags[2].1 = true;
    }
    let mut params: Vec<(&str, String)> = flags
        .iter()
        .map(|(name, given)| (*name, given.to_string()))
        .collect();
    let receiver = amtool::text(matches, "receiver");
    if !receiver.is_empty() {
        params.push(("receiver", receiver.to_owned()));
    }
    let filters = amtool::matcher_words(matches, "words", server.settings.syntax).into_iter();
    params.extend(filters.map(|filter| ("filter", filter)));
    let found = server.get("/api/v2/alerts", &params)?;
    amtool::alerts(&server.settings, amtool::list(found));
    Ok(ExitCode::SUCCESS)
}

fn add(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let syntax = server.settings.syntax;
    let words = amtool::matcher_words(matches, "words", syntax);
    let labels = amtool::pairs(&words, "labels", syntax)?;
    if labels.is_empty() {
        return Err(Error::new("at least one label is required")
            .with_hint("for example: watchfire alert add NodeDown instance=a"));
    }
    let annotations = amtool::texts(matches, "annotation");
    let annotations = amtool::pairs(&annotations, "annotations", syntax)?;
    let mut alert = Map::new();
    alert.insert("labels".to_owned(), Value::Object(labels));
    alert.insert("annotations".to_owned(), Value::Object(annotations));
    for (flag, field) in [("start", "startsAt"), ("end", "endsAt")] {
        let given = amtool::text(matches, flag);
        if !given.is_empty() {
            let time = amtool::time(given)?.to_string();
            alert.insert(field.to_owned(), Value::String(time));
        }
    }
    let url = amtool::text(matches, "generator-url");
    if !url.is_empty() {
        alert.insert("generatorURL".to_owned(), json!(url));
    }
    server.post("/api/v2/alerts", &json!([alert]))?;
    if server.settings.output == amtool::Output::Json {
        output::line("{\"status\":\"success\"}");
    }
    Ok(ExitCode::SUCCESS)
}
