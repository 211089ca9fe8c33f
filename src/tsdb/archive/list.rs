use std::sync::Arc;

use super::{Archive, Entry};
use crate::model::{Labels, Matcher};
use crate::tsdb::batch::SeriesId;
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

    /// What is known of a series: what the newest archive that has it says.
    pub(crate) fn entry(&self, id: SeriesId) -> Result<Option<Entry>, Error> {
        for archive in self.list.iter().rev() {
            if let Some(entry) = archive.entry(id)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The series with these labels. A damaged page counts as one that does not have it.
    pub(crate) fn find(&self, labels: &Labels) -> Result<Option<Entry>, Error> {
        if self.list.is_empty() {
            return Ok(None);
        }
        let hash = labels.hash64();
        for archive in self.list.iter().rev() {
            match archive.find(labels, hash) {
                Ok(None) | Err(Error::Corrupt { .. }) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    /// The series that fulfil all matchers, by number, of the archives that have something between two times.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<SeriesId>, Error> {
        let mut found = Vec::new();
        for archive in &self.list {
            let (first_ms, last_ms) = archive.span();
            if first_ms <= max_ms && last_ms >= min_ms {
                found.append(&mut archive.select(matchers)?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
