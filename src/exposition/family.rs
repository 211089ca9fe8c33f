//! `io.prometheus.client` messages, decoded one metric at a time.
//!
//! Field numbers are those of `metrics.proto` of `prometheus/client_model`.

use std::sync::Arc;

use super::buckets::{absolute, check_layout, compact, deltas};
use super::series::sorted_labels;
use crate::codec::wire::{Field, Fields, push_doubles, push_varints, zigzag};
use crate::model::histogram::{BucketSpan, CounterResetHint};
use crate::model::{Exemplar, FloatHistogram, Histogram, Labels, MetricType, SampleValue};

/// A `MetricFamily` without its metrics, which lie in `message` still.
#[derive(Debug, Clone)]
pub(super) struct FamilyMessage<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) unit: &'a str,
    pub(super) metric_type: MetricType,
    pub(super) metrics: usize,
    pub(super) message: &'a [u8],
}

/// A `Metric`.
#[derive(Debug, Clone, Default)]
pub(super) struct MetricMessage<'a> {
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) timestamp_ms: i64,
    pub(super) value: f64,
    pub(super) exemplar: Option<Exemplar>,
    pub(super) start_timestamp_ms: i64,
    /// Count and sum of summaries.
    pub(super) summary: SummaryMessage,
    pub(super) histogram: HistogramMessage,
}

/// A `Summary`.
#[derive(Debug, Clone, Default)]
pub(super) struct SummaryMessage {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) quantiles: Vec<(f64, f64)>,
}

/// A `Histogram`, classic or native or both.
#[derive(Debug, Clone, Default)]
pub(super) struct HistogramMessage {
    pub(super) count: u64,
    pub(super) count_float: f64,
    pub(super) sum: f64,
    pub(super) buckets: Vec<BucketMessage>,
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    negative_spans: Vec<BucketSpan>,
    negative_deltas: Vec<i64>,
    negative_counts: Vec<f64>,
    positive_spans: Vec<BucketSpan>,
    positive_deltas: Vec<i64>,
    positive_counts: Vec<f64>,
    pub(super) exemplars: Vec<Exemplar>,
}

/// A `Bucket` of a classic histogram.
#[derive(Debug, Clone, Default)]
pub(super) struct BucketMessage {
    pub(super) cumulative_count: f64,
    pub(super) bound: f64,
    pub(super) exemplar: Option<Box<Exemplar>>,
}

/// What is wrong with a message.
pub(super) type Wrong = String;

fn broken() -> Wrong {
    "proto: malformed message".to_owned()
}

fn utf8<'a>(field: Field<'a>, what: &str) -> Result<&'a str, Wrong> {
    let bytes = field.bytes().ok_or_else(broken)?;
    std::str::from_utf8(bytes).map_err(|_| format!("invalid {what}: not UTF-8"))
}

/// Calls `take` for each field of a message.
fn each<'a>(
    message: &'a [u8],
    mut take: impl FnMut(u32, Field<'a>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    for field in Fields::new(message) {
        let (number, field) = field.map_err(|()| broken())?;
        take(number, field)?;
    }
    Ok(())
}

impl<'a> FamilyMessage<'a> {
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, Wrong> {
        let mut family = Self {
            name: "",
            help: "",
            unit: "",
            metric_type: MetricType::Counter,
            metrics: 0,
            message,
        };
        let mut type_number = 0;
        each(message, |number, field| {
            match number {
                1 => family.name = utf8(field, "metric name")?,
                2 => family.help = utf8(field, "help")?,
                3 => type_number = field.varint().ok_or_else(broken)?,
                4 => family.metrics += 1,
                5 => family.unit = utf8(field, "unit")?,
                _ => {}
            }
            Ok(())
        })?;
        family.metric_type = match type_number {
            0 => MetricType::Counter,
            1 => MetricType::Gauge,
            2 => MetricType::Summary,
            3 => MetricType::Unknown,
            4 => MetricType::Histogram,
            5 => MetricType::GaugeHistogram,
            other => {
                return Err(format!(
                    "unknown metric type for metric {:?}: {other}",
                    family.name
                ));
            }
        };
        family.check()?;
        Ok(family)
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.metrics == 0 {
            return Ok(());
        }
        if self.name.is_empty() {
            return Err(format!("invalid metric name: {}", self.name));
        }
        let total = self
            .name
            .strip_suffix("_total")
            .filter(|_| self.metric_type == MetricType::Counter);
        let (what, stem) = match total {
            Some(stem) => ("counter", stem),
            None => ("metric", self.name),
        };
        let fits = stem
            .strip_suffix(self.unit)
            .is_some_and(|rest| rest.ends_with('_'));
        if !self.unit.is_empty() && !fits {
            return Err(format!(
                "unit {:?} not a suffix of {what} {:?}",
                self.unit, self.name
            ));
        }
        Ok(())
    }
}

impl<'a> MetricMessage<'a> {
    pub(super) fn decode(message: &'a [u8], metric_type: MetricType) -> Result<Self, Wrong> {
        let mut metric = Self::default();
        let mut body: Option<&[u8]> = None;
        // The field in which a metric of this type has its value.
        let own = match metric_type {
            MetricType::Gauge => 2,
            MetricType::Counter => 3,
            MetricType::Summary => 4,
            MetricType::Histogram | MetricType::GaugeHistogram => 7,
            _ => 5,
        };
        each(message, |number, field| {
            match number {
                1 => metric
                    .labels
                    .push(label_pair(field.bytes().ok_or_else(broken)?)?),
                6 => metric.timestamp_ms = field.varint().ok_or_else(broken)? as i64,
                n if n == own => body = Some(field.bytes().ok_or_else(broken)?),
                _ => {}
            }
            Ok(())
        })?;
        let body = body.unwrap_or_default();
        match metric_type {
            MetricType::Counter => metric.decode_counter(body)?,
            MetricType::Summary => metric.decode_summary(body)?,
            MetricType::Histogram | MetricType::GaugeHistogram => metric.decode_histogram(body)?,
            _ => each(body, |number, field| {
                if number == 1 {
                    metric.value = field.double().ok_or_else(broken)?;
                }
                Ok(())
            })?,
        }
        Ok(metric)
    }

    fn decode_counter(&mut self, message: &[u8]) -> Result<(), Wrong> {
        each(message, |number, field| {
            match number {
                1 => self.value = field.double().ok_or_else(broken)?,
                2 => self.exemplar = Some(exemplar(field.bytes().ok_or_else(broken)?)?),
                3 => self.start_timestamp_ms = timestamp(field.bytes().ok_or_else(broken)?)?,
                _ => {}
            }
            Ok(())
        })
    }

    fn decode_summary(&mut self, message: &[u8]) -> Result<(), Wrong> {
        each(message, |number, field| {
            match number {
                1 => self.summary.count = field.varint().ok_or_else(broken)?,
                2 => self.summary.sum = field.double().ok_or_else(broken)?,
                3 => {
                    let mut quantile = (0.0, 0.0);
                    each(field.bytes().ok_or_else(broken)?, |number, field| {
                        match number {
                            1 => quantile.0 = field.double().ok_or_else(broken)?,
                            2 => quantile.1 = field.double().ok_or_else(broken)?,
                            _ => {}
                        }
                        Ok(())
                    })?;
                    self.summary.quantiles.push(quantile);
                }
                4 => self.start_timestamp_ms = timestamp(field.bytes().ok_or_else(broken)?)?,
                _ => {}
            }
            Ok(())
        })
    }

    fn decode_histogram(&mut self, message: &[u8]) -> Result<(), Wrong> {
        let h = &mut self.histogram;
        let mut start = 0;
        each(message, |number, field| {
            let done = match number {
                1 => field.varint().map(|v| h.count = v),
                2 => field.double().map(|v| h.sum = v),
                3 => {
                    h.buckets.push(bucket(field.bytes().ok_or_else(broken)?)?);
                    Some(())
                }
                4 => field.double().map(|v| h.count_float = v),
                5 => field.varint().map(|v| h.schema = zigzag(v) as i32),
                6 => field.double().map(|v| h.zero_threshold = v),
                7 => field.varint().map(|v| h.zero_count = v),
                8 => field.double().map(|v| h.zero_count_float = v),
                9 => {
                    h.negative_spans
                        .push(span(field.bytes().ok_or_else(broken)?)?);
                    Some(())
                }
                10 => push_varints(&mut h.negative_deltas, field, zigzag),
                11 => push_doubles(&mut h.negative_counts, field),
                12 => {
                    h.positive_spans
                        .push(span(field.bytes().ok_or_else(broken)?)?);
                    Some(())
                }
                13 => push_varints(&mut h.positive_deltas, field, zigzag),
                14 => push_doubles(&mut h.positive_counts, field),
                15 => {
                    start = timestamp(field.bytes().ok_or_else(broken)?)?;
                    Some(())
                }
                16 => {
                    h.exemplars
                        .push(exemplar(field.bytes().ok_or_else(broken)?)?);
                    Some(())
                }
                _ => Some(()),
            };
            done.ok_or_else(broken)
        })?;
        self.start_timestamp_ms = start;
        Ok(())
    }
}

impl HistogramMessage {
    /// Whether there is more than classic buckets.
    pub(super) fn is_native(&self) -> bool {
        !self.positive_spans.is_empty()
            || !self.negative_spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
            || self.zero_count_float > 0.0
    }

    /// Observations as classic series show them.
    pub(super) fn observations(&self) -> f64 {
        if self.count_float == 0.0 {
            self.count as f64
        } else {
            self.count_float
        }
    }

    /// The native histogram.
    pub(super) fn native(&self, gauge: bool) -> Result<SampleValue, Wrong> {
        let counter_reset_hint = if gauge {
            CounterResetHint::Gauge
        } else {
            CounterResetHint::Unknown
        };
        let custom_values: Arc<[f64]> = Arc::from([]);
        if self.count_float > 0.0 || self.zero_count_float > 0.0 {
            check_layout(&self.positive_spans, self.positive_counts.len(), "positive")?;
            check_layout(&self.negative_spans, self.negative_counts.len(), "negative")?;
            let (positive_spans, positive_buckets) =
                compact(&self.positive_spans, &self.positive_counts, 0);
            let (negative_spans, negative_buckets) =
                compact(&self.negative_spans, &self.negative_counts, 0);
            return Ok(SampleValue::FloatHistogram(Arc::new(FloatHistogram {
                counter_reset_hint,
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: self.zero_count_float,
                count: self.count_float,
                sum: self.sum,
                positive_spans,
                negative_spans,
                positive_buckets,
                negative_buckets,
                custom_values,
            })));
        }
        check_layout(&self.positive_spans, self.positive_deltas.len(), "positive")?;
        check_layout(&self.negative_spans, self.negative_deltas.len(), "negative")?;
        let (positive_spans, positive) =
            compact(&self.positive_spans, &absolute(&self.positive_deltas), 0);
        let (negative_spans, negative) =
            compact(&self.negative_spans, &absolute(&self.negative_deltas), 0);
        Ok(SampleValue::Histogram(Arc::new(Histogram {
            counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans,
            negative_spans,
            positive_buckets: deltas(&positive),
            negative_buckets: deltas(&negative),
            custom_values,
        })))
    }
}

fn label_pair(message: &[u8]) -> Result<(&str, &str), Wrong> {
    let mut pair = ("", "");
    each(message, |number, field| {
        match number {
            1 => pair.0 = utf8(field, "label name")?,
            2 => pair.1 = utf8(field, "label value")?,
            _ => {}
        }
        Ok(())
    })?;
    if pair.0.is_empty() {
        return Err("invalid label name: \"\"".to_owned());
    }
    Ok(pair)
}

fn bucket(message: &[u8]) -> Result<BucketMessage, Wrong> {
    let mut bucket = BucketMessage::default();
    let mut count_float = 0.0;
    each(message, |number, field| {
        match number {
            1 => bucket.cumulative_count = field.varint().ok_or_else(broken)? as f64,
            2 => bucket.bound = field.double().ok_or_else(broken)?,
            3 => bucket.exemplar = Some(Box::new(exemplar(field.bytes().ok_or_else(broken)?)?)),
            4 => count_float = field.double().ok_or_else(broken)?,
            _ => {}
        }
        Ok(())
    })?;
    if count_float != 0.0 {
        bucket.cumulative_count = count_float;
    }
    Ok(bucket)
}

fn span(message: &[u8]) -> Result<BucketSpan, Wrong> {
    let mut span = BucketSpan::default();
    each(message, |number, field| {
        match number {
            1 => span.offset = zigzag(field.varint().ok_or_else(broken)?) as i32,
            2 => span.length = field.varint().ok_or_else(broken)? as u32,
            _ => {}
        }
        Ok(())
    })?;
    Ok(span)
}

fn exemplar(message: &[u8]) -> Result<Exemplar, Wrong> {
    let mut labels = Vec::new();
    let mut exemplar = Exemplar {
        labels: Labels::empty(),
        value: 0.0,
        timestamp_ms: None,
    };
    each(message, |number, field| {
        match number {
            1 => {
                let (name, value) = label_pair(field.bytes().ok_or_else(broken)?)?;
                labels.push((name.into(), value.into()));
            }
            2 => exemplar.value = field.double().ok_or_else(broken)?,
            3 => exemplar.timestamp_ms = Some(timestamp(field.bytes().ok_or_else(broken)?)?),
            _ => {}
        }
        Ok(())
    })?;
    exemplar.labels = sorted_labels(labels).map_err(|e| e.to_string())?;
    Ok(exemplar)
}

/// Reads a `google.protobuf.Timestamp` into milliseconds.
fn timestamp(message: &[u8]) -> Result<i64, Wrong> {
    let mut ms: i64 = 0;
    each(message, |number, field| {
        match number {
            1 => {
                let seconds = field.varint().ok_or_else(broken)? as i64;
                ms = ms.saturating_add(seconds.saturating_mul(1000));
            }
            2 => {
                let nanos = field.varint().ok_or_else(broken)? as i32;
                ms = ms.saturating_add(i64::from(nanos / 1_000_000));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(ms)
}
