use std::sync::Arc;

use super::page::Builder;
use super::run::Run;
use super::{DIR, DIRECTORY, FOOTER, Footer, HEADER, Header, PAGE, SUMMARY, path, temporary};
use crate::codec::frame;
use crate::codec::{put_u64, put_varint, put_zigzag};
use crate::disk::{Disk, File};
use crate::tsdb::batch::SeriesId;
use crate::tsdb::error::Error;

/// A frame of the summary has about so many bytes.
const SUMMARY_BYTES: usize = 256 << 10;

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// What a block is written as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) level: u8,
    /// It holds what records up to this one brought to its series and times.
    pub(crate) through: u64,
}

/// A block under construction, in a temporary file.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    file: Box<dyn File>,
    plan: Plan,
    frames: u64,
    offset: u64,
    buffer: Vec<u8>,
    page: Builder,
    page_bytes: usize,
    directory: Vec<u8>,
    pages: u64,
    last_page: (SeriesId, u64),
    summaries: Vec<Vec<u8>>,
    summary: Summary,
    footer: Footer,
}

/// What the summary's next entry is relative to.
#[derive(Debug, Default)]
struct Summary {
    bytes: Vec<u8>,
    id: SeriesId,
    first_ms: i64,
    last_ms: i64,
}

impl Writer {
    pub(crate) fn create(disk: &Arc<dyn Disk>, plan: Plan) -> Result<Self, Error> {
        disk.create_dir(DIR)?;
        let file = disk.create(&temporary(plan.number))?;
        let mut writer = Self {
            disk: Arc::clone(disk),
            file,
            plan,
            frames: 0,
            offset: 0,
            buffer: Vec::new(),
            page: Builder::default(),
            // A page holds about a dozen series, so that reading one reads little else.
            page_bytes: if plan.level < 2 { 8 << 10 } else { 32 << 10 },
            directory: Vec::new(),
            pages: 0,
            last_page: (0, 0),
            summaries: Vec::new(),
            summary: Summary::default(),
            footer: Footer {
                min_ms: i64::MAX,
                max_ms: i64::MIN,
                ..Footer::default()
            },
        };
        let mut header = Vec::new();
        Header {
            level: plan.level,
            through: plan.through,
        }
        .put(&mut header);
        writer.frame(HEADER, &header)?;
        Ok(writer)
    }

    /// Adds a series with a higher number than all before it; one without samples is left out.
    pub(crate) fn add(&mut self, id: SeriesId, runs: &[Run]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (
            runs.first().and_then(Run::span),
            runs.last().and_then(Run::span),
        ) else {
            return Ok(());
        };
        let (first_ms, last_ms) = (first.0, last.1);
        let is_histogram = matches!(runs.last(), Some(Run::Chunk(chunk)) if chunk.is_histogram());
        self.page.add(id, runs);
        let summary = &mut self.summary;
        let step = u64::from(id - summary.id) << 1 | u64::from(is_histogram);
        put_varint(&mut summary.bytes, step);
        put_zigzag(&mut summary.bytes, first_ms.wrapping_sub(summary.first_ms));
        put_zigzag(&mut summary.bytes, last_ms.wrapping_sub(summary.last_ms));
        (summary.id, summary.first_ms, summary.last_ms) = (id, first_ms, last_ms);
        if summary.bytes.len() >= SUMMARY_BYTES {
            self.summaries.push(std::mem::take(summary).bytes);
        }
        let footer = &mut self.footer;
        footer.min_ms = footer.min_ms.min(first_ms);
        footer.max_ms = footer.max_ms.max(last_ms);
        footer.series += 1;
        footer.samples += runs.iter().map(|run| run.count() as u64).sum::<u64>();
        if self.page.size() >= self.page_bytes {
            self.end_page()?;
        }
        Ok(())
    }

    /// Whether nothing was added.
    pub(crate) const fn is_empty(&self) -> bool {
        self.footer.series == 0
    }

    fn end_page(&mut self) -> Result<(), Error> {
        let Some(first) = self.page.first_id() else {
            return Ok(());
        };
        let (last_id, last_offset) = self.last_page;
        put_varint(&mut self.directory, u64::from(first - last_id));
        put_varint(&mut self.directory, self.offset - last_offset);
        self.last_page = (first, self.offset);
        self.pages += 1;
        let mut payload = Vec::new();
        self.page.take(&mut payload);
        self.frame(PAGE, &payload)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), Error> {
        let start = frame::begin(&mut self.buffer);
        self.buffer.extend_from_slice(payload);
        if !frame::finish(&mut self.buffer, start, self.plan.number, kind, self.frames) {
            return Err(Error::BatchTooLarge);
        }
        self.frames += 1;
        self.offset += (self.buffer.len() - start) as u64;
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Removes the file.
    pub(crate) fn abandon(self) -> Result<(), Error> {
        Ok(self.disk.remove(&temporary(self.plan.number))?)
    }

    /// Ends the file and makes it and its name survive a power cut. It counts when the manifest names it.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.end_file()
    }

    fn end_file(&mut self) -> Result<(), Error> {
        self.end_page()?;
        self.footer.pages_end = self.offset;
        self.summaries.push(std::mem::take(&mut self.summary).bytes);
        for bytes in std::mem::take(&mut self.summaries) {
            self.frame(SUMMARY, &bytes)?;
        }
        let mut directory = Vec::new();
        put_varint(&mut directory, self.pages);
        directory.append(&mut self.directory);
        self.frame(DIRECTORY, &directory)?;
        let mut footer = Vec::new();
        self.footer.put(&mut footer);
        self.frame(FOOTER, &footer)?;
        self.write()?;
        self.file.sync()?;
        let number = self.plan.number;
        self.disk.rename(&temporary(number), &path(number))?;
        self.disk.sync_dir(DIR)?;
        Ok(())
    }
}

impl Footer {
    fn put(&self, out: &mut Vec<u8>) {
        for number in [
            self.min_ms as u64,
            self.max_ms as u64,
            self.samples,
            self.series,
            self.pages_end,
        ] {
            put_u64(out, number);
        }
    }
}

impl Header {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, super::MAGIC);
        put_varint(out, super::VERSION);
        out.push(self.level);
        put_varint(out, self.through);
    }
}
