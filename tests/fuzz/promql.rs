//! What is asked of PromQL: lexer, parser, type check, printers and evaluator.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use watchfire::model::{Labels, Sample, SampleValue};
use watchfire::promql::ast::{Expr, ValueType};
use watchfire::promql::engine::{Engine, EngineOptions, QueryOptions, Stop};
use watchfire::promql::notation::{SequenceValue, parse_series_line};
use watchfire::promql::parser::{ParseOptions, parse, parse_bytes, parse_metric_selector, tokens};
use watchfire::promql::{Value, pretty};
use watchfire::storage::Storage;
use watchfire::storage::reference::ReferenceStorage;

use super::targets::text;

/// What an input byte stands for in the targets that read pieces: most strings of these are nearly queries, so
/// that what lies behind the parser is reached.
const PIECES: &[&str] = &[
    "a",
    "b",
    "h",
    "c_total",
    "a{x=\"1\"}",
    "{__name__=~\"a|b|h\"}",
    "a{y!~\"2.*\"}",
    "missing",
    "1",
    "0",
    "-1.5",
    "0.9",
    "NaN",
    "Inf",
    "5m",
    "1e300",
    "\"x\"",
    "\"y\"",
    "\"(.*)\"",
    "\"$1\"",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "atan2",
    "==",
    "!= bool",
    ">",
    "<= bool",
    "and",
    "or",
    "unless",
    "</",
    ">/",
    "on (x)",
    "ignoring (y)",
    "group_left ()",
    "group_right (y)",
    "fill (0)",
    "fill_left (1)",
    "fill_right (2)",
    "(",
    "(",
    ")",
    ")",
    ")",
    ",",
    ",",
    "[5m]",
    "[10m:1m]",
    "[1h:]",
    "[30s]",
    "[step() * 2]",
    "offset 5m",
    "offset -1m",
    "@ 300",
    "@ end()",
    "@ start()",
    "anchored",
    "smoothed",
    "sum (",
    "avg by (x) (",
    "min (",
    "count (",
    "stddev (",
    "group without (x) (",
    "topk (2,",
    "bottomk (1,",
    "quantile (0.5,",
    "count_values (\"v\",",
    "limitk (1,",
    "limit_ratio (-0.5,",
    "rate (",
    "increase (",
    "delta (",
    "irate (",
    "deriv (",
    "resets (",
    "changes (",
    "predict_linear (",
    "absent (",
    "absent_over_time (",
    "avg_over_time (",
    "sum_over_time (",
    "quantile_over_time (0.9,",
    "mad_over_time (",
    "ts_of_max_over_time (",
    "last_over_time (",
    "first_over_time (",
    "double_exponential_smoothing (",
    "histogram_quantile (0.9,",
    "histogram_fraction (0, 1,",
    "histogram_avg (",
    "histogram_count (",
    "histogram_stddev (",
    "label_replace (",
    "label_join (",
    "sort (",
    "sort_by_label (",
    "abs (",
    "round (",
    "clamp (",
    "ln (",
    "sgn (",
    "vector (",
    "scalar (",
    "time ()",
    "timestamp (",
    "day_of_month (",
    "month (",
    "info (",
    "pi ()",
];

/// The query that the input's bytes choose pieces of.
fn pieces(input: &[u8]) -> String {
    let chosen = input
        .iter()
        .filter(|byte| **byte != b'\n')
        .take(60)
        .filter_map(|byte| PIECES.get(usize::from(*byte) % PIECES.len()).copied());
    chosen.collect::<Vec<_>>().join(" ")
}

/// Tokens follow each other without overlap, inside the text.
pub fn promql_lex(input: &[u8]) {
    let mut end = 0;
    for token in tokens(input) {
        assert!(token.start >= end && token.end >= token.start && token.end <= input.len());
        end = token.end;
    }
}

/// Errors lie inside the text and name a place.
pub fn promql_parse(input: &[u8]) {
    for options in [ParseOptions::all(), ParseOptions::default()] {
        if let Err(errors) = parse_bytes(input, &options) {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.pos.start <= error.pos.end.max(input.len()));
                assert!(error.line >= 1 && error.column >= 1);
                black_box(error.to_string());
            }
        }
    }
    let _ = parse_metric_selector(&text(input));
}

/// What passes the type check has the types that it promises, in every node.
pub fn promql_types(input: &[u8]) {
    let Ok(expr) = parse(&pieces(input), &ParseOptions::all()) else {
        return;
    };
    expr.walk(|node| match node {
        Expr::Call(call) => {
            let (min, max) = (call.func.min_args(), call.func.max_args());
            assert!(call.args.len() >= min && max.is_none_or(|max| call.args.len() <= max));
            for (at, arg) in call.args.iter().enumerate() {
                let types = call.func.arg_types;
                let wanted = types.get(at).or_else(|| types.last()).unwrap();
                assert_eq!(arg.value_type(), *wanted, "{expr}");
            }
        }
        Expr::Binary(binary) => {
            for side in [&binary.lhs, &binary.rhs] {
                let kind = side.value_type();
                assert!(
                    matches!(kind, ValueType::Scalar | ValueType::Vector),
                    "{expr}"
                );
            }
        }
        Expr::Aggregate(aggregate) => {
            assert_eq!(aggregate.expr.value_type(), ValueType::Vector, "{expr}");
        }
        _ => {}
    });
}

/// What parses prints as something that parses, prints the same, and so does its split form.
pub fn promql_print(input: &[u8]) {
    if let Ok(expr) = parse_bytes(input, &ParseOptions::all()) {
        check_print(&expr);
    }
}

/// The same for queries of pieces.
pub fn promql_print_pieces(input: &[u8]) {
    if let Ok(expr) = parse(&pieces(input), &ParseOptions::all()) {
        check_print(&expr);
    }
}

fn check_print(expr: &Expr) {
    let all = ParseOptions::all();
    let printed = expr.to_string();
    if printed.contains("+Inf ^") || printed.contains("NaN ^") {
        // compat: upstream prints a sign before Inf, which binds less tightly than a power.
        return;
    }
    let again = parse(&printed, &all).unwrap_or_else(|e| panic!("printed as {printed}: {e:?}"));
    assert_eq!(again.to_string(), printed);
    let split = pretty(expr);
    let again = parse(&split, &all).unwrap_or_else(|e| panic!("split as {split}: {e:?}"));
    assert_eq!(again.to_string(), printed);
}

/// A store with floats, histograms of both kinds, gaps, resets, staleness and odd values.
fn store() -> ReferenceStorage {
    let store = ReferenceStorage::new();
    let mut batch = store.appender();
    let mut add = |name: &str, x: &str, values: &[SampleValue]| {
        let labels = Labels::from_pairs([("__name__", name), ("x", x), ("y", "2")]);
        for (at, value) in values.iter().enumerate() {
            let sample = Sample {
                value: value.clone(),
                ..Sample::float(at as i64 * 60_000, 0.0)
            };
            batch.append(None, &labels, sample).unwrap();
        }
    };
    let floats = |values: &[f64]| {
        values
            .iter()
            .map(|v| SampleValue::Float(*v))
            .collect::<Vec<_>>()
    };
    add("a", "1", &floats(&[1.0, 2.5, -3.0, 0.0, 1e300, 4.0]));
    add(
        "a",
        "2",
        &floats(&[f64::NAN, 2.0, f64::INFINITY, -1.0, 5.0]),
    );
    add("b", "1", &floats(&[7.0, 7.0, 7.0]));
    add(
        "b",
        "3",
        &floats(&[0.1, 0.2, f64::from_bits(0x7ff0_0000_0000_0002), 0.4]),
    );
    add("c_total", "1", &floats(&[0.0, 10.0, 20.0, 3.0, 13.0, 23.0]));
    let histogram = |text: &str| {
        let line = format!("h {{{{{text}}}}}");
        let (_, values) = parse_series_line(&line).unwrap();
        match values.first() {
            Some(SequenceValue::Histogram(h)) => SampleValue::FloatHistogram(Arc::clone(h)),
            other => panic!("{text} is {other:?}"),
        }
    };
    let exponential = |n: u32| {
        histogram(&format!(
            "schema:1 sum:{n} count:{} z_bucket:1 buckets:[{n} 2 0 {n}] n_buckets:[1]",
            2 * n + 4
        ))
    };
    let custom = |n: u32| {
        histogram(&format!(
            "schema:-53 sum:{n} count:{} custom_values:[1 2 4] buckets:[{n} 1 2 {n}]",
            2 * n + 3
        ))
    };
    add(
        "h",
        "1",
        &[
            exponential(1),
            exponential(2),
            exponential(4),
            exponential(3),
        ],
    );
    add("h", "2", &[custom(1), custom(5), custom(6)]);
    add(
        "h",
        "3",
        &[
            SampleValue::Float(1.0),
            custom(5),
            SampleValue::Float(6.0),
            exponential(7),
        ],
    );
    batch.commit().unwrap();
    store
}

static STORE: LazyLock<ReferenceStorage> = LazyLock::new(store);
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineOptions {
        max_samples: 20_000,
        ..EngineOptions::default()
    })
});

/// Any query over the small store ends in an answer or an error.
pub fn promql_eval(input: &[u8]) {
    if let Ok(expr) = parse_bytes(input, &ParseOptions::all()) {
        evaluate(&expr);
    }
}

/// The same for queries of pieces.
pub fn promql_eval_pieces(input: &[u8]) {
    if let Ok(expr) = parse(&pieces(input), &ParseOptions::all()) {
        evaluate(&expr);
    }
}

fn evaluate(expr: &Expr) {
    let asked = AtomicU32::new(0);
    let stop = || (asked.fetch_add(1, Ordering::Relaxed) > 2000).then_some(Stop::TimedOut);
    let options = QueryOptions {
        stop: Some(&stop),
        ..QueryOptions::default()
    };
    if let Ok(answer) = ENGINE.instant(&*STORE, expr, 270_000, &options) {
        black_box(answer.annotations.texts(&expr.to_string(), 10, 10));
        if let Value::Vector(samples) = &answer.value {
            assert!(samples.iter().all(|sample| sample.t_ms == 270_000));
        }
    }
    asked.store(0, Ordering::Relaxed);
    if let Ok(answer) = ENGINE.range(&*STORE, expr, 0, 400_000, 45_000, &options)
        && let Value::Matrix(series) = &answer.value
    {
        assert!(
            series
                .iter()
                .all(|one| one.floats.len() + one.histograms.len() <= 9)
        );
        assert!(series.is_sorted_by(|a, b| a.labels < b.labels), "{expr}");
    }
}
