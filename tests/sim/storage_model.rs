//! The storage engine gives the same answers as the reference store, whatever is appended and however often it
//! is killed or stopped.

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;
use watchfire::disk::memory::MemoryDisk;
use watchfire::model::histogram::BucketSpan;
use watchfire::model::{
    Exemplar, Histogram, Labels, MatchOp, Matcher, Sample, SampleValue, stale_nan,
};
use watchfire::storage::reference::{Order, ReferenceStorage};
use watchfire::storage::{AppendError, Querier, SelectHints, Storage};
use watchfire::tsdb::{Db, Options};

const WINDOW_MS: i64 = 600_000;

struct Run {
    seed: u64,
    rng: Rng,
    disk: MemoryDisk,
    options: Options,
    now_ms: i64,
    /// Series and times of all floats that were ever appended.
    written: BTreeSet<(usize, i64)>,
    /// Series of which something was deleted.
    touched: BTreeSet<usize>,
    /// Series in archives, over all moments.
    archived: u64,
}

#[test]
fn the_engine_answers_as_the_reference_does() {
    let mut archived = 0;
    for seed in crate::seeds(20) {
        let window = if seed.is_multiple_of(2) { WINDOW_MS } else { 0 };
        let mut run = Run {
            seed,
            rng: Rng::with_seed(seed),
            disk: MemoryDisk::new(),
            options: Options {
                out_of_order_window_ms: window,
                segment_bytes: 4000,
                kept_row_series: 4,
                checkpoint_bytes: 20_000,
                idle_ms: [600_000, 20_000, 0][(seed % 3) as usize],
                ..Options::default()
            },
            now_ms: 1_000_000,
            written: BTreeSet::new(),
            touched: BTreeSet::new(),
            archived: 0,
        };
        run.go();
        archived += run.archived;
    }
    assert!(archived > 0, "no series ever left memory");
}

impl Run {
    fn open(&self) -> Db {
        let db = Db::open(
            Arc::new(self.disk.clone()),
            self.options.clone(),
            self.now_ms,
        )
        .unwrap();
        assert_eq!(db.recovery().damages, [], "seed {}", self.seed);
        db
    }

    fn go(&mut self) {
        let order = if self.options.out_of_order_window_ms > 0 {
            Order::Window(WINDOW_MS)
        } else {
            Order::Strict
        };
        let reference = ReferenceStorage::with_order(order);
        let mut db = self.open();
        for step in 0..100 {
            self.now_ms += if self.rng.u8(0..30) == 0 {
                // Over the end of a block's time.
                2 * 3_600_000
            } else {
                self.rng.i64(1..30_000)
            };
            self.append(&db, &reference);
            for _ in 0..self.rng.usize(0..4) {
                self.now_ms += 1000;
                self.scrape(&db, &reference);
            }
            let done = db.maintain(self.now_ms);
            assert!(
                done.errors.is_empty(),
                "seed {}: {:?}",
                self.seed,
                done.errors
            );
            self.archived += db.status().archived_series;
            match self.rng.u8(0..20) {
                0 => {
                    self.disk.kill();
                    db = self.open();
                }
                1 => {
                    db.close().unwrap();
                    db = self.open();
                }
                2 => db.checkpoint_now().unwrap(),
                3 => while db.compact().unwrap() {},
                4 => self.delete(&db, &reference),
                5 => db.clean_tombstones().unwrap(),
                _ => {}
            }
            if step % 7 == 0 {
                self.compare(&db, &reference);
            }
        }
        self.disk.kill();
        self.compare(&self.open(), &reference);
        self.compare_all(&self.open_after_kill(), &reference);
    }

    fn open_after_kill(&self) -> Db {
        self.disk.kill();
        self.open()
    }

    /// Appends the same random batch to both; both take and refuse the same.
    fn append(&mut self, db: &Db, reference: &ReferenceStorage) {
        let mut ours = db.appender();
        let mut theirs = reference.appender();
        let first = self.rng.usize(0..30);
        if self.rng.bool() {
            ours.set_stream(first as u64 / 10);
        }
        for i in first..first + self.rng.usize(1..12) {
            let labels = labels(i);
            let sample = self.sample(i);
            // The engine remembers what was the newest before a deletion, as upstream's head does; the reference
            // does not. So series that lost something take new times only, and the engine decides.
            let is_new = self.written.insert((i, sample.timestamp_ms));
            let is_touched = self.touched.contains(&i);
            if is_touched && !is_new {
                continue;
            }
            let mine = ours.append(None, &labels, sample.clone());
            if is_touched && mine.is_err() {
                continue;
            }
            let other = theirs.append(None, &labels, sample.clone());
            match (&mine, &other) {
                // compat: upstream does not look whether an old sample is there already.
                (
                    Err(AppendError::OutOfOrder | AppendError::TooOld),
                    Ok(_) | Err(AppendError::DuplicateTimestamp),
                ) => {}
                _ => assert_eq!(
                    mine.clone().map(|_| ()),
                    other.clone().map(|_| ()),
                    "seed {}: {labels} {sample:?}",
                    self.seed
                ),
            }
            if let (Ok(mine), Ok(other)) = (mine, other)
                && self.rng.u8(0..4) == 0
            {
                let exemplar = Exemplar {
                    labels: Labels::from_pairs([("trace_id", self.now_ms.to_string())]),
                    value: self.rng.f64(),
                    timestamp_ms: Some(self.now_ms),
                };
                let mine = ours.append_exemplar(mine, exemplar.clone());
                assert_eq!(mine, theirs.append_exemplar(other, exemplar));
            }
        }
        if self.rng.u8(0..10) > 0 {
            ours.commit().unwrap();
            theirs.commit().unwrap();
        }
    }

    /// Appends to both what one of two targets has, which share some series and whose pages are mostly the same.
    fn scrape(&mut self, db: &Db, reference: &ReferenceStorage) {
        let target = self.rng.usize(0..2);
        let mut ours = db.appender();
        let mut theirs = reference.appender();
        ours.set_stream(100 + target as u64);
        let page = (30 + 9 * target..).filter(|i| !i.is_multiple_of(3)).take(8);
        let missing = self.rng.usize(0..50);
        for i in page.filter(|i| *i != 30 + missing) {
            let value = match self.rng.u8(0..8) {
                0 => f64::from_bits(self.rng.u64(..)),
                1 => stale_nan(),
                _ => f64::from(self.rng.u16(..)),
            };
            let sample = Sample::float(self.now_ms, value);
            self.written.insert((i, self.now_ms));
            let mine = ours.append(None, &labels(i), sample.clone());
            let other = theirs.append(None, &labels(i), sample);
            assert_eq!(
                mine.map(|_| ()),
                other.map(|_| ()),
                "seed {}: series {i} at {}",
                self.seed,
                self.now_ms
            );
        }
        ours.commit().unwrap();
        theirs.commit().unwrap();
    }

    /// Deletes a stretch of some floats from both.
    fn delete(&mut self, db: &Db, reference: &ReferenceStorage) {
        let series = self.rng.usize(0..30);
        // A histogram's hint depends on the sample before it, which the engine still knows.
        if series.is_multiple_of(3) {
            return;
        }
        let min = self.now_ms - self.rng.i64(0..1_000_000);
        let max = min + self.rng.i64(0..1_000_000);
        let matchers = [Matcher::equal("i", series.to_string())];
        db.delete_series(&matchers, min, max).unwrap();
        reference.delete(&matchers, min, max);
        self.touched.insert(series);
    }

    fn sample(&mut self, series: usize) -> Sample {
        let rng = &mut self.rng;
        let late = !series.is_multiple_of(3) && rng.u8(0..6) == 0;
        let timestamp_ms = if late {
            (self.now_ms - rng.i64(0..WINDOW_MS * 5 / 4)) / 1000 * 1000
        } else {
            self.now_ms
        };
        let value = if series.is_multiple_of(3) {
            SampleValue::Histogram(Arc::new(histogram(rng)))
        } else {
            SampleValue::Float(match rng.u8(0..8) {
                0 => stale_nan(),
                1 => f64::from_bits(rng.u64(..)),
                2 => -0.0,
                3 => f64::INFINITY,
                4 => rng.f64(),
                _ => f64::from(rng.u16(..)),
            })
        };
        let start_timestamp_ms = if series.is_multiple_of(5) { 500 } else { 0 };
        Sample {
            timestamp_ms,
            start_timestamp_ms,
            value,
        }
    }

    /// Compares a few random questions.
    fn compare(&mut self, db: &Db, reference: &ReferenceStorage) {
        for _ in 0..4 {
            let min = self.now_ms - self.rng.i64(0..1_000_000);
            let max = min + self.rng.i64(0..600_000);
            let matchers: Vec<Matcher> =
                (0..self.rng.usize(0..3)).map(|_| self.matcher()).collect();
            let limit = self.rng.usize(0..4);
            let ask = |querier: &dyn Querier| {
                (
                    select(querier, &matchers),
                    querier.label_names(&matchers, limit).unwrap(),
                    querier.label_values("group", &matchers, limit).unwrap(),
                    format!(
                        "{:?}",
                        querier.exemplars(std::slice::from_ref(&matchers)).unwrap()
                    ),
                )
            };
            let ours = ask(&*db.querier(min, max).unwrap());
            let theirs = ask(&*reference.querier(min, max).unwrap());
            assert_eq!(
                ours.0, theirs.0,
                "seed {}: {matchers:?} {min}..{max}",
                self.seed
            );
            // Labels and values of series whose chunks overlap the range without a sample in it may show.
            for (mine, other) in [(&ours.1, &theirs.1), (&ours.2, &theirs.2)] {
                if limit == 0 {
                    assert!(
                        other.iter().all(|name| mine.contains(name)),
                        "seed {}: {mine:?} {other:?}",
                        self.seed
                    );
                }
            }
            assert!(ours.3 == theirs.3, "seed {}: exemplars", self.seed);
        }
    }

    fn compare_all(&self, db: &Db, reference: &ReferenceStorage) {
        let ours = select(&*db.querier(i64::MIN, i64::MAX).unwrap(), &[]);
        let theirs = select(&*reference.querier(i64::MIN, i64::MAX).unwrap(), &[]);
        let difference = difference(&ours, &theirs);
        assert!(difference.is_empty(), "seed {}: {difference}", self.seed);
        assert!(ours.len() > 100, "seed {}: {} lines", self.seed, ours.len());
    }

    fn matcher(&mut self) -> Matcher {
        let ops = [
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ];
        let names = ["__name__", "i", "group", "none"];
        let values = ["", "a", "m1", "m.", "a|b", "1", "[0-9]", ".+", ".*", "|c"];
        Matcher::new(
            ops[self.rng.usize(0..4)],
            names[self.rng.usize(0..4)],
            values[self.rng.usize(0..values.len())],
        )
        .unwrap()
    }
}

/// The first line in which two lists differ.
fn difference(ours: &[String], theirs: &[String]) -> String {
    for i in 0..ours.len().max(theirs.len()) {
        if ours.get(i) != theirs.get(i) {
            return format!("line {i}: {:?} is not {:?}", ours.get(i), theirs.get(i));
        }
    }
    String::new()
}

fn labels(i: usize) -> Labels {
    let group = ["a", "b", "c", ""][i % 4];
    Labels::from_pairs([
        ("__name__", format!("m{}", i % 5)),
        ("i", i.to_string()),
        ("group", group.to_owned()),
    ])
}

fn histogram(rng: &mut Rng) -> Histogram {
    if rng.u8(0..8) == 0 {
        return Histogram {
            sum: stale_nan(),
            ..Histogram::default()
        };
    }
    let (a, b) = (rng.u64(0..50), rng.u64(0..50));
    Histogram {
        schema: 2,
        zero_threshold: 0.001,
        zero_count: 1,
        count: a + b + 1,
        sum: rng.f64(),
        positive_spans: vec![BucketSpan {
            offset: rng.i32(0..2),
            length: 2,
        }],
        positive_buckets: vec![a as i64, b as i64 - a as i64],
        ..Histogram::default()
    }
}

/// Every sample of a selection, as text.
fn select(querier: &dyn Querier, matchers: &[Matcher]) -> Vec<String> {
    let hints = SelectHints {
        min_ms: i64::MIN,
        max_ms: i64::MAX,
        step_ms: 0,
        function: String::new(),
        limit: 0,
        sorted: true,
    };
    let mut lines = Vec::new();
    for entry in querier.select(&hints, matchers).unwrap() {
        let entry = entry.unwrap();
        for sample in entry.samples {
            let sample = sample.unwrap();
            let value = match sample.value {
                SampleValue::Float(v) => format!("{:x}", v.to_bits()),
                other => format!("{other:?}"),
            };
            lines.push(format!(
                "{} {} {} {value}",
                entry.labels, sample.timestamp_ms, sample.start_timestamp_ms
            ));
        }
    }
    lines
}
