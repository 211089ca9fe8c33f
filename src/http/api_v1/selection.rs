//! Selectors and queries as parameters.

use crate::http::{Failure, Params, State};
use crate::model::Matcher;
use crate::promql::ast::Expr;
use crate::promql::parser::{self, ParseError};

/// Upstream's text of what is wrong with `text`: its first error.
fn first(text: &str, errors: &[ParseError]) -> String {
    match errors.first() {
        // compat: nothing has no position.
        Some(error) if text.is_empty() => {
            format!("unknown position: parse error: {}", error.message)
        }
        Some(error) => error.to_string(),
        None => "parse error".to_owned(),
    }
}

/// Reads a query.
pub(super) fn expression(state: &State, text: &str) -> Result<Expr, String> {
    parser::parse(text, &state.syntax).map_err(|errors| first(text, &errors))
}

/// Reads a series selector.
pub(super) fn selector(text: &str) -> Result<Vec<Matcher>, String> {
    parser::parse_metric_selector(text).map_err(|errors| first(text, &errors))
}

/// Reads all `match[]` parameters; one that would select everything is refused.
pub(super) fn selectors(params: &Params) -> Result<Vec<Vec<Matcher>>, String> {
    let mut sets = Vec::new();
    for text in params.all("match[]") {
        let matchers = selector(text)?;
        if matchers.iter().all(Matcher::matches_empty) {
            return Err("match[] must contain at least one non-empty matcher".to_owned());
        }
        sets.push(matchers);
    }
    Ok(sets)
}

/// A range of time that may be left open: `start` and `end`.
pub(super) fn range(params: &Params) -> Result<(i64, i64), Failure> {
    let start = params.time_ms("start")?.unwrap_or(i64::MIN);
    let end = params.time_ms("end")?.unwrap_or(i64::MAX);
    Ok((start, end))
}

/// Undoes the `U__` form in which clients send label names that do not fit into a path.
///
/// `_` and hexadecimal digits and `_` stand for a character, `__` for an underscore. A text that is not
/// well formed stands for itself.
pub(super) fn unescape_name(name: &str) -> String {
    let Some(rest) = name.strip_prefix("U__") else {
        return name.to_owned();
    };
    let mut out = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        if c != '_' {
            out.push(c);
            continue;
        }
        let mut code = String::new();
        loop {
            match chars.next() {
                Some('_') => break,
                Some(digit) if digit.is_ascii_hexdigit() && code.len() < 6 => code.push(digit),
                _ => return name.to_owned(),
            }
        }
        if code.is_empty() {
            out.push('_');
            continue;
        }
        match u32::from_str_radix(&code, 16).ok().and_then(char::from_u32) {
            Some(c) => out.push(c),
            None => return name.to_owned(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_come_back() {
        for (escaped, name) in [
            ("U__service_2e_name", "service.name"),
            ("U__a__b", "a_b"),
            ("U___1f600_", "\u{1f600}"),
            ("plain", "plain"),
            ("U__broken_zz_", "U__broken_zz_"),
            ("U__open_2e", "U__open_2e"),
        ] {
            assert_eq!(unescape_name(escaped), name, "{escaped}");
        }
    }
}
