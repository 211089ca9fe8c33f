//! Evaluation of rule groups: one rule over a thousand series, and a hundred rules over ten series each.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use watchfire::model::{Labels, Sample};
use watchfire::promql::engine::{Engine, EngineOptions, QueryOptions};
use watchfire::promql::parser::ParseOptions;
use watchfire::rules::file::{FileOptions, parse};
use watchfire::rules::query::{TemplateScope, instant};
use watchfire::rules::{EvalContext, Expansion, Group};
use watchfire::storage::Storage;
use watchfire::storage::reference::ReferenceStorage;
use watchfire::time::{Span, Timestamp};

/// Ten minutes of `series` counters at 15 s.
fn store(series: usize) -> ReferenceStorage {
    let storage = ReferenceStorage::new();
    for step in 0..40_i64 {
        let mut batch = storage.appender();
        for i in 0..series {
            let labels = Labels::from_pairs([
                ("__name__", "requests_total"),
                ("instance", &format!("i{i}")),
                ("job", &format!("j{}", i % 10)),
            ]);
            let sample = Sample::float(step * 15_000, (step * 7) as f64);
            batch
                .append(None, &labels, sample)
                .expect("samples are in order");
        }
        batch.commit().expect("memory takes everything");
    }
    storage
}

fn group(rules: &str) -> Group {
    let text = format!("groups:\n- name: g\n  rules:\n{rules}");
    let file = parse(&text, &FileOptions::default()).expect("the rules are right");
    Group::new(file.groups[0].options("bench.yaml", Span::seconds(15), Span::ZERO))
}

fn bench(c: &mut Criterion, name: &str, series: usize, rules: &str) {
    let (storage, engine, labels) = (
        store(series),
        Engine::new(EngineOptions::default()),
        Labels::empty(),
    );
    let parse_options = ParseOptions::default();
    let scope = TemplateScope {
        engine: &engine,
        storage: &storage,
        parse_options: &parse_options,
        external_labels: &labels,
        external_url: "",
    };
    let query = |expr: &_, at| instant(&engine, &storage, expr, at, &QueryOptions::default());
    let expand = |request: &Expansion<'_>| scope.expand(request);
    let context = EvalContext {
        query: &query,
        expand: &expand,
        storage: &storage,
        stopwatch: &|| Duration::ZERO,
    };
    let mut group = group(rules);
    let mut now = Timestamp::from_ms(600_000);
    c.bench_function(name, |b| {
        b.iter(|| {
            // Each evaluation moves on by a millisecond, so that results are never duplicates.
            now = now + Span::from_ms(1);
            black_box(group.evaluate(now, &context))
        });
    });
}

fn rules(c: &mut Criterion) {
    let alert = "  - {alert: Busy, expr: 'rate(requests_total[5m]) > 0.1', for: 5m, labels: {severity: warning}, annotations: {summary: '{{ $labels.instance }} at {{ $value }}'}}\n";
    bench(c, "rules/one_alert_over_1000_series", 1000, alert);
    let many: Vec<String> = (0..100).map(|i| format!("  - {{record: 'r{i}', expr: 'sum by (job) (rate(requests_total{{job=\"j{}\"}}[5m]))'}}\n", i % 10)).collect();
    bench(c, "rules/100_sums_over_10_series_each", 100, &many.concat());
}

criterion_group!(benches, rules);
criterion_main!(benches);
