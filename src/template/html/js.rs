//! JavaScript: what a slash means, and values as literals.

use super::context::Slash;
use crate::template::json;
use crate::template::value::Value;

/// Keywords after which a slash begins a regular expression.
const BEFORE_REGEXP: [&str; 14] = [
    "break",
    "case",
    "continue",
    "delete",
    "do",
    "else",
    "finally",
    "in",
    "instanceof",
    "return",
    "throw",
    "try",
    "typeof",
    "void",
];

/// What a slash after `s` begins.
pub(super) fn next_slash(s: &[u8], preceding: Slash) -> Slash {
    let text = String::from_utf8_lossy(s);
    let text = text.trim_end_matches(['\t', '\n', '\x0c', '\r', ' ', '\u{2028}', '\u{2029}']);
    let Some(last) = text.chars().next_back() else {
        return preceding;
    };
    match last {
        '+' | '-' => {
            // `a++ /` divides, `a + /` does not.
            let run = text.chars().rev().take_while(|c| *c == last).count();
            if run % 2 == 1 {
                Slash::Regexp
            } else {
                Slash::Division
            }
        }
        '.' => {
            let before = text.chars().rev().nth(1);
            if before.is_some_and(|c| c.is_ascii_digit()) {
                Slash::Division
            } else {
                Slash::Regexp
            }
        }
        ',' | '<' | '>' | '=' | '*' | '%' | '&' | '|' | '^' | '?' | '!' | '~' | '(' | '[' | ':'
        | ';' | '{' | '}' => Slash::Regexp,
        _ => {
            let start = text
                .rfind(|c: char| !is_identifier_part(c))
                .map_or(0, |at| {
                    at + text[at..].chars().next().map_or(1, char::len_utf8)
                });
            if BEFORE_REGEXP.contains(&&text[start..]) {
                Slash::Regexp
            } else {
                Slash::Division
            }
        }
    }
}

fn is_identifier_part(c: char) -> bool {
    c == '$' || c == '_' || c.is_ascii_alphanumeric()
}

/// Whether the `type` of a `script` names JavaScript.
pub(super) fn is_script_type(mime: &str) -> bool {
    let mime = mime.to_lowercase();
    let mime = mime.split(';').next().unwrap_or("").trim();
    matches!(
        mime,
        "application/ecmascript"
            | "application/javascript"
            | "application/json"
            | "application/ld+json"
            | "application/x-ecmascript"
            | "application/x-javascript"
            | "module"
            | "text/ecmascript"
            | "text/javascript"
            | "text/javascript1.0"
            | "text/javascript1.1"
            | "text/javascript1.2"
            | "text/javascript1.3"
            | "text/javascript1.4"
            | "text/javascript1.5"
            | "text/jscript"
            | "text/livescript"
            | "text/x-ecmascript"
            | "text/x-javascript"
    )
}

/// A value as a JavaScript expression.
pub(super) fn value_literal(args: &[Value]) -> Result<String, String> {
    let value = match args {
        [single] => match (single, single.stringer()) {
            (Value::Time(_), _) | (_, None) => single.clone(),
            (_, Some(text)) => Value::from(text),
        },
        _ => Value::from(crate::template::printf::sprint(args)?),
    };
    let text = match json::to_json(&value) {
        Ok(text) => text,
        Err(why) => {
            let why = why
                .replace("*/", "* /")
                .replace("</script", "<\\/script")
                .replace("<!--", "<\\!--");
            return Ok(format!(" /* {why} */null "));
        }
    };
    let pads = text.chars().next().is_some_and(is_identifier_part)
        || text.chars().next_back().is_some_and(is_identifier_part);
    Ok(if pads { format!(" {text} ") } else { text })
}

/// Escapes for the inside of a string literal.
pub(super) fn escape_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match common(c) {
            Some(code) => out.push_str(code),
            None if c == '\\' => out.push_str("\\\\"),
            None => out.push(c),
        }
    }
    out
}

/// Escapes for the inside of a regular expression.
pub(super) fn escape_regexp(text: &str) -> String {
    if text.is_empty() {
        return "(?:)".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match common(c) {
            Some(code) => out.push_str(code),
            None if "$()*-.?[\\]^{|}".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            None => out.push(c),
        }
    }
    out
}

fn common(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "\\u0000",
        '\t' => "\\t",
        '\n' => "\\n",
        '\x0b' => "\\u000b",
        '\x0c' => "\\f",
        '\r' => "\\r",
        '"' => "\\u0022",
        '`' => "\\u0060",
        '&' => "\\u0026",
        '\'' => "\\u0027",
        '+' => "\\u002b",
        '/' => "\\/",
        '<' => "\\u003c",
        '>' => "\\u003e",
        '\u{2028}' => "\\u2028",
        '\u{2029}' => "\\u2029",
        _ => return None,
    })
}
