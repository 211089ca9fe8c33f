//! How series that have ended leave memory, and how they come back.

use std::sync::Arc;

use super::{Head, SERIES_PER_LOCK};
use crate::tsdb::archive::{Archives, Entry};
use crate::tsdb::batch::SeriesId;
use crate::tsdb::block::SeriesSpan;
use crate::tsdb::blocks::Blocks;
use crate::tsdb::error::Error;

/// What a look at some series found.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Those that may leave memory.
    pub(crate) entries: Vec<Entry>,
    /// How many have ended and have samples that no block has.
    pub(crate) waiting: u64,
    /// Where to go on.
    pub(crate) next: Option<SeriesId>,
}

impl Head {
    pub(crate) const fn archives(&self) -> &Arc<Archives> {
        &self.archives
    }

    /// What is on the disk.
    pub(crate) fn stored(&self) -> (Arc<Archives>, Arc<Blocks>) {
        (Arc::clone(&self.archives), Arc::clone(&self.blocks))
    }

    /// What archives have of a series, whatever of them is damaged.
    fn archived(&self, id: SeriesId) -> Result<Option<Entry>, Error> {
        self.archives.left_of(id, &self.blocks)
    }

    /// Shows other archives from now on; who has pinned the list before keeps it. Returns the generation of the new
    /// list.
    pub(crate) fn set_archives(&mut self, archives: Archives) -> u64 {
        self.archives = Arc::new(archives);
        self.generation += 1;
        self.generation
    }

    /// Counts the samples of archived series among all samples, as far as blocks go back.
    pub(crate) fn extend_to_archives(&mut self) {
        if let Some((first_ms, last_ms)) = self.archives.span()
            && let Some((left_ms, _)) = self.blocks.span()
            && last_ms >= left_ms
        {
            self.widen(first_ms.max(left_ms));
            self.widen(last_ms);
        }
    }

    /// Whether deleted times may hide what archives say of a series.
    pub(crate) fn has_tombstones(&self) -> bool {
        self.has_tombstones || self.archives.has_tombstones()
    }

    /// Whether some archive may have a series.
    pub(super) fn is_archived(&self, id: SeriesId) -> bool {
        !matches!(self.archived(id), Ok(None))
    }

    /// Takes a series back that has its labels again: what an archive has of it or, where that is lost, what blocks
    /// have. Otherwise their samples would only show after the next start, when the catalog names the series.
    pub(super) fn restore_stored(&mut self, id: SeriesId) {
        if let Ok(Some(entry)) = self.archived(id) {
            self.restore_entry(id, &entry);
        } else if id < self.stored_below
            && let Some(span) = self.blocks.span_of(id)
        {
            self.extend(span);
        }
    }

    fn restore_entry(&mut self, id: SeriesId, entry: &Entry) {
        self.has_tombstones |= !entry.tombstones.is_empty();
        if let Some(metadata) = &entry.metadata {
            self.set_metadata(id, (**metadata).clone());
        }
        let Some(series) = self.table.get_mut(id) else {
            return;
        };
        series.restore(entry);
        if !series.state.indexed {
            series.state.indexed = true;
            self.list(id);
        }
    }

    /// Takes a series from an archive into memory, unless it is there. The log does not name it yet.
    pub(crate) fn revive(&mut self, entry: &Entry) {
        if self.table.get(entry.id).is_some() {
            return;
        }
        let pairs = self.index.acquire(&entry.labels);
        self.define_pairs(entry.id, &pairs);
        self.restore_entry(entry.id, entry);
    }

    /// As [`Self::revive`] of the series under a number.
    pub(crate) fn revive_id(&mut self, id: SeriesId) {
        if self.table.get(id).is_none()
            && let Ok(Some(entry)) = self.archived(id)
        {
            self.revive(&entry);
        }
    }

    /// Takes a series back that an archive knows, when a block has more of it: what the catalog had to say is lost.
    pub(crate) fn recall(&mut self, span: &SeriesSpan) {
        if self.table.get(span.id).is_none()
            && let Ok(Some(entry)) = self.archived(span.id)
            && !entry.includes(span)
        {
            self.revive(&entry);
        }
    }

    /// Keeps a series in memory that somebody is about to write to.
    pub(crate) fn wake(&mut self, id: SeriesId) {
        if let Some(series) = self.table.get_mut(id) {
            series.state.idle = false;
        }
    }

    /// Looks at the next series from number `from` on: those whose samples are all in blocks are marked or, when they
    /// were before, handed over. Others are counted when their newest sample is older than `ended_ms`.
    pub(crate) fn find_idle(&mut self, from: SeriesId, ended_ms: i64) -> Idle {
        let (ids, next) = self.table.ids_from(from, SERIES_PER_LOCK);
        let (mut idle, mut waiting) = (Vec::new(), 0);
        for id in ids {
            let has_newer = self.has_pending(id);
            let Some(series) = self.table.get_mut(id) else {
                continue;
            };
            if !series.is_settled() {
                let newest = series.span().map(|(_, newest_ms)| newest_ms);
                let has_ended = newest.is_some_and(|newest_ms| newest_ms < ended_ms);
                waiting += u64::from(has_ended && !has_newer);
            } else if std::mem::replace(&mut series.state.idle, true) {
                idle.push(id);
            }
        }
        Idle {
            entries: self.settled(&idle),
            waiting,
            next,
        }
    }

    /// What an archive shall have of some series; those that are not settled are left out. They are marked.
    pub(crate) fn settled(&mut self, ids: &[SeriesId]) -> Vec<Entry> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(labels) = self.labels(*id).filter(|_| !self.has_pending(*id)) else {
                continue;
            };
            if let Some(series) = self.table.get_mut(*id)
                && series.is_settled()
            {
                series.state.idle = true;
                found.push(series.to_entry(*id, labels));
            }
        }
        found
    }

    /// Lets go of series that are in an archive, but for those to which something has come since.
    pub(crate) fn let_go(&mut self, ids: &[SeriesId]) {
        let gone: Vec<SeriesId> = ids
            .iter()
            .copied()
            .filter(|id| {
                let series = self.table.get(*id);
                series.is_some_and(|series| series.state.idle && series.is_settled())
                    && !self.has_pending(*id)
            })
            .collect();
        self.remove(&gone);
    }
}
