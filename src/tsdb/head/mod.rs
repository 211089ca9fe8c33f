//! What is in memory: series with their samples, the postings over their labels, exemplars.
//!
//! The head is a function of the batches that were applied to it, in their order: a commit and a replay of
//! the log go through the same [`Head::apply`]. It never touches the disk.

mod exemplars;
mod postings;
mod save;
mod series;
mod stats;
mod table;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::batch::{Batch, SeriesId};
use crate::model::{Exemplar, Labels, Matcher, Metadata, Sample, SampleValue};
use crate::storage::AppendError;

pub(crate) use exemplars::{Exemplars, check_order};
pub(crate) use postings::{Postings, Values};
pub(crate) use series::{Pushed, Series};
pub use stats::{HeadStats, NamedCount};
pub(crate) use table::Table;
pub(crate) use view::SeriesView;

/// compat: upstream refuses samples that are older than the newest by more than half its chunk range.
const OUT_OF_BOUNDS_MS: i64 = 3600 * 1000;

/// Series and samples in memory.
#[derive(Debug)]
pub(crate) struct Head {
    table: Table,
    postings: Postings,
    exemplars: Exemplars,
    metadata: BTreeSet<Arc<Metadata>>,
    /// Number of the newest batch that was applied.
    sequence: u64,
    /// First and last time of all samples.
    span: Option<(i64, i64)>,
    counters: Counters,
    /// Series that were let go since the newest checkpoint.
    removed: Vec<SeriesId>,
    /// Views that readers have pinned: batch number, how many.
    readers: Mutex<BTreeMap<u64, usize>>,
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Samples that became visible.
    pub samples_appended: u64,
    /// Of these, native histograms.
    pub histograms_appended: u64,
    /// Of these, samples that were older than their series' newest.
    pub out_of_order_samples_appended: u64,
    /// Exemplars that became visible.
    pub exemplars_appended: u64,
    /// Series that were created.
    pub series_created: u64,
    /// Series that were let go.
    pub series_removed: u64,
    /// Samples of the log whose series is not known, because the record that named it is lost.
    pub orphaned_samples: u64,
}

/// What applying a batch did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applied {
    pub(crate) samples: usize,
    pub(crate) new_series: usize,
}

impl Head {
    pub(crate) fn new(exemplars_max: usize) -> Self {
        Self {
            table: Table::default(),
            postings: Postings::default(),
            exemplars: Exemplars::new(exemplars_max),
            metadata: BTreeSet::new(),
            sequence: 0,
            span: None,
            counters: Counters::default(),
            removed: Vec::new(),
            readers: Mutex::default(),
        }
    }

    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) const fn postings(&self) -> &Postings {
        &self.postings
    }

    pub(crate) const fn exemplars(&self) -> &Exemplars {
        &self.exemplars
    }

    pub(crate) fn set_exemplars_max(&mut self, exemplars_max: usize) {
        self.exemplars.resize(exemplars_max);
    }

    pub(crate) const fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// Pins the view of now for a reader.
    pub(crate) fn pin(&self) -> u64 {
        *self.readers.lock().entry(self.sequence).or_default() += 1;
        self.sequence
    }

    /// Gives a pinned view back.
    pub(crate) fn unpin(&self, sequence: u64) {
        let mut readers = self.readers.lock();
        if let Some(count) = readers.get_mut(&sequence) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&sequence);
            }
        }
    }

    fn oldest_reader(&self) -> Option<u64> {
        self.readers.lock().first_key_value().map(|(s, _)| *s)
    }

    /// The number of a series, which is created when it is new; it shows up in queries only when a batch
    /// with it is applied. `None` when the numbers are used up.
    pub(crate) fn series_id(&mut self, labels: &Labels) -> Option<SeriesId> {
        match self.table.find(labels) {
            Some(id) => Some(id),
            None => self.table.create(labels.clone()),
        }
    }

    /// Whether a sample may follow what its series holds. `newest` is time and value of its newest
    /// sample, of which the batch may hold one that the series does not have yet.
    pub(crate) fn check(
        &self,
        series: Option<&Series>,
        newest: Option<(i64, &SampleValue)>,
        sample: &Sample,
        window_ms: i64,
    ) -> Result<(), AppendError> {
        let t = sample.timestamp_ms;
        let head_max = self.span.map_or(t, |(_, max)| max);
        let in_bounds = t >= head_max.saturating_sub(OUT_OF_BOUNDS_MS);
        if in_bounds {
            match newest {
                Some((ms, value)) if t == ms => {
                    return if same_but_hint(value, &sample.value) {
                        Ok(())
                    } else {
                        Err(AppendError::DuplicateTimestamp)
                    };
                }
                Some((ms, _)) if t < ms => {}
                _ => return Ok(()),
            }
        }
        if window_ms > 0 {
            if t < head_max.saturating_sub(window_ms) {
                return Err(AppendError::TooOld);
            }
            return match series.and_then(|series| series.value_at(t)) {
                Some(value) if !same_but_hint(&value, &sample.value) => {
                    Err(AppendError::DuplicateTimestamp)
                }
                _ => Ok(()),
            };
        }
        if in_bounds {
            Err(AppendError::OutOfOrder)
        } else {
            Err(AppendError::OutOfBounds)
        }
    }

    /// Applies a batch under its number: all of it becomes visible at once. What cannot be added
    /// (a sample that another batch has overtaken) is left out.
    pub(crate) fn apply(&mut self, sequence: u64, batch: Batch) -> Applied {
        let mut applied = Applied::default();
        for (id, labels) in batch.series {
            self.define(id, labels);
        }
        let oldest_reader = self.oldest_reader();
        let mut orphans = 0;
        for (id, sample) in batch.samples {
            let Some(series) = self.table.get_mut(id) else {
                orphans += 1;
                continue;
            };
            series.mark(sequence, oldest_reader);
            let ms = sample.timestamp_ms;
            let is_histogram = !matches!(sample.value, SampleValue::Float(_));
            match series.push(sample, batch.out_of_order) {
                Pushed::InOrder => {}
                Pushed::Late => self.counters.out_of_order_samples_appended += 1,
                Pushed::Repeated | Pushed::Refused => continue,
            }
            if !series.state.indexed {
                series.state.indexed = true;
                applied.new_series += 1;
                self.postings.insert(id, &series.labels);
            }
            applied.samples += 1;
            self.counters.histograms_appended += u64::from(is_histogram);
            let (min, max) = self.span.unwrap_or((ms, ms));
            self.span = Some((min.min(ms), max.max(ms)));
        }
        for (id, exemplar) in batch.exemplars {
            self.add_exemplar(id, exemplar);
        }
        for (id, metadata) in batch.metadata {
            self.set_metadata(id, metadata);
        }
        self.counters.orphaned_samples += orphans;
        self.counters.samples_appended += applied.samples as u64;
        self.counters.series_created += applied.new_series as u64;
        self.sequence = self.sequence.max(sequence);
        applied
    }

    /// Makes sure that a series of the log exists under its number, known to be logged.
    pub(crate) fn define(&mut self, id: SeriesId, labels: Labels) {
        if self.table.get(id).is_none() {
            // The labels may still stand under a number that was let go before the crash.
            if let Some(older) = self.table.find(&labels) {
                self.remove(&[older]);
            }
            self.table.insert(id, labels);
        }
        if let Some(series) = self.table.get_mut(id) {
            series.state.logged = true;
        }
    }

    fn add_exemplar(&mut self, id: SeriesId, exemplar: Exemplar) {
        if let Some(series) = self.table.get(id) {
            let before = self.exemplars.next();
            self.exemplars.push(&series.labels, exemplar);
            self.counters.exemplars_appended += self.exemplars.next() - before;
        }
    }

    fn set_metadata(&mut self, id: SeriesId, metadata: Metadata) {
        let shared = if let Some(shared) = self.metadata.get(&metadata) {
            Arc::clone(shared)
        } else {
            let shared = Arc::new(metadata);
            self.metadata.insert(Arc::clone(&shared));
            shared
        };
        if let Some(series) = self.table.get_mut(id) {
            series.set_metadata(shared);
        }
    }

    /// Marks times of series as deleted; returns how many series had something there.
    pub(crate) fn delete(&mut self, ids: &[SeriesId], min_ms: i64, max_ms: i64) -> usize {
        ids.iter()
            .filter(|id| {
                self.table
                    .get_mut(**id)
                    .is_some_and(|series| series.delete(min_ms, max_ms))
            })
            .count()
    }

    /// Notes that a record without samples was applied.
    pub(crate) fn advance(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    /// The series that fulfil all matchers and may have samples in range for a reader, the oldest first.
    pub(crate) fn select(
        &self,
        sequence: u64,
        min_ms: i64,
        max_ms: i64,
        matchers: &[Matcher],
    ) -> Vec<(Labels, SeriesId)> {
        self.postings
            .select(matchers, &self.table)
            .into_iter()
            .filter_map(|id| {
                let series = self.table.get(id)?;
                series
                    .is_live(sequence, min_ms, max_ms)
                    .then(|| (series.labels.clone(), id))
            })
            .collect()
    }

    /// Lets go of what is older than `cutoff_ms` among the next `limit` series from number `from` on.
    /// Returns where to go on; `None` at the end.
    pub(crate) fn drop_before(
        &mut self,
        cutoff_ms: i64,
        from: SeriesId,
        limit: usize,
    ) -> Option<SeriesId> {
        let ids: Vec<SeriesId> = self
            .table
            .iter_from(from)
            .take(limit)
            .map(|(id, _)| id)
            .collect();
        let empty: Vec<SeriesId> = ids
            .iter()
            .copied()
            .filter(|id| {
                self.table
                    .get_mut(*id)
                    .is_some_and(|series| series.drop_before(cutoff_ms))
            })
            .collect();
        self.remove(&empty);
        ids.last()
            .filter(|_| ids.len() == limit)
            .and_then(|last| last.checked_add(1))
    }

    /// Notes after retention that nothing older is left.
    pub(crate) fn raise_min(&mut self, cutoff_ms: i64) {
        if let Some((min, max)) = &mut self.span {
            *min = (*min).max(cutoff_ms).min(*max);
        }
        self.metadata
            .retain(|metadata| Arc::strong_count(metadata) > 1);
    }

    fn remove(&mut self, ids: &[SeriesId]) {
        if ids.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        for id in ids {
            if let Some(series) = self.table.remove(*id)
                && series.state.indexed
            {
                self.counters.series_removed += 1;
                self.removed.push(*id);
                gone.push((*id, series.labels));
            }
        }
        self.postings.remove(&gone);
    }
}

/// Whether two values have the same bits but for the counter reset hint, which the store sets.
pub(crate) fn same_but_hint(stored: &SampleValue, new: &SampleValue) -> bool {
    if stored.is_stale() && new.is_stale() {
        return true;
    }
    match (stored, new) {
        (SampleValue::Histogram(a), SampleValue::Histogram(b)) => {
            let mut b = (**b).clone();
            b.counter_reset_hint = a.counter_reset_hint;
            a.same_bits(&b)
        }
        (SampleValue::FloatHistogram(a), SampleValue::FloatHistogram(b)) => {
            let mut b = (**b).clone();
            b.counter_reset_hint = a.counter_reset_hint;
            a.same_bits(&b)
        }
        _ => stored.same_bits(new),
    }
}

#[cfg(test)]
mod tests;
