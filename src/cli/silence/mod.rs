//! `watchfire silence`: adds, lists, changes, ends and imports silences, as `amtool silence` does.

mod change;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::alert::{annotation, time, words};
use super::amtool::{self, Server};
use super::{Error, output};
use crate::time::WallTime;

pub(super) fn command() -> Command {
    let command = Command::new("silence")
        .about("Adds, lists, changes, ends and imports silences of a running server")
        .after_help(
            "Examples:\n  watchfire silence add alertname=NodeDown instance=~'db-.*' -d 2h -c 'disks are replaced'\n  watchfire silence query --within 2h\n  watchfire silence expire $(watchfire silence query -q alertname=NodeDown)",
        )
        .arg_required_else_help(true)
        .subcommand_required(true)
        .subcommand(add_command())
        .subcommand(
            Command::new("expire")
                .about("Ends silences now")
                .arg(ids()),
        )
        .subcommand(import_command())
        .subcommand(query_command())
        .subcommand(update_command());
    amtool::flags(command)
}

fn ids() -> Arg {
    Arg::new("ids")
        .value_name("ID")
        .action(ArgAction::Append)
        .required(true)
        .help("Ids of silences")
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn add_command() -> Command {
    Command::new("add")
        .about("Adds a silence; prints its id")
        .after_help("Example:\n  watchfire silence add NodeDown instance=a -c 'is being replaced'")
        .arg(option("author", "NAME", "Who asks for it; default the user's name").short('a'))
        .arg(
            option("duration", "DURATION", "How long it holds")
                .short('d')
                .default_value("1h"),
        )
        .arg(time("start", "When it begins; default now"))
        .arg(time("end", "When it ends; instead of a duration"))
        .arg(option("comment", "TEXT", "Why").short('c'))
        .arg(
            option("require-comment", "BOOL", "Whether there must be a comment")
                .num_args(0..=1)
                .default_missing_value("true")
                .default_value("true")
                .value_parser(["true", "false"]),
        )
        .arg(annotation())
        .arg(words(
            "MATCHER",
            "Matchers; a first word without an operator is the alert's name",
        ))
}

fn query_command() -> Command {
    Command::new("query")
        .about("Lists silences; without --expired those that hold or begin later")
        .after_help("Example:\n  watchfire silence query --expired --within 8h --created-by=me")
        .arg(flag("expired", "Show those that are over instead"))
        .arg(flag("quiet", "Show ids only").short('q'))
        .arg(option("created-by", "NAME", "Show those of one author"))
        .arg(option("id", "ID", "Show this one"))
        .arg(option(
            "within",
            "DURATION",
            "Show those that end, or have ended, within this time",
        ))
        .arg(words("MATCHER", "Matchers that the silences must hold; a first word without an operator is the alert's name"))
}

fn update_command() -> Command {
    Command::new("update")
        .about("Changes silences; shows them as they are then")
        .after_help(
            "Example:\n  watchfire silence update -d 4h 4d1e2f7c-3b52-4f0e-8a53-bb1a6f3c9d10",
        )
        .arg(flag("quiet", "Show ids only").short('q'))
        .arg(
            option(
                "duration",
                "DURATION",
                "How long they hold, from their start",
            )
            .short('d'),
        )
        .arg(time("start", "When they begin"))
        .arg(time("end", "When they end; instead of a duration"))
        .arg(option("comment", "TEXT", "Why").short('c'))
        .arg(ids())
}

fn import_command() -> Command {
    Command::new("import")
        .about("Adds the silences that `silence query -o json` wrote; prints their ids")
        .after_help("Example:\n  watchfire silence query -o json > all.json; watchfire silence import all.json")
        .arg(flag("force", "Add new ones even where they exist").short('f'))
        .arg(
            option("worker", "N", "Requests at once")
                .short('w')
                .value_parser(clap::value_parser!(u16).range(1..=64))
                .default_value("8"),
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .help("The file; default standard input"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("add", matches)) => change::add(matches),
        Some(("expire", matches)) => change::expire(matches),
        Some(("update", matches)) => change::update(matches),
        Some(("import", matches)) => change::import(matches),
        Some(("query", matches)) => query(matches),
        _ => Err(Error::new("nothing to do")),
    }
}

fn query(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let filters = amtool::matcher_words(matches, "words", server.settings.syntax).into_iter();
    let params: Vec<_> = filters.map(|filter| ("filter", filter)).collect();
    let mut found = amtool::list(server.get("/api/v2/silences", &params)?);
    let within = match amtool::text(matches, "within") {
        "" => None,
        given => Some(amtool::duration(given)?.as_ms()),
    };
    let (created_by, id) = (
        amtool::text(matches, "created-by"),
        amtool::text(matches, "id"),
    );
    let expired = matches.get_flag("expired");
    let now_ms = super::query::now_ms();
    found.retain(|silence| {
        let left_ms = end_ms(silence) - now_ms;
        let wanted = if expired { left_ms <= 0 } else { left_ms >= 0 };
        wanted
            && within.is_none_or(|within| left_ms.abs() <= within)
            && (created_by.is_empty() || silence["createdBy"] == created_by)
            && (id.is_empty() || silence["id"] == id)
    });
    show(&server, found, matches.get_flag("quiet"));
    Ok(ExitCode::SUCCESS)
}

fn end_ms(silence: &Value) -> i64 {
    let text = silence["endsAt"].as_str().unwrap_or_default();
    WallTime::parse_rfc3339(text).map_or(0, WallTime::as_ms)
}

fn show(server: &Server, silences: Vec<Value>, quiet: bool) {
    if !quiet {
        amtool::silences(&server.settings, silences);
        return;
    }
    for silence in &silences {
        output::line(silence["id"].as_str().unwrap_or_default());
    }
}
