//! `watchfire demo`: an hour of a burning cluster in less than a minute.

use std::process::ExitCode;

use anstyle::Style;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, output};
use crate::daemon::demo::{Demo, Event};

/// The pack that the demo runs, as it is shipped.
const ESSENTIAL: &str = include_str!("../../alert-rules/essential.yaml");

pub(super) fn command() -> Command {
    Command::new("demo")
        .about("Plays a burning cluster: see who is called, and when")
        .long_about(
            "Starts a pretend cluster in this process and watches it with the real engine: an API server goes down, a pod \
             crashes in a loop, a disk fills up. An hour passes in less than a minute. Uses loopback only, writes nothing.",
        )
        .after_help("Examples:\n  watchfire demo\n  watchfire demo --keep")
        .arg(Arg::new("keep").long("keep").action(ArgAction::SetTrue).help("Stay up afterwards, so that you can look at the API"))
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:0")
                .help("Where the API listens; port 0 takes a free one"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let address = matches
        .get_one::<String>("listen")
        .map_or("127.0.0.1:0", String::as_str)
        .to_owned();
    let keep = matches.get_flag("keep");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(format!("cannot start the runtime: {e}")))?;
    runtime.block_on(play(&address, keep))
}

async fn play(address: &str, keep: bool) -> Result<ExitCode, Error> {
    let rules = vec![(
        "alert-rules/essential.yaml".to_owned(),
        ESSENTIAL.to_owned(),
    )];
    let mut demo = Demo::start(address, rules).await.map_err(|e| {
        Error::new(format!("cannot start the demo: {e}"))
            .with_hint("--listen chooses another address")
    })?;
    let api = demo.address();
    output::line(&format!(
        "The API is at http://{api}, an hour passes in 40 seconds. Ctrl-C ends the demo.\n"
    ));
    loop {
        tokio::select! {
            event = demo.next() => match event {
                Some(event) => if !tell(&demo, &event) { break },
                None => break,
            },
            _ = tokio::signal::ctrl_c() => {
                demo.stop().await.map_err(|e| Error::new(e.to_string()))?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let complete = demo.complete();
    if complete {
        output::line("That was the demo: two pages, a message, and what was over was resolved.");
        output::line(
            "Next: watchfire serve --help, or write your own rules and run `watchfire test rules` on them.",
        );
    }
    if keep && complete {
        output::line(&format!(
            "Still up. Try: watchfire query instant http://{api} 'ALERTS'   Ctrl-C ends it."
        ));
        loop {
            tokio::select! {
                arrived = demo.arrived() => match arrived {
                    Some(notification) => { tell(&demo, &Event::Arrived(notification)); }
                    None => break,
                },
                _ = tokio::signal::ctrl_c() => break,
            }
        }
    }
    demo.stop().await.map_err(|e| Error::new(e.to_string()))?;
    if complete {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(
            Error::new("the demo did not see everything that it should have")
                .with_hint("is this machine very busy? please report it"),
        )
    }
}

/// Shows an event with the cluster's time; false when nobody reads.
fn tell(demo: &Demo, event: &Event) -> bool {
    let seconds = demo.elapsed().as_ms() / 1000;
    let clock = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    match event {
        Event::Scene(text) => {
            let dim = Style::new().dimmed();
            output::line(&format!("{dim}{clock}  {text}{dim:#}\n"))
        }
        Event::Arrived(notification) => super::inbox::show(&format!("{clock}  "), notification),
    }
}
