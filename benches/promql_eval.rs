//! How long do an instant and a range query over a few hundred series take?

use criterion::{Criterion, criterion_group, criterion_main};
use watchfire::model::{Labels, Sample};
use watchfire::promql::engine::{Engine, QueryOptions};
use watchfire::promql::parser::{ParseOptions, parse};
use watchfire::storage::Storage;
use watchfire::storage::reference::ReferenceStorage;

const SERIES: usize = 200;
const SAMPLES: i64 = 240;
const INTERVAL_MS: i64 = 15_000;

fn store() -> ReferenceStorage {
    let store = ReferenceStorage::new();
    let mut batch = store.appender();
    for i in 0..SERIES {
        let instance = (i % 20).to_string();
        let path = (i / 20).to_string();
        let labels = Labels::from_pairs([
            ("__name__", "requests_total"),
            ("instance", instance.as_str()),
            ("path", path.as_str()),
        ]);
        for t in 0..SAMPLES {
            let sample = Sample::float(t * INTERVAL_MS, (t * (i as i64 + 1)) as f64);
            batch
                .append(None, &labels, sample)
                .expect("samples are in order");
        }
    }
    batch.commit().expect("memory does not fail");
    store
}

fn queries(c: &mut Criterion) {
    let store = store();
    let engine = Engine::default();
    let end = (SAMPLES - 1) * INTERVAL_MS;
    for (name, text) in [
        ("selector", "requests_total"),
        ("rate", "rate(requests_total[5m])"),
        ("sum_rate", "sum by (path) (rate(requests_total[5m]))"),
        (
            "ratio",
            "sum by (path) (rate(requests_total[5m])) / on (path) group_left () sum by (path) (requests_total)",
        ),
    ] {
        let expr = parse(text, &ParseOptions::default()).expect("the query is valid");
        c.bench_function(&format!("instant/{name}"), |b| {
            b.iter(|| engine.instant(&store, &expr, end, &QueryOptions::default()));
        });
        c.bench_function(&format!("range/{name}"), |b| {
            b.iter(|| {
                engine.range(
                    &store,
                    &expr,
                    end / 2,
                    end,
                    60_000,
                    &QueryOptions::default(),
                )
            });
        });
    }
}

criterion_group!(benches, queries);
criterion_main!(benches);
