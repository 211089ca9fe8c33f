//! `watchfire completions`: completion scripts for shells.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::{Shell, generate};

use super::{Error, output};

pub(super) fn command() -> Command {
    Command::new("completions")
        .about("Prints a completion script for a shell")
        .after_help("Example:\n  watchfire completions bash > /etc/bash_completion.d/watchfire")
        .arg(
            Arg::new("shell")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let shell = matches
        .get_one::<Shell>("shell")
        .copied()
        .ok_or_else(|| Error::new("no shell given"))?;
    let mut script = Vec::new();
    generate(shell, &mut super::command(), "watchfire", &mut script);
    output::raw(&script);
    Ok(ExitCode::SUCCESS)
}
