//! How fast are queries read and patterns matched, against the crate `promql-parser`?
//!
//! `cargo bench --bench promql_parse`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchfire::promql::parser::{ParseOptions, parse};
use watchfire::text::regex::Regex;

const QUERIES: &[(&str, &str)] = &[
    ("selector", "up{job=\"node\"}"),
    (
        "alert",
        "sum by (job) (rate(http_requests_total{code=~\"5..\",job=\"api\"}[5m])) / sum by (job) (rate(http_requests_total{job=\"api\"}[5m])) > 0.05",
    ),
    (
        "quantile",
        "histogram_quantile(0.99, sum(rate(apiserver_request_duration_seconds_bucket{job=\"apiserver\",verb!=\"WATCH\"}[5m])) without (instance, pod)) * 1000 + 5 - 2 ^ 3",
    ),
];

fn parsing(c: &mut Criterion) {
    let options = ParseOptions::default();
    let mut group = c.benchmark_group("parse");
    for (name, query) in QUERIES {
        group.throughput(Throughput::Bytes(query.len() as u64));
        group.bench_function(format!("{name}/watchfire"), |b| {
            b.iter(|| parse(black_box(query), &options).expect("a good query"));
        });
        group.bench_function(format!("{name}/promql-parser"), |b| {
            b.iter(|| promql_parser::parser::parse(black_box(query)).expect("a good query"));
        });
    }
    let sum = vec!["some_metric{a=\"b\"}"; 900].join(" + ");
    group.throughput(Throughput::Bytes(sum.len() as u64));
    group.bench_function("long sum/watchfire", |b| {
        b.iter(|| parse(black_box(&sum), &options).expect("a good query"));
    });
    group.bench_function("long sum/promql-parser", |b| {
        b.iter(|| promql_parser::parser::parse(black_box(&sum)).expect("a good query"));
    });
    group.finish();
}

fn printing(c: &mut Criterion) {
    let (_, query) = QUERIES[2];
    let expr = parse(query, &ParseOptions::default()).expect("a good query");
    c.bench_function("print", |b| b.iter(|| black_box(&expr).to_string()));
}

fn matching(c: &mut Criterion) {
    let hosts: Vec<String> = (0..1000).map(|n| format!("host-{n}.example.com")).collect();
    let mut group = c.benchmark_group("match");
    for (name, pattern) in [
        ("list", hosts.join("|")),
        ("prefix", "host-.*".to_owned()),
        ("automaton", "host-[0-9]+\\.(example|test)\\.com".to_owned()),
    ] {
        let regex = Regex::anchored(&pattern).expect("a good pattern");
        group.bench_function(name, |b| {
            b.iter(|| regex.is_match(black_box("host-997.example.com")));
        });
    }
    group.finish();
}

criterion_group!(benches, parsing, printing, matching);
criterion_main!(benches);
