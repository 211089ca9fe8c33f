//! Blocks: immutable files with samples of many series over some time. How is one series read from a large file
//! without reading the rest?
//!
//! A block's series lie in the order of their numbers in pages of a few KiB, each under its own checksum. In
//! memory are the first number and the offset of each page. Labels are not here: the catalog has them.

mod column;
mod ints;
mod merge;
mod opened;
mod page;
mod recover;
mod run;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::batch::SeriesId;
use super::error::Error;
use super::read_only::BlockInfo;
use crate::codec::frame::{Frame, Frames, HEADER_BYTES};
use crate::codec::{self, Reader};
use crate::disk::{Disk, File};

pub(crate) use merge::merge_blocks;
pub(crate) use opened::Found;
pub(crate) use run::{Run, RunSamples, Runs};
pub(crate) use write::{Plan, Writer};

use opened::Opened;
use page::Page;
use recover::Checked;

/// The folder of the blocks.
pub(crate) const DIR: &str = "tsdb/block";

/// The version of blocks; a newer one is refused.
pub(crate) const VERSION: u64 = 1;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-blk\0\0");

/// Kinds of frames.
const HEADER: u8 = 1;
const PAGE: u8 = 2;
const SUMMARY: u8 = 3;
const DIRECTORY: u8 = 4;
const FOOTER: u8 = 5;

/// Pages of a block that are kept to be quick.
const SLOTS: usize = 32;

const FOOTER_BYTES: usize = HEADER_BYTES + 5 * 8;

/// Where a block's file is.
pub(crate) fn path(number: u64) -> String {
    format!("{DIR}/{number:08}")
}

/// Where it is while it is written.
pub(crate) fn temporary(number: u64) -> String {
    format!("{}.tmp", path(number))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Header {
    level: u8,
    through: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Footer {
    min_ms: i64,
    max_ms: i64,
    samples: u64,
    series: u64,
    /// Where the last page ends.
    pages_end: u64,
}

/// What the summary says of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeriesSpan {
    pub(crate) id: SeriesId,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Its last sample is a native histogram.
    pub(crate) is_histogram: bool,
}

/// A page and its number.
type Recent = Option<(usize, Arc<Opened>)>;

/// A block that is open for reading.
#[derive(Debug)]
pub(crate) struct Block {
    number: u64,
    header: Header,
    footer: Footer,
    bytes: u64,
    file: Box<dyn File>,
    /// First series of each page, and where it begins; the last entry is where the pages end.
    first_ids: Vec<SeriesId>,
    offsets: Vec<u64>,
    /// Pages that were read lately, each in the slot of its number: neighbours are often read together.
    recent: Mutex<[Recent; SLOTS]>,
    /// Pages that were found damaged: who finds one is told, who comes later reads what is left.
    damaged: Mutex<BTreeSet<usize>>,
    damages: AtomicU64,
}

impl Block {
    /// Opens a block and hands what it says of its series to `each`. Damage outside the pages is healed by
    /// looking through the pages; the second part says whether it was.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        number: u64,
        mut each: impl FnMut(SeriesSpan),
    ) -> Result<(Self, bool), Error> {
        let mut spans = Vec::new();
        let (block, healed) = match Self::open_tail(disk, number, |span| spans.push(span)) {
            Ok(block) => (block, false),
            Err(Error::Corrupt { .. }) => {
                let (block, found) = recover::recover(disk.open(&path(number))?, number)?;
                spans = found;
                (block, true)
            }
            Err(e) => return Err(e),
        };
        spans.into_iter().for_each(&mut each);
        Ok((block, healed))
    }

    /// Opens a block that was written just now: its series are known, and what is said of them is not kept.
    pub(crate) fn open_new(disk: &Arc<dyn Disk>, number: u64) -> Result<Self, Error> {
        match Self::open_tail(disk, number, |_| {}) {
            Err(Error::Corrupt { .. }) => Ok(Self::open(disk, number, |_| {})?.0),
            opened => opened,
        }
    }

    /// Reads all of a block's file.
    pub(crate) fn verify(disk: &Arc<dyn Disk>, path: &str, number: u64) -> Result<Checked, Error> {
        recover::verify(&*disk.open(path)?, number)
    }

    /// Lets go of what is only kept to be quick.
    pub(crate) fn drop_cache(&self) {
        *self.recent.lock() = Default::default();
    }

    /// Opens a block of which nothing but pages may be damaged. What was handed to `each` counts when it succeeds.
    fn open_tail(
        disk: &Arc<dyn Disk>,
        number: u64,
        mut each: impl FnMut(SeriesSpan),
    ) -> Result<Self, Error> {
        let file = disk.open(&path(number))?;
        let bytes = file.size()?;
        let corrupt = |what: &'static str| Error::corrupt(&path(number), 0, &what);
        let start = read_range(&*file, 0, 64.min(bytes))?;
        let header = single(&start, HEADER, number)
            .and_then(|frame| Header::read(frame.payload).ok())
            .ok_or_else(|| corrupt("block header is damaged"))?;
        let (header, version) = header;
        if version > VERSION {
            return Err(Error::NewerFormat {
                path: path(number),
                found: version,
                known: VERSION,
            });
        }
        let footer_at = bytes
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| corrupt("block is cut"))?;
        let end = read_range(&*file, footer_at, FOOTER_BYTES as u64)?;
        let footer = single(&end, FOOTER, number)
            .and_then(|frame| Footer::read(frame.payload).ok())
            .filter(|footer| footer.pages_end <= footer_at)
            .ok_or_else(|| corrupt("block footer is damaged"))?;
        let tail = read_range(&*file, footer.pages_end, footer_at - footer.pages_end)?;
        let mut series = 0;
        let mut count = |span| {
            series += 1;
            each(span);
        };
        let (mut first_ids, mut offsets) = (Vec::new(), Vec::new());
        let mut frames = Frames::new(&tail, 0, number);
        for frame in frames.by_ref() {
            let read = match frame.kind {
                SUMMARY => read_summary(frame.payload, &mut count),
                DIRECTORY => read_directory(frame.payload, &mut first_ids, &mut offsets),
                _ => Err(codec::Error::Invalid("frame")),
            };
            read.map_err(|_| corrupt("block directory is damaged"))?;
        }
        let whole = frames.is_finished() && series == footer.series;
        if !whole || offsets.last().is_some_and(|last| *last >= footer.pages_end) {
            return Err(corrupt("block directory is damaged"));
        }
        offsets.push(footer.pages_end);
        Ok(Self::new(
            number, header, footer, bytes, file, first_ids, offsets,
        ))
    }

    fn new(
        number: u64,
        header: Header,
        footer: Footer,
        bytes: u64,
        file: Box<dyn File>,
        first_ids: Vec<SeriesId>,
        offsets: Vec<u64>,
    ) -> Self {
        Self {
            number,
            header,
            footer,
            bytes,
            file,
            first_ids,
            offsets,
            recent: Mutex::default(),
            damaged: Mutex::default(),
            damages: AtomicU64::new(0),
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn level(&self) -> u8 {
        self.header.level
    }

    /// The newest record that it holds something of.
    pub(crate) const fn through(&self) -> u64 {
        self.header.through
    }

    pub(crate) const fn min_ms(&self) -> i64 {
        self.footer.min_ms
    }

    pub(crate) const fn max_ms(&self) -> i64 {
        self.footer.max_ms
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it says of itself.
    pub(crate) fn info(&self) -> BlockInfo {
        BlockInfo {
            number: self.number,
            level: self.header.level,
            min_ms: self.footer.min_ms,
            max_ms: self.footer.max_ms,
            samples: self.footer.samples,
            series: self.footer.series,
            pages: self.pages() as u64,
            bytes: self.bytes,
        }
    }

    /// Pages that were found damaged.
    pub(crate) fn damages(&self) -> u64 {
        self.damages.load(Ordering::Relaxed)
    }

    /// Whether it may hold samples between two times (inclusive).
    pub(crate) const fn overlaps(&self, min_ms: i64, max_ms: i64) -> bool {
        self.footer.min_ms <= max_ms && self.footer.max_ms >= min_ms
    }

    /// Finds what it holds of a series between two times (inclusive): runs that may reach beyond.
    pub(crate) fn find(&self, id: SeriesId, min_ms: i64, max_ms: i64) -> Result<Vec<Found>, Error> {
        let after = self.first_ids.partition_point(|first| *first <= id);
        let Some(number) = after.checked_sub(1) else {
            return Ok(Vec::new());
        };
        let Some(page) = self.opened(number)? else {
            return Ok(Vec::new());
        };
        let offset = self.offset(number);
        let found = page
            .runs_of(id)
            .filter(|(_, place)| place.min_ms <= max_ms && place.max_ms >= min_ms);
        let found = found.map(|(run, place)| Found {
            min_ms: place.min_ms,
            max_ms: place.max_ms,
            page: Arc::clone(&page),
            run,
            block: self.number,
            offset,
        });
        Ok(found.collect())
    }

    /// What it holds of a series between two times (inclusive), in runs that may reach beyond.
    pub(crate) fn read(&self, id: SeriesId, min_ms: i64, max_ms: i64) -> Result<Vec<Run>, Error> {
        let found = self.find(id, min_ms, max_ms)?;
        found.iter().map(Found::read).collect()
    }

    /// A page with its directory at hand; `None` when it is known to be damaged or there is none.
    fn opened(&self, number: usize) -> Result<Option<Arc<Opened>>, Error> {
        if let Some(Some((recent, page))) = self.recent.lock().get(number % SLOTS)
            && *recent == number
        {
            return Ok(Some(Arc::clone(page)));
        }
        let Some(payload) = self.page(number)? else {
            return Ok(None);
        };
        let opened = Opened::new(payload)
            .map_err(|e| Error::corrupt(&path(self.number), self.offset(number), &e))?;
        let opened = Arc::new(opened);
        if let Some(slot) = self.recent.lock().get_mut(number % SLOTS) {
            *slot = Some((number, Arc::clone(&opened)));
        }
        Ok(Some(opened))
    }

    /// Hands every run to `each`: whether it is of floats, how many samples it has and how many bytes they take.
    /// Returns the first damage; the pages behind it are read all the same.
    pub(crate) fn each_run(&self, mut each: impl FnMut(bool, u64, u64)) -> Result<(), Error> {
        let mut outcome = Ok(());
        for number in 0..self.pages() {
            let read = self.page(number).and_then(|payload| {
                let payload = payload.unwrap_or_default();
                let page = Page::parse(&payload);
                page.and_then(|page| {
                    page.walk(|_, places| {
                        for place in places {
                            let (is_float, bytes) = place.shape();
                            each(is_float, place.count() as u64, bytes);
                        }
                        true
                    })
                })
                .map_err(|e| Error::corrupt(&path(self.number), self.offset(number), &e))
            });
            outcome = outcome.and(read);
        }
        outcome
    }

    fn offset(&self, page: usize) -> u64 {
        self.offsets.get(page).copied().unwrap_or(0)
    }

    fn pages(&self) -> usize {
        self.first_ids.len()
    }

    /// The payload of a page; `None` when it is known to be damaged or there is none.
    fn page(&self, number: usize) -> Result<Option<Vec<u8>>, Error> {
        if self.damaged.lock().contains(&number) {
            return Ok(None);
        }
        let (Some(from), Some(to)) = (self.offsets.get(number), self.offsets.get(number + 1))
        else {
            return Ok(None);
        };
        let mut bytes = read_range(&*self.file, *from, to.saturating_sub(*from))?;
        if single(&bytes, PAGE, self.number).is_none() {
            self.damaged.lock().insert(number);
            self.damages.fetch_add(1, Ordering::Relaxed);
            return Err(Error::corrupt(
                &path(self.number),
                *from,
                &"damaged page; its samples are left out from now on",
            ));
        }
        bytes.drain(..HEADER_BYTES);
        Ok(Some(bytes))
    }
}

/// The one frame that `bytes` begin with, if it is of a kind.
fn single(bytes: &[u8], kind: u8, number: u64) -> Option<Frame<'_>> {
    Frames::new(bytes, 0, number)
        .next()
        .filter(|frame| frame.kind == kind)
}

fn read_range(file: &dyn File, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn read_summary(payload: &[u8], each: &mut impl FnMut(SeriesSpan)) -> Result<(), codec::Error> {
    let mut reader = Reader::new(payload);
    let (mut id, mut first_ms, mut last_ms): (SeriesId, i64, i64) = (0, 0, 0);
    while !reader.is_empty() {
        let step = reader.varint()?;
        id = SeriesId::try_from(step >> 1)
            .ok()
            .and_then(|step| id.checked_add(step))
            .ok_or(codec::Error::Invalid("series number"))?;
        first_ms = first_ms.wrapping_add(reader.zigzag()?);
        last_ms = last_ms.wrapping_add(reader.zigzag()?);
        each(SeriesSpan {
            id,
            first_ms,
            last_ms,
            is_histogram: step & 1 == 1,
        });
    }
    Ok(())
}

fn read_directory(
    payload: &[u8],
    first_ids: &mut Vec<SeriesId>,
    offsets: &mut Vec<u64>,
) -> Result<(), codec::Error> {
    let mut reader = Reader::new(payload);
    let (mut id, mut offset): (SeriesId, u64) = (0, 0);
    for _ in 0..reader.count(2)? {
        id = SeriesId::try_from(reader.varint()?)
            .ok()
            .and_then(|step| id.checked_add(step))
            .ok_or(codec::Error::Invalid("series number"))?;
        offset = offset.wrapping_add(reader.varint()?);
        first_ids.push(id);
        offsets.push(offset);
    }
    Ok(())
}

impl Header {
    /// Reads it with the version.
    fn read(payload: &[u8]) -> Result<(Self, u64), codec::Error> {
        let mut reader = Reader::new(payload);
        if reader.u64()? != MAGIC {
            return Err(codec::Error::Invalid("block"));
        }
        let version = reader.varint()?;
        let header = Self {
            level: reader.u8()?,
            through: reader.varint()?,
        };
        Ok((header, version))
    }
}

impl Footer {
    fn read(payload: &[u8]) -> Result<Self, codec::Error> {
        let mut reader = Reader::new(payload);
        Ok(Self {
            min_ms: reader.u64()? as i64,
            max_ms: reader.u64()? as i64,
            samples: reader.u64()?,
            series: reader.u64()?,
            pages_end: reader.u64()?,
        })
    }
}

#[cfg(test)]
mod tests;
