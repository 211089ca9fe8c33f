//! The write-ahead log: what is visible is in it first, in the order in which it became visible.
//!
//! Segments of about 8 MiB hold records; numbers of segments and of records only rise. A failed
//! write or sync ends its segment, which is never written again. After a start the log goes on in a new
//! segment, whose header says which record was the last good one, so that a torn tail needs no repair.

mod ahead;
mod decimal;
mod record;
mod replay;
mod row;

use std::sync::Arc;

use super::batch::Batch;
use super::error::Error;
use crate::codec::frame;
use crate::disk::{Disk, File};

pub(crate) use ahead::Ahead;
pub(crate) use record::{Record, VERSION};
pub(crate) use replay::{Replayed, replay};

use record::{BATCH, ROW, SEGMENT, SegmentHeader};
use row::Streams;

/// The folder of the segments.
pub(crate) const DIR: &str = "tsdb/wal";

/// Where damaged files are kept for a look.
pub(crate) const QUARANTINE: &str = "tsdb/quarantine";

/// The log's writing end.
#[derive(Debug)]
pub(crate) struct Wal {
    disk: Arc<dyn Disk>,
    /// Where records go; `None` after a failure, until [`Wal::heal`].
    segment: Option<Segment>,
    closed: Vec<Closed>,
    /// Number of the next record, used up even when its write fails.
    next_sequence: u64,
    /// The newest record that is in the log.
    written: u64,
    next_number: u64,
    segment_bytes_max: u64,
    /// Files with bytes that no sync has covered.
    unsynced: Vec<Arc<dyn File>>,
    folder_unsynced: bool,
    streams: Streams,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<dyn File>,
    size: u64,
    dirty: bool,
}

/// A segment that is not written any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    /// The newest record in it, or before it when it has none.
    pub(crate) last_sequence: u64,
    pub(crate) bytes: u64,
    pub(crate) damaged: bool,
}

/// What has to be synced.
#[derive(Debug)]
pub(crate) struct SyncJob {
    files: Vec<Arc<dyn File>>,
    folder: Option<Arc<dyn Disk>>,
}

impl SyncJob {
    /// Blocks until everything is on the disk.
    pub(crate) fn run(&self) -> Result<(), Error> {
        for file in &self.files {
            file.sync()?;
        }
        if let Some(disk) = &self.folder {
            disk.sync_dir(DIR)?;
        }
        Ok(())
    }
}

pub(super) fn path(number: u64) -> String {
    format!("{DIR}/{number:08}")
}

impl Wal {
    /// Goes on after what was replayed, in a new segment. A full disk is no error: the log starts broken.
    pub(crate) fn resume(
        disk: Arc<dyn Disk>,
        replayed: &Replayed,
        segment_bytes_max: u64,
    ) -> Result<Self, Error> {
        let mut wal = Self {
            disk,
            segment: None,
            next_sequence: replayed.sequence + 1,
            written: replayed.sequence,
            next_number: replayed.segments.last().map_or(1, |last| last.number + 1),
            closed: replayed.segments.clone(),
            segment_bytes_max,
            unsynced: Vec::new(),
            folder_unsynced: true,
            streams: Streams::default(),
            buffer: Vec::new(),
        };
        for segment in &wal.closed {
            // The process that wrote them may have died before it synced them.
            wal.unsynced
                .push(wal.disk.open(&path(segment.number))?.into());
        }
        match wal.open_segment() {
            Err(e) if !e.is_full() => Err(e),
            _ => Ok(wal),
        }
    }

    /// Writes a record: when this returns, it survives the death of the process.
    pub(crate) fn append(&mut self, record: &Record) -> Result<u64, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let start = frame::begin(&mut buffer);
        record.put(&mut buffer);
        let outcome = self.append_frame(&mut buffer, start, record.kind());
        self.keep(buffer);
        outcome
    }

    /// Writes a batch of a stream, as a row where that is shorter. When this returns, it survives the death of the
    /// process.
    pub(crate) fn append_batch(
        &mut self,
        batch: &Batch,
        stream: Option<u64>,
    ) -> Result<u64, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let start = frame::begin(&mut buffer);
        let row = stream.and_then(|stream| self.streams.put(&mut buffer, stream, batch));
        if row.is_none() {
            batch.put(&mut buffer);
        }
        let kind = if row.is_some() { ROW } else { BATCH };
        let outcome = self.append_frame(&mut buffer, start, kind);
        if let (Ok(sequence), Some(row)) = (&outcome, row) {
            self.streams.written(row, *sequence);
        }
        self.keep(buffer);
        outcome
    }

    /// Keeps a buffer for the next record, unless it is very large.
    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= 1 << 20 {
            self.buffer = buffer;
        }
    }

    fn append_frame(&mut self, buffer: &mut Vec<u8>, start: usize, kind: u8) -> Result<u64, Error> {
        let full = self.segment.as_ref().is_some_and(|segment| {
            segment.size + buffer.len() as u64 > self.segment_bytes_max
                && segment.size > 4 * frame::HEADER_BYTES as u64
        });
        if full {
            self.rotate()?;
        }
        match self.try_append(buffer, start, kind) {
            // The segment has failed, not the disk as a whole: once more in a new one.
            Err(Error::Disk(e)) if !e.is_full() => {
                self.open_segment()?;
                self.try_append(buffer, start, kind)
            }
            other => other,
        }
    }

    fn try_append(&mut self, buffer: &mut Vec<u8>, start: usize, kind: u8) -> Result<u64, Error> {
        let sequence = self.next_sequence;
        let Some(segment) = &mut self.segment else {
            return Err(Error::LogBroken);
        };
        if !frame::finish(buffer, start, segment.number, kind, sequence) {
            return Err(Error::BatchTooLarge);
        }
        self.next_sequence += 1;
        match segment.file.append(buffer) {
            Ok(()) => {
                segment.size += buffer.len() as u64;
                segment.dirty = true;
                self.written = sequence;
                Ok(sequence)
            }
            Err(e) => {
                self.close_segment();
                self.streams.clear();
                Err(e.into())
            }
        }
    }

    /// Uses up a record number for a batch that is visible without being written.
    pub(crate) fn skip(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Ends the segment and begins the next, which needs nothing that earlier ones have.
    pub(crate) fn cut(&mut self) -> Result<(), Error> {
        self.streams.clear();
        self.rotate()
    }

    fn rotate(&mut self) -> Result<(), Error> {
        self.close_segment();
        self.open_segment()
    }

    fn close_segment(&mut self) {
        if let Some(segment) = self.segment.take() {
            if segment.dirty {
                self.unsynced.push(segment.file);
            }
            self.closed.push(Closed {
                number: segment.number,
                last_sequence: self.written,
                bytes: segment.size,
                damaged: false,
            });
        }
    }

    fn open_segment(&mut self) -> Result<(), Error> {
        let number = self.next_number;
        let mut bytes = Vec::new();
        let start = frame::begin(&mut bytes);
        SegmentHeader {
            version: VERSION,
            previous: self.written,
        }
        .put(&mut bytes);
        frame::finish(&mut bytes, start, number, SEGMENT, self.written);
        self.disk.create_dir(DIR)?;
        let file: Arc<dyn File> = self.disk.create(&path(number))?.into();
        self.next_number += 1;
        self.folder_unsynced = true;
        if let Err(e) = file.append(&bytes) {
            // Best effort: replay copes with a segment that has no header.
            let _ = self.disk.remove(&path(number));
            return Err(e.into());
        }
        self.segment = Some(Segment {
            number,
            file,
            size: bytes.len() as u64,
            dirty: true,
        });
        Ok(())
    }

    /// Begins a new segment after a failure. Nothing to do when there was none.
    pub(crate) fn heal(&mut self) -> Result<(), Error> {
        if self.segment.is_some() {
            Ok(())
        } else {
            self.open_segment()
        }
    }

    /// Whether records cannot be written.
    pub(crate) const fn is_broken(&self) -> bool {
        self.segment.is_none()
    }

    /// Takes what has to be synced, to be run without holding the log; `None` when nothing has.
    pub(crate) fn take_unsynced(&mut self) -> Option<SyncJob> {
        let mut files = std::mem::take(&mut self.unsynced);
        if let Some(segment) = &mut self.segment
            && std::mem::take(&mut segment.dirty)
        {
            files.push(Arc::clone(&segment.file));
        }
        let folder = std::mem::take(&mut self.folder_unsynced).then(|| Arc::clone(&self.disk));
        (!files.is_empty() || folder.is_some()).then_some(SyncJob { files, folder })
    }

    /// After a failed sync: what was written since the last good one is not sure any more, so the segment
    /// ends. A flush has to save the samples again from memory.
    pub(crate) fn sync_failed(&mut self) {
        self.close_segment();
        self.streams.clear();
        self.folder_unsynced = true;
        if let Err(_full_or_broken) = self.open_segment() {
            self.segment = None;
        }
    }

    /// Deletes the closed segments of which every record is at most `sequence`; damaged ones are kept
    /// aside instead.
    pub(crate) fn delete_through(&mut self, sequence: u64) -> Result<(), Error> {
        while let Some(oldest) = self.closed.first() {
            if oldest.last_sequence > sequence {
                break;
            }
            let from = path(oldest.number);
            if oldest.damaged {
                self.disk.create_dir(QUARANTINE)?;
                self.disk
                    .rename(&from, &format!("{QUARANTINE}/wal-{:08}", oldest.number))?;
            } else {
                self.disk.remove(&from)?;
            }
            self.closed.remove(0);
        }
        Ok(())
    }

    /// Number of the newest segment.
    pub(crate) const fn segment_number(&self) -> u64 {
        self.next_number.saturating_sub(1)
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.closed.iter().map(|closed| closed.bytes).sum::<u64>()
            + self.segment.as_ref().map_or(0, |segment| segment.size)
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        self.closed.len() + usize::from(self.segment.is_some())
    }
}

#[cfg(test)]
mod tests;
