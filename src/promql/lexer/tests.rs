use super::*;

fn kinds(text: &str) -> Vec<(TokenKind, String)> {
    let mut lexer = Lexer::new(text.as_bytes());
    let mut found = Vec::new();
    loop {
        let token = lexer.next_token();
        match token.kind {
            TokenKind::Eof => return found,
            TokenKind::Error => {
                found.push((TokenKind::Error, lexer.take_error()));
                return found;
            }
            kind => found.push((
                kind,
                text.get(token.start..token.end).unwrap_or("?").to_owned(),
            )),
        }
    }
}

fn error(text: &str) -> String {
    match kinds(text).pop() {
        Some((TokenKind::Error, message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn keywords_are_plain_names_inside_braces() {
    let found: Vec<_> = kinds("sum{sum=\"x\"}")
        .into_iter()
        .map(|(k, _)| k)
        .collect();
    assert_eq!(
        found.first(),
        Some(&TokenKind::Aggregate(crate::promql::ast::AggregateOp::Sum))
    );
    assert_eq!(found.get(2), Some(&TokenKind::Identifier));
}

#[test]
fn fill_is_a_keyword_only_before_a_parenthesis() {
    let of = |text| kinds(text).first().map(|(k, _)| *k);
    assert_eq!(of("fill + 1"), Some(TokenKind::Identifier));
    assert_eq!(of("fill (1)"), Some(TokenKind::Keyword(Keyword::Fill)));
}

#[test]
fn broken_texts_are_named_as_upstream_names_them() {
    for (text, message) in [
        ("100..4", "bad number or duration syntax: \"100..\""),
        ("0deadbeef", "bad number or duration syntax: \"0de\""),
        ("foo[5mm]", "bad number or duration syntax: \"5mm\""),
        ("1 !", "unexpected character after '!': '\u{fffd}'"),
        ("\"\\q\"", "unknown escape sequence U+0071 'q'"),
        (
            "\"\\xg\"",
            "illegal character U+0067 'g' in escape sequence",
        ),
        ("\"a", "unterminated quoted string"),
        ("`a", "unterminated raw string"),
        ("a]", "unexpected right bracket ']'"),
        ("a[5m[", "unexpected left bracket '['"),
        ("ä", "unexpected character: 'ä'"),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}
