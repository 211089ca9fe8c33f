use std::collections::BTreeMap;
use std::sync::Arc;

use super::directory::{Directory, Name, ValuesPage};
use super::values::{self, LIST_BYTES_MAX};
use super::{
    DIR, DIRECTORY, Entry, FOOTER, HASH_BYTES, HASHES, HEADER, LIST, SERIES, VALUES, path,
    put_header, series, temporary,
};
use crate::codec::frame;
use crate::codec::{put_u32, put_u64};
use crate::disk::{Disk, File};
use crate::tsdb::batch::SeriesId;
use crate::tsdb::error::Error;
use crate::tsdb::head::List;

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// A page with hashes has so many.
const HASHES_MAX: usize = 170;

/// Writes an archive of some series, which come by number.
pub(crate) fn write(disk: &Arc<dyn Disk>, number: u64, entries: Vec<Entry>) -> Result<(), Error> {
    let mut writer = Writer::create(disk, number)?;
    let mut hashes: Vec<(u64, SeriesId)> = entries
        .iter()
        .map(|entry| (entry.labels.hash64(), entry.id))
        .collect();
    hashes.sort_unstable();
    // Names and values are borrowed while the entries are handed on.
    let labels: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.labels.clone(),
                entry.id,
                entry.first_ms,
                entry.last_ms,
            )
        })
        .collect();
    for entry in entries {
        writer.add(entry)?;
    }
    let mut values: BTreeMap<(&str, &str), OfValue> = BTreeMap::new();
    for (labels, id, first_ms, last_ms) in &labels {
        for pair in labels {
            let of_value = values.entry(pair).or_default();
            of_value.list.insert(*id);
            of_value.span = Some(joined(of_value.span, (*first_ms, *last_ms)));
        }
    }
    for ((name, value), of_value) in values {
        if let Some(span) = of_value.span {
            writer.value(name, value, span, &of_value.list)?;
        }
    }
    for (hash, id) in hashes {
        writer.hash(hash, id)?;
    }
    writer.finish()
}

#[derive(Default)]
struct OfValue {
    list: List,
    span: Option<(i64, i64)>,
}

/// Both spans and what is between them.
pub(super) fn joined(span: Option<(i64, i64)>, with: (i64, i64)) -> (i64, i64) {
    let (first, last) = span.unwrap_or(with);
    (first.min(with.0), last.max(with.1))
}

/// An archive under construction, in a temporary file: first all series by number, then all values by name and
/// value, then all hashes.
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    file: Box<dyn File>,
    number: u64,
    frames: u64,
    offset: u64,
    buffer: Vec<u8>,
    directory: Directory,
    page: series::Builder,
    all: List,
    values: values::Builder,
    hashes: Vec<u8>,
    first_hash: u64,
}

impl Writer {
    pub(super) fn create(disk: &Arc<dyn Disk>, number: u64) -> Result<Self, Error> {
        disk.create_dir(DIR)?;
        let file = disk.create(&temporary(number))?;
        let mut writer = Self {
            disk: Arc::clone(disk),
            file,
            number,
            frames: 0,
            offset: 0,
            buffer: Vec::new(),
            directory: Directory::new(),
            page: series::Builder::default(),
            all: List::default(),
            values: values::Builder::default(),
            hashes: Vec::new(),
            first_hash: 0,
        };
        let mut header = Vec::new();
        put_header(&mut header);
        writer.frame(HEADER, &header)?;
        Ok(writer)
    }

    /// Adds a series with a higher number than all before it.
    pub(super) fn add(&mut self, entry: Entry) -> Result<(), Error> {
        let directory = &mut self.directory;
        directory.series += 1;
        directory.tombstones += u64::from(!entry.tombstones.is_empty());
        directory.first_ms = directory.first_ms.min(entry.first_ms);
        directory.last_ms = directory.last_ms.max(entry.last_ms);
        self.all.insert(entry.id);
        if self.page.add(entry) {
            self.end_page()?;
        }
        Ok(())
    }

    /// All series that were added.
    pub(super) const fn all(&self) -> &List {
        &self.all
    }

    fn end_page(&mut self) -> Result<(), Error> {
        let Some(first) = self.page.first_id() else {
            return Ok(());
        };
        self.directory.pages.push((first, self.offset));
        let mut payload = Vec::new();
        self.page.take(&mut payload);
        self.frame(SERIES, &payload)
    }

    /// Adds a value that comes after all before it by name and value, with first and last time of its series.
    pub(super) fn value(
        &mut self,
        name: &str,
        value: &str,
        span: (i64, i64),
        list: &List,
    ) -> Result<(), Error> {
        self.end_page()?;
        if self.values.key().0 != name {
            self.end_values()?;
            self.values = values::Builder::new(name);
        }
        let mut bytes = Vec::new();
        list.put(&mut bytes);
        let is_full = if bytes.len() > LIST_BYTES_MAX {
            let place = (self.offset, bytes.len() as u64);
            self.frame(LIST, &bytes)?;
            self.values.add(value, span, Err(place))
        } else {
            self.values.add(value, span, Ok(&bytes))
        };
        if is_full {
            self.end_values()?;
        }
        Ok(())
    }

    fn end_values(&mut self) -> Result<(), Error> {
        if self.values.is_empty() {
            return Ok(());
        }
        let (name, first) = self.values.key();
        let names = &mut self.directory.names;
        let (first_ms, last_ms) = (self.values.first_ms, self.values.last_ms);
        match names.last_mut().filter(|last| *last.text == *name) {
            Some(last) => (last.first_ms, last.last_ms) = (first_ms, last_ms),
            None => names.push(Name {
                text: name.into(),
                first_ms,
                last_ms,
                page: self.directory.values.len(),
            }),
        }
        self.directory.values.push(ValuesPage {
            first: first.into(),
            offset: self.offset,
        });
        let mut payload = Vec::new();
        self.values.take(&mut payload);
        self.frame(VALUES, &payload)
    }

    /// Adds a hash that is not less than those before it.
    pub(super) fn hash(&mut self, hash: u64, id: SeriesId) -> Result<(), Error> {
        self.end_values()?;
        if self.hashes.is_empty() {
            self.first_hash = hash;
        }
        put_u64(&mut self.hashes, hash);
        put_u32(&mut self.hashes, id);
        if self.hashes.len() >= HASHES_MAX * HASH_BYTES {
            self.end_hashes()?;
        }
        Ok(())
    }

    fn end_hashes(&mut self) -> Result<(), Error> {
        if self.hashes.is_empty() {
            return Ok(());
        }
        self.directory.hashes.push((self.first_hash, self.offset));
        let payload = std::mem::take(&mut self.hashes);
        self.frame(HASHES, &payload)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), Error> {
        let start = frame::begin(&mut self.buffer);
        self.buffer.extend_from_slice(payload);
        if !frame::finish(&mut self.buffer, start, self.number, kind, self.frames) {
            return Err(Error::BatchTooLarge);
        }
        self.frames += 1;
        self.offset += (self.buffer.len() - start) as u64;
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file and makes it and its name survive a power cut. It counts when the manifest names it.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.end_page()?;
        self.end_values()?;
        self.end_hashes()?;
        let mut all = Vec::new();
        self.all.put(&mut all);
        self.directory.all = (self.offset, all.len() as u64);
        self.frame(LIST, &all)?;
        let at = self.offset;
        let mut directory = Vec::new();
        self.directory.put(&mut directory);
        self.frame(DIRECTORY, &directory)?;
        let mut footer = Vec::new();
        put_u64(&mut footer, at);
        self.frame(FOOTER, &footer)?;
        self.flush()?;
        self.file.sync()?;
        self.disk
            .rename(&temporary(self.number), &path(self.number))?;
        self.disk.sync_dir(DIR)?;
        Ok(())
    }
}
