use thiserror::Error;

use super::{BucketSpan, FloatHistogram, Histogram, is_custom_schema, is_exponential_schema};
use crate::text::gofmt::{float_f, float_g};

/// Why a histogram contradicts itself, or two cannot be combined. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// The schema is neither exponential nor custom.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {0}"
    )]
    InvalidSchema(i32),
    /// A later span goes backwards.
    #[error(
        "{side}span number {number} with offset {offset}: histogram has a span whose offset is negative"
    )]
    NegativeOffset {
        /// `positive side: `, `negative side: ` or `custom buckets: `.
        side: &'static str,
        /// Which span, from one.
        number: usize,
        /// Its offset.
        offset: i32,
    },
    /// Spans and buckets disagree.
    #[error(
        "{side}spans need {spans} buckets, have {buckets} buckets: histogram spans specify different number of buckets than provided"
    )]
    SpansMismatch {
        /// As above.
        side: &'static str,
        /// Buckets that the spans cover.
        spans: u64,
        /// Buckets given.
        buckets: usize,
    },
    /// A bucket has less than no observations.
    #[error(
        "{side}bucket number {number} has observation count of {count}: histogram has a bucket whose observation count is negative"
    )]
    NegativeBucket {
        /// As above.
        side: &'static str,
        /// Which bucket, from one.
        number: usize,
        /// Its count.
        count: String,
    },
    /// The zero bucket has less than no observations.
    #[error(
        "zero bucket has observation count of {0}: histogram has a bucket whose observation count is negative"
    )]
    NegativeZeroBucket(String),
    /// The count is negative.
    #[error("observation count is  {0}: histogram's observation count is negative")]
    NegativeCount(String),
    /// The count is less than the buckets hold.
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should be at least the number of observations found in the buckets"
    )]
    CountTooSmall {
        /// Observations in buckets.
        buckets: u64,
        /// The count.
        count: u64,
    },
    /// The count differs from what the buckets hold though no NaN was observed.
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
    )]
    CountMismatch {
        /// Observations in buckets.
        buckets: u64,
        /// The count.
        count: u64,
    },
    /// Custom bounds do not rise.
    #[error(
        "custom buckets: previous bound is {previous} and current is {current}: histogram custom bounds must be in strictly increasing order"
    )]
    BoundsNotIncreasing {
        /// The bound before.
        previous: String,
        /// The offending bound.
        current: String,
    },
    /// The bound +Inf is given though it is implied.
    #[error(
        "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite"
    )]
    InfiniteBound,
    /// A bound is NaN.
    #[error("custom buckets: histogram custom bounds must not be NaN")]
    NanBound,
    /// More buckets than bounds.
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total span length of {length}: histogram custom bounds are too few"
    )]
    TooFewBounds {
        /// Bounds given.
        bounds: usize,
        /// Buckets that the spans reach to.
        length: i64,
    },
    /// Custom buckets have no zero bucket.
    #[error("custom buckets: must have zero count of 0")]
    CustomZeroCount,
    /// Custom buckets have no zero bucket.
    #[error("custom buckets: must have zero threshold of 0")]
    CustomZeroThreshold,
    /// Custom buckets are all positive.
    #[error("custom buckets: must not have negative spans")]
    CustomNegativeSpans,
    /// Custom buckets are all positive.
    #[error("custom buckets: must not have negative buckets")]
    CustomNegativeBuckets,
    /// Exponential buckets have no given bounds.
    #[error("histogram with exponential schema must not have custom bounds")]
    BoundsOnExponential,
    /// Exponential and custom buckets cannot be combined.
    #[error(
        "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas"
    )]
    IncompatibleSchema,
    /// The resolution cannot be reduced like this.
    #[error("cannot reduce resolution from schema {from} to {to}")]
    CannotReduce {
        /// The histogram's schema.
        from: i32,
        /// The wanted schema.
        to: i32,
    },
}

impl FloatHistogram {
    /// Checks that spans, buckets and bounds fit together and no count is negative.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), HistogramError> {
        check_layout(
            self.schema,
            [&self.positive_spans, &self.negative_spans],
            [self.positive_buckets.len(), self.negative_buckets.len()],
            &self.custom_values,
            self.zero_count != 0.0,
            self.zero_threshold != 0.0,
        )?;
        let side = |side, buckets: &[f64]| match buckets.iter().position(|count| *count < 0.0) {
            Some(at) => Err(HistogramError::NegativeBucket {
                side,
                number: at + 1,
                count: float_g(buckets.get(at).copied().unwrap_or_default()),
            }),
            None => Ok(()),
        };
        side("negative side: ", &self.negative_buckets)?;
        if self.zero_count < 0.0 {
            return Err(HistogramError::NegativeZeroBucket(float_g(self.zero_count)));
        }
        if self.count < 0.0 {
            return Err(HistogramError::NegativeCount(float_g(self.count)));
        }
        side("positive side: ", &self.positive_buckets)
    }
}

impl Histogram {
    /// Checks that spans, buckets, bounds and the count fit together.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), HistogramError> {
        check_layout(
            self.schema,
            [&self.positive_spans, &self.negative_spans],
            [self.positive_buckets.len(), self.negative_buckets.len()],
            &self.custom_values,
            self.zero_count != 0,
            self.zero_threshold != 0.0,
        )?;
        let mut buckets = 0u64;
        for (side, deltas) in [
            ("negative side: ", &self.negative_buckets),
            ("positive side: ", &self.positive_buckets),
        ] {
            let mut count = 0i64;
            for (at, delta) in deltas.iter().enumerate() {
                count = count.wrapping_add(*delta);
                let Ok(observed) = u64::try_from(count) else {
                    return Err(HistogramError::NegativeBucket {
                        side,
                        number: at + 1,
                        count: count.to_string(),
                    });
                };
                buckets = buckets.wrapping_add(observed);
            }
        }
        buckets = buckets.wrapping_add(self.zero_count);
        if self.sum.is_nan() {
            if buckets > self.count {
                return Err(HistogramError::CountTooSmall {
                    buckets,
                    count: self.count,
                });
            }
        } else if buckets != self.count {
            return Err(HistogramError::CountMismatch {
                buckets,
                count: self.count,
            });
        }
        Ok(())
    }
}

fn check_layout(
    schema: i32,
    [positive, negative]: [&[BucketSpan]; 2],
    [positive_buckets, negative_buckets]: [usize; 2],
    bounds: &[f64],
    has_zero_count: bool,
    has_zero_threshold: bool,
) -> Result<(), HistogramError> {
    if is_custom_schema(schema) {
        check_bounds(bounds)?;
        check_spans("custom buckets: ", positive, positive_buckets, 0)?;
        let length: i64 = positive
            .iter()
            .map(|span| i64::from(span.offset) + i64::from(span.length))
            .sum();
        if (bounds.len() as i64) + 1 < length {
            return Err(HistogramError::TooFewBounds {
                bounds: bounds.len(),
                length,
            });
        }
        return match () {
            () if has_zero_count => Err(HistogramError::CustomZeroCount),
            () if has_zero_threshold => Err(HistogramError::CustomZeroThreshold),
            () if !negative.is_empty() => Err(HistogramError::CustomNegativeSpans),
            () if negative_buckets > 0 => Err(HistogramError::CustomNegativeBuckets),
            () => Ok(()),
        };
    }
    if !is_exponential_schema(schema) {
        return Err(HistogramError::InvalidSchema(schema));
    }
    check_spans("positive side: ", positive, positive_buckets, 1)?;
    check_spans("negative side: ", negative, negative_buckets, 1)?;
    if bounds.is_empty() {
        Ok(())
    } else {
        Err(HistogramError::BoundsOnExponential)
    }
}

/// `free` spans may begin anywhere.
fn check_spans(
    side: &'static str,
    spans: &[BucketSpan],
    buckets: usize,
    free: usize,
) -> Result<(), HistogramError> {
    for (at, span) in spans.iter().enumerate().skip(free) {
        if span.offset < 0 {
            return Err(HistogramError::NegativeOffset {
                side,
                number: at + 1,
                offset: span.offset,
            });
        }
    }
    let covered: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if covered == buckets as u64 {
        Ok(())
    } else {
        Err(HistogramError::SpansMismatch {
            side,
            spans: covered,
            buckets,
        })
    }
}

fn check_bounds(bounds: &[f64]) -> Result<(), HistogramError> {
    let mut previous: Option<f64> = None;
    for bound in bounds {
        if bound.is_nan() {
            return Err(HistogramError::NanBound);
        }
        if let Some(previous) = previous
            && *bound <= previous
        {
            return Err(HistogramError::BoundsNotIncreasing {
                previous: go_f6(previous),
                current: go_f6(*bound),
            });
        }
        previous = Some(*bound);
    }
    if previous == Some(f64::INFINITY) {
        Err(HistogramError::InfiniteBound)
    } else {
        Ok(())
    }
}

/// Go's `%f`.
fn go_f6(v: f64) -> String {
    if v.is_finite() {
        format!("{v:.6}")
    } else {
        float_f(v)
    }
}
