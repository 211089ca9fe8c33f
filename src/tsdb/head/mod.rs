//! What is in memory: series with their newest samples, the index over their labels, exemplars.
//!
//! The head is a function of the batches that were applied to it, in their order: a commit and a replay of
//! the log go through the same [`Head::apply`]. It writes nothing to the disk; blocks are read only to
//! compare a sample with what is there.

mod archived;
mod exemplars;
mod index;
mod list;
mod matched;
mod pair_lists;
mod rows;
mod save;
mod series;
mod stats;
mod table;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::archive::Archives;
use super::batch::{Batch, SeriesId};
use super::block::SeriesSpan;
use super::blocks::Blocks;
use crate::model::{Exemplar, Labels, Matcher, Metadata, Sample, SampleValue};
use crate::storage::AppendError;

pub(crate) use exemplars::{Exemplars, check_order};
pub(crate) use index::{Index, PairId, Values};
pub(crate) use list::List;
pub(crate) use rows::{OpenStream, Rows};
pub(crate) use save::{LoadedPairs, PairTexts};
pub(crate) use series::{Fresh, Pushed, Series, Tombstone};
pub(crate) use stats::Largest;
pub use stats::{HeadStats, JobUse, NamedCount};
pub(crate) use table::Table;
pub(crate) use view::SeriesView;

/// compat: upstream refuses samples that are older than the newest by more than half its chunk range.
const OUT_OF_BOUNDS_MS: i64 = 3600 * 1000;

/// Series of which the ends are looked at before they grow.
const WARM_SERIES: usize = 32;

/// Series that are looked at under one lock.
pub(super) const SERIES_PER_LOCK: usize = 1024;

/// Series and samples in memory.
#[derive(Debug)]
pub(crate) struct Head {
    table: Table,
    index: Index,
    /// Samples that are not with their series yet.
    rows: Rows,
    blocks: Arc<Blocks>,
    /// Labels of series that have ended.
    archives: Arc<Archives>,
    /// Blocks name no series from this number on, as far as was seen at the start.
    stored_below: SeriesId,
    /// Some series has deleted times, or had them since the start.
    has_tombstones: bool,
    /// How often blocks or archives have changed.
    generation: u64,
    exemplars: Exemplars,
    metadata: BTreeSet<Arc<Metadata>>,
    /// Number of the newest batch that was applied.
    sequence: u64,
    /// First and last time of all samples.
    span: Option<(i64, i64)>,
    counters: Counters,
    /// Series that records name which no sync has covered.
    named: Vec<SeriesId>,
    /// Series that were let go since the catalog was written.
    removed: Vec<SeriesId>,
    readers: Mutex<Readers>,
}

/// What readers and flushes have pinned, each with how many.
#[derive(Debug, Default)]
struct Readers {
    sequences: BTreeMap<u64, usize>,
    /// Of readers alone.
    generations: BTreeMap<u64, usize>,
}

fn count_down(counts: &mut BTreeMap<u64, usize>, key: u64) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
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
    /// Samples whose series is not known.
    orphans: u64,
}

/// What a reader sees: batches up to `sequence`, and the blocks that were there.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    pub(crate) sequence: u64,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) archives: Arc<Archives>,
    generation: u64,
}

impl Head {
    pub(crate) fn new(exemplars_max: usize) -> Self {
        Self {
            table: Table::default(),
            index: Index::default(),
            rows: Rows::default(),
            blocks: Arc::default(),
            archives: Arc::default(),
            stored_below: 0,
            has_tombstones: false,
            generation: 0,
            exemplars: Exemplars::new(exemplars_max),
            metadata: BTreeSet::new(),
            sequence: 0,
            span: None,
            counters: Counters::default(),
            named: Vec::new(),
            removed: Vec::new(),
            readers: Mutex::default(),
        }
    }

    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) const fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// Shows other blocks from now on; who has pinned the list before keeps it. Returns the generation of the
    /// new list.
    pub(crate) fn set_blocks(&mut self, blocks: Blocks) -> u64 {
        self.blocks = Arc::new(blocks);
        self.generation += 1;
        self.generation
    }

    /// Whether some reader still reads from a list of blocks or archives before a generation.
    pub(crate) fn reads_before(&self, generation: u64) -> bool {
        let readers = self.readers.lock();
        let oldest = readers.generations.first_key_value();
        oldest.is_some_and(|(oldest, _)| *oldest < generation)
    }

    /// Number of the newest record that was applied or that a block holds.
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
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

    /// The labels of a series.
    pub(crate) fn labels(&self, id: SeriesId) -> Option<Labels> {
        Some(self.index.labels(&self.table.pairs(id)?))
    }

    /// The number of the series with these labels.
    pub(crate) fn find(&self, labels: &Labels) -> Option<SeriesId> {
        self.table.find(&self.index.pair_ids(labels)?)
    }

    /// Whether a number is that of a series with these labels.
    pub(crate) fn is(&self, id: SeriesId, labels: &Labels) -> bool {
        let pairs = self.table.pairs(id);
        pairs.is_some_and(|pairs| self.index.is_same(&pairs, labels))
    }

    /// Pins the view of now for a reader.
    pub(crate) fn pin(&self) -> Pin {
        let mut readers = self.readers.lock();
        *readers.sequences.entry(self.sequence).or_default() += 1;
        *readers.generations.entry(self.generation).or_default() += 1;
        Pin {
            sequence: self.sequence,
            blocks: Arc::clone(&self.blocks),
            archives: Arc::clone(&self.archives),
            generation: self.generation,
        }
    }

    /// Gives a pinned view back.
    pub(crate) fn unpin(&self, pin: &Pin) {
        let mut readers = self.readers.lock();
        count_down(&mut readers.sequences, pin.sequence);
        count_down(&mut readers.generations, pin.generation);
    }

    /// Pins the view of now for a flush.
    pub(crate) fn pin_flush(&self) -> u64 {
        let mut readers = self.readers.lock();
        *readers.sequences.entry(self.sequence).or_default() += 1;
        self.sequence
    }

    /// Gives the view of a flush back.
    pub(crate) fn unpin_flush(&self, sequence: u64) {
        count_down(&mut self.readers.lock().sequences, sequence);
    }

    fn oldest_reader(&self) -> Option<u64> {
        let readers = self.readers.lock();
        readers.sequences.first_key_value().map(|(s, _)| *s)
    }

    /// The number of a series, which is created when it is new; it shows up in queries only when a batch
    /// with it is applied. `None` when the numbers are used up.
    pub(crate) fn series_id(&mut self, labels: &Labels) -> Option<SeriesId> {
        if let Some(id) = self.find(labels) {
            return Some(id);
        }
        let pairs = self.index.acquire(labels);
        self.table.create(&pairs)
    }

    /// Whether a time is not too far behind the newest sample of all.
    pub(crate) fn is_in_bounds(&self, ms: i64) -> bool {
        let newest = self.span.map_or(ms, |(_, max)| max);
        ms >= newest.saturating_sub(OUT_OF_BOUNDS_MS)
    }

    /// Whether a sample may follow what its series holds. `newest` is the time of its newest sample, of
    /// which the batch may hold one that the series does not have yet; `there` finds the value that the
    /// series or the batch has at the sample's time.
    pub(crate) fn check(
        &self,
        newest: Option<i64>,
        there: impl FnOnce() -> Option<SampleValue>,
        sample: &Sample,
        window_ms: i64,
    ) -> Result<(), AppendError> {
        let t = sample.timestamp_ms;
        let head_max = self.span.map_or(t, |(_, max)| max);
        let in_bounds = self.is_in_bounds(t);
        let judge = |there: Option<SampleValue>| match there {
            Some(value) if !same_but_hint(&value, &sample.value) => {
                Err(AppendError::DuplicateTimestamp)
            }
            _ => Ok(()),
        };
        if in_bounds {
            match newest {
                Some(newest) if t == newest => return judge(there()),
                Some(newest) if t < newest => {}
                _ => return Ok(()),
            }
        }
        if window_ms > 0 {
            if t < head_max.saturating_sub(window_ms) {
                return Err(AppendError::TooOld);
            }
            return judge(there());
        }
        if in_bounds {
            Err(AppendError::OutOfOrder)
        } else {
            Err(AppendError::OutOfBounds)
        }
    }

    /// The value that a series has at a time.
    pub(crate) fn value_at(&self, id: SeriesId, ms: i64) -> Option<SampleValue> {
        if let Some(pending) = self.pending_value(id, ms) {
            return Some(pending);
        }
        let series = self.table.get(id)?;
        if series.newest_ms() == Some(ms) {
            return series.last(id, &self.blocks);
        }
        series.value_at(id, ms, &self.blocks)
    }

    /// [`Self::apply_of`] of a batch of no stream.
    #[cfg(test)]
    pub(crate) fn apply(&mut self, sequence: u64, batch: Batch) -> Applied {
        self.apply_of(None, sequence, batch)
    }

    /// Applies a batch that a stream has brought under its number: all of it becomes visible at once. What cannot be
    /// added (a sample that another batch has overtaken) is left out.
    pub(crate) fn apply_of(&mut self, stream: Option<u64>, sequence: u64, batch: Batch) -> Applied {
        let mut applied = Applied::default();
        for (id, labels) in &batch.series {
            self.define(*id, labels);
        }
        let row = batch.row.as_slice();
        let row_ms = batch.row_ms;
        let is_kept = stream.is_some_and(|key| self.keep_row(key, sequence, row_ms, row));
        let mut others = Vec::new();
        if is_kept {
            applied.samples = row.len();
        } else {
            others = self.apply_row(sequence, row_ms, row, &mut applied);
        }
        if applied.samples > 0 {
            self.widen(row_ms);
        }
        if let Some(key) = stream
            && !is_kept
            && applied.samples == row.len()
        {
            self.open_stream(key, row_ms, row);
        }
        let oldest_reader = self.oldest_reader();
        for (id, sample) in others.into_iter().chain(batch.samples) {
            self.close_of(id);
            let Some(series) = self.table.get_mut(id) else {
                applied.orphans += 1;
                continue;
            };
            series.mark(sequence, oldest_reader);
            let ms = sample.timestamp_ms;
            if let SampleValue::Float(value) = sample.value
                && sample.start_timestamp_ms == 0
                && series.state.indexed
                && series.push_floats(&[(ms, value)])
            {
                applied.samples += 1;
                self.widen(ms);
                continue;
            }
            let is_histogram = !matches!(sample.value, SampleValue::Float(_));
            match series.push(id, sample, batch.out_of_order, &self.blocks) {
                Pushed::InOrder => {}
                Pushed::Late => self.counters.out_of_order_samples_appended += 1,
                Pushed::Repeated | Pushed::Refused => continue,
            }
            if !series.state.indexed {
                series.state.indexed = true;
                applied.new_series += 1;
                self.list(id);
            }
            applied.samples += 1;
            self.counters.histograms_appended += u64::from(is_histogram);
            self.widen(ms);
        }
        for (id, exemplar) in batch.exemplars {
            self.add_exemplar(id, exemplar);
        }
        for (id, metadata) in batch.metadata {
            self.set_metadata(id, metadata);
        }
        self.counters.orphaned_samples += applied.orphans;
        self.counters.samples_appended += applied.samples as u64;
        self.counters.series_created += applied.new_series as u64;
        self.sequence = self.sequence.max(sequence);
        applied
    }

    /// Adds what it can of a row to its series, and returns what is left.
    fn apply_row(
        &mut self,
        sequence: u64,
        row_ms: i64,
        row: &[(SeriesId, f64)],
        applied: &mut Applied,
    ) -> Vec<(SeriesId, Sample)> {
        for (id, _) in row {
            self.close_of(*id);
        }
        let oldest_reader = self.oldest_reader();
        let mut others = Vec::new();
        for part in row.chunks(WARM_SERIES) {
            self.warm(part.iter().map(|(id, _)| id));
            for (id, value) in part {
                let Some(series) = self.table.get_mut(*id) else {
                    applied.orphans += 1;
                    continue;
                };
                if series.state.indexed {
                    series.mark(sequence, oldest_reader);
                    if series.push_floats(&[(row_ms, *value)]) {
                        applied.samples += 1;
                        continue;
                    }
                }
                others.push((*id, Sample::float(row_ms, *value)));
            }
        }
        others
    }

    /// Looks at the ends of some series, so that the processor fetches them at once and not one after the other: they
    /// lie all over the memory.
    fn warm<'i>(&self, part: impl Iterator<Item = &'i SeriesId>) {
        let ends = part.map(|id| self.table.get(*id).map_or(0, Series::tail_end));
        std::hint::black_box(ends.fold(0, |all, end| all | end));
    }

    /// Lets a series be found.
    fn list(&mut self, id: SeriesId) {
        if let Some(pairs) = self.table.pairs(id) {
            self.index.insert(id, &pairs);
        }
    }

    fn widen(&mut self, ms: i64) {
        let (min, max) = self.span.unwrap_or((ms, ms));
        self.span = Some((min.min(ms), max.max(ms)));
    }

    /// Makes sure that a series which a record names exists under its number. Later records name it again until
    /// [`Self::names_are_safe`] says that this one stays.
    pub(crate) fn define(&mut self, id: SeriesId, labels: &Labels) {
        if self.table.get(id).is_none() {
            let pairs = self.index.acquire(labels);
            self.define_pairs(id, &pairs);
            self.restore_stored(id);
        }
        if let Some(series) = self.table.get_mut(id)
            && !series.state.logged
        {
            series.state.named = true;
            // Also where an earlier record names it: no sync may ever cover that one.
            self.named.push(id);
        }
    }

    /// Takes the series that records have named since the last call, some of them twice.
    pub(crate) fn take_named(&mut self) -> Vec<SeriesId> {
        std::mem::take(&mut self.named)
    }

    /// Notes that a sync has covered records that name some series, or that the catalog has them.
    pub(crate) fn names_are_safe(&mut self, ids: &[SeriesId]) {
        for id in ids {
            // One that has left memory since and is back is not named yet.
            if let Some(series) = self.table.get_mut(*id) {
                series.state.logged |= series.state.named;
            }
        }
    }

    /// Lets all rows go to their series after a start, and takes back that the names are safe which the log alone has.
    pub(crate) fn end_replay(&mut self, named: &[SeriesId]) {
        self.close_streams();
        for id in named {
            if let Some(series) = self.table.get_mut(*id) {
                series.state.logged = false;
            }
        }
    }

    fn define_pairs(&mut self, id: SeriesId, pairs: &[PairId]) {
        // The labels may still stand under a number that was let go before the crash.
        if let Err(older) = self.table.insert_new(id, pairs) {
            self.remove(&[older]);
            self.table.insert(id, pairs);
        }
    }

    /// Notes what a block holds of a series. Series that are let go are not known.
    pub(crate) fn extend(&mut self, span: SeriesSpan) {
        self.stored_below = self.stored_below.max(span.id.saturating_add(1));
        self.table.reserve_ids(self.stored_below);
        if let Some(series) = self.table.get_mut(span.id) {
            series.extend(span.first_ms, span.last_ms, span.is_histogram);
            if !series.state.indexed {
                series.state.indexed = true;
                self.list(span.id);
            }
            let (min, max) = self.span.unwrap_or((span.first_ms, span.last_ms));
            self.span = Some((min.min(span.first_ms), max.max(span.last_ms)));
        }
    }

    fn add_exemplar(&mut self, id: SeriesId, exemplar: Exemplar) {
        if let Some(labels) = self.labels(id) {
            let before = self.exemplars.next();
            self.exemplars.push(&labels, exemplar);
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

    /// Marks times of series as deleted by record `sequence`; returns how many series had something there.
    pub(crate) fn delete(
        &mut self,
        ids: &[SeriesId],
        min_ms: i64,
        max_ms: i64,
        sequence: u64,
    ) -> usize {
        self.sequence = self.sequence.max(sequence);
        self.has_tombstones = true;
        for id in ids {
            self.close_of(*id);
        }
        ids.iter()
            .filter(|id| {
                let is_archived = self.is_archived(**id);
                self.table.get_mut(**id).is_some_and(|series| {
                    series.state.archived |= is_archived;
                    series.delete(min_ms, max_ms, sequence)
                })
            })
            .count()
    }

    /// Forgets which series the log names: those that the catalog does not have, or all of them.
    pub(crate) fn unlog(&mut self, all: bool) {
        self.close_streams();
        self.named.clear();
        let mut from = Some(0);
        while let Some(id) = from {
            let (ids, next) = self.table.ids_from(id, SERIES_PER_LOCK);
            from = next;
            for id in ids {
                if let Some(series) = self.table.get_mut(id) {
                    series.state.logged &= series.state.saved && !all;
                    series.state.named = series.state.logged;
                }
            }
        }
    }

    /// The series that fulfil all matchers, by number, which is the oldest first.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        self.index.select(matchers, &self.table)
    }

    /// What a reader sees of a series between two times (inclusive); `None` when there can be nothing.
    pub(crate) fn view(
        &self,
        id: SeriesId,
        pin: &Pin,
        min_ms: i64,
        max_ms: i64,
    ) -> Option<SeriesView> {
        if !self.is_live(id, pin.sequence, min_ms, max_ms) {
            return None;
        }
        let series = self.table.get(id)?;
        let limit = series.limit(pin.sequence);
        let source = (id, series);
        let view = SeriesView::new(source, limit, &pin.blocks, min_ms, max_ms);
        Some(view.with_newer(self.pending(id, pin.sequence)))
    }

    /// Whether a series may have samples of batches up to `sequence` between two times; deleted stretches count only
    /// when they cover all.
    pub(crate) fn is_live(&self, id: SeriesId, sequence: u64, min_ms: i64, max_ms: i64) -> bool {
        let series = self.table.get(id);
        series.is_some_and(|series| series.is_live(sequence, min_ms, max_ms))
            || self
                .pending(id, sequence)
                .any(|(ms, _)| (min_ms..=max_ms).contains(&ms))
    }

    /// What the next series from number `from` on have that came after batch `since` and up to batch
    /// `sequence`. Returns it with where to go on.
    pub(crate) fn fresh(
        &self,
        since: Option<u64>,
        sequence: u64,
        from: SeriesId,
    ) -> (Vec<(SeriesId, Fresh)>, Option<SeriesId>) {
        let (ids, next) = self.table.ids_from(from, SERIES_PER_LOCK);
        let mut found = Vec::new();
        for id in ids {
            if let Some(series) = self.table.get(id)
                && series.has_samples()
            {
                let since = since.map_or(series::Limit::NOTHING, |since| series.limit(since));
                let fresh = series.fresh(since, series.limit(sequence));
                if !fresh.is_empty() {
                    found.push((id, fresh));
                }
            }
        }
        (found, next)
    }

    /// Lets the next series from number `from` on drop what a block holds: everything up to batch
    /// `sequence`. Returns where to go on.
    pub(crate) fn flushed(&mut self, sequence: u64, from: SeriesId) -> Option<SeriesId> {
        let (ids, next) = self.table.ids_from(from, SERIES_PER_LOCK);
        for id in ids {
            if let Some(series) = self.table.get_mut(id)
                && series.has_samples()
            {
                let limit = series.limit(sequence);
                series.flushed(limit);
                series.state.idle = false;
            }
        }
        next
    }

    /// Lets go of what is older than `cutoff_ms` among the next series from number `from` on, of which
    /// blocks hold nothing older than `left_ms`. Returns where to go on; `None` at the end.
    pub(crate) fn drop_before(
        &mut self,
        cutoff_ms: i64,
        left_ms: i64,
        from: SeriesId,
    ) -> Option<SeriesId> {
        let (ids, next) = self.table.ids_from(from, SERIES_PER_LOCK);
        let mut gone = Vec::new();
        for id in ids {
            let pending_ms = self.pending(id, u64::MAX).last().map(|(ms, _)| ms);
            let has_newer = pending_ms.is_some_and(|ms| ms >= cutoff_ms);
            if pending_ms.is_some() && !has_newer {
                self.close_of(id);
            }
            let Some(series) = self.table.get_mut(id) else {
                continue;
            };
            if series.drop_before(cutoff_ms, left_ms, has_newer) {
                gone.push(id);
            }
            let is_doomed = series.state.doomed;
            if is_doomed {
                self.close_of(id);
            }
        }
        self.remove(&gone);
        next
    }

    /// Notes after retention that nothing older is left.
    pub(crate) fn raise_min(&mut self, left_ms: i64) {
        if let Some((min, max)) = &mut self.span {
            *min = (*min).max(left_ms).min(*max);
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
            self.close_of(*id);
            if let Some((series, pairs)) = self.table.remove(*id) {
                if series.state.indexed {
                    self.counters.series_removed += 1;
                    self.removed.push(*id);
                    gone.push((*id, pairs));
                } else {
                    self.index.release(&pairs);
                }
            }
        }
        if !gone.is_empty() {
            self.index.remove(&gone);
        }
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
