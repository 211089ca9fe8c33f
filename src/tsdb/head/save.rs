use std::sync::Arc;

use super::Head;
use super::series::{Late, Limit, Saved, Series, add_interval};
use crate::codec::{Error, Reader, put_varint, put_zigzag};
use crate::model::{Labels, Metadata};
use crate::tsdb::batch::{SeriesId, put_sample, read_id, read_sample};
use crate::tsdb::chunk::Chunk;
use crate::tsdb::wire;

/// Which parts of a series follow its number in a checkpoint.
const WITH_REST: u8 = 1;
const WITH_LATE: u8 = 2;

/// What a checkpoint writes of one series: captured under the lock, written without it.
#[derive(Debug)]
pub(crate) struct SavedSeries {
    id: SeriesId,
    limit: Limit,
    first_chunk: u64,
    first_sample: u64,
    /// Chunks from `first_chunk` on, each with how many of its samples count.
    chunks: Vec<(Arc<Chunk>, u32)>,
    late: Option<Vec<Late>>,
    rest: Option<Rest>,
    /// Number of the first chunk that is not in the file as a whole.
    next_chunk: u64,
}

#[derive(Debug)]
struct Rest {
    labels: Labels,
    metadata: Option<Arc<Metadata>>,
    tombstones: Vec<(i64, i64)>,
}

impl Head {
    /// Captures what changed in the next `limit` series from number `from` on since the newest
    /// checkpoint (or all of it, when `full`), as of batch `sequence`, and believes it saved. Returns it
    /// with where to go on.
    pub(crate) fn capture(
        &mut self,
        sequence: u64,
        from: SeriesId,
        limit: usize,
        full: bool,
    ) -> (Vec<SavedSeries>, Option<SeriesId>) {
        let ids: Vec<SeriesId> = self
            .table
            .iter_from(from)
            .take(limit)
            .map(|(id, _)| id)
            .collect();
        let mut captured = Vec::new();
        for id in &ids {
            if let Some(series) = self.table.get_mut(*id)
                && series.state.indexed
                && let Some(saved) = series.capture(*id, sequence, full)
            {
                series.saved = Saved {
                    chunk: saved.next_chunk,
                    sample: saved.limit.next_sample,
                    late: saved.limit.late_count,
                    rest: true,
                };
                captured.push(saved);
            }
        }
        let next = ids
            .last()
            .filter(|_| ids.len() == limit)
            .and_then(|last| last.checked_add(1));
        (captured, next)
    }

    /// Takes the series that were let go since the newest checkpoint.
    pub(crate) fn take_removed(&mut self) -> Vec<SeriesId> {
        std::mem::take(&mut self.removed)
    }

    /// Lets go of series that a checkpoint says are gone.
    pub(crate) fn forget(&mut self, ids: &[SeriesId]) {
        self.remove(ids);
        self.removed.clear();
    }

    /// Takes over what a checkpoint holds of a series.
    pub(crate) fn restore(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            self.restore_series(&mut reader)?;
        }
        Ok(())
    }

    fn restore_series(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let id = read_id(reader)?;
        let parts = reader.u8()?;
        if parts & WITH_REST != 0 {
            let labels = wire::labels(reader)?;
            self.define(id, labels);
            let metadata = match reader.u8()? {
                0 => None,
                _ => Some(wire::metadata(reader)?),
            };
            if let Some(metadata) = metadata {
                self.set_metadata(id, metadata);
            }
            let mut tombstones = Vec::new();
            for _ in 0..reader.count(2)? {
                let from = reader.zigzag()?;
                let to = from.wrapping_add(reader.zigzag()?);
                add_interval(&mut tombstones, from, to);
            }
            if !tombstones.is_empty()
                && let Some(series) = self.table.get_mut(id)
            {
                series.extra.get_or_insert_default().tombstones = tombstones;
            }
        }
        let first_chunk = reader.varint()?;
        let first_sample = reader.varint()?;
        let mut chunks = Vec::new();
        for _ in 0..reader.count(4)? {
            chunks.push(Arc::new(Chunk::read(reader)?));
        }
        let late = if parts & WITH_LATE != 0 {
            Some(read_late(reader)?)
        } else {
            None
        };
        let series = self
            .table
            .get_mut(id)
            .ok_or(Error::Invalid("series number"))?;
        if !chunks.is_empty() {
            series.restore(first_chunk, first_sample, chunks)?;
        }
        if let Some((late_count, late)) = late {
            let extra = series.extra.get_or_insert_default();
            extra.late_count = late_count;
            extra.late = late
                .into_iter()
                .map(|late| (late.sample.timestamp_ms, late))
                .collect();
        }
        series.set_all_saved();
        series.state.indexed = true;
        let labels = series.labels.clone();
        if let Some((min, max)) = series.span() {
            let span = self.span.unwrap_or((min, max));
            self.span = Some((span.0.min(min), span.1.max(max)));
        }
        self.postings.insert(id, &labels);
        Ok(())
    }

    /// Takes over the exemplars that a checkpoint holds.
    pub(crate) fn restore_exemplars(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let labels = wire::labels(&mut reader)?;
            let exemplar = wire::exemplar(&mut reader)?;
            self.exemplars.push(&labels, exemplar);
        }
        Ok(())
    }

    /// Continues the numbers of a checkpoint.
    pub(crate) fn resume(&mut self, sequence: u64, next_id: SeriesId, span: Option<(i64, i64)>) {
        self.sequence = self.sequence.max(sequence);
        self.table.reserve_ids(next_id);
        if let Some((min, max)) = span {
            let known = self.span.unwrap_or((min, max));
            self.span = Some((known.0.min(min), known.1.max(max)));
        }
    }
}

impl Series {
    fn capture(&self, id: SeriesId, sequence: u64, full: bool) -> Option<SavedSeries> {
        let limit = self.limit(sequence);
        let new_samples = full || limit.next_sample > self.saved.sample;
        let new_late = limit.late_count > 0 && (full || limit.late_count > self.saved.late);
        let new_rest = full || !self.saved.rest;
        let is_there = limit.next_sample > 0 || limit.late_count > 0;
        if !is_there || !(new_samples || new_late || new_rest) {
            return None;
        }
        let mut saved = SavedSeries {
            id,
            limit,
            first_chunk: self.first_chunk,
            first_sample: self.first_sample,
            chunks: Vec::new(),
            late: None,
            rest: None,
            next_chunk: self.saved.chunk,
        };
        if new_samples {
            let from = if full { 0 } else { self.saved.chunk };
            self.capture_chunks(&mut saved, from);
        }
        if new_late && let Some(extra) = &self.extra {
            saved.late = Some(
                extra
                    .late
                    .values()
                    .filter(|late| late.number < limit.late_count)
                    .cloned()
                    .collect(),
            );
        }
        if new_rest {
            saved.rest = Some(Rest {
                labels: self.labels.clone(),
                metadata: self.metadata().cloned(),
                tombstones: self
                    .extra
                    .as_ref()
                    .map_or_else(Vec::new, |extra| extra.tombstones.clone()),
            });
        }
        Some(saved)
    }

    fn capture_chunks(&self, saved: &mut SavedSeries, from: u64) {
        let mut sample_number = self.first_sample;
        let open = self.open.as_ref().map(|open| Arc::new(open.snapshot()));
        for (chunk_number, chunk) in
            (self.first_chunk..).zip(self.sealed.iter().chain(open.as_ref()))
        {
            let visible = saved.limit.next_sample.saturating_sub(sample_number);
            if visible == 0 {
                break;
            }
            let count = u32::try_from(visible)
                .unwrap_or(u32::MAX)
                .min(chunk.count());
            if chunk_number >= from {
                if saved.chunks.is_empty() {
                    saved.first_chunk = chunk_number;
                    saved.first_sample = sample_number;
                }
                saved.chunks.push((Arc::clone(chunk), count));
            }
            let is_open = open.as_ref().is_some_and(|open| Arc::ptr_eq(open, chunk));
            if count == chunk.count() && !is_open {
                saved.next_chunk = chunk_number + 1;
            } else {
                saved.next_chunk = chunk_number;
            }
            sample_number += u64::from(chunk.count());
        }
    }

    /// Everything that is there came from a checkpoint.
    fn set_all_saved(&mut self) {
        self.saved.chunk = self.first_chunk + self.sealed.len() as u64;
        self.saved.sample = self.next_sample;
        self.saved.late = self.late_count();
        self.saved.rest = true;
    }
}

impl SavedSeries {
    /// Appends it to a checkpoint's payload.
    pub(crate) fn put(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        put_varint(out, u64::from(self.id));
        let mut parts = 0;
        if self.rest.is_some() {
            parts |= WITH_REST;
        }
        if self.late.is_some() {
            parts |= WITH_LATE;
        }
        out.push(parts);
        if let Some(rest) = &self.rest {
            wire::put_labels(out, &rest.labels);
            out.push(u8::from(rest.metadata.is_some()));
            if let Some(metadata) = &rest.metadata {
                wire::put_metadata(out, metadata);
            }
            put_varint(out, rest.tombstones.len() as u64);
            for (from, to) in &rest.tombstones {
                put_zigzag(out, *from);
                put_zigzag(out, to.wrapping_sub(*from));
            }
        }
        put_varint(out, self.first_chunk);
        put_varint(out, self.first_sample);
        put_varint(out, self.chunks.len() as u64);
        for (chunk, count) in &self.chunks {
            chunk.put_prefix(out, *count)?;
        }
        if let Some(late) = &self.late {
            put_varint(out, u64::from(self.limit.late_count));
            put_varint(out, late.len() as u64);
            let mut last_ms = 0;
            for late in late {
                put_varint(out, u64::from(late.number));
                put_sample(out, 0, &late.sample, 0, last_ms);
                last_ms = late.sample.timestamp_ms;
            }
        }
        Ok(())
    }
}

fn read_late(reader: &mut Reader<'_>) -> Result<(u32, Vec<Late>), Error> {
    let number = |reader: &mut Reader<'_>| {
        u32::try_from(reader.varint()?).map_err(|_| Error::Invalid("late sample"))
    };
    let late_count = number(reader)?;
    let mut list = Vec::new();
    let mut last_ms = 0;
    for _ in 0..reader.count(2)? {
        let number = number(reader)?;
        let (_, sample) = read_sample(reader, 0, last_ms)?;
        last_ms = sample.timestamp_ms;
        list.push(Late { number, sample });
    }
    Ok((late_count, list))
}
