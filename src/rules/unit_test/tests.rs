use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::file::{UnitTestFile, parse};
use super::load::load;
use super::reach::reach;
use super::*;
use crate::promql::engine::{Engine, EngineOptions};
use crate::promql::parser::ParseOptions;
use crate::rules::file::{self, FileOptions};

fn groups(rules: &str) -> Vec<LoadedGroup> {
    let file = file::parse(rules, &FileOptions::default()).unwrap();
    let loaded = |group| LoadedGroup {
        file: "r.yml".to_owned(),
        group: Arc::new(group),
    };
    file.groups.into_iter().map(loaded).collect()
}

/// The failures of every group, in promtool's words.
fn failures(tests: &UnitTestFile, groups: &[LoadedGroup], every_rule: bool) -> Vec<String> {
    let engine = Engine::new(EngineOptions::default());
    let harness = Harness {
        engine: &engine,
        parse_options: &ParseOptions::default(),
        groups,
        graph: &RuleGraph::new(groups),
        every_rule,
        dump: false,
    };
    let results = tests
        .tests
        .iter()
        .map(|group| run_group(tests, group, &harness));
    let failures = results.flat_map(|result| result.failures);
    failures
        .map(|failure| format!("{:?} {}", failure.place, failure.message))
        .collect()
}

/// The names of the rules that the first group of a test file asks about, and of those that it needs.
fn reached(rules: &str, tests: &str) -> (Vec<String>, Vec<String>) {
    let groups = groups(rules);
    let graph = RuleGraph::new(&groups);
    let tests = parse(tests, false).unwrap();
    let group = &tests.tests[0];
    let input = load(group).unwrap();
    let reach = reach(&graph, group, &input, ParseOptions::default());
    let name = |index: &usize| graph.rules[*index].rule.name.clone();
    (
        reach.asked.iter().map(name).collect(),
        reach.needed.iter().map(name).collect(),
    )
}

fn asked(rules: &str, tests: &str) -> Vec<String> {
    reached(rules, tests).0
}

fn needed(rules: &str, tests: &str) -> Vec<String> {
    reached(rules, tests).1
}

/// A file of one group with these rules, each `record NAME EXPR` or `alert NAME EXPR`.
fn rule_file(rules: &[&str]) -> String {
    let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
    for rule in rules {
        let mut parts = rule.splitn(3, ' ');
        let mut part = || parts.next().unwrap();
        let _ = writeln!(text, "  - {}: {}\n    expr: '{}'", part(), part(), part());
    }
    text
}

const RULES: [&str; 8] = [
    "record a sum by (x) (in1)",
    "record b max(a)",
    "alert A b > 1",
    "record c rate(in2[5m])",
    "alert B absent(up)",
    "alert C ALERTS{alertname=\"B\", alertstate=\"firing\"}",
    "alert D in2 * on (x) group_left () in2",
    "alert E {__name__=~\"c|other\"} > 1",
];

fn test_file(series: &str, tests: &str) -> String {
    format!("tests:\n- interval: 1m\n  input_series: [{series}]\n{tests}\n")
}

#[test]
fn only_what_feeds_an_alert_is_asked_about() {
    let rules = rule_file(&RULES);
    let ask = |alert: &str| {
        let tests = format!("  alert_rule_test: [{{eval_time: 5m, alertname: {alert}}}]");
        asked(
            &rules,
            &test_file("{series: 'in1{x=\"1\"}', values: '1+1x5'}", &tests),
        )
    };
    assert_eq!(ask("A"), ["a", "b", "A"]);
    assert_eq!(ask("C"), ["B", "C"]);
    assert_eq!(ask("E"), ["c", "E"]);
    assert!(ask("Nobody").is_empty());
}

#[test]
fn expressions_reach_rules_by_every_kind_of_selector() {
    let rules = rule_file(&RULES);
    let ask = |expr: &str| {
        let tests = format!("  promql_expr_test: [{{eval_time: 5m, expr: '{expr}'}}]");
        asked(&rules, &test_file("", &tests))
    };
    assert_eq!(ask("b"), ["a", "b"]);
    assert_eq!(ask("rate({__name__=~\"c|d\"}[5m])"), ["c"]);
    assert_eq!(ask("ALERTS_FOR_STATE{alertname=~\"B|Z\"}"), ["B"]);
    assert_eq!(ask("{alertname=\"B\"}"), ["a", "b", "c", "B"]);
    assert_eq!(ask("count({x=\"1\"})").len(), RULES.len());
    assert_eq!(ask("in1"), [""; 0]);
    // Of alerts with labels that nobody knows, two may become the same alert.
    assert_eq!(needed(&rules, &test_file("", "")), ["B", "C"]);
}

#[test]
fn an_error_in_a_rule_that_nobody_asks_about_is_reported() {
    let rules = rule_file(&RULES);
    let series = "{series: 'in2{x=\"1\", y=\"1\"}', values: '1+1x5'}, {series: 'in2{x=\"1\", y=\"2\"}', values: '1+1x5'}";
    let tests = test_file(
        series,
        "  alert_rule_test: [{eval_time: 5m, alertname: Nobody}]",
    );
    assert!(needed(&rules, &tests).contains(&"D".to_owned()));
    let found = failures(&parse(&tests, false).unwrap(), &groups(&rules), false);
    assert!(
        found[0].contains("many-to-many matching not allowed"),
        "{found:?}"
    );
}

#[test]
fn a_template_that_asks_queries_reads_everything() {
    let rules = "groups:\n- name: g\n  rules:\n  - {record: a, expr: in1}\n  - alert: A\n    expr: up\n    annotations: {x: '{{ query \"a\" | first | value }}'}\n";
    let tests = test_file("", "  alert_rule_test: [{eval_time: 5m, alertname: A}]");
    assert_eq!(needed(rules, &tests), ["a", "A"]);
}

#[test]
fn series_that_end_too_early_are_remarked_upon() {
    let rules = groups(&rule_file(&RULES));
    let graph = RuleGraph::new(&rules);
    let engine = Engine::new(EngineOptions::default());
    let harness = Harness {
        engine: &engine,
        parse_options: &ParseOptions::default(),
        groups: &rules,
        graph: &graph,
        every_rule: false,
        dump: false,
    };
    let series = "{series: up, values: '1x5'}, {series: down, values: '1 stale'}, {series: long, values: '1x10'}";
    let tests = "  alert_rule_test: [{eval_time: 10m, alertname: Nobody}]";
    let file = parse(&test_file(series, tests), false).unwrap();
    let remarks = run_group(&file, &file.tests[0], &harness).remarks;
    let remarks: Vec<&str> = remarks.iter().map(|r| r.message.as_str()).collect();
    assert_eq!(
        remarks,
        [
            "the series up ends at 5m, but a test looks at 10m; write `stale` or `_` last if that is meant",
            "no rule makes an alert Nobody",
        ]
    );
}

fn selector() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["m0", "m1", "r0", "r1", "r2"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "m0{a=\"x\"}", "m1{a!=\"x\"}", "r1{a=~\"x|y\"}", "{__name__=~\"m.|r1\"}", "{a=\"x\"}",
            "ALERTS", "ALERTS{alertname=\"A0\"}", "ALERTS_FOR_STATE{team=\"t\"}", "{__name__!=\"m0\", b=~\".+\"}",
        ]).prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    selector().prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (
                prop::sample::select(vec![
                    "abs(E)",
                    "sum(E)",
                    "sum by (a) (E)",
                    "max without (b) (E)",
                    "count by (a, b) (E)",
                    "topk(1, E)",
                    "absent(E)",
                    "-E",
                    "E > 1",
                    "E * 2",
                    "E > bool 0",
                    "1 - E",
                    "scalar(E)",
                    "vector(scalar(E))",
                    "label_replace(E, \"b\", \"z\", \"a\", \".*\")",
                    "count_values(\"v\", E)",
                    "quantile(0.5, E)",
                    "sum_over_time(E[3m:1m])",
                    "histogram_quantile(0.9, E)",
                    "sort(E)",
                    "timestamp(E)",
                    "(E)",
                ]),
                inner.clone()
            )
                .prop_map(|(shape, e)| shape.replace('E', &format!("({e})"))),
            (
                prop::sample::select(vec![
                    "L + R",
                    "L and R",
                    "L or R",
                    "L unless R",
                    "L / on (a) R",
                    "L / on (a) group_left () R",
                    "L * ignoring (b) R",
                    "L > R",
                    "L == on (a, b) R",
                    "L or on (a) R",
                    "L * on (a) group_right (b) R",
                ]),
                inner.clone(),
                inner
            )
                .prop_map(|(shape, l, r)| {
                    shape
                        .replace('L', "\u{1}")
                        .replace('R', &format!("({r})"))
                        .replace('\u{1}', &format!("({l})"))
                }),
            prop::sample::select(vec!["m0", "m1", "{a=\"y\"}", "r0"]).prop_flat_map(|m| {
                prop::sample::select(vec![
                    "rate",
                    "sum_over_time",
                    "absent_over_time",
                    "changes",
                    "last_over_time",
                ])
                .prop_map(move |f| format!("{f}({m}[3m])"))
            }),
        ]
    })
}

/// Expressions that are right and that rules may have.
fn query() -> impl Strategy<Value = String> {
    expression().prop_filter("must parse", |text| {
        crate::promql::parser::parse(text, &ParseOptions::default()).is_ok()
    })
}

fn rules() -> impl Strategy<Value = String> {
    let labels = prop::sample::select(vec![
        "{}",
        "{}",
        "{team: t}",
        "{a: x}",
        "{b: '{{ $labels.a }}'}",
    ]);
    let head = prop::sample::select(vec![
        "record: r0",
        "record: r1",
        "record: r2",
        "alert: A0",
        "alert: A1",
        "alert: A2",
    ]);
    let limit = prop::sample::select(vec![0, 0, 0, 1]);
    let rule = (head, query(), labels).prop_map(|(head, expr, labels)| {
        let hold = if head.starts_with("alert") {
            ", for: 1m"
        } else {
            ""
        };
        format!("  - {{{head}, expr: '{expr}', labels: {labels}{hold}}}\n")
    });
    let group = (prop::collection::vec(rule, 1..5), limit);
    prop::collection::vec(group, 1..3).prop_map(|groups| {
        let mut text = "groups:\n".to_owned();
        for (index, (rules, limit)) in groups.into_iter().enumerate() {
            let _ = write!(
                text,
                "- name: g{index}\n  limit: {limit}\n  rules:\n{}",
                rules.concat()
            );
        }
        text
    })
}

fn tests() -> impl Strategy<Value = String> {
    let series = (
        0..2,
        prop::sample::select(vec!["x", "y"]),
        prop::sample::select(vec!["", ",b=\"1\"", ",b=\"2\""]),
        0..3_usize,
    );
    let alert = prop::sample::select(vec!["A0", "A1", "A2", "A3"]);
    (
        prop::collection::vec(series, 0..5),
        prop::collection::vec(alert, 0..2),
        prop::collection::vec(query(), 0..2),
    )
        .prop_map(|(series, alerts, queries)| {
            let mut text = "tests:\n- interval: 1m\n  input_series:\n".to_owned();
            for (metric, a, b, values) in series {
                let values = ["0+1x6", "1 1 stale 1 1", "5-1x3 _ 2"][values];
                let _ = writeln!(
                    text,
                    "  - {{series: 'm{metric}{{a=\"{a}\"{b}}}', values: '{values}'}}"
                );
            }
            text += "  alert_rule_test:\n";
            for alert in alerts {
                let _ = writeln!(text, "  - {{eval_time: 4m, alertname: {alert}}}");
            }
            text += "  promql_expr_test:\n";
            for query in queries {
                let _ = writeln!(text, "  - {{eval_time: 4m, expr: '{query}'}}");
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Leaving rules out changes no verdict and no word of it.
    #[test]
    fn verdicts_are_those_of_a_run_of_every_rule(rules in rules(), tests in tests()) {
        // Templates in labels make some rules records with braces in label values: fine, but not all are right.
        prop_assume!(file::parse(&rules, &FileOptions::default()).is_ok());
        let groups = groups(&rules);
        let tests = parse(&tests, false).unwrap();
        prop_assert_eq!(failures(&tests, &groups, false), failures(&tests, &groups, true));
    }
}
