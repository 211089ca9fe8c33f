//! Length-delimited `MetricFamily` messages, told as the text forms would tell them.

use super::Error;
use super::classic::ClassicHistogram;
use super::family::{FamilyMessage, MetricMessage};
use super::number::openmetrics_float;
use super::parser::{Event, ParserOptions};
use super::series::Family;
use crate::codec::wire::{Fields, delimited};
use crate::model::{Exemplar, MetricType, SampleValue};

/// Stands between the parts of a key; no UTF-8 text holds it.
pub(super) const KEY_SEPARATOR: u8 = 0xff;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Family,
    Help,
    Unit,
    Type,
    Metric,
    Simple,
    Native,
    Count,
    Sum,
    Member(usize),
    Converted,
}

/// Reads a page message by message. What a sample held stays here until the next is read.
#[derive(Debug)]
pub(super) struct ProtobufReader<'a> {
    total: usize,
    rest: &'a [u8],
    options: ParserOptions,
    step: Step,
    pub(super) family: Option<FamilyMessage<'a>>,
    metrics: Fields<'a>,
    metric: MetricMessage<'a>,
    pub(super) key: Vec<u8>,
    pub(super) value: SampleValue,
    pub(super) exemplars: Vec<Exemplar>,
}

impl<'a> ProtobufReader<'a> {
    pub(super) fn new(body: &'a [u8], options: ParserOptions) -> Self {
        Self {
            total: body.len(),
            rest: body,
            options,
            step: Step::Family,
            family: None,
            metrics: Fields::new(&[]),
            metric: MetricMessage::default(),
            key: Vec::new(),
            value: SampleValue::Float(0.0),
            exemplars: Vec::new(),
        }
    }

    pub(super) fn metric_type(&self) -> MetricType {
        self.family
            .as_ref()
            .map_or(MetricType::Unknown, |f| f.metric_type)
    }

    pub(super) const fn timestamp_ms(&self) -> Option<i64> {
        // compat: a timestamp of 0 cannot be told from none.
        if self.metric.timestamp_ms == 0 {
            None
        } else {
            Some(self.metric.timestamp_ms)
        }
    }

    pub(super) const fn start_timestamp_ms(&self) -> i64 {
        self.metric.start_timestamp_ms
    }

    fn fail(&self, message: String) -> Error {
        Error::Protobuf {
            message,
            offset: self.total - self.rest.len(),
        }
    }

    /// The next thing that the page says.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let step = self.step;
            match step {
                Step::Family => {
                    if !self.next_family()? {
                        return Ok(None);
                    }
                }
                Step::Help => {
                    let has_unit = self.family.as_ref().is_some_and(|f| !f.unit.is_empty());
                    self.step = if has_unit { Step::Unit } else { Step::Type };
                    return Ok(Some(Event::Help));
                }
                Step::Unit => {
                    self.step = Step::Type;
                    return Ok(Some(Event::Unit));
                }
                Step::Type => {
                    self.step = Step::Metric;
                    return Ok(Some(Event::Type));
                }
                Step::Metric => self.next_metric()?,
                Step::Native => {
                    let gauge = self.metric_type() == MetricType::GaugeHistogram;
                    self.value = self.metric.histogram.native(gauge).map_err(|why| {
                        let name = self.family.as_ref().map_or("", |f| f.name);
                        self.fail(format!("histogram {name}: {why}"))
                    })?;
                    self.native_exemplars();
                    self.build_key("", None);
                    let classic = self.options.keep_classic_histograms
                        && !self.metric.histogram.buckets.is_empty();
                    self.step = if classic { Step::Count } else { Step::Metric };
                    return Ok(Some(Event::Histogram));
                }
                Step::Converted => {
                    self.step = Step::Metric;
                    if self.convert() {
                        return Ok(Some(Event::Histogram));
                    }
                }
                _ => {
                    self.float(step);
                    return Ok(Some(Event::Sample));
                }
            }
        }
    }

    fn next_family(&mut self) -> Result<bool, Error> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let mut rest = self.rest;
        let message = delimited(&mut rest)
            .ok_or_else(|| self.fail("protobufparse: unexpected end of message".to_owned()))?;
        let family = FamilyMessage::decode(message).map_err(|why| self.fail(why))?;
        self.rest = rest;
        self.metrics = Fields::new(family.message);
        // compat: families without metrics are passed over.
        self.step = if family.metrics == 0 {
            Step::Family
        } else {
            Step::Help
        };
        self.family = Some(family);
        Ok(true)
    }

    fn next_metric(&mut self) -> Result<(), Error> {
        let metric_type = self.metric_type();
        for field in self.metrics.by_ref() {
            let Ok((4, field)) = field else { continue };
            let message = field.bytes().unwrap_or_default();
            self.metric =
                MetricMessage::decode(message, metric_type).map_err(|why| self.fail(why))?;
            self.step = match metric_type {
                MetricType::Summary => Step::Count,
                MetricType::Histogram | MetricType::GaugeHistogram => self.first_of_histogram(),
                _ => Step::Simple,
            };
            return Ok(());
        }
        self.step = Step::Family;
        Ok(())
    }

    fn first_of_histogram(&self) -> Step {
        let o = &self.options;
        if self.metric.histogram.is_native() && !o.ignore_native_histograms {
            Step::Native
        } else if o.convert_classic_histograms && !o.keep_classic_histograms {
            Step::Converted
        } else {
            Step::Count
        }
    }

    /// After the last classic series of a histogram.
    fn after_classic(&self) -> Step {
        let native = self.metric.histogram.is_native() && !self.options.ignore_native_histograms;
        let histogram = self.metric_type() != MetricType::Summary;
        if histogram && self.options.convert_classic_histograms && !native {
            Step::Converted
        } else {
            Step::Metric
        }
    }

    fn float(&mut self, step: Step) {
        self.exemplars.clear();
        let summary = self.metric_type() == MetricType::Summary;
        let m = &mut self.metric;
        let (value, suffix, bound) = match step {
            Step::Count if summary => (m.summary.count as f64, "_count", None),
            Step::Count => (m.histogram.observations(), "_count", None),
            Step::Sum if summary => (m.summary.sum, "_sum", None),
            Step::Sum => (m.histogram.sum, "_sum", None),
            Step::Member(i) if summary => {
                let (quantile, value) = m.summary.quantiles.get(i).copied().unwrap_or_default();
                (value, "", Some(("quantile", quantile)))
            }
            Step::Member(i) => match m.histogram.buckets.get_mut(i) {
                Some(bucket) => {
                    self.exemplars.extend(bucket.exemplar.clone().map(|e| *e));
                    (
                        bucket.cumulative_count,
                        "_bucket",
                        Some(("le", bucket.bound)),
                    )
                }
                None => (
                    m.histogram.observations(),
                    "_bucket",
                    Some(("le", f64::INFINITY)),
                ),
            },
            _ => {
                self.exemplars.extend(m.exemplar.take());
                (m.value, "", None)
            }
        };
        self.value = SampleValue::Float(value);
        self.build_key(suffix, bound);
        self.step = self.after(step, summary);
    }

    fn after(&self, step: Step, summary: bool) -> Step {
        let m = &self.metric;
        match step {
            Step::Count => Step::Sum,
            Step::Sum if summary && m.summary.quantiles.is_empty() => Step::Metric,
            Step::Sum => Step::Member(0),
            Step::Member(i) if summary && i + 1 < m.summary.quantiles.len() => Step::Member(i + 1),
            Step::Member(_) if summary => Step::Metric,
            // compat: the first bucket without bound is the last; if there is none, it is made up.
            Step::Member(i) => match m.histogram.buckets.get(i) {
                Some(bucket) if bucket.bound != f64::INFINITY => Step::Member(i + 1),
                _ => self.after_classic(),
            },
            _ => Step::Metric,
        }
    }

    fn convert(&mut self) -> bool {
        let h = &self.metric.histogram;
        let mut classic = ClassicHistogram::default();
        for bucket in &h.buckets {
            classic.set_bucket(bucket.bound, bucket.cumulative_count);
        }
        classic.set_count(h.observations());
        classic.set_sum(h.sum);
        let Ok(value) = classic.convert() else {
            return false;
        };
        self.value = value;
        self.native_exemplars();
        self.build_key("", None);
        true
    }

    /// compat: a native histogram takes its own exemplars, else those of its classic buckets, and only
    /// such as have a timestamp.
    fn native_exemplars(&mut self) {
        self.exemplars.clear();
        let h = &self.metric.histogram;
        if h.exemplars.is_empty() {
            let of_buckets = h.buckets.iter().filter_map(|b| b.exemplar.as_deref());
            self.exemplars.extend(of_buckets.cloned());
        } else {
            self.exemplars.extend(h.exemplars.iter().cloned());
        }
        self.exemplars.retain(|e| e.timestamp_ms.is_some());
    }

    fn build_key(&mut self, suffix: &str, bound: Option<(&str, f64)>) {
        self.key.clear();
        let Some(family) = &self.family else { return };
        self.key.extend_from_slice(family.name.as_bytes());
        self.key.extend_from_slice(suffix.as_bytes());
        let meta = Family {
            metric_type: family.metric_type,
            unit: family.unit.to_owned(),
            type_and_unit_labels: self.options.type_and_unit_labels,
        };
        let push = |key: &mut Vec<u8>, name: &str, value: &str| {
            key.push(KEY_SEPARATOR);
            key.extend_from_slice(name.as_bytes());
            key.push(KEY_SEPARATOR);
            key.extend_from_slice(value.as_bytes());
        };
        for (name, value) in meta.labels() {
            push(&mut self.key, name, value);
        }
        for (name, value) in &self.metric.labels {
            if !meta.overrides(name) {
                push(&mut self.key, name, value);
            }
        }
        if let Some((name, bound)) = bound {
            push(&mut self.key, name, &openmetrics_float(bound));
        }
    }
}
