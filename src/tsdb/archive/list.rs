use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Archive, Entry};
use crate::model::{Labels, Matcher};
use crate::tsdb::batch::SeriesId;
use crate::tsdb::blocks::Blocks;
use crate::tsdb::error::Error;

/// All archives, the oldest first. The list never changes; there is a new one instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Archives {
    list: Vec<Arc<Archive>>,
}

impl Archives {
    pub(crate) const fn new(list: Vec<Arc<Archive>>) -> Self {
        Self { list }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Archive>> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.list.iter().map(|archive| archive.bytes()).sum()
    }

    /// Series of all files; one that has come back and ended again counts twice until they are merged.
    pub(crate) fn series(&self) -> u64 {
        self.list.iter().map(|archive| archive.series()).sum()
    }

    /// Damaged pages that were met.
    pub(crate) fn damages(&self) -> u64 {
        self.list.iter().map(|archive| archive.damages()).sum()
    }

    /// First and last time of all series.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let spans = self.list.iter().map(|archive| archive.span());
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Whether some series has deleted times.
    pub(crate) fn has_tombstones(&self) -> bool {
        self.list.iter().any(|archive| archive.has_tombstones())
    }

    /// The list with others in the place of some archives that stand together, or at the end.
    pub(crate) fn replaced(&self, gone: &[u64], new: Vec<Arc<Archive>>) -> Self {
        let is_gone = |archive: &Arc<Archive>| gone.contains(&archive.number());
        let at = self.list.iter().position(is_gone);
        let mut list = self.list.clone();
        list.retain(|archive| !is_gone(archive));
        let at = at.unwrap_or(list.len()).min(list.len());
        list.splice(at..at, new);
        Self { list }
    }

    /// Whether pages of some are damaged or lost, until that one is written anew.
    pub(crate) fn is_damaged(&self) -> bool {
        self.list.iter().any(|archive| archive.is_damaged())
    }

    /// What is known of a series: what the newest archive that has it says. Fails when a page is found damaged; the
    /// next time the answer is [`Self::left_of`].
    pub(crate) fn entry(&self, id: SeriesId, blocks: &Blocks) -> Result<Option<Entry>, Error> {
        for (at, archive) in self.list.iter().enumerate().rev() {
            if let Some(entry) = archive.entry(id)? {
                return Ok(Some(self.completed(at, entry, blocks)));
            }
        }
        Ok(None)
    }

    /// What is left of a series, whatever is damaged.
    pub(crate) fn left_of(&self, id: SeriesId, blocks: &Blocks) -> Result<Option<Entry>, Error> {
        self.newest(blocks, |archive| archive.entry(id))
    }

    /// The series with these labels. A damaged page counts as one that does not have it.
    pub(crate) fn find(&self, labels: &Labels, blocks: &Blocks) -> Result<Option<Entry>, Error> {
        if self.list.is_empty() {
            return Ok(None);
        }
        let hash = labels.hash64();
        self.newest(blocks, |archive| archive.find(labels, hash))
    }

    /// What the newest archive says that knows something. One with a damaged page does not.
    fn newest(
        &self,
        blocks: &Blocks,
        ask: impl Fn(&Archive) -> Result<Option<Entry>, Error>,
    ) -> Result<Option<Entry>, Error> {
        for (at, archive) in self.list.iter().enumerate().rev() {
            match ask(archive) {
                Ok(Some(entry)) => return Ok(Some(self.completed(at, entry, blocks))),
                Ok(None) | Err(Error::Corrupt { .. }) => {}
                failed => return failed,
            }
        }
        Ok(None)
    }

    /// What the archive at a place says of a series. If a newer one has lost it, blocks say how far it goes: what a
    /// reader sees must not depend on which block a sample lies in.
    fn completed(&self, at: usize, mut entry: Entry, blocks: &Blocks) -> Entry {
        let mut newer = self.list.iter().skip(at + 1);
        if newer.any(|archive| archive.has_lost(entry.id))
            && let Some(span) = blocks.span_of(entry.id)
        {
            entry.extend(&span);
        }
        entry
    }

    /// What is left, by number, of series that an archive has lost: what older ones say, and how far blocks say that
    /// they go.
    pub(crate) fn left_of_lost(&self, number: u64, blocks: &Blocks) -> Result<Vec<Entry>, Error> {
        let mut list = self.list.iter();
        let mut ids = BTreeSet::new();
        if let Some(damaged) = list.rfind(|archive| archive.number() == number) {
            // What is left are the older ones.
            for older in list {
                // Their damage is told when they are asked.
                let _ = older.each(|entry| {
                    if damaged.has_lost(entry.id) {
                        ids.insert(entry.id);
                    }
                    Ok(())
                })?;
            }
        }
        let left = ids.into_iter().map(|id| self.left_of(id, blocks));
        left.filter_map(Result::transpose).collect()
    }

    /// The series that fulfil all matchers, by number, of the archives that have something between two times.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<SeriesId>, Error> {
        let mut found = Vec::new();
        // What a damaged one has lost, others may know less of than blocks.
        let is_damaged = self.is_damaged();
        for archive in &self.list {
            let (first_ms, last_ms) = archive.span();
            if is_damaged || first_ms <= max_ms && last_ms >= min_ms {
                found.append(&mut archive.select(matchers)?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
