//! Samples of one series on their way into a block and out of it.

use std::sync::Arc;

use crate::codec::Error;
use crate::model::{Sample, SampleValue};
use crate::tsdb::chunk::{Chunk, OpenChunk, Samples};

/// Floats that share a column.
pub(super) const COLUMN_SAMPLES_MAX: usize = 512;

/// Samples of one series in the order of their times.
#[derive(Debug, Clone)]
pub(crate) enum Run {
    /// Floats without start timestamps; the lists are of equal length.
    Floats { times: Vec<i64>, values: Vec<f64> },
    /// Anything else.
    Chunk(Arc<Chunk>),
}

impl Run {
    /// First and last time; `None` when it is empty.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        match self {
            Self::Floats { times, .. } => Some((*times.first()?, *times.last()?)),
            Self::Chunk(chunk) => Some((chunk.min_ms(), chunk.max_ms())),
        }
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Floats { times, .. } => times.len(),
            Self::Chunk(chunk) => chunk.count() as usize,
        }
    }

    /// Its samples.
    pub(crate) fn samples(self) -> RunSamples {
        match self {
            Self::Floats { times, values } => RunSamples::Floats {
                times,
                values,
                next: 0,
            },
            Self::Chunk(chunk) => RunSamples::Chunk(Samples::new(chunk, u32::MAX)),
        }
    }
}

/// The samples of a run in order.
#[derive(Debug)]
pub(crate) enum RunSamples {
    Floats {
        times: Vec<i64>,
        values: Vec<f64>,
        next: usize,
    },
    Chunk(Samples),
}

impl Iterator for RunSamples {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Floats {
                times,
                values,
                next,
            } => {
                let sample = Sample::float(*times.get(*next)?, *values.get(*next)?);
                *next += 1;
                Some(Ok(sample))
            }
            Self::Chunk(samples) => samples.next(),
        }
    }
}

/// Collects samples in the order of their times into runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    done: Vec<Run>,
    times: Vec<i64>,
    values: Vec<f64>,
    open: Option<OpenChunk>,
}

impl Runs {
    /// Adds a sample that is later than all before it.
    pub(crate) fn push(&mut self, sample: &Sample) {
        if let SampleValue::Float(value) = &sample.value
            && sample.start_timestamp_ms == 0
        {
            self.push_float(sample.timestamp_ms, *value);
            return;
        }
        self.end_floats();
        let pushed = self.open.as_mut().is_some_and(|open| open.push(sample));
        if !pushed && let Some(full) = self.open.replace(OpenChunk::start(sample)) {
            self.done.push(Run::Chunk(Arc::new(full.snapshot())));
        }
    }

    /// Adds a float without start timestamp that is later than all before it.
    pub(crate) fn push_float(&mut self, ms: i64, value: f64) {
        if let Some(open) = self.open.take() {
            self.done.push(Run::Chunk(Arc::new(open.snapshot())));
        }
        if self.times.len() >= COLUMN_SAMPLES_MAX {
            self.end_floats();
        }
        self.times.push(ms);
        self.values.push(value);
    }

    fn end_floats(&mut self) {
        if !self.times.is_empty() {
            self.done.push(Run::Floats {
                times: std::mem::take(&mut self.times),
                values: std::mem::take(&mut self.values),
            });
        }
    }

    /// What was collected.
    pub(crate) fn finish(mut self) -> Vec<Run> {
        self.end_floats();
        if let Some(open) = self.open.take() {
            self.done.push(Run::Chunk(Arc::new(open.snapshot())));
        }
        self.done
    }
}

/// Merges runs of one series, of which the later in the list win where times are equal, and leaves out what
/// `deleted` says (number of the run, time).
pub(crate) fn merge(
    runs: Vec<Run>,
    deleted: impl Fn(usize, i64) -> bool,
) -> Result<Vec<Run>, Error> {
    let mut merged = Runs::default();
    let ascending = runs
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.span().map(|s| s.1) < b.span().map(|s| s.0)));
    if ascending {
        for (number, run) in runs.into_iter().enumerate() {
            for sample in run.samples() {
                let sample = sample?;
                if !deleted(number, sample.timestamp_ms) {
                    merged.push(&sample);
                }
            }
        }
        return Ok(merged.finish());
    }
    let mut all = Vec::new();
    for (number, run) in runs.into_iter().enumerate() {
        for sample in run.samples() {
            let sample = sample?;
            if !deleted(number, sample.timestamp_ms) {
                all.push((sample.timestamp_ms, number, sample));
            }
        }
    }
    all.sort_by_key(|(ms, number, _)| (*ms, std::cmp::Reverse(*number)));
    all.dedup_by_key(|(ms, _, _)| *ms);
    for (_, _, sample) in &all {
        merged.push(sample);
    }
    Ok(merged.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(samples: &[(i64, f64)]) -> Run {
        Run::Floats {
            times: samples.iter().map(|s| s.0).collect(),
            values: samples.iter().map(|s| s.1).collect(),
        }
    }

    fn list(runs: Vec<Run>) -> Vec<(i64, f64)> {
        let samples = runs.into_iter().flat_map(Run::samples).map(Result::unwrap);
        samples
            .map(|s| match s.value {
                SampleValue::Float(v) => (s.timestamp_ms, v),
                _ => panic!("a float"),
            })
            .collect()
    }

    #[test]
    fn of_equal_times_the_later_run_wins() {
        let runs = vec![
            floats(&[(1, 1.0), (3, 3.0)]),
            floats(&[(2, 2.0), (3, 4.0), (5, 5.0)]),
        ];
        let merged = merge(runs, |run, ms| run == 1 && ms == 5).unwrap();
        assert_eq!(list(merged), [(1, 1.0), (2, 2.0), (3, 4.0)]);
    }

    #[test]
    fn kinds_alternate_without_loss() {
        let mut runs = Runs::default();
        for ms in 0..2000 {
            let mut sample = Sample::float(ms, ms as f64);
            if ms % 700 > 600 {
                sample.start_timestamp_ms = -5;
            }
            runs.push(&sample);
        }
        let runs = runs.finish();
        assert!(runs.len() > 4);
        assert_eq!(runs.iter().map(Run::count).sum::<usize>(), 2000);
        assert_eq!(list(runs).len(), 2000);
    }
}
