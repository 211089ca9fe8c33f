//! What was expected beside what was got: labels aligned, the nearest pairs first.

use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

use crate::check::unit_test::pairing::{Item, Pair, pairs, sides};
use crate::model::{Labels, METRIC_NAME};
use crate::rules::unit_test::{Difference, ValueSeen};
use crate::text::gofmt::float_g;

/// So many pairs of one failure are shown.
const PAIRS_MAX: usize = 20;

/// One line: its sign, a name and a value.
struct Row<'a> {
    sign: char,
    name: &'a str,
    value: String,
}

/// Draws a difference; `only_differences` leaves out what both sides share.
pub(super) fn draw(difference: &Difference, only_differences: bool) -> String {
    let (expected, got, fuzzy) = sides(difference);
    let pairs = pairs(&expected, &got, fuzzy);
    let what = match difference {
        Difference::Alerts { .. } => "alert",
        Difference::Samples { .. } => "sample",
    };
    let same = pairs.iter().filter(|pair| matches!(pair, Pair::Same(..)));
    let mut out = match (same.count(), expected.len()) {
        (_, 0) => format!("    no {what} expected\n"),
        (0, 1) => String::new(),
        (same, all) => format!("    {same} of {all} {what}s as expected\n"),
    };
    let differing: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| !matches!(pair, Pair::Same(..)))
        .collect();
    for pair in differing.iter().take(PAIRS_MAX) {
        let (title, rows) = match pair {
            Pair::Changed(a, b) => (
                format!("expected {}, got {}", sign("-"), sign("+")),
                changed(&expected[*a], &got[*b], fuzzy, only_differences),
            ),
            Pair::Missing(a) => (
                format!("{} expected, not got", sign("-")),
                alone(&expected[*a], '-'),
            ),
            Pair::Unexpected(b) => (
                format!("{} got, not expected", sign("+")),
                alone(&got[*b], '+'),
            ),
            Pair::Same(..) => continue,
        };
        let _ = write!(out, "    {title}\n{}", table(&rows));
    }
    if let Some(more) = differing.len().checked_sub(PAIRS_MAX + 1) {
        let _ = writeln!(out, "    and {} more", more + 1);
    }
    out
}

fn colour(sign: char) -> Style {
    match sign {
        '-' => Style::new().fg_color(Some(AnsiColor::Red.into())),
        '+' => Style::new().fg_color(Some(AnsiColor::Green.into())),
        _ => Style::new(),
    }
}

fn sign(sign: &str) -> String {
    let style = colour(sign.chars().next().unwrap_or(' '));
    format!("{style}{sign}{style:#}")
}

fn table(rows: &[Row<'_>]) -> String {
    let width = rows
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for Row { sign, name, value } in rows {
        let style = colour(*sign);
        // What a control character would do to the terminal is not for a rule to decide.
        let value = value.replace(|c: char| c.is_control(), "\u{fffd}");
        let _ = writeln!(out, "      {style}{sign} {name:width$}  {value}{style:#}");
    }
    out
}

fn changed<'a>(a: &'a Item, b: &'a Item, fuzzy: bool, only_differences: bool) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (prefix, before, after) in [
        ("", &a.labels, &b.labels),
        ("annotation", &a.annotations, &b.annotations),
    ] {
        for name in names(before, after) {
            let shown = |value: &str| {
                if prefix.is_empty() {
                    value.to_owned()
                } else {
                    format!("{value}   ({prefix})")
                }
            };
            let mut add = |sign, value: &str| {
                rows.push(Row {
                    sign,
                    name,
                    value: shown(value),
                });
            };
            match (before.get(name), after.get(name)) {
                (Some(a), Some(b)) if a == b => {
                    if !only_differences {
                        add(' ', a);
                    }
                }
                (a, b) => {
                    if let Some(a) = a {
                        add('-', a);
                    }
                    if let Some(b) = b {
                        add('+', b);
                    }
                }
            }
        }
    }
    if let (Some(a), Some(b)) = (&a.value, &b.value) {
        let mut add = |sign, value: String| {
            rows.push(Row {
                sign,
                name: "= value",
                value,
            });
        };
        if a.same(b, fuzzy) {
            if !only_differences {
                add(' ', shown(b));
            }
        } else {
            add('-', shown(a));
            add('+', shown(b));
        }
    }
    rows
}

fn alone(item: &Item, sign: char) -> Vec<Row<'_>> {
    let row = |name, value: String| Row { sign, name, value };
    let labels = item.labels.iter();
    let mut rows: Vec<Row<'_>> = labels.map(|(n, v)| row(n, v.to_owned())).collect();
    let annotations = item.annotations.iter();
    rows.extend(annotations.map(|(n, v)| row(n, format!("{v}   (annotation)"))));
    rows.extend(item.value.iter().map(|value| row("= value", shown(value))));
    rows
}

/// A value as people write it.
fn shown(value: &ValueSeen) -> String {
    match value {
        ValueSeen::Float(v) => float_g(*v),
        ValueSeen::Histogram(text) => text.clone(),
    }
}

/// The names of both, the metric name first.
fn names<'a>(a: &'a Labels, b: &'a Labels) -> Vec<&'a str> {
    let mut names: Vec<&str> = a.iter().chain(b.iter()).map(|(name, _)| name).collect();
    names.sort_by_key(|name| (*name != METRIC_NAME && *name != "alertname", *name));
    names.dedup();
    names
}
