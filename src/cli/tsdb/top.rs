//! `watchfire tsdb top`: who uses the memory of a server?

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::{Error, human, output, text};
use crate::cli::amtool::Table;
use crate::cli::query;
use crate::http::params::parse_duration_ms;

/// Clears the terminal and goes to its first line.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) fn command() -> Command {
    Command::new("top")
        .about("Shows who uses the memory of a server: targets that grow, jobs, metrics, labels")
        .long_about(
            "Shows who uses the memory of a server: targets that grow, jobs, metrics, labels. On a terminal the \
             page is drawn again every few seconds until Ctrl-C; with --once, or when the output is no terminal, it \
             is printed once.",
        )
        .after_help(
            "Examples:\n  watchfire tsdb top\n  watchfire tsdb top --once --limit=3 http://watchfire.example:9090",
        )
        .arg(
            Arg::new("server")
                .value_name("URL")
                .default_value("http://localhost:9090")
                .help("The server"),
        )
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("Print the page once"),
        )
        .arg(
            Arg::new("interval")
                .long("interval")
                .value_name("DURATION")
                .default_value("5s")
                .help("How often the page is drawn again"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(clap::value_parser!(u16).range(1..=1000))
                .default_value("10")
                .help("How many entries each list has"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let interval = parse_duration_ms(text(matches, "interval"))
        .map_err(|e| Error::new(e).with_hint("give a duration as 5s or 1m"))?;
    let interval = Duration::from_millis(interval.max(100).unsigned_abs());
    let limit = matches.get_one::<u16>("limit").copied().unwrap_or(10);
    let once = matches.get_flag("once") || !std::io::stdout().is_terminal();
    loop {
        let page = page(matches, limit)?;
        let clear = if once { "" } else { CLEAR };
        if !output::raw(format!("{clear}{page}").as_bytes()) || once {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(interval);
    }
}

fn page(matches: &ArgMatches, limit: u16) -> Result<String, Error> {
    let ask = |path: &str| query::get(matches, &format!("{path}?limit={limit}"));
    let memory = ask("/api/watchfire/v1/status/memory")?;
    let labels = ask("/api/v1/status/tsdb")?;
    let mut out = summary(&memory);
    put_table(
        &mut out,
        &memory["growth"],
        [
            "NEW SERIES (10M)",
            "REFUSED",
            "JOB",
            "INSTANCE",
            "MOST OF METRIC",
            "MOST OF LABEL",
        ],
        |growth| {
            [
                count(&growth["newSeries"]),
                count(&growth["refusedSeries"]),
                word(&growth["job"]),
                word(&growth["instance"]),
                word(&growth["metric"]),
                word(&growth["label"]),
            ]
        },
    );
    put_table(
        &mut out,
        &memory["jobs"],
        ["SERIES", "SAMPLES IN MEMORY", "JOB"],
        |job| {
            [
                count(&job["series"]),
                size(&job["sampleBytes"]),
                word(&job["job"]),
            ]
        },
    );
    for (list, titles) in [
        ("seriesCountByMetricName", ["SERIES", "METRIC"]),
        ("labelValueCountByLabelName", ["VALUES", "LABEL"]),
        ("seriesCountByLabelValuePair", ["SERIES", "LABEL PAIR"]),
    ] {
        put_table(&mut out, &labels[list], titles, |entry| {
            [count(&entry["value"]), word(&entry["name"])]
        });
    }
    Ok(out)
}

fn summary(memory: &Value) -> String {
    let number = |name: &str| memory[name].as_u64().unwrap_or(0);
    let (used, limit) = (number("usedBytes"), number("limitBytes"));
    let of = match (used * 100).checked_div(limit) {
        Some(percent) => format!("of {} ({percent} %)", human::rounded(limit)),
        None => "without limit".to_owned(),
    };
    format!(
        "memory  {} {of}, sheds {}\nseries  {}, {} refused; samples in memory {}, blocks {}\n",
        human::rounded(used),
        memory["sheds"].as_str().unwrap_or("nothing"),
        human::grouped(number("series")),
        human::grouped(number("refusedSeries")),
        human::rounded(number("sampleBytes")),
        human::rounded(number("blockBytes")),
    )
}

/// Appends a list with titles; nothing when the list is empty.
fn put_table<const N: usize>(
    out: &mut String,
    list: &Value,
    titles: [&str; N],
    row: impl Fn(&Value) -> [String; N],
) {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    if list.is_empty() {
        return;
    }
    let mut table = Table::default();
    table.row(titles);
    for entry in list {
        table.row(row(entry));
    }
    out.push('\n');
    for line in table.to_text().lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn count(value: &Value) -> String {
    human::grouped(value.as_u64().unwrap_or(0))
}

fn size(value: &Value) -> String {
    human::rounded(value.as_u64().unwrap_or(0))
}

/// A name of somebody else's making: control characters must not reach the terminal.
fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
