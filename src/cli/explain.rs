//! `watchfire explain`: what a check looks for, why, and how to silence it.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::{Error, output};
use crate::check::lint::{catalogue, page};
use crate::text::suggest;

pub(super) fn command() -> Command {
    Command::new("explain")
        .about("Explains a finding of check; lists all of them without an argument")
        .after_help("Examples:\n  watchfire explain\n  watchfire explain W001\n  watchfire explain duplicate-rules")
        .arg(Arg::new("check").value_name("ID").help("The check's id or name"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some(word) = matches.get_one::<String>("check") else {
        for page in catalogue() {
            let row = format!(
                "{:5} {:8} {:24} {}",
                page.id,
                page.severity.as_str(),
                page.name,
                page.summary
            );
            if !output::line(&row) {
                break;
            }
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(page) = page(word) else {
        let known = catalogue().iter().flat_map(|page| [page.id, page.name]);
        let hint = match suggest::closest(word, known) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "watchfire explain lists all of them".to_owned(),
        };
        return Err(Error::new(format!("there is no check {word}")).with_hint(hint));
    };
    output::line(page.text().trim_end());
    Ok(ExitCode::SUCCESS)
}
