use std::sync::Arc;

use super::buckets::{compact, deltas};
use crate::model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA};
use crate::model::{FloatHistogram, Histogram, SampleValue};

/// A classic histogram under collection, to become a native one with custom buckets.
///
/// Test scripts (`load_with_nhcb`) and scrapes build it alike: first of equal bounds wins, counts must
/// be cumulative, a missing `+Inf` bucket is the count, a missing count is the highest bucket's.
#[derive(Debug, Clone, Default)]
pub struct ClassicHistogram {
    /// Upper bound and cumulative count, in the order of the page.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    broken: Option<String>,
}

impl ClassicHistogram {
    /// Takes the cumulative count of a bucket.
    pub fn set_bucket(&mut self, bound: f64, count: f64) {
        if self.broken.is_some() {
            return;
        }
        if bound.is_nan() {
            self.broken = Some("bucket boundary must not be NaN".to_owned());
        } else if count < 0.0 {
            self.broken = Some(format!(
                "bucket count must be non-negative: le={bound}, count={count}"
            ));
        } else {
            self.buckets.push((bound, count));
        }
    }

    /// Takes the number of observations.
    pub fn set_count(&mut self, count: f64) {
        if self.broken.is_some() {
            return;
        }
        if count < 0.0 {
            self.broken = Some(format!("count must be non-negative: count={count}"));
        } else {
            self.count = Some(count);
        }
    }

    /// Takes the sum of observations.
    pub const fn set_sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// Builds the native histogram: integer when all counts are whole. Errors are upstream's texts.
    pub fn convert(mut self) -> Result<SampleValue, String> {
        if let Some(why) = self.broken {
            return Err(why);
        }
        // The sort keeps equal bounds in order, so the first of them stays.
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|later, earlier| later.0 == earlier.0);
        if let Some([below, above]) = self.buckets.array_windows().find(|[a, b]| b.1 < a.1) {
            return Err(format!(
                "count is not cumulative: {} < {}",
                above.1, below.1
            ));
        }
        let count = match (self.count, self.buckets.last()) {
            (Some(count), _) => count,
            (None, Some((_, highest))) => *highest,
            (None, None) => {
                return Err("count must be provided when no buckets are present".to_owned());
            }
        };
        if self
            .buckets
            .last()
            .is_none_or(|(bound, _)| *bound != f64::INFINITY)
        {
            self.buckets.push((f64::INFINITY, count));
        }
        let (bound, highest) = self
            .buckets
            .last()
            .copied()
            .unwrap_or((f64::INFINITY, count));
        if highest != count {
            return Err(format!(
                "count mismatch: count={count} != le={bound} count={highest}"
            ));
        }
        let bounds: Arc<[f64]> = self
            .buckets
            .iter()
            .map(|(bound, _)| *bound)
            .filter(|bound| *bound != f64::INFINITY)
            .collect();
        let length =
            u32::try_from(self.buckets.len()).map_err(|_| "too many buckets".to_owned())?;
        let spans = [BucketSpan { offset: 0, length }];
        let whole = |v: f64| v.fract() == 0.0 && v.abs() < 9.2e18;
        if whole(count) && self.buckets.iter().all(|(_, count)| whole(*count)) {
            Ok(self.integer(count as u64, &spans, bounds))
        } else {
            Ok(self.float(count, &spans, bounds))
        }
    }

    fn integer(&self, count: u64, spans: &[BucketSpan], custom_values: Arc<[f64]>) -> SampleValue {
        let mut last = 0;
        let counts: Vec<i64> = self
            .buckets
            .iter()
            .map(|(_, cumulative)| {
                let cumulative = *cumulative as i64;
                let own = cumulative - last;
                last = cumulative;
                own
            })
            .collect();
        let (positive_spans, counts) = compact(spans, &counts, 2);
        SampleValue::Histogram(Arc::new(Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans,
            positive_buckets: deltas(&counts),
            custom_values,
            ..Histogram::default()
        }))
    }

    fn float(&self, count: f64, spans: &[BucketSpan], custom_values: Arc<[f64]>) -> SampleValue {
        let mut last = 0.0;
        let counts: Vec<f64> = self
            .buckets
            .iter()
            .map(|(_, cumulative)| {
                let own = cumulative - last;
                last = *cumulative;
                own
            })
            .collect();
        let (positive_spans, positive_buckets) = compact(spans, &counts, 0);
        SampleValue::FloatHistogram(Arc::new(FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans,
            positive_buckets,
            custom_values,
            ..FloatHistogram::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64)], count: Option<f64>) -> Result<SampleValue, String> {
        let mut classic = ClassicHistogram::default();
        for (bound, cumulative) in buckets {
            classic.set_bucket(*bound, *cumulative);
        }
        if let Some(count) = count {
            classic.set_count(count);
        }
        classic.convert()
    }

    #[test]
    fn buckets_in_any_order_become_differences() {
        let Ok(SampleValue::Histogram(h)) =
            histogram(&[(5.0, 7.0), (1.0, 2.0), (1.0, 99.0)], Some(9.0))
        else {
            panic!("an integer histogram");
        };
        assert_eq!(h.positive_buckets, [2, 3, -3]);
        assert_eq!(*h.custom_values, [1.0, 5.0]);
        assert_eq!(h.count, 9);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(histogram(&[(1.0, 5.0), (2.0, 4.0)], None).is_err());
        assert!(histogram(&[(2.0, 4.0), (1.0, 5.0)], None).is_err());
        assert!(histogram(&[(f64::INFINITY, 4.0)], Some(5.0)).is_err());
        assert!(histogram(&[(1.0, -1.0)], None).is_err());
        assert!(histogram(&[], None).is_err());
        assert!(histogram(&[(1.0, f64::NAN)], None).is_err());
    }

    #[test]
    fn parts_of_observations_make_a_float_histogram() {
        let Ok(SampleValue::FloatHistogram(h)) = histogram(&[(1.0, 0.5)], Some(2.0)) else {
            panic!("a float histogram");
        };
        assert_eq!(h.positive_buckets, [0.5, 1.5]);
    }
}
