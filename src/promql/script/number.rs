//! Numbers as Go reads them.

/// A line that is only a number: an integer with an optional base prefix, or a float.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    parse_integer(text).or_else(|| parse_float(text))
}

fn parse_integer(text: &str) -> Option<f64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?),
        Some("0b") => (2, lower.get(2..)?),
        Some("0o") => (8, lower.get(2..)?),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i64::from_str_radix(digits, base).ok()?;
    Some(if negative { -value } else { value } as f64)
}

/// A float; infinities and NaN in any case.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    if text.bytes().any(|b| b.is_ascii_whitespace()) {
        return None;
    }
    text.parse().ok()
}

/// The next blank-separated word and the rest without leading blanks.
pub(super) fn word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start_matches([' ', '\t'])),
        None => (text, ""),
    }
}
