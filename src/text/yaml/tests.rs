use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn problems(text: &str, read: impl FnOnce(&Decoder, &Node)) -> Vec<String> {
    let document = parse_first(text).expect("the test's YAML is good");
    let decoder = Decoder::new(Dialect::V2);
    read(&decoder, &document.root);
    decoder
        .into_problems()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn tabs_may_part_a_value_from_its_colon() {
    let text = "a:\tb\nl:\n- x: \t y\n- z:\t\t-1\n- t: |\n    u:\tw\nk:\tv\n";
    let document = parse_first(text).unwrap();
    let plain = text.replace("a:\t", "a: ").replace("x: \t y", "x:   y");
    let plain = plain.replace("z:\t\t", "z:  ").replace("k:\t", "k: ");
    assert_eq!(document.root, parse_first(&plain).unwrap().root);
    assert!(document.source.contains("a:\tb"));
    let many = (0..500).fold(String::new(), |text, n| text + &format!("k{n}:\tv\n"));
    assert_eq!(
        parse_first(&many).unwrap().root.as_mapping().unwrap().len(),
        500
    );
}

#[test]
fn directives_are_those_of_go_yaml() {
    for good in [
        "%YAML 1.1\n---\na: b\n",
        "# x\n\n%TAG ! !x:\n---\na: b\n",
        "a: |\n  %FOO\n",
    ] {
        assert!(parse_first(good).is_ok(), "{good}");
    }
    for (bad, message) in [
        (
            "%YAML 1.2\n---\na: b\n",
            "yaml: line 1: found incompatible YAML document",
        ),
        (
            "\n%FOO x\n---\na: b\n",
            "yaml: line 2: found unknown directive name",
        ),
    ] {
        let problem = parse_first(bad).unwrap_err();
        assert_eq!(problem.message, message);
    }
    assert!(utf8(b"\xff\xfea\0").unwrap_err().message.contains("UTF-16"));
}

#[test]
fn nodes_know_where_they_stand() {
    let document = parse_first("a:\n  - é: [x, \"yé\"]\n").unwrap();
    let list = document.root.entry("a").unwrap().as_sequence().unwrap();
    let entry = &list[0].as_mapping().unwrap()[0];
    assert_eq!(
        (entry.key.span.start.line, entry.key.span.start.column),
        (2, 5)
    );
    let quoted = &entry.value.as_sequence().unwrap()[1];
    let span = quoted.span;
    assert_eq!(
        &document.source[span.start.offset..span.end.offset],
        "\"yé\""
    );
    assert_eq!((span.start.line, span.start.column), (2, 12));
}

#[test]
fn offsets_in_scalars_map_to_the_file() {
    let text = "# comment\ngroups:\n- expr: |\n    # é\n    sum(x)\n      / y\n  f: >-\n    a +\n    b\n  q: 'it''s x'\n  d: \"a\\tb\\\n    c x\"\n  p: one\n    two\n";
    let document = parse_first(text).unwrap();
    let rule = &document
        .root
        .entry("groups")
        .unwrap()
        .as_sequence()
        .unwrap()[0];
    for (field, wanted) in [
        ("expr", vec!["# é", "sum", "x)", "/", "y"]),
        ("f", vec!["a", "+", "b"]),
        ("q", vec!["it", "x"]),
        ("d", vec!["c x", "x"]),
        ("p", vec!["one", "two"]),
    ] {
        let node = rule.entry(field).unwrap();
        let value = node.as_str().unwrap();
        for part in wanted {
            let at = value.find(part).unwrap();
            let place = document.place_in_scalar(node, at);
            assert!(
                text[place.offset..].starts_with(part),
                "{field} {part}: {place:?}"
            );
            let line = text.lines().nth(place.line - 1).unwrap();
            let there: String = line.chars().skip(place.column - 1).collect();
            assert!(there.starts_with(part), "{field} {part}: {place:?}");
        }
        document.place_in_scalar(node, 10_000);
    }
}

#[test]
fn scalars_mean_what_their_target_says() {
    let text = "[yes, off, 010, 0x1F, 1_000, 1.5, 1e3, ~, '5', \"true\", -.inf, 0b11, 08, y]";
    let document = parse_first(text).unwrap();
    let items = document.root.as_sequence().unwrap();
    let v2 = |at: usize| items[at].resolve(Dialect::V2).unwrap();
    assert_eq!(v2(0), Resolved::Bool(true));
    assert_eq!(items[0].resolve(Dialect::V3), Some(Resolved::Text));
    assert_eq!(v2(1), Resolved::Bool(false));
    assert_eq!(v2(2), Resolved::Int(8));
    assert_eq!(v2(3), Resolved::Int(31));
    assert_eq!(v2(4), Resolved::Int(1000));
    assert_eq!(v2(5), Resolved::Float(1.5));
    assert_eq!(v2(6), Resolved::Float(1000.0));
    assert_eq!(v2(7), Resolved::Null);
    assert_eq!(v2(8), Resolved::Text);
    assert_eq!(v2(9), Resolved::Text);
    assert_eq!(v2(10), Resolved::Float(f64::NEG_INFINITY));
    assert_eq!(v2(11), Resolved::Int(3));
    assert_eq!(v2(12), Resolved::Float(8.0));
    let decoder = Decoder::new(Dialect::V3);
    assert_eq!(decoder.bool(&items[0]), Some(true));
    assert_eq!(decoder.string(&items[7]).as_deref(), Some(""));
    assert_eq!(decoder.string(&items[2]).as_deref(), Some("010"));
    assert_eq!(decoder.int(&items[6]), Some(1000));
    assert_eq!(decoder.count(), 0);
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let text =
        "interval: 5x\nlimit: abc\nlables: {}\nflag: [1]\nlimit: 3\nmap: {a: 1, a: 2}\nzzz: 1\n";
    let found = problems(text, |decoder, root| {
        let mut fields = decoder.fields(root, "t.T");
        fields.duration_ms("interval", 0);
        fields.int("limit", 0);
        fields.string_map("labels");
        fields.bool("flag", false);
        fields.string_map("map");
        fields.finish();
    });
    assert_eq!(
        found,
        [
            "1:11: unknown unit \"x\" in duration \"5x\"",
            "2:8: cannot unmarshal !!str `abc` into int",
            "3:1: field lables not found in type t.T",
            "4:7: cannot unmarshal !!seq into bool",
            "5:1: field limit already set in type t.T",
            "6:13: key \"a\" already set in map",
            "7:1: field zzz not found in type t.T",
        ]
    );
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let text = "base: &b {a: 1, b: 2}\nmore: &m {c: 3, a: 9}\none: {<<: *b, b: 5}\ntwo: {<<: [*b, *m], d: 4}\nlist: [*b]\n";
    let document = parse_first(text).unwrap();
    let two = document.root.entry("two").unwrap();
    let keys: Vec<_> = two
        .as_mapping()
        .unwrap()
        .iter()
        .map(|e| (e.key.as_str().unwrap(), e.value.as_str().unwrap()))
        .collect();
    assert_eq!(keys, [("d", "4"), ("a", "1"), ("b", "2"), ("c", "3")]);
    let one = document.root.entry("one").unwrap();
    assert_eq!(one.entry("b").unwrap().as_str(), Some("5"));
    assert!(parse_first("a: &a [*a]").is_err());
    assert!(parse_first("a: {<<: 5}").is_err());
    assert!(parse_first("a: *nowhere").is_err());
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let item = format!("*a{},", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{item}]").unwrap();
    }
    let error = parse_first(&bomb).unwrap_err();
    assert_eq!(error.message, "yaml: document contains excessive aliasing");
    assert!(parse_first(&"[".repeat(100_000)).is_err());
    assert!(parse_first(&"- ".repeat(100_000)).is_err());
    let mut stairs = String::new();
    for depth in 0..2000 {
        writeln!(stairs, "{}a:", " ".repeat(depth)).unwrap();
    }
    assert!(parse_first(&stairs).is_err());
}

#[test]
fn quoted_scalars_may_go_on_at_any_indentation() {
    let text =
        "é: {}\nrules:\n  - a: \"x \\\n  y\n\n  {{ z }}\n  w\"\n    b: 'it''s\n    so'\n    c: q\n";
    let document = parse_first(text).unwrap();
    let rule = &document.root.entry("rules").unwrap().as_sequence().unwrap()[0];
    let a = rule.entry("a").unwrap();
    assert_eq!(a.as_str(), Some("x y\n{{ z }} w"));
    assert_eq!(rule.entry("b").unwrap().as_str(), Some("it's so"));
    let c = rule.entry("c").unwrap().span.start;
    assert_eq!((c.line, c.column, &text[c.offset..=c.offset]), (10, 8, "q"));
    let place = document.place_in_scalar(a, a.as_str().unwrap().find('w').unwrap());
    assert!(text[place.offset..].starts_with('w'));
    assert_eq!((place.line, place.column), (7, 3));
}

#[test]
fn documents_are_separate_and_the_first_is_enough() {
    let text = "a: 1\n---\nb: 2\n---\n";
    assert_eq!(parse(text).unwrap().len(), 3);
    let first = parse_first("a: 1\n---\n\tbroken: [\n").unwrap();
    assert_eq!(first.root.entry("a").unwrap().as_str(), Some("1"));
    assert!(parse_first("").unwrap().root.is_null());
    assert!(parse_first("# only a comment\n").unwrap().root.is_null());
    assert!(
        parse_first("\u{feff}a: 1")
            .unwrap()
            .root
            .entry("a")
            .is_some()
    );
    assert!(parse_first("a: \u{1}").is_err());
    assert_eq!(utf8(b"a\nb\xff").unwrap_err().column, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_can_hurt_the_reader(text in "[a-c:&*<>|\\-\\[\\]{}\"'#!%@,.~0-1 \\t\\n\u{e9}\\\\?]{0,80}") {
        if let Ok(documents) = parse(&text) {
            for document in documents {
                visit(&document, &document.root);
            }
        }
    }

    #[test]
    fn no_bytes_can_hurt_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = utf8(&bytes) {
            let _ = parse(text);
        }
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}

fn visit(document: &Document, node: &Node) {
    let span = node.span;
    assert!(document.source.is_char_boundary(span.start.offset));
    assert!(document.source.is_char_boundary(span.end.offset));
    match &node.kind {
        Kind::Scalar { text, .. } => {
            for (at, _) in text.char_indices() {
                let place = document.place_in_scalar(node, at);
                assert!(document.source.is_char_boundary(place.offset));
            }
            let decoder = Decoder::new(Dialect::V2);
            decoder.int(node);
            decoder.bool(node);
            decoder.float(node);
            decoder.string(node);
            decoder.duration_ms(node);
        }
        Kind::Sequence(items) => items.iter().for_each(|item| visit(document, item)),
        Kind::Mapping(entries) => {
            for entry in entries {
                visit(document, &entry.key);
                visit(document, &entry.value);
            }
        }
    }
}

/// A rule file with what makes seams hard: quotes and block scalars over lines that look like items,
/// comments, anchors, keys after the list, a second document.
fn listed() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => Just("up == 0"),
        2 => Just("'a: b'"),
        2 => Just("|\n        - name: x\n\n        é\n"),
        1 => Just("'two\n\n      - lines'"),
        1 => Just("\"two\n- name: x\n  far left\""),
        1 => Just("[a,\n      - b]"),
        1 => Just("&a [b, {c: d}]"),
        1 => Just("*a"),
        1 => Just("{<<: {a: b}, c: d}"),
        1 => Just(""),
        1 => Just(">-\n      folded\n       more # no comment\n"),
        1 => Just("plain\n      and more # comment"),
    ];
    let between = prop_oneof![
        12 => Just(""),
        2 => Just("# comment\n"),
        1 => Just("    # - name: x\n"),
        1 => Just("\n\n"),
        1 => Just("other: key\n"),
        1 => Just("---\n"),
        1 => Just("...\n"),
        1 => Just("\t\n"),
    ];
    let item = (value.clone(), value, between);
    let head = prop_oneof![
        6 => Just("groups:\n"),
        1 => Just("---\n# é\ngroups: # here\n\n"),
        1 => Just("\u{feff}a: [b]\ngroups:\n"),
        1 => Just("a:\n- b\ngroups:\n"),
        1 => Just("groups: |\n"),
        1 => Just("groups: plain\n"),
        1 => Just("a: &a b\ngroups:\n"),
    ];
    (head, prop::sample::select(vec!["", "  "]), prop::collection::vec(item, 1..12)).prop_map(
        |(head, blanks, items)| {
            let mut text = head.to_owned();
            for (a, b, between) in items {
                let _ = write!(
                    text,
                    "{blanks}- name: {a}\n{blanks}  rules:\n{blanks}  - expr: {b}\n{blanks}    for: 5m\n{between}"
                );
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_give_the_tree_of_the_whole(text in listed(), pieces in 2_usize..6) {
        if let Some(document) = pieces::parse_in(&text, pieces) {
            let whole = parse::parse_whole(&text).expect("what pieces can be read of can be read whole");
            prop_assert_eq!(document.root, whole.root);
            prop_assert_eq!(document.source, whole.source);
        }
    }
}

#[test]
fn plain_rule_files_are_read_in_pieces() {
    let mut text = "# rules\ngroups:\n".to_owned();
    for n in 0..50 {
        let _ = write!(
            text,
            "  - name: g{n}\n    rules:\n      - expr: |\n          up\n           == {n}\n        record: 'é'\n"
        );
    }
    let whole = parse::parse_whole(&text).unwrap();
    for wanted in 2..8 {
        let document = pieces::parse_in(&text, wanted).expect("nothing hinders it");
        assert_eq!(document.root, whole.root);
    }
    for bad in [
        "  - *x\n",
        "  - &x y\n",
        "  - 'open\n",
        "more: 1\n",
        "---\n- a: b\n",
        "- x\n",
    ] {
        let text = text.replacen("  - name: g25\n", &format!("{bad}  - name: g25\n"), 1);
        assert!(pieces::parse_in(&text, 4).is_none(), "{bad}");
    }
    assert!(pieces::parse_in(&text.replace('\n', "\r\n"), 4).is_none());
}
