//! Quantiles and fractions of values, classic buckets and native histograms.

use crate::math::{exp2, log2};
use crate::model::FloatHistogram;
use crate::model::histogram::Bucket;
use crate::promql::annotations::{Annotations, Forced};
use crate::promql::ast::PosRange;

/// Relative differences of bucket counts below this are rounding.
const TOLERANCE: f64 = 1e-12;

/// The quantile of values, NaNs first; between two values their weighted mean.
pub(crate) fn quantile(q: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| {
        a.partial_cmp(b)
            .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

/// A classic bucket: what was observed up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassicBucket {
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// Sorts and joins buckets of the same bound; `None` unless the last is +Inf.
fn prepared(mut buckets: Vec<ClassicBucket>) -> Option<Vec<ClassicBucket>> {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    let mut joined: Vec<ClassicBucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match joined.last_mut() {
            Some(last) if last.upper == bucket.upper => last.count += bucket.count,
            _ => joined.push(bucket),
        }
    }
    Some(joined)
}

/// The quantile of classic buckets, and where they had to be made monotonic.
pub(crate) fn bucket_quantile(
    q: f64,
    buckets: Vec<ClassicBucket>,
    t_ms: i64,
) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    let Some(mut buckets) = prepared(buckets) else {
        return (f64::NAN, None);
    };
    let forced = make_monotonic(&mut buckets, t_ms);
    let (Some(last), Some(second_last)) = (buckets.last(), buckets.iter().rev().nth(1)) else {
        return (f64::NAN, forced);
    };
    if last.count == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * last.count;
    let finite = buckets.split_last().map_or(&[][..], |(_, finite)| finite);
    let at = first_at_least(finite, rank);
    let Some(bucket) = finite.get(at) else {
        return (second_last.upper, forced);
    };
    if at == 0 && bucket.upper <= 0.0 {
        return (bucket.upper, forced);
    }
    let (mut start, mut count) = (0.0, bucket.count);
    if let Some(before) = at.checked_sub(1).and_then(|at| finite.get(at)) {
        start = before.upper;
        count -= before.count;
        rank -= before.count;
    }
    (start + (bucket.upper - start) * (rank / count), forced)
}

/// Binary search as upstream does it, which matters when counts are NaN.
fn first_at_least(buckets: &[ClassicBucket], rank: f64) -> usize {
    let (mut low, mut high) = (0, buckets.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if buckets.get(middle).is_some_and(|b| b.count >= rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Raises counts that fall, silently where it is but rounding.
fn make_monotonic(buckets: &mut [ClassicBucket], t_ms: i64) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut before = buckets.first()?.count;
    for bucket in buckets.iter_mut().skip(1) {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
            continue;
        }
        if count < before {
            bucket.count = before;
            let seen = forced.get_or_insert(Forced {
                t_ms,
                last_ms: t_ms,
                min_bucket: f64::INFINITY,
                max_bucket: f64::NEG_INFINITY,
                max_diff: 0.0,
                times: 1,
            });
            seen.min_bucket = seen.min_bucket.min(bucket.upper);
            seen.max_bucket = seen.max_bucket.max(bucket.upper);
            seen.max_diff = seen.max_diff.max(before - count);
            continue;
        }
        before = count;
    }
    forced
}

fn almost_equal(a: f64, b: f64) -> bool {
    /// The least positive number that is not subnormal.
    const MIN_NORMAL: f64 = f64::MIN_POSITIVE;
    if a.is_nan() && b.is_nan() {
        return true;
    }
    if a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < MIN_NORMAL {
        return difference < TOLERANCE * MIN_NORMAL;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The share of observations in `lower..=upper` of classic buckets.
pub(crate) fn bucket_fraction(lower: f64, upper: f64, buckets: Vec<ClassicBucket>) -> f64 {
    let Some(buckets) = prepared(buckets) else {
        return f64::NAN;
    };
    let count = buckets.last().map_or(0.0, |bucket| bucket.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut start = match buckets.first() {
        Some(first) if first.upper <= 0.0 => f64::NEG_INFINITY,
        _ => 0.0,
    };
    let mut ranks = Ranks::new(lower, upper);
    for bucket in &buckets {
        let below = ranks.below;
        let linear = |v: f64| {
            if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                below + (bucket.count - below) * (v - start) / (bucket.upper - start)
            }
        };
        if ranks.see(start, bucket.upper, linear) {
            break;
        }
        ranks.below = bucket.count;
        start = bucket.upper;
    }
    let (lower_rank, upper_rank) = ranks.limited(count);
    (upper_rank - lower_rank) / count
}

/// The ranks of two values among buckets that are seen in ascending order.
struct Ranks {
    lower: f64,
    upper: f64,
    lower_rank: Option<f64>,
    upper_rank: Option<f64>,
    /// Observations in the buckets before.
    below: f64,
}

impl Ranks {
    const fn new(lower: f64, upper: f64) -> Self {
        Self {
            lower,
            upper,
            lower_rank: None,
            upper_rank: None,
            below: 0.0,
        }
    }

    /// Looks at a bucket; `within` interpolates. Whether both ranks are known.
    fn see(&mut self, start: f64, end: f64, within: impl Fn(f64) -> f64) -> bool {
        for (value, rank) in [
            (self.lower, &mut self.lower_rank),
            (self.upper, &mut self.upper_rank),
        ] {
            if rank.is_none() {
                if start >= value {
                    *rank = Some(self.below);
                } else if start < value && end > value {
                    *rank = Some(within(value));
                }
            }
        }
        self.lower_rank.is_some() && self.upper_rank.is_some()
    }

    fn limited(&self, count: f64) -> (f64, f64) {
        let limit = |rank: Option<f64>| match rank {
            Some(rank) if rank <= count || rank.is_nan() => rank,
            _ => count,
        };
        (limit(self.lower_rank), limit(self.upper_rank))
    }
}

/// The quantile of a native histogram.
pub(crate) fn histogram_quantile(
    q: f64,
    h: &FloatHistogram,
    name: &str,
    pos: PosRange,
    notes: &mut Annotations,
) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if h.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    // NaN observations are in no bucket, so counting from above would be wrong.
    let forward = h.sum.is_nan() || q < 0.5;
    let mut buckets = h.buckets();
    if !forward {
        buckets.reverse();
    }
    let mut rank = if forward { q } else { 1.0 - q } * h.count;
    let mut count = 0.0;
    let mut rest = buckets.iter();
    let mut bucket = Bucket {
        lower: 0.0,
        upper: 0.0,
        lower_inclusive: false,
        upper_inclusive: false,
        count: 0.0,
    };
    for next in rest.by_ref() {
        bucket = *next;
        if bucket.count == 0.0 {
            continue;
        }
        count += bucket.count;
        if count >= rank {
            break;
        }
    }
    if h.uses_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        one_sided(h, &mut bucket);
    }
    if count > h.count {
        count = h.count;
    }
    if count < rank {
        if h.sum.is_nan() {
            notes.quantile_is_nan(name, pos);
            return f64::NAN;
        }
        return bucket.upper;
    }
    rank = if forward {
        rank - (count - bucket.count)
    } else {
        count - rank
    };
    if h.sum.is_nan() {
        let all = rest.fold(count, |sum, bucket| sum + bucket.count);
        if all < h.count {
            notes.quantile_is_skewed(name, pos);
        }
    }
    let fraction = rank / bucket.count;
    if h.uses_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (log2(bucket.lower.abs()), log2(bucket.upper.abs()));
    if bucket.lower > 0.0 {
        exp2(lower + (upper - lower) * fraction)
    } else {
        -exp2(upper + (lower - upper) * (1.0 - fraction))
    }
}

/// With observations on one side only, the zero bucket ends at zero.
fn one_sided(h: &FloatHistogram, bucket: &mut Bucket) {
    if h.negative_buckets.is_empty() && !h.positive_buckets.is_empty() {
        bucket.lower = 0.0;
    } else if h.positive_buckets.is_empty() && !h.negative_buckets.is_empty() {
        bucket.upper = 0.0;
    }
}

/// The share of observations in `lower..=upper` of a native histogram.
pub(crate) fn histogram_fraction(
    lower: f64,
    upper: f64,
    h: &FloatHistogram,
    name: &str,
    pos: PosRange,
    notes: &mut Annotations,
) -> f64 {
    if h.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut ranks = Ranks::new(lower, upper);
    let mut count = 0.0;
    let mut known = false;
    for mut bucket in h.buckets() {
        count += bucket.count;
        if known {
            continue;
        }
        let zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if zero {
            one_sided(h, &mut bucket);
        }
        let below = ranks.below;
        let within = |v: f64| {
            if h.uses_custom_buckets() || zero {
                return if bucket.lower == f64::NEG_INFINITY {
                    bucket.count
                } else {
                    below + bucket.count * (v - bucket.lower) / (bucket.upper - bucket.lower)
                };
            }
            let (low, high) = (log2(bucket.lower.abs()), log2(bucket.upper.abs()));
            let at = log2(v.abs());
            let fraction = if v > 0.0 {
                (at - low) / (high - low)
            } else {
                1.0 - ((at - high) / (low - high))
            };
            below + bucket.count * fraction
        };
        known = ranks.see(bucket.lower, bucket.upper, within);
        ranks.below += bucket.count;
    }
    if h.sum.is_nan() {
        if count < h.count {
            notes.fraction_without_nan(name, pos);
        }
    } else {
        count = h.count;
    }
    let (lower_rank, upper_rank) = ranks.limited(count);
    (upper_rank - lower_rank) / h.count
}
