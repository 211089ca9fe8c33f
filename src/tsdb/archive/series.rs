//! A page with series: their labels, and between which times they have samples.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Entry;
use crate::codec::{Error, Reader, put_str, put_varint, put_zigzag};
use crate::model::{Labels, Metadata};
use crate::tsdb::batch::{SeriesId, read_id};
use crate::tsdb::head::Tombstone;
use crate::tsdb::wire;

/// A page ends with so many series, or when their labels have about so many bytes before they are shared.
const SERIES_MAX: usize = 128;
const TEXT_BYTES_MAX: usize = 64 << 10;

/// What a series' flags say: its last sample is a native histogram.
const HISTOGRAM: u64 = 1;

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    entries: Vec<Entry>,
    text_bytes: usize,
}

impl Builder {
    /// Adds a series with a higher number than all before it; true when the page is full.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        let texts = entry.labels.iter();
        self.text_bytes += texts
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>();
        self.entries.push(entry);
        self.entries.len() >= SERIES_MAX || self.text_bytes >= TEXT_BYTES_MAX
    }

    /// The number of the first series.
    pub(super) fn first_id(&self) -> Option<SeriesId> {
        self.entries.first().map(|entry| entry.id)
    }

    /// Appends the payload and begins anew.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        let entries = std::mem::take(&mut self.entries);
        self.text_bytes = 0;
        let labels = entries.iter().flat_map(|entry| entry.labels.iter());
        let pairs = numbered(out, labels, |out, (name, value)| {
            put_str(out, name);
            put_str(out, value);
        });
        let declared = entries.iter().filter_map(|entry| entry.metadata.as_deref());
        let declared = numbered(out, declared, wire::put_metadata);
        put_varint(out, entries.len() as u64);
        let (mut id, mut first_ms) = (0, 0i64);
        for entry in &entries {
            put_varint(out, u64::from(entry.id - id));
            put_zigzag(out, entry.first_ms.wrapping_sub(first_ms));
            (id, first_ms) = (entry.id, entry.first_ms);
            put_zigzag(out, entry.last_ms.wrapping_sub(entry.first_ms));
            put_varint(out, if entry.is_histogram { HISTOGRAM } else { 0 });
            let metadata = entry.metadata.as_deref();
            let metadata = metadata.and_then(|metadata| declared.get(&metadata));
            put_varint(out, metadata.map_or(0, |number| number + 1));
            put_varint(out, entry.labels.len() as u64);
            for pair in entry.labels.iter().filter_map(|pair| pairs.get(&pair)) {
                put_varint(out, *pair);
            }
            put_varint(out, entry.tombstones.len() as u64);
            for tombstone in &entry.tombstones {
                tombstone.put(out);
            }
        }
    }
}

/// Writes each distinct value once, in order, and says which number each has.
fn numbered<T: Ord + Copy>(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = T>,
    put: impl Fn(&mut Vec<u8>, T),
) -> BTreeMap<T, u64> {
    let mut numbers: BTreeMap<T, u64> = values.map(|value| (value, 0)).collect();
    put_varint(out, numbers.len() as u64);
    for (number, (value, place)) in (0..).zip(&mut numbers) {
        put(out, *value);
        *place = number;
    }
    numbers
}

/// A page that was read.
#[derive(Debug)]
pub(super) struct Page {
    payload: Vec<u8>,
    /// Where the texts of each pair are.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    metadata: Vec<Arc<Metadata>>,
    rows: Vec<Row>,
    /// The pairs of all rows.
    numbers: Vec<u32>,
    tombstones: Vec<Tombstone>,
}

#[derive(Debug)]
struct Row {
    id: SeriesId,
    first_ms: i64,
    last_ms: i64,
    is_histogram: bool,
    /// Number plus 1.
    metadata: u64,
    numbers: Range<usize>,
    tombstones: Range<usize>,
}

impl Page {
    pub(super) fn parse(payload: Vec<u8>) -> Result<Self, Error> {
        let mut page = Self {
            payload: Vec::new(),
            pairs: Vec::new(),
            metadata: Vec::new(),
            rows: Vec::new(),
            numbers: Vec::new(),
            tombstones: Vec::new(),
        };
        page.read(&payload)?;
        page.payload = payload;
        Ok(page)
    }

    fn read(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        let range = |text: &str, reader: &Reader<'_>| {
            let end = payload.len() - reader.rest().len();
            end - text.len()..end
        };
        for _ in 0..reader.count(2)? {
            let name = reader.str()?;
            let name = range(name, reader);
            let value = reader.str()?;
            self.pairs.push((name, range(value, reader)));
        }
        for _ in 0..reader.count(3)? {
            self.metadata.push(Arc::new(wire::metadata(reader)?));
        }
        let (mut id, mut first_ms): (SeriesId, i64) = (0, 0);
        for _ in 0..reader.count(7)? {
            let step = read_id(reader)?;
            let invalid = Error::Invalid("series number");
            if step == 0 && !self.rows.is_empty() {
                return Err(invalid);
            }
            id = id.checked_add(step).ok_or(invalid)?;
            first_ms = first_ms.wrapping_add(reader.zigzag()?);
            let last_ms = first_ms.wrapping_add(reader.zigzag()?);
            let is_histogram = reader.varint()? & HISTOGRAM != 0;
            let metadata = reader.varint()?;
            let (numbers, tombstones) = (self.numbers.len(), self.tombstones.len());
            for _ in 0..reader.count(1)? {
                let number = reader.varint()?;
                let number = u32::try_from(number)
                    .ok()
                    .filter(|number| (*number as usize) < self.pairs.len());
                self.numbers
                    .push(number.ok_or(Error::Invalid("label pair"))?);
            }
            for _ in 0..reader.count(3)? {
                self.tombstones.push(Tombstone::read(reader)?);
            }
            self.rows.push(Row {
                id,
                first_ms,
                last_ms,
                is_histogram,
                metadata,
                numbers: numbers..self.numbers.len(),
                tombstones: tombstones..self.tombstones.len(),
            });
        }
        Ok(())
    }

    /// The numbers of the series.
    pub(super) fn ids(&self) -> impl Iterator<Item = SeriesId> + '_ {
        self.rows.iter().map(|row| row.id)
    }

    fn row(&self, id: SeriesId) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        self.rows.get(at)
    }

    /// A series.
    pub(super) fn entry(&self, id: SeriesId) -> Option<Entry> {
        let row = self.row(id)?;
        let numbers = self.numbers.get(row.numbers.clone())?;
        let pairs = numbers.iter().filter_map(|number| self.pair(*number));
        let metadata = row.metadata.checked_sub(1);
        let metadata = metadata.and_then(|number| self.metadata.get(number as usize));
        let tombstones = self.tombstones.get(row.tombstones.clone())?;
        Some(Entry {
            id: row.id,
            labels: Labels::from_sorted(pairs),
            first_ms: row.first_ms,
            last_ms: row.last_ms,
            is_histogram: row.is_histogram,
            metadata: metadata.cloned(),
            tombstones: tombstones.to_vec(),
        })
    }

    fn pair(&self, number: u32) -> Option<(&str, &str)> {
        let (name, value) = self.pairs.get(number as usize)?;
        let text = |range: &Range<usize>| {
            let bytes = self.payload.get(range.clone())?;
            std::str::from_utf8(bytes).ok()
        };
        Some((text(name)?, text(value)?))
    }
}
