//! From messages to what the store takes.

use std::sync::Arc;

use crate::codec::prompb::histogram::{Count, ZeroCount};
use crate::codec::prompb::{self, Histogram as Message};
use crate::model::histogram::{BucketSpan, CounterResetHint};
use crate::model::{
    FloatHistogram, Histogram, Labels, METRIC_NAME, Metadata, MetricType, Sample, SampleValue,
};

/// Why labels are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadLabels {
    /// There is no metric name, or a label has no name.
    Invalid,
    /// A name stands twice.
    Duplicate(String),
}

/// Checks and sorts labels.
pub(super) fn labels(pairs: &[(&str, &str)]) -> Result<Labels, BadLabels> {
    let labels = Labels::from_pairs(pairs.iter().copied());
    let nameless = pairs.iter().any(|(name, _)| name.is_empty());
    if nameless || labels.get(METRIC_NAME).is_none() {
        return Err(BadLabels::Invalid);
    }
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(BadLabels::Duplicate(pair[0].to_owned())),
        None => Ok(labels),
    }
}

/// A histogram sample.
pub(super) fn histogram(message: &Message) -> Sample {
    let spans = |spans: &[prompb::BucketSpan]| -> Vec<BucketSpan> {
        spans
            .iter()
            .map(|span| BucketSpan {
                offset: span.offset,
                length: span.length,
            })
            .collect()
    };
    let counter_reset_hint = match message.reset_hint {
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    };
    let value = match message.count {
        Some(Count::CountFloat(count)) => SampleValue::FloatHistogram(Arc::new(FloatHistogram {
            counter_reset_hint,
            schema: message.schema,
            zero_threshold: message.zero_threshold,
            zero_count: match message.zero_count {
                Some(ZeroCount::ZeroCountFloat(count)) => count,
                _ => 0.0,
            },
            count,
            sum: message.sum,
            positive_spans: spans(&message.positive_spans),
            negative_spans: spans(&message.negative_spans),
            positive_buckets: message.positive_counts.clone(),
            negative_buckets: message.negative_counts.clone(),
            custom_values: message.custom_values.clone().into(),
        })),
        count => SampleValue::Histogram(Arc::new(Histogram {
            counter_reset_hint,
            schema: message.schema,
            zero_threshold: message.zero_threshold,
            zero_count: match message.zero_count {
                Some(ZeroCount::ZeroCountInt(count)) => count,
                _ => 0,
            },
            count: match count {
                Some(Count::CountInt(count)) => count,
                _ => 0,
            },
            sum: message.sum,
            positive_spans: spans(&message.positive_spans),
            negative_spans: spans(&message.negative_spans),
            positive_buckets: message.positive_deltas.clone(),
            negative_buckets: message.negative_deltas.clone(),
            custom_values: message.custom_values.clone().into(),
        })),
    };
    Sample {
        timestamp_ms: message.timestamp,
        start_timestamp_ms: message.start_timestamp,
        value,
    }
}

/// What a family declares.
pub(super) fn metadata(kind: i32, help: &str, unit: &str) -> Metadata {
    Metadata {
        metric_type: match kind {
            1 => MetricType::Counter,
            2 => MetricType::Gauge,
            3 => MetricType::Histogram,
            4 => MetricType::GaugeHistogram,
            5 => MetricType::Summary,
            6 => MetricType::Info,
            7 => MetricType::StateSet,
            _ => MetricType::Unknown,
        },
        help: help.to_owned(),
        unit: unit.to_owned(),
    }
}
