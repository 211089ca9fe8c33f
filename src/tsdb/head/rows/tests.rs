use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::model::Labels;
use crate::tsdb::batch::Batch;
use crate::tsdb::head::{Fresh, Pin};

const SERIES: u32 = 12;

fn head() -> Head {
    let mut head = Head::new(0);
    head.keep_rows_from(8);
    for i in 0..SERIES {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("i", i.to_string())]);
        let id = head.series_id(&labels).unwrap();
        head.define(id, &labels);
        head.names_are_safe(&[id]);
    }
    head
}

/// Something that happens to a head.
#[derive(Debug, Clone)]
enum Step {
    /// A stream brings a row: of all series but the first few, the last of them first if `is_turned`.
    Row {
        stream: u64,
        without: u32,
        is_turned: bool,
    },
    /// A stream brings the same row some times.
    Rows {
        stream: u64,
        times: usize,
    },
    /// A row has a sample of one series beside it.
    RowAnd {
        stream: u64,
        id: u32,
        late: i64,
    },
    /// Somebody else has a sample.
    Sample {
        id: u32,
        late: i64,
    },
    Delete {
        id: u32,
        length: i64,
    },
    Pin,
    Unpin,
    Flush,
    DropBefore {
        back: i64,
    },
    Unlog,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..SERIES;
    let stream = 0u64..2;
    prop_oneof![
        6 => (stream.clone(), 1usize..12).prop_map(|(stream, times)| Step::Rows { stream, times }),
        2 => (stream.clone(), 0u32..3, any::<bool>())
            .prop_map(|(stream, without, is_turned)| Step::Row { stream, without, is_turned }),
        2 => (stream, id.clone(), 0i64..3).prop_map(|(stream, id, late)| Step::RowAnd { stream, id, late }),
        2 => (id.clone(), -1i64..5).prop_map(|(id, late)| Step::Sample { id, late }),
        1 => (id, 0i64..20).prop_map(|(id, length)| Step::Delete { id, length }),
        2 => Just(Step::Pin),
        1 => Just(Step::Unpin),
        1 => Just(Step::Flush),
        1 => (0i64..30).prop_map(|back| Step::DropBefore { back }),
        1 => Just(Step::Unlog),
    ]
}

/// A head that keeps rows, and one that does not.
struct Pair {
    heads: [Head; 2],
    sequence: u64,
    now_ms: i64,
    pins: Vec<[Pin; 2]>,
    /// What was flushed and is in memory still.
    draining: Vec<u64>,
    /// What is older may be gone, in one head before the other.
    left_ms: i64,
}

impl Pair {
    fn apply(&mut self, stream: Option<u64>, batch: &Batch) {
        self.sequence += 1;
        let [kept, plain] = &mut self.heads;
        let one = kept.apply_of(stream, self.sequence, batch.clone());
        let other = plain.apply_of(None, self.sequence, batch.clone());
        assert_eq!(one.samples, other.samples);
        assert_eq!(one.new_series, other.new_series);
    }

    fn row(&mut self, stream: u64, without: u32, is_turned: bool) -> Batch {
        self.now_ms += 1;
        let ms = self.now_ms;
        let mut row: Vec<(SeriesId, f64)> = (without..SERIES)
            .map(|id| (id, (i64::from(id % 7) * ms + stream as i64) as f64))
            .collect();
        if is_turned {
            row.rotate_right(1);
        }
        Batch {
            row_ms: ms,
            row,
            out_of_order: true,
            ..Batch::default()
        }
    }

    /// A time so far back. What is older than what is left may be there or not, so nothing comes from then.
    fn late_ms(&self, late: i64) -> i64 {
        (self.now_ms - late).max(self.left_ms)
    }

    fn flush(&mut self) {
        let sequence = self.sequence;
        let since = self.draining.last().copied();
        for head in &self.heads {
            assert_eq!(head.pin_flush(), sequence);
        }
        self.draining.push(sequence);
        let mut from = Some(0);
        while let Some(number) = from {
            from = self.heads[0].spread_for_flush(sequence, number);
        }
        let left_ms = self.left_ms;
        let fresh = |head: &Head| -> Vec<(SeriesId, Vec<Seen>)> {
            let (fresh, _) = head.fresh(since, sequence, 0);
            let each = |(id, fresh): (SeriesId, Fresh)| {
                let mut samples = Vec::new();
                fresh.each(|sample| samples.push(seen(sample))).unwrap();
                samples.retain(|(ms, _)| *ms >= left_ms);
                (id, samples)
            };
            let all = fresh.into_iter().map(each);
            all.filter(|(_, samples)| !samples.is_empty()).collect()
        };
        assert_eq!(fresh(&self.heads[0]), fresh(&self.heads[1]));
        // What the blocks of a real store would show is gone here, in both.
        if self.pins.is_empty() {
            for sequence in std::mem::take(&mut self.draining) {
                for head in &mut self.heads {
                    head.flushed(sequence, 0);
                    head.unpin_flush(sequence);
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Row {
                stream,
                without,
                is_turned,
            } => {
                let batch = self.row(stream, without, is_turned);
                self.apply(Some(stream), &batch);
            }
            Step::Rows { stream, times } => {
                for _ in 0..times {
                    let batch = self.row(stream, 0, false);
                    self.apply(Some(stream), &batch);
                }
            }
            Step::RowAnd { stream, id, late } => {
                let mut batch = self.row(stream, 0, false);
                let sample = Sample::float(self.late_ms(late), 0.5);
                batch.samples.push((id, sample));
                self.apply(Some(stream), &batch);
            }
            Step::Sample { id, late } => {
                let ms = self.late_ms(late);
                let sample = Sample::float(ms, 0.25);
                let batch = Batch {
                    samples: vec![(id, sample)],
                    out_of_order: true,
                    ..Batch::default()
                };
                self.now_ms = self.now_ms.max(ms);
                self.apply(None, &batch);
            }
            Step::Delete { id, length } => {
                self.sequence += 1;
                for head in &mut self.heads {
                    head.delete(&[id], self.now_ms - length, self.now_ms, self.sequence);
                }
            }
            Step::Pin => {
                let pins = [self.heads[0].pin(), self.heads[1].pin()];
                self.pins.push(pins);
            }
            Step::Unpin => {
                if let Some([one, other]) = self.pins.pop() {
                    self.heads[0].unpin(&one);
                    self.heads[1].unpin(&other);
                }
            }
            Step::Flush => self.flush(),
            Step::DropBefore { back } => {
                let cutoff_ms = self.now_ms - back;
                self.left_ms = self.left_ms.max(cutoff_ms);
                for head in &mut self.heads {
                    head.drop_before(cutoff_ms, cutoff_ms, 0);
                }
            }
            Step::Unlog => {
                for head in &mut self.heads {
                    head.unlog(true);
                    for id in 0..SERIES {
                        if let Some(labels) = head.labels(id) {
                            head.define(id, &labels);
                            head.names_are_safe(&[id]);
                        }
                    }
                }
            }
        }
    }

    /// Both show the same, to readers of now and of before.
    fn check(&self) {
        let now = [self.heads[0].pin(), self.heads[1].pin()];
        for [one, other] in self.pins.iter().chain([&now]) {
            for id in 0..SERIES {
                for (min_ms, max_ms) in [
                    (i64::MIN, i64::MAX),
                    (self.now_ms - 3, self.now_ms - 1),
                    (self.now_ms, self.now_ms),
                ] {
                    let range = (min_ms.max(self.left_ms), max_ms);
                    let seen = samples(&self.heads[0], id, one, range);
                    let expected = samples(&self.heads[1], id, other, range);
                    assert_eq!(seen, expected, "series {id}");
                    let floats = floats(&self.heads[0], id, one, range);
                    assert_eq!(floats, expected, "series {id}");
                }
            }
        }
        for id in 0..SERIES {
            // Times of series that have nothing left may be forgotten.
            let newest = self.heads.each_ref().map(|head| {
                let series = head.table().get(id)?;
                let newest = head.newest_of(id, series)?;
                let is_left = newest >= self.left_ms;
                is_left.then(|| (newest, format!("{:?}", head.value_at(id, newest))))
            });
            assert_eq!(newest[0], newest[1]);
        }
        let [one, other] = &self.heads;
        assert_eq!(one.span(), other.span());
        assert_eq!(one.counters(), other.counters());
        one.unpin(&now[0]);
        other.unpin(&now[1]);
    }
}

/// Time and bits of a sample.
type Seen = (i64, u64);

fn seen(sample: &Sample) -> Seen {
    match sample.value {
        SampleValue::Float(value) => (sample.timestamp_ms, value.to_bits()),
        _ => panic!("a float"),
    }
}

fn samples(head: &Head, id: SeriesId, pin: &Pin, (min_ms, max_ms): (i64, i64)) -> Vec<Seen> {
    let view = head.view(id, pin, min_ms, max_ms);
    let all = view.into_iter().flatten();
    all.map(|sample| seen(&sample.unwrap())).collect()
}

/// What a reader gets who takes floats many at a time.
fn floats(head: &Head, id: SeriesId, pin: &Pin, (min_ms, max_ms): (i64, i64)) -> Vec<Seen> {
    let mut found = Vec::new();
    if let Some(mut view) = head.view(id, pin, min_ms, max_ms) {
        let is_empty = view.is_empty();
        loop {
            let mut some = Vec::new();
            crate::storage::Samples::next_floats(&mut view, &mut some).unwrap();
            let is_done = some.is_empty();
            found.extend(some.into_iter().map(|(ms, value)| (ms, value.to_bits())));
            if is_done {
                break;
            }
        }
        found.extend(view.map(|sample| seen(&sample.unwrap())));
        // What was flushed is not here, but the series knows of it.
        assert!(!is_empty || found.is_empty());
    }
    found
}

#[test]
fn a_head_that_keeps_rows_shows_what_one_without_shows() {
    // The same cases each time: retention lets go of whole chunks, which are not the same in both.
    let config = ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let steps = prop::collection::vec(step(), 1..25);
    let outcome = runner.run(&steps, |steps| {
        let mut pair = Pair {
            heads: [head(), head()],
            sequence: 0,
            now_ms: 1000,
            pins: Vec::new(),
            draining: Vec::new(),
            left_ms: i64::MIN,
        };
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn rows_are_kept_for_a_while_and_then_go_to_their_series() {
    let mut head = head();
    let row: Vec<(SeriesId, f64)> = (0..SERIES).map(|id| (id, 1.0)).collect();
    let mut most = 0;
    for sequence in 1..40 {
        let batch = Batch {
            row_ms: sequence as i64,
            row: row.clone(),
            ..Batch::default()
        };
        head.apply_of(Some(7), sequence, batch);
        most = most.max(head.pending(5, u64::MAX).count());
    }
    assert_eq!(most, ROWS_MAX - 1);
    let pin = head.pin();
    assert_eq!(samples(&head, 5, &pin, (i64::MIN, i64::MAX)).len(), 39);
    // Nothing comes any more.
    for _ in 0..2 {
        let mut from = Some(0);
        while let Some(number) = from {
            from = head.spread_for_flush(39, number);
        }
    }
    assert!(!head.has_pending(5));
    assert!(head.rows().open(7).is_none());
    assert_eq!(samples(&head, 5, &pin, (i64::MIN, i64::MAX)).len(), 39);
}
