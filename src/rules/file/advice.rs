//! What to do about an expression that does not parse.

use crate::promql::parser::ParseError;

/// The bracket that is never closed, when that is what is wrong: the parser stumbles at the end only.
pub(super) fn unclosed_at(expr: &str, error: &ParseError) -> Option<usize> {
    let message = error.to_string();
    let wanted = message.contains("unclosed") || message.contains("unexpected end of input");
    wanted.then(|| unclosed(expr)).flatten().map(|(at, _)| at)
}

/// The way out, where it can be told from the text and the error.
pub(super) fn advice(expr: &str, error: &ParseError) -> Option<String> {
    let message = error.to_string();
    if unclosed_at(expr, error).is_some() {
        let (_, bracket) = unclosed(expr)?;
        let close = closing(bracket);
        return Some(format!("this `{bracket}` is never closed: add a `{close}`"));
    }
    if message.contains("error parsing regexp") {
        return Some(
            "in a regular expression, brackets come in pairs and a special character that stands for itself is written with `\\\\` before it"
                .to_owned(),
        );
    }
    if message.contains("in label matching, expected string") {
        return Some("write the value of a label in quotes: `{job=\"api\"}`".to_owned());
    }
    if message.contains("unexpected identifier") || message.contains("unexpected number") {
        return Some(
            "two expressions need an operator between them, such as `and`, `or`, `+` or `>`"
                .to_owned(),
        );
    }
    None
}

/// The innermost bracket that is never closed, and where it stands.
fn unclosed(expr: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote = None;
    let mut chars = expr.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('"' | '\''), '\\') => {
                chars.next();
            }
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => {
                // A comment reaches to the end of its line.
                chars.find(|(_, c)| *c == '\n');
            }
            (None, '(' | '[' | '{') => open.push((at, c)),
            (None, ')' | ']' | '}') => match open.last() {
                Some((_, bracket)) if c == closing(*bracket) => {
                    open.pop();
                }
                _ => break,
            },
            _ => {}
        }
    }
    open.pop()
}

const fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::unclosed;

    #[test]
    fn the_innermost_open_bracket_is_named() {
        let at = |expr: &str| unclosed(expr).map(|(at, _)| at);
        assert_eq!(at("sum(rate(x[5m])"), Some(3));
        assert_eq!(at("sum(rate(x{a=\")\"}[5m)"), Some(17));
        assert_eq!(at("up{a=\"\\\"(\"} # (\n + ("), Some(19));
        assert_eq!(at("up"), None);
        assert_eq!(at("\n  é("), Some(5));
    }
}
