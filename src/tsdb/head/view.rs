use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use super::series::{Limit, Series, Tombstone};
use crate::model::Sample;
use crate::storage;
use crate::tsdb::batch::SeriesId;
use crate::tsdb::block::{Block, Run, RunSamples};
use crate::tsdb::blocks::{Blocks, is_hidden};
use crate::tsdb::chunk::{Chunk, Samples};
use crate::tsdb::error::damaged_chunk;

/// What one reader sees of one series between two times: an iterator over its samples in time order.
/// It owns what it reads, so that it outlives the lock under which it was made. Blocks are read when their
/// time has come.
#[derive(Debug)]
pub(crate) struct SeriesView {
    id: SeriesId,
    /// Sources yet to be opened, by their first time.
    pending: VecDeque<(i64, Source)>,
    open: Vec<Stream>,
    tombstones: Vec<Tombstone>,
    min_ms: i64,
    max_ms: i64,
}

#[derive(Debug)]
enum Source {
    Block(Arc<Block>),
    /// A chunk in memory, and how far the reader sees into it.
    Chunk(Arc<Chunk>, i64),
    Late(Vec<Sample>),
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
    /// Runs of a block, each of which begins after the one before.
    Runs {
        current: Option<RunSamples>,
        runs: vec::IntoIter<Run>,
        through: u64,
    },
    Chunk(Samples, i64),
    Late(vec::IntoIter<Sample>),
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
        // What is in a block was visible before the list of blocks was pinned.
        for block in blocks.between(min_ms.max(series.first_ms), max_ms) {
            pending.push((block.min_ms().max(min_ms), Source::Block(block)));
        }
        for chunk in series.chunks() {
            let from = chunk.min_ms();
            if chunk.max_ms() >= min_ms && from <= max_ms && from <= limit.newest_ms {
                pending.push((from, Source::Chunk(chunk, limit.newest_ms)));
            }
        }
        if let Some(extra) = &series.extra {
            let late: Vec<Sample> = extra
                .late
                .range(min_ms..=max_ms)
                .filter(|(_, late)| late.number < limit.late_count)
                .map(|(_, late)| late.sample.clone())
                .collect();
            if let Some(first) = late.first() {
                pending.push((first.timestamp_ms, Source::Late(late)));
            }
        }
        pending.sort_by_key(|(from, _)| *from);
        Self {
            id,
            pending: pending.into(),
            open: Vec::new(),
            tombstones: series.tombstones().to_vec(),
            min_ms,
            max_ms,
        }
    }

    /// Opens every source that may hold a sample before the next one at hand.
    fn fill(&mut self) -> Result<(), storage::Error> {
        loop {
            let next_ms = self.open.iter().map(|s| s.next.timestamp_ms).min();
            let due = self
                .pending
                .front()
                .is_some_and(|(from, _)| next_ms.is_none_or(|next| *from <= next));
            if !due {
                return Ok(());
            }
            let Some((_, source)) = self.pending.pop_front() else {
                return Ok(());
            };
            let (mut rest, rank) = match source {
                Source::Block(block) => {
                    let through = block.through();
                    let rest = Rest::Runs {
                        current: None,
                        runs: block.read(self.id, self.min_ms, self.max_ms)?.into_iter(),
                        through,
                    };
                    (rest, through)
                }
                Source::Chunk(chunk, limit_ms) => (
                    Rest::Chunk(Samples::new(chunk, u32::MAX), limit_ms),
                    u64::MAX,
                ),
                Source::Late(late) => (Rest::Late(late.into_iter()), u64::MAX - 1),
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
                Rest::Runs {
                    current,
                    runs,
                    through,
                } => match current.as_mut().and_then(Iterator::next) {
                    Some(sample) => {
                        let sample = sample.map_err(damaged_chunk)?;
                        let hidden = is_hidden(&self.tombstones, *through, sample.timestamp_ms);
                        (sample, hidden)
                    }
                    None => match runs.next() {
                        Some(run) => {
                            *current = Some(run.samples());
                            continue;
                        }
                        None => return Ok(None),
                    },
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
}

impl Iterator for SeriesView {
    type Item = Result<Sample, storage::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // The usual case: one source, and none before its end.
        if let [stream] = self.open.as_slice()
            && self
                .pending
                .front()
                .is_none_or(|(from, _)| *from > stream.next.timestamp_ms)
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

impl SeriesView {
    /// Ends with an error.
    fn fail(&mut self, error: storage::Error) -> Result<Sample, storage::Error> {
        self.pending.clear();
        self.open.clear();
        Err(error)
    }
}
