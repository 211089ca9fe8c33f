//! `watchfire tsdb`: looks into data folders, as `promtool tsdb` does, and shows who uses the memory of a server.

mod analyze;
mod dump;
mod human;
mod list;
mod top;
mod verify;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};

use super::{Error, output};
use crate::disk::Disk;
use crate::disk::os::OsDisk;
use crate::model::Matcher;
use crate::promql::parser::parse_metric_selector;
use crate::tsdb::{self, Damage, ReadOnly};

/// Where the daemon keeps samples unless it is told otherwise.
const DEFAULT_FOLDER: &str = "data/";

pub(super) fn command() -> Command {
    Command::new("tsdb")
        .about("Looks into data folders: blocks, labels, samples, damage; shows who uses the memory of a server")
        .long_about(
            "Looks into data folders: blocks, labels, samples, damage; shows who uses the memory of a server.\n\n\
             Nothing is changed and no lock is taken, so every verb may run beside the server that writes the folder; \
             it then sees what was visible when it began. Exit code 0; 1 when something is damaged or could not be \
             done; 2 for a wrong command line.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Examples:\n  watchfire tsdb list data/\n  watchfire tsdb top --once")
        .subcommand(analyze::command())
        .subcommand(list::command())
        .subcommand(dump::command())
        .subcommand(dump::openmetrics_command())
        .subcommand(verify::command())
        .subcommand(top::command())
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Error::new("no verb given"));
    };
    match name {
        "analyze" => analyze::run(matches),
        "list" => list::run(matches),
        "dump" => dump::run(matches),
        "dump-openmetrics" => dump::run_openmetrics(matches),
        "verify" => verify::run(matches),
        _ => top::run(matches),
    }
}

/// The argument for the data folder.
fn folder() -> Arg {
    Arg::new("folder")
        .value_name("FOLDER")
        .default_value(DEFAULT_FOLDER)
        .help("The data folder: --storage.tsdb.path of the server, or a snapshot in it")
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// The data folder, to be read only.
fn disk(matches: &ArgMatches) -> Result<Arc<dyn Disk>, Error> {
    let folder = text(matches, "folder");
    let disk = OsDisk::read_only(folder).map_err(|e| {
        Error::new(e.to_string()).with_hint("name the folder that --storage.tsdb.path names")
    })?;
    Ok(Arc::new(disk))
}

/// Opens the data folder and tells of damage.
fn store(matches: &ArgMatches) -> Result<ReadOnly, Error> {
    let disk = disk(matches)?;
    let store = ReadOnly::open(&disk).map_err(|e| failed(matches, &e))?;
    for damage in &store.recovery().damages {
        output::warn(&describe(damage));
    }
    Ok(store)
}

fn describe(damage: &Damage) -> String {
    let Damage {
        path,
        offset,
        reason,
    } = damage;
    format!("{path}: offset {offset}: {reason}")
}

/// What the store said, and what helps.
fn failed(matches: &ArgMatches, error: &tsdb::Error) -> Error {
    let folder = Path::new(text(matches, "folder"));
    let hint = match error {
        tsdb::Error::NoStore { .. } if is_prometheus(folder) => {
            "this is a data folder of Prometheus: promtool tsdb reads it"
        }
        tsdb::Error::NoStore { .. } => {
            "name the folder that --storage.tsdb.path names; it has a folder tsdb in it"
        }
        tsdb::Error::NewerFormat { .. } => "use the watchfire that wrote it, or a newer one",
        _ => "",
    };
    Error::new(format!("{}: {error}", folder.display())).with_hint(hint)
}

/// Whether a folder looks as one of Prometheus: blocks that are named by ULIDs, or its log.
fn is_prometheus(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        path.join("meta.json").is_file() || entry.file_name() == "chunks_head"
    })
}

/// Selectors of the flag `--match`; a selector may be given more than once.
fn selectors(matches: &ArgMatches) -> Result<Vec<Vec<Matcher>>, Error> {
    let given = matches.get_many::<String>("match").into_iter().flatten();
    given
        .map(|text| {
            parse_metric_selector(text).map_err(|errors| {
                let why = errors.first().map_or_else(String::new, ToString::to_string);
                Error::new(format!("{text:?} is no series selector: {why}"))
                    .with_hint("write for example --match='{job=\"node\"}'")
            })
        })
        .collect()
}
