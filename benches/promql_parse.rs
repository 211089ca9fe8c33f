//! How fast are queries read and patterns matched, against the crate `promql-parser`?
//!
//! `cargo bench --bench promql_parse`

#![allow(
    clippy::disallowed_methods,
    reason = "the corpus lies on the real disk"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchfire::promql::parser::{ParseOptions, parse};
use watchfire::rules::file::{self, FileOptions};
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

/// Every expression of our own rule packs and, where they are at hand, of the rules in the wild. Those that
/// `promql-parser` refuses are left out for both.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![
        root.join("alert-rules"),
        root.join("../shared/conformance/rules-wild"),
    ];
    let mut found = BTreeSet::new();
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && let Ok(file) = file::parse(&text, &FileOptions::default())
        {
            let rules = file.groups.iter().flat_map(|group| &group.rules);
            found.extend(rules.map(|rule| rule.expr.to_string()));
        }
    }
    found
        .into_iter()
        .filter(|text| promql_parser::parser::parse(text).is_ok())
        .collect()
}

fn rule_corpus(c: &mut Criterion) {
    let (corpus, options) = (corpus(), ParseOptions::default());
    let mut group = c.benchmark_group("corpus");
    let bytes: usize = corpus.iter().map(String::len).sum();
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("watchfire", |b| {
        b.iter(|| {
            for text in &corpus {
                black_box(parse(black_box(text), &options).expect("a good query"));
            }
        });
    });
    group.bench_function("promql-parser", |b| {
        b.iter(|| {
            for text in &corpus {
                black_box(promql_parser::parser::parse(black_box(text)).expect("a good query"));
            }
        });
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

criterion_group!(benches, rule_corpus, parsing, printing, matching);
criterion_main!(benches);
