use crate::codec::{Error, Reader, put_str, put_u64, put_varint, put_zigzag};
use crate::tsdb::batch::{SeriesId, read_id};

/// What is in memory of an archive: where each page is, and what it begins with.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) series: u64,
    /// Series with deleted times.
    pub(super) tombstones: u64,
    /// First and last time of all series.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Where the list of all series is, and its bytes.
    pub(super) all: (u64, u64),
    /// It was made again, and pages are lost.
    pub(super) is_partial: bool,
    /// Pages with series: the first number of each, and where it is.
    pub(super) pages: Vec<(SeriesId, u64)>,
    /// Label names in order.
    pub(super) names: Vec<Name>,
    /// Pages with values, by name and value.
    pub(super) values: Vec<ValuesPage>,
    /// Pages with hashes: the first of each, and where it is.
    pub(super) hashes: Vec<(u64, u64)>,
}

/// A label name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: Box<str>,
    /// First and last time of the series that have it.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Its first page with values; the next name's says where they end.
    pub(super) page: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ValuesPage {
    pub(super) first: Box<str>,
    pub(super) offset: u64,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            ..Self::default()
        }
    }

    /// The page that has a series, if any has.
    pub(super) fn page_of(&self, id: SeriesId) -> Option<usize> {
        let after = self.pages.partition_point(|(first, _)| *first <= id);
        after.checked_sub(1)
    }

    /// The pages with values of a name.
    pub(super) fn pages_of(&self, name: &str) -> std::ops::Range<usize> {
        match self.names.binary_search_by(|n| (*n.text).cmp(name)) {
            Ok(at) => self.pages_at(at),
            Err(_) => 0..0,
        }
    }

    /// The pages with values of the name at a place.
    pub(super) fn pages_at(&self, at: usize) -> std::ops::Range<usize> {
        let start = self.names.get(at).map_or(0, |name| name.page);
        let next = self.names.get(at + 1);
        start..next.map_or(self.values.len(), |name| name.page)
    }

    /// The page that has a value of a name, if any has.
    pub(super) fn page_with(&self, name: &str, value: &str) -> Option<usize> {
        let pages = self.pages_of(name);
        let of_name = self.values.get(pages.clone())?;
        let after = of_name.partition_point(|page| *page.first <= *value);
        Some(pages.start + after.checked_sub(1)?)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.series);
        put_varint(out, self.tombstones);
        put_zigzag(out, self.first_ms);
        put_zigzag(out, self.last_ms);
        let (offset, bytes) = self.all;
        put_varint(out, offset);
        put_varint(out, bytes);
        put_varint(out, self.pages.len() as u64);
        let (mut id, mut before) = (0, 0);
        for (first, offset) in &self.pages {
            put_varint(out, u64::from(first - id));
            put_varint(out, offset - before);
            (id, before) = (*first, *offset);
        }
        put_varint(out, self.names.len() as u64);
        for name in &self.names {
            put_str(out, &name.text);
            put_zigzag(out, name.first_ms);
            put_zigzag(out, name.last_ms);
            put_varint(out, name.page as u64);
        }
        put_varint(out, self.values.len() as u64);
        for page in &self.values {
            put_str(out, &page.first);
            put_varint(out, page.offset - before);
            before = page.offset;
        }
        put_varint(out, self.hashes.len() as u64);
        for (first, offset) in &self.hashes {
            put_u64(out, *first);
            put_varint(out, offset - before);
            before = *offset;
        }
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        let mut directory = Self {
            series: reader.varint()?,
            tombstones: reader.varint()?,
            first_ms: reader.zigzag()?,
            last_ms: reader.zigzag()?,
            all: (reader.varint()?, reader.varint()?),
            ..Self::default()
        };
        let (mut id, mut offset): (SeriesId, u64) = (0, 0);
        for _ in 0..reader.count(2)? {
            id = id
                .checked_add(read_id(reader)?)
                .ok_or(Error::Invalid("series number"))?;
            offset = offset.wrapping_add(reader.varint()?);
            directory.pages.push((id, offset));
        }
        for _ in 0..reader.count(4)? {
            directory.names.push(Name {
                text: reader.str()?.into(),
                first_ms: reader.zigzag()?,
                last_ms: reader.zigzag()?,
                page: usize::try_from(reader.varint()?).map_err(|_| Error::Invalid("page"))?,
            });
        }
        for _ in 0..reader.count(2)? {
            let first = reader.str()?.into();
            offset = offset.wrapping_add(reader.varint()?);
            directory.values.push(ValuesPage { first, offset });
        }
        for _ in 0..reader.count(9)? {
            let first = reader.u64()?;
            offset = offset.wrapping_add(reader.varint()?);
            directory.hashes.push((first, offset));
        }
        Ok(directory)
    }
}
