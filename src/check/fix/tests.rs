use super::*;
use crate::alerting::matchers::Syntax;
use crate::check::lint::Routing;

fn fixed(text: &str, format: bool) -> Repaired {
    let options = FileOptions::default();
    let find = |text: &str| findings_of_rules("r.yml", text, &options, format);
    repair(text, FileKind::Rules(&options), &find)
}

fn rules(text: &str) -> String {
    format!("groups:\n- name: a\n  rules:\n{text}")
}

#[test]
fn misplaced_fields_move_where_they_belong() {
    for (before, after) in [
        (
            "  - alert: A\n    expr: up == 0\n    severity: page # loud\n    for: 5m\n",
            "  - alert: A\n    expr: up == 0\n    labels:\n      severity: page # loud\n    for: 5m\n",
        ),
        (
            "  - alert: A\n    severity: page\n    expr: up == 0\n    team: db\n    summary: s\n",
            "  - alert: A\n    labels:\n      severity: page\n      team: db\n    expr: up == 0\n    annotations:\n      summary: s\n",
        ),
        (
            "  - alert: A\n    labels:\n      team: db\n    # why\n    expr: up == 0\n    severity: page\n",
            "  - alert: A\n    labels:\n      team: db\n      severity: page\n    # why\n    expr: up == 0\n",
        ),
        (
            "  - alert: A\n    labels: {team: db}\n    expr: up == 0\n    severity: page\n",
            "  - alert: A\n    labels: {team: db, severity: page}\n    expr: up == 0\n",
        ),
    ] {
        let repaired = fixed(&rules(before), false);
        assert_eq!(repaired.text, rules(after), "{repaired:?}");
        assert!(repaired.refused.is_empty());
    }
}

#[test]
fn what_has_two_answers_is_left_alone() {
    for text in [
        "  - alert: A\n    expr: up == 0\n    labels: {severity: info}\n    severity: page\n",
        "  - alert: A\n    expr: up == 0\n    labels:\n      a: 1\n      a: 2\n",
        "  - alert: A\n    expr: up == 0\n    colour: red\n",
    ] {
        assert_eq!(fixed(&rules(text), false).text, rules(text));
    }
}

#[test]
fn duplicated_keys_and_unquoted_templates() {
    let before = "  - alert: A\n    expr: up == 0\n    for: 5m\n    labels:\n      a: x\n      b: y\n      a: x\n    for: 5m\n    annotations:\n      summary: {{ $labels.job }}'s down\n";
    let after = "  - alert: A\n    expr: up == 0\n    for: 5m\n    labels:\n      a: x\n      b: y\n    annotations:\n      summary: '{{ $labels.job }}''s down'\n";
    assert_eq!(fixed(&rules(before), false).text, rules(after));
}

#[test]
fn keys_are_ordered_as_in_the_other_rules() {
    let good = |n: usize| format!("  - alert: A{n}\n    expr: up == {n}\n    labels: {{a: b}}\n");
    let many: String = (0..10).map(good).collect();
    let before = format!(
        "{many}  - expr: |\n      up\n      == 0\n    # the name\n    labels: {{a: b}}\n    alert: Z\n"
    );
    let after = format!(
        "{many}  - alert: Z\n    expr: |\n      up\n      == 0\n    # the name\n    labels: {{a: b}}\n"
    );
    assert_eq!(fixed(&rules(&before), false).text, rules(&after));
}

#[test]
fn expressions_are_laid_out() {
    let before = "  - alert: A\n    expr: sum(rate(a[5m]))by(job)>1 # why\n  - alert: B\n    expr: |\n      sum( up )\n      == 0\n    for: 5m\n  - alert: C\n    expr: |\n      up # comment\n      ==   0\n";
    let after = "  - alert: A\n    expr: sum by (job) (rate(a[5m])) > 1 # why\n  - alert: B\n    expr: sum(up) == 0\n    for: 5m\n  - alert: C\n    expr: |\n      up # comment\n      ==   0\n";
    assert_eq!(fixed(&rules(before), true).text, rules(after));
    assert_eq!(fixed(&rules(before), false).text, rules(before));
    let long = format!(
        "  - alert: A\n    expr: 'sum(rate({}[5m]))   /sum(rate({}[5m])) > 1'\n    for: 5m\n",
        "a".repeat(60),
        "b".repeat(60)
    );
    let repaired = fixed(&rules(&long), true);
    assert!(repaired.text.contains("    expr: |2\n"), "{repaired:?}");
    assert!(
        fixed(&repaired.text, true).done.is_empty(),
        "{}",
        repaired.text
    );
}

#[test]
fn deprecated_matchers_become_matchers() {
    let before = "route:\n  receiver: a\n  routes:\n  - match:\n      severity: critical\n    match_re:\n      team: a|b\n    receiver: a # x\ninhibit_rules:\n- source_match: {severity: critical}\n  target_match:\n    severity: warning\nreceivers: [{name: a}]\n";
    let after = "route:\n  receiver: a\n  routes:\n  - matchers:\n    - severity=\"critical\"\n    - team=~\"a|b\"\n    receiver: a # x\ninhibit_rules:\n- source_matchers:\n  - severity=\"critical\"\n  target_matchers:\n  - severity=\"warning\"\nreceivers: [{name: a}]\n";
    let find = |text: &str| {
        let routing = Routing::parse("am.yml", text, Syntax::default());
        routing
            .map(|routing| deprecated_matchers(&routing))
            .unwrap_or_default()
    };
    let repaired = repair(before, FileKind::Router, &find);
    assert_eq!(repaired.text, after, "{repaired:?}");
    assert!(find(after).is_empty());
}

#[test]
fn changes_of_meaning_are_refused() {
    let options = FileOptions::default();
    let kind = FileKind::Rules(&options);
    let one = rules("  - alert: A\n    expr: up == 0\n");
    assert!(meaning::check(&one, &one.replace("up == 0", "(up  ==  0)"), kind).is_err());
    assert!(meaning::check(&one, &one.replace("up == 0", "up  ==  0"), kind).is_ok());
    assert!(meaning::check(&one, &one.replace("up == 0", "up == 1"), kind).is_err());
    assert!(meaning::check(&one, &one.replace("expr", "exp"), kind).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_can_hurt(text in "(groups:\\n- name: a\\n  rules:\\n  - )?([a-z]{1,3}|alert|expr|severity|labels|for|annotations|: |\\n    |\\n  - |\\{\\{|\\}\\}|[#'\"|>,\\[\\]{} ]|up == 0){0,40}") {
        let repaired = fixed(&text, true);
        let again = fixed(&repaired.text, true);
        proptest::prop_assert!(again.done.is_empty() || again.text == repaired.text || repaired.done.len() > 3, "{:?} {:?}", repaired, again);
    }
}

#[test]
fn rules_in_braces_are_mended() {
    let file = |rule: &str| format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
    let options = FileOptions::default();
    for (before, after) in [
        (
            "{alert: A, expr: up, severity: page}",
            "{alert: A, expr: up, labels: {severity: page}}",
        ),
        (
            "{severity: page, alert: A, expr: up, team: \"a b\"}",
            "{labels: {severity: page, team: \"a b\"}, alert: A, expr: up}",
        ),
        (
            "{severity: page, alert: A, labels: {x: y}, expr: up}",
            "{alert: A, labels: {x: y, severity: page}, expr: up}",
        ),
        (
            "{alert: A, labels: {}, expr: up, severity: page }",
            "{alert: A, labels: {severity: page}, expr: up }",
        ),
        (
            "{alert: A, labels: {severity: x}, expr: up, severity: page}",
            "{alert: A, labels: {severity: x}, expr: up, severity: page}",
        ),
    ] {
        let find = |text: &str| findings_of_rules("r.yml", text, &options, false);
        let repaired = repair(&file(before), FileKind::Rules(&options), &find);
        assert_eq!(repaired.text, file(after));
    }
}

#[test]
fn rules_of_objects_are_mended() {
    let text = |rule: &str| {
        let object = format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: n}}\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: A # note\n      expr: up\n{rule}"
        );
        format!("{object}---\n{object}")
    };
    let options = FileOptions::default();
    let find = |text: &str| findings_of_rules("r.yml", text, &options, false);
    let repaired = repair(
        &text("      severity: page\n"),
        FileKind::Rules(&options),
        &find,
    );
    assert!(repaired.refused.is_empty(), "{:?}", repaired.refused);
    assert_eq!(
        repaired.text,
        text("      labels:\n        severity: page\n")
    );
}
