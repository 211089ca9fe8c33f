use crate::promql::ast::PosRange;
use crate::promql::lexer::{Token, TokenKind};
use crate::text::duration;
use crate::text::quote::{quote, unquote_lossy};

use super::stream::Parser;

impl Parser<'_> {
    /// The value of a number or duration token, in seconds for a duration.
    pub(super) fn number_or_duration(&mut self, token: Token) -> f64 {
        let text = self.text_of(token);
        if token.kind == TokenKind::Duration {
            return match duration::parse_ms(&text) {
                Ok(ms) => ms as f64 / 1000.0,
                Err(e) => {
                    self.report(token.pos(), e.to_string());
                    0.0
                }
            };
        }
        self.number(&text, token.pos())
    }

    fn number(&mut self, text: &str, pos: PosRange) -> f64 {
        match parse_number(text) {
            Ok(value) => value,
            Err(NumberError::Syntax) => {
                self.report(
                    pos,
                    format!(
                        "error parsing number: strconv.ParseFloat: parsing {}: invalid syntax",
                        quote(text)
                    ),
                );
                0.0
            }
            Err(NumberError::Range(value)) => {
                self.report(
                    pos,
                    format!(
                        "error parsing number: strconv.ParseFloat: parsing {}: value out of range",
                        quote(text)
                    ),
                );
                value
            }
        }
    }

    /// The text that a string token means.
    pub(super) fn unquoted(&mut self, token: Token) -> String {
        let literal = self.text_of(token);
        if let Some(text) = unquote_lossy(&literal) {
            return text;
        }
        self.report(
            token.pos(),
            format!("error unquoting string {}: invalid syntax", quote(&literal)),
        );
        String::new()
    }
}

/// Why a text is no number.
#[derive(Debug, PartialEq)]
pub(crate) enum NumberError {
    Syntax,
    Range(f64),
}

/// Reads a number as upstream does: an integer in Go's notation (`0x1f`, `0755`, `1_000`), else a float.
pub(crate) fn parse_number(text: &str) -> Result<f64, NumberError> {
    if !underscores_fit(text) {
        return Err(NumberError::Syntax);
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(integer) = go_integer(&plain) {
        return Ok(integer as f64);
    }
    match plain.to_ascii_lowercase().as_str() {
        "inf" | "infinity" | "+inf" => return Ok(f64::INFINITY),
        "-inf" => return Ok(f64::NEG_INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    let value: f64 = plain.parse().map_err(|_| NumberError::Syntax)?;
    if value.is_infinite() {
        return Err(NumberError::Range(value));
    }
    Ok(value)
}

/// `strconv.ParseInt(text, 0, 64)` for texts without sign.
fn go_integer(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..)?, 16),
        [b'0', b'o', ..] => (lower.get(2..)?, 8),
        [b'0', b'b', ..] => (lower.get(2..)?, 2),
        [b'0', _, ..] => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

/// Go allows underscores only between digits and after a base prefix.
fn underscores_fit(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let hex = lower.starts_with("0x");
    let prefixed = hex || lower.starts_with("0b") || lower.starts_with("0o");
    let body = if prefixed {
        lower.get(2..).unwrap_or_default()
    } else {
        lower.as_str()
    };
    // What stood before: a digit (or a prefix), an underscore, or anything else.
    let mut before = if prefixed { '0' } else { '!' };
    for c in body.chars() {
        if c.is_ascii_digit() || (hex && c.is_ascii_hexdigit()) {
            before = '0';
        } else if c == '_' {
            if before != '0' {
                return false;
            }
            before = '_';
        } else {
            if before == '_' {
                return false;
            }
            before = '!';
        }
    }
    before != '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_go() {
        for (text, value) in [
            ("1", 1.0),
            ("0755", 493.0),
            ("08", 8.0),
            ("0xc", 12.0),
            ("0X_1F", 31.0),
            ("1_000", 1000.0),
            ("1_0.5", 10.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("5e-3", 0.005),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            ("Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert_eq!(
            parse_number("9E510"),
            Err(NumberError::Range(f64::INFINITY))
        );
        assert_eq!(parse_number("1__0"), Err(NumberError::Syntax));
        assert_eq!(
            parse_number("0xffffffffffffffffff"),
            Err(NumberError::Syntax)
        );
    }
}
