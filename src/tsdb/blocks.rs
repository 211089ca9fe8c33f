//! The blocks that make up the store beside the head: a list that readers hold while they read.

use std::sync::Arc;

use super::batch::SeriesId;
use super::block::{Block, Run, SeriesSpan};
use super::error::Error;
use super::head::Tombstone;
use crate::model::SampleValue;

/// All blocks, those with the oldest records first. The list never changes; there is a new one instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks {
    list: Vec<Arc<Block>>,
}

impl Blocks {
    pub(crate) fn new(mut list: Vec<Arc<Block>>) -> Self {
        list.sort_by_key(|block| (block.through(), block.number()));
        Self { list }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Block>> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The list with some blocks replaced by others.
    pub(crate) fn replaced(&self, gone: &[u64], new: Vec<Arc<Block>>) -> Self {
        let kept = self.list.iter().filter(|b| !gone.contains(&b.number()));
        Self::new(kept.cloned().chain(new).collect())
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.list.iter().map(|block| block.bytes()).sum()
    }

    /// First and last time of all samples.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let min = self.list.iter().map(|block| block.min_ms()).min()?;
        let max = self.list.iter().map(|block| block.max_ms()).max()?;
        Some((min, max))
    }

    /// Damaged pages that were met.
    pub(crate) fn damages(&self) -> u64 {
        self.list.iter().map(|block| block.damages()).sum()
    }

    /// The blocks that may hold samples between two times.
    pub(crate) fn between(&self, min_ms: i64, max_ms: i64) -> Vec<Arc<Block>> {
        self.list
            .iter()
            .filter(|block| block.overlaps(min_ms, max_ms))
            .cloned()
            .collect()
    }

    /// What all blocks together hold of a series. Unreadable pages are as if they were not there.
    pub(crate) fn span_of(&self, id: SeriesId) -> Option<SeriesSpan> {
        let mut span: Option<SeriesSpan> = None;
        for block in &self.list {
            let runs = block.find(id, i64::MIN, i64::MAX).unwrap_or_default();
            for run in runs {
                let before = span.unwrap_or(SeriesSpan {
                    id,
                    first_ms: run.min_ms,
                    last_ms: run.max_ms,
                    is_histogram: false,
                });
                span = Some(SeriesSpan {
                    id,
                    first_ms: before.first_ms.min(run.min_ms),
                    last_ms: before.last_ms.max(run.max_ms),
                    is_histogram: if run.max_ms >= before.last_ms {
                        run.is_histogram()
                    } else {
                        before.is_histogram
                    },
                });
            }
        }
        span
    }

    /// The value that a series has at a time; the newest that was written. Unreadable ones are as if they
    /// were not there.
    pub(crate) fn value_at(
        &self,
        id: SeriesId,
        ms: i64,
        tombstones: &[Tombstone],
    ) -> Option<SampleValue> {
        let blocks = self.list.iter().rev();
        for block in blocks.filter(|block| block.overlaps(ms, ms)) {
            if is_hidden(tombstones, block.through(), ms) {
                continue;
            }
            let runs: Result<Vec<Run>, Error> = block.read(id, ms, ms);
            let sample = runs
                .unwrap_or_default()
                .into_iter()
                .flat_map(Run::samples)
                .map_while(Result::ok)
                .find(|sample| sample.timestamp_ms == ms);
            if let Some(sample) = sample {
                return Some(sample.value);
            }
        }
        None
    }
}

/// Whether a sample of a block is deleted, of which the newest record is `through`.
pub(crate) fn is_hidden(tombstones: &[Tombstone], through: u64, ms: i64) -> bool {
    tombstones
        .iter()
        .any(|t| through < t.sequence && (t.min_ms..=t.max_ms).contains(&ms))
}
