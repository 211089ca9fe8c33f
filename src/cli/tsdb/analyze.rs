//! `watchfire tsdb analyze`: which labels make the series many, and which come and go?

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Error, folder, human, output, selectors, store, text};
use crate::model::Matcher;
use crate::tsdb::{Analysis, NamedCount, Packing, Scope};

pub(super) fn command() -> Command {
    Command::new("analyze")
        .about("Counts labels: which make the series many, and which come and go")
        .long_about(
            "Counts labels: which make the series many, and which come and go. Looks at everything that a query \
             would show, the log included; with a block's number (see `list`) at that block alone, as promtool does.",
        )
        .after_help(
            "Examples:\n  watchfire tsdb analyze\n  watchfire tsdb analyze --limit=5 --match='{job=\"node\"}' data/ 00000012",
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .default_value("20")
                .help("How many entries each list has"),
        )
        .arg(
            Arg::new("extended")
                .long("extended")
                .action(ArgAction::SetTrue)
                .help("Also show how samples are packed; reads all pages"),
        )
        .arg(
            Arg::new("match")
                .long("match")
                .value_name("SELECTOR")
                .help("Look at matching series only"),
        )
        .arg(folder())
        .arg(
            Arg::new("block")
                .value_name("BLOCK")
                .help("The number of one block"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let limit = matches.get_one::<usize>("limit").copied().unwrap_or(20);
    let matchers = selectors(matches)?.pop().unwrap_or_default();
    let (scope, name) = scope(matches)?;
    let store = store(matches)?;
    let ask = |matchers: &[Matcher]| {
        let found = store.analyze(scope, matchers, limit);
        found
            .map_err(|e| super::failed(matches, &e))?
            .ok_or_else(|| {
                Error::new(format!("there is no block {name}"))
                    .with_hint("`watchfire tsdb list` shows the blocks")
            })
    };
    let found = ask(&matchers)?;
    let total = if matchers.is_empty() {
        found.series
    } else {
        ask(&[])?.series
    };
    let mut out = head(&name, &found, total, &matchers);
    for (title, list) in [
        (
            "Label pairs most involved in churning",
            &found.churn_by_pair,
        ),
        (
            "Label names most involved in churning",
            &found.churn_by_name,
        ),
        ("Most common label pairs", &found.series_by_pair),
        (
            "Label names with highest cumulative label value length",
            &found.bytes_by_name,
        ),
        ("Highest cardinality labels", &found.values_by_name),
        ("Highest cardinality metric names", &found.series_by_metric),
    ] {
        put_list(&mut out, title, list);
    }
    if matches.get_flag("extended") {
        put_packing(&mut out, &store.packing(scope));
    }
    output::raw(out.as_bytes());
    let damaged = !store.recovery().damages.is_empty();
    Ok(ExitCode::from(u8::from(damaged)))
}

fn scope(matches: &ArgMatches) -> Result<(Scope, String), Error> {
    match text(matches, "block") {
        "" => Ok((Scope::All, "all".to_owned())),
        number => match number.parse() {
            Ok(parsed) => Ok((Scope::Block(parsed), format!("{parsed:08}"))),
            Err(_) => Err(Error::new(format!("{number:?} is no number of a block"))
                .with_hint("`watchfire tsdb list` shows the blocks")),
        },
    }
}

fn head(name: &str, found: &Analysis, total: usize, matchers: &[Matcher]) -> String {
    let ms = found.span.map_or(0, |(min, max)| max.abs_diff(min));
    let mut out = format!(
        "Block ID: {name}\nDuration: {}\nTotal Series: {total}\n",
        human::duration(ms)
    );
    if !matchers.is_empty() {
        let matchers: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "Matcher: {{{}}}", matchers.join(","));
    }
    let _ = writeln!(out, "Label names: {}", found.label_names);
    if !matchers.is_empty() {
        let _ = writeln!(out, "Matched series: {}", found.series);
    }
    let _ = write!(
        out,
        "Postings (unique label pairs): {}\nPostings entries (total label pairs): {}\n",
        found.label_pairs, found.entries
    );
    out
}

fn put_list(out: &mut String, title: &str, list: &[NamedCount]) {
    let _ = write!(out, "\n{title}:\n");
    for entry in list.iter().filter(|entry| entry.count > 0) {
        let _ = writeln!(out, "{} {}", entry.count, entry.name);
    }
}

fn put_packing(out: &mut String, packing: &Packing) {
    out.push_str("\nCompaction analysis:\n");
    for (title, numbers) in [
        ("samples per float column", &packing.column_samples),
        ("bytes per float column", &packing.column_bytes),
        ("samples per histogram chunk", &packing.chunk_samples),
        ("bytes per histogram chunk", &packing.chunk_bytes),
    ] {
        put_distribution(out, title, numbers);
    }
}

/// Bars of a distribution.
const BARS: u64 = 10;

/// Least, mean and most, and a bar for each tenth of the range.
fn put_distribution(out: &mut String, title: &str, numbers: &[u64]) {
    let (Some(min), Some(max)) = (numbers.iter().min(), numbers.iter().max()) else {
        let _ = write!(out, "\n{title}: N/A\n");
        return;
    };
    let mean = numbers.iter().sum::<u64>() / numbers.len() as u64;
    let _ = write!(out, "\n{title} (min/avg/max): {min}/{mean}/{max}\n");
    let step = (max / BARS + 1).max(1);
    let mut counts = vec![0u64; BARS as usize];
    for number in numbers {
        let bar = (number.saturating_sub(1) / step).min(BARS - 1);
        if let Some(count) = counts.get_mut(bar as usize) {
            *count += 1;
        }
    }
    let width = max.to_string().len();
    for (bar, count) in (0u64..).zip(counts).filter(|(_, count)| *count > 0) {
        let share = (count * 100 / numbers.len() as u64) as usize;
        let (from, to) = (bar * step + 1, (bar + 1) * step);
        let _ = writeln!(
            out,
            "[{from:>width$}, {to:>width$}]: {count} {}",
            "#".repeat(share)
        );
    }
}
