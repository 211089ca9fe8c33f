//! Classic histograms of text pages, collected line by line into native ones with custom buckets.

use super::Error;
use super::classic::ClassicHistogram;
use super::number::parse_float;
use super::parser::Event;
use super::series::Series;
use crate::model::labels::is_legacy_name;
use crate::model::{Exemplar, Labels, LabelsBuilder, METRIC_NAME, MetricType, SampleValue};
use crate::text::quote::quote;

/// The state of a conversion.
#[derive(Debug, Default)]
pub(super) struct Nhcb {
    /// Whether the classic series are told too.
    pub(super) keep_classic: bool,
    pub(super) family: String,
    pub(super) metric_type: MetricType,
    group: Option<Group>,
    /// What was read already while a histogram is told first.
    pub(super) pending: Option<Event>,
    pub(super) converted: Option<Converted>,
}

/// The series of one histogram.
#[derive(Debug)]
struct Group {
    labels: Labels,
    histogram: ClassicHistogram,
    exemplars: Vec<Exemplar>,
    timestamp_ms: Option<i64>,
    start_timestamp_ms: i64,
}

/// A finished conversion.
#[derive(Debug)]
pub(super) struct Converted {
    pub(super) key: Vec<u8>,
    pub(super) labels: Labels,
    pub(super) value: SampleValue,
    pub(super) exemplars: Vec<Exemplar>,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) start_timestamp_ms: i64,
}

/// What a series is to its histogram.
enum Role {
    Bucket(f64),
    Count,
    Sum,
}

impl Nhcb {
    pub(super) fn new(keep_classic: bool) -> Self {
        Self {
            keep_classic,
            ..Self::default()
        }
    }

    /// Looks at a sample before it is told. `true` when a histogram ended with it and is told first.
    pub(super) fn ends_before(&mut self, series: &Series<'_>) -> Result<bool, Error> {
        let Some(group) = &self.group else {
            return Ok(false);
        };
        if self.metric_type == MetricType::Histogram
            && base_labels(&series.labels()?) == group.labels
        {
            return Ok(false);
        }
        Ok(self.finish())
    }

    /// Ends the histogram under collection. `true` when it could be converted.
    pub(super) fn finish(&mut self) -> bool {
        let Some(group) = self.group.take() else {
            return false;
        };
        // compat: what contradicts itself is dropped without a word.
        let Ok(value) = group.histogram.convert() else {
            return false;
        };
        self.converted = Some(Converted {
            key: text_key(&group.labels),
            labels: group.labels,
            value,
            exemplars: group.exemplars,
            timestamp_ms: group.timestamp_ms,
            start_timestamp_ms: group.start_timestamp_ms,
        });
        true
    }

    /// Takes a sample into the histogram that it is part of; `false` when it is part of none.
    pub(super) fn collect(&mut self, series: &Series<'_>, value: f64) -> Result<bool, Error> {
        if self.metric_type != MetricType::Histogram {
            return Ok(false);
        }
        let labels = series.labels()?;
        let Some(role) = self.role(&labels) else {
            return Ok(false);
        };
        let group = self.group.get_or_insert_with(|| Group {
            labels: base_labels(&labels),
            histogram: ClassicHistogram::default(),
            exemplars: Vec::new(),
            timestamp_ms: None,
            start_timestamp_ms: series.start_timestamp_ms,
        });
        group.timestamp_ms = series.timestamp_ms;
        group.exemplars.extend_from_slice(series.exemplars);
        match role {
            Role::Bucket(bound) => group.histogram.set_bucket(bound, value),
            Role::Count => group.histogram.set_count(value),
            Role::Sum => group.histogram.set_sum(value),
        }
        Ok(true)
    }

    fn role(&self, labels: &Labels) -> Option<Role> {
        let (base, suffix) = split_suffix(labels.metric_name().unwrap_or_default())?;
        if base != self.family {
            return None;
        }
        match suffix {
            "_bucket" => {
                let bound = parse_float(labels.get("le")?.as_bytes()).ok()?;
                (!bound.is_nan()).then_some(Role::Bucket(bound))
            }
            "_count" => Some(Role::Count),
            _ => Some(Role::Sum),
        }
    }
}

fn split_suffix(name: &str) -> Option<(&str, &'static str)> {
    ["_bucket", "_sum", "_count"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix).map(|base| (base, suffix)))
}

/// The labels that all series of a histogram share, with its name.
fn base_labels(labels: &Labels) -> Labels {
    let name = labels.metric_name().unwrap_or_default();
    let base = split_suffix(name).map_or(name, |(base, _)| base);
    let mut builder = LabelsBuilder::from(labels);
    builder.set(METRIC_NAME, base);
    builder.remove("le");
    builder.build()
}

/// The text that the series would have on a page.
fn text_key(labels: &Labels) -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in labels {
        if name != METRIC_NAME {
            let name = if is_legacy_name(name) {
                name.to_owned()
            } else {
                quote(name)
            };
            pairs.push(format!("{name}={}", quote(value)));
        }
    }
    let name = labels.metric_name().unwrap_or_default();
    if pairs.is_empty() {
        name.to_owned().into_bytes()
    } else {
        format!("{name}{{{}}}", pairs.join(",")).into_bytes()
    }
}
