//! Number constants. The syntax of a constant decides which types it can take.

use crate::text::quote::quote;

/// A constant and what it can be.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
}

impl Number {
    /// A character constant such as `'a'`.
    pub(super) fn character(text: &str) -> Result<Self, String> {
        let malformed = || format!("malformed character constant: {text}");
        // The literal without its quotes, read as a string of one character.
        let body = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .ok_or_else(malformed)?;
        let read = if body == "\"" {
            Some("\"".to_owned())
        } else {
            crate::text::quote::unquote(text)
        };
        let read = read.ok_or("invalid syntax")?;
        let mut chars = read.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            return Err(malformed());
        };
        let code = u32::from(c);
        Ok(Self {
            text: text.to_owned(),
            int: Some(i64::from(code)),
            uint: Some(u64::from(code)),
            float: Some(f64::from(code)),
        })
    }

    /// A number as it is written in Go, any base, underscores included.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with('i') && !text.starts_with("0x") && !text.starts_with("0X") {
            return Err(format!("complex numbers are not supported: {text}"));
        }
        let mut int = parse_int(text);
        let mut uint = parse_uint(text);
        if int == Some(0) {
            uint = Some(0);
        }
        let mut float = int.map(|v| v as f64).or_else(|| uint.map(|v| v as f64));
        if float.is_none()
            && let Some(v) = parse_float(text)
        {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text)));
            }
            float = Some(v);
            if (-9.2e18..=9.2e18).contains(&v) && (v as i64) as f64 == v {
                int = Some(v as i64);
            }
            if (0.0..1.8e19).contains(&v) && (v as u64) as f64 == v {
                uint = Some(v as u64);
            }
        }
        if float.is_none() {
            return Err(format!("illegal number syntax: {}", quote(text)));
        }
        Ok(Self {
            text: text.to_owned(),
            int,
            uint,
            float,
        })
    }

    /// Whether the constant is a float where nothing else decides.
    pub(super) fn reads_as_float(&self) -> bool {
        let hex = self.text.len() > 2
            && (self.text.starts_with("0x") || self.text.starts_with("0X"))
            && !self.text.contains(['p', 'P']);
        !hex && !self.text.starts_with('\'') && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn magnitude(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (radix, body, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..], true)
    } else {
        (10, lower.as_str(), false)
    };
    if body.is_empty() || !underscores_ok(body, prefixed) {
        return None;
    }
    u64::from_str_radix(&body.replace('_', ""), radix).ok()
}

/// Underscores may stand between digits and after a base prefix.
fn underscores_ok(body: &str, prefixed: bool) -> bool {
    !(body.ends_with('_')
        || body.contains("__")
        || body.starts_with(['+', '-'])
        || (body.starts_with('_') && !prefixed))
}

fn parse_uint(text: &str) -> Option<u64> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    magnitude(text)
}

fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    let magnitude = magnitude(digits)?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Reads a float as `strconv.ParseFloat` does: decimal, hexadecimal with an exponent, infinities, NaN.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let (negative, body) = split_sign(text);
    let signed = |v: f64| if negative { -v } else { v };
    let lower = body.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(signed(f64::INFINITY)),
        "nan" if body.len() == text.len() => return Some(f64::NAN),
        "nan" => return None,
        _ => {}
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        return hex_float(hex).map(signed);
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // compat: a value beyond the range is an error, as in Go.
    body.parse::<f64>()
        .ok()
        .filter(|v| v.is_finite())
        .map(signed)
}

fn hex_float(body: &str) -> Option<f64> {
    let (mantissa, exponent) = body.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return None;
    }
    let mut value = 0.0_f64;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = exponent.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    Some(value * 2.0_f64.powi(shift.clamp(-2000, 2000)))
}

/// Reads a float and gives Go's error text when it is none.
pub(super) fn parse_float_or_explain(text: &str) -> Result<f64, String> {
    parse_float(text).ok_or_else(|| {
        let why = if text
            .trim_start_matches(['+', '-'])
            .parse::<f64>()
            .is_ok_and(f64::is_infinite)
        {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("strconv.ParseFloat: parsing {}: {why}", quote(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_take_the_types_their_syntax_allows() {
        let n = Number::parse("0x10").unwrap();
        assert_eq!((n.int, n.reads_as_float()), (Some(16), false));
        let n = Number::parse("1e3").unwrap();
        assert_eq!((n.int, n.reads_as_float()), (Some(1000), true));
        let n = Number::parse("18446744073709551615").unwrap();
        assert_eq!((n.int, n.uint), (None, Some(u64::MAX)));
        assert_eq!(Number::parse("0x1p4").unwrap().float, Some(16.0));
        assert_eq!(Number::parse("1_000").unwrap().int, Some(1000));
        assert_eq!(Number::character("'a'").unwrap().int, Some(97));
        assert!(Number::parse("99999999999999999999").is_err());
        assert!(Number::parse("089x").is_err());
    }
}
