//! What a job allows: labels per series, buckets per histogram.

use std::sync::Arc;

use super::JobOptions;
use super::error::Error;
use crate::model::histogram::{BucketSpan, is_exponential_schema};
use crate::model::{FloatHistogram, Histogram, Labels, SampleValue};
use crate::text::quote::quote;

/// The finest and the coarsest standard resolution.
const SCHEMA_MAX: i32 = 8;
const SCHEMA_MIN: i32 = -4;

/// What upstream says when a scrape has more samples than `sample_limit`.
pub(super) const SAMPLE_LIMIT: &str = "sample limit exceeded";
/// What upstream says when a histogram cannot be made to fit `native_histogram_bucket_limit`.
pub(super) const BUCKET_LIMIT: &str = "histogram bucket limit exceeded";

/// The first characters, as `%.50s` shows them.
fn short(text: &str) -> &str {
    match text.char_indices().nth(50) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// Checks number and lengths of labels.
pub(super) fn check_labels(labels: &Labels, options: &JobOptions) -> Result<(), Error> {
    let over = |length: usize, limit: u64| limit > 0 && length as u64 > limit;
    let metric = short(labels.metric_name().unwrap_or_default());
    let limit = options.label_limit;
    if over(labels.len(), limit) {
        return Err(Error::Limit(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {}, limit: {limit})",
            labels.len()
        )));
    }
    for (name, value) in labels {
        let limit = options.label_name_length_limit;
        if over(name.len(), limit) {
            return Err(Error::Limit(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {}, length: {}, limit: {limit})",
                short(name),
                name.len()
            )));
        }
        let limit = options.label_value_length_limit;
        if over(value.len(), limit) {
            return Err(Error::Limit(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {}, value: {}, length: {}, limit: {limit})",
                short(name),
                quote(short(value)),
                value.len()
            )));
        }
    }
    Ok(())
}

/// What histograms may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistogramLimits {
    buckets: u64,
    schema: i32,
}

impl HistogramLimits {
    pub(super) fn new(options: &JobOptions) -> Self {
        Self {
            buckets: options.native_histogram_bucket_limit,
            schema: schema_of_factor(options.native_histogram_min_bucket_factor),
        }
    }

    /// Makes a histogram fit, or says why it cannot.
    pub(super) fn fit(&self, value: SampleValue) -> Result<SampleValue, &'static str> {
        match value {
            SampleValue::Float(_) => Ok(value),
            SampleValue::Histogram(mut h) => {
                let count = |h: &Histogram| h.positive_buckets.len() + h.negative_buckets.len();
                while let Some(schema) = self.coarser(h.schema, count(&h))? {
                    reduce(Arc::make_mut(&mut h), schema);
                }
                Ok(SampleValue::Histogram(h))
            }
            SampleValue::FloatHistogram(mut h) => {
                let count =
                    |h: &FloatHistogram| h.positive_buckets.len() + h.negative_buckets.len();
                while let Some(schema) = self.coarser(h.schema, count(&h))? {
                    if Arc::make_mut(&mut h).reduce_resolution(schema).is_err() {
                        return Err(BUCKET_LIMIT);
                    }
                }
                Ok(SampleValue::FloatHistogram(h))
            }
        }
    }

    /// The resolution to reduce to, if the present one is too fine.
    fn coarser(&self, schema: i32, buckets: usize) -> Result<Option<i32>, &'static str> {
        let exponential = is_exponential_schema(schema);
        if exponential && self.schema < SCHEMA_MAX && schema > self.schema {
            return Ok(Some(self.schema));
        }
        if self.buckets == 0 || buckets as u64 <= self.buckets {
            return Ok(None);
        }
        if !exponential || schema <= SCHEMA_MIN {
            return Err(BUCKET_LIMIT);
        }
        Ok(Some(schema - 1))
    }
}

/// The finest resolution whose buckets grow by at least `factor`.
fn schema_of_factor(factor: f64) -> i32 {
    let factor = if factor <= 1.0 { 1.00271 } else { factor };
    let floor = (-factor.log2().log2()).floor();
    floor.clamp(f64::from(SCHEMA_MIN), f64::from(SCHEMA_MAX)) as i32
}

fn reduce(h: &mut Histogram, schema: i32) {
    let shift = (h.schema - schema).clamp(0, 31);
    (h.positive_spans, h.positive_buckets) = merged(&h.positive_spans, &h.positive_buckets, shift);
    (h.negative_spans, h.negative_buckets) = merged(&h.negative_spans, &h.negative_buckets, shift);
    h.schema = schema;
}

/// Merges each `2^shift` buckets; bucket `i` ends at the `i`-th power of the base.
fn merged(spans: &[BucketSpan], deltas: &[i64], shift: i32) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut cells: Vec<(i64, i64)> = Vec::new();
    let mut rest = deltas.iter();
    let (mut index, mut count) = (0_i64, 0_i64);
    for span in spans {
        index += i64::from(span.offset);
        for delta in rest.by_ref().take(span.length as usize) {
            count = count.wrapping_add(*delta);
            let target = ((index - 1) >> shift) + 1;
            match cells.last_mut() {
                Some(last) if last.0 == target => last.1 = last.1.wrapping_add(count),
                _ => cells.push((target, count)),
            }
            index += 1;
        }
    }
    let mut new_spans: Vec<BucketSpan> = Vec::new();
    let mut new_deltas = Vec::with_capacity(cells.len());
    let (mut next, mut last_count) = (0, 0_i64);
    for (index, count) in cells {
        match new_spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => new_spans.push(BucketSpan {
                offset: (index - next).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
                length: 1,
            }),
        }
        new_deltas.push(count.wrapping_sub(last_count));
        last_count = count;
        next = index + 1;
    }
    (new_spans, new_deltas)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, deltas: &[i64]) -> SampleValue {
        SampleValue::Histogram(Arc::new(Histogram {
            schema,
            positive_spans: vec![BucketSpan {
                offset: 1,
                length: deltas.len() as u32,
            }],
            positive_buckets: deltas.to_vec(),
            ..Histogram::default()
        }))
    }

    #[test]
    fn fine_histograms_are_made_coarser() {
        let limits = HistogramLimits::new(&JobOptions {
            native_histogram_bucket_limit: 2,
            ..JobOptions::default()
        });
        let Ok(SampleValue::Histogram(h)) = limits.fit(histogram(1, &[1, 1, 1, 1])) else {
            panic!("it fits");
        };
        assert_eq!((h.schema, h.positive_buckets.as_slice()), (0, &[3, 4][..]));
        assert_eq!(
            limits.fit(histogram(-53, &[1, 1, 1])).unwrap_err(),
            BUCKET_LIMIT
        );
        assert_eq!(
            limits.fit(histogram(-4, &[1, 1, 1])).unwrap_err(),
            BUCKET_LIMIT
        );
    }

    #[test]
    fn factors_pick_upstreams_schema() {
        for (factor, schema) in [
            (0.0, 8),
            (1.002, 8),
            (1.1, 2),
            (1.5, 0),
            (4.0, -1),
            (65_537.0, -4),
        ] {
            assert_eq!(schema_of_factor(factor), schema, "{factor}");
        }
    }

    #[test]
    fn label_limits_speak_upstreams_words() {
        let labels = Labels::from_pairs([("__name__", "up"), ("long", "value")]);
        let check = |options: JobOptions| check_labels(&labels, &options).unwrap_err().to_string();
        assert_eq!(
            check(JobOptions {
                label_limit: 1,
                ..JobOptions::default()
            }),
            "label_limit exceeded (metric: up, number of labels: 2, limit: 1)"
        );
        assert_eq!(
            check(JobOptions {
                label_name_length_limit: 5,
                ..JobOptions::default()
            }),
            "label_name_length_limit exceeded (metric: up, label name: __name__, length: 8, limit: 5)"
        );
        assert_eq!(
            check(JobOptions {
                label_value_length_limit: 4,
                ..JobOptions::default()
            }),
            "label_value_length_limit exceeded (metric: up, label name: long, value: \"value\", length: 5, limit: 4)"
        );
    }
}
