//! Archives: immutable files with the labels of series that have ended. How does memory follow the series that are
//! written to, when a query of last week must still find the others?
//!
//! A series to which nobody has written for a while, and whose samples are all in blocks, leaves the head: an
//! archive keeps its number, labels, metadata and deleted times, and for each pair of label name and value the list
//! of its series. Pages of some KiB under their own checksums are read when a query asks for them; in memory are
//! only the first key and the offset of each page. A series that comes back is taken into the head again under its
//! old number. From then on the head's word counts, and among archives that of the newest.

mod directory;
mod filter;
mod list;
mod merge;
mod recover;
mod select;
mod series;
mod values;
mod write;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::batch::SeriesId;
use super::block::SeriesSpan;
use super::error::Error;
use super::head::{List, Tombstone};
use crate::codec::frame::{Frames, HEADER_BYTES};
use crate::codec::{self, Reader, put_u64, put_varint};
use crate::disk::{Disk, File};
use crate::model::{Labels, Metadata};

pub(crate) use list::Archives;
pub(crate) use merge::merge;
pub(crate) use recover::verify;
pub(crate) use select::ArchivedValue;
pub(crate) use write::write;

use directory::Directory;
use filter::Filter;

/// The folder of the archives.
pub(crate) const DIR: &str = "tsdb/archive";

/// The version of archives; a newer one is refused.
pub(crate) const VERSION: u64 = 1;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-arc\0\0");

/// Kinds of frames.
const HEADER: u8 = 1;
const SERIES: u8 = 2;
const VALUES: u8 = 3;
const LIST: u8 = 4;
const HASHES: u8 = 5;
const DIRECTORY: u8 = 6;
const FOOTER: u8 = 7;

const FOOTER_BYTES: usize = HEADER_BYTES + 8;

/// A hash of labels and the number of the series that has them.
const HASH_BYTES: usize = 12;

/// Reading all hashes costs about as much as looking for one in so many of them.
const HASHES_PER_FIND: u64 = 1024;

/// Pages with series that are kept to be quick.
const SLOTS: usize = 4;

/// Where an archive's file is.
pub(crate) fn path(number: u64) -> String {
    format!("{DIR}/{number:08}")
}

/// Where it is while it is written.
pub(crate) fn temporary(number: u64) -> String {
    format!("{}.tmp", path(number))
}

/// What an archive keeps of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
    /// Time of the first and of the newest sample in order, deleted ones among them.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// The newest sample is a native histogram.
    pub(crate) is_histogram: bool,
    pub(crate) metadata: Option<Arc<Metadata>>,
    pub(crate) tombstones: Vec<Tombstone>,
}

impl Entry {
    /// Whether it may have samples between two times that are not deleted.
    pub(crate) fn is_live(&self, min_ms: i64, max_ms: i64) -> bool {
        let (from, to) = (self.first_ms.max(min_ms), self.last_ms.min(max_ms));
        let mut tombstones = self.tombstones.iter();
        from <= to && !tombstones.any(|t| t.covers(from, to) && !t.is_revived)
    }

    /// Whether its times include those of a block.
    pub(crate) const fn includes(&self, span: &SeriesSpan) -> bool {
        self.first_ms <= span.first_ms && self.last_ms >= span.last_ms
    }

    /// Lets its times include what blocks hold.
    fn extend(&mut self, span: &SeriesSpan) {
        self.first_ms = self.first_ms.min(span.first_ms);
        if span.last_ms >= self.last_ms {
            self.last_ms = span.last_ms;
            self.is_histogram = span.is_histogram;
        }
    }
}

type Recent = Option<(usize, Arc<series::Page>)>;

/// An archive that is open for reading.
#[derive(Debug)]
pub(crate) struct Archive {
    number: u64,
    bytes: u64,
    file: Box<dyn File>,
    directory: Directory,
    recent: Mutex<[Recent; SLOTS]>,
    /// Offsets of pages that were found damaged: who finds one is told, who comes later gets what is left.
    damaged: Mutex<BTreeSet<u64>>,
    damages: AtomicU64,
    /// Says of most labels that they are not here, once that was asked often.
    filter: OnceLock<Filter>,
    /// How often it was asked before.
    finds: AtomicU64,
}

impl Archive {
    /// Opens an archive. When its directory is damaged, it is made again from the pages; the second part says
    /// whether it was.
    pub(crate) fn open(disk: &Arc<dyn Disk>, number: u64) -> Result<(Self, bool), Error> {
        let path = path(number);
        let file = disk.open(&path)?;
        let bytes = file.size()?;
        let corrupt = |what: &'static str| Error::corrupt(&path, 0, &what);
        let start = read_range(&*file, 0, 64.min(bytes))?;
        let version = single(&start, HEADER, number)
            .and_then(|payload| read_header(payload).ok())
            .ok_or_else(|| corrupt("archive header is damaged"))?;
        if version > VERSION {
            return Err(Error::NewerFormat {
                path,
                found: version,
                known: VERSION,
            });
        }
        let found = match read_directory(&*file, bytes, number)? {
            Some(directory) => (directory, false),
            None => (recover::directory(&*file, number)?, true),
        };
        let archive = Self {
            number,
            bytes,
            file,
            directory: found.0,
            recent: Mutex::default(),
            damaged: Mutex::default(),
            damages: AtomicU64::new(0),
            filter: OnceLock::new(),
            finds: AtomicU64::new(0),
        };
        Ok((archive, found.1))
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many series it has.
    pub(crate) const fn series(&self) -> u64 {
        self.directory.series
    }

    /// First and last time of all samples.
    pub(crate) const fn span(&self) -> (i64, i64) {
        (self.directory.first_ms, self.directory.last_ms)
    }

    /// Whether some series has deleted times.
    pub(crate) const fn has_tombstones(&self) -> bool {
        self.directory.tombstones > 0
    }

    /// Damaged pages that were met.
    pub(crate) fn damages(&self) -> u64 {
        self.damages.load(Ordering::Relaxed)
    }

    /// Whether pages are damaged or lost, so that it should be written anew.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damages() > 0 || self.directory.is_partial
    }

    /// Lets go of what is only kept to be quick.
    pub(crate) fn drop_cache(&self) {
        *self.recent.lock() = Default::default();
    }

    /// What it has of a series.
    pub(crate) fn entry(&self, id: SeriesId) -> Result<Option<Entry>, Error> {
        let Some(number) = self.directory.page_of(id) else {
            return Ok(None);
        };
        Ok(self.series_page(number)?.and_then(|page| page.entry(id)))
    }

    /// Whether it may have had a series, of which the page is known to be damaged.
    fn has_lost(&self, id: SeriesId) -> bool {
        if self.damages() == 0 {
            return false;
        }
        let page = self.directory.page_of(id);
        let page = page.and_then(|number| self.directory.pages.get(number));
        page.is_some_and(|(_, offset)| self.damaged.lock().contains(offset))
    }

    /// Hands over every series. Damage is passed over; the first is returned, if nobody has met it before.
    pub(crate) fn each(
        &self,
        mut each: impl FnMut(Entry) -> Result<(), Error>,
    ) -> Result<Option<Error>, Error> {
        let mut damage = None;
        for number in 0..self.directory.pages.len() {
            match self.series_page(number) {
                Ok(None) => {}
                Ok(Some(page)) => {
                    let mut entries = page.ids().filter_map(|id| page.entry(id));
                    entries.try_for_each(&mut each)?;
                }
                Err(e @ Error::Corrupt { .. }) => damage = damage.or(Some(e)),
                Err(e) => return Err(e),
            }
        }
        Ok(damage)
    }

    /// The series with these labels, of which this is the hash.
    pub(crate) fn find(&self, labels: &Labels, hash: u64) -> Result<Option<Entry>, Error> {
        if self.directory.is_partial {
            return self.find_by_values(labels);
        }
        match self.filter.get() {
            Some(filter) if !filter.may_have(hash) => return Ok(None),
            Some(_) => {}
            None => {
                self.finds.fetch_add(1, Ordering::Relaxed);
            }
        }
        let mut page = self.directory.hashes.partition_point(|p| p.0 < hash);
        // The page before may end with the hash.
        page = page.saturating_sub(1);
        while let Some((first, offset)) = self.directory.hashes.get(page) {
            if *first > hash {
                break;
            }
            let payload = match self.payload(*offset, HASHES) {
                Ok(Some(payload)) => payload,
                Ok(None) | Err(Error::Corrupt { .. }) => return self.find_by_values(labels),
                Err(e) => return Err(e),
            };
            let (entries, _) = payload.as_chunks::<HASH_BYTES>();
            let start = entries.partition_point(|entry| split_hash(*entry).0 < hash);
            for entry in entries.get(start..).unwrap_or_default() {
                let (other, id) = split_hash(*entry);
                if other != hash {
                    return Ok(None);
                }
                let entry = self.entry(id)?;
                if entry.as_ref().is_some_and(|entry| entry.labels == *labels) {
                    return Ok(entry);
                }
            }
            page += 1;
        }
        Ok(None)
    }

    /// Makes looking for labels that are not here cheap, if that was done so often that reading all hashes is worth it:
    /// every new series is looked for in every archive. Most archives are never asked, so it is not done when they are
    /// opened.
    pub(crate) fn filter_finds(&self) -> Result<(), Error> {
        let finds = self.finds.load(Ordering::Relaxed);
        let is_worth_it = finds > 0 && finds.saturating_mul(HASHES_PER_FIND) >= self.series();
        if self.filter.get().is_some() || self.directory.is_partial || !is_worth_it {
            return Ok(());
        }
        self.finds.store(0, Ordering::Relaxed);
        let mut filter = Filter::new(self.series());
        for (_, offset) in &self.directory.hashes {
            let Some(payload) = self.payload(*offset, HASHES)? else {
                return Ok(());
            };
            let (entries, _) = payload.as_chunks::<HASH_BYTES>();
            for entry in entries {
                filter.insert(split_hash(*entry).0);
            }
        }
        // Nobody else does this.
        let _ = self.filter.set(filter);
        Ok(())
    }

    /// All its series.
    fn all(&self) -> Result<List, Error> {
        self.list_at(self.directory.all.0)
    }

    /// The list of series that stands apart at an offset.
    fn list_at(&self, offset: u64) -> Result<List, Error> {
        let payload = self.payload(offset, LIST)?;
        let payload = payload.ok_or_else(|| self.lost(offset))?;
        List::read(&payload).map_err(|e| self.corrupt(offset, &e))
    }

    fn lost(&self, offset: u64) -> Error {
        Error::corrupt(&path(self.number), offset, &"damaged page")
    }

    fn corrupt(&self, offset: u64, reason: &codec::Error) -> Error {
        Error::corrupt(&path(self.number), offset, reason)
    }

    /// A page with series; `None` when it is known to be damaged.
    fn series_page(&self, number: usize) -> Result<Option<Arc<series::Page>>, Error> {
        if let Some(Some((recent, page))) = self.recent.lock().get(number % SLOTS)
            && *recent == number
        {
            return Ok(Some(Arc::clone(page)));
        }
        let Some((_, offset)) = self.directory.pages.get(number) else {
            return Ok(None);
        };
        let Some(payload) = self.payload(*offset, SERIES)? else {
            return Ok(None);
        };
        let page = series::Page::parse(payload).map_err(|e| self.corrupt(*offset, &e))?;
        let page = Arc::new(page);
        if let Some(slot) = self.recent.lock().get_mut(number % SLOTS) {
            *slot = Some((number, Arc::clone(&page)));
        }
        Ok(Some(page))
    }

    /// A page with values.
    fn values_page(&self, number: usize) -> Result<values::Page, Error> {
        let found = self.directory.values.get(number);
        let offset = found.map_or(0, |found| found.offset);
        let payload = self.payload(offset, VALUES)?;
        let payload = payload.ok_or_else(|| self.lost(offset))?;
        values::Page::parse(payload).map_err(|e| self.corrupt(offset, &e))
    }

    /// The list of series of a value.
    fn list_of(&self, page: &values::Page, value: &values::Value) -> Result<List, Error> {
        match &value.place {
            values::Place::Here(range) => {
                List::read(page.bytes(range)).map_err(|e| self.corrupt(0, &e))
            }
            values::Place::Apart(offset, _) => self.list_at(*offset),
        }
    }

    /// The payload of the frame at an offset; `None` when it is known to be damaged.
    fn payload(&self, offset: u64, kind: u8) -> Result<Option<Vec<u8>>, Error> {
        if self.damaged.lock().contains(&offset) {
            return Ok(None);
        }
        let read = frame_at(&*self.file, offset, self.bytes)?;
        let good = single(&read, kind, self.number).is_some();
        if !good {
            self.damaged.lock().insert(offset);
            self.damages.fetch_add(1, Ordering::Relaxed);
            return Err(Error::corrupt(
                &path(self.number),
                offset,
                &"damaged page; series in it are left out from now on",
            ));
        }
        let mut bytes = read;
        bytes.drain(..HEADER_BYTES);
        Ok(Some(bytes))
    }
}

/// The bytes of the frame at an offset; empty when its length makes no sense.
fn frame_at(file: &dyn File, offset: u64, end: u64) -> Result<Vec<u8>, Error> {
    use crate::codec::frame::Header;

    // Most frames are read with one call.
    const GUESS_BYTES: u64 = 12 << 10;
    let mut bytes = read_range(file, offset, GUESS_BYTES.min(end.saturating_sub(offset)))?;
    let Some(header) = Header::parse(&bytes) else {
        return Ok(Vec::new());
    };
    let whole = HEADER_BYTES as u64 + u64::from(header.length);
    if whole > end.saturating_sub(offset) {
        return Ok(Vec::new());
    }
    if bytes.len() as u64 >= whole {
        bytes.truncate(whole as usize);
        return Ok(bytes);
    }
    read_range(file, offset, whole)
}

/// The payload of the one frame that `bytes` begin with, if it is of a kind.
fn single(bytes: &[u8], kind: u8, number: u64) -> Option<&[u8]> {
    let frame = Frames::new(bytes, 0, number).next()?;
    (frame.kind == kind).then_some(frame.payload)
}

fn read_range(file: &dyn File, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn put_header(out: &mut Vec<u8>) {
    put_u64(out, MAGIC);
    put_varint(out, VERSION);
}

/// The version.
fn read_header(payload: &[u8]) -> Result<u64, codec::Error> {
    let mut reader = Reader::new(payload);
    if reader.u64()? != MAGIC {
        return Err(codec::Error::Invalid("archive"));
    }
    reader.varint()
}

/// The directory that the footer points to; `None` when one of them is damaged.
fn read_directory(file: &dyn File, bytes: u64, number: u64) -> Result<Option<Directory>, Error> {
    let Some(footer_at) = bytes.checked_sub(FOOTER_BYTES as u64) else {
        return Ok(None);
    };
    let end = read_range(file, footer_at, FOOTER_BYTES as u64)?;
    let offset = single(&end, FOOTER, number).and_then(|payload| Reader::new(payload).u64().ok());
    let Some(offset) = offset.filter(|offset| *offset < footer_at) else {
        return Ok(None);
    };
    let frame = frame_at(file, offset, footer_at)?;
    let payload = single(&frame, DIRECTORY, number);
    Ok(payload.and_then(|payload| Directory::read(payload).ok()))
}

fn split_hash(
    [h0, h1, h2, h3, h4, h5, h6, h7, i0, i1, i2, i3]: [u8; HASH_BYTES],
) -> (u64, SeriesId) {
    (
        u64::from_le_bytes([h0, h1, h2, h3, h4, h5, h6, h7]),
        SeriesId::from_le_bytes([i0, i1, i2, i3]),
    )
}

#[cfg(test)]
mod tests;
