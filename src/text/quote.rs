//! Go's string literals: `strconv.Quote` and `strconv.Unquote`.

use std::fmt::Write as _;

/// Quotes like `strconv.Quote`: double quotes, escapes for control and unprintable characters.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    quote_into(&mut out, text);
    out.push('"');
    out
}

fn quote_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c < ' ' || c == '\x7f' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
        }
    }
}

/// The same for bytes; those that form no UTF-8 are printed as `\xNN`.
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        quote_into(&mut out, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// An approximation of Go's `strconv.IsPrint`: everything but controls, format characters,
/// separators other than the plain space, surrogates and private use.
fn is_printable(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}'))
}

/// Reads a Go string literal in double quotes, single quotes (as PromQL allows) or back quotes,
/// quotes included. `None` when it is malformed. Bytes given as `\xNN` or octal must form UTF-8.
pub fn unquote(literal: &str) -> Option<String> {
    String::from_utf8(unquote_bytes(literal)?).ok()
}

/// The same, with U+FFFD for bytes that form no UTF-8.
pub fn unquote_lossy(literal: &str) -> Option<String> {
    let bytes = unquote_bytes(literal)?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// The same as bytes, whether they form UTF-8 or not.
pub fn unquote_bytes(literal: &str) -> Option<Vec<u8>> {
    let mut chars = literal.chars();
    let open = chars.next()?;
    let body = chars
        .as_str()
        .strip_suffix(open)
        .filter(|_| literal.len() >= 2)?;
    match open {
        '`' => (!body.contains('`')).then(|| body.replace('\r', "").into_bytes()),
        '"' | '\'' => unescape(body, open),
        _ => None,
    }
}

fn unescape(body: &str, delimiter: char) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c == delimiter || c == '\n' {
            return None;
        }
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next()? {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' => out.push(b'\\'),
            c @ ('\'' | '"') if c == delimiter => out.push(c as u8),
            'x' => out.push(u8::try_from(number(&mut chars, 2, 16)?).ok()?),
            'u' => push_char(&mut out, number(&mut chars, 4, 16)?)?,
            'U' => push_char(&mut out, number(&mut chars, 8, 16)?)?,
            c @ '0'..='7' => {
                let first = c.to_digit(8)?;
                let rest = number(&mut chars, 2, 8)?;
                out.push(u8::try_from(first * 64 + rest).ok()?);
            }
            _ => return None,
        }
    }
    Some(out)
}

fn number(chars: &mut std::str::Chars<'_>, digits: usize, radix: u32) -> Option<u32> {
    let mut value: u32 = 0;
    for _ in 0..digits {
        value = value
            .checked_mul(radix)?
            .checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

fn push_char(out: &mut Vec<u8>, code: u32) -> Option<()> {
    out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quote("a\"b\\c\n\x01é\u{200b}"), r#""a\"b\\c\n\x01é\u200b""#);
    }

    #[test]
    fn unquotes_what_go_accepts() {
        assert_eq!(unquote(r#""a\x41\u00e9\101\n""#).as_deref(), Some("aAéA\n"));
        assert_eq!(unquote("'it\\'s'").as_deref(), Some("it's"));
        assert_eq!(unquote("`raw\\n`").as_deref(), Some("raw\\n"));
        for bad in [
            "", "\"", "\"a", "\"\\q\"", "\"\\'\"", "\"a\nb\"", "\"\\x4\"", "a",
        ] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
    }
}
