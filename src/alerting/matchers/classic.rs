//! The classic syntax: tolerant of missing quotes, with few escapes.

use super::{Error, Matcher};
use crate::model::MatchOp;

/// White space as RE2's `\s` knows it.
const SPACE: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];

/// Parses matchers separated by commas; one brace at either end is ignored.
pub fn parse_matchers(input: &str) -> Result<Vec<Matcher>, Error> {
    let input = input.strip_prefix('{').unwrap_or(input);
    let input = input.strip_suffix('}').unwrap_or(input);
    let mut tokens = Vec::new();
    let mut token = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in input.chars() {
        match c {
            ',' if !quoted => {
                tokens.push(std::mem::take(&mut token));
                continue;
            }
            // compat: a comma inside quotes leaves the escape state alone.
            ',' => {}
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
        token.push(c);
    }
    let last = token.trim();
    if !last.is_empty() {
        tokens.push(last.to_owned());
    }
    tokens.iter().map(|token| parse_matcher(token)).collect()
}

/// Parses one matcher: a label name, an operator, and a value that may stand in double quotes.
pub fn parse_matcher(input: &str) -> Result<Matcher, Error> {
    let (name, op, raw) =
        split(input).ok_or_else(|| Error::BadMatcher(format!("bad matcher format: {input}")))?;
    let unescaped_quote = || {
        Error::BadMatcher(format!(
            "matcher value contains unescaped double quote: {raw}"
        ))
    };
    let body = raw.strip_prefix('"').unwrap_or(raw);
    let mut expect_end = body.len() < raw.len();
    let mut value = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        let is_last = chars.as_str().is_empty();
        match c {
            '\\' if is_last => value.push('\\'),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(c) => {
                    value.push('\\');
                    value.push(c);
                }
                None => {}
            },
            '"' if expect_end && is_last => expect_end = false,
            '"' => return Err(unescaped_quote()),
            c => value.push(c),
        }
    }
    if expect_end {
        return Err(unescaped_quote());
    }
    Matcher::new(op, name, value)
}

fn split(input: &str) -> Option<(&str, MatchOp, &str)> {
    let rest = input.trim_start_matches(SPACE);
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start_matches(SPACE);
    let (op, value) = [
        ("=~", MatchOp::Regex),
        ("=", MatchOp::Equal),
        ("!=", MatchOp::NotEqual),
        ("!~", MatchOp::NotRegex),
    ]
    .into_iter()
    .find_map(|(text, op)| rest.strip_prefix(text).map(|value| (op, value)))?;
    Some((name, op, value.trim_matches(SPACE)))
}
