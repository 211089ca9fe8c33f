//! `watchfire tsdb dump` and `dump-openmetrics`: all samples of a data folder as text.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, folder, output, selectors, store, text};
use crate::http::json::push_labels;
use crate::model::{Labels, METRIC_NAME, Matcher, Sample, SampleValue};
use crate::storage::{self, Querier, SelectHints};
use crate::text::gofmt::float_g;
use crate::time::WallTime;

pub(super) fn command() -> Command {
    let command = Command::new("dump")
        .about("Prints samples, one a line: series, value, milliseconds")
        .after_help(
            "Examples:\n  watchfire tsdb dump --match='up{job=\"node\"}'\n  watchfire tsdb dump --min-time=2026-11-21T06:00:00Z --format=seriesjson data/",
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["prom", "seriesjson"]))
                .default_value("prom")
                .help("Samples, or the labels of each series as JSON"),
        );
    arguments(command)
}

pub(super) fn openmetrics_command() -> Command {
    let command = Command::new("dump-openmetrics")
        .about(
            "Prints samples as OpenMetrics text, without native histograms and staleness markers",
        )
        .after_help(
            "Example:\n  watchfire tsdb dump-openmetrics --match='{job=\"node\"}' data/ > node.om",
        );
    arguments(command)
}

fn arguments(command: Command) -> Command {
    let time = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("TIME")
            .allow_hyphen_values(true)
            .help(help)
    };
    command
        .arg(time(
            "min-time",
            "Nothing before this time: milliseconds since the epoch, or RFC 3339",
        ))
        .arg(time(
            "max-time",
            "Nothing after this time: milliseconds since the epoch, or RFC 3339",
        ))
        .arg(
            Arg::new("match")
                .long("match")
                .value_name("SELECTOR")
                .action(ArgAction::Append)
                .help("Matching series only; may be given more than once"),
        )
        .arg(
            Arg::new("sandbox-dir-root")
                .long("sandbox-dir-root")
                .value_name("FOLDER")
                .help("Known to promtool; has no effect, since nothing is written"),
        )
        .arg(folder())
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    if text(matches, "format") == "seriesjson" {
        return dump(matches, |out, labels, samples| {
            let mut line = String::new();
            push_labels(&mut line, labels);
            // A series without a sample in range is none.
            if samples.next().is_some() {
                writeln!(out, "{line}")?;
            }
            Ok(())
        });
    }
    dump(matches, |out, labels, samples| {
        for sample in samples {
            let value = match &sample.value {
                SampleValue::Float(v) => float_g(*v),
                SampleValue::Histogram(h) => h.to_float().to_string(),
                SampleValue::FloatHistogram(h) => h.to_string(),
            };
            writeln!(out, "{labels} {value} {}", sample.timestamp_ms)?;
        }
        Ok(())
    })
}

pub(super) fn run_openmetrics(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let code = dump(matches, |out, labels, samples| {
        let name = labels.get(METRIC_NAME).unwrap_or_default();
        let rest: Vec<String> = labels
            .iter()
            .filter(|(name, _)| *name != METRIC_NAME)
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        let rest = if rest.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", rest.join(","))
        };
        for sample in samples.filter(|sample| !sample.value.is_stale()) {
            if let SampleValue::Float(v) = sample.value {
                let seconds = sample.timestamp_ms as f64 / 1000.0;
                writeln!(out, "{name}{rest} {} {seconds:.3}", float_g(v))?;
            }
        }
        Ok(())
    })?;
    output::line("# EOF");
    Ok(code)
}

/// compat: escapes of the text format, which are fewer than Go's.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

type Samples<'a> = &'a mut dyn Iterator<Item = Sample>;

/// Hands every selected series to `write`, once, sorted by labels.
fn dump(
    matches: &ArgMatches,
    mut write: impl FnMut(&mut dyn Write, &Labels, Samples<'_>) -> io::Result<()>,
) -> Result<ExitCode, Error> {
    let (min_ms, max_ms) = (
        time_ms(matches, "min-time")?.unwrap_or(i64::MIN),
        time_ms(matches, "max-time")?.unwrap_or(i64::MAX),
    );
    let mut sets = selectors(matches)?;
    if sets.is_empty() {
        sets.push(Vec::new());
    }
    let store = store(matches)?;
    let mut damaged = !store.recovery().damages.is_empty();
    let failed = |e: storage::Error| Error::new(e.to_string());
    let querier = store.querier(min_ms, max_ms).map_err(failed)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut seen: BTreeSet<Labels> = BTreeSet::new();
    let once = sets.len() == 1;
    for matchers in &sets {
        let written = each_series(&*querier, matchers, (min_ms, max_ms), |labels, samples| {
            if once || seen.insert(labels.clone()) {
                write(&mut out, labels, samples)?;
            }
            Ok(())
        });
        match written.map_err(failed)? {
            Written::All => {}
            Written::Damaged => damaged = true,
            // Nobody reads any more.
            Written::Closed => return Ok(ExitCode::from(u8::from(damaged))),
        }
    }
    let _ = out.flush();
    Ok(ExitCode::from(u8::from(damaged)))
}

enum Written {
    All,
    /// Some samples could not be read, which was told.
    Damaged,
    /// The output is closed.
    Closed,
}

fn each_series(
    querier: &dyn Querier,
    matchers: &[Matcher],
    (min_ms, max_ms): (i64, i64),
    mut write: impl FnMut(&Labels, Samples<'_>) -> io::Result<()>,
) -> Result<Written, storage::Error> {
    let hints = SelectHints {
        min_ms,
        max_ms,
        step_ms: 0,
        function: String::new(),
        limit: 0,
        sorted: true,
    };
    let mut damaged = false;
    for entry in querier.select(&hints, matchers)? {
        let entry = entry?;
        let mut failure = None;
        let mut samples = entry
            .samples
            .map_while(|sample| sample.map_err(|e| failure = Some(e)).ok());
        if write(&entry.labels, &mut samples).is_err() {
            return Ok(Written::Closed);
        }
        drop(samples);
        if let Some(failure) = failure {
            damaged = true;
            output::warn(&format!("{}: samples are missing: {failure}", entry.labels));
        }
    }
    Ok(if damaged {
        Written::Damaged
    } else {
        Written::All
    })
}

fn time_ms(matches: &ArgMatches, name: &str) -> Result<Option<i64>, Error> {
    let given = text(matches, name);
    if given.is_empty() {
        return Ok(None);
    }
    let ms = given.parse().ok();
    ms.or_else(|| WallTime::parse_rfc3339(given).map(WallTime::as_ms))
        .map(Some)
        .ok_or_else(|| {
            Error::new(format!("--{name}: {given:?} is no time"))
                .with_hint("give milliseconds since the epoch, or RFC 3339 (2026-11-21T06:00:00Z)")
        })
}
