use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use super::series::{Limit, Series, Tombstone};
use crate::model::Sample;
use crate::storage;
use crate::tsdb::archive::Entry;
use crate::tsdb::batch::SeriesId;
use crate::tsdb::block::{Block, Found, RunSamples};
use crate::tsdb::blocks::{Blocks, is_hidden};
use crate::tsdb::chunk::{Chunk, Samples};
use crate::tsdb::error::damaged_chunk;

/// What one reader sees of one series between two times: its samples in time order. It owns what it reads, so that
/// it outlives the lock under which it was made. Blocks are looked into at the first read, and decoded when
/// their time has come.
#[derive(Debug)]
pub(crate) struct SeriesView {
    id: SeriesId,
    /// Blocks that were not looked into yet.
    blocks: Vec<Arc<Block>>,
    /// Sources yet to be opened, by their first time.
    pending: VecDeque<Source>,
    open: Vec<Stream>,
    /// What was read to see whether there is anything.
    peeked: Option<Result<Sample, storage::Error>>,
    tombstones: Vec<Tombstone>,
    /// The newest sample that the reader sees lies in the range.
    has_newest: bool,
    min_ms: i64,
    max_ms: i64,
}

/// Some samples, and between which times they lie; there is one at either time.
#[derive(Debug)]
struct Source {
    from_ms: i64,
    to_ms: i64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A run of a block, of which the newest record is this.
    Run(Found, u64),
    /// A chunk in memory, and how far the reader sees into it.
    Chunk(Arc<Chunk>, i64),
    Late(Vec<Sample>),
    /// Floats that are newer than all others.
    Newer(Vec<(i64, f64)>),
}

/// A source that is being read.
#[derive(Debug)]
struct Stream {
    next: Sample,
    /// Of samples of the same time the one of the highest rank counts.
    rank: u64,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Run(RunSamples, u64),
    Chunk(Samples, i64),
    Late(vec::IntoIter<Sample>),
    Newer(vec::IntoIter<(i64, f64)>),
}

impl SeriesView {
    pub(super) fn new(
        (id, series): (SeriesId, &Series),
        limit: Limit,
        blocks: &Blocks,
        min_ms: i64,
        max_ms: i64,
    ) -> Self {
        let mut pending = Vec::new();
        for chunk in series.chunks() {
            let (from_ms, to_ms) = (chunk.min_ms(), chunk.max_ms());
            if to_ms >= min_ms && from_ms <= max_ms && from_ms <= limit.newest_ms {
                let what = What::Chunk(chunk, limit.newest_ms);
                pending.push(Source {
                    from_ms,
                    to_ms,
                    what,
                });
            }
        }
        if let Some(extra) = &series.extra {
            let late: Vec<Sample> = extra
                .late
                .range(min_ms..=max_ms)
                .filter(|(_, late)| late.number < limit.late_count)
                .map(|(_, late)| late.sample.clone())
                .collect();
            if let (Some(first), Some(last)) = (late.first(), late.last()) {
                pending.push(Source {
                    from_ms: first.timestamp_ms,
                    to_ms: last.timestamp_ms,
                    what: What::Late(late),
                });
            }
        }
        pending.sort_by_key(|source| source.from_ms);
        Self {
            id,
            // What is in a block was visible before the list of blocks was pinned.
            blocks: blocks.between(min_ms.max(series.first_ms), max_ms),
            pending: pending.into(),
            open: Vec::new(),
            peeked: None,
            tombstones: series.tombstones().to_vec(),
            has_newest: (min_ms..=max_ms).contains(&limit.newest_ms),
            min_ms,
            max_ms,
        }
    }

    /// Adds floats that are newer than what the series has itself, oldest first.
    pub(super) fn with_newer(mut self, floats: impl Iterator<Item = (i64, f64)>) -> Self {
        let range = self.min_ms..=self.max_ms;
        let newer: Vec<(i64, f64)> = floats.filter(|(ms, _)| range.contains(ms)).collect();
        if let (Some((from_ms, _)), Some((to_ms, _))) = (newer.first(), newer.last()) {
            self.has_newest = true;
            self.pending.push_back(Source {
                from_ms: *from_ms,
                to_ms: *to_ms,
                what: What::Newer(newer),
            });
        }
        self
    }

    /// What a reader sees of a series that an archive has.
    pub(crate) fn archived(entry: &Entry, blocks: &Blocks, min_ms: i64, max_ms: i64) -> Self {
        Self {
            id: entry.id,
            blocks: blocks.between(min_ms.max(entry.first_ms), max_ms.min(entry.last_ms)),
            pending: VecDeque::new(),
            open: Vec::new(),
            peeked: None,
            tombstones: entry.tombstones.clone(),
            has_newest: (min_ms..=max_ms).contains(&entry.last_ms),
            min_ms,
            max_ms,
        }
    }

    /// Whether there is no sample; an error counts as one.
    pub(crate) fn is_empty(&mut self) -> bool {
        if self.has_newest && self.tombstones.is_empty() {
            return false;
        }
        if let Err(e) = self.look_into_blocks() {
            self.peeked = Some(self.fail(e.into()));
            return false;
        }
        let (min_ms, max_ms) = (self.min_ms, self.max_ms);
        let is_seen = |source: &Source, ms: i64| {
            let is_visible = match &source.what {
                What::Chunk(_, limit_ms) => ms <= *limit_ms,
                What::Run(..) | What::Late(_) | What::Newer(_) => true,
            };
            is_visible && (min_ms..=max_ms).contains(&ms)
        };
        let is_sure = self.tombstones.is_empty()
            && self
                .pending
                .iter()
                .any(|source| is_seen(source, source.from_ms) || is_seen(source, source.to_ms));
        if is_sure {
            return false;
        }
        self.peeked = self.next();
        self.peeked.is_none()
    }

    /// Finds the series in the blocks.
    fn look_into_blocks(&mut self) -> Result<(), crate::tsdb::Error> {
        if self.blocks.is_empty() {
            return Ok(());
        }
        for block in std::mem::take(&mut self.blocks) {
            for found in block.find(self.id, self.min_ms, self.max_ms)? {
                self.pending.push_back(Source {
                    from_ms: found.min_ms,
                    to_ms: found.max_ms,
                    what: What::Run(found, block.through()),
                });
            }
        }
        let pending = self.pending.make_contiguous();
        pending.sort_by_key(|source| source.from_ms);
        Ok(())
    }

    /// Opens every source that may hold a sample before the next one at hand.
    fn fill(&mut self) -> Result<(), storage::Error> {
        loop {
            let next_ms = self.open.iter().map(|s| s.next.timestamp_ms).min();
            let due = self
                .pending
                .front()
                .is_some_and(|source| next_ms.is_none_or(|next| source.from_ms <= next));
            if !due {
                return Ok(());
            }
            let Some(source) = self.pending.pop_front() else {
                return Ok(());
            };
            let (mut rest, rank) = match source.what {
                What::Run(found, through) => (Rest::Run(found.read()?.samples(), through), through),
                What::Chunk(chunk, limit_ms) => (
                    Rest::Chunk(Samples::new(chunk, u32::MAX), limit_ms),
                    u64::MAX,
                ),
                What::Late(late) => (Rest::Late(late.into_iter()), u64::MAX - 1),
                What::Newer(newer) => (Rest::Newer(newer.into_iter()), u64::MAX),
            };
            if let Some(next) = self.step(&mut rest)? {
                self.open.push(Stream { next, rank, rest });
            }
        }
    }

    /// The next sample of a source that is within the range and not deleted.
    fn step(&self, rest: &mut Rest) -> Result<Option<Sample>, storage::Error> {
        loop {
            let (sample, hidden) = match rest {
                Rest::Run(run, through) => match run.next() {
                    Some(sample) => {
                        let sample = sample.map_err(damaged_chunk)?;
                        let hidden = is_hidden(&self.tombstones, *through, sample.timestamp_ms);
                        (sample, hidden)
                    }
                    None => return Ok(None),
                },
                Rest::Chunk(samples, limit_ms) => match samples.next() {
                    Some(sample) => {
                        let sample = sample.map_err(damaged_chunk)?;
                        if sample.timestamp_ms > *limit_ms {
                            return Ok(None);
                        }
                        // In order, whatever is in a deleted stretch is older than the deletion.
                        let hidden = is_hidden(&self.tombstones, 0, sample.timestamp_ms);
                        (sample, hidden)
                    }
                    None => return Ok(None),
                },
                Rest::Late(late) => match late.next() {
                    Some(sample) => (sample, false),
                    None => return Ok(None),
                },
                // A deletion comes after what it deletes has gone to the series.
                Rest::Newer(newer) => match newer.next() {
                    Some((ms, value)) => (Sample::float(ms, value), false),
                    None => return Ok(None),
                },
            };
            if sample.timestamp_ms > self.max_ms {
                return Ok(None);
            }
            if sample.timestamp_ms >= self.min_ms && !hidden {
                return Ok(Some(sample));
            }
        }
    }

    fn take_next(&mut self) -> Result<Option<Sample>, storage::Error> {
        self.look_into_blocks()?;
        self.fill()?;
        let next_ms = self.open.iter().map(|s| s.next.timestamp_ms).min();
        let Some(next_ms) = next_ms else {
            return Ok(None);
        };
        let mut best: Option<(u64, Sample)> = None;
        let mut at = 0;
        while let Some(stream) = self.open.get_mut(at) {
            if stream.next.timestamp_ms != next_ms {
                at += 1;
                continue;
            }
            let mut stream = self.open.swap_remove(at);
            let rank = stream.rank;
            let following = self.step(&mut stream.rest)?;
            let sample = match following {
                Some(following) => {
                    let sample = std::mem::replace(&mut stream.next, following);
                    self.open.push(stream);
                    sample
                }
                None => stream.next,
            };
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, sample));
            }
        }
        Ok(best.map(|(_, sample)| sample))
    }

    /// Ends with an error.
    fn fail(&mut self, error: storage::Error) -> Result<Sample, storage::Error> {
        self.blocks.clear();
        self.pending.clear();
        self.open.clear();
        Err(error)
    }

    fn try_next_floats(&mut self, out: &mut Vec<(i64, f64)>) -> Result<(), storage::Error> {
        self.look_into_blocks()?;
        let start = out.len();
        let range = (self.min_ms, self.max_ms);
        while out.len() == start
            && let Some(source) = self.pending.front()
        {
            // Samples of the same time in several sources are chosen from one by one.
            let following = self.pending.get(1).map(|following| following.from_ms);
            if following.is_some_and(|from_ms| from_ms <= source.to_ms) {
                return Ok(());
            }
            let are_floats = match &source.what {
                What::Run(found, _) => found.floats(range, out)?,
                What::Chunk(chunk, limit_ms) => {
                    let range = (range.0, range.1.min(*limit_ms));
                    chunk.floats(range, out).map_err(damaged_chunk)?
                }
                What::Newer(newer) => {
                    out.extend_from_slice(newer);
                    true
                }
                What::Late(_) => false,
            };
            if !are_floats {
                return Ok(());
            }
            self.pending.pop_front();
        }
        Ok(())
    }
}

impl Iterator for SeriesView {
    type Item = Result<Sample, storage::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(peeked) = self.peeked.take() {
            return Some(peeked);
        }
        // The usual case: one source, and none before its end.
        if let [stream] = self.open.as_slice()
            && self
                .pending
                .front()
                .is_none_or(|source| source.from_ms > stream.next.timestamp_ms)
            && let Some(mut stream) = self.open.pop()
        {
            return Some(match self.step(&mut stream.rest) {
                Ok(Some(following)) => {
                    let sample = std::mem::replace(&mut stream.next, following);
                    self.open.push(stream);
                    Ok(sample)
                }
                Ok(None) => Ok(stream.next),
                Err(e) => self.fail(e),
            });
        }
        match self.take_next() {
            Ok(sample) => sample.map(Ok),
            Err(e) => Some(self.fail(e)),
        }
    }
}

impl storage::Samples for SeriesView {
    fn next_floats(&mut self, out: &mut Vec<(i64, f64)>) -> Result<(), storage::Error> {
        if self.peeked.is_some() || !self.open.is_empty() || !self.tombstones.is_empty() {
            return Ok(());
        }
        self.try_next_floats(out).inspect_err(|e| {
            let _ = self.fail(e.clone());
        })
    }
}
