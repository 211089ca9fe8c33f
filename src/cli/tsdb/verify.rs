//! `watchfire tsdb verify`: is every byte of a data folder as it was written?

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::{Error, describe, disk, failed, folder, human, output};
use crate::tsdb::{self, Verified};

pub(super) fn command() -> Command {
    Command::new("verify")
        .about("Reads every block, label and record of a data folder and checks every checksum")
        .long_about(
            "Reads every block, label and record of a data folder and checks every checksum. Each damage is told \
             with its file and offset, and the exit code is 1. A torn end of the log is no damage: nobody was told \
             that it was written.",
        )
        .after_help(
            "Examples:\n  watchfire tsdb verify\n  watchfire tsdb verify data/snapshots/20261121T151116Z-5f4c6fc3703f1d69",
        )
        .arg(folder())
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let disk = disk(matches)?;
    let verified = tsdb::verify(&disk).map_err(|e| failed(matches, &e))?;
    let Verified {
        blocks,
        pages,
        catalog_files,
        records,
        torn_bytes,
        bytes,
        damages,
    } = &verified;
    for damage in damages {
        output::line(&describe(damage));
    }
    let count = |n: u64, one: &str, many: &str| {
        format!("{} {}", human::grouped(n), if n == 1 { one } else { many })
    };
    let read = format!(
        "{}, {}, {}, {}, {}",
        count(*blocks as u64, "block", "blocks"),
        count(*pages, "page", "pages"),
        count(*catalog_files as u64, "catalog file", "catalog files"),
        count(*records, "record of the log", "records of the log"),
        human::rounded(*bytes),
    );
    if *torn_bytes > 0 {
        let torn = count(*torn_bytes, "byte", "bytes");
        output::line(&format!("the log ends in {torn} of an unfinished record"));
    }
    if damages.is_empty() {
        output::line(&format!("{read}: no damage"));
        return Ok(ExitCode::SUCCESS);
    }
    let found = count(damages.len() as u64, "damage", "damages");
    Err(Error::new(format!("{read}: {found}")).with_hint(
        "the server goes on without what is damaged and keeps such files in tsdb/quarantine; a snapshot of before has the rest",
    ))
}
