//! `load`: series with samples at equal distances from time zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::nhcb;
use super::start_times::StartTime;
use crate::model::{FloatHistogram, Labels, Sample, SampleValue};
use crate::storage::Storage;

/// A value as it is written in a script.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// `_`
    Omitted,
    /// A number.
    Float(f64),
    /// `{{...}}`, and whether it says something about a counter reset.
    Histogram(Arc<FloatHistogram>, bool),
}

/// A `load` command.
#[derive(Debug)]
pub(super) struct Load {
    gap_ms: i64,
    with_nhcb: bool,
    /// Start times for series that have none of their own, repeated as needed.
    pub(super) default_starts: Vec<StartTime>,
    /// The samples of each series; a later line replaces an earlier one.
    series: BTreeMap<Labels, Vec<Sample>>,
}

impl Load {
    pub(super) const fn new(gap_ms: i64, with_nhcb: bool) -> Self {
        Self {
            gap_ms,
            with_nhcb,
            default_starts: Vec::new(),
            series: BTreeMap::new(),
        }
    }

    pub(super) fn set(&mut self, labels: Labels, values: &[Written], starts: &[StartTime]) {
        let mut samples = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let timestamp_ms = (at as i64).saturating_mul(self.gap_ms);
            let value = match value {
                Written::Omitted => continue,
                Written::Float(v) => SampleValue::Float(*v),
                Written::Histogram(h, _) => SampleValue::FloatHistogram(Arc::clone(h)),
            };
            let start = if !starts.is_empty() {
                starts.get(at).copied().flatten()
            } else if self.default_starts.is_empty() {
                None
            } else {
                let at = at % self.default_starts.len();
                self.default_starts.get(at).copied().flatten()
            };
            samples.push(Sample {
                timestamp_ms,
                start_timestamp_ms: start.map_or(0, |start| timestamp_ms.saturating_add(start)),
                value,
            });
        }
        self.series.insert(labels, samples);
    }

    /// Appends everything in one batch.
    pub(super) fn append(&self, store: &dyn Storage) -> Result<(), String> {
        let mut batch = store.appender();
        let mut append = |labels: &Labels, sample: &Sample| {
            batch
                .append(None, labels, sample.clone())
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        for (labels, samples) in &self.series {
            for sample in samples {
                append(labels, sample)?;
            }
        }
        if self.with_nhcb {
            for (labels, samples) in nhcb::convert(&self.series)? {
                for sample in &samples {
                    append(&labels, sample)?;
                }
            }
        }
        batch
            .commit()
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}
