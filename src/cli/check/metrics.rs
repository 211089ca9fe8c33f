//! `check metrics`.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::Error;
use super::format::{Format, human};
use super::outcome::{Checked, Outcome};
use crate::check;

/// What a page with lints ends with, as promtool.
const LINT_EXIT: u8 = 3;

pub(super) fn command() -> Command {
    Command::new("metrics")
        .about("Lints the metrics page on standard input")
        .after_help("Example:\n  curl -s http://localhost:9100/metrics | watchfire check metrics")
        .arg(
            Arg::new("lint")
                .long("lint")
                .value_name("LINT")
                .value_parser(["all", "none"])
                .default_value("all")
                .help("Which lints to apply"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let mut page = Vec::new();
    std::io::stdin()
        .read_to_end(&mut page)
        .map_err(|error| Error::new(format!("open -: {error}")))?;
    let mut report = check::metrics(&page)
        .map_err(|error| Error::new(format!("error while linting: {error}")))?;
    let lint = matches
        .get_one::<String>("lint")
        .is_none_or(|lint| lint == "all");
    if !lint {
        report.problems.clear();
    }
    let format = Format::of(matches);
    if format != Format::Human {
        let checked = Checked {
            name: "-".to_owned(),
            findings: report.findings("-"),
            ..Checked::default()
        };
        format.show(&Outcome {
            checked: vec![checked],
            ..Outcome::default()
        });
    }
    if !report.problems.is_empty() {
        if format == Format::Human {
            for (metric, text) in &report.problems {
                human::plain(&format!("{metric} {text}"));
            }
        }
        return Ok(ExitCode::from(LINT_EXIT));
    }
    if matches.get_flag("extended") && format == Format::Human {
        human::cardinality(&report.cardinality);
    }
    Ok(ExitCode::SUCCESS)
}
