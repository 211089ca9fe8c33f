//! Reading series: the latest sample at each step.

use std::sync::Arc;

use super::context::{Context, Matrix, Series, metric_name};
use super::eval::Evaluator;
use super::plan::{Extension, Selector};
use super::range_call::STEPS_RESERVED;
use super::window::{Points, Window, stored};
use crate::model::histogram::CounterResetHint;
use crate::model::{FloatHistogram, Sample, SampleValue, is_stale_nan};
use crate::promql::ast::PosRange;
use crate::promql::functions::extended::{interpolate, interpolate_histograms};
use crate::promql::{Error, PointValue};
use crate::storage::{SampleIter, SeriesEntry, one_by_one};

/// Walks forward through a series.
pub(crate) struct Cursor<'a> {
    samples: SampleIter<'a>,
    /// Floats that were read at once, of which those before `at` are passed.
    floats: Vec<(i64, f64)>,
    at: usize,
    next: Option<Sample>,
    last: Option<Sample>,
    exhausted: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(samples: SampleIter<'a>) -> Self {
        Self {
            samples,
            floats: Vec::new(),
            at: 0,
            next: None,
            last: None,
            exhausted: false,
        }
    }

    /// Passes the floats at hand up to `reference`; true when more must be read to get there.
    fn pass_floats(&mut self, reference: i64) -> bool {
        let rest = self.floats.get(self.at..).unwrap_or_default();
        let passed = rest.iter().take_while(|(t, _)| *t <= reference).count();
        if let Some((t, v)) = passed.checked_sub(1).and_then(|last| rest.get(last)) {
            self.last = Some(Sample::float(*t, *v));
            self.at += passed;
        }
        self.at >= self.floats.len()
    }

    /// The latest sample at `reference` that is not older than the lookback nor stale. References must
    /// not go back.
    pub(crate) fn at(
        &mut self,
        context: &Context<'_>,
        reference: i64,
    ) -> Result<Option<&Sample>, Error> {
        loop {
            if self.next.is_none() && !self.exhausted {
                if !self.pass_floats(reference) {
                    break;
                }
                context.tick()?;
                self.floats.clear();
                self.at = 0;
                self.samples.next_floats(&mut self.floats)?;
                if !self.floats.is_empty() {
                    continue;
                }
                self.next = self.samples.next().transpose()?;
                self.exhausted = self.next.is_none();
            }
            match &self.next {
                Some(next) if next.timestamp_ms <= reference => self.last = self.next.take(),
                _ => break,
            }
        }
        // compat: the interval is open to the left.
        let oldest = reference.saturating_sub(context.lookback_ms);
        Ok(self
            .last
            .as_ref()
            .filter(|sample| sample.timestamp_ms > oldest && !sample.value.is_stale()))
    }
}

pub(crate) fn point_value(value: &SampleValue) -> PointValue {
    match value {
        SampleValue::Float(v) => PointValue::Float(*v),
        SampleValue::Histogram(h) => h.to_float().into(),
        SampleValue::FloatHistogram(h) => PointValue::Histogram(Arc::clone(h)),
    }
}

/// Reduces histograms to count and sum. Resets are detected here, as later there are no buckets.
fn without_buckets(samples: SampleIter<'_>) -> SampleIter<'_> {
    let mut previous: Option<Arc<FloatHistogram>> = None;
    one_by_one(samples.map(move |sample| {
        let mut sample = sample?;
        let full = match &sample.value {
            SampleValue::Float(_) => return Ok(sample),
            SampleValue::Histogram(h) => Arc::new(h.to_float()),
            SampleValue::FloatHistogram(h) => Arc::clone(h),
        };
        let mut bare = FloatHistogram {
            schema: full.schema,
            sum: full.sum,
            ..FloatHistogram::default()
        };
        if !is_stale_nan(full.sum) {
            bare.count = full.count;
            bare.counter_reset_hint = match (full.counter_reset_hint, &previous) {
                (CounterResetHint::Unknown, Some(previous)) => {
                    if full.detect_reset(previous) {
                        CounterResetHint::Reset
                    } else {
                        CounterResetHint::NotReset
                    }
                }
                (hint, _) => hint,
            };
            previous = Some(full);
        }
        sample.value = SampleValue::FloatHistogram(Arc::new(bare));
        Ok(sample)
    }))
}

impl<'q> Evaluator<'_, 'q> {
    /// The matching series, as the store has them.
    pub(crate) fn entries(
        &self,
        selector: &Selector,
    ) -> Result<impl Iterator<Item = Result<SeriesEntry<'q>, Error>>, Error> {
        let set = self
            .context
            .querier
            .select(&selector.hints, &selector.matchers)?;
        let stats_only = selector.stats_only;
        Ok(set.map(move |entry| {
            let mut entry = entry.map_err(Error::from)?;
            if stats_only {
                entry.samples = without_buckets(entry.samples);
            }
            Ok(entry)
        }))
    }

    /// An instant vector selector at every step.
    pub(crate) fn vector_selector(
        &self,
        selector: &Selector,
        pos: PosRange,
    ) -> Result<Matrix, Error> {
        if selector.extension == Extension::Smoothed {
            return self.smoothed_selector(selector, pos);
        }
        let mut matrix = Matrix::new();
        for entry in self.entries(selector)? {
            let entry = entry?;
            self.context.check()?;
            let mut cursor = Cursor::new(entry.samples);
            let mut series = Series {
                labels: entry.labels,
                ..Series::default()
            };
            let mut converted: Option<(i64, PointValue)> = None;
            for t in self.steps() {
                self.context.tick()?;
                let reference = selector.moment.reference(t);
                let Some(sample) = cursor.at(self.context, reference)? else {
                    continue;
                };
                // Steps that see the same histogram share it.
                let value = match converted.take() {
                    Some((time, value)) if time == sample.timestamp_ms => value,
                    _ => point_value(&sample.value),
                };
                converted = Some((sample.timestamp_ms, value.clone()));
                self.context.hold(value.size())?;
                self.context.read(t, value.size());
                if series.is_empty() {
                    let left = self.step_count().min(STEPS_RESERVED);
                    series.floats.reserve(left);
                }
                series.push(t, value);
            }
            if !series.is_empty() {
                matrix.push(series);
            }
        }
        Ok(matrix)
    }

    /// `selector smoothed`: interpolates between the samples around each step.
    fn smoothed_selector(&self, selector: &Selector, pos: PosRange) -> Result<Matrix, Error> {
        let lookback = self.context.lookback_ms;
        let mut matrix = Matrix::new();
        for entry in self.entries(selector)? {
            let entry = entry?;
            self.context.check()?;
            let mut series = Series {
                labels: entry.labels,
                ..Series::default()
            };
            let mut window = Window::new(stored(entry.samples), false);
            for t in self.steps() {
                let at = selector.moment.reference(t);
                window.slide(
                    self.context,
                    at.saturating_sub(lookback),
                    at.saturating_add(lookback),
                )?;
                if let Some(value) = self.smoothed_value(&series, &window, at, pos) {
                    self.context.hold(value.size())?;
                    self.context.read(t, value.size());
                    series.push(t, value);
                }
            }
            window.release(self.context);
            if !series.is_empty() {
                matrix.push(series);
            }
        }
        Ok(matrix)
    }

    fn smoothed_value<P: Points>(
        &self,
        series: &Series,
        window: &Window<P>,
        at: i64,
        pos: PosRange,
    ) -> Option<PointValue> {
        let (floats, histograms) = (&window.floats, &window.histograms);
        let name = metric_name(&series.labels);
        if !floats.is_empty() && !histograms.is_empty() {
            self.context
                .note(|notes| notes.mixed_floats_histograms(name, pos));
            return None;
        }
        if !floats.is_empty() {
            let next = floats.partition_point(|(t, _)| *t < at);
            let after = floats.get(next);
            let before = next.checked_sub(1).and_then(|at| floats.get(at));
            return match (before, after) {
                (_, Some((t, v))) if *t == at => Some(PointValue::Float(*v)),
                (Some(before), Some(after)) => {
                    Some(PointValue::Float(interpolate(*before, *after, at, false)))
                }
                (Some((_, v)), None) => Some(PointValue::Float(*v)),
                (None, _) => None,
            };
        }
        let next = histograms.partition_point(|(t, _)| *t < at);
        let after = histograms.get(next);
        let before = next.checked_sub(1).and_then(|at| histograms.get(at));
        match (before, after) {
            (_, Some((t, h))) if *t == at => Some(PointValue::Histogram(h.clone())),
            (Some((t1, h1)), Some((t2, h2))) => {
                // Anything that does not say it is a gauge may be a counter.
                let counter = h1.counter_reset_hint != CounterResetHint::Gauge
                    || h2.counter_reset_hint != CounterResetHint::Gauge;
                let mut found = None;
                self.context.note(|notes| {
                    found = interpolate_histograms((*t1, h1), (*t2, h2), at, counter, notes, pos);
                    if found.is_none() {
                        notes.mixed_exponential_custom(name, pos);
                    }
                });
                found.map(PointValue::from)
            }
            (Some((_, h)), None) => Some(PointValue::Histogram(h.clone())),
            (None, _) => None,
        }
    }
}
