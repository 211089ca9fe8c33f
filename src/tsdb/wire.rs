//! How labels, histograms and exemplars lie in records, chunks and checkpoints.

use std::sync::Arc;

use crate::codec::{Error, Reader, put_f64, put_str, put_varint, put_zigzag};
use crate::model::histogram::{BucketSpan, CounterResetHint};
use crate::model::{Exemplar, FloatHistogram, Histogram, Labels, Metadata, MetricType};

pub(super) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_varint(out, labels.iter().count() as u64);
    for (name, value) in labels {
        put_str(out, name);
        put_str(out, value);
    }
}

pub(super) fn labels(reader: &mut Reader<'_>) -> Result<Labels, Error> {
    let count = reader.count(2)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((reader.str()?, reader.str()?));
    }
    Ok(Labels::from_pairs(pairs))
}

pub(super) fn put_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    out.push(match metadata.metric_type {
        MetricType::Unknown => 0,
        MetricType::Counter => 1,
        MetricType::Gauge => 2,
        MetricType::Histogram => 3,
        MetricType::GaugeHistogram => 4,
        MetricType::Summary => 5,
        MetricType::Info => 6,
        MetricType::StateSet => 7,
    });
    put_str(out, &metadata.unit);
    put_str(out, &metadata.help);
}

pub(super) fn metadata(reader: &mut Reader<'_>) -> Result<Metadata, Error> {
    Ok(Metadata {
        metric_type: match reader.u8()? {
            0 => MetricType::Unknown,
            1 => MetricType::Counter,
            2 => MetricType::Gauge,
            3 => MetricType::Histogram,
            4 => MetricType::GaugeHistogram,
            5 => MetricType::Summary,
            6 => MetricType::Info,
            7 => MetricType::StateSet,
            _ => return Err(Error::Invalid("metric type")),
        },
        unit: reader.str()?.to_owned(),
        help: reader.str()?.to_owned(),
    })
}

pub(super) fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    put_labels(out, &exemplar.labels);
    put_f64(out, exemplar.value);
    out.push(u8::from(exemplar.timestamp_ms.is_some()));
    if let Some(ms) = exemplar.timestamp_ms {
        put_zigzag(out, ms);
    }
}

pub(super) fn exemplar(reader: &mut Reader<'_>) -> Result<Exemplar, Error> {
    Ok(Exemplar {
        labels: labels(reader)?,
        value: reader.f64()?,
        timestamp_ms: match reader.u8()? {
            0 => None,
            1 => Some(reader.zigzag()?),
            _ => return Err(Error::Invalid("exemplar")),
        },
    })
}

pub(super) const fn hint_byte(hint: CounterResetHint) -> u8 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

pub(super) const fn hint(byte: u8) -> CounterResetHint {
    match byte & 3 {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        _ => CounterResetHint::Gauge,
    }
}

/// What two histograms share when their buckets can be written as differences.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) positive: Vec<BucketSpan>,
    pub(super) negative: Vec<BucketSpan>,
    pub(super) custom: Arc<[f64]>,
    pub(super) positive_buckets: usize,
    pub(super) negative_buckets: usize,
}

impl Layout {
    pub(super) fn of(h: &Histogram) -> Self {
        Self {
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            positive: h.positive_spans.clone(),
            negative: h.negative_spans.clone(),
            custom: Arc::clone(&h.custom_values),
            positive_buckets: h.positive_buckets.len(),
            negative_buckets: h.negative_buckets.len(),
        }
    }

    pub(super) fn of_float(h: &FloatHistogram) -> Self {
        Self {
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            positive: h.positive_spans.clone(),
            negative: h.negative_spans.clone(),
            custom: Arc::clone(&h.custom_values),
            positive_buckets: h.positive_buckets.len(),
            negative_buckets: h.negative_buckets.len(),
        }
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.positive == other.positive
            && self.negative == other.negative
            && self.positive_buckets == other.positive_buckets
            && self.negative_buckets == other.negative_buckets
            && self
                .custom
                .iter()
                .map(|v| v.to_bits())
                .eq(other.custom.iter().map(|v| v.to_bits()))
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_zigzag(out, i64::from(self.schema));
        put_f64(out, self.zero_threshold);
        for (spans, buckets) in [
            (&self.positive, self.positive_buckets),
            (&self.negative, self.negative_buckets),
        ] {
            put_varint(out, spans.len() as u64);
            for span in spans {
                put_zigzag(out, i64::from(span.offset));
                put_varint(out, u64::from(span.length));
            }
            put_varint(out, buckets as u64);
        }
        put_varint(out, self.custom.len() as u64);
        for bound in self.custom.iter() {
            put_f64(out, *bound);
        }
    }

    /// Reads a layout; the buckets it announces are only bounded by what is sane.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let invalid = |_| Error::Invalid("histogram layout");
        let schema = i32::try_from(reader.zigzag()?).map_err(invalid)?;
        let zero_threshold = reader.f64()?;
        let mut sides = [(Vec::new(), 0), (Vec::new(), 0)];
        for (spans, buckets) in &mut sides {
            for _ in 0..reader.count(2)? {
                spans.push(BucketSpan {
                    offset: i32::try_from(reader.zigzag()?).map_err(invalid)?,
                    length: u32::try_from(reader.varint()?).map_err(invalid)?,
                });
            }
            *buckets = usize::try_from(reader.varint()?).map_err(invalid)?;
        }
        let mut custom = Vec::with_capacity(reader.count(8)?);
        for _ in 0..custom.capacity() {
            custom.push(reader.f64()?);
        }
        let [(positive, positive_buckets), (negative, negative_buckets)] = sides;
        Ok(Self {
            schema,
            zero_threshold,
            positive,
            negative,
            custom: custom.into(),
            positive_buckets,
            negative_buckets,
        })
    }

    /// An integer histogram of this layout with nothing in it.
    pub(super) fn histogram(&self) -> Histogram {
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: self.positive.clone(),
            negative_spans: self.negative.clone(),
            custom_values: Arc::clone(&self.custom),
            ..Histogram::default()
        }
    }

    /// A float histogram of this layout with nothing in it.
    pub(super) fn float_histogram(&self) -> FloatHistogram {
        FloatHistogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: self.positive.clone(),
            negative_spans: self.negative.clone(),
            custom_values: Arc::clone(&self.custom),
            ..FloatHistogram::default()
        }
    }
}

/// Writes the counts of `h` as differences to those of `before`, which has the same layout or none.
pub(super) fn put_counts(out: &mut Vec<u8>, h: &Histogram, before: Option<&Histogram>) {
    let (count, zero, sum) = before.map_or((0, 0, 0.0), |b| (b.count, b.zero_count, b.sum));
    put_zigzag(out, h.count.wrapping_sub(count) as i64);
    put_zigzag(out, h.zero_count.wrapping_sub(zero) as i64);
    put_xor(out, h.sum, sum);
    for (buckets, earlier) in [
        (&h.positive_buckets, before.map(|b| &b.positive_buckets)),
        (&h.negative_buckets, before.map(|b| &b.negative_buckets)),
    ] {
        for (i, bucket) in buckets.iter().enumerate() {
            let earlier = earlier.and_then(|e| e.get(i)).copied().unwrap_or(0);
            put_zigzag(out, bucket.wrapping_sub(earlier));
        }
    }
}

/// Reads what [`put_counts`] wrote.
pub(super) fn counts(
    reader: &mut Reader<'_>,
    layout: &Layout,
    before: Option<&Histogram>,
) -> Result<Histogram, Error> {
    let (count, zero, sum) = before.map_or((0, 0, 0.0), |b| (b.count, b.zero_count, b.sum));
    let mut h = layout.histogram();
    h.count = count.wrapping_add(reader.zigzag()? as u64);
    h.zero_count = zero.wrapping_add(reader.zigzag()? as u64);
    h.sum = xor(reader, sum)?;
    for (buckets, length, earlier) in [
        (
            &mut h.positive_buckets,
            layout.positive_buckets,
            before.map(|b| &b.positive_buckets),
        ),
        (
            &mut h.negative_buckets,
            layout.negative_buckets,
            before.map(|b| &b.negative_buckets),
        ),
    ] {
        buckets.reserve_exact(length.min(reader.rest().len()));
        for i in 0..length {
            let earlier = earlier.and_then(|e| e.get(i)).copied().unwrap_or(0);
            buckets.push(earlier.wrapping_add(reader.zigzag()?));
        }
    }
    Ok(h)
}

/// [`put_counts`] for float histograms.
pub(super) fn put_float_counts(
    out: &mut Vec<u8>,
    h: &FloatHistogram,
    before: Option<&FloatHistogram>,
) {
    let (count, zero, sum) = before.map_or((0.0, 0.0, 0.0), |b| (b.count, b.zero_count, b.sum));
    put_xor(out, h.count, count);
    put_xor(out, h.zero_count, zero);
    put_xor(out, h.sum, sum);
    for (buckets, earlier) in [
        (&h.positive_buckets, before.map(|b| &b.positive_buckets)),
        (&h.negative_buckets, before.map(|b| &b.negative_buckets)),
    ] {
        for (i, bucket) in buckets.iter().enumerate() {
            let earlier = earlier.and_then(|e| e.get(i)).copied().unwrap_or(0.0);
            put_xor(out, *bucket, earlier);
        }
    }
}

/// [`counts`] for float histograms.
pub(super) fn float_counts(
    reader: &mut Reader<'_>,
    layout: &Layout,
    before: Option<&FloatHistogram>,
) -> Result<FloatHistogram, Error> {
    let (count, zero, sum) = before.map_or((0.0, 0.0, 0.0), |b| (b.count, b.zero_count, b.sum));
    let mut h = layout.float_histogram();
    h.count = xor(reader, count)?;
    h.zero_count = xor(reader, zero)?;
    h.sum = xor(reader, sum)?;
    for (buckets, length, earlier) in [
        (
            &mut h.positive_buckets,
            layout.positive_buckets,
            before.map(|b| &b.positive_buckets),
        ),
        (
            &mut h.negative_buckets,
            layout.negative_buckets,
            before.map(|b| &b.negative_buckets),
        ),
    ] {
        buckets.reserve_exact(length.min(reader.rest().len()));
        for i in 0..length {
            let earlier = earlier.and_then(|e| e.get(i)).copied().unwrap_or(0.0);
            buckets.push(xor(reader, earlier)?);
        }
    }
    Ok(h)
}

/// Neighbours share sign, exponent and often the low bits: swapped, what differs is a small integer.
fn put_xor(out: &mut Vec<u8>, value: f64, before: f64) {
    put_varint(out, (value.to_bits() ^ before.to_bits()).swap_bytes());
}

fn xor(reader: &mut Reader<'_>, before: f64) -> Result<f64, Error> {
    Ok(f64::from_bits(
        reader.varint()?.swap_bytes() ^ before.to_bits(),
    ))
}
