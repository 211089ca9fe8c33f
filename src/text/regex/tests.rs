use super::*;

fn anchored(pattern: &str) -> Regex {
    Regex::anchored(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"))
}

fn error(pattern: &str) -> String {
    match Regex::anchored(pattern) {
        Ok(_) => panic!("{pattern} compiled"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn anchored_patterns_match_whole_texts() {
    let re = anchored("a.b|c");
    assert!(re.is_match("a\nb") && re.is_match("c") && !re.is_match("xc"));
    assert!(!anchored("a|b").is_match("ab"));
    assert!(anchored("").is_match("") && !anchored("").is_match("a"));
}

#[test]
fn expansion_follows_go() {
    let re = anchored("(?P<host>[^:]+):(.*)");
    assert_eq!(
        re.expand("h:1", "${host}-$2-$$-$x-$1y").as_deref(),
        Some("h-1-$--")
    );
    assert_eq!(
        anchored("a.*").expand("abc", "$0-$1-$").as_deref(),
        Some("abc--$")
    );
    assert_eq!(
        anchored("(.*)").expand("abc", "<$1>").as_deref(),
        Some("<abc>")
    );
    assert_eq!(anchored("a|b").expand("c", "x"), None);
    let re = Regex::unanchored("(a)(b)?").unwrap();
    assert_eq!(re.replace_all("xabya", "[$1$2]"), "x[ab]y[a]");
}

#[test]
fn classes_are_those_of_re2() {
    for (pattern, yes, no) in [
        (r"\d", "7", "\u{0667}"),
        (r"\w", "_", "é"),
        (r"\s", "\x0c", "\x0b"),
        (r"\S", "\x0b", " "),
        (r"[[:space:]]", "\x0b", "a"),
        (r"[a&&b]", "&", "c"),
        (r"[a-c--b]", "-", "d"),
        (r"[[]", "[", "]"),
        (r"[]a]", "]", "b"),
        (r"[^]a]", "b", "]"),
        (r"[a-]", "-", "b"),
        (r"[\d-z]", "-", "y"),
        (r"[[:^alpha:]]", "1", "a"),
        (r"\pL", "é", "1"),
        (r"\p{Greek}", "λ", "l"),
        (r"\P{^Lu}", "A", "a"),
        (r"\p{^Lu}", "a", "A"),
        (r"[\pN_]", "_", "a"),
        (r"(?i)k", "\u{212a}", "x"),
        (r"(?i)[^k]", "x", "K"),
        (r"[^a]", "\n", "a"),
        (r"\x41", "A", "a"),
        (r"\x{1F600}", "\u{1F600}", "a"),
        (r"\101", "A", "B"),
        (r"\_", "_", "-"),
        (r"\Qa.b*\E", "a.b*", "axb"),
        (r"a\Q+", "a+", "aa"),
        (r"x{,3}", "x{,3}", "xx"),
        (r"x{2}", "xx", "x{2}"),
        (r"x{01}", "x{01}", "x"),
        (r"x{", "x{", "x"),
        (r"(?P<n>a)(?<m>b)", "ab", "a"),
        (r"(?P<n>a)(?P<n>b)", "ab", "a"),
        (r"(?-s).", "a", "\n"),
        (r"(?s:.)", "\n", ""),
        (r"(?m)^a$\n^b$", "a\nb", "a\n"),
        (r"a$", "a", "a\n"),
        (r"\Aa\z", "a", "b"),
        (r"a\b b", "a b", "ab"),
        (r"(a){0}(b)", "b", "ab"),
        (r"(?U)a+", "aaa", "b"),
        (r"a(?i)*", "aaa", "A"),
        (r"^*a", "a", "b"),
        (r"\p{LC}", "a", "1"),
        (r"\x{D800}|a", "a", "b"),
    ] {
        let re = anchored(pattern);
        assert!(re.is_match(yes), "{pattern} must match {yes:?}");
        assert!(!re.is_match(no), "{pattern} must not match {no:?}");
    }
}

#[test]
fn errors_are_those_of_go() {
    for (pattern, message) in [
        ("(abc", "missing closing ): `(abc`"),
        ("abc)", "unexpected ): `abc)`"),
        ("[abc", "missing closing ]: `[abc`"),
        ("x[a", "missing closing ]: `[a`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+", "invalid nested repetition operator: `*+`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n>a", "missing closing ): `(?P<n>a`"),
        ("(?P<n-1>a)", "invalid named capture: `(?P<n-1>`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\q", r"invalid escape sequence: `\q`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\", "trailing backslash at end of expression: ``"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"[\b]", r"invalid escape sequence: `\b`"),
    ] {
        assert_eq!(error(pattern), format!("error parsing regexp: {message}"));
    }
}

#[test]
fn plain_texts_are_known_as_such() {
    let texts = |pattern: &str| {
        anchored(pattern)
            .literal_alternatives()
            .map(<[String]>::to_vec)
    };
    assert_eq!(texts("a"), Some(vec!["a".to_owned()]));
    assert_eq!(
        texts("b|a|(?:c|a)"),
        Some(vec!["a".into(), "b".into(), "c".into()])
    );
    assert_eq!(texts("x(1|2)|^y$"), None);
    assert_eq!(texts("^x[12]$"), Some(vec!["x1".into(), "x2".into()]));
    assert_eq!(texts("a|"), Some(vec![String::new(), "a".into()]));
    assert_eq!(texts("a.b"), None);
    assert_eq!(texts("[0-9]{3}"), None);
    assert_eq!(anchored("ab.*").literal_prefix(), Some("ab"));
    let many: Vec<String> = (0..5000).map(|n| format!("host-{n}")).collect();
    let re = anchored(&many.join("|"));
    assert!(re.is_match("host-4999") && !re.is_match("host-5000"));
    assert_eq!(re.literal_alternatives().map(<[String]>::len), Some(5000));
}

#[test]
fn shapes_agree_with_automata() {
    for pattern in [
        ".*", ".+", "a.*", ".*a", ".*a.*", "a|b|ab", "(a)b", "(?i)ab", "a.*b", ".*|a", "(.*)",
        "(a|b).*",
    ] {
        let short = anchored(pattern);
        let long = Regex::unanchored(&format!("^(?s:{pattern})$")).unwrap();
        for text in ["", "a", "b", "ab", "AB", "ba", "aab", "x\ny", "a\n", "xay"] {
            assert_eq!(
                short.is_match(text),
                long.is_match(text),
                "{pattern} on {text:?}"
            );
        }
    }
}

#[test]
fn hostile_patterns_end_in_errors_or_answers() {
    let run = || {
        for pattern in [
            "(".repeat(100_000),
            format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
            format!("{}a{}", "(?:".repeat(240), ")*".repeat(240)),
            format!("a{}", "(?i)*".repeat(100_000)),
            r"\pL".repeat(100_000),
            r"[\pL01]".repeat(10_000),
            r"\pL{1000}".to_owned(),
            "((a{10}){10}){10}".to_owned(),
            "(((((a*)*)*)*)*)*b".to_owned(),
            "a|".repeat(100_000),
            "[a-z]?".repeat(10_000),
            "(?i)".to_owned() + &"s".repeat(10_000),
            "x*".repeat(10_000),
        ] {
            if let Ok(re) = Regex::anchored(&pattern) {
                let _ = re.is_match(&"a".repeat(1000));
            }
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn any_pattern_gives_an_answer(pattern in r"[a-c.*+?(){}\[\]|^$\\\-:,0-9PQEdwsbzAiU<>&]{0,24}", text in "[a-c\n]{0,8}") {
        if let Ok(re) = Regex::anchored(&pattern) {
            let long = Regex::unanchored(&format!("^(?s:{pattern})$"));
            // A pattern that closes more than it opens is only an error by itself.
            if let Ok(long) = long {
                proptest::prop_assert_eq!(re.is_match(&text), long.is_match(&text), "{}", pattern);
            }
        }
    }
}

#[test]
fn the_empty_text_needs_no_automaton() {
    for (pattern, matches) in [
        ("", true),
        ("a*", true),
        ("a|", true),
        ("(a|b?)(c*)", true),
        ("a+", false),
        (".?x", false),
        ("[^\\x00-\\x{10FFFF}]", false),
        ("^$", true),
        (r"\b", false),
        (r"\B", true),
        (r"(?m)^$", true),
        (r"a{0}", true),
    ] {
        assert_eq!(anchored(pattern).is_match(""), matches, "{pattern}");
    }
}
