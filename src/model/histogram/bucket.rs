use super::cells::cells;
use super::{FloatHistogram, bounds::bound, is_custom_schema};

/// A bucket with its bounds and its own (not cumulative) count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation of exactly `lower` is counted here.
    pub lower_inclusive: bool,
    /// Whether an observation of exactly `upper` is counted here.
    pub upper_inclusive: bool,
    /// Observations.
    pub count: f64,
}

impl Bucket {
    /// The code of the inclusive bounds in the HTTP API's JSON: 0 open left, 1 open right, 2 open on
    /// both sides, 3 closed on both sides.
    pub const fn boundaries(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (true, true) => 3,
            (true, false) => 1,
            (false, true) => 0,
            (false, false) => 2,
        }
    }
}

impl FloatHistogram {
    /// The positive buckets in ascending order. Empty ones that are stored are included.
    pub fn positive(&self) -> Vec<Bucket> {
        cells(&self.positive_spans, &self.positive_buckets)
            .map(|cell| self.bucket(cell.index, cell.value, true))
            .collect()
    }

    /// The negative buckets, from the zero bucket downwards. Empty ones that are stored are included.
    pub fn negative(&self) -> Vec<Bucket> {
        cells(&self.negative_spans, &self.negative_buckets)
            .map(|cell| self.bucket(cell.index, cell.value, false))
            .collect()
    }

    /// The zero bucket, closed on both sides.
    pub const fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets in ascending order, the zero bucket only if it is populated. Buckets that overlap
    /// with the zero bucket are cut off there.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut all: Vec<Bucket> = self.negative();
        all.reverse();
        let middle = all.len();
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        let first_positive = all.len();
        all.extend(self.positive());
        for (at, bucket) in all.iter_mut().enumerate() {
            if at >= middle && at < first_positive {
                continue;
            }
            if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
                bucket.upper = -self.zero_threshold;
            } else if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
                bucket.lower = self.zero_threshold;
            }
        }
        all
    }

    fn bucket(&self, index: i64, count: f64, positive: bool) -> Bucket {
        let (mut lower, mut upper) = (
            bound(index.saturating_sub(1), self.schema, &self.custom_values),
            bound(index, self.schema, &self.custom_values),
        );
        if !positive {
            (lower, upper) = (-upper, -lower);
        }
        let (lower_inclusive, upper_inclusive) = if is_custom_schema(self.schema) {
            (index == 0, true)
        } else {
            (lower < 0.0, upper > 0.0)
        };
        Bucket {
            lower,
            upper,
            lower_inclusive,
            upper_inclusive,
            count,
        }
    }
}
