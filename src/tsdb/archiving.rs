//! How series that have ended leave memory: their labels are written to an archive.
//!
//! A pass marks the series whose samples are all in blocks. Those that nobody has written to until the next pass
//! are written to an archive, which counts with the manifest; they leave memory when nobody reads from the lists of
//! before any more. Until then they are in both places, and memory has the last word. Archives are merged so that
//! there are few: their sizes grow at least by half from each to the one before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::archive::{self, Archive, Entry, merge};
use super::batch::SeriesId;
use super::budget::Pressure;
use super::db::Db;
use super::error::Error;
use super::maintain::Maintenance;
use super::wal::{QUARANTINE, Record};
use crate::model::{Labels, Matcher};

/// A series is written to an archive after it was idle for this long, when memory is short.
const PRESSED_IDLE_MS: i64 = 60_000;

/// So many series are written to one archive; they are in memory twice meanwhile and take a kilobyte each.
const SERIES_MAX: usize = 1 << 16;

/// So many when memory is short, which shall not make it shorter.
const PRESSED_SERIES_MAX: usize = 1 << 13;

/// When so many series, and one in so many of those in memory, have ended and only wait for a flush to leave, the flush
/// does not wait for more: pods that come and go would fill the memory of a server that writes little.
const WAITING_MIN: u64 = 1024;
const WAITING_PART: u64 = 8;

/// So many series leave memory under one lock: long lists are written anew each time.
const LEAVING_MAX: usize = 1 << 14;

/// So many archives of similar size become one.
const SIMILAR_MAX: usize = 4;

/// So many series are deleted at once: those that come from archives are in memory meanwhile.
const DELETED_MAX: usize = 1 << 15;

/// Series that are in an archive and still in memory.
#[derive(Debug)]
pub(super) struct Leaving {
    /// The first list of archives that has them.
    generation: u64,
    ids: Vec<SeriesId>,
}

/// What the upkeep remembers of archives.
#[derive(Debug)]
pub(super) struct Archiving {
    last_ms: i64,
    leaving: VecDeque<Leaving>,
}

impl Archiving {
    pub(super) const fn new(now_ms: i64) -> Self {
        Self {
            last_ms: now_ms,
            leaving: VecDeque::new(),
        }
    }
}

impl Db {
    /// What archives know of the series with some labels.
    pub(super) fn archived(&self, labels: &Labels) -> Result<Option<Entry>, Error> {
        let (archives, blocks) = self.head.read().stored();
        archives.find(labels, &blocks)
    }

    /// Does what is due at `now_ms`: looks for series that have ended.
    pub(super) fn archive(&self, maintenance: &mut Maintenance, now_ms: i64) -> Result<(), Error> {
        self.leave(maintenance);
        let archives = Arc::clone(self.head.read().archives());
        for archive in archives.iter() {
            match archive.filter_finds() {
                // It is repaired at once.
                Ok(()) | Err(Error::Corrupt { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        self.repair()?;
        let (idle_ms, series_max) = if self.pressure() >= Pressure::Caches {
            let idle_ms = self.options.idle_ms.min(PRESSED_IDLE_MS);
            (idle_ms, PRESSED_SERIES_MAX)
        } else {
            (self.options.idle_ms, SERIES_MAX)
        };
        let archiving = &mut maintenance.archiving;
        if now_ms.saturating_sub(archiving.last_ms) < idle_ms || !archiving.leaving.is_empty() {
            return Ok(());
        }
        archiving.last_ms = now_ms;
        let ended_ms = now_ms.saturating_sub(idle_ms);
        let (mut from, mut found, mut waiting) = (Some(0), Vec::new(), 0);
        while let Some(id) = from {
            let mut idle = self.head.write().find_idle(id, ended_ms);
            found.append(&mut idle.entries);
            waiting += idle.waiting;
            from = idle.next;
            if found.len() >= series_max || from.is_none() && !found.is_empty() {
                self.write_archive(maintenance, std::mem::take(&mut found))?;
                self.leave(maintenance);
            }
        }
        let series = self.head.read().table().len() as u64;
        maintenance.wanted |= waiting >= WAITING_MIN.max(series / WAITING_PART);
        Ok(())
    }

    /// Writes an archive of some series, by number, and makes it count.
    fn write_archive(
        &self,
        maintenance: &mut Maintenance,
        entries: Vec<Entry>,
    ) -> Result<(), Error> {
        let number = self.file_number();
        let ids = entries.iter().map(|entry| entry.id).collect();
        let written = archive::write(&self.disk, number, entries).inspect_err(|_| {
            // Best effort: the next start removes it.
            let _ = self.disk.remove(&archive::temporary(number));
        });
        written?;
        let generation = self.swap_archives(&[], &[number])?;
        let leaving = &mut maintenance.archiving.leaving;
        leaving.extend(generation.map(|generation| Leaving { generation, ids }));
        Ok(())
    }

    /// Puts archives in the place of those they were made of. `None` when these are not all there any more.
    fn swap_archives(&self, gone: &[u64], new: &[u64]) -> Result<Option<u64>, Error> {
        let opened = new.iter().map(|number| {
            let (archive, _) = Archive::open(&self.disk, *number)?;
            Ok(Arc::new(archive))
        });
        let opened = opened.collect::<Result<Vec<_>, Error>>()?;
        let mut manifest = self.manifest.lock();
        if !gone.iter().all(|number| manifest.archives.contains(number)) {
            return Ok(None);
        }
        let archives = self.head.read().archives().replaced(gone, opened);
        let mut next = manifest.clone();
        next.archives = archives.iter().map(|archive| archive.number()).collect();
        if let Err(e) = self.store(&mut manifest, next, None, None) {
            for number in new.iter().filter(|_| e.is_full()) {
                // Best effort: the next start removes it.
                let _ = self.disk.remove(&archive::path(*number));
            }
            return Err(e);
        }
        Ok(Some(self.head.write().set_archives(archives)))
    }

    /// Lets series leave memory that are in an archive, as far as readers allow.
    fn leave(&self, maintenance: &mut Maintenance) {
        let leaving = &mut maintenance.archiving.leaving;
        while let Some(first) = leaving.front() {
            if self.head.read().reads_before(first.generation) {
                return;
            }
            for ids in first.ids.chunks(LEAVING_MAX) {
                // No commit has looked for its series and not yet written to them.
                let log = self.wal.lock();
                self.head.write().let_go(ids);
                self.live.departures.fetch_add(1, Ordering::AcqRel);
                drop(log);
            }
            leaving.pop_front();
        }
    }

    /// Merges archives if some are due; true when it did.
    pub(super) fn compact_archives(&self) -> Result<bool, Error> {
        let (archives, left_ms) = {
            let head = self.head.read();
            let left_ms = head.blocks().span().map_or(i64::MIN, |(min, _)| min);
            (Arc::clone(head.archives()), left_ms)
        };
        let list: Vec<Arc<Archive>> = archives.iter().cloned().collect();
        let size = |archive: &Arc<Archive>| {
            // A damaged one is written anew alone.
            let series = archive.series();
            if archive.is_damaged() {
                u64::MAX
            } else {
                series
            }
        };
        let sizes: Vec<u64> = list.iter().map(size).collect();
        let Some(due) = list.get(plan(&sizes)).filter(|due| !due.is_empty()) else {
            return Ok(false);
        };
        let number = self.file_number();
        let go_on = || !self.live.closed.load(Ordering::Acquire);
        let merged = merge(&self.disk, number, due, left_ms, go_on).inspect_err(|_| {
            // Best effort: the next start removes it.
            let _ = self.disk.remove(&archive::temporary(number));
        })?;
        self.check_open()?;
        let gone: Vec<u64> = due.iter().map(|archive| archive.number()).collect();
        let new = merged.then_some(number);
        if self.swap_archives(&gone, new.as_slice())?.is_none() {
            // Retention took one meanwhile: the rest is merged the next time.
            if merged {
                self.retire(&archive::path(number), None)?;
            }
            return Ok(false);
        }
        for archive in due {
            // The merge has happened; what cannot be removed is a leftover for the next start.
            let _ = self.retire(&archive::path(archive.number()), None);
        }
        Ok(true)
    }

    /// Writes archives anew of which pages are damaged: series whose labels can be read, there or in an older archive,
    /// are listed again. The damaged file is kept aside. What readers see stays as it was since the damage was found.
    fn repair(&self) -> Result<(), Error> {
        let (archives, blocks) = self.head.read().stored();
        for archive in archives.iter().filter(|archive| archive.is_damaged()) {
            let (mut written, mut entries) = (Vec::new(), Vec::new());
            let mut write = |entries: &mut Vec<Entry>| -> Result<(), Error> {
                let number = self.file_number();
                archive::write(&self.disk, number, std::mem::take(entries))?;
                written.push(number);
                Ok(())
            };
            let read = archive.each(|entry| {
                entries.push(entry);
                if entries.len() >= SERIES_MAX {
                    write(&mut entries)?;
                }
                Ok(())
            });
            let read = read.and_then(|_| {
                let left = archives.left_of_lost(archive.number(), &blocks)?;
                for mut part in [entries, left] {
                    if !part.is_empty() {
                        write(&mut part)?;
                    }
                }
                Ok(())
            });
            let swapped = read.and_then(|()| self.swap_archives(&[archive.number()], &written));
            if !matches!(swapped, Ok(Some(_))) {
                // The manifest may name what was written: the next start removes it if not.
                return swapped.map(drop);
            }
            let kept = format!("{QUARANTINE}/archive-{:08}", archive.number());
            // What cannot be kept aside is a leftover for the next start.
            let _ = self.retire(&archive::path(archive.number()), Some(&kept));
        }
        Ok(())
    }

    /// Lets go of the archives of which no block has a sample any more.
    pub(super) fn drop_archives(&self, left_ms: i64) -> Result<(), Error> {
        let gone: Vec<u64> = {
            let head = self.head.read();
            let archives = head.archives().iter();
            let gone = archives.filter(|archive| archive.span().1 < left_ms);
            gone.map(|archive| archive.number()).collect()
        };
        if gone.is_empty() || self.swap_archives(&gone, &[])?.is_none() {
            return Ok(());
        }
        for number in gone {
            // What cannot be removed is a leftover for the next start.
            let _ = self.retire(&archive::path(number), None);
        }
        Ok(())
    }

    /// Deletes the samples between two times (inclusive) of the series that fulfil all matchers. They are
    /// not read any more at once; their memory comes back as far as whole chunks are deleted. Returns
    /// how many series lost something.
    pub fn delete_series(
        &self,
        matchers: &[Matcher],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<usize, Error> {
        let mut maintenance = self.maintenance.lock();
        self.check_open()?;
        let (mut ids, (archives, blocks)) = {
            let head = self.head.read();
            (head.select(matchers), head.stored())
        };
        ids.append(&mut archives.select(matchers, min_ms, max_ms)?);
        ids.sort_unstable();
        ids.dedup();
        let mut count = 0;
        for part in ids.chunks(DELETED_MAX) {
            let mut revived = Vec::new();
            for id in part {
                if self.head.read().table().get(*id).is_none()
                    && let Some(entry) = archives.entry(*id, &blocks)?
                {
                    self.head.write().revive(&entry);
                    revived.push(*id);
                }
            }
            count += self.delete(part, min_ms, max_ms)?;
            let entries = self.head.write().settled(&revived);
            if !entries.is_empty() {
                // What was deleted is deleted; series that cannot leave now leave with the next pass.
                let _ = self.write_archive(&mut maintenance, entries);
                self.leave(&mut maintenance);
            }
        }
        Ok(count)
    }

    fn delete(&self, ids: &[SeriesId], min_ms: i64, max_ms: i64) -> Result<usize, Error> {
        let mut wal = self.wal.lock();
        self.check_open()?;
        let record = Record::Delete {
            ids: ids.to_vec(),
            min_ms,
            max_ms,
        };
        let sequence = wal.append(&record)?;
        Ok(self.head.write().delete(ids, min_ms, max_ms, sequence))
    }
}

/// Which archives become one, by their sizes: the newest ones, as far back as those before are not twice as
/// large as all after them together.
fn plan(sizes: &[u64]) -> std::ops::Range<usize> {
    let (mut start, mut sum) = (sizes.len(), 0);
    for (at, size) in sizes.iter().enumerate().rev() {
        let is_first = start == sizes.len() && *size < u64::MAX;
        if !is_first && *size > 2 * sum {
            break;
        }
        (start, sum) = (at, sum + size);
    }
    if sizes.len() - start >= SIMILAR_MAX {
        start..sizes.len()
    } else {
        0..0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_of_similar_size_become_one() {
        assert_eq!(plan(&[]), 0..0);
        assert_eq!(plan(&[5, 5, 5]), 0..0);
        assert_eq!(plan(&[5, 5, 5, 5]), 0..4);
        assert_eq!(plan(&[100, 5, 5, 5]), 0..0);
        assert_eq!(plan(&[100, 5, 5, 5, 5]), 1..5);
        assert_eq!(plan(&[100, 40, 9, 5, 5, 5]), 0..6);
        assert_eq!(plan(&[5, 5, u64::MAX, 5, 5]), 0..0);
        assert_eq!(plan(&[5, u64::MAX, 5, 5, 5, 5]), 2..6);
        assert_eq!(plan(&[5, 5, 5, 5, u64::MAX]), 0..0);
        // However they come, there are few and each series is written again few times.
        let (mut sizes, mut written) = (Vec::new(), 0);
        for _ in 0..1000 {
            sizes.push(1);
            let due = plan(&sizes);
            if !due.is_empty() {
                let sum = sizes.drain(due.clone()).sum();
                written += sum;
                sizes.insert(due.start, sum);
            }
            assert!(sizes.len() < 16, "{sizes:?}");
        }
        assert!(written < 10_000, "{written}");
    }
}
