use super::{Bucket, FloatHistogram};
use crate::math::log2;

/// Which observations a trim removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remove {
    Above,
    Below,
}

/// What stays of a bucket and the value that stands for each observation that stays.
type Kept = (f64, f64);

impl FloatHistogram {
    /// Removes observations greater than `limit` (`</`), estimating where `limit` lies within a bucket.
    pub fn trim_above(&mut self, limit: f64) {
        self.trim(limit, Remove::Above);
    }

    /// Removes observations less than `limit` (`>/`), estimating where `limit` lies within a bucket.
    pub fn trim_below(&mut self, limit: f64) {
        self.trim(limit, Remove::Below);
    }

    /// Count and sum are estimated anew from what stays, and only if something was removed.
    fn trim(&mut self, limit: f64, remove: Remove) {
        let mut trim = Trim {
            limit,
            remove,
            linear: self.uses_custom_buckets(),
            changed: false,
            count: 0.0,
            sum: 0.0,
        };
        let positive = self.positive();
        let has_positive = trim.side(&mut self.positive_buckets, &positive, true);
        let negative = self.negative();
        let has_negative = trim.side(&mut self.negative_buckets, &negative, false);
        if self.zero_count > 0.0 {
            let mut zero = self.zero_bucket();
            match (has_negative, has_positive) {
                (true, false) => zero.upper = 0.0,
                (false, true) => zero.lower = 0.0,
                (true, true) | (false, false) => {}
            }
            let kept = zero_bucket(&zero, limit, remove);
            trim.keep(&mut self.zero_count, kept);
        }
        if trim.changed {
            self.count = trim.count;
            self.sum = trim.sum;
            self.compact();
        }
    }
}

/// A trim under way.
struct Trim {
    limit: f64,
    remove: Remove,
    linear: bool,
    changed: bool,
    count: f64,
    sum: f64,
}

impl Trim {
    /// Trims one side and returns whether anything was in it.
    fn side(&mut self, counts: &mut [f64], buckets: &[Bucket], positive: bool) -> bool {
        let mut populated = false;
        for (count, bucket) in counts.iter_mut().zip(buckets) {
            if bucket.count != 0.0 {
                populated = true;
                let kept = self.bucket(bucket, positive);
                self.keep(count, kept);
            }
        }
        populated
    }

    fn keep(&mut self, count: &mut f64, (kept, middle): Kept) {
        self.changed |= *count != kept;
        *count = kept;
        self.count += kept;
        self.sum += middle * kept;
    }

    fn bucket(&self, bucket: &Bucket, positive: bool) -> Kept {
        let (whole, partly) = match self.remove {
            Remove::Above => (bucket.upper <= self.limit, bucket.lower < self.limit),
            Remove::Below => (bucket.lower >= self.limit, bucket.upper > self.limit),
        };
        if whole {
            return (
                bucket.count,
                middle(bucket.lower, bucket.upper, positive, self.linear),
            );
        }
        if !partly {
            return (0.0, 0.0);
        }
        if bucket.lower == f64::NEG_INFINITY {
            return self.first_bucket(bucket);
        }
        if bucket.upper == f64::INFINITY {
            return self.last_bucket(bucket);
        }
        let below = count_below(bucket, self.limit, positive, self.linear);
        match self.remove {
            Remove::Above => (
                below,
                middle(bucket.lower, self.limit, positive, self.linear),
            ),
            Remove::Below => (
                bucket.count - below,
                middle(self.limit, bucket.upper, positive, self.linear),
            ),
        }
    }

    /// The first custom bucket. It counts as beginning at zero if it ends above; its negative part, of
    /// which nothing is known, stays or goes as a whole.
    fn first_bucket(&self, bucket: &Bucket) -> Kept {
        let limit = self.limit;
        let ends_above_zero = bucket.upper > 0.0 && bucket.upper != f64::INFINITY;
        match self.remove {
            Remove::Above if limit > 0.0 && ends_above_zero => {
                (bucket.count * limit / bucket.upper, limit / 2.0)
            }
            Remove::Above if bucket.upper <= 0.0 => (bucket.count, limit),
            Remove::Below if limit == f64::NEG_INFINITY => (bucket.count, 0.0),
            Remove::Below if limit >= 0.0 && ends_above_zero => (
                bucket.count * (1.0 - limit / bucket.upper),
                (limit + bucket.upper) * 0.5,
            ),
            Remove::Above | Remove::Below => (0.0, 0.0),
        }
    }

    /// The last custom bucket: all of it is at the limit if that lies within it.
    fn last_bucket(&self, bucket: &Bucket) -> Kept {
        if self.remove == Remove::Below && self.limit >= bucket.lower {
            (bucket.count, self.limit)
        } else {
            (0.0, 0.0)
        }
    }
}

/// The zero bucket, in which observations count as evenly spread.
fn zero_bucket(zero: &Bucket, limit: f64, remove: Remove) -> Kept {
    let (lower, upper) = match remove {
        Remove::Above => (zero.lower, zero.upper.min(limit)),
        Remove::Below => (zero.lower.max(limit), zero.upper),
    };
    let (beyond, nothing_removed) = match remove {
        Remove::Above => (limit <= zero.lower, limit >= zero.upper),
        Remove::Below => (limit >= zero.upper, limit <= zero.lower),
    };
    // An empty interval is beyond the limit on the side where upstream asks for that first.
    if beyond && (remove == Remove::Above || !nothing_removed) {
        return (0.0, 0.0);
    }
    let middle = (lower + upper) * 0.5;
    if nothing_removed {
        return (zero.count, middle);
    }
    let fraction = (upper - lower) / (zero.upper - zero.lower);
    (zero.count * fraction, middle)
}

/// The value that stands for all observations between two bounds.
fn middle(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    if lower.is_infinite() {
        return match upper {
            _ if upper.is_infinite() => 0.0,
            _ if upper > 0.0 => upper / 2.0,
            _ => upper,
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    if linear {
        return (lower + upper) * 0.5;
    }
    let middle = (lower * upper).abs().sqrt();
    if positive { middle } else { -middle }
}

/// The estimated observations of a finite bucket up to `limit`, which lies within it.
fn count_below(bucket: &Bucket, limit: f64, positive: bool, linear: bool) -> f64 {
    let fraction = if linear {
        (limit - bucket.lower) / (bucket.upper - bucket.lower)
    } else {
        let lower = log2(bucket.lower.abs());
        let upper = log2(bucket.upper.abs());
        let at = log2(limit.abs());
        if positive {
            (at - lower) / (upper - lower)
        } else {
            1.0 - ((at - upper) / (lower - upper))
        }
    };
    bucket.count * fraction
}
