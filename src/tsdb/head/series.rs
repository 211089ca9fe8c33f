use std::collections::BTreeMap;
use std::sync::Arc;

use super::same_but_hint;
use super::view::SeriesView;
use crate::codec::Error;
use crate::model::{Labels, Metadata, Sample, SampleValue};
use crate::storage::read_hints::with_read_hint;
use crate::tsdb::batch::{stale_float_histogram, stale_histogram};
use crate::tsdb::chunk::{Chunk, OpenChunk, Samples};

/// A series with its samples.
///
/// Samples and chunks have absolute numbers that never change: retention removes from the front, appends add
/// at the end. So "the first n samples" is a view that stays true, which is what isolation and
/// checkpoints are built on.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Full chunks, oldest first.
    pub(super) sealed: Vec<Arc<Chunk>>,
    pub(super) open: Option<OpenChunk>,
    /// The value of the newest sample in order.
    last: Option<SampleValue>,
    /// Number of `sealed[0]`.
    pub(super) first_chunk: u64,
    /// Number of the first sample of `sealed[0]`.
    pub(super) first_sample: u64,
    /// Number of the next sample.
    pub(super) next_sample: u64,
    /// What was there before batches that some reader must not see yet.
    marks: Vec<Mark>,
    pub(super) extra: Option<Box<Extra>>,
    pub(crate) state: SeriesState,
    pub(super) saved: Saved,
}

/// Where a series stands between its creation and the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SeriesState {
    /// Its labels are in the log or in a checkpoint.
    pub(crate) logged: bool,
    /// It is in the postings: a batch with it was committed.
    pub(crate) indexed: bool,
    /// Retention has looked at it once while it was empty.
    pub(crate) seen_empty: bool,
}

/// What the newest checkpoint holds of a series.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Saved {
    /// Number of the first chunk that it holds in part or not at all.
    pub(super) chunk: u64,
    /// Number of the first sample that it does not hold.
    pub(super) sample: u64,
    /// How many late samples it holds.
    pub(super) late: u32,
    /// Labels, metadata and tombstones are as in the checkpoint.
    pub(super) rest: bool,
}

/// What few series have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Samples that were older than the newest when they came.
    pub(super) late: BTreeMap<i64, Late>,
    /// How many late samples ever came.
    pub(super) late_count: u32,
    /// Deleted times, inclusive.
    pub(super) tombstones: Vec<(i64, i64)>,
    pub(super) metadata: Option<Arc<Metadata>>,
}

/// A late sample.
#[derive(Debug, Clone)]
pub(super) struct Late {
    /// Its place among all late samples of the series.
    pub(super) number: u32,
    pub(super) sample: Sample,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    sequence: u64,
    next_sample: u64,
    late_count: u32,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    InOrder,
    Late,
    /// The same bits are there already.
    Repeated,
    /// There is another value at this time, or it came too late.
    Refused,
}

/// How far a reader sees into a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(super) next_sample: u64,
    pub(super) late_count: u32,
}

impl Series {
    pub(crate) fn new(labels: Labels) -> Self {
        Self {
            labels,
            sealed: Vec::new(),
            open: None,
            last: None,
            first_chunk: 0,
            first_sample: 0,
            next_sample: 0,
            marks: Vec::new(),
            extra: None,
            state: SeriesState::default(),
            saved: Saved::default(),
        }
    }

    /// Time and value of the newest sample in order.
    pub(crate) fn newest(&self) -> Option<(i64, &SampleValue)> {
        Some((self.open.as_ref()?.max_ms(), self.last.as_ref()?))
    }

    /// Notes what was there before the batch `sequence`, for readers that pinned an earlier view.
    pub(super) fn mark(&mut self, sequence: u64, oldest_reader: Option<u64>) {
        let Some(oldest) = oldest_reader else {
            if !self.marks.is_empty() {
                self.marks = Vec::new();
            }
            return;
        };
        if self.marks.last().is_some_and(|m| m.sequence == sequence) {
            return;
        }
        self.marks.retain(|mark| mark.sequence > oldest);
        self.marks.push(Mark {
            sequence,
            next_sample: self.next_sample,
            late_count: self.late_count(),
        });
    }

    /// What a reader that pinned `sequence` sees.
    pub(crate) fn limit(&self, sequence: u64) -> Limit {
        match self.marks.iter().find(|mark| mark.sequence > sequence) {
            Some(mark) => Limit {
                next_sample: mark.next_sample,
                late_count: mark.late_count,
            },
            None => Limit {
                next_sample: self.next_sample,
                late_count: self.late_count(),
            },
        }
    }

    pub(super) fn late_count(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.late_count)
    }

    /// Adds a sample where it belongs. The same calls in the same order give the same series.
    pub(super) fn push(&mut self, mut sample: Sample, keep_late: bool) -> Pushed {
        // compat: a staleness marker of a scrape is a float; among histograms it becomes one of them.
        if sample.value.is_stale() {
            sample.value = match (&sample.value, &self.last) {
                (SampleValue::Float(_), Some(SampleValue::Histogram(_)))
                | (SampleValue::Histogram(_), _) => stale_histogram(),
                (SampleValue::Float(_), Some(SampleValue::FloatHistogram(_)))
                | (SampleValue::FloatHistogram(_), _) => stale_float_histogram(),
                (SampleValue::Float(v), _) => SampleValue::Float(*v),
            };
        }
        match self.newest() {
            Some((newest_ms, value)) if sample.timestamp_ms == newest_ms => {
                if same_but_hint(value, &sample.value) {
                    Pushed::Repeated
                } else {
                    Pushed::Refused
                }
            }
            Some((newest_ms, _)) if sample.timestamp_ms < newest_ms => {
                if keep_late {
                    self.push_late(sample)
                } else {
                    Pushed::Refused
                }
            }
            _ => {
                self.push_newest(sample);
                Pushed::InOrder
            }
        }
    }

    fn push_newest(&mut self, mut sample: Sample) {
        sample.value = with_read_hint(self.last.as_ref(), sample.value);
        let pushed = self.open.as_mut().is_some_and(|open| open.push(&sample));
        if !pushed && let Some(full) = self.open.replace(OpenChunk::start(&sample)) {
            self.sealed.push(Arc::new(full.snapshot()));
        }
        self.last = Some(sample.value);
        self.next_sample += 1;
    }

    fn push_late(&mut self, sample: Sample) -> Pushed {
        if let Some(there) = self.value_at(sample.timestamp_ms) {
            return if same_but_hint(&there, &sample.value) {
                Pushed::Repeated
            } else {
                Pushed::Refused
            };
        }
        let extra = self.extra.get_or_insert_default();
        let number = extra.late_count;
        extra.late_count += 1;
        extra
            .late
            .insert(sample.timestamp_ms, Late { number, sample });
        Pushed::Late
    }

    /// The value at a time, be it in order or late.
    pub(super) fn value_at(&self, ms: i64) -> Option<SampleValue> {
        let late = self.extra.as_ref().and_then(|extra| extra.late.get(&ms));
        if let Some(late) = late {
            return Some(late.sample.value.clone());
        }
        let at = self.sealed.partition_point(|chunk| chunk.max_ms() < ms);
        let chunk = match self.sealed.get(at) {
            Some(chunk) => Arc::clone(chunk),
            None => Arc::new(self.open.as_ref()?.snapshot()),
        };
        if chunk.min_ms() > ms || self.is_deleted(ms, ms) {
            return None;
        }
        Samples::new(chunk, u32::MAX)
            .map_while(Result::ok)
            .find(|sample| sample.timestamp_ms == ms)
            .map(|sample| sample.value)
    }

    /// Deletes what the series holds between two times; what comes later is not touched. Samples in order
    /// are hidden, late ones removed.
    pub(super) fn delete(&mut self, min_ms: i64, max_ms: i64) -> bool {
        let mut hit = false;
        if let Some((from, to)) = self.span_in_order()
            && from.max(min_ms) <= to.min(max_ms)
        {
            let extra = self.extra.get_or_insert_default();
            add_interval(&mut extra.tombstones, from.max(min_ms), to.min(max_ms));
            self.saved.rest = false;
            hit = true;
        }
        if let Some(extra) = &mut self.extra {
            let before = extra.late.len();
            extra.late.retain(|ms, _| !(min_ms..=max_ms).contains(ms));
            if extra.late.len() < before {
                self.saved.late = 0;
                hit = true;
            }
        }
        hit
    }

    pub(crate) fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.extra.as_ref()?.metadata.as_ref()
    }

    pub(super) fn set_metadata(&mut self, metadata: Arc<Metadata>) {
        self.extra.get_or_insert_default().metadata = Some(metadata);
        self.saved.rest = false;
    }

    fn span_in_order(&self) -> Option<(i64, i64)> {
        let open = self.open.as_ref()?;
        let first = self.sealed.first().map(|chunk| chunk.min_ms());
        Some((first.unwrap_or_else(|| open.min_ms()), open.max_ms()))
    }

    fn span_late(&self) -> Option<(i64, i64)> {
        let late = &self.extra.as_ref()?.late;
        Some((*late.first_key_value()?.0, *late.last_key_value()?.0))
    }

    /// First and last time of its samples, deleted ones included.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        match (self.span_in_order(), self.span_late()) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        }
    }

    /// Whether it may have visible samples in a range; deleted stretches count only when they cover all.
    pub(crate) fn is_live(&self, sequence: u64, min_ms: i64, max_ms: i64) -> bool {
        let limit = self.limit(sequence);
        let in_order = limit.next_sample > self.first_sample
            && self.span_in_order().is_some_and(|(from, to)| {
                from <= max_ms && to >= min_ms && !self.is_deleted(from.max(min_ms), to.min(max_ms))
            });
        in_order
            || limit.late_count > 0
                && self
                    .span_late()
                    .is_some_and(|(from, to)| from <= max_ms && to >= min_ms)
    }

    /// Whether all samples in order between two times are deleted.
    fn is_deleted(&self, from: i64, to: i64) -> bool {
        self.extra
            .as_ref()
            .is_some_and(|extra| extra.tombstones.iter().any(|(a, b)| *a <= from && *b >= to))
    }

    /// What a reader sees between two times (inclusive); `None` when there can be nothing.
    pub(crate) fn view(&self, sequence: u64, min_ms: i64, max_ms: i64) -> Option<SeriesView> {
        if !self.is_live(sequence, min_ms, max_ms) {
            return None;
        }
        Some(SeriesView::new(self, self.limit(sequence), min_ms, max_ms))
    }

    /// Lets go of chunks that end before `cutoff_ms`, and of late samples before it. True when nothing
    /// is left.
    pub(super) fn drop_before(&mut self, cutoff_ms: i64) -> bool {
        let old = self
            .sealed
            .iter()
            .take_while(|chunk| {
                chunk.max_ms() < cutoff_ms || self.is_deleted(chunk.min_ms(), chunk.max_ms())
            })
            .count();
        if old > 0 {
            for chunk in self.sealed.drain(..old) {
                self.first_sample += u64::from(chunk.count());
                self.first_chunk += 1;
            }
            if self.sealed.capacity() > 2 * self.sealed.len() + 8 {
                self.sealed.shrink_to_fit();
            }
        }
        if let Some(extra) = &mut self.extra {
            if extra
                .late
                .first_key_value()
                .is_some_and(|(ms, _)| *ms < cutoff_ms)
            {
                extra.late = extra.late.split_off(&cutoff_ms);
            }
            extra.tombstones.retain(|(_, to)| *to >= cutoff_ms);
        }
        match self.span() {
            Some((from, to)) => {
                to < cutoff_ms || self.span_late().is_none() && self.is_deleted(from, to)
            }
            None => std::mem::replace(&mut self.state.seen_empty, true),
        }
    }

    /// Takes over chunks from a checkpoint: those from number `first` on are replaced. `first_sample`
    /// is the number of the first sample of chunk `first`.
    pub(crate) fn restore(
        &mut self,
        first: u64,
        first_sample: u64,
        chunks: Vec<Arc<Chunk>>,
    ) -> Result<(), Error> {
        if let Some(open) = self.open.take() {
            self.sealed.push(Arc::new(open.snapshot()));
        }
        if first <= self.first_chunk || self.sealed.is_empty() {
            self.sealed.clear();
            self.first_chunk = first;
            self.first_sample = first_sample;
        } else {
            let keep = usize::try_from(first - self.first_chunk).unwrap_or(usize::MAX);
            self.sealed.truncate(keep);
        }
        self.sealed.extend(chunks);
        self.next_sample = self.first_sample
            + self
                .sealed
                .iter()
                .map(|chunk| u64::from(chunk.count()))
                .sum::<u64>();
        self.last = None;
        if let Some(last) = self.sealed.pop() {
            let mut newest = None;
            for sample in Samples::new(Arc::clone(&last), u32::MAX) {
                newest = Some(sample?.value);
            }
            self.last = newest;
            self.open = Some(OpenChunk::reopen(&last)?);
        }
        Ok(())
    }

    /// How many chunks it has.
    pub(crate) fn chunk_count(&self) -> usize {
        self.sealed.len() + usize::from(self.open.is_some())
    }

    /// Bytes that samples take on the heap.
    pub(crate) fn sample_memory(&self) -> usize {
        let late = self.extra.as_ref().map_or(0, |extra| extra.late.len() * 64);
        self.sealed.iter().map(|c| c.memory()).sum::<usize>()
            + self.open.as_ref().map_or(0, OpenChunk::memory)
            + late
    }
}

/// Adds an interval to a sorted list of intervals that do not touch.
pub(super) fn add_interval(list: &mut Vec<(i64, i64)>, mut min: i64, mut max: i64) {
    list.retain(|(a, b)| {
        let apart = b.saturating_add(1) < min || *a > max.saturating_add(1);
        if !apart {
            min = min.min(*a);
            max = max.max(*b);
        }
        apart
    });
    list.push((min, max));
    list.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_touch_become_one() {
        let mut list = Vec::new();
        add_interval(&mut list, 10, 20);
        add_interval(&mut list, 40, 50);
        add_interval(&mut list, 21, 25);
        assert_eq!(list, [(10, 25), (40, 50)]);
        add_interval(&mut list, 0, 100);
        assert_eq!(list, [(0, 100)]);
    }

    #[test]
    fn a_reader_keeps_its_view_while_batches_come() {
        let mut series = Series::new(Labels::from_pairs([("a", "1")]));
        for (sequence, ms) in (1..).zip(0..300) {
            let reader = (sequence > 200).then_some(200);
            series.mark(sequence, reader);
            series.push(Sample::float(ms, 1.0), false);
        }
        let count = |sequence| {
            series
                .view(sequence, i64::MIN, i64::MAX)
                .map_or(0, Iterator::count)
        };
        assert_eq!(count(200), 200);
        assert_eq!(count(250), 250);
        assert_eq!(count(300), 300);
    }
}
