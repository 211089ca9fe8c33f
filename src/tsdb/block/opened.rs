//! A page that was read, with what its directory says at hand: its series are found without a walk, and the times
//! that they share are decoded once.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::page::{Page, Place, Times};
use super::path;
use super::run::Run;
use crate::codec;
use crate::tsdb::batch::SeriesId;
use crate::tsdb::chunk::Chunk;
use crate::tsdb::error::Error;

/// The page.
#[derive(Debug)]
pub(super) struct Opened {
    payload: Vec<u8>,
    /// Series by number, each with the first of its runs.
    series: Vec<(SeriesId, usize)>,
    runs: Vec<Entry>,
    times: Vec<SharedTimes>,
}

/// A run, as the directory has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) min_ms: i64,
    pub(super) max_ms: i64,
    /// Which list of times it has; none when it is a chunk.
    times: Option<usize>,
    bytes: Range<usize>,
}

#[derive(Debug)]
struct SharedTimes {
    count: usize,
    first: i64,
    last: i64,
    bytes: Range<usize>,
    decoded: OnceLock<Arc<[i64]>>,
}

impl Opened {
    pub(super) fn new(payload: Vec<u8>) -> Result<Self, codec::Error> {
        let (mut series, mut runs) = (Vec::new(), Vec::new());
        let page = Page::parse(&payload)?;
        page.walk(|id, places| {
            series.push((id, runs.len()));
            runs.extend(places.iter().map(|place| Entry {
                min_ms: place.min_ms,
                max_ms: place.max_ms,
                times: place.times_number(),
                bytes: range_in(&payload, place.bytes()),
            }));
            true
        })?;
        let times = page.times().iter().map(|times| SharedTimes {
            count: times.count,
            first: times.first,
            last: times.last,
            bytes: range_in(&payload, times.bytes),
            decoded: OnceLock::new(),
        });
        let times = times.collect();
        Ok(Self {
            payload,
            series,
            runs,
            times,
        })
    }

    /// The runs of a series, each with its number in the page.
    pub(super) fn runs_of(&self, id: SeriesId) -> impl Iterator<Item = (usize, &Entry)> {
        let range = match self.series.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => {
                let from = self.series.get(at).map_or(0, |(_, first)| *first);
                let next = self.series.get(at + 1);
                from..next.map_or(self.runs.len(), |(_, first)| *first)
            }
            Err(_) => 0..0,
        };
        range.filter_map(|run| Some((run, self.runs.get(run)?)))
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.payload.get(range.clone()).unwrap_or_default()
    }

    /// A list of times, decoded once for all series that share it.
    fn times(&self, number: usize) -> Result<Arc<[i64]>, codec::Error> {
        let times = self
            .times
            .get(number)
            .ok_or(codec::Error::Invalid("times"))?;
        if let Some(decoded) = times.decoded.get() {
            return Ok(Arc::clone(decoded));
        }
        let read = Times {
            count: times.count,
            first: times.first,
            last: times.last,
            bytes: self.bytes(&times.bytes),
        }
        .read()?;
        Ok(Arc::clone(times.decoded.get_or_init(|| read.into())))
    }
}

/// Where a part lies in the whole that it is a part of.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// A run of a series that was found in a block and is yet to be decoded.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    pub(super) page: Arc<Opened>,
    pub(super) run: usize,
    /// For messages: the block's number and where the page begins.
    pub(super) block: u64,
    pub(super) offset: u64,
}

impl Found {
    /// Appends the samples between two times (inclusive), if they are floats without start timestamps; false
    /// when they are not.
    pub(crate) fn floats(
        &self,
        range: (i64, i64),
        out: &mut Vec<(i64, f64)>,
    ) -> Result<bool, Error> {
        self.try_floats(range, out).map_err(|e| self.damaged(&e))
    }

    fn try_floats(
        &self,
        (min_ms, max_ms): (i64, i64),
        out: &mut Vec<(i64, f64)>,
    ) -> Result<bool, codec::Error> {
        let entry = self.entry()?;
        let Some(number) = entry.times else {
            return self.chunk(entry)?.floats((min_ms, max_ms), out);
        };
        let times = self.page.times(number)?;
        let values = Place::values_of(self.page.bytes(&entry.bytes), times.len())?;
        let from = times.partition_point(|ms| *ms < min_ms);
        let to = times.partition_point(|ms| *ms <= max_ms);
        let times = times.get(from..to).unwrap_or_default();
        let values = values.get(from..to).unwrap_or_default();
        out.extend(times.iter().copied().zip(values.iter().copied()));
        Ok(true)
    }

    /// Whether it is of native histograms, as far as it can be read.
    pub(crate) fn is_histogram(&self) -> bool {
        matches!(self.try_read(), Ok(Run::Chunk(chunk)) if chunk.is_histogram())
    }

    /// Decodes all of it.
    pub(crate) fn read(&self) -> Result<Run, Error> {
        self.try_read().map_err(|e| self.damaged(&e))
    }

    fn try_read(&self) -> Result<Run, codec::Error> {
        let entry = self.entry()?;
        match entry.times {
            None => self.chunk(entry).map(|chunk| Run::Chunk(Arc::new(chunk))),
            Some(number) => {
                let times = self.page.times(number)?;
                Ok(Run::Floats {
                    values: Place::values_of(self.page.bytes(&entry.bytes), times.len())?,
                    times: times.to_vec(),
                })
            }
        }
    }

    fn entry(&self) -> Result<&Entry, codec::Error> {
        let entry = self.page.runs.get(self.run);
        entry.ok_or(codec::Error::Invalid("page"))
    }

    fn chunk(&self, entry: &Entry) -> Result<Chunk, codec::Error> {
        Chunk::read(&mut codec::Reader::new(self.page.bytes(&entry.bytes)))
    }

    fn damaged(&self, error: &codec::Error) -> Error {
        Error::corrupt(&path(self.block), self.offset, error)
    }
}
