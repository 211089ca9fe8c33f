//! `watchfire tsdb list`: the blocks of a data folder.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, describe, disk, failed, folder, human, output};
use crate::tsdb::{self, BlockInfo};

/// compat: promtool's least width of a column, and the spaces between two.
const WIDTH_MIN: usize = 13;
const PADDING: usize = 2;

pub(super) fn command() -> Command {
    Command::new("list")
        .about("Lists the blocks of a data folder, the oldest first")
        .long_about(
            "Lists the blocks of a data folder, the oldest first, in the columns of promtool. Samples that are \
             only in memory and in the log are in no block yet.",
        )
        .after_help("Examples:\n  watchfire tsdb list\n  watchfire tsdb list --human-readable /var/lib/watchfire")
        .arg(
            Arg::new("human-readable")
                .short('r')
                .long("human-readable")
                .action(ArgAction::SetTrue)
                .help("Print times as dates, sizes in units"),
        )
        .arg(folder())
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let disk = disk(matches)?;
    let (blocks, damages) = tsdb::blocks(&disk).map_err(|e| failed(matches, &e))?;
    output::raw(table(&blocks, matches.get_flag("human-readable")).as_bytes());
    for damage in &damages {
        output::warn(&describe(damage));
    }
    Ok(ExitCode::from(u8::from(!damages.is_empty())))
}

fn table(blocks: &[BlockInfo], human: bool) -> String {
    let titles = [
        "BLOCK",
        "MIN TIME",
        "MAX TIME",
        "DURATION",
        "NUM SAMPLES",
        "NUM PAGES",
        "NUM SERIES",
        "SIZE",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    for block in blocks {
        let time = |ms: i64| {
            if human {
                human::time(ms)
            } else {
                ms.to_string()
            }
        };
        let size = if human {
            human::bytes(block.bytes)
        } else {
            block.bytes.to_string()
        };
        rows.push([
            format!("{:08}", block.number),
            time(block.min_ms),
            time(block.max_ms),
            human::duration(block.max_ms.abs_diff(block.min_ms)),
            block.samples.to_string(),
            block.pages.to_string(),
            block.series.to_string(),
            size,
        ]);
    }
    let mut widths = [WIDTH_MIN; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len() + PADDING);
        }
    }
    let mut out = String::new();
    for row in &rows {
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            out.push_str(cell);
            if at + 1 < row.len() {
                out.extend(std::iter::repeat_n(' ', width - cell.len()));
            }
        }
        out.push('\n');
    }
    out
}
