//! Rows of streams that are not with their series yet.
//!
//! A scrape has something of every series of its target, and the ends of series lie all over the memory. So the rows of
//! a stream that brings the same series again and again are kept side by side first, and then go to the series some at
//! a time, so that each is fetched once for several samples. Who reads a series looks here too.
//!
//! A stream is *open* from a row that went to its series at once until anybody else does something to one of them. While
//! it is open, all of its series are known to the log, their newest samples are plain floats, and none is newer than
//! the stream's newest row: so a later row fits without a look at them.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Head;
use super::series::Series;
use crate::model::{Sample, SampleValue};
use crate::tsdb::batch::SeriesId;

/// So many rows are kept at most.
const ROWS_MAX: usize = 8;

/// So many values are kept of a stream at most: who waits for them to go to their series does not wait long.
const VALUES_MAX: usize = 1 << 15;

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Rows {
    numbers: HashMap<u64, u32, foldhash::fast::RandomState>,
    streams: Vec<Option<OpenStream>>,
    /// Places in `streams` that are free.
    free: Vec<u32>,
    /// Streams with fewer series are not opened.
    series_min: usize,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            numbers: HashMap::default(),
            streams: Vec::new(),
            free: Vec::new(),
            series_min: usize::MAX,
        }
    }
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct OpenStream {
    key: u64,
    ids: Arc<[SeriesId]>,
    newest_ms: i64,
    rows: Vec<Row>,
    /// So many rows are kept this time.
    limit: usize,
    /// Something came since the last flush.
    is_used: bool,
}

/// A row whose samples are not with their series.
#[derive(Debug)]
struct Row {
    /// The batch that brought it.
    sequence: u64,
    ms: i64,
    /// In the order of the stream's series.
    values: Box<[f64]>,
}

/// Where a series is in an open stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: u32,
    pub(crate) slot: u16,
}

impl OpenStream {
    /// Its series in the order of its rows.
    pub(crate) const fn ids(&self) -> &Arc<[SeriesId]> {
        &self.ids
    }

    /// The time of its newest row.
    pub(crate) const fn newest_ms(&self) -> i64 {
        self.newest_ms
    }
}

impl Rows {
    /// The open stream under a key.
    pub(crate) fn open(&self, key: u64) -> Option<&OpenStream> {
        self.stream(*self.numbers.get(&key)?)
    }

    fn stream(&self, number: u32) -> Option<&OpenStream> {
        self.streams.get(number as usize)?.as_ref()
    }

    /// The open stream that a row belongs to.
    fn fitting(&self, key: u64, ms: i64, row: &[(SeriesId, f64)]) -> Option<u32> {
        let number = *self.numbers.get(&key)?;
        let stream = self.stream(number)?;
        let fits = ms > stream.newest_ms
            && row.len() == stream.ids.len()
            && row.iter().zip(&*stream.ids).all(|((id, _), of)| id == of);
        fits.then_some(number)
    }

    /// The samples of a series that are here, of batches up to `sequence`, oldest first.
    pub(super) fn samples(
        &self,
        place: Place,
        sequence: u64,
    ) -> impl Iterator<Item = (i64, f64)> + '_ {
        let rows = self.stream(place.stream).map(|stream| stream.rows.iter());
        let seen = rows.into_iter().flatten();
        seen.take_while(move |row| row.sequence <= sequence)
            .filter_map(move |row| Some((row.ms, *row.values.get(usize::from(place.slot))?)))
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        let streams = self.streams.iter().flatten();
        let of_streams = streams.map(|stream| {
            let rows = stream.rows.iter().map(|row| size_of_val(&*row.values));
            size_of_val(&*stream.ids)
                + stream.rows.capacity() * size_of::<Row>()
                + rows.sum::<usize>()
        });
        self.streams.capacity() * size_of::<Option<OpenStream>>() + of_streams.sum::<usize>()
    }
}

impl Head {
    /// The open streams.
    pub(crate) const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Keeps rows of streams with at least so many series; of none, before this is called.
    pub(crate) const fn keep_rows_from(&mut self, series: usize) {
        self.rows.series_min = series;
    }

    /// The samples of a series that are not with it yet, of batches up to `sequence`, oldest first.
    pub(super) fn pending(
        &self,
        id: SeriesId,
        sequence: u64,
    ) -> impl Iterator<Item = (i64, f64)> + '_ {
        let place = self.table.row_place(id);
        place
            .into_iter()
            .flat_map(move |place| self.rows.samples(place, sequence))
    }

    /// Whether some samples of a series are not with it yet.
    pub(super) fn has_pending(&self, id: SeriesId) -> bool {
        self.pending(id, u64::MAX).next().is_some()
    }

    /// Keeps a row of an open stream; false, and nothing done, where it does not belong to one.
    pub(super) fn keep_row(
        &mut self,
        key: u64,
        sequence: u64,
        ms: i64,
        row: &[(SeriesId, f64)],
    ) -> bool {
        let Some(number) = self.rows.fitting(key, ms, row) else {
            return false;
        };
        let Some(stream) = self.rows.streams.get_mut(number as usize) else {
            return false;
        };
        let Some(stream) = stream else {
            return false;
        };
        stream.newest_ms = ms;
        stream.is_used = true;
        stream.rows.push(Row {
            sequence,
            ms,
            values: row.iter().map(|(_, value)| *value).collect(),
        });
        if stream.rows.len() >= stream.limit {
            stream.limit = limit(stream.ids.len());
            self.spread(number);
        }
        true
    }

    /// Opens a stream after a row of which all samples went to their series as plain floats, each its newest.
    pub(super) fn open_stream(&mut self, key: u64, ms: i64, row: &[(SeriesId, f64)]) {
        if row.len() < self.rows.series_min || limit(row.len()) < 2 {
            return;
        }
        if let Some(number) = self.rows.numbers.get(&key) {
            self.close_stream(*number);
        }
        let is_safe = |id: &SeriesId| self.table.get(*id).is_some_and(|s| s.state.is_safe());
        if !row.iter().all(|(id, _)| is_safe(id)) {
            return;
        }
        for (id, _) in row {
            self.close_of(*id);
        }
        let number = self.rows.free.pop();
        let number = number.unwrap_or(self.rows.streams.len() as u32);
        for (slot, (id, _)) in row.iter().enumerate() {
            let slot = slot as u16;
            let place = Place {
                stream: number,
                slot,
            };
            self.table.set_row_place(*id, Some(place));
        }
        // Not all streams shall let go of their rows at once: memory is taken for what they have on average.
        let first = (key ^ key >> 32) as usize % limit(row.len()) + 1;
        let stream = OpenStream {
            key,
            ids: row.iter().map(|(id, _)| *id).collect(),
            newest_ms: ms,
            rows: Vec::new(),
            limit: first,
            is_used: true,
        };
        let at = number as usize;
        if self.rows.streams.len() <= at {
            self.rows.streams.resize_with(at + 1, || None);
        }
        if let Some(place) = self.rows.streams.get_mut(at) {
            *place = Some(stream);
        }
        self.rows.numbers.insert(key, number);
    }

    /// Closes the stream that a series is in: somebody is about to do something else to it.
    #[inline]
    pub(super) fn close_of(&mut self, id: SeriesId) {
        if let Some(place) = self.table.row_place(id) {
            self.close_stream(place.stream);
        }
    }

    /// Closes all streams.
    pub(super) fn close_streams(&mut self) {
        for number in 0..self.rows.streams.len() as u32 {
            self.close_stream(number);
        }
    }

    fn close_stream(&mut self, number: u32) {
        self.spread(number);
        let place = self.rows.streams.get_mut(number as usize);
        let Some(stream) = place.and_then(Option::take) else {
            return;
        };
        self.rows.numbers.remove(&stream.key);
        self.rows.free.push(number);
        for id in &*stream.ids {
            self.table.set_row_place(*id, None);
        }
    }

    /// Lets the rows of a stream go to their series.
    fn spread(&mut self, number: u32) {
        let Some(Some(stream)) = self.rows.streams.get_mut(number as usize) else {
            return;
        };
        if stream.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut stream.rows);
        let ids = Arc::clone(&stream.ids);
        let newest = rows.last().map_or(0, |row| row.sequence);
        // Who has pinned what came later sees all of it.
        let reader = self.oldest_reader().filter(|oldest| *oldest < newest);
        let mut samples: SmallVec<[(i64, f64); ROWS_MAX]> = SmallVec::new();
        for (part, ids_of_part) in ids.chunks(super::WARM_SERIES).enumerate() {
            self.warm(ids_of_part.iter());
            for (slot, id) in (part * super::WARM_SERIES..).zip(ids_of_part) {
                samples.clear();
                let values = rows
                    .iter()
                    .map(|row| Some((row.ms, *row.values.get(slot)?)));
                samples.extend(values.flatten());
                let Some(series) = self.table.get_mut(*id) else {
                    continue;
                };
                if reader.is_none() {
                    series.mark(newest, None);
                    if series.push_floats(&samples) {
                        continue;
                    }
                }
                // A reader that sees some of the rows sees them one by one. Anything else than floats cannot be there, but
                // if it were, no sample shall be lost for that.
                for (row, (ms, value)) in rows.iter().zip(&samples) {
                    series.mark(row.sequence, reader.filter(|oldest| *oldest < row.sequence));
                    if !series.push_floats(&[(*ms, *value)]) {
                        series.push(*id, Sample::float(*ms, *value), false, &self.blocks);
                    }
                }
            }
        }
        if let Some(Some(stream)) = self.rows.streams.get_mut(number as usize) {
            stream.rows = rows;
            stream.rows.clear();
        }
    }

    /// Lets rows of batches up to `sequence` go to their series, of the streams from `from` on: so many at a time that
    /// nobody waits long. Streams of which nothing has come since the last flush are closed. Returns where to go on.
    pub(crate) fn spread_for_flush(&mut self, sequence: u64, from: u32) -> Option<u32> {
        let number = from;
        let stream = self.rows.streams.get_mut(number as usize)?;
        if let Some(stream) = stream {
            let was_used = std::mem::take(&mut stream.is_used);
            let oldest = stream.rows.first().map(|row| row.sequence);
            if !was_used {
                self.close_stream(number);
            } else if oldest.is_some_and(|oldest| oldest <= sequence) {
                self.spread(number);
            }
        }
        number.checked_add(1)
    }

    /// Time of the newest sample of a series.
    #[inline]
    pub(crate) fn newest_of(&self, id: SeriesId, series: &Series) -> Option<i64> {
        let pending = self.pending(id, u64::MAX).last();
        pending.map_or_else(|| series.newest_ms(), |(ms, _)| Some(ms))
    }

    /// The value of a series at a time, if the sample is not with it yet.
    pub(super) fn pending_value(&self, id: SeriesId, ms: i64) -> Option<SampleValue> {
        let mut pending = self.pending(id, u64::MAX);
        let (_, value) = pending.find(|(at, _)| *at == ms)?;
        Some(SampleValue::Float(value))
    }
}

/// How many rows are kept of a stream with so many series.
const fn limit(series: usize) -> usize {
    let most = VALUES_MAX / if series > 0 { series } else { 1 };
    if most < ROWS_MAX { most } else { ROWS_MAX }
}

#[cfg(test)]
mod tests;
