use proptest::prelude::*;

use super::*;
use crate::model::histogram::BucketSpan;
use crate::model::{FloatHistogram, Histogram, STALE_NAN_BITS, stale_nan};

fn write(samples: &[Sample]) -> Vec<Arc<Chunk>> {
    let mut chunks = Vec::new();
    let mut open: Option<OpenChunk> = None;
    for sample in samples {
        if !open.as_mut().is_some_and(|open| open.push(sample)) {
            if let Some(full) = open.take() {
                chunks.push(Arc::new(full.snapshot()));
            }
            open = Some(OpenChunk::start(sample));
        }
    }
    chunks.extend(open.map(|open| Arc::new(open.snapshot())));
    chunks
}

fn read(chunks: &[Arc<Chunk>]) -> Vec<Sample> {
    chunks
        .iter()
        .flat_map(|chunk| Samples::new(Arc::clone(chunk), u32::MAX))
        .collect::<Result<_, _>>()
        .unwrap()
}

fn assert_same(left: &[Sample], right: &[Sample]) {
    assert_eq!(left.len(), right.len());
    for (a, b) in left.iter().zip(right) {
        assert!(
            a.timestamp_ms == b.timestamp_ms
                && a.start_timestamp_ms == b.start_timestamp_ms
                && a.value.same_bits(&b.value),
            "{a:?} is not {b:?}"
        );
    }
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => (0u32..5000).prop_map(|v| f64::from(v).to_bits()),
        2 => any::<f64>().prop_map(f64::to_bits),
        1 => any::<u64>(),
        1 => prop::sample::select(vec![
            STALE_NAN_BITS, 0x8000_0000_0000_0000, f64::NAN.to_bits(), f64::INFINITY.to_bits(),
            0x7ff8_0000_dead_beef, 1,
        ]),
    ]
}

pub(crate) fn histogram(seed: u64) -> Histogram {
    let wide = seed.is_multiple_of(7);
    Histogram {
        schema: 3,
        zero_threshold: 0.001,
        zero_count: seed,
        count: seed * 3 + 2,
        sum: seed as f64 * 0.7,
        positive_spans: vec![BucketSpan {
            offset: -2,
            length: if wide { 3 } else { 2 },
        }],
        positive_buckets: if wide {
            vec![2, -1, 5]
        } else {
            vec![seed as i64, -(seed as i64) / 2]
        },
        negative_spans: vec![BucketSpan {
            offset: 0,
            length: 1,
        }],
        negative_buckets: vec![1],
        ..Histogram::default()
    }
}

pub(crate) fn value() -> impl Strategy<Value = SampleValue> {
    prop_oneof![
        6 => bits().prop_map(|b| SampleValue::Float(f64::from_bits(b))),
        2 => (0u64..40).prop_map(|s| SampleValue::Histogram(Arc::new(histogram(s)))),
        2 => (0u64..40).prop_map(|s| SampleValue::FloatHistogram(Arc::new(histogram(s).to_float()))),
        1 => Just(SampleValue::Histogram(Arc::new(Histogram { sum: stale_nan(), ..Histogram::default() }))),
        1 => Just(SampleValue::FloatHistogram(Arc::new(FloatHistogram { sum: stale_nan(), ..FloatHistogram::default() }))),
    ]
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![4 => Just(15_000i64), 2 => 1i64..40_000, 1 => 1i64..100_000_000];
    let start = prop_oneof![6 => Just(0i64), 2 => Just(500i64), 1 => any::<i64>()];
    prop::collection::vec((step, start, value(), any::<bool>()), 1..400).prop_map(|steps| {
        let mut ms = -1_000_000;
        let mut last = None;
        steps
            .into_iter()
            .map(|(step, start, value, repeat)| {
                ms += step;
                let value = match &last {
                    Some(last) if repeat => SampleValue::clone(last),
                    _ => value,
                };
                last = Some(value.clone());
                Sample {
                    timestamp_ms: ms,
                    start_timestamp_ms: start,
                    value,
                }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_bit_comes_back(samples in samples()) {
        assert_same(&read(&write(&samples)), &samples);
    }

    #[test]
    fn a_tail_is_the_same_however_many_samples_come_at_once(
        samples in samples(), sizes in prop::collection::vec(1usize..20, 1..50),
    ) {
        let floats: Vec<(i64, f64)> = samples
            .iter()
            .filter_map(|sample| match sample.value {
                SampleValue::Float(value) => Some((sample.timestamp_ms, value)),
                _ => None,
            })
            .collect();
        let (mut chunks, mut tail, mut rest) = (Vec::new(), FloatTail::default(), &floats[..]);
        let mut before = (0, 0.0);
        for size in sizes.iter().cycle() {
            let some = &rest[..rest.len().min(*size)];
            let taken = tail.push(before, some);
            if taken == 0 {
                chunks.extend(tail.snapshot(before.0).map(Arc::new));
                tail = FloatTail::default();
                if some.is_empty() {
                    break;
                }
            } else {
                before = some[taken - 1];
                rest = &rest[taken..];
            }
        }
        let plain: Vec<Sample> = floats.iter().map(|(ms, value)| Sample::float(*ms, *value)).collect();
        prop_assert_eq!(&chunks, &write(&plain));
        assert_same(&read(&chunks), &plain);
    }

    #[test]
    fn a_stored_chunk_is_the_same(samples in samples()) {
        for chunk in write(&samples) {
            let mut out = Vec::new();
            chunk.put(&mut out);
            prop_assert_eq!(Chunk::read(&mut Reader::new(&out)).unwrap(), (*chunk).clone());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 1u8..5, count in 1u32..200, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let chunk = Chunk {
            kind: Kind::from_byte(kind).unwrap(), count, min_ms: 0, max_ms: 0, bytes: bytes.into(),
        };
        for sample in Samples::new(Arc::new(chunk), u32::MAX) {
            let _ = sample;
        }
    }
}

#[test]
fn regular_samples_take_little_space() {
    let samples: Vec<_> = (0..120)
        .map(|i| Sample::float(i * 15_000, (i * 3) as f64))
        .collect();
    let chunks = write(&samples);
    assert_eq!(chunks.len(), 1);
    assert!(
        chunks[0].bytes.len() < 200,
        "{} bytes",
        chunks[0].bytes.len()
    );
}
