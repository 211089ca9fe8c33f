//! `time.Duration`: its text and its methods.

use super::SECOND;
use crate::template::function::{Function, Type};
use crate::template::value::Value;

/// Go's `Duration.String`: `1h30m0s`, `1.5s`, `100ms`, `0s`.
pub fn format_duration(ns: i64) -> String {
    let magnitude = ns.unsigned_abs();
    let sign = if ns < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let whole = value / unit;
        let rest = value % unit;
        if rest == 0 {
            return whole.to_string();
        }
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    };
    match magnitude {
        0 => "0s".to_owned(),
        1..1000 => format!("{sign}{magnitude}ns"),
        1000..1_000_000 => format!("{sign}{}\u{b5}s", fraction(magnitude, 1000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        _ => {
            let total = magnitude / SECOND.unsigned_abs();
            let (h, m) = (total / 3600, total / 60 % 60);
            let seconds = fraction(
                magnitude % (60 * SECOND.unsigned_abs()),
                SECOND.unsigned_abs(),
            );
            if h > 0 {
                format!("{sign}{h}h{m}m{seconds}s")
            } else if m > 0 {
                format!("{sign}{m}m{seconds}s")
            } else {
                format!("{sign}{seconds}s")
            }
        }
    }
}

/// The methods of a duration.
pub(in crate::template) fn duration_method(ns: i64, name: &str) -> Option<Function<'static>> {
    let value = |value: Value| Some(Function::new(&[], move |_| Ok(value.clone())));
    match name {
        "String" => value(Value::from(format_duration(ns))),
        "Nanoseconds" => value(Value::Int(ns)),
        "Microseconds" => value(Value::Int(ns / 1000)),
        "Milliseconds" => value(Value::Int(ns / 1_000_000)),
        "Seconds" => value(Value::Float(split_unit(ns, SECOND))),
        "Minutes" => value(Value::Float(split_unit(ns, 60 * SECOND))),
        "Hours" => value(Value::Float(split_unit(ns, 3600 * SECOND))),
        "Abs" => value(Value::Duration(ns.saturating_abs())),
        "Truncate" => Some(Function::new(&[Type::DURATION], move |args| {
            let m = args.first().and_then(Value::as_int).unwrap_or(0);
            Ok(Value::Duration(if m <= 0 { ns } else { ns - ns % m }))
        })),
        "Round" => Some(Function::new(&[Type::DURATION], move |args| {
            let m = args.first().and_then(Value::as_int).unwrap_or(0);
            Ok(Value::Duration(round(ns, m)))
        })),
        _ => None,
    }
}

fn split_unit(ns: i64, unit: i64) -> f64 {
    (ns / unit) as f64 + (ns % unit) as f64 / unit as f64
}

/// Rounds half away from zero, saturating.
fn round(ns: i64, m: i64) -> i64 {
    if m <= 0 {
        return ns;
    }
    let rest = ns % m;
    let down = ns - rest;
    if rest.unsigned_abs() * 2 < m.unsigned_abs() {
        down
    } else if ns < 0 {
        down.saturating_sub(m)
    } else {
        down.saturating_add(m)
    }
}
