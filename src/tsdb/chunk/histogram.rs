use std::sync::Arc;

use crate::codec::{Error, Reader, put_zigzag};
use crate::model::{FloatHistogram, Histogram, Sample, SampleValue, stale_nan};
use crate::tsdb::wire::{
    Layout, counts, float_counts, hint, hint_byte, put_counts, put_float_counts,
};

const STALE: u8 = 4;
const START_CHANGED: u8 = 8;

/// Writes native histograms of one bucket layout: counts as differences to the sample before.
#[derive(Debug)]
pub(super) struct HistogramEncoder {
    out: Vec<u8>,
    layout: Layout,
    before: Before,
    ms: i64,
    delta: i64,
    start_ms: i64,
}

/// The newest sample that was no staleness marker.
#[derive(Debug, Clone, Default)]
struct Before {
    int: Option<Arc<Histogram>>,
    float: Option<Arc<FloatHistogram>>,
}

impl HistogramEncoder {
    pub(super) fn start(sample: &Sample) -> Self {
        let layout = layout(&sample.value);
        let mut out = Vec::new();
        layout.put(&mut out);
        let mut encoder = Self {
            out,
            layout,
            before: Before::default(),
            ms: 0,
            delta: 0,
            start_ms: 0,
        };
        encoder.write(sample);
        // The second sample's difference is one to the first, not to the epoch.
        encoder.delta = 0;
        encoder
    }

    /// False when the sample has another layout.
    pub(super) fn push(&mut self, sample: &Sample) -> bool {
        if !sample.value.is_stale() && !self.layout.same(&layout(&sample.value)) {
            return false;
        }
        self.write(sample);
        true
    }

    fn write(&mut self, sample: &Sample) {
        let stale = sample.value.is_stale();
        let start_changed = sample.start_timestamp_ms != self.start_ms;
        let hint = match &sample.value {
            SampleValue::Float(_) => 0,
            SampleValue::Histogram(h) => hint_byte(h.counter_reset_hint),
            SampleValue::FloatHistogram(h) => hint_byte(h.counter_reset_hint),
        };
        let mut flags = hint;
        if stale {
            flags |= STALE;
        }
        if start_changed {
            flags |= START_CHANGED;
        }
        self.out.push(flags);
        let delta = sample.timestamp_ms.wrapping_sub(self.ms);
        put_zigzag(&mut self.out, delta.wrapping_sub(self.delta));
        self.ms = sample.timestamp_ms;
        self.delta = delta;
        if start_changed {
            put_zigzag(&mut self.out, sample.start_timestamp_ms);
            self.start_ms = sample.start_timestamp_ms;
        }
        if stale {
            return;
        }
        match &sample.value {
            SampleValue::Float(_) => {}
            SampleValue::Histogram(h) => {
                put_counts(&mut self.out, h, self.before.int.as_deref());
                self.before.int = Some(Arc::clone(h));
            }
            SampleValue::FloatHistogram(h) => {
                put_float_counts(&mut self.out, h, self.before.float.as_deref());
                self.before.float = Some(Arc::clone(h));
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.out
    }

    pub(super) const fn capacity(&self) -> usize {
        self.out.capacity()
    }
}

fn layout(value: &SampleValue) -> Layout {
    match value {
        SampleValue::Float(_) => Layout::default(),
        SampleValue::Histogram(h) => Layout::of(h),
        SampleValue::FloatHistogram(h) => Layout::of_float(h),
    }
}

/// Reads what [`HistogramEncoder`] wrote.
#[derive(Debug)]
pub(super) struct HistogramDecoder {
    float: bool,
    at: usize,
    layout: Option<Layout>,
    before: Before,
    ms: i64,
    delta: i64,
    start_ms: i64,
}

impl HistogramDecoder {
    pub(super) fn new(float: bool) -> Self {
        Self {
            float,
            at: 0,
            layout: None,
            before: Before::default(),
            ms: 0,
            delta: 0,
            start_ms: 0,
        }
    }

    /// The next sample of `bytes`, which are the same at every call.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Sample, Error> {
        let mut reader = Reader::new(bytes.get(self.at..).unwrap_or_default());
        let first = self.layout.is_none();
        let layout = match self.layout.take() {
            Some(layout) => layout,
            None => Layout::read(&mut reader)?,
        };
        let flags = reader.u8()?;
        self.delta = self.delta.wrapping_add(reader.zigzag()?);
        self.ms = self.ms.wrapping_add(self.delta);
        if first {
            self.delta = 0;
        }
        if flags & START_CHANGED != 0 {
            self.start_ms = reader.zigzag()?;
        }
        let value = self.value(&mut reader, &layout, flags)?;
        self.at = bytes.len() - reader.rest().len();
        self.layout = Some(layout);
        Ok(Sample {
            timestamp_ms: self.ms,
            start_timestamp_ms: self.start_ms,
            value,
        })
    }

    fn value(
        &mut self,
        reader: &mut Reader<'_>,
        layout: &Layout,
        flags: u8,
    ) -> Result<SampleValue, Error> {
        let stale = flags & STALE != 0;
        Ok(if self.float {
            let mut h = if stale {
                FloatHistogram {
                    sum: stale_nan(),
                    ..FloatHistogram::default()
                }
            } else {
                float_counts(reader, layout, self.before.float.as_deref())?
            };
            h.counter_reset_hint = hint(flags);
            let h = Arc::new(h);
            if !stale {
                self.before.float = Some(Arc::clone(&h));
            }
            SampleValue::FloatHistogram(h)
        } else {
            let mut h = if stale {
                Histogram {
                    sum: stale_nan(),
                    ..Histogram::default()
                }
            } else {
                counts(reader, layout, self.before.int.as_deref())?
            };
            h.counter_reset_hint = hint(flags);
            let h = Arc::new(h);
            if !stale {
                self.before.int = Some(Arc::clone(&h));
            }
            SampleValue::Histogram(h)
        })
    }
}
