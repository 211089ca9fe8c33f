//! `watchfire receivers`: sends a marked test notification through the real path.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::amtool;
use super::{Error, output};
use crate::alerting::Verdict;
use crate::daemon::notify_loop::Loaded;
use crate::daemon::notify_loop::trial::{self, Trial};
use crate::text::suggest;
use crate::time::WallTime;

pub(super) fn command() -> Command {
    let test = Command::new("test")
        .about("Sends a test notification to a receiver; prints request, reply and verdict")
        .long_about(
            "Sends one notification, marked as a test, to every integration of the receiver, with its templates, \
             its credentials and its client. Prints what was sent (secrets are masked), what came back, and what \
             that means. Exit code 1 when an integration did not take it.",
        )
        .after_help("Example:\n  watchfire receivers test team-db --config.file=alertmanager.yml")
        .arg(
            Arg::new("receiver")
                .value_name("RECEIVER")
                .required(true)
                .help("The receiver's name"),
        )
        .arg(
            Arg::new("resolved")
                .long("resolved")
                .action(ArgAction::SetTrue)
                .help("Send the end of the test alert, for receivers that keep incidents"),
        );
    Command::new("receivers")
        .about("Tests the receivers of alertmanager.yml")
        .after_help("Example:\n  watchfire receivers test team-db --config.file=alertmanager.yml")
        .arg_required_else_help(true)
        .subcommand_required(true)
        .arg(
            Arg::new("config.file")
                .long("config.file")
                .value_name("FILE")
                .global(true)
                .default_value("alertmanager.yml")
                .help("The router file"),
        )
        .arg(
            Arg::new("web.external-url")
                .long("web.external-url")
                .value_name("URL")
                .global(true)
                .default_value("http://localhost:9090")
                .help("The address that the notification links to"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .global(true)
                .default_value("30s")
                .help("How long an integration may take"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["simple", "json"])
                .default_value("simple")
                .global(true)
                .help("How the outcome is shown"),
        )
        .arg(amtool::feature_flag())
        .subcommand(test)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("test", matches)) => test(matches),
        _ => Err(Error::new("nothing to do")),
    }
}

fn test(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let file = amtool::text(matches, "config.file");
    let loaded = Loaded::from_file(Path::new(file), amtool::syntax(matches)?).map_err(|error| {
        Error::new(error.to_string()).with_hint("--config.file names alertmanager.yml")
    })?;
    let name = amtool::text(matches, "receiver");
    let names = loaded.receivers();
    if !names.iter().any(|known| known == name) {
        let known = names.iter().map(String::as_str);
        let error = Error::new(format!("{file} has no receiver {name:?}"));
        return Err(match suggest::closest(name, known) {
            Some(meant) => error.with_hint(format!("did you mean {meant}?")),
            None => error.with_hint(format!("it has {}", names.join(", "))),
        });
    }
    let timeout = amtool::duration(amtool::text(matches, "timeout"))?;
    let timeout = Duration::from_millis(timeout.as_ms().unsigned_abs());
    let url = amtool::text(matches, "web.external-url").trim_end_matches('/');
    let resolved = matches.get_flag("resolved");
    let now = WallTime::from_ms(super::query::now_ms());
    let sent = super::query::block_on(trial::try_receiver(
        &loaded, url, name, resolved, now, timeout,
    ))?;
    let trials = sent.map_err(|error| Error::new(error.to_string()))?;
    if amtool::text(matches, "output") == "json" {
        let all: Vec<Value> = trials.iter().map(to_json).collect();
        output::line(&amtool::json(&Value::Array(all)));
    } else {
        trials.iter().for_each(show);
    }
    if trials.is_empty() {
        output::warn("the receiver has no integrations: nobody is told");
    }
    let all_well = trials
        .iter()
        .all(|trial| trial.verdict == Verdict::Delivered);
    Ok(ExitCode::from(u8::from(!all_well)))
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Delivered => "delivered".to_owned(),
        Verdict::Retry { after, reason } => {
            let after = after.map_or_else(String::new, |after| {
                format!(" after {} s", after.as_secs_f64())
            });
            format!("not delivered, would be tried again{after}: {reason}")
        }
        Verdict::GiveUp { reason } => format!("not delivered, would not be tried again: {reason}"),
    }
}

fn show(trial: &Trial) {
    output::line(&format!("== {}", trial.integration));
    for (request, reply) in &trial.exchanges {
        output::line(&indented("> ", request));
        output::line(&indented("< ", reply));
    }
    output::line(&format!("=> {}\n", verdict(&trial.verdict)));
}

fn indented(mark: &str, text: &str) -> String {
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| format!("{mark}{line}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

fn to_json(trial: &Trial) -> Value {
    let exchanges: Vec<Value> = trial
        .exchanges
        .iter()
        .map(|(request, reply)| json!({"request": request, "reply": reply}))
        .collect();
    json!({
        "integration": trial.integration,
        "delivered": trial.verdict == Verdict::Delivered,
        "verdict": verdict(&trial.verdict),
        "exchanges": exchanges,
    })
}
