//! Which blocks become one, and when one may go.
//!
//! Flushes write blocks of some minutes. When two hours are over, their blocks are merged into one, and when a day
//! is over, the day's: a sample is written three times in all, and a query of a day opens one block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{self, Block, Plan, Writer, merge_blocks};
use super::db::Db;
use super::error::Error;
use super::head::Tombstone;
use super::wal::QUARANTINE;

/// The first merge.
const SHORT_MS: i64 = 2 * 3600 * 1000;

/// The second.
const LONG_MS: i64 = 24 * 3600 * 1000;

/// Deleted stretches are looked through for equal ones when there are more.
const DELETIONS_MAX: usize = 1 << 16;

/// So many fresh blocks, and they are merged before their time.
const FRESH_MAX: usize = 12;

/// What a merge shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Merge {
    blocks: Vec<u64>,
    level: u8,
}

/// What matters of a block here.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    number: u64,
    level: u8,
    max_ms: i64,
}

/// The next merge that is due when the newest sample is at `newest_ms`. Blocks longer than `longest_ms` are not
/// made.
fn plan(blocks: &[Candidate], newest_ms: i64, longest_ms: i64) -> Option<Merge> {
    for (level, window_ms) in [(1, SHORT_MS), (2, LONG_MS)] {
        if window_ms > longest_ms.max(SHORT_MS) {
            break;
        }
        let mut windows: BTreeMap<i64, Vec<&Candidate>> = BTreeMap::new();
        for block in blocks.iter().filter(|block| block.level <= level) {
            windows
                .entry(block.max_ms.div_euclid(window_ms))
                .or_default()
                .push(block);
        }
        for (window, members) in windows {
            let is_over = newest_ms.div_euclid(window_ms) > window;
            let numbers = |members: &[&Candidate]| members.iter().map(|m| m.number).collect();
            if is_over && members.len() > 1 {
                return Some(Merge {
                    blocks: numbers(&members),
                    level,
                });
            }
            let fresh: Vec<_> = members.into_iter().filter(|m| m.level == 0).collect();
            if level == 1 && fresh.len() >= FRESH_MAX {
                return Some(Merge {
                    blocks: numbers(&fresh),
                    level: 0,
                });
            }
        }
    }
    None
}

impl Db {
    /// Merges blocks if some are due; true when it did, and there may be more. Takes minutes for large blocks;
    /// appends, queries and [`Self::maintain`] go on beside it.
    pub fn compact(&self) -> Result<bool, Error> {
        self.check_open()?;
        let _only_one = self.compaction.lock();
        if self.maintenance.lock().damaged {
            // A new manifest would forget which archives are missing, before what that has shown is saved.
            return Ok(false);
        }
        if self.compact_archives()? {
            return Ok(true);
        }
        let (candidates, newest_ms) = {
            let head = self.head.read();
            let candidates: Vec<Candidate> = head
                .blocks()
                .iter()
                .map(|block| Candidate {
                    number: block.number(),
                    level: block.level(),
                    max_ms: block.max_ms(),
                })
                .collect();
            (candidates, head.span().map_or(i64::MIN, |(_, max)| max))
        };
        let retention = self.live.retention_ms.load(Ordering::Relaxed);
        // compat: no block shall be longer than a tenth of the retention, so that it goes in time.
        let longest_ms = if retention > 0 {
            retention / 10
        } else {
            i64::MAX
        };
        let Some(merge) = plan(&candidates, newest_ms, longest_ms) else {
            return Ok(false);
        };
        let merged = self.merge(&merge);
        let counter = match &merged {
            Ok(()) => &self.live.merges,
            Err(_) => &self.live.merge_failures,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        merged.map(|()| true)
    }

    /// Gives back the space of deleted samples: writes the blocks again that hold some.
    pub fn clean_tombstones(&self) -> Result<(), Error> {
        self.check_open()?;
        let _only_one = self.compaction.lock();
        self.checkpoint_now()?;
        let deleted = self.deletions()?;
        let blocks: Vec<Arc<Block>> = self.head.read().blocks().iter().cloned().collect();
        for block in blocks {
            let holds_some = deleted
                .iter()
                .any(|t| block.through() < t.sequence && block.overlaps(t.min_ms, t.max_ms));
            if holds_some {
                self.merge(&Merge {
                    blocks: vec![block.number()],
                    level: block.level(),
                })?;
            }
        }
        Ok(())
    }

    /// The deleted stretches of all series, each once.
    fn deletions(&self) -> Result<Vec<Tombstone>, Error> {
        let mut found: Vec<Tombstone> = Vec::new();
        let archives = Arc::clone(self.head.read().archives());
        let archives = archives.iter().filter(|archive| archive.has_tombstones());
        let mut many = DELETIONS_MAX;
        for archive in archives {
            // Series of a damaged page are lost, and so are their deletions.
            let _ = archive.each(|entry| {
                found.extend_from_slice(&entry.tombstones);
                if found.len() > many {
                    found.sort_unstable_by_key(|t| (t.sequence, t.min_ms, t.max_ms));
                    found.dedup();
                    many = 2 * found.len().max(DELETIONS_MAX);
                }
                Ok(())
            })?;
        }
        let mut from = Some(0);
        while let Some(id) = from {
            let head = self.head.read();
            let (ids, next) = head.table().ids_from(id, 1024);
            from = next;
            for series in ids.iter().filter_map(|id| head.table().get(*id)) {
                found.extend_from_slice(series.tombstones());
            }
            found.sort_unstable_by_key(|t| (t.sequence, t.min_ms, t.max_ms));
            found.dedup();
        }
        Ok(found)
    }

    fn merge(&self, merge: &Merge) -> Result<(), Error> {
        let blocks: Vec<Arc<Block>> = {
            let head = self.head.read();
            let inputs = head.blocks().iter();
            inputs
                .filter(|block| merge.blocks.contains(&block.number()))
                .cloned()
                .collect()
        };
        let through = blocks.iter().map(|block| block.through()).max();
        let plan = Plan {
            number: self.file_number(),
            level: merge.level,
            through: through.unwrap_or(0),
        };
        let deleted = |id| -> Result<Vec<(i64, i64, u64)>, Error> {
            let list = |tombstones: &[Tombstone]| {
                let all = tombstones.iter();
                all.map(|t| (t.min_ms, t.max_ms, t.sequence)).collect()
            };
            let (archives, blocks) = {
                let head = self.head.read();
                if let Some(series) = head.table().get(id) {
                    return Ok(list(series.tombstones()));
                }
                head.stored()
            };
            if !archives.has_tombstones() {
                return Ok(Vec::new());
            }
            let entry = archives.entry(id, &blocks)?;
            Ok(entry.map_or_else(Vec::new, |entry| list(&entry.tombstones)))
        };
        let go_on = || !self.live.closed.load(Ordering::Acquire);
        let merged = Writer::create(&self.disk, plan)
            .and_then(|writer| merge_blocks(&blocks, writer, deleted, go_on))
            .inspect_err(|_| {
                // Best effort: the next start removes it.
                let _ = self.disk.remove(&block::temporary(plan.number));
            })?;
        self.swap(&blocks, merged.then_some(plan.number))
    }

    /// Puts a merged block in the place of those it was made of; none when nothing was left of them.
    fn swap(&self, blocks: &[Arc<Block>], merged: Option<u64>) -> Result<(), Error> {
        let new = match merged {
            Some(number) => vec![Arc::new(Block::open_new(&self.disk, number)?)],
            None => Vec::new(),
        };
        let gone: Vec<u64> = blocks.iter().map(|block| block.number()).collect();
        self.check_open()?;
        {
            let mut manifest = self.manifest.lock();
            if !gone.iter().all(|number| manifest.blocks.contains(number)) {
                // Retention took one meanwhile: the rest is merged the next time.
                if let Some(number) = merged {
                    self.retire(&block::path(number), None)?;
                }
                return Ok(());
            }
            let mut next = manifest.clone();
            next.blocks.retain(|number| !gone.contains(number));
            next.blocks.extend(merged);
            self.store(&mut manifest, next, merged, None)?;
            let mut head = self.head.write();
            let replaced = head.blocks().replaced(&gone, new);
            head.set_blocks(replaced);
        }
        for block in blocks {
            let kept = format!("{QUARANTINE}/block-{:08}", block.number());
            let is_damaged = block.damages() > 0;
            // The merge has happened; what cannot be removed is a leftover for the next start.
            let _ = self.retire(&block::path(block.number()), is_damaged.then_some(&*kept));
        }
        Ok(())
    }

    /// Lets go of the blocks for which `goes` is true.
    pub(super) fn drop_blocks(&self, goes: impl Fn(&Block) -> bool) -> Result<(), Error> {
        let gone: Vec<u64> = {
            let mut manifest = self.manifest.lock();
            let gone: Vec<u64> = {
                let head = self.head.read();
                let blocks = head.blocks().iter();
                blocks.filter(|b| goes(b)).map(|b| b.number()).collect()
            };
            if gone.is_empty() {
                return Ok(());
            }
            let mut next = manifest.clone();
            next.blocks.retain(|number| !gone.contains(number));
            self.store(&mut manifest, next, None, None)?;
            let mut head = self.head.write();
            let replaced = head.blocks().replaced(&gone, Vec::new());
            head.set_blocks(replaced);
            gone
        };
        for number in gone {
            // What cannot be removed is a leftover for the next start.
            let _ = self.retire(&block::path(number), None);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(list: &[(u64, u8, i64)]) -> Vec<Candidate> {
        list.iter()
            .map(|(number, level, hours)| Candidate {
                number: *number,
                level: *level,
                max_ms: hours * 3_600_000 + 1000,
            })
            .collect()
    }

    fn due(list: &[(u64, u8, i64)], now_hours: i64, longest_ms: i64) -> Option<(Vec<u64>, u8)> {
        let newest_ms = now_hours * 3_600_000 + 500_000;
        let merge = plan(&candidates(list), newest_ms, longest_ms)?;
        Some((merge.blocks, merge.level))
    }

    #[test]
    fn hours_and_days_are_merged_when_they_are_over() {
        let list = [(1, 0, 0), (2, 0, 1), (3, 0, 2)];
        assert_eq!(due(&list, 1, LONG_MS), None);
        assert_eq!(due(&list, 2, LONG_MS), Some((vec![1, 2], 1)));
        let list = [(1, 1, 1), (2, 0, 3), (3, 1, 23), (4, 1, 25)];
        assert_eq!(due(&list, 23, LONG_MS), None, "a single block stays");
        assert_eq!(due(&list, 25, LONG_MS), Some((vec![1, 2, 3], 2)));
        assert_eq!(due(&list, 25, LONG_MS - 1), None);
        assert_eq!(due(&[(1, 2, 1), (2, 1, 25)], 50, LONG_MS), None);
    }

    #[test]
    fn too_many_fresh_blocks_become_one_early() {
        let list: Vec<_> = (0..FRESH_MAX as u64).map(|n| (n, 0, 0)).collect();
        assert_eq!(due(&list[1..], 0, LONG_MS), None);
        assert_eq!(due(&list, 0, LONG_MS).map(|due| due.1), Some(0));
    }
}
