use std::fmt;

use super::cells::{Cell, cells, spans};
use super::{Bucket, BucketSpan, CounterResetHint, FloatHistogram};
use crate::text::gofmt::float_g;

/// The text form that `count_values` and alert templates show:
/// `{count:4, sum:5, [-2,-1):1, [-0.5,0.5]:1, (1,2]:2}`.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            float_g(self.count),
            float_g(self.sum)
        )?;
        let mut negative = self.negative();
        negative.reverse();
        let zero = (!self.uses_custom_buckets()).then(|| self.zero_bucket());
        for bucket in negative.into_iter().chain(zero).chain(self.positive()) {
            if bucket.count != 0.0 {
                write!(f, ", {bucket}")?;
            }
        }
        f.write_str("}")
    }
}

/// `(1,2]:5`.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{},{}{}:{}",
            if self.lower_inclusive { '[' } else { '(' },
            float_g(self.lower),
            float_g(self.upper),
            if self.upper_inclusive { ']' } else { ')' },
            float_g(self.count)
        )
    }
}

impl FloatHistogram {
    /// The notation of test scripts and rule unit tests: `{{schema:1 count:4 sum:5 buckets:[1 2 1]}}`.
    pub fn notation(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if self.schema != 0 {
            parts.push(format!("schema:{}", self.schema));
        }
        for (key, value) in [
            ("count", self.count),
            ("sum", self.sum),
            ("z_bucket", self.zero_count),
            ("z_bucket_w", self.zero_threshold),
        ] {
            if value != 0.0 {
                parts.push(format!("{key}:{}", float_g(value)));
            }
        }
        if self.uses_custom_buckets() {
            parts.push(format!("custom_values:[{}]", list(&self.custom_values)));
        }
        match self.counter_reset_hint {
            CounterResetHint::Unknown => {}
            CounterResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
            CounterResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
            CounterResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
        }
        for (key, offset_key, (first, buckets)) in [
            (
                "buckets",
                "offset",
                one_span(&self.positive_spans, &self.positive_buckets),
            ),
            (
                "n_buckets",
                "n_offset",
                one_span(&self.negative_spans, &self.negative_buckets),
            ),
        ] {
            if first != 0 {
                parts.push(format!("{offset_key}:{first}"));
            }
            if !buckets.is_empty() {
                parts.push(format!("{key}:[{}]", list(&buckets)));
            }
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

/// Longest run that is written with zeros for gaps.
const RUN_MAX: i64 = 10_000;

/// First index and counts with zeros in the gaps, without empty ends.
fn one_span(spans_in: &[BucketSpan], buckets: &[f64]) -> (i64, Vec<f64>) {
    let kept: Vec<Cell> = cells(spans_in, buckets)
        .filter(|cell| cell.value != 0.0)
        .collect();
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return (0, Vec::new());
    };
    if last.index.saturating_sub(first.index) > RUN_MAX {
        let (_, buckets, _) = spans(&kept);
        return (first.index, buckets);
    }
    let mut run = vec![0.0; (last.index - first.index + 1) as usize];
    for cell in &kept {
        if let Some(slot) = run.get_mut((cell.index - first.index) as usize) {
            *slot = cell.value;
        }
    }
    (first.index, run)
}

fn list(values: &[f64]) -> String {
    let texts: Vec<String> = values.iter().map(|v| float_g(*v)).collect();
    texts.join(" ")
}
