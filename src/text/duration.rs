//! Prometheus durations: `1h30m`, `15s`, `250ms`, `0`.

use thiserror::Error;

/// Why a text is not a duration. The texts are upstream's (`model.ParseDuration`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text was empty.
    #[error("empty duration string")]
    Empty,
    /// The text has another shape, or its units are not in order.
    #[error("not a valid duration string: {}", super::quote::quote(.0))]
    Invalid(String),
    /// A number is followed by letters that are no unit.
    #[error(
        "unknown unit {} in duration {}",
        super::quote::quote(unit),
        super::quote::quote(text)
    )]
    UnknownUnit {
        /// The letters.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// The length does not fit upstream's 64 bits of nanoseconds.
    #[error("duration out of range")]
    OutOfRange,
}

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Parses `text` into milliseconds. Units must stand in the order y w d h m s ms, each at most once;
/// `0` needs no unit; a leading minus is refused.
pub fn parse_ms(text: &str) -> Result<i64, ParseError> {
    let invalid = || ParseError::Invalid(text.to_owned());
    match text {
        "0" => return Ok(0),
        "" => return Err(ParseError::Empty),
        _ => {}
    }
    let mut rest = text;
    let mut next_unit = 0;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(invalid());
        }
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if unit.is_empty() {
            return Err(invalid());
        }
        let known = UNITS
            .iter()
            .enumerate()
            .find(|(_, (name, _))| *name == unit);
        let Some((at, (_, ms))) = known else {
            return Err(ParseError::UnknownUnit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            });
        };
        if at < next_unit {
            return Err(invalid());
        }
        next_unit = at + 1;
        let number: i64 = number.parse().map_err(|_| ParseError::OutOfRange)?;
        // compat: upstream counts nanoseconds in 64 bits and refuses what does not fit.
        total = number
            .checked_mul(*ms)
            .and_then(|v| total.checked_add(v))
            .filter(|v| *v <= i64::MAX / 1_000_000)
            .ok_or(ParseError::OutOfRange)?;
        rest = tail;
    }
    Ok(total)
}

/// Prints milliseconds as upstream's `model.Duration` does: years and weeks only when they divide
/// the rest exactly, zero as `0s`.
pub fn format_ms(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (unit, size) in UNITS {
        let size = size.unsigned_abs();
        // compat: years and weeks are shown only when nothing is lost that way.
        let exact_only = matches!(unit, "y" | "w");
        if exact_only && !rest.is_multiple_of(size) {
            continue;
        }
        let count = rest / size;
        if count > 0 {
            out.push_str(&count.to_string());
            out.push_str(unit);
            rest -= count * size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_upstream_forms() {
        for (text, ms) in [
            ("0", 0),
            ("0w", 0),
            ("1h30m", 5_400_000),
            ("324ms", 324),
            ("4d1h", 90 * 3_600_000 + 7 * 3_600_000),
            ("1y", 31_536_000_000),
        ] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "1", "-1s", "1.5h", "1s2h", "1d1d", "294y", "1H", "ms"] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prints_as_upstream() {
        for (ms, text) in [
            (0, "0s"),
            (604_800_000, "1w"),
            (86_400_000 * 10, "10d"),
            (90_000, "1m30s"),
            (5_400_001, "1h30m1ms"),
            (-5000, "-5s"),
        ] {
            assert_eq!(format_ms(ms), text);
        }
    }
}
