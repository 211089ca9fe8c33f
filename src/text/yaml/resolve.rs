//! What a scalar means, as go-yaml reads it.

use base64::Engine as _;

use super::decode::Dialect;
use super::node::{Kind, Node, Style};

/// The meaning of a scalar when nobody says what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved {
    /// `~`, `null` or nothing.
    Null,
    /// A boolean; in dialect V2 also `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A whole number too large for `Int`.
    Uint(u64),
    /// A float.
    Float(f64),
    /// Anything else.
    Text,
}

impl Resolved {
    /// The tag that go-yaml's messages show.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Text => "!!str",
        }
    }
}

impl Node {
    /// What a scalar means; `None` for collections.
    pub fn resolve(&self, dialect: Dialect) -> Option<Resolved> {
        let Kind::Scalar { text, style } = &self.kind else {
            return None;
        };
        Some(match self.tag.as_deref() {
            Some("!!null") => Resolved::Null,
            Some("!!bool" | "!!int" | "!!float") => of_plain(text, dialect),
            None if *style == Style::Plain => of_plain(text, dialect),
            _ => Resolved::Text,
        })
    }
}

impl Node {
    /// The bytes of a `!!binary` scalar, or its malformed text; `None` for anything else.
    pub fn binary(&self) -> Option<Result<Vec<u8>, String>> {
        let text = self
            .as_str()
            .filter(|_| self.tag.as_deref() == Some("!!binary"))?;
        let compact: String = text.split_whitespace().collect();
        let decoded = base64::engine::general_purpose::STANDARD.decode(compact);
        Some(decoded.map_err(|_| text.to_owned()))
    }
}

/// Whether a text written without quotes means just that text; go-yaml quotes the others.
pub fn plain_means_text(text: &str) -> bool {
    of_plain(text, Dialect::V2) == Resolved::Text
        && text != "<<"
        && !is_date(text)
        && !is_base60(text)
}

/// Digits in groups as `12:30`, which YAML 1.1 readers take for a number: the groups after the first go up
/// to 59, and a fraction may follow.
fn is_base60(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let Some((first, groups)) = whole.split_once(':') else {
        return false;
    };
    let digit_or_line = |b: u8| b.is_ascii_digit() || b == b'_';
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(digit_or_line)
        && fraction.bytes().all(digit_or_line)
        && groups.split(':').all(|group| match group.as_bytes() {
            [one] => one.is_ascii_digit(),
            [b'0'..=b'5', one] => one.is_ascii_digit(),
            _ => false,
        })
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes.iter().take(4).all(u8::is_ascii_digit)
        && bytes.get(4) == Some(&b'-')
        && text.matches('-').count() >= 2
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"-:.TtZz +".contains(&b))
}

fn of_plain(text: &str, dialect: Dialect) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if dialect == Dialect::V2 {
        match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Resolved::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Resolved::Bool(false),
            _ => {}
        }
    }
    number(text).unwrap_or(Resolved::Text)
}

fn number(text: &str) -> Option<Resolved> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, plain.get(1..)?),
        b'+' => (false, plain.get(1..)?),
        _ => (false, plain.as_str()),
    };
    if let Some(magnitude) = magnitude(digits) {
        return if negative {
            0i64.checked_sub_unsigned(magnitude).map(Resolved::Int)
        } else {
            Some(i64::try_from(magnitude).map_or(Resolved::Uint(magnitude), Resolved::Int))
        };
    }
    if is_float(digits) {
        return plain.parse().ok().map(Resolved::Float);
    }
    None
}

/// Reads the digits of a whole number, its base told by the prefix; a leading zero means octal.
fn magnitude(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (body, radix) = if let Some(hex) = lower.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    if body.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(body, radix).ok()
}

/// Digits with at most one point, and an exponent perhaps.
fn is_float(digits: &str) -> bool {
    let (number, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_good = exponent.is_none_or(|part| {
        let part = part.strip_prefix(['+', '-']).unwrap_or(part);
        !part.is_empty() && all_digits(part)
    });
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_good
}
