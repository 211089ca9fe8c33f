//! Input series of a test group, handed to the store as time passes.

use std::collections::BTreeMap;

use super::file::TestGroup;
use super::run::Failure;
use crate::model::{Labels, Sample, SampleValue};
use crate::promql::notation::{SequenceValue, parse_series_line};
use crate::storage::Storage;
use crate::time::Timestamp;

/// The samples of all input series in time order.
#[derive(Debug)]
pub(super) struct Input {
    series: Vec<Labels>,
    /// Time, series and value.
    samples: Vec<(i64, usize, SampleValue)>,
    next: usize,
}

pub(super) fn load(group: &TestGroup) -> Result<Input, Failure> {
    // compat: a series that is given twice has the values of the later line.
    let mut series: BTreeMap<Labels, Vec<SequenceValue>> = BTreeMap::new();
    for input in &group.input_series {
        let line = format!("{} {}", input.series, input.values);
        let (labels, values) = parse_series_line(&line).map_err(|errors| {
            let error = errors.first().map_or_else(String::new, ToString::to_string);
            Failure {
                place: input.place,
                message: format!("    series: {line:?}, err: {error}"),
            }
        })?;
        series.insert(labels, values);
    }
    let mut samples = Vec::new();
    for (at, values) in series.values().enumerate() {
        for (i, value) in values.iter().enumerate() {
            let offset = group.interval.as_ms().saturating_mul(i as i64);
            let time = group.start.as_ms().saturating_add(offset);
            match value {
                SequenceValue::Omitted => {}
                SequenceValue::Float(v) => samples.push((time, at, SampleValue::Float(*v))),
                SequenceValue::Histogram(h) => {
                    samples.push((time, at, SampleValue::FloatHistogram(h.clone())))
                }
            }
        }
    }
    samples.sort_by_key(|(time, at, _)| (*time, *at));
    Ok(Input {
        series: series.into_keys().collect(),
        samples,
        next: 0,
    })
}

impl Input {
    /// Appends what belongs to times up to `until`.
    pub(super) fn feed(&mut self, storage: &dyn Storage, until: Timestamp) {
        let mut batch = storage.appender();
        while let Some((time, series, value)) = self
            .samples
            .get(self.next)
            .filter(|sample| sample.0 <= until.as_ms())
        {
            let sample = Sample {
                timestamp_ms: *time,
                start_timestamp_ms: 0,
                value: value.clone(),
            };
            // A rule may have written the same series; then the test's own sample is the later one and lost, as upstream.
            let _ = batch.append(None, &self.series[*series], sample);
            self.next += 1;
        }
        // A store in memory cannot fail to commit.
        let _ = batch.commit();
    }
}
