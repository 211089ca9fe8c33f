//! From text to commands.

use std::collections::BTreeMap;

use super::Command;
use super::expect::{Eval, Expected, Text};
use super::load::{Load, Written};
use super::number::{parse_number, word};
use super::start_times::parse_start_times;
use crate::model::Labels;
use crate::model::histogram::CounterResetHint;
use crate::promql::notation::{SequenceValue, parse_series_line};
use crate::promql::parser::{ParseOptions, parse as parse_query};
use crate::text::duration::parse_ms;
use crate::text::quote::{quote, unquote};
use crate::text::regex::Regex;

/// Lines with a place to read from. Comments are empty lines.
struct Lines<'t> {
    lines: Vec<&'t str>,
    next: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let lines = text
            .split('\n')
            .map(str::trim)
            .map(|line| if line.starts_with('#') { "" } else { line })
            .collect();
        Self { lines, next: 0 }
    }

    /// The next line and its number from 1.
    fn take(&mut self) -> Option<(&'t str, usize)> {
        let line = self.lines.get(self.next)?;
        self.next += 1;
        Some((line, self.next))
    }

    /// The next line of a block; `None` at its end.
    fn take_in_block(&mut self) -> Option<(&'t str, usize)> {
        if self.lines.get(self.next).is_none_or(|line| line.is_empty()) {
            return None;
        }
        self.take()
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let mut lines = Lines::of(text);
    let mut commands = Vec::new();
    while let Some((line, number)) = lines.take() {
        if line.is_empty() {
            continue;
        }
        let name = word(line).0.to_lowercase();
        commands.push(if name == "clear" {
            Command::Clear
        } else if name.starts_with("load") {
            Command::Load(parse_load(line, number, &mut lines)?)
        } else if name.starts_with("eval") {
            Command::Eval(Box::new(parse_eval(line, number, &mut lines)?))
        } else {
            return Err(raise(number, format!("invalid command {}", quote(line))));
        });
    }
    Ok(commands)
}

fn raise(line: usize, why: impl AsRef<str>) -> String {
    format!("{line}:1: parse error: {}", why.as_ref())
}

fn series(line: &str, number: usize) -> Result<(Labels, Vec<Written>), String> {
    let (labels, values) = parse_series_line(line).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        format!("line {number}: {}", texts.join("; "))
    })?;
    let says_unknown = line.contains("counter_reset_hint:unknown");
    let values = values
        .into_iter()
        .map(|value| match value {
            SequenceValue::Omitted => Written::Omitted,
            SequenceValue::Float(v) => Written::Float(v),
            SequenceValue::Histogram(h) => {
                let has_hint = says_unknown || h.counter_reset_hint != CounterResetHint::Unknown;
                Written::Histogram(h, has_hint)
            }
        })
        .collect();
    Ok((labels, values))
}

fn parse_load(line: &str, number: usize, lines: &mut Lines<'_>) -> Result<Load, String> {
    let (name, step) = word(line);
    let with_nhcb = match name {
        "load" => false,
        "load_with_nhcb" => true,
        _ => {
            return Err(raise(
                number,
                "invalid load command. (load[_with_nhcb] <step:duration>)",
            ));
        }
    };
    let gap_ms = parse_ms(step).map_err(|error| {
        raise(
            number,
            format!("invalid step definition {}: {error}", quote(step)),
        )
    })?;
    let mut load = Load::new(gap_ms, with_nhcb);
    let mut pending = None;
    while let Some((line, number)) = lines.take_in_block() {
        let (first, rest) = word(line);
        if let Some(metric) = first.strip_suffix("@st")
            && !rest.is_empty()
        {
            if let Some((_, _, number)) = pending {
                return Err(raise(number, "@st line has no following sample line"));
            }
            let starts = parse_start_times(rest)
                .map_err(|why| raise(number, format!("invalid @st sequence: {why}")))?;
            if metric.is_empty() {
                load.default_starts = starts;
            } else {
                let (labels, _) = series(&format!("{metric} _"), number)?;
                pending = Some((labels, starts, number));
            }
            continue;
        }
        let (labels, values) = series(line, number)?;
        let mut starts = Vec::new();
        if let Some((of, found, number)) = pending.take() {
            if of != labels {
                return Err(raise(
                    number,
                    "@st metric does not match the following sample line metric",
                ));
            }
            if found.len() != values.len() {
                return Err(raise(
                    number,
                    format!(
                        "@st line has {} values but sample line has {}",
                        found.len(),
                        values.len()
                    ),
                ));
            }
            starts = found;
        }
        load.set(labels, &values, &starts);
    }
    match pending {
        Some((_, _, number)) => Err(raise(number, "@st line has no following sample line")),
        None => Ok(load),
    }
}

/// The parts of an `eval` line.
struct Head<'t> {
    modifier: &'t str,
    expr: &'t str,
    /// The time, or start, end and step.
    times: Vec<&'t str>,
}

fn parse_head(line: &str) -> Option<Head<'_>> {
    let (name, rest) = word(line);
    let modifier = match name.strip_prefix("eval")? {
        "" => "",
        modifier => modifier.strip_prefix('_')?,
    };
    let (kind, rest) = word(rest);
    let after = |rest, expected: &str| {
        let (found, rest) = word(rest);
        if found != expected {
            return None;
        }
        let (time, rest) = word(rest);
        (!time.is_empty() && !rest.is_empty()).then_some((time, rest))
    };
    match (kind, modifier) {
        ("instant", "" | "fail" | "warn" | "ordered" | "info") => {
            let (time, expr) = after(rest, "at")?;
            Some(Head {
                modifier,
                expr,
                times: vec![time],
            })
        }
        ("range", "" | "fail" | "warn" | "info") => {
            let (from, rest) = after(rest, "from")?;
            let (to, rest) = after(rest, "to")?;
            let (step, expr) = after(rest, "step")?;
            Some(Head {
                modifier,
                expr,
                times: vec![from, to, step],
            })
        }
        _ => None,
    }
}

/// Start, end and step in milliseconds.
fn parse_range(from: &str, to: &str, step: &str) -> Result<(i64, i64, i64), String> {
    let invalid = |what: &str, text: &str| {
        parse_ms(text).map_err(|error| format!("invalid {what} {}: {error}", quote(text)))
    };
    let from_ms = invalid("start timestamp definition", from)?;
    let to_ms = invalid("end timestamp definition", to)?;
    if to_ms < from_ms {
        return Err(format!(
            "invalid test definition, end timestamp ({to}) is before start timestamp ({from})"
        ));
    }
    Ok((from_ms, to_ms, invalid("step definition", step)?))
}

fn parse_eval(line: &str, number: usize, lines: &mut Lines<'_>) -> Result<Eval, String> {
    let Some(head) = parse_head(line) else {
        return Err(raise(
            number,
            "invalid evaluation command. Must be either 'eval[_fail|_warn|_ordered] instant [at <offset:duration>] <query>' or 'eval[_fail|_warn] range from <from> to <to> step <step> <query>'",
        ));
    };
    if let Err(errors) = parse_query(head.expr, &ParseOptions::all()) {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(format!("line {number}: {}", texts.join("; ")));
    }
    let in_eval =
        |number: usize, why: String| format!("error in eval {} (line {number}): {why}", head.expr);
    let (is_range, (start_ms, end_ms, step_ms)) = match head.times.as_slice() {
        [from, to, step] => (
            true,
            parse_range(from, to, step).map_err(|why| in_eval(number, why))?,
        ),
        times => {
            let time = times.first().copied().unwrap_or_default();
            let t = parse_ms(time).map_err(|error| {
                in_eval(
                    number,
                    format!("invalid timestamp definition {}: {error}", quote(time)),
                )
            })?;
            (false, (t, t, 0))
        }
    };
    let mut eval = Eval {
        expr: head.expr.to_owned(),
        line: number,
        is_range,
        start_ms,
        end_ms,
        step_ms,
        at_ms: start_ms,
        fail: head.modifier == "fail",
        warn: head.modifier == "warn",
        info: head.modifier == "info",
        ordered: head.modifier == "ordered",
        fail_message: None,
        fail_pattern: None,
        expected_fail: Vec::new(),
        expected_warn: Vec::new(),
        expected_info: Vec::new(),
        no_warn: false,
        no_info: false,
        scalar: None,
        text: String::new(),
        series: BTreeMap::new(),
        not_as_range: false,
    };
    let mut position = 0;
    while let Some((line, number)) = lines.take_in_block() {
        position += 1;
        match parse_expectation(line, &mut eval).map_err(|why| in_eval(number, why))? {
            Line::Last => break,
            Line::Setting => {}
            // These lines do not count as positions.
            Line::Expectation => position -= 1,
            Line::Series => {
                let (labels, values) = series(line, number)?;
                if values.len() > 1 && !is_range && !eval.not_as_range {
                    return Err(in_eval(
                        number,
                        "expecting multiple values in instant evaluation not allowed. consider using 'expect range vector' directive to enable a range vector result for an instant query".to_owned(),
                    ));
                }
                eval.scalar = None;
                eval.series.insert(labels, Expected { position, values });
            }
        }
    }
    Ok(eval)
}

/// What a line below `eval` was.
enum Line {
    /// It ends the block.
    Last,
    /// It says how to compare.
    Setting,
    /// It expects an error or annotation.
    Expectation,
    /// None of these, so it expects a series.
    Series,
}

fn parse_expectation(line: &str, eval: &mut Eval) -> Result<Line, String> {
    if eval.fail
        && let Some(message) = line.strip_prefix("expected_fail_message")
    {
        eval.fail_message = Some(message.trim().to_owned());
        return Ok(Line::Last);
    }
    if eval.fail
        && let Some(pattern) = line.strip_prefix("expected_fail_regexp")
    {
        let pattern = pattern.trim();
        let regex = Regex::unanchored(pattern).map_err(|error| {
            format!("invalid regexp '{pattern}' for expected_fail_regexp: {error}")
        })?;
        eval.fail_pattern = Some(regex);
        return Ok(Line::Last);
    }
    if line.starts_with("expect range vector") {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            "expect",
            "range",
            "vector",
            "from",
            from,
            "to",
            to,
            "step",
            step,
        ] = words[..]
        else {
            return Err(format!("invalid range vector definition {}", quote(line)));
        };
        (eval.start_ms, eval.end_ms, eval.step_ms) = parse_range(from, to, step)?;
        eval.at_ms = eval.end_ms;
        eval.not_as_range = true;
        return Ok(Line::Setting);
    }
    if let Some(text) = line.strip_prefix("expect string") {
        let text = text.strip_prefix(' ').unwrap_or(text);
        if text.is_empty() {
            return Err(
                "expected string literal not valid - a quoted string literal is required"
                    .to_owned(),
            );
        }
        eval.text = unquote(text).ok_or(
            "expected string literal not valid - check that the string is correctly quoted",
        )?;
        eval.not_as_range = true;
        return Ok(Line::Setting);
    }
    if line.split(' ').next() == Some("expect") {
        parse_expect(line, eval)?;
        return Ok(Line::Expectation);
    }
    if let Some(number) = parse_number(line) {
        eval.scalar = Some(number);
        return Ok(Line::Last);
    }
    Ok(Line::Series)
}

fn parse_expect(line: &str, eval: &mut Eval) -> Result<(), String> {
    const INVALID: &str =
        "invalid expect statement, must match `expect <type> <match_type>: <string>` format";
    let (_, rest) = word(line);
    let (kind, rest) = word(rest);
    let text = if rest.is_empty() {
        Text::Any
    } else if let Some(message) = rest.strip_prefix("msg:") {
        Text::Exactly(message.trim().to_owned())
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        let pattern = pattern.trim();
        Text::Matching(
            Regex::unanchored(pattern)
                .map_err(|_| format!("invalid regex {pattern} for {kind}"))?,
        )
    } else {
        return Err(INVALID.to_owned());
    };
    match kind {
        "ordered" => eval.ordered = true,
        "fail" => eval.expected_fail.push(text),
        "warn" => eval.expected_warn.push(text),
        "info" => eval.expected_info.push(text),
        "no_warn" => eval.no_warn = true,
        "no_info" => eval.no_info = true,
        _ => return Err(INVALID.to_owned()),
    }
    let together = |kind: &str| {
        Err(format!(
            "invalid expect lines, {kind} and no_{kind} cannot be used together"
        ))
    };
    if eval.no_info && !eval.expected_info.is_empty() {
        return together("info");
    }
    if eval.no_warn && !eval.expected_warn.is_empty() {
        return together("warn");
    }
    if eval.expected_fail.len() > 1 {
        return Err("invalid expect lines, multiple expect fail lines are not allowed".to_owned());
    }
    Ok(())
}
