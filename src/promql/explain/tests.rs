use proptest::prelude::*;

use super::*;
use crate::model;
use crate::promql::engine::{Engine, QueryOptions};
use crate::promql::parser::{ParseOptions, parse, parse_metric};
use crate::promql::{Error, PointValue, Value};
use crate::storage::Storage as _;
use crate::storage::reference::ReferenceStorage;

const MINUTE_MS: i64 = 60_000;
/// The time that is asked about.
const NOW_MS: i64 = 60 * MINUTE_MS;

/// A store that answers by the plain engine.
struct Store(ReferenceStorage);

impl Store {
    /// Series with a sample per minute; the last value lies at the time that is asked about.
    fn new(series: &[(&str, &[f64])]) -> Self {
        let store = ReferenceStorage::new();
        for (labels, values) in series {
            let labels = parse_metric(labels).unwrap();
            let first = NOW_MS - (values.len() as i64 - 1) * MINUTE_MS;
            let mut batch = store.appender();
            for (at, value) in values.iter().enumerate() {
                let sample = model::Sample::float(first + at as i64 * MINUTE_MS, *value);
                batch.append(None, &labels, sample).unwrap();
            }
            batch.commit().unwrap();
        }
        Self(store)
    }
}

impl Ask for Store {
    type Error = Error;

    fn query(&mut self, query: &str) -> Result<Vec<Sample>, Error> {
        let expr =
            parse(query, &ParseOptions::all()).map_err(|errors| panic!("{query}: {errors:?}"));
        let expr = expr.unwrap();
        let answer = Engine::default().instant(&self.0, &expr, NOW_MS, &QueryOptions::default())?;
        Ok(match answer.value {
            Value::Vector(samples) => samples
                .into_iter()
                .map(|sample| Sample {
                    value: match sample.value {
                        PointValue::Float(v) => Some(v),
                        PointValue::Histogram(_) => None,
                    },
                    labels: sample.labels,
                })
                .collect(),
            Value::Scalar { v, .. } => vec![Sample {
                labels: Labels::empty(),
                value: Some(v),
            }],
            Value::String { .. } | Value::Matrix(_) => Vec::new(),
        })
    }

    fn metric_names(&mut self) -> Result<Vec<String>, Error> {
        Ok(["up", "load", "requests_total", "gone", "limit"]
            .map(str::to_owned)
            .to_vec())
    }
}

fn store() -> Store {
    Store::new(&[
        (r#"up{job="node",instance="a"}"#, &[1.0; 10]),
        (r#"up{job="node",instance="b"}"#, &[1.0; 10]),
        (r#"up{job="db",instance="c"}"#, &[1.0; 10]),
        (r#"load{instance="a"}"#, &[0.5; 10]),
        (r#"load{instance="b"}"#, &[2.25; 10]),
        (
            r#"requests_total{instance="a",code="200"}"#,
            &[0.0, 60.0, 120.0, 180.0],
        ),
        (r#"requests_total{instance="fresh",code="500"}"#, &[1.0]),
        (r#"limit{zone="x"}"#, &[3.0; 10]),
    ])
}

fn why(expr: &str) -> Vec<String> {
    let any = |_: &Labels| true;
    lines(expr, &any)
}

fn lines(expr: &str, wanted: &dyn Fn(&Labels) -> bool) -> Vec<String> {
    let expr = parse(expr, &ParseOptions::all()).unwrap();
    let lines = why_nothing(&expr, wanted, &mut store()).unwrap();
    let indent = |line: Line| format!("{}{}", "  ".repeat(line.depth), line.text);
    lines.into_iter().map(indent).collect()
}

#[test]
fn what_finds_something_needs_no_words() {
    assert!(why("up == 1").is_empty());
    assert!(why("absent(gone)").is_empty());
}

#[test]
fn a_comparison_tells_the_nearest_value() {
    assert_eq!(
        why("load > 4"),
        [r#"load has 2 series, none > 4; the nearest is 2.25 {instance="b"}"#]
    );
    assert_eq!(
        why(r#"load{instance="a"} > 4"#),
        [r#"load{instance="a"} is 0.5 {instance="a"}, which is not > 4"#]
    );
    assert_eq!(
        why("4 < load"),
        [r#"load has 2 series, none where 4 < it; the nearest is 2.25 {instance="b"}"#]
    );
    assert_eq!(
        why("sum(load) > scalar(limit)"),
        ["sum(load) is 2.75 {}, which is not > 3"]
    );
    assert_eq!(
        why("sum by (instance) (max_over_time(requests_total{code=~\"2..\"}[5m])) > 999"),
        [
            r#"sum by (instance) (max_over_time(requests_total{code=~"2.."}[5m])) is 180 {instance="a"}, which is not > 999"#
        ]
    );
}

#[test]
fn labels_in_question_narrow_the_answer() {
    let a = |labels: &Labels| labels.get("instance").is_none_or(|value| value == "a");
    assert_eq!(
        lines("load > 1", &a),
        [r#"load is 0.5 {instance="a"}, which is not > 1"#]
    );
    let z = |labels: &Labels| labels.get("instance").is_none_or(|value| value == "z");
    assert_eq!(
        lines("load > 1", &z),
        ["load finds 2 series, but none with these labels"]
    );
}

#[test]
fn a_metric_may_be_unknown_misspelt_or_gone() {
    assert_eq!(
        why("rate(request_totals[5m]) > 0"),
        [
            "request_totals[5m] finds nothing: no metric here was ever named request_totals; did you mean requests_total?"
        ]
    );
    assert_eq!(
        why("something_else == 1"),
        ["something_else finds nothing: no metric here was ever named something_else"]
    );
    assert_eq!(
        why("gone"),
        [
            "gone finds nothing: gone has been seen here, but has no sample at this time; does its target still answer?"
        ]
    );
}

#[test]
fn the_matcher_that_fits_none_is_named() {
    assert_eq!(
        why(r#"up{job="nodes"} == 0"#),
        [
            r#"up{job="nodes"} finds nothing, though up has 3 series:"#,
            r#"  without job="nodes" it would find some: did you mean job="node"?"#,
        ]
    );
    assert_eq!(
        why(r#"up{job="node",zone="x"}"#),
        [
            r#"up{job="node",zone="x"} finds nothing, though up has 3 series:"#,
            r#"  without zone="x" it would find some: no such series has a label zone"#,
        ]
    );
    assert_eq!(
        why(r#"up{job="cache",zone="x"}"#),
        [
            r#"up{job="cache",zone="x"} finds nothing, though up has 3 series:"#,
            "  no series fits all the rest when one matcher is left out: at least two of them fit none together",
        ]
    );
    assert_eq!(why(r#"{job="web"}"#), [r#"{job="web"} finds nothing"#]);
}

#[test]
fn ranges_may_hold_too_few_samples() {
    assert_eq!(
        why(r#"rate(requests_total{code="500"}[5m]) > 0"#),
        [
            r#"requests_total{code="500"}[5m] has one sample for each of 1 series: too few for rate()"#
        ]
    );
    assert_eq!(
        why("absent_over_time(up[5m])"),
        ["up[5m] has samples of 3 series, so absent_over_time() is silent"]
    );
    assert_eq!(
        why("absent(up)"),
        ["up finds 3 series, so absent() is silent"]
    );
}

#[test]
fn sides_without_partners_are_compared_by_their_labels() {
    assert_eq!(
        why("load > limit"),
        [
            "`>` finds no two series whose labels agree:",
            r#"  load has 2 series, such as {instance="a"}"#,
            r#"  limit has 1 series, such as {zone="x"}"#,
            "  only the left side has the labels instance",
            "  only the right side has the labels zone",
        ]
    );
    assert_eq!(
        why("load > on (instance) up * 100"),
        [
            r#"> holds for none of 2 pairs of series; in the nearest the left side is greater by -97.75 {instance="b"}"#
        ]
    );
    assert_eq!(
        why("load > 1 and on (instance) up == 0"),
        [
            "load > 1 holds, but the other side of `and` does not:",
            r#"  up has 3 series, none == 0; the nearest is 1 {instance="a", job="node"}"#,
        ]
    );
    assert_eq!(
        why("load unless on (instance) up"),
        ["all of 2 series of load are taken away by `unless` up"]
    );
    assert_eq!(
        why("gone or load > 9"),
        [
            "gone finds nothing: gone has been seen here, but has no sample at this time; does its target still answer?",
            r#"load has 2 series, none > 9; the nearest is 2.25 {instance="b"}"#,
        ]
    );
}

#[test]
fn a_long_chain_ends_in_bounded_questions() {
    let long = vec!["gone"; 400].join(" or ");
    let lines = why(&long);
    assert!(lines.len() < 100, "{}", lines.len());
    assert!(lines.iter().any(|line| line.contains("too many parts")));
}

/// Expressions of parts that find something, nothing, and too little.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "up",
        "load",
        "gone",
        "limit",
        "1",
        "vector(2)",
        "up{job=\"x\"}",
        "rate(requests_total[2m])",
        "absent(up)",
        "avg_over_time(load[3m:1m])",
        "time()",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                (
                    inner.clone(),
                    prop::sample::select(vec![
                        "+",
                        ">",
                        "<=",
                        "==",
                        "and",
                        "or",
                        "unless",
                        "/ on (instance)"
                    ]),
                    inner.clone()
                )
                    .prop_map(|(l, op, r)| format!("({l}) {op} ({r})")),
                (
                    prop::sample::select(vec!["sum", "max by (job)", "abs", "absent"]),
                    inner
                )
                    .prop_map(|(f, e)| format!("{f}({e})")),
            ]
        })
}

proptest! {
    #[test]
    fn silence_is_always_explained(text in expressions()) {
        if let Ok(expr) = parse(&text, &ParseOptions::all()) {
            let empty = matches!(store().query(&text), Ok(samples) if samples.is_empty());
            if let Ok(lines) = why_nothing(&expr, &|_| true, &mut store()) {
                prop_assert_eq!(empty, !lines.is_empty(), "{}: {:?}", text, lines);
            }
        }
    }
}
