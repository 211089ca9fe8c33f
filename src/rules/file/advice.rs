//! What to do about an expression that does not parse.

use crate::promql::parser::ParseError;

/// The way out, where it can be told from the text and the error.
pub(super) fn advice(expr: &str, error: &ParseError) -> Option<String> {
    let message = error.to_string();
    if message.contains("unclosed") || message.contains("unexpected end of input") {
        return unclosed(expr);
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

/// Names the innermost bracket that is never closed.
fn unclosed(expr: &str) -> Option<String> {
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
    let (at, bracket) = open.pop()?;
    let before = expr.get(..at)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let close = closing(bracket);
    Some(format!(
        "the `{bracket}` in line {}, column {} of the expression is never closed: add a `{close}`",
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    ))
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
        let column = |expr: &str| {
            unclosed(expr).map(|text| text.split("column ").nth(1).unwrap()[..2].to_owned())
        };
        assert_eq!(column("sum(rate(x[5m])").as_deref(), Some("4 "));
        assert_eq!(column("sum(rate(x{a=\")\"}[5m)").as_deref(), Some("18"));
        assert_eq!(column("up{a=\"\\\"(\"} # (\n + (").as_deref(), Some("4 "));
        assert_eq!(column("up"), None);
        assert!(unclosed("\n  é(").unwrap().contains("line 2, column 4"));
    }
}
