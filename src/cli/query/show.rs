//! Answers as tables, CSV and text.

use std::collections::BTreeSet;

use comfy_table::{Table, presets};

use super::answer::{Answer, LabelSet};
use crate::model::METRIC_NAME;
use crate::model::labels::is_legacy_name;
use crate::text::quote::quote;
use crate::time::WallTime;

/// One column per label, then time (for ranges) and value.
pub(super) fn table(answer: &Answer) -> String {
    let (header, rows) = rows(answer);
    draw(header, rows)
}

pub(super) fn table_sets(sets: &[LabelSet]) -> String {
    let names = names(sets.iter());
    let rows = sets.iter().map(|set| cells(set, &names)).collect();
    draw(names, rows)
}

fn draw(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "(nothing)".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    let lines = table.to_string();
    lines
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn csv(answer: &Answer) -> String {
    let (header, rows) = rows(answer);
    csv_text(&header, &rows)
}

pub(super) fn csv_sets(sets: &[LabelSet]) -> String {
    let names = names(sets.iter());
    let rows: Vec<_> = sets.iter().map(|set| cells(set, &names)).collect();
    csv_text(&names, &rows)
}

fn csv_text(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &Vec<String>| {
        let quoted = cells.iter().map(|cell| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        });
        quoted.collect::<Vec<_>>().join(",")
    };
    lines([header.to_vec()].iter().chain(rows).map(line))
}

/// As promtool writes it: `up{job="a"} => 1 @[1700000000]`.
pub(super) fn promql(answer: &Answer) -> String {
    lines(answer.series.iter().map(|series| {
        let metric = metric(&series.labels);
        match series.points.as_slice() {
            [(t, v)] => format!("{metric} => {v} @[{t}]"),
            points => {
                let points = points.iter().map(|(t, v)| format!("{v} @[{t}]"));
                format!("{metric} =>\n{}", lines(points))
            }
        }
    }))
}

/// `name{label="value"}`.
pub(super) fn metric(labels: &LabelSet) -> String {
    let name = labels.get(METRIC_NAME).map_or("", String::as_str);
    let others: Vec<String> = labels
        .iter()
        .filter(|(n, _)| *n != METRIC_NAME)
        .map(|(n, v)| {
            let n = if is_legacy_name(n) {
                n.clone()
            } else {
                quote(n)
            };
            format!("{n}={}", quote(v))
        })
        .collect();
    match (name.is_empty(), others.is_empty()) {
        (false, true) => name.to_owned(),
        _ => format!("{name}{{{}}}", others.join(", ")),
    }
}

pub(super) fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn names<'a>(sets: impl Iterator<Item = &'a LabelSet>) -> Vec<String> {
    let names: BTreeSet<&String> = sets.flat_map(LabelSet::keys).collect();
    names.into_iter().cloned().collect()
}

fn cells(set: &LabelSet, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| set.get(name).cloned().unwrap_or_default())
        .collect()
}

fn rows(answer: &Answer) -> (Vec<String>, Vec<Vec<String>>) {
    let names = names(answer.series.iter().map(|s| &s.labels));
    let is_range = answer.series.iter().any(|s| s.points.len() > 1);
    let mut header = names.clone();
    if is_range {
        header.push("time".to_owned());
    }
    header.push("value".to_owned());
    let mut rows = Vec::new();
    for series in &answer.series {
        for (t, v) in &series.points {
            let mut row = cells(&series.labels, &names);
            if is_range {
                row.push(WallTime::from_ms((t * 1000.0).round() as i64).to_string());
            }
            row.push(v.clone());
            rows.push(row);
        }
    }
    (header, rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Answer {
        Answer::read(&json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "up", "job": "a,b"}, "value": [4, "1"]},
            {"metric": {"job": "c"}, "value": [4, "0"]},
        ]}))
        .expect("a query result")
    }

    #[test]
    fn csv_quotes_what_would_break_it() {
        assert_eq!(csv(&answer()), "__name__,job,value\nup,\"a,b\",1\n,c,0");
    }

    #[test]
    fn promql_text_is_promtools() {
        assert_eq!(
            promql(&answer()),
            "up{job=\"a,b\"} => 1 @[4]\n{job=\"c\"} => 0 @[4]"
        );
    }

    #[test]
    fn tables_have_a_column_per_label() {
        let shown = table(&answer());
        assert!(shown.starts_with(" __name__  job  value"), "{shown}");
    }
}
