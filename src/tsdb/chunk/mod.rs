//! Runs of samples of one series, compressed bit-exactly: about 120 samples of one kind.
//!
//! An [`OpenChunk`] grows; sealed, it becomes an immutable [`Chunk`]. Both are read by [`Samples`].

mod burst;
mod float;
mod histogram;
mod tail;

use std::sync::Arc;

use crate::codec::{Error, Reader, put_bytes, put_varint, put_zigzag};
use crate::model::{Sample, SampleValue};

use float::{FloatDecoder, FloatEncoder};
use histogram::{HistogramDecoder, HistogramEncoder};

pub(crate) use tail::FloatTail;

/// A chunk is sealed when it holds so many samples.
pub(crate) const CHUNK_SAMPLES_MAX: u32 = 120;

/// A chunk is sealed when it would span more than this, so that old data can be let go.
const CHUNK_SPAN_MAX_MS: i64 = 2 * 3600 * 1000;

/// What the samples of a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Floats without start timestamps.
    Float,
    /// Floats with start timestamps.
    FloatWithStart,
    Histogram,
    FloatHistogram,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Float => 1,
            Self::FloatWithStart => 2,
            Self::Histogram => 3,
            Self::FloatHistogram => 4,
        }
    }

    const fn from_byte(byte: u8) -> Result<Self, Error> {
        Ok(match byte {
            1 => Self::Float,
            2 => Self::FloatWithStart,
            3 => Self::Histogram,
            4 => Self::FloatHistogram,
            _ => return Err(Error::Invalid("chunk kind")),
        })
    }

    const fn of(sample: &Sample) -> Self {
        match &sample.value {
            SampleValue::Float(_) if sample.start_timestamp_ms == 0 => Self::Float,
            SampleValue::Float(_) => Self::FloatWithStart,
            SampleValue::Histogram(_) => Self::Histogram,
            SampleValue::FloatHistogram(_) => Self::FloatHistogram,
        }
    }
}

/// An immutable run of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    kind: Kind,
    count: u32,
    min_ms: i64,
    max_ms: i64,
    bytes: Box<[u8]>,
}

impl Chunk {
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) const fn min_ms(&self) -> i64 {
        self.min_ms
    }

    pub(crate) const fn max_ms(&self) -> i64 {
        self.max_ms
    }

    /// Whether its samples are native histograms.
    pub(crate) const fn is_histogram(&self) -> bool {
        matches!(self.kind, Kind::Histogram | Kind::FloatHistogram)
    }

    /// Appends its samples between two times (inclusive), if they are floats without start timestamps; false
    /// when they are not.
    pub(crate) fn floats(
        &self,
        range: (i64, i64),
        out: &mut Vec<(i64, f64)>,
    ) -> Result<bool, Error> {
        if self.kind != Kind::Float {
            return Ok(false);
        }
        FloatDecoder::all(&self.bytes, self.count, range, out)?;
        Ok(true)
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes.len() + size_of::<Self>() + 16
    }

    /// Appends the chunk to a page.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.kind.byte());
        put_varint(out, u64::from(self.count));
        put_zigzag(out, self.min_ms);
        put_zigzag(out, self.max_ms.wrapping_sub(self.min_ms));
        put_bytes(out, &self.bytes);
    }

    /// Reads what [`Self::put`] wrote. The samples themselves are checked when they are read.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = Kind::from_byte(reader.u8()?)?;
        let count = u32::try_from(reader.varint()?).map_err(|_| Error::Invalid("chunk"))?;
        let min_ms = reader.zigzag()?;
        let max_ms = min_ms.wrapping_add(reader.zigzag()?);
        let bytes = reader.bytes()?.into();
        if count == 0 || max_ms < min_ms {
            return Err(Error::Invalid("chunk"));
        }
        Ok(Self {
            kind,
            count,
            min_ms,
            max_ms,
            bytes,
        })
    }
}

/// A run of samples that still grows.
#[derive(Debug)]
pub(crate) struct OpenChunk {
    kind: Kind,
    count: u32,
    min_ms: i64,
    max_ms: i64,
    encoder: Encoder,
}

#[derive(Debug)]
enum Encoder {
    Float(FloatEncoder),
    Histogram(Box<HistogramEncoder>),
}

impl OpenChunk {
    /// Starts with a sample.
    pub(crate) fn start(sample: &Sample) -> Self {
        let kind = Kind::of(sample);
        let encoder = match &sample.value {
            SampleValue::Float(v) => Encoder::Float(FloatEncoder::start(
                kind == Kind::FloatWithStart,
                sample.timestamp_ms,
                sample.start_timestamp_ms,
                *v,
            )),
            SampleValue::Histogram(_) | SampleValue::FloatHistogram(_) => {
                Encoder::Histogram(Box::new(HistogramEncoder::start(sample)))
            }
        };
        Self {
            kind,
            count: 1,
            min_ms: sample.timestamp_ms,
            max_ms: sample.timestamp_ms,
            encoder,
        }
    }

    /// Adds a later sample; false when it needs a chunk of its own.
    pub(crate) fn push(&mut self, sample: &Sample) -> bool {
        if self.count >= CHUNK_SAMPLES_MAX
            || sample.timestamp_ms.saturating_sub(self.min_ms) > CHUNK_SPAN_MAX_MS
        {
            return false;
        }
        let pushed = match (&mut self.encoder, &sample.value) {
            (Encoder::Float(encoder), SampleValue::Float(v)) => {
                encoder.push(sample.timestamp_ms, sample.start_timestamp_ms, *v)
            }
            (
                Encoder::Histogram(encoder),
                SampleValue::Histogram(_) | SampleValue::FloatHistogram(_),
            ) => self.kind == Kind::of(sample) && encoder.push(sample),
            _ => false,
        };
        if pushed {
            self.count += 1;
            self.max_ms = sample.timestamp_ms;
        }
        pushed
    }

    pub(crate) const fn min_ms(&self) -> i64 {
        self.min_ms
    }

    pub(crate) const fn max_ms(&self) -> i64 {
        self.max_ms
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        match &self.encoder {
            Encoder::Float(encoder) => encoder.capacity(),
            Encoder::Histogram(encoder) => encoder.capacity() + size_of::<HistogramEncoder>(),
        }
    }

    /// A copy of what it holds now.
    pub(crate) fn snapshot(&self) -> Chunk {
        let bytes = match &self.encoder {
            Encoder::Float(encoder) => encoder.bytes(),
            Encoder::Histogram(encoder) => encoder.bytes(),
        };
        Chunk {
            kind: self.kind,
            count: self.count,
            min_ms: self.min_ms,
            max_ms: self.max_ms,
            bytes: bytes.into(),
        }
    }
}

/// The samples of a chunk in order.
#[derive(Debug)]
pub(crate) struct Samples {
    chunk: Arc<Chunk>,
    left: u32,
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Float(FloatDecoder),
    Histogram(Box<HistogramDecoder>),
}

impl Samples {
    /// Reads the first `limit` samples.
    pub(crate) fn new(chunk: Arc<Chunk>, limit: u32) -> Self {
        let decoder = match chunk.kind {
            Kind::Float => Decoder::Float(FloatDecoder::new(false)),
            Kind::FloatWithStart => Decoder::Float(FloatDecoder::new(true)),
            Kind::Histogram => Decoder::Histogram(Box::new(HistogramDecoder::new(false))),
            Kind::FloatHistogram => Decoder::Histogram(Box::new(HistogramDecoder::new(true))),
        };
        Self {
            left: chunk.count.min(limit),
            chunk,
            decoder,
        }
    }
}

impl Iterator for Samples {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let sample = match &mut self.decoder {
            Decoder::Float(decoder) => decoder.next(&self.chunk.bytes),
            Decoder::Histogram(decoder) => decoder.next(&self.chunk.bytes),
        };
        if sample.is_err() {
            self.left = 0;
        }
        Some(sample)
    }
}

#[cfg(test)]
pub(crate) mod tests;
