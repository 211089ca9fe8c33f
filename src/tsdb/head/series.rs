use std::collections::BTreeMap;
use std::sync::Arc;

use super::same_but_hint;
use crate::codec::{Error, Reader, put_varint, put_zigzag};
use crate::model::{Labels, Metadata, Sample, SampleValue};
use crate::storage::read_hints::with_read_hint;
use crate::tsdb::archive::Entry;
use crate::tsdb::batch::{SeriesId, stale_float_histogram, stale_histogram};
use crate::tsdb::blocks::Blocks;
use crate::tsdb::chunk::{Chunk, FloatTail, OpenChunk, Samples};

/// A series with its samples since the newest flush; what came before is in blocks.
///
/// In order, times only rise: "what came up to time t" is a view that stays true, which is what isolation
/// and flushes are built on.
#[derive(Debug)]
pub(crate) struct Series {
    /// No sample is older; there may be none at this time.
    pub(super) first_ms: i64,
    /// Time of the newest sample in order; `i64::MIN` when there is none.
    pub(super) newest_ms: i64,
    /// The value of the newest sample in order, as far as [`Last`] says that it is here.
    last: f64,
    /// The open chunk of plain floats, which most series have.
    tail: FloatTail,
    pub(super) extra: Option<Box<Extra>>,
    /// What was there before batches that some reader must not see yet, newest first.
    marks: Option<Box<Mark>>,
    pub(crate) state: SeriesState,
}

/// Where a series stands between its creation and the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SeriesState {
    /// Some record of the log has its labels, which a power cut may lose while later ones stay.
    pub(super) named: bool,
    /// Its labels are in the log or in the catalog to stay.
    pub(crate) logged: bool,
    /// It is in the index: a batch with it was committed.
    pub(crate) indexed: bool,
    /// Retention has looked at it and found nothing left: it goes next time, unless something comes.
    pub(crate) doomed: bool,
    /// Nobody has written to it for a while, and blocks have all its samples: it goes to an archive next time, unless
    /// something comes.
    pub(crate) idle: bool,
    /// Some archive has it, with what was known when it last went there.
    pub(super) archived: bool,
    /// Labels, metadata and tombstones are as in the catalog.
    pub(super) saved: bool,
    /// Where the newest sample in order is.
    last: Last,
}

/// Where the value of a series' newest sample in order is. After a start it is only in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// In a block, and it is a float, or nowhere.
    #[default]
    Stored,
    /// In a block, and it is a native histogram.
    StoredHistogram,
    Float,
    /// In [`Extra`].
    Histogram,
}

impl SeriesState {
    /// Whether a batch may name the series by its number alone: the log knows it, and it will not go before the
    /// batch is committed.
    #[inline]
    pub(crate) const fn is_safe(self) -> bool {
        self.logged && !self.doomed
    }
}

/// What few series have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Full chunks, oldest first.
    pub(super) sealed: Vec<Arc<Chunk>>,
    /// The open chunk, when it is not one of plain floats.
    open: Option<OpenChunk>,
    /// The newest sample in order, when it is a native histogram.
    last: Option<SampleValue>,
    /// Samples that were older than the newest when they came.
    pub(super) late: BTreeMap<i64, Late>,
    /// How many late samples ever came.
    pub(super) late_count: u32,
    pub(super) tombstones: Vec<Tombstone>,
    pub(super) metadata: Option<Arc<Metadata>>,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.sealed.is_empty()
            && self.open.is_none()
            && self.last.is_none()
            && self.late_count == 0
            && self.tombstones.is_empty()
            && self.metadata.is_none()
    }
}

/// A late sample.
#[derive(Debug, Clone)]
pub(super) struct Late {
    /// Its place among all late samples of the series.
    pub(super) number: u32,
    pub(super) sample: Sample,
}

/// A stretch of deleted times. It hides samples in order in memory, and samples in blocks that hold nothing newer
/// than `sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    /// The record that said so.
    pub(crate) sequence: u64,
    /// A late sample came between the times afterwards, so not all of the stretch is empty.
    pub(crate) is_revived: bool,
}

impl Tombstone {
    pub(crate) const fn covers(&self, from: i64, to: i64) -> bool {
        self.min_ms <= from && self.max_ms >= to
    }

    /// Appends what [`Self::read`] reads.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_zigzag(out, self.min_ms);
        put_zigzag(out, self.max_ms);
        put_varint(out, self.sequence << 1 | u64::from(self.is_revived));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (min_ms, max_ms) = (reader.zigzag()?, reader.zigzag()?);
        let said = reader.varint()?;
        Ok(Self {
            min_ms,
            max_ms,
            sequence: said >> 1,
            is_revived: said & 1 == 1,
        })
    }
}

#[derive(Debug)]
struct Mark {
    sequence: u64,
    limit: Limit,
    older: Option<Box<Mark>>,
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
    pub(super) newest_ms: i64,
    pub(super) late_count: u32,
}

impl Limit {
    /// A reader who sees nothing.
    pub(super) const NOTHING: Self = Self {
        newest_ms: i64::MIN,
        late_count: 0,
    };
}

impl Series {
    pub(crate) fn new() -> Self {
        Self {
            first_ms: i64::MAX,
            newest_ms: i64::MIN,
            last: 0.0,
            tail: FloatTail::default(),
            extra: None,
            marks: None,
            state: SeriesState::default(),
        }
    }

    /// Time of the newest sample in order.
    #[inline]
    pub(crate) const fn newest_ms(&self) -> Option<i64> {
        if self.first_ms <= self.newest_ms {
            Some(self.newest_ms)
        } else {
            None
        }
    }

    /// The value of the newest sample in order, from a block if need be.
    pub(crate) fn last(&self, id: SeriesId, blocks: &Blocks) -> Option<SampleValue> {
        self.known_last()
            .or_else(|| blocks.value_at(id, self.newest_ms()?, self.tombstones()))
    }

    /// The value of the newest sample in order, if it is in memory.
    fn known_last(&self) -> Option<SampleValue> {
        match self.state.last {
            Last::Float => Some(SampleValue::Float(self.last)),
            Last::Histogram => self.extra.as_ref()?.last.clone(),
            Last::Stored | Last::StoredHistogram => None,
        }
    }

    fn set_last(&mut self, value: SampleValue) {
        if let SampleValue::Float(v) = value {
            self.last = v;
            if self.state.last == Last::Histogram
                && let Some(extra) = &mut self.extra
            {
                extra.last = None;
            }
            self.state.last = Last::Float;
        } else {
            self.extra.get_or_insert_default().last = Some(value);
            self.state.last = Last::Histogram;
        }
    }

    /// Notes what was there before the batch `sequence`, for readers that pinned an earlier view.
    pub(super) fn mark(&mut self, sequence: u64, oldest_reader: Option<u64>) {
        let Some(oldest) = oldest_reader else {
            self.marks = None;
            return;
        };
        if self.marks.as_ref().is_some_and(|m| m.sequence == sequence) {
            return;
        }
        let mut link = &mut self.marks;
        while link.as_ref().is_some_and(|mark| mark.sequence > oldest) {
            match link {
                Some(mark) => link = &mut mark.older,
                None => break,
            }
        }
        *link = None;
        self.marks = Some(Box::new(Mark {
            sequence,
            limit: self.now(),
            older: self.marks.take(),
        }));
    }

    /// What a reader that pinned `sequence` sees.
    pub(crate) fn limit(&self, sequence: u64) -> Limit {
        let mut limit = None;
        let mut mark = self.marks.as_deref();
        while let Some(newer) = mark.filter(|mark| mark.sequence > sequence) {
            limit = Some(newer.limit);
            mark = newer.older.as_deref();
        }
        limit.unwrap_or_else(|| self.now())
    }

    fn now(&self) -> Limit {
        Limit {
            newest_ms: self.newest_ms,
            late_count: self.extra.as_ref().map_or(0, |extra| extra.late_count),
        }
    }

    /// Adds a sample where it belongs. The same calls in the same order give the same series.
    pub(super) fn push(
        &mut self,
        id: SeriesId,
        mut sample: Sample,
        keep_late: bool,
        blocks: &Blocks,
    ) -> Pushed {
        if self.state.last == Last::StoredHistogram
            && let Some(last) = self.last(id, blocks)
        {
            self.set_last(last);
        }
        // compat: a staleness marker of a scrape is a float; among histograms it becomes one of them.
        if sample.value.is_stale() {
            sample.value = match (&sample.value, self.known_last()) {
                (SampleValue::Float(_), Some(SampleValue::Histogram(_)))
                | (SampleValue::Histogram(_), _) => stale_histogram(),
                (SampleValue::Float(_), Some(SampleValue::FloatHistogram(_)))
                | (SampleValue::FloatHistogram(_), _) => stale_float_histogram(),
                (SampleValue::Float(v), _) => SampleValue::Float(*v),
            };
        }
        match self.newest_ms() {
            Some(newest_ms) if sample.timestamp_ms == newest_ms => {
                let is_same = self
                    .last(id, blocks)
                    .is_some_and(|last| same_but_hint(&last, &sample.value));
                if is_same {
                    Pushed::Repeated
                } else {
                    Pushed::Refused
                }
            }
            Some(newest_ms) if sample.timestamp_ms < newest_ms => {
                if keep_late {
                    self.push_late(id, sample, blocks)
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

    /// Adds plain floats, each later than the one before it, where they are the newest samples after another float;
    /// false, and nothing done, when they are anything else.
    #[inline]
    pub(super) fn push_floats(&mut self, samples: &[(i64, f64)]) -> bool {
        let is_plain = self.state.last == Last::Float
            && samples.first().is_some_and(|(ms, _)| *ms > self.newest_ms)
            && (self.extra.as_ref()).is_none_or(|extra| extra.open.is_none());
        if is_plain {
            self.push_tail(samples);
            self.state.doomed = false;
        }
        is_plain
    }

    /// The last byte of the open chunk.
    #[inline]
    pub(super) fn tail_end(&self) -> u8 {
        self.tail.end()
    }

    /// Adds later plain floats to the open chunk, or to a new one where it is full.
    #[inline]
    fn push_tail(&mut self, samples: &[(i64, f64)]) {
        let mut rest = samples;
        while let Some((first_ms, _)) = rest.first() {
            self.first_ms = self.first_ms.min(*first_ms);
            let taken = self.tail.push((self.newest_ms, self.last), rest);
            let (added, others) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            match added.last() {
                Some((ms, value)) => (self.newest_ms, self.last) = (*ms, *value),
                None => self.seal(),
            }
            rest = others;
        }
    }

    fn push_newest(&mut self, mut sample: Sample) {
        sample.value = with_read_hint(self.known_last().as_ref(), sample.value);
        let ms = sample.timestamp_ms;
        match sample.value {
            SampleValue::Float(value) if sample.start_timestamp_ms == 0 => {
                if self.extra.as_ref().is_some_and(|e| e.open.is_some()) {
                    self.seal();
                }
                self.push_tail(&[(ms, value)]);
            }
            _ => {
                let open = self.extra.as_mut().and_then(|extra| extra.open.as_mut());
                if !open.is_some_and(|open| open.push(&sample)) {
                    self.seal();
                    let extra = self.extra.get_or_insert_default();
                    extra.open = Some(OpenChunk::start(&sample));
                }
            }
        }
        self.first_ms = self.first_ms.min(ms);
        self.newest_ms = ms;
        self.set_last(sample.value);
        self.state.doomed = false;
    }

    /// Closes the open chunk.
    fn seal(&mut self) {
        if let Some(full) = self.open_chunk() {
            self.drop_open();
            let sealed = &mut self.extra.get_or_insert_default().sealed;
            sealed.push(Arc::new(full));
        }
    }

    /// A copy of the open chunk.
    fn open_chunk(&self) -> Option<Chunk> {
        self.tail.snapshot(self.newest_ms).or_else(|| {
            let open = self.extra.as_ref()?.open.as_ref()?;
            Some(open.snapshot())
        })
    }

    /// First and last time of the open chunk.
    fn open_span(&self) -> Option<(i64, i64)> {
        if let Some(min_ms) = self.tail.min_ms() {
            return Some((min_ms, self.newest_ms));
        }
        let open = self.extra.as_ref()?.open.as_ref()?;
        Some((open.min_ms(), open.max_ms()))
    }

    fn drop_open(&mut self) {
        self.tail = FloatTail::default();
        if let Some(extra) = &mut self.extra {
            extra.open = None;
        }
    }

    fn push_late(&mut self, id: SeriesId, sample: Sample, blocks: &Blocks) -> Pushed {
        if let Some(there) = self.value_at(id, sample.timestamp_ms, blocks) {
            return if same_but_hint(&there, &sample.value) {
                Pushed::Repeated
            } else {
                Pushed::Refused
            };
        }
        self.first_ms = self.first_ms.min(sample.timestamp_ms);
        self.state.doomed = false;
        let extra = self.extra.get_or_insert_default();
        for tombstone in &mut extra.tombstones {
            if tombstone.covers(sample.timestamp_ms, sample.timestamp_ms) && !tombstone.is_revived {
                tombstone.is_revived = true;
                self.state.saved = false;
            }
        }
        let number = extra.late_count;
        extra.late_count += 1;
        extra
            .late
            .insert(sample.timestamp_ms, Late { number, sample });
        Pushed::Late
    }

    /// The value at a time, be it in order or late, in memory or in a block.
    pub(super) fn value_at(&self, id: SeriesId, ms: i64, blocks: &Blocks) -> Option<SampleValue> {
        if let Some(late) = self.extra.as_ref().and_then(|extra| extra.late.get(&ms)) {
            return Some(late.sample.value.clone());
        }
        if !self.is_deleted(ms, ms) {
            let chunk = self
                .chunks()
                .find(|chunk| chunk.min_ms() <= ms && chunk.max_ms() >= ms);
            let found = chunk.and_then(|chunk| {
                Samples::new(chunk, u32::MAX)
                    .map_while(Result::ok)
                    .find(|sample| sample.timestamp_ms == ms)
            });
            if let Some(sample) = found {
                return Some(sample.value);
            }
        }
        if ms < self.first_ms {
            return None;
        }
        blocks.value_at(id, ms, self.tombstones())
    }

    /// The chunks in memory, oldest first.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Arc<Chunk>> + '_ {
        let sealed = self.extra.as_ref().map(|extra| extra.sealed.iter());
        sealed
            .into_iter()
            .flatten()
            .cloned()
            .chain(self.open_chunk().map(Arc::new))
    }

    /// Deletes what the series holds between two times; what comes later is not touched. Samples in order
    /// and in blocks are hidden, late ones in memory removed.
    pub(super) fn delete(&mut self, min_ms: i64, max_ms: i64, sequence: u64) -> bool {
        let Some((from, to)) = self.span() else {
            return false;
        };
        let (min_ms, max_ms) = (from.max(min_ms), to.min(max_ms));
        if min_ms > max_ms {
            return false;
        }
        let extra = self.extra.get_or_insert_default();
        let tombstone = Tombstone {
            min_ms,
            max_ms,
            sequence,
            is_revived: false,
        };
        // The catalog may have it already when the log is replayed.
        let is_known = extra.tombstones.iter().any(|known| {
            (known.min_ms, known.max_ms, known.sequence) == (min_ms, max_ms, sequence)
        });
        if !is_known {
            extra.tombstones.push(tombstone);
        }
        extra.late.retain(|ms, _| !(min_ms..=max_ms).contains(ms));
        self.state.saved = false;
        self.state.idle = false;
        true
    }

    pub(crate) fn tombstones(&self) -> &[Tombstone] {
        self.extra
            .as_ref()
            .map_or(&[], |extra| extra.tombstones.as_slice())
    }

    /// Takes over what the catalog says is deleted. Deleted samples that no block holds any more were the newest
    /// once: what comes between their times is late, and so not hidden by the deletion.
    pub(super) fn set_tombstones(&mut self, tombstones: Vec<Tombstone>) {
        for tombstone in &tombstones {
            self.first_ms = self.first_ms.min(tombstone.min_ms);
            self.newest_ms = self.newest_ms.max(tombstone.max_ms);
        }
        if !tombstones.is_empty() || self.extra.is_some() {
            self.extra.get_or_insert_default().tombstones = tombstones;
        }
    }

    pub(crate) fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.extra.as_ref()?.metadata.as_ref()
    }

    pub(super) fn set_metadata(&mut self, metadata: Arc<Metadata>) {
        self.extra.get_or_insert_default().metadata = Some(metadata);
        self.state.saved = false;
        self.state.idle = false;
    }

    /// First and last time of its samples, deleted ones included.
    pub(crate) const fn span(&self) -> Option<(i64, i64)> {
        if self.first_ms <= self.newest_ms {
            Some((self.first_ms, self.newest_ms))
        } else {
            None
        }
    }

    /// Notes that a block holds samples of it between two times.
    pub(super) fn extend(&mut self, first_ms: i64, last_ms: i64, is_histogram: bool) {
        self.first_ms = self.first_ms.min(first_ms);
        if last_ms >= self.newest_ms {
            self.newest_ms = last_ms;
            self.state.last = if is_histogram {
                Last::StoredHistogram
            } else {
                Last::Stored
            };
        }
    }

    /// Takes over what an archive has of it.
    pub(super) fn restore(&mut self, entry: &Entry) {
        self.set_tombstones(entry.tombstones.clone());
        self.extend(entry.first_ms, entry.last_ms, entry.is_histogram);
        if let Some(metadata) = &entry.metadata {
            self.set_metadata(Arc::clone(metadata));
        }
        self.state.archived = true;
    }

    /// What an archive shall have of it.
    pub(super) fn to_entry(&self, id: SeriesId, labels: Labels) -> Entry {
        Entry {
            id,
            labels,
            first_ms: self.first_ms,
            last_ms: self.newest_ms,
            is_histogram: matches!(self.state.last, Last::Histogram | Last::StoredHistogram),
            metadata: self.metadata().cloned(),
            tombstones: self.tombstones().to_vec(),
        }
    }

    /// Whether blocks have all its samples.
    pub(super) fn is_settled(&self) -> bool {
        self.state.indexed && self.span().is_some() && !self.has_samples()
    }

    /// Whether it may have visible samples in a range; deleted stretches count only when they cover all.
    pub(crate) fn is_live(&self, sequence: u64, min_ms: i64, max_ms: i64) -> bool {
        let limit = self.limit(sequence);
        let (from, to) = (self.first_ms.max(min_ms), limit.newest_ms.min(max_ms));
        from <= to && !self.is_empty_between(from, to)
    }

    /// Whether all samples in order between two times are deleted.
    pub(super) fn is_deleted(&self, from: i64, to: i64) -> bool {
        self.tombstones()
            .iter()
            .any(|tombstone| tombstone.covers(from, to))
    }

    /// Whether nothing is left between two times, late samples included.
    fn is_empty_between(&self, from: i64, to: i64) -> bool {
        self.tombstones()
            .iter()
            .any(|tombstone| tombstone.covers(from, to) && !tombstone.is_revived)
    }

    /// What came after `since` and up to `limit` and is not deleted: samples in order and late ones.
    pub(super) fn fresh(&self, since: Limit, limit: Limit) -> Fresh {
        let has_order = limit.newest_ms > since.newest_ms;
        let in_order = if has_order {
            self.chunks()
                .filter(|chunk| {
                    chunk.max_ms() > since.newest_ms && chunk.min_ms() <= limit.newest_ms
                })
                .collect()
        } else {
            Vec::new()
        };
        let late = self.extra.as_ref().into_iter().flat_map(|extra| {
            let numbers = since.late_count..limit.late_count;
            extra
                .late
                .values()
                .filter(move |late| numbers.contains(&late.number))
                .map(|late| late.sample.clone())
        });
        Fresh {
            after_ms: since.newest_ms,
            up_to_ms: limit.newest_ms,
            in_order,
            late: late.collect(),
            tombstones: self.tombstones().to_vec(),
        }
    }

    /// Lets go of samples that a block holds: those up to `limit`.
    pub(super) fn flushed(&mut self, limit: Limit) {
        if let Some((min_ms, max_ms)) = self.open_span() {
            if max_ms <= limit.newest_ms {
                self.drop_open();
            } else if min_ms <= limit.newest_ms {
                self.split_open(limit.newest_ms);
            }
        }
        if let Some(extra) = &mut self.extra {
            // A sealed chunk that reaches beyond stays as a whole: who reads both sees each time once.
            extra
                .sealed
                .retain(|chunk| chunk.max_ms() > limit.newest_ms);
            extra.late.retain(|_, late| late.number >= limit.late_count);
        }
        self.tidy();
    }

    /// Keeps of the open chunk what is later than `ms`.
    fn split_open(&mut self, ms: i64) {
        let Some(whole) = self.open_chunk() else {
            return;
        };
        self.drop_open();
        let kept = Samples::new(Arc::new(whole), u32::MAX).map_while(Result::ok);
        let mut before = (ms, 0.0);
        for sample in kept.filter(|sample| sample.timestamp_ms > ms) {
            match sample.value {
                // What was in one chunk fits into one.
                SampleValue::Float(v) if sample.start_timestamp_ms == 0 => {
                    let sample = (sample.timestamp_ms, v);
                    self.tail.push(before, &[sample]);
                    before = sample;
                }
                _ => {
                    let open = &mut self.extra.get_or_insert_default().open;
                    match open {
                        Some(open) => {
                            open.push(&sample);
                        }
                        None => *open = Some(OpenChunk::start(&sample)),
                    }
                }
            }
        }
    }

    fn tidy(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.sealed.shrink_to_fit();
            if extra.is_empty() {
                self.extra = None;
            }
        }
    }

    /// Lets go of chunks in memory that end before `cutoff_ms`, and of late samples before it. No block has
    /// anything older than `left_ms`. `has_newer`: there are samples that are not here yet. True when the series shall
    /// go.
    pub(super) fn drop_before(&mut self, cutoff_ms: i64, left_ms: i64, has_newer: bool) -> bool {
        if self
            .open_span()
            .is_some_and(|(_, max_ms)| max_ms < cutoff_ms)
        {
            self.drop_open();
        }
        if let Some(extra) = &mut self.extra {
            extra.sealed.retain(|chunk| chunk.max_ms() >= cutoff_ms);
            if extra
                .late
                .first_key_value()
                .is_some_and(|(ms, _)| *ms < cutoff_ms)
            {
                extra.late = extra.late.split_off(&cutoff_ms);
            }
        }
        let in_memory = self.has_samples() || has_newer;
        if let Some(extra) = &mut self.extra {
            let before = extra.tombstones.len();
            let tombstones = &mut extra.tombstones;
            tombstones.retain(|tombstone| in_memory || tombstone.max_ms >= left_ms);
            if tombstones.len() < before {
                self.state.saved = false;
            }
        }
        self.tidy();
        let is_gone = match self.span() {
            // What an archive has would show again: it is told there that all is deleted.
            Some((from, to)) => {
                to < left_ms && !in_memory
                    || self.is_empty_between(from, to) && !self.state.archived && !has_newer
            }
            None => !has_newer,
        };
        if !is_gone {
            self.first_ms = self.first_ms.max(left_ms.min(cutoff_ms));
        }
        // An appender may be about to use it: it goes the second time.
        std::mem::replace(&mut self.state.doomed, is_gone) && is_gone
    }

    /// Whether there are samples in memory.
    pub(super) fn has_samples(&self) -> bool {
        !self.tail.is_empty()
            || self.extra.as_ref().is_some_and(|extra| {
                !extra.sealed.is_empty() || extra.open.is_some() || !extra.late.is_empty()
            })
    }

    /// How many chunks it has in memory.
    pub(crate) fn chunk_count(&self) -> usize {
        let sealed = self.extra.as_ref().map_or(0, |extra| extra.sealed.len());
        sealed + usize::from(self.open_span().is_some())
    }

    /// Bytes that samples take on the heap.
    pub(crate) fn sample_memory(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| {
            size_of::<Extra>()
                + extra.late.len() * 64
                + extra.sealed.iter().map(|c| c.memory()).sum::<usize>()
                + extra.open.as_ref().map_or(0, OpenChunk::memory)
        });
        extra + self.tail.memory()
    }
}

/// Samples of a series on their way to a block.
#[derive(Debug)]
pub(crate) struct Fresh {
    after_ms: i64,
    up_to_ms: i64,
    in_order: Vec<Arc<Chunk>>,
    /// Sorted by time.
    late: Vec<Sample>,
    tombstones: Vec<Tombstone>,
}

impl Fresh {
    pub(crate) fn is_empty(&self) -> bool {
        self.in_order.is_empty() && self.late.is_empty()
    }

    /// Hands the samples over in the order of their times.
    pub(crate) fn each(self, mut take: impl FnMut(&Sample)) -> Result<(), Error> {
        let mut late = self.late.into_iter().peekable();
        for chunk in self.in_order {
            for sample in Samples::new(chunk, u32::MAX) {
                let sample = sample?;
                let ms = sample.timestamp_ms;
                if ms <= self.after_ms || ms > self.up_to_ms {
                    continue;
                }
                while let Some(earlier) = late.next_if(|late| late.timestamp_ms < ms) {
                    take(&earlier);
                }
                let hidden = self.tombstones.iter().any(|t| t.covers(ms, ms));
                if !hidden {
                    late.next_if(|late| late.timestamp_ms == ms);
                    take(&sample);
                }
            }
        }
        for sample in late {
            take(&sample);
        }
        Ok(())
    }
}
