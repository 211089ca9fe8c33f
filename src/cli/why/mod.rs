//! `watchfire why`: why was somebody told of an alert, or why not?

mod chain;
mod expression;
mod rule;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::alert::words;
use super::amtool::{self, Output, Server};
use super::{Error, output};
use crate::http::params::parse_time_ms;
use crate::time::{Span, WallTime};

/// Decisions that are asked for; the latest ones count.
const DECISIONS_MAX: &str = "20000";

pub(super) fn command() -> Command {
    let command = Command::new("why")
        .about("Tells why somebody was told of an alert, or why not")
        .long_about(
            "Shows what each stage decided about an alert: received, grouped, inhibited, muted, silenced, deduplicated, sent, \
             failed; and for an alert that never came in what its rule says, and which part of its expression finds nothing. \
             Asks a running watchfire.",
        )
        .after_help(
            "Examples:\n  watchfire why NodeDown instance=a\n  watchfire why HighLatency 'job=~api.*' --at 2026-11-21T03:10:00Z",
        )
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("TIME")
                .help("Ask about this time, RFC 3339 or seconds since the epoch; default now"),
        )
        .arg(
            words("ALERT", "The alert's name, then matchers of its labels").required(true),
        );
    amtool::flags(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let server = Server::new(matches)?;
    let words = amtool::matcher_words(matches, "words", server.settings.syntax);
    for word in &words {
        amtool::matcher(word, server.settings.syntax)?;
    }
    let at = match amtool::text(matches, "at") {
        "" => None,
        given => Some(
            parse_time_ms(given)
                .map(WallTime::from_ms)
                .map_err(|error| {
                    Error::new(error).with_hint(
                        "give RFC 3339 (2026-11-21T06:00:00Z) or seconds since the epoch",
                    )
                })?,
        ),
    };
    let decisions = decisions(&server, &words, at)?;
    let filters = words.iter().map(|word| ("filter", word.clone()));
    let alerts = match at {
        None => amtool::list(server.get("/api/v2/alerts", &filters.collect::<Vec<_>>())?),
        Some(_) => Vec::new(),
    };
    if server.settings.output == Output::Json {
        let answer = json!({"decisions": decisions, "alerts": alerts});
        output::line(&amtool::json(&answer));
        return Ok(ExitCode::SUCCESS);
    }
    let long = server.settings.output == Output::Extended;
    for line in chain::lines(&decisions, &alerts, at, long) {
        output::line(&line);
    }
    // An alert whose last word is old may have ended with its rule: what does the rule say?
    if decisions.is_empty() || !chain::is_firing(&decisions, at) {
        for line in rule::lines(&server, &words, at)? {
            output::line(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The decisions about alerts that the words match, up to a time.
fn decisions(server: &Server, words: &[String], at: Option<WallTime>) -> Result<Vec<Value>, Error> {
    let mut params: Vec<(&str, String)> = vec![("limit", DECISIONS_MAX.to_owned())];
    params.extend(words.iter().map(|word| ("filter", word.clone())));
    if let Some(at) = at {
        // What follows within a flush belongs to it.
        params.push(("end", (at + Span::from_ms(1)).to_string()));
    }
    let answer = server
        .get_if_known("/api/watchfire/v1/decisions", &params)?
        .ok_or_else(|| {
            Error::new("the server keeps no record of decisions")
                .with_hint("is it a watchfire? an Alertmanager does not know why")
        })?;
    Ok(amtool::list(answer["data"].clone()))
}
