//! Numbers as people read them: the functions that rules and notifications share.

use super::gotime::Time;
use super::number::parse_float_or_explain;
use super::printf::float_general;
use super::value::Value;

/// The number in a value: any number, or a text that is one.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(v) => Ok(*v),
        Value::Int(v) => Ok(*v as f64),
        Value::Uint(v) => Ok(*v as f64),
        Value::Duration(ns) => Ok(*ns as f64 / 1e9),
        Value::String(text) => parse_float_or_explain(text),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

/// A number below one as one from one on, as far as there are prefixes.
fn enlarged(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    (v, prefix)
}

fn four(v: f64) -> String {
    float_general(v, 4)
}

/// `humanize`: four digits and a metric prefix.
pub(super) fn humanize(mut v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return four(v);
    }
    let mut prefix = "";
    if v.abs() >= 1.0 {
        for p in LARGE {
            if v.abs() < 1000.0 {
                break;
            }
            prefix = p;
            v /= 1000.0;
        }
    } else {
        (v, prefix) = enlarged(v);
    }
    format!("{}{prefix}", four(v))
}

/// `humanize1024`: four digits and a binary prefix.
pub(super) fn humanize_1024(mut v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return four(v);
    }
    let mut prefix = "";
    for p in BINARY {
        if v.abs() < 1024.0 {
            break;
        }
        prefix = p;
        v /= 1024.0;
    }
    format!("{}{prefix}", four(v))
}

/// `humanizeDuration`: `1d 2h 3m 4s`, or four digits below a minute.
pub(super) fn humanize_duration(mut v: f64) -> String {
    if !v.is_finite() {
        return four(v);
    }
    if v == 0.0 {
        return format!("{}s", four(v));
    }
    if v.abs() >= 1.0 {
        let sign = if v < 0.0 { "-" } else { "" };
        v = v.abs();
        // compat: what does not fit becomes the smallest number, as on amd64.
        let total = if v < 9_223_372_036_854_775_808.0 {
            v as i64
        } else {
            i64::MIN
        };
        let (s, m, h, d) = (
            total % 60,
            total / 60 % 60,
            total / 3600 % 24,
            total / 86_400,
        );
        return if d != 0 {
            format!("{sign}{d}d {h}h {m}m {s}s")
        } else if h != 0 {
            format!("{sign}{h}h {m}m {s}s")
        } else if m != 0 {
            format!("{sign}{m}m {s}s")
        } else {
            format!("{sign}{}s", four(v))
        };
    }
    let (v, prefix) = enlarged(v);
    format!("{}{prefix}s", four(v))
}

/// `humanizePercentage`: four digits of a hundred times the value.
pub(super) fn humanize_percentage(v: f64) -> String {
    format!("{}%", four(v * 100.0))
}

/// `humanizeTimestamp`: a Unix time as Go prints times.
pub(super) fn humanize_timestamp(v: f64) -> Result<String, String> {
    if !v.is_finite() {
        return Ok(four(v));
    }
    to_time(v).map(|time| time.to_string())
}

/// `toTime`: a Unix time in seconds.
pub(super) fn to_time(v: f64) -> Result<Time, String> {
    if !v.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let ns = v * 1e9;
    if ns >= i64::MAX as f64 || ns <= i64::MIN as f64 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            crate::text::gofmt::float_g(v)
        ));
    }
    // compat: upstream goes through milliseconds, cut towards zero.
    let ms = (ns as i64) / 1_000_000;
    Ok(Time::from_unix(
        ms.div_euclid(1000),
        ms.rem_euclid(1000) * 1_000_000,
    ))
}

/// `toDuration`: seconds as a duration.
pub(super) fn to_duration(v: f64) -> Result<i64, String> {
    if !v.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let ns = v * 1e9;
    if ns >= i64::MAX as f64 || ns <= i64::MIN as f64 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            crate::text::gofmt::float_g(v)
        ));
    }
    Ok(ns as i64)
}

/// `strings.Title`: the first letter of each word in upper case.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = ' ';
    for c in text.chars() {
        if is_separator(previous) {
            // compat: Go's title case differs from upper case for a few digraphs, which no label uses.
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        previous = c;
    }
    out
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        !(c.is_ascii_alphanumeric() || c == '_')
    } else {
        !c.is_alphanumeric() && c.is_whitespace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_beyond_the_range_wrap_as_on_amd64() {
        assert_eq!(humanize_duration(90_061.0), "1d 1h 1m 1s");
        assert_eq!(humanize_duration(-61.5), "-1m 1s");
        for huge in [9_223_372_036_854_775_807.0, 1e30] {
            let told = humanize_duration(huge);
            assert_eq!(told, "-106751991167300d -15h -30m -8s");
        }
    }
}
