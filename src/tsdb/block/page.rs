//! A page: some neighbouring series of a block with all that the block holds of them. It stands alone.
//!
//! Series of one target have the same times, so times are written once and named by number.

use std::sync::Arc;

use super::run::{COLUMN_SAMPLES_MAX, Run};
use super::{column, ints};
use crate::codec::{Error, Reader, put_varint, put_zigzag};
use crate::tsdb::batch::{SeriesId, read_id};
use crate::tsdb::chunk::Chunk;

/// So many of the newest lists of times are compared with a new one.
const TIMES_COMPARED: usize = 4;

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    first_id: Option<SeriesId>,
    last_id: SeriesId,
    times: Vec<Vec<i64>>,
    series: u64,
    directory: Vec<u8>,
    data: Vec<u8>,
}

impl Builder {
    /// Adds a series with a higher number than all before it.
    pub(super) fn add(&mut self, id: SeriesId, runs: &[Run]) {
        self.first_id.get_or_insert(id);
        put_varint(&mut self.directory, u64::from(id - self.last_id));
        self.last_id = id;
        self.series += 1;
        put_varint(&mut self.directory, runs.len() as u64);
        for run in runs {
            let start = self.data.len();
            match run {
                Run::Floats { times, values } => {
                    let number = self.times_number(times);
                    put_varint(&mut self.directory, number as u64 + 1);
                    column::put(&mut self.data, values);
                }
                Run::Chunk(chunk) => {
                    put_varint(&mut self.directory, 0);
                    put_zigzag(&mut self.directory, chunk.min_ms());
                    let span = chunk.max_ms().wrapping_sub(chunk.min_ms());
                    put_varint(&mut self.directory, span as u64);
                    chunk.put(&mut self.data);
                }
            }
            put_varint(&mut self.directory, (self.data.len() - start) as u64);
        }
    }

    fn times_number(&mut self, times: &[i64]) -> usize {
        let known = self.times.iter().enumerate().rev().take(TIMES_COMPARED);
        for (number, list) in known {
            if list == times {
                return number;
            }
        }
        self.times.push(times.to_vec());
        self.times.len() - 1
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.data.len() + self.directory.len() + self.times.len() * 16
    }

    pub(super) const fn first_id(&self) -> Option<SeriesId> {
        self.first_id
    }

    /// Appends the page and begins the next.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        put_varint(out, self.times.len() as u64);
        let mut list = Vec::new();
        for times in &self.times {
            list.clear();
            ints::put(&mut list, times);
            put_varint(out, times.len() as u64);
            let (first, last) = (times.first().copied(), times.last().copied());
            let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
            put_zigzag(out, first);
            put_varint(out, last.wrapping_sub(first) as u64);
            put_varint(out, list.len() as u64);
            out.extend_from_slice(&list);
        }
        put_varint(out, self.series);
        put_varint(out, self.directory.len() as u64);
        out.extend_from_slice(&self.directory);
        out.extend_from_slice(&self.data);
        *self = Self::default();
    }
}

/// A page that was read.
#[derive(Debug)]
pub(super) struct Page<'a> {
    times: Vec<Times<'a>>,
    series: u64,
    directory: &'a [u8],
    data: &'a [u8],
}

/// A list of times that runs share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'a> {
    pub(super) count: usize,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) bytes: &'a [u8],
}

/// Where a run lies in a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) min_ms: i64,
    pub(super) max_ms: i64,
    /// Its number and the list.
    times: Option<(usize, Times<'a>)>,
    bytes: &'a [u8],
}

impl Times<'_> {
    /// Decodes it.
    pub(super) fn read(&self) -> Result<Vec<i64>, Error> {
        let times = ints::read(&mut Reader::new(self.bytes), self.count)?;
        let is_sorted = times.is_sorted_by(|a, b| a < b);
        let ends = (times.first().copied(), times.last().copied());
        if is_sorted && ends == (Some(self.first), Some(self.last)) {
            Ok(times)
        } else {
            Err(Error::Invalid("times"))
        }
    }
}

impl<'a> Page<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let mut times = Vec::new();
        for _ in 0..reader.count(4)? {
            let count = usize::try_from(reader.varint()?).map_err(|_| Error::Invalid("page"))?;
            if count == 0 || count > COLUMN_SAMPLES_MAX {
                return Err(Error::Invalid("page"));
            }
            let first = reader.zigzag()?;
            let last = first.wrapping_add(reader.varint()? as i64);
            let bytes = reader.bytes()?;
            times.push(Times {
                count,
                first,
                last,
                bytes,
            });
        }
        Ok(Self {
            times,
            series: reader.varint()?,
            directory: reader.bytes()?,
            data: reader.rest(),
        })
    }

    pub(super) fn times(&self) -> &[Times<'a>] {
        &self.times
    }

    /// Hands every series with the places of its runs to `each`, which returns whether to go on.
    pub(super) fn walk(
        &self,
        mut each: impl FnMut(SeriesId, &[Place<'a>]) -> bool,
    ) -> Result<(), Error> {
        let mut directory = Reader::new(self.directory);
        let mut data = Reader::new(self.data);
        let mut id: SeriesId = 0;
        let mut places = Vec::new();
        for _ in 0..self.series {
            id = id
                .checked_add(read_id(&mut directory)?)
                .ok_or(Error::Invalid("series number"))?;
            places.clear();
            for _ in 0..directory.count(2)? {
                places.push(self.place(&mut directory, &mut data)?);
            }
            if !each(id, &places) {
                break;
            }
        }
        Ok(())
    }

    fn place(&self, directory: &mut Reader<'a>, data: &mut Reader<'a>) -> Result<Place<'a>, Error> {
        let times = match directory.varint()?.checked_sub(1) {
            None => None,
            Some(number) => {
                let number = usize::try_from(number).map_err(|_| Error::Invalid("page"))?;
                let times = self.times.get(number);
                Some((number, *times.ok_or(Error::Invalid("page"))?))
            }
        };
        let (min_ms, max_ms) = if let Some((_, times)) = times {
            (times.first, times.last)
        } else {
            let min_ms = directory.zigzag()?;
            (min_ms, min_ms.wrapping_add(directory.varint()? as i64))
        };
        let length = usize::try_from(directory.varint()?).map_err(|_| Error::UnexpectedEnd)?;
        Ok(Place {
            min_ms,
            max_ms,
            times,
            bytes: data.take(length)?,
        })
    }
}

impl Place<'_> {
    /// How many samples the run has, as far as the directory says.
    pub(super) fn count(&self) -> usize {
        match self.times {
            Some((_, times)) => times.count,
            None => self.chunk().map_or(0, |chunk| chunk.count() as usize),
        }
    }

    /// Whether it is a column of floats, and the bytes of its values.
    pub(super) const fn shape(&self) -> (bool, u64) {
        (self.times.is_some(), self.bytes.len() as u64)
    }

    /// Reads the run.
    pub(super) fn read(&self) -> Result<Run, Error> {
        match self.times {
            None => self.chunk().map(|chunk| Run::Chunk(Arc::new(chunk))),
            Some((_, times)) => Ok(Run::Floats {
                times: times.read()?,
                values: Self::values_of(self.bytes, times.count)?,
            }),
        }
    }

    fn chunk(&self) -> Result<Chunk, Error> {
        Chunk::read(&mut Reader::new(self.bytes))
    }

    /// The values of a column of so many floats.
    pub(super) fn values_of(bytes: &[u8], count: usize) -> Result<Vec<f64>, Error> {
        column::read(&mut Reader::new(bytes), count)
    }

    /// Which list of times of the page it has; none when it is a chunk.
    pub(super) fn times_number(&self) -> Option<usize> {
        self.times.map(|(number, _)| number)
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        self.bytes
    }
}
