use std::sync::Arc;

use super::cells::cells;
use super::{BucketSpan, CounterResetHint, is_custom_schema};

/// A native histogram with float counts, as PromQL computes with. Buckets hold absolute counts.
#[derive(Debug, Clone, Default)]
pub struct FloatHistogram {
    /// What is known about a reset.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8, or [`super::CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of all observations; the staleness marker's bits mark staleness.
    pub sum: f64,
    /// Spans of the positive buckets.
    pub positive_spans: Vec<BucketSpan>,
    /// Spans of the negative buckets.
    pub negative_spans: Vec<BucketSpan>,
    /// Positive buckets.
    pub positive_buckets: Vec<f64>,
    /// Negative buckets.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds of custom buckets, without +Inf.
    pub custom_values: Arc<[f64]>,
}

impl FloatHistogram {
    /// Whether the buckets have given bounds.
    pub const fn uses_custom_buckets(&self) -> bool {
        is_custom_schema(self.schema)
    }

    /// What PromQL's `==` asks: the same buckets (explicitly empty ones count) with the same bits.
    /// The counter reset hint does not matter.
    pub fn same_layout_and_counts(&self, other: &Self) -> bool {
        let numbers = |h: &Self| [h.count.to_bits(), h.sum.to_bits(), h.zero_count.to_bits()];
        let side = |a: (&[BucketSpan], &[f64]), b: (&[BucketSpan], &[f64])| {
            a.1.len() == b.1.len()
                && cells(a.0, a.1)
                    .map(|cell| (cell.index, cell.value.to_bits()))
                    .eq(cells(b.0, b.1).map(|cell| (cell.index, cell.value.to_bits())))
        };
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && numbers(self) == numbers(other)
            && self.custom_values == other.custom_values
            && side(
                (&self.negative_spans, &self.negative_buckets),
                (&other.negative_spans, &other.negative_buckets),
            )
            && side(
                (&self.positive_spans, &self.positive_buckets),
                (&other.positive_spans, &other.positive_buckets),
            )
    }

    /// How many float samples weigh as much in memory, as upstream counts them against the sample limit.
    pub fn size_in_samples(&self) -> usize {
        let eights = self.positive_spans.len()
            + self.negative_spans.len()
            + self.positive_buckets.len()
            + self.negative_buckets.len()
            + self.custom_values.len();
        (168 + 8 * eights + 8) / 16
    }

    /// Whether every field holds the same bits.
    pub fn same_bits(&self, other: &Self) -> bool {
        let bits = |a: &[f64], b: &[f64]| {
            a.iter()
                .map(|v| v.to_bits())
                .eq(b.iter().map(|v| v.to_bits()))
        };
        self.counter_reset_hint == other.counter_reset_hint
            && self.schema == other.schema
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && bits(
                &[self.zero_threshold, self.zero_count, self.count, self.sum],
                &[
                    other.zero_threshold,
                    other.zero_count,
                    other.count,
                    other.sum,
                ],
            )
            && bits(&self.positive_buckets, &other.positive_buckets)
            && bits(&self.negative_buckets, &other.negative_buckets)
            && bits(&self.custom_values, &other.custom_values)
    }
}
