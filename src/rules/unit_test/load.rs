//! Input series of a test group, handed to the store as time passes.

use std::collections::BTreeMap;

use super::file::{InputSeries, TestGroup};
use super::run::{Failure, Remark};
use crate::model::{Labels, Sample, SampleValue, is_stale_nan};
use crate::promql::notation::{SequenceValue, parse_series_line};
use crate::storage::Storage;
use crate::text::yaml::Span as Place;
use crate::time::{Span, Timestamp};

/// The samples of all input series in time order.
#[derive(Debug)]
pub(super) struct Input {
    series: Vec<Labels>,
    /// Time, series and value.
    samples: Vec<(i64, usize, SampleValue)>,
    next: usize,
    /// For each series whether it holds histograms, and where and when it ends.
    notes: Vec<SeriesNote>,
}

#[derive(Debug)]
struct SeriesNote {
    /// The series as it is written.
    text: String,
    histograms: bool,
    /// When the last value is, after the start; `None` when the series ends on purpose.
    ends: Option<Span>,
    place: Place,
}

pub(super) fn load(group: &TestGroup) -> Result<Input, Failure> {
    // compat: a series that is given twice has the values of the later line.
    let mut series: BTreeMap<Labels, (Vec<SequenceValue>, &InputSeries)> = BTreeMap::new();
    for input in &group.input_series {
        let line = format!("{} {}", input.series, input.values);
        let (labels, values) = parse_series_line(&line).map_err(|errors| {
            let error = errors.first().map_or_else(String::new, ToString::to_string);
            Failure {
                place: input.place,
                about: format!("input series {}", input.series),
                message: format!("    series: {line:?}, err: {error}"),
                difference: None,
            }
        })?;
        series.insert(labels, (values, input));
    }
    let mut samples = Vec::new();
    let mut notes = Vec::with_capacity(series.len());
    for (at, (values, input)) in series.values().enumerate() {
        notes.push(note(group, values, input));
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
        notes,
    })
}

fn note(group: &TestGroup, values: &[SequenceValue], input: &InputSeries) -> SeriesNote {
    let last = Span::from_ms(
        group
            .interval
            .as_ms()
            .saturating_mul(values.len().saturating_sub(1) as i64),
    );
    let on_purpose = match values.last() {
        None | Some(SequenceValue::Omitted) => true,
        Some(SequenceValue::Float(v)) => is_stale_nan(*v),
        Some(SequenceValue::Histogram(_)) => false,
    };
    SeriesNote {
        text: input.series.clone(),
        histograms: values
            .iter()
            .any(|value| matches!(value, SequenceValue::Histogram(_))),
        ends: (!on_purpose).then_some(last),
        place: input.place,
    }
}

impl Input {
    /// The series, and whether each holds histograms.
    pub(super) fn series(&self) -> impl Iterator<Item = (&Labels, bool)> {
        self.series
            .iter()
            .zip(self.notes.iter().map(|note| note.histograms))
    }

    /// How many samples there are.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Series that end before `last`, the latest time that is looked at, though nothing says that they
    /// are to end.
    pub(super) fn ends_early(&self, last: Span) -> Vec<Remark> {
        self.notes
            .iter()
            .filter_map(|note| {
                let ends = note.ends.filter(|ends| *ends < last)?;
                Some(Remark {
                    place: note.place,
                    message: format!(
                        "the series {} ends at {ends}, but a test looks at {last}; write `stale` or `_` last if that is meant",
                        note.text
                    ),
                })
            })
            .collect()
    }

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
