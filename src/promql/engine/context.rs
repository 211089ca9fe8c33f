//! What all parts of one evaluation share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EngineOptions, QueryOptions, Stats, Stop};
use crate::model::labels::is_legacy_name;
use crate::model::{FloatHistogram, Labels, METRIC_NAME};
use crate::promql::annotations::Annotations;
use crate::promql::{Error, PointValue};
use crate::storage::Querier;

/// How many small steps pass between two looks at the clock and the cancel flag.
const TICKS: u32 = 256;

/// One evaluation of a query.
pub(crate) struct Context<'q> {
    pub(crate) querier: &'q dyn Querier,
    pub(crate) options: &'q EngineOptions,
    pub(crate) lookback_ms: i64,
    stop: Option<&'q (dyn Fn() -> Option<Stop> + Sync)>,
    ticks: Cell<u32>,
    samples: Cell<usize>,
    peak: Cell<usize>,
    total: Cell<u64>,
    /// Samples by step, where they are wanted.
    per_step: Option<RefCell<BTreeMap<i64, u64>>>,
    /// Whether something is evaluated whose steps are not the query's.
    uncounted: Cell<bool>,
    notes: RefCell<Annotations>,
}

impl<'q> Context<'q> {
    pub(super) fn new(
        querier: &'q dyn Querier,
        options: &'q EngineOptions,
        lookback_ms: i64,
        query: &QueryOptions<'q>,
    ) -> Self {
        Self {
            querier,
            options,
            lookback_ms,
            stop: query.stop,
            ticks: Cell::new(0),
            samples: Cell::new(0),
            peak: Cell::new(0),
            total: Cell::new(0),
            per_step: query.per_step_stats.then(RefCell::default),
            uncounted: Cell::new(false),
            notes: RefCell::default(),
        }
    }

    /// Fails when the query was cancelled or timed out.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.check_at("expression evaluation")
    }

    /// The same; the error names `stage`.
    pub(super) fn check_at(&self, stage: &'static str) -> Result<(), Error> {
        match self.stop.and_then(|stop| stop()) {
            None => Ok(()),
            Some(Stop::Canceled) => Err(Error::Canceled(stage)),
            Some(Stop::TimedOut) => Err(Error::TimedOut(stage)),
        }
    }

    /// As [`check`](Self::check), but looks only every so often.
    pub(crate) fn tick(&self) -> Result<(), Error> {
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        if ticks.is_multiple_of(TICKS) {
            self.check()
        } else {
            Ok(())
        }
    }

    /// Adds a remark.
    pub(crate) fn note(&self, add: impl FnOnce(&mut Annotations)) {
        add(&mut self.notes.borrow_mut());
    }

    /// Samples in memory.
    pub(crate) const fn samples(&self) -> usize {
        self.samples.get()
    }

    /// Sets the samples in memory, as at the end of a step.
    pub(crate) fn set_samples(&self, samples: usize) {
        self.samples.set(samples);
        self.peak.set(self.peak.get().max(samples));
    }

    /// Counts samples that are now held.
    pub(crate) fn hold(&self, samples: usize) -> Result<(), Error> {
        self.set_samples(self.samples.get().saturating_add(samples));
        if self.samples.get() > self.options.max_samples {
            return Err(Error::TooManySamples("query execution"));
        }
        Ok(())
    }

    /// Counts samples that are no longer held.
    pub(crate) fn release(&self, samples: usize) {
        self.samples.set(self.samples.get().saturating_sub(samples));
    }

    /// Counts samples that were read for the step at `t`.
    pub(crate) fn read(&self, t: i64, samples: usize) {
        self.total
            .set(self.total.get().saturating_add(samples as u64));
        if let Some(per_step) = self.counted_steps() {
            *per_step.borrow_mut().entry(t).or_default() += samples as u64;
        }
    }

    /// Counts as many samples for each of `count` steps.
    pub(super) fn read_at_each(
        &self,
        steps: impl Iterator<Item = i64>,
        count: usize,
        samples: usize,
    ) {
        let all = (samples as u64).saturating_mul(count as u64);
        self.total.set(self.total.get().saturating_add(all));
        if samples > 0
            && let Some(per_step) = self.counted_steps()
        {
            let mut per_step = per_step.borrow_mut();
            for t in steps {
                *per_step.entry(t).or_default() += samples as u64;
            }
        }
    }

    /// Where samples are counted by step: nowhere within subqueries, whose steps are not the query's and may be many.
    fn counted_steps(&self) -> Option<&RefCell<BTreeMap<i64, u64>>> {
        self.per_step.as_ref().filter(|_| !self.uncounted.get())
    }

    /// Runs `evaluate` without counting what it reads; returns how much that was, too.
    // compat: what a subquery reads counts when the range function around it reads its result.
    pub(super) fn uncounted<T>(&self, evaluate: impl FnOnce() -> T) -> (T, usize) {
        let before = self.total.get();
        let outer = self.uncounted.replace(true);
        let outcome = evaluate();
        self.uncounted.set(outer);
        let read = self.total.get().saturating_sub(before);
        self.total.set(before);
        (outcome, usize::try_from(read).unwrap_or(usize::MAX))
    }

    /// How much was read by now; of times, those that are in `steps` are shown.
    pub(super) fn stats(&self, steps: impl Iterator<Item = i64>) -> Stats {
        let per_step = self.per_step.as_ref().map(|per_step| {
            let per_step = per_step.borrow();
            steps
                .map(|t| (t, per_step.get(&t).copied().unwrap_or_default()))
                .collect()
        });
        Stats {
            total_samples: self.total.get(),
            peak_samples: self.peak.get(),
            per_step: per_step.unwrap_or_default(),
            ..Stats::default()
        }
    }

    pub(super) fn take_notes(&self) -> Annotations {
        self.notes.take()
    }

    /// Whether names are dropped at the end of the query rather than at once.
    pub(crate) const fn delayed_names(&self) -> bool {
        self.options.delayed_name_removal
    }

    /// The labels of a sample whose meaning changed: without name unless that waits for the end.
    pub(crate) fn renamed(&self, labels: &Labels) -> Labels {
        if self.delayed_names() {
            labels.clone()
        } else {
            without_metadata(labels)
        }
    }
}

/// The labels without name, type and unit.
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    if labels.iter().any(|(name, _)| is_metadata(name)) {
        labels.filter(|name| !is_metadata(name))
    } else {
        labels.clone()
    }
}

pub(crate) fn is_metadata(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The metric's name or nothing.
pub(crate) fn metric_name(labels: &Labels) -> &str {
    labels.metric_name().unwrap_or_default()
}

/// Whether `name` may be a label: any text in UTF-8 but the empty one.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty() || is_legacy_name(name)
}

/// A series under evaluation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) floats: Vec<(i64, f64)>,
    pub(crate) histograms: Vec<(i64, Arc<FloatHistogram>)>,
    /// Whether the name is to be dropped at the end.
    pub(crate) drop_name: bool,
}

impl Series {
    pub(crate) fn push(&mut self, t: i64, value: PointValue) {
        match value {
            PointValue::Float(v) => self.floats.push((t, v)),
            PointValue::Histogram(h) => self.histograms.push((t, h)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// Its weight against the sample limit.
    pub(crate) fn size(&self) -> usize {
        self.floats.len()
            + self
                .histograms
                .iter()
                .map(|(_, h)| h.size_in_samples())
                .sum::<usize>()
    }
}

/// Series sorted by nothing in particular.
pub(crate) type Matrix = Vec<Series>;

/// The weight of all series.
pub(crate) fn size(matrix: &[Series]) -> usize {
    matrix.iter().map(Series::size).sum()
}

/// A sample under evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) labels: Labels,
    pub(crate) value: PointValue,
    pub(crate) drop_name: bool,
}

impl Sample {
    pub(crate) fn new(labels: Labels, value: impl Into<PointValue>) -> Self {
        Self {
            labels,
            value: value.into(),
            drop_name: false,
        }
    }

    /// The same, its name to be dropped at the end.
    pub(crate) fn dropping_name(mut self) -> Self {
        self.drop_name = true;
        self
    }
}

/// One sample per series at one time.
pub(crate) type Vector = Vec<Sample>;
