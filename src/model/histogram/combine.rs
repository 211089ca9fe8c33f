//! Addition, subtraction and scaling.

use std::sync::Arc;

use super::cells::{
    Adding, Cell, beyond, cells, common_bounds, compensated, map_to_common, merge, plainly, reduce,
    spans, targets, with_compensation,
};
use super::{CounterResetHint, FloatHistogram, HistogramError, kahan_inc};

/// What was noticed while two histograms were combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One said that there was a reset, the other that there was none.
    pub hints_collided: bool,
    /// Custom bounds differed, so the result has only those that both share.
    pub bounds_reconciled: bool,
}

impl FloatHistogram {
    /// Adds `other`. Resolution and zero bucket become the coarser of both. Empty buckets stay;
    /// [`compact`](Self::compact) removes them.
    ///
    /// # Errors
    /// When one has custom and the other exponential buckets; nothing is changed then.
    pub fn add(&mut self, other: &Self) -> Result<Combined, HistogramError> {
        self.combine(other, 1.0)
    }

    /// Subtracts `other`, else as [`add`](Self::add).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn sub(&mut self, other: &Self) -> Result<Combined, HistogramError> {
        self.combine(other, -1.0)
    }

    /// Multiplies every count and the sum. A negative factor makes a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.for_each_count(|count| *count *= factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides every count and the sum. Division by zero removes all buckets; a negative divisor makes a
    /// gauge.
    pub fn div(&mut self, divisor: f64) {
        self.for_each_count(|count| *count /= divisor);
        if divisor == 0.0 {
            self.positive_buckets.clear();
            self.negative_buckets.clear();
            self.positive_spans.clear();
            self.negative_spans.clear();
        } else if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Whether a count, the sum or a bound is infinite.
    pub fn has_overflow(&self) -> bool {
        [self.zero_count, self.count, self.sum]
            .iter()
            .chain(&self.positive_buckets)
            .chain(&self.negative_buckets)
            .chain(self.custom_values.iter())
            .any(|v| v.is_infinite())
    }

    /// Adds `other` with compensated summation. `comp` carries the compensation from one addition to the
    /// next; it starts as `None` and is added at the end with [`add`](Self::add).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn kahan_add(
        &mut self,
        other: &Self,
        comp: &mut Option<Self>,
    ) -> Result<Combined, HistogramError> {
        self.check_same_kind(other)?;
        let hints_collided = self.adjust_hint(other);
        let mut c = comp.take().unwrap_or_else(|| self.empty_like());
        let other_zero = if self.uses_custom_buckets() {
            0.0
        } else {
            self.reconcile_zero_buckets(other, Some(&mut c))
        };
        (self.zero_count, c.zero_count) = kahan_inc(other_zero, self.zero_count, c.zero_count);
        (self.count, c.count) = kahan_inc(other.count, self.count, c.count);
        (self.sum, c.sum) = kahan_inc(other.sum, self.sum, c.sum);
        let positive = compensated(
            &self.positive_spans,
            &self.positive_buckets,
            &c.positive_buckets,
        );
        let negative = compensated(
            &self.negative_spans,
            &self.negative_buckets,
            &c.negative_buckets,
        );
        let bounds_reconciled = self.combine_buckets(
            positive,
            negative,
            other,
            1.0,
            with_compensation,
            Some(&mut c),
        );
        *comp = Some(c);
        Ok(Combined {
            hints_collided,
            bounds_reconciled,
        })
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Combined, HistogramError> {
        self.check_same_kind(other)?;
        let hints_collided = self.adjust_hint(other);
        if !self.uses_custom_buckets() {
            let other_zero = self.reconcile_zero_buckets(other, None);
            self.zero_count += sign * other_zero;
        }
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        let positive = cells(&self.positive_spans, &self.positive_buckets).collect();
        let negative = cells(&self.negative_spans, &self.negative_buckets).collect();
        let bounds_reconciled =
            self.combine_buckets(positive, negative, other, sign, plainly, None);
        Ok(Combined {
            hints_collided,
            bounds_reconciled,
        })
    }

    /// Combines the buckets; counts, sum and zero bucket are done.
    fn combine_buckets(
        &mut self,
        positive: Vec<Cell>,
        negative: Vec<Cell>,
        other: &Self,
        sign: f64,
        add: Adding,
        comp: Option<&mut Self>,
    ) -> bool {
        let signed = |spans, buckets| -> Vec<Cell> {
            cells(spans, buckets)
                .map(|cell| Cell {
                    value: sign * cell.value,
                    ..cell
                })
                .collect()
        };
        let other_positive = signed(&other.positive_spans, &other.positive_buckets);
        let mut reconciled = false;
        let (positive, negative) = if self.uses_custom_buckets() {
            if self.custom_values == other.custom_values {
                (merge(&positive, &other_positive, add), Vec::new())
            } else {
                reconciled = true;
                let common = common_bounds(&self.custom_values, &other.custom_values);
                let mut sums = targets(&common);
                map_to_common(&positive, &self.custom_values, &common, &mut sums, add);
                map_to_common(
                    &other_positive,
                    &other.custom_values,
                    &common,
                    &mut sums,
                    add,
                );
                sums.retain(|cell| cell.value != 0.0 || cell.comp != 0.0);
                self.custom_values = Arc::from(common);
                (sums, Vec::new())
            }
        } else {
            let other_negative = signed(&other.negative_spans, &other.negative_buckets);
            let target = self.schema.min(other.schema);
            let both = |mine: Vec<Cell>, theirs: Vec<Cell>| {
                let mine = reduce(mine, self.schema, target, add);
                let theirs = reduce(theirs, other.schema, target, add);
                merge(&mine, beyond(&theirs, target, self.zero_threshold), add)
            };
            let sides = (
                both(positive, other_positive),
                both(negative, other_negative),
            );
            self.schema = target;
            sides
        };
        let (positive_comps, negative_comps);
        (self.positive_spans, self.positive_buckets, positive_comps) = spans(&positive);
        (self.negative_spans, self.negative_buckets, negative_comps) = spans(&negative);
        if let Some(c) = comp {
            c.schema = self.schema;
            c.zero_threshold = self.zero_threshold;
            c.custom_values = Arc::clone(&self.custom_values);
            c.positive_spans.clone_from(&self.positive_spans);
            c.negative_spans.clone_from(&self.negative_spans);
            c.positive_buckets = positive_comps;
            c.negative_buckets = negative_comps;
        }
        reconciled
    }

    fn check_same_kind(&self, other: &Self) -> Result<(), HistogramError> {
        if self.uses_custom_buckets() == other.uses_custom_buckets() {
            Ok(())
        } else {
            Err(HistogramError::IncompatibleSchema)
        }
    }

    /// Finds the hint of a sum; whether the hints contradicted each other.
    fn adjust_hint(&mut self, other: &Self) -> bool {
        use CounterResetHint::{Gauge, Unknown};
        let (hint, collided) = match (self.counter_reset_hint, other.counter_reset_hint) {
            (mine, theirs) if mine == theirs => (mine, false),
            (Gauge, _) | (_, Gauge) => (Gauge, false),
            (Unknown, _) | (_, Unknown) => (Unknown, false),
            _ => (Unknown, true),
        };
        self.counter_reset_hint = hint;
        collided
    }

    fn for_each_count(&mut self, change: impl Fn(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive_buckets.iter_mut().for_each(&change);
        self.negative_buckets.iter_mut().for_each(&change);
    }

    /// A compensation of nothing yet, in this layout.
    fn empty_like(&self) -> Self {
        let mut empty = self.clone();
        empty.for_each_count(|count| *count = 0.0);
        empty
    }
}

/// The zero bucket.
impl FloatHistogram {
    /// Widens the own zero bucket to hold that of `other` and returns what the zero count of `other`
    /// would be with the same width.
    fn reconcile_zero_buckets(&mut self, other: &Self, mut comp: Option<&mut Self>) -> f64 {
        let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
        // Each round widens one of both to a bucket bound; a NaN width cannot be reconciled.
        while threshold != self.zero_threshold
            && !threshold.is_nan()
            && !self.zero_threshold.is_nan()
        {
            if self.zero_threshold > threshold {
                (count, threshold) = other.zero_count_within(self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                if let Some(c) = comp.as_deref_mut() {
                    let (total, c_total, width) = self.zero_count_compensated(threshold, c);
                    (self.zero_count, c.zero_count, self.zero_threshold) = (total, c_total, width);
                } else {
                    (self.zero_count, self.zero_threshold) = self.zero_count_within(threshold);
                }
                self.drop_buckets_in_zero_bucket(comp.as_deref_mut());
            }
        }
        count
    }

    /// The zero count if the zero bucket were at least `threshold` wide, and its width, which grows to the
    /// bound of a populated bucket that `threshold` lies in.
    pub(super) fn zero_count_within(&self, threshold: f64) -> (f64, f64) {
        let empty = Self {
            schema: self.schema,
            ..Self::default()
        };
        let (count, _, threshold) = self.zero_count_compensated(threshold, &empty);
        (count, threshold)
    }

    fn zero_count_compensated(&self, threshold: f64, c: &Self) -> (f64, f64, f64) {
        if threshold == self.zero_threshold {
            return (self.zero_count, c.zero_count, threshold);
        }
        let mut threshold = threshold;
        let positive = self.positive();
        let negative = self.negative();
        'wider: loop {
            let (mut count, mut c_count) = (self.zero_count, c.zero_count);
            let mut take = |value: f64, comp: Option<&f64>| {
                if let Some(comp) = comp {
                    (count, c_count) = kahan_inc(value, count, c_count);
                    (count, c_count) = kahan_inc(*comp, count, c_count);
                } else {
                    count += value;
                }
            };
            for (at, bucket) in positive.iter().enumerate() {
                if bucket.lower >= threshold {
                    break;
                }
                take(bucket.count, c.positive_buckets.get(at));
                if bucket.upper > threshold {
                    if bucket.count != 0.0 {
                        threshold = bucket.upper;
                    }
                    break;
                }
            }
            for (at, bucket) in negative.iter().enumerate() {
                if bucket.upper <= -threshold {
                    break;
                }
                take(bucket.count, c.negative_buckets.get(at));
                if bucket.lower < -threshold {
                    if bucket.count != 0.0 {
                        threshold = -bucket.lower;
                        continue 'wider;
                    }
                    break;
                }
            }
            return (count, c_count, threshold);
        }
    }

    /// Removes the buckets whose counts are now in the zero bucket.
    fn drop_buckets_in_zero_bucket(&mut self, comp: Option<&mut Self>) {
        let threshold = self.zero_threshold;
        let positive = self
            .positive()
            .iter()
            .take_while(|bucket| bucket.lower < threshold)
            .count();
        let negative = self
            .negative()
            .iter()
            .take_while(|bucket| bucket.upper > -threshold)
            .count();
        let clear = |buckets: &mut Vec<f64>, n: usize| {
            buckets.iter_mut().take(n).for_each(|count| *count = 0.0);
        };
        clear(&mut self.positive_buckets, positive);
        clear(&mut self.negative_buckets, negative);
        if let Some(c) = comp {
            clear(&mut c.positive_buckets, positive);
            clear(&mut c.negative_buckets, negative);
            self.compact_with(c);
        } else {
            self.compact();
        }
    }
}
