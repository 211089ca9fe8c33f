use std::sync::Arc;

use super::{BucketSpan, CounterResetHint, FloatHistogram};

/// A native histogram with integer counts. Buckets hold differences to their predecessor.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// What is known about a reset.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8, or [`super::CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations.
    pub count: u64,
    /// Sum of all observations; the staleness marker's bits mark staleness.
    pub sum: f64,
    /// Spans of the positive buckets.
    pub positive_spans: Vec<BucketSpan>,
    /// Spans of the negative buckets.
    pub negative_spans: Vec<BucketSpan>,
    /// Positive buckets, each as difference to the one before.
    pub positive_buckets: Vec<i64>,
    /// Negative buckets, each as difference to the one before.
    pub negative_buckets: Vec<i64>,
    /// Upper bounds of custom buckets, without +Inf.
    pub custom_values: Arc<[f64]>,
}

impl Histogram {
    /// The same histogram with absolute float counts.
    pub fn to_float(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: absolute(&self.positive_buckets),
            negative_buckets: absolute(&self.negative_buckets),
            custom_values: Arc::clone(&self.custom_values),
        }
    }

    /// Whether every field holds the same bits.
    pub fn same_bits(&self, other: &Self) -> bool {
        self.counter_reset_hint == other.counter_reset_hint
            && self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.zero_count == other.zero_count
            && self.count == other.count
            && self.sum.to_bits() == other.sum.to_bits()
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets == other.positive_buckets
            && self.negative_buckets == other.negative_buckets
            && self
                .custom_values
                .iter()
                .map(|v| v.to_bits())
                .eq(other.custom_values.iter().map(|v| v.to_bits()))
    }
}

fn absolute(deltas: &[i64]) -> Vec<f64> {
    let mut sum: i64 = 0;
    deltas
        .iter()
        .map(|d| {
            sum = sum.wrapping_add(*d);
            sum as f64
        })
        .collect()
}
