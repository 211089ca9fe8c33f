//! How fast does the store take samples, give them back, and start again after kill -9?
//!
//! `cargo bench --bench append`. The disk is a folder of the system's temporary files.
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use watchfire::disk::memory::MemoryDisk;
use watchfire::disk::os::OsDisk;
use watchfire::model::{Labels, Matcher, Sample};
use watchfire::storage::{SelectHints, SeriesRef, Storage};
use watchfire::tsdb::{Db, Options};

const SERIES: usize = 10_000;

/// Labels in the shape of a cluster's: ten of them, most shared by many series.
fn series() -> Vec<Labels> {
    (0..SERIES)
        .map(|i| {
            Labels::from_pairs([
                ("__name__", format!("container_thing_{}_total", i % 50)),
                ("instance", format!("10.0.0.{}:9100", i % 20)),
                ("job", "kubelet".to_owned()),
                ("namespace", format!("team-{}", i % 15)),
                ("pod", format!("service-{}-7d9f8b6c5-{:05}", i % 40, i / 50)),
                ("container", "main".to_owned()),
                ("node", format!("node-{}", i % 20)),
                ("cluster", "production".to_owned()),
                ("zone", format!("eu-central-1{}", ["a", "b", "c"][i % 3])),
                ("id", format!("/kubepods/burstable/pod{i:08x}")),
            ])
        })
        .collect()
}

/// Appends one sample per series and commits.
fn scrape(db: &Db, labels: &[Labels], refs: &mut [Option<SeriesRef>], round: i64) {
    let mut batch = db.appender();
    for (i, (labels, hint)) in labels.iter().zip(refs).enumerate() {
        let value = (round * 7 + i as i64) as f64;
        let sample = Sample::float(round * 15_000, value);
        *hint = Some(batch.append(*hint, labels, sample).expect("in order"));
    }
    batch.commit().expect("the disk has room");
}

fn append(c: &mut Criterion) {
    let labels = series();
    let mut group = c.benchmark_group("append");
    group.throughput(Throughput::Elements(SERIES as u64));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = OsDisk::open(folder.path()).expect("a folder");
    let db = Db::open(Arc::new(disk), Options::default(), 0).expect("a new store");
    let mut refs = vec![None; SERIES];
    let mut round = 0;
    group.bench_function("known series, one sample each", |b| {
        b.iter(|| {
            round += 1;
            scrape(&db, &labels, &mut refs, round);
        });
    });
    group.bench_function("new series, one sample each", |b| {
        b.iter_batched(
            || Db::open(Arc::new(MemoryDisk::new()), Options::default(), 0).expect("a new store"),
            |db| scrape(&db, &labels, &mut vec![None; SERIES], 1),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn read(c: &mut Criterion) {
    let labels = series();
    let disk = MemoryDisk::new();
    let db = Db::open(Arc::new(disk.clone()), Options::default(), 0).expect("a new store");
    let mut refs = vec![None; SERIES];
    for round in 1..=100 {
        scrape(&db, &labels, &mut refs, round);
    }
    let mut group = c.benchmark_group("read");
    let matchers = [Matcher::equal("__name__", "container_thing_7_total")];
    for (name, min_ms) in [("last 5m", 1_200_000), ("all", 0)] {
        let hints = SelectHints {
            min_ms,
            max_ms: i64::MAX,
            step_ms: 0,
            function: String::new(),
            limit: 0,
            sorted: true,
        };
        group.bench_function(format!("200 series of 10000, {name}"), |b| {
            b.iter(|| {
                let querier = db.querier(min_ms, i64::MAX).expect("open");
                let found = querier.select(&hints, &matchers).expect("selected");
                let samples: usize = found
                    .map(|entry| entry.expect("readable").samples.count())
                    .sum();
                black_box(samples)
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("start");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100 * SERIES as u64));
    group.bench_function(
        "after kill -9, 10000 series, 1000000 samples in the log",
        |b| {
            b.iter(|| {
                disk.kill();
                Db::open(Arc::new(disk.clone()), Options::default(), 0).expect("opens")
            });
        },
    );
    group.finish();
}

fn config() -> Criterion {
    Criterion::default()
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = config();
    targets = append, read
}
criterion_main!(benches);
