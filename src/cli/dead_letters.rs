//! `watchfire dead-letters`: notifications that a receiver never took.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::amtool::{self, Output, Server, Table};
use super::{Error, output};

pub(super) fn command() -> Command {
    let command = Command::new("dead-letters")
        .about("Lists notifications that a receiver never took")
        .after_help("Example:\n  watchfire dead-letters --open --receiver=team-db")
        .arg(
            Arg::new("open")
                .long("open")
                .action(ArgAction::SetTrue)
                .help("Leave out groups that got through later"),
        )
        .arg(
            Arg::new("receiver")
                .long("receiver")
                .short('r')
                .value_name("NAME")
                .help("Show those of one receiver"),
        );
    amtool::flags(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let params = [
        ("open", matches.get_flag("open").to_string()),
        ("receiver", amtool::text(matches, "receiver").to_owned()),
    ];
    let answer = server.get("/api/watchfire/v1/dead_letters", &params)?;
    let letters = amtool::list(answer["data"].clone());
    match server.settings.output {
        Output::Json => {
            output::line(&amtool::json(&Value::Array(letters)));
        }
        Output::Simple => {
            let mut table = Table::default();
            table.row([
                "Lost Last",
                "Times",
                "Integration",
                "Group",
                "Reached",
                "Reason",
            ]);
            for letter in &letters {
                table.row([
                    &amtool::date(&server.settings, &letter["lastAt"]),
                    &letter["count"].to_string(),
                    text(&letter["integration"]),
                    text(&letter["groupKey"]),
                    &amtool::date(&server.settings, &letter["reachedAt"]),
                    text(&letter["reason"]),
                ]);
            }
            output::raw(table.to_text().as_bytes());
        }
        Output::Extended => {
            for letter in &letters {
                extended(&server, letter);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn extended(server: &Server, letter: &Value) {
    let date = |name: &str| amtool::date(&server.settings, &letter[name]);
    output::line(&format!(
        "{}  {} times from {} to {}",
        text(&letter["integration"]),
        letter["count"],
        date("firstAt"),
        date("lastAt")
    ));
    output::line(&format!("  group     {}", text(&letter["groupKey"])));
    output::line(&format!("  reason    {}", text(&letter["reason"])));
    let fallback = text(&letter["fallbackReceiver"]);
    if !fallback.is_empty() {
        output::line(&format!("  fallback  {fallback}"));
    }
    if !letter["reachedAt"].is_null() {
        output::line(&format!("  reached   {}", date("reachedAt")));
    }
    for labels in letter["alerts"].as_array().into_iter().flatten() {
        output::line(&format!("  alert     {}", amtool::label_set(labels)));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
