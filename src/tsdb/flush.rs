//! How what is in memory becomes a block, so that the log can be cut.
//!
//! A flush pins the view of now, writes what it sees to a block and the catalog, and makes both count with the
//! manifest; then readers see the block, and the log up to the view is deleted. Memory is given back when nobody
//! reads from the blocks of before any more: until then samples are in both places, and who reads takes
//! each time once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{self, Block, Plan, Runs, Writer};
use super::catalog::{self, Name};
use super::db::Db;
use super::error::Error;
use super::maintain::Maintenance;
use super::manifest::Manifest;
use super::wal::QUARANTINE;

/// A flush whose samples are still in memory too.
#[derive(Debug)]
pub(super) struct Draining {
    /// The view that was flushed.
    sequence: u64,
    /// The first list of blocks that has them.
    generation: u64,
}

/// The files that a flush has written.
struct Flushed {
    block: Option<Arc<Block>>,
    catalog: Option<(Name, u64)>,
    exemplars_to: u64,
}

impl Db {
    /// Flushes; returns how many bytes were written.
    pub(super) fn flush(&self, maintenance: &mut Maintenance) -> Result<u64, Error> {
        self.drain(maintenance);
        let volatile = self.live.volatile.load(Ordering::Relaxed);
        // All that the view holds is in closed segments, which can go afterwards.
        let sequence = {
            let mut wal = self.wal.lock();
            wal.cut()?;
            self.head.read().pin_flush()
        };
        let since = maintenance.draining.back().map(|earlier| earlier.sequence);
        let full = maintenance.wants_full();
        let written = self
            .write_flush(since, sequence, full, maintenance.exemplars_saved)
            .and_then(|flushed| self.publish(maintenance, sequence, full, flushed));
        let bytes = match written {
            Ok(bytes) => bytes,
            Err(e) => {
                self.head.read().unpin_flush(sequence);
                self.live
                    .checkpoint_failures
                    .fetch_add(1, Ordering::Relaxed);
                maintenance.full_wanted = true;
                return Err(e);
            }
        };
        self.live.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.live.volatile.fetch_sub(volatile, Ordering::Relaxed);
        maintenance.wanted = false;
        maintenance.sync_lost = false;
        // The catalog has them.
        self.names_are_safe(&std::mem::take(&mut maintenance.named_before));
        self.drain(maintenance);
        self.wal.lock().delete_through(sequence)?;
        Ok(bytes)
    }

    fn write_flush(
        &self,
        since: Option<u64>,
        sequence: u64,
        full: bool,
        exemplars_from: u64,
    ) -> Result<Flushed, Error> {
        let number = self.file_number();
        let plan = Plan {
            number,
            level: 0,
            through: sequence,
        };
        let block = self.write_block(plan, since).inspect_err(|_| {
            // Best effort: the next start removes it.
            let _ = self.disk.remove(&block::temporary(number));
        })?;
        let name = Name {
            number: self.file_number(),
            full,
        };
        let plan = catalog::Plan {
            name,
            exemplars_from,
        };
        let written = catalog::write(&self.disk, &self.head, plan);
        if written.is_err() && block.is_some() {
            // No manifest names it.
            let _ = self.disk.remove(&block::path(number));
        }
        let written = written?;
        Ok(Flushed {
            block,
            catalog: written.bytes.map(|bytes| (name, bytes)),
            exemplars_to: written.exemplars_to,
        })
    }

    fn write_block(&self, plan: Plan, since: Option<u64>) -> Result<Option<Arc<Block>>, Error> {
        let mut writer = Writer::create(&self.disk, plan)?;
        let mut stream = Some(0);
        while let Some(number) = stream {
            stream = self.head.write().spread_for_flush(plan.through, number);
        }
        let mut from = Some(0);
        while let Some(id) = from {
            let (fresh, next) = self.head.read().fresh(since, plan.through, id);
            from = next;
            for (id, fresh) in fresh {
                let mut runs = Runs::default();
                fresh
                    .each(|sample| runs.push(sample))
                    .map_err(|e| Error::corrupt("memory", 0, &e))?;
                writer.add(id, &runs.finish())?;
            }
        }
        if writer.is_empty() {
            writer.abandon()?;
            return Ok(None);
        }
        writer.finish()?;
        let block = Block::open_new(&self.disk, plan.number)?;
        Ok(Some(Arc::new(block)))
    }

    /// Makes a flush count and shows its block to readers.
    fn publish(
        &self,
        maintenance: &mut Maintenance,
        sequence: u64,
        full: bool,
        flushed: Flushed,
    ) -> Result<u64, Error> {
        let next_series = self.head.read().table().next_id();
        let block = flushed.block.as_ref().map(|block| block.number());
        let catalog = flushed.catalog.map(|(name, _)| name);
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        next.sequence = sequence;
        next.next_series = next_series;
        if full {
            next.catalog.clear();
        }
        next.catalog.extend(catalog);
        next.blocks.extend(block);
        self.store(&mut manifest, next, block, catalog)?;
        let mut bytes = 0;
        if let Some(block) = flushed.block {
            bytes += block.bytes();
            let mut head = self.head.write();
            let blocks = head.blocks().replaced(&[], vec![block]);
            let generation = head.set_blocks(blocks);
            maintenance.draining.push_back(Draining {
                sequence,
                generation,
            });
        } else {
            self.head.read().unpin_flush(sequence);
        }
        drop(manifest);
        maintenance.exemplars_saved = flushed.exemplars_to;
        let older = if full {
            maintenance.full_wanted = false;
            std::mem::take(&mut maintenance.files)
        } else {
            Vec::new()
        };
        if let Some((name, size)) = flushed.catalog {
            bytes += size;
            maintenance.files.push((name, size));
        }
        self.live
            .catalog_bytes
            .store(maintenance.catalog_bytes(), Ordering::Relaxed);
        let damaged = full && std::mem::take(&mut maintenance.damaged);
        for (old, _) in older {
            let kept = format!("{QUARANTINE}/catalog-{:08}", old.number);
            // The flush has happened; what cannot be removed is a leftover for the next start.
            let _ = self.retire(&old.path(), damaged.then_some(kept.as_str()));
        }
        Ok(bytes)
    }

    /// Replaces the manifest on the disk and then here. The new files go when it cannot be written; when it
    /// may have been written, they stay until the next start.
    pub(super) fn store(
        &self,
        manifest: &mut Manifest,
        next: Manifest,
        block: Option<u64>,
        catalog: Option<Name>,
    ) -> Result<(), Error> {
        if let Err(e) = next.store(&self.disk) {
            if e.is_full() {
                let block = block.map(block::path);
                for path in block.into_iter().chain(catalog.map(Name::path)) {
                    // Best effort: the next start removes it.
                    let _ = self.disk.remove(&path);
                }
            }
            return Err(e);
        }
        *manifest = next;
        Ok(())
    }

    /// Removes a file that does not count any more, or keeps it aside when it is damaged.
    pub(super) fn retire(&self, path: &str, keep: Option<&str>) -> Result<(), Error> {
        match keep {
            Some(kept) => {
                self.disk.create_dir(QUARANTINE)?;
                self.disk.rename(path, kept)?;
            }
            None => self.disk.remove(path)?,
        }
        Ok(())
    }

    /// A number that no file has had.
    pub(super) fn file_number(&self) -> u64 {
        let mut manifest = self.manifest.lock();
        let number = manifest.next_file;
        manifest.next_file += 1;
        number
    }

    /// Gives back the memory of samples that are in blocks, as far as readers allow.
    pub(super) fn drain(&self, maintenance: &mut Maintenance) {
        while let Some(flushed) = maintenance.draining.front() {
            if self.head.read().reads_before(flushed.generation) {
                return;
            }
            let mut from = Some(0);
            while let Some(id) = from {
                from = self.head.write().flushed(flushed.sequence, id);
            }
            self.head.read().unpin_flush(flushed.sequence);
            maintenance.draining.pop_front();
        }
    }
}
