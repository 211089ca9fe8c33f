use proptest::prelude::*;

use crate::time::Span;

use super::*;

fn problems(text: &str) -> Vec<String> {
    parse(text, &FileOptions::default())
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn groups_and_rules_are_read() {
    let file = parse(
        "groups:\n- name: a\n  interval: 30s\n  limit: 5\n  labels: {team: db, tier: one}\n  rules:\n  - record: a:b\n    expr: sum(up)\n  - alert: Down\n    expr: up == 0\n    for: 5m\n    labels: {tier: two}\n    annotations: {summary: '{{ $value }}'}\n- name: b\n  query_offset: 0s\n",
        &FileOptions::default(),
    )
    .unwrap();
    assert_eq!(file.groups.len(), 2);
    let group = &file.groups[0];
    assert_eq!(group.rules[1].hold, Span::minutes(5));
    assert_eq!(group.rules[1].kind, FileRuleKind::Alerting);
    let options = group.options("f.yml", Span::minutes(1), Span::seconds(7));
    assert_eq!(options.interval, Span::seconds(30));
    assert_eq!(options.query_offset, Span::seconds(7));
    assert_eq!(
        options.rules[1].labels().to_string(),
        r#"{team="db", tier="two"}"#
    );
    let options = file.groups[1].options("f.yml", Span::minutes(1), Span::seconds(7));
    assert_eq!(options.interval, Span::minutes(1));
    assert_eq!(options.query_offset, Span::ZERO);
    assert!(
        parse("", &FileOptions::default())
            .unwrap()
            .groups
            .is_empty()
    );
}

#[test]
fn misplaced_fields_are_told_where_to_go() {
    let text = "groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up == 0\n    severity: page\n    summary: s\n    exp: 1\n";
    let problems = parse(text, &FileOptions::default()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "6:5: field severity not found in type rulefmt.Rule"
    );
    let hints: Vec<_> = problems
        .iter()
        .map(|p| p.hint.as_deref().unwrap())
        .collect();
    assert_eq!(
        hints,
        [
            "move `severity` under `labels:`",
            "move `summary` under `annotations:`",
            "did you mean `expr`?"
        ]
    );
    let options = FileOptions {
        ignore_unknown_fields: true,
        ..FileOptions::default()
    };
    assert!(parse(text, &options).is_ok());
}

#[test]
fn errors_in_expressions_stand_where_they_are() {
    assert_eq!(
        problems(
            "groups:\n- name: a\n  rules:\n  - record: x\n    expr: |\n      sum(up)\n      + foo bar\n  - alert: Y\n    expr: 'up{job=}'\n"
        ),
        [
            "7:13: group \"a\", rule 1, \"x\": could not parse expression: 2:7: parse error: unexpected identifier \"bar\"",
            "9:19: group \"a\", rule 2, \"Y\": could not parse expression: 1:8: parse error: unexpected \"}\" in label matching, expected string",
        ]
    );
}

#[test]
fn errors_in_templates_stand_where_they_are() {
    let found = problems(
        "groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    annotations:\n      summary: ok {{ $nope }}\n",
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("7:") && found[0].contains("annotation \"summary\": "),
        "{}",
        found[0]
    );
}

#[test]
fn all_rules_are_checked() {
    assert_eq!(
        problems(
            "groups:\n- name: a\n  rules:\n  - record: x\n    alert: y\n    expr: up\n  - expr: up\n  - record: z\n    for: 1m\n    expr: 1\n    labels: {__name__: q}\n- name: a\n- name: ''\n"
        ),
        [
            "5:12: group \"a\", rule 1, \"y\": only one of 'record' and 'alert' must be set",
            "7:5: group \"a\", rule 2, \"\": one of 'record' or 'alert' must be set",
            "8:13: group \"a\", rule 3, \"z\": invalid field 'for' in recording rule",
            "11:14: group \"a\", rule 3, \"z\": invalid label name: __name__",
            "12:9: groupname: \"a\" is repeated in the same file",
            "13:9: Groupname must not be empty",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_can_hurt(text in "(groups:\\n- name: a\\n  rules:\\n  - )?[ \\n\\-a-z:{}$()\"'|>0-9]{0,60}") {
        let _ = parse(&text, &FileOptions::default());
    }
}
