use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;
use std::vec;

use super::series::{Limit, Series};
use crate::codec::Error;
use crate::model::Sample;
use crate::tsdb::chunk::{Chunk, Samples};

/// What one reader sees of one series between two times: an iterator over its samples in time order.
/// It owns what it reads, so that it outlives the lock under which it was made.
#[derive(Debug)]
pub(crate) struct SeriesView {
    /// Chunks yet to be read, each with how many of its samples are visible.
    chunks: VecDeque<(Arc<Chunk>, u32)>,
    current: Option<Peekable<Samples>>,
    late: Peekable<vec::IntoIter<Sample>>,
    tombstones: Vec<(i64, i64)>,
    min_ms: i64,
    max_ms: i64,
}

impl SeriesView {
    pub(super) fn new(series: &Series, limit: Limit, min_ms: i64, max_ms: i64) -> Self {
        let mut chunks = VecDeque::new();
        let mut number = series.first_sample;
        let visible = |number: u64, count: u32| {
            u32::try_from(limit.next_sample.saturating_sub(number))
                .unwrap_or(u32::MAX)
                .min(count)
        };
        for chunk in &series.sealed {
            let count = visible(number, chunk.count());
            number += u64::from(chunk.count());
            if count > 0 && chunk.max_ms() >= min_ms && chunk.min_ms() <= max_ms {
                chunks.push_back((Arc::clone(chunk), count));
            }
        }
        if let Some(open) = &series.open {
            let count = visible(number, open.count());
            if count > 0 && open.max_ms() >= min_ms && open.min_ms() <= max_ms {
                chunks.push_back((Arc::new(open.snapshot()), count));
            }
        }
        let (mut late, mut tombstones) = (Vec::new(), Vec::new());
        if let Some(extra) = &series.extra {
            late.extend(
                extra
                    .late
                    .range(min_ms..=max_ms)
                    .filter(|(_, late)| late.number < limit.late_count)
                    .map(|(_, late)| late.sample.clone()),
            );
            tombstones.clone_from(&extra.tombstones);
        }
        Self {
            chunks,
            current: None,
            late: late.into_iter().peekable(),
            tombstones,
            min_ms,
            max_ms,
        }
    }

    /// The time of the next sample in order that is within the range and not deleted.
    fn next_in_order(&mut self) -> Option<Result<i64, Error>> {
        loop {
            if let Some(samples) = &mut self.current {
                match samples.peek() {
                    Some(Err(e)) => return Some(Err(*e)),
                    Some(Ok(sample))
                        if sample.timestamp_ms < self.min_ms
                            || is_in(&self.tombstones, sample.timestamp_ms) =>
                    {
                        samples.next();
                    }
                    Some(Ok(sample)) if sample.timestamp_ms <= self.max_ms => {
                        return Some(Ok(sample.timestamp_ms));
                    }
                    Some(Ok(_)) => {
                        self.chunks.clear();
                        self.current = None;
                        return None;
                    }
                    None => self.current = None,
                }
            } else {
                let (chunk, count) = self.chunks.pop_front()?;
                self.current = Some(Samples::new(chunk, count).peekable());
            }
        }
    }
}

impl Iterator for SeriesView {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let in_order = match self.next_in_order() {
            Some(Err(e)) => {
                self.chunks.clear();
                self.current = None;
                self.late = Vec::new().into_iter().peekable();
                return Some(Err(e));
            }
            Some(Ok(ms)) => Some(ms),
            None => None,
        };
        let late = self.late.peek().map(|sample| sample.timestamp_ms);
        match (in_order, late) {
            (Some(ms), Some(late)) if late < ms => self.late.next().map(Ok),
            (Some(ms), late) => {
                // What came in order wins over a late sample of the same time.
                if late == Some(ms) {
                    self.late.next();
                }
                self.current.as_mut()?.next()
            }
            (None, _) => self.late.next().map(Ok),
        }
    }
}

fn is_in(intervals: &[(i64, i64)], ms: i64) -> bool {
    intervals
        .iter()
        .any(|(from, to)| (*from..=*to).contains(&ms))
}
