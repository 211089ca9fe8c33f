//! A batch: what one commit brings, and how it lies in the log.

use std::sync::Arc;

use super::wire::{
    self, Layout, counts, float_counts, hint, hint_byte, put_counts, put_exemplar,
    put_float_counts, put_labels, put_metadata,
};
use crate::codec::{Error, Reader, put_f64, put_varint, put_zigzag};
use crate::model::{
    Exemplar, FloatHistogram, Histogram, Labels, Metadata, Sample, SampleValue, stale_nan,
};

/// A series' number: given in order of creation, logged with the labels, never used twice.
pub(crate) type SeriesId = u32;

/// What one commit brings.
#[derive(Debug, Default, Clone)]
pub(crate) struct Batch {
    /// The stream that it is a row of, by its number in the log that it was read from.
    pub(crate) stream: Option<u64>,
    /// Whether samples that are older than their series' newest are kept.
    pub(crate) out_of_order: bool,
    /// Series that no earlier record names.
    pub(crate) series: Vec<(SeriesId, Labels)>,
    /// The time of the row.
    pub(crate) row_ms: i64,
    /// Floats of one time, the first of each series: what a scrape brings is mostly that.
    pub(crate) row: Vec<(SeriesId, f64)>,
    /// All other samples in the order in which they were appended; they come after the row.
    pub(crate) samples: Vec<(SeriesId, Sample)>,
    pub(crate) exemplars: Vec<(SeriesId, Exemplar)>,
    pub(crate) metadata: Vec<(SeriesId, Metadata)>,
}

/// What a sample's first byte says: its kind, and what is as in the sample before.
const KIND: u8 = 0b111;
const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const STALE: u8 = 2;
const HISTOGRAM: u8 = 3;
const FLOAT_HISTOGRAM: u8 = 4;
const STALE_HISTOGRAM: u8 = 5;
const STALE_FLOAT_HISTOGRAM: u8 = 6;
const NEXT_ID: u8 = 1 << 3;
const SAME_TIME: u8 = 1 << 4;
const WITH_START: u8 = 1 << 5;
const SAME_ID: u8 = 1 << 6;
/// The time is as far from the last one as that was from the one before.
const SAME_STEP: u8 = 1 << 7;

/// What the sample before was, as far as the next says how it differs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    id: SeriesId,
    ms: i64,
    step_ms: i64,
}

impl Before {
    const fn go_on(&mut self, id: SeriesId, ms: i64) {
        *self = Self {
            id,
            ms,
            step_ms: ms.wrapping_sub(self.ms),
        };
    }
}

/// Floats below this are written as integers where that keeps every bit.
const INTEGERS_BELOW: f64 = 9_007_199_254_740_992.0;

impl Batch {
    /// Appends the record's payload.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.put_samples(out, &self.row);
    }

    /// Appends what the batch has beside its row.
    pub(crate) fn put_rest(&self, out: &mut Vec<u8>) {
        self.put_samples(out, &[]);
    }

    fn put_samples(&self, out: &mut Vec<u8>, row: &[(SeriesId, f64)]) {
        out.push(u8::from(self.out_of_order));
        put_varint(out, self.series.len() as u64);
        for (id, labels) in &self.series {
            put_varint(out, u64::from(*id));
            put_labels(out, labels);
        }
        put_varint(out, (row.len() + self.samples.len()) as u64);
        let mut before = Before::default();
        for (id, value) in row {
            let sample = Sample::float(self.row_ms, *value);
            put_sample(out, *id, &sample, &mut before);
        }
        for (id, sample) in &self.samples {
            put_sample(out, *id, sample, &mut before);
        }
        put_varint(out, self.exemplars.len() as u64);
        for (id, exemplar) in &self.exemplars {
            put_varint(out, u64::from(*id));
            put_exemplar(out, exemplar);
        }
        put_varint(out, self.metadata.len() as u64);
        for (id, metadata) in &self.metadata {
            put_varint(out, u64::from(*id));
            put_metadata(out, metadata);
        }
    }

    /// Reads what [`Self::put`] wrote.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        let mut batch = Self {
            out_of_order: reader.u8()? & 1 != 0,
            ..Self::default()
        };
        for _ in 0..reader.count(2)? {
            batch.series.push((read_id(reader)?, wire::labels(reader)?));
        }
        let mut before = Before::default();
        let count = reader.count(1)?;
        batch.samples.reserve_exact(count.min(1 << 16));
        for _ in 0..count {
            batch.samples.push(read_sample(reader, &mut before)?);
        }
        for _ in 0..reader.count(2)? {
            batch
                .exemplars
                .push((read_id(reader)?, wire::exemplar(reader)?));
        }
        for _ in 0..reader.count(2)? {
            batch
                .metadata
                .push((read_id(reader)?, wire::metadata(reader)?));
        }
        if reader.is_empty() {
            Ok(batch)
        } else {
            Err(Error::Invalid("batch"))
        }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.row.is_empty() && !self.has_rest()
    }

    /// Whether there is more than the row.
    pub(crate) fn has_rest(&self) -> bool {
        !(self.series.is_empty()
            && self.samples.is_empty()
            && self.exemplars.is_empty()
            && self.metadata.is_empty())
    }
}

pub(crate) fn read_id(reader: &mut Reader<'_>) -> Result<SeriesId, Error> {
    SeriesId::try_from(reader.varint()?).map_err(|_| Error::Invalid("series number"))
}

/// Appends one sample, relative to number and time of the one before.
pub(crate) fn put_sample(out: &mut Vec<u8>, id: SeriesId, sample: &Sample, before: &mut Before) {
    let stale = sample.value.is_stale();
    let kind = match &sample.value {
        SampleValue::Float(_) if stale => STALE,
        SampleValue::Float(v) if is_integer(*v) => INTEGER,
        SampleValue::Float(_) => FLOAT,
        SampleValue::Histogram(_) if stale => STALE_HISTOGRAM,
        SampleValue::Histogram(_) => HISTOGRAM,
        SampleValue::FloatHistogram(_) if stale => STALE_FLOAT_HISTOGRAM,
        SampleValue::FloatHistogram(_) => FLOAT_HISTOGRAM,
    };
    let mut tag = kind;
    let next_id = before.id.checked_add(1) == Some(id);
    let same_id = before.id == id;
    let since = sample.timestamp_ms.wrapping_sub(before.ms);
    let same_time = since == 0;
    let same_step = !same_time && since == before.step_ms;
    let with_start = sample.start_timestamp_ms != 0;
    for (is, bit) in [
        (next_id, NEXT_ID),
        (same_id, SAME_ID),
        (same_time, SAME_TIME),
        (same_step, SAME_STEP),
        (with_start, WITH_START),
    ] {
        if is {
            tag |= bit;
        }
    }
    out.push(tag);
    if !(next_id || same_id) {
        put_zigzag(out, i64::from(id) - i64::from(before.id));
    }
    if !(same_time || same_step) {
        put_zigzag(out, since);
    }
    before.go_on(id, sample.timestamp_ms);
    if with_start {
        let start = sample.start_timestamp_ms;
        put_zigzag(out, start.wrapping_sub(sample.timestamp_ms));
    }
    match &sample.value {
        _ if stale => {}
        SampleValue::Float(v) if kind == INTEGER => put_zigzag(out, *v as i64),
        SampleValue::Float(v) => put_f64(out, *v),
        SampleValue::Histogram(h) => {
            out.push(hint_byte(h.counter_reset_hint));
            Layout::of(h).put(out);
            put_counts(out, h, None);
        }
        SampleValue::FloatHistogram(h) => {
            out.push(hint_byte(h.counter_reset_hint));
            Layout::of_float(h).put(out);
            put_float_counts(out, h, None);
        }
    }
}

/// Reads what [`put_sample`] wrote.
pub(crate) fn read_sample(
    reader: &mut Reader<'_>,
    before: &mut Before,
) -> Result<(SeriesId, Sample), Error> {
    let tag = reader.u8()?;
    let id = if tag & NEXT_ID != 0 {
        before.id.checked_add(1)
    } else if tag & SAME_ID != 0 {
        Some(before.id)
    } else {
        i64::from(before.id)
            .checked_add(reader.zigzag()?)
            .and_then(|id| SeriesId::try_from(id).ok())
    }
    .ok_or(Error::Invalid("series number"))?;
    let timestamp_ms = before.ms.wrapping_add(if tag & SAME_TIME != 0 {
        0
    } else if tag & SAME_STEP != 0 {
        before.step_ms
    } else {
        reader.zigzag()?
    });
    before.go_on(id, timestamp_ms);
    let start_timestamp_ms = if tag & WITH_START != 0 {
        timestamp_ms.wrapping_add(reader.zigzag()?)
    } else {
        0
    };
    let value = match tag & KIND {
        FLOAT => SampleValue::Float(reader.f64()?),
        INTEGER => SampleValue::Float(reader.zigzag()? as f64),
        STALE => SampleValue::Float(stale_nan()),
        HISTOGRAM => {
            let hint = hint(reader.u8()?);
            let layout = Layout::read(reader)?;
            let mut h = counts(reader, &layout, None)?;
            h.counter_reset_hint = hint;
            SampleValue::Histogram(Arc::new(h))
        }
        FLOAT_HISTOGRAM => {
            let hint = hint(reader.u8()?);
            let layout = Layout::read(reader)?;
            let mut h = float_counts(reader, &layout, None)?;
            h.counter_reset_hint = hint;
            SampleValue::FloatHistogram(Arc::new(h))
        }
        STALE_HISTOGRAM => stale_histogram(),
        STALE_FLOAT_HISTOGRAM => stale_float_histogram(),
        _ => return Err(Error::Invalid("sample kind")),
    };
    Ok((
        id,
        Sample {
            timestamp_ms,
            start_timestamp_ms,
            value,
        },
    ))
}

/// The staleness marker among integer histograms.
pub(crate) fn stale_histogram() -> SampleValue {
    SampleValue::Histogram(Arc::new(Histogram {
        sum: stale_nan(),
        ..Histogram::default()
    }))
}

/// The staleness marker among float histograms.
pub(crate) fn stale_float_histogram() -> SampleValue {
    SampleValue::FloatHistogram(Arc::new(FloatHistogram {
        sum: stale_nan(),
        ..FloatHistogram::default()
    }))
}

fn is_integer(v: f64) -> bool {
    v.abs() < INTEGERS_BELOW && (v as i64 as f64).to_bits() == v.to_bits()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tsdb::chunk::tests::{histogram, value};

    fn batch() -> impl Strategy<Value = Batch> {
        let id = 0u32..u32::MAX;
        let sample = (
            id,
            any::<i64>(),
            prop_oneof![Just(0i64), any::<i64>()],
            value(),
        )
            .prop_map(|(id, timestamp_ms, start_timestamp_ms, value)| {
                (
                    id,
                    Sample {
                        timestamp_ms,
                        start_timestamp_ms,
                        value,
                    },
                )
            });
        (any::<bool>(), prop::collection::vec(sample, 0..30)).prop_map(|(out_of_order, samples)| {
            Batch {
                out_of_order,
                series: vec![(7, Labels::from_pairs([("a", "ü"), ("b", "2")]))],
                exemplars: vec![(
                    7,
                    Exemplar {
                        labels: Labels::from_pairs([("trace", "x")]),
                        value: f64::NAN,
                        timestamp_ms: Some(-5),
                    },
                )],
                metadata: vec![(7, Metadata::default())],
                samples,
                ..Batch::default()
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_batch_comes_back_from_the_log(batch in batch()) {
            let mut out = Vec::new();
            batch.put(&mut out);
            let read = Batch::read(&out).unwrap();
            prop_assert_eq!(read.samples.len(), batch.samples.len());
            for ((id, sample), (other_id, other)) in read.samples.iter().zip(&batch.samples) {
                prop_assert_eq!(id, other_id);
                prop_assert_eq!(sample.timestamp_ms, other.timestamp_ms);
                prop_assert_eq!(sample.start_timestamp_ms, other.start_timestamp_ms);
                prop_assert!(sample.value.same_bits(&other.value));
            }
            prop_assert_eq!(read.series, batch.series);
            prop_assert_eq!(read.metadata, batch.metadata);
        }

        #[test]
        fn any_bytes_are_a_batch_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Batch::read(&bytes);
        }

        #[test]
        fn a_cut_batch_is_refused(batch in batch(), cut in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            batch.put(&mut out);
            let cut = cut.index(out.len());
            prop_assert!(Batch::read(&out[..cut]).is_err());
        }
    }

    #[test]
    fn a_steady_counter_takes_a_few_bytes() {
        let batch = Batch {
            samples: (0..100)
                .map(|id| (id, Sample::float(1_700_000_000_000, f64::from(id) * 5.0)))
                .collect(),
            ..Batch::default()
        };
        let mut out = Vec::new();
        batch.put(&mut out);
        assert!(out.len() < 350, "{} bytes", out.len());
        let _ = histogram(1);
    }
}
