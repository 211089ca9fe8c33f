use std::sync::Arc;

use super::histogram::CounterResetHint;
use super::{FloatHistogram, Histogram};

/// The bits of the value that marks the end of a series.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that marks the end of a series.
pub const fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether `v` is the staleness marker; an ordinary NaN is not.
pub const fn is_stale_nan(v: f64) -> bool {
    v.to_bits() == STALE_NAN_BITS
}

/// What a series holds at one point in time.
#[derive(Debug, Clone)]
pub enum SampleValue {
    /// A number; every bit counts.
    Float(f64),
    /// A native histogram with integer counts.
    Histogram(Arc<Histogram>),
    /// A native histogram with float counts.
    FloatHistogram(Arc<FloatHistogram>),
}

impl SampleValue {
    /// Whether this is a staleness marker (for histograms: their sum is).
    #[inline]
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Float(v) => is_stale_nan(*v),
            Self::Histogram(h) => is_stale_nan(h.sum),
            Self::FloatHistogram(h) => is_stale_nan(h.sum),
        }
    }

    /// The value from which a series of this kind begins to count: 0, or an empty histogram of the same
    /// layout that knows it is a reset.
    pub fn zero(&self) -> Self {
        match self {
            Self::Float(_) => Self::Float(0.0),
            Self::Histogram(h) => Self::Histogram(Arc::new(Histogram {
                counter_reset_hint: CounterResetHint::Reset,
                schema: h.schema,
                zero_threshold: h.zero_threshold,
                custom_values: Arc::clone(&h.custom_values),
                ..Histogram::default()
            })),
            Self::FloatHistogram(h) => Self::FloatHistogram(Arc::new(FloatHistogram {
                counter_reset_hint: CounterResetHint::Reset,
                schema: h.schema,
                zero_threshold: h.zero_threshold,
                custom_values: Arc::clone(&h.custom_values),
                ..FloatHistogram::default()
            })),
        }
    }

    /// Whether both hold the same bits; what decides if a repeated sample is a harmless duplicate.
    pub fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Histogram(a), Self::Histogram(b)) => a.same_bits(b),
            (Self::FloatHistogram(a), Self::FloatHistogram(b)) => a.same_bits(b),
            _ => false,
        }
    }
}

/// A value of a series at a point in time.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// When the counted process began, in milliseconds since the epoch; 0 when not known.
    pub start_timestamp_ms: i64,
    /// The value.
    pub value: SampleValue,
}

impl Sample {
    /// A float sample without a start timestamp.
    pub const fn float(timestamp_ms: i64, value: f64) -> Self {
        Self {
            timestamp_ms,
            start_timestamp_ms: 0,
            value: SampleValue::Float(value),
        }
    }
}
