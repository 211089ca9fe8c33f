//! CSS: decoding escapes, escaping strings, filtering values.

use super::escape::FAILSAFE;

/// Whether the bytes end with the keyword `url`.
pub(super) fn ends_with_url(s: &[u8]) -> bool {
    let Some(at) = s.len().checked_sub(3) else {
        return false;
    };
    let before = String::from_utf8_lossy(&s[..at]);
    if before.chars().next_back().is_some_and(is_name_char) {
        return false;
    }
    s[at..].eq_ignore_ascii_case(b"url")
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '-'
        || c == '_'
        || matches!(c, '\u{80}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Resolves the escapes of CSS: `\41 ` is `A`.
pub(super) fn decode(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest
            .iter()
            .take(6)
            .take_while(|b| b.is_ascii_hexdigit())
            .count();
        if digits > 0 {
            let hex = std::str::from_utf8(&rest[..digits]).unwrap_or("0");
            let mut code = u32::from_str_radix(hex, 16).unwrap_or(0);
            let mut used = digits;
            if code > 0x10_ffff {
                code /= 16;
                used -= 1;
            }
            let c = char::from_u32(code).unwrap_or('\u{fffd}');
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = skip_space(&rest[used..]);
        } else if let Some(first) = rest.first() {
            out.push(*first);
            rest = &rest[1..];
        } else {
            return out;
        }
    }
    out.extend_from_slice(rest);
    out
}

fn skip_space(s: &[u8]) -> &[u8] {
    match s {
        [b'\r', b'\n', rest @ ..] | [b'\t' | b'\n' | b'\x0c' | b' ' | b'\r', rest @ ..] => rest,
        _ => s,
    }
}

/// Escapes for the inside of a CSS string.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let code = match c {
            '\0' => "\\0",
            '\t' => "\\9",
            '\n' => "\\a",
            '\x0c' => "\\c",
            '\r' => "\\d",
            '"' => "\\22",
            '&' => "\\26",
            '\'' => "\\27",
            '(' => "\\28",
            ')' => "\\29",
            '+' => "\\2b",
            '/' => "\\2f",
            ':' => "\\3a",
            ';' => "\\3b",
            '<' => "\\3c",
            '>' => "\\3e",
            '\\' => "\\\\",
            '{' => "\\7b",
            '}' => "\\7d",
            c => {
                out.push(c);
                continue;
            }
        };
        out.push_str(code);
        // A digit or space after the code would be read as part of it.
        let runs_on = chars.peek().is_none_or(|next| {
            next.is_ascii_hexdigit() || matches!(next, '\t' | '\n' | '\x0c' | '\r' | ' ')
        });
        if code != "\\\\" && runs_on {
            out.push(' ');
        }
    }
    out
}

/// Lets harmless values through: numbers with units, names, colours. Others become a failsafe word.
pub(super) fn filter_value(text: &str) -> String {
    let decoded = decode(text.as_bytes());
    let mut name = Vec::new();
    let mut previous = 0;
    for b in &decoded {
        match b {
            0 | b'"' | b'\'' | b'(' | b')' | b'/' | b';' | b'@' | b'[' | b'\\' | b']' | b'`'
            | b'{' | b'}' | b'<' | b'>' => return FAILSAFE.to_owned(),
            b'-' if previous == b'-' => return FAILSAFE.to_owned(),
            b'-' => {}
            b if b.is_ascii_alphanumeric() || *b == b'_' => name.push(b.to_ascii_lowercase()),
            _ => {}
        }
        previous = *b;
    }
    let name = String::from_utf8_lossy(&name);
    if name.contains("expression") || name.contains("mozbinding") {
        return FAILSAFE.to_owned();
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
