use std::sync::atomic::Ordering;

use super::checkpoint::{Name, Plan, write};
use super::db::Db;
use super::error::Error;
use super::wal::{DIR, QUARANTINE};
use crate::disk;

/// Series that retention looks at under one lock.
const RETENTION_SERIES: usize = 4096;

/// Retention runs this often.
const RETENTION_INTERVAL_MS: i64 = 60_000;

/// The log may grow by this many bytes per series between checkpoints, as a checkpoint writes about that much.
const CHECKPOINT_BYTES_PER_SERIES: u64 = 256;

/// After a checkpoint has failed, the next is tried so much later: a disk that is nearly full shall not be
/// filled again and again.
const CHECKPOINT_RETRY_MS: i64 = 60_000;

/// So many deltas, and the next checkpoint is full.
const DELTAS_MAX: usize = 32;

/// After a failure the log goes on when there is room for a segment or for this.
const HEALING_BYTES: u64 = 1 << 20;

/// Deltas of together less than this do not call for a full checkpoint.
const DELTA_BYTES_FREE: u64 = 16 << 20;

/// What the upkeep remembers. Whoever holds it is the only one that writes checkpoints.
#[derive(Debug)]
pub(super) struct Maintenance {
    last_sync_ms: i64,
    last_checkpoint_ms: i64,
    last_retention_ms: i64,
    /// No checkpoint is tried before.
    retry_ms: i64,
    /// Checkpoint files that make up the state, oldest first, each with its size.
    files: Vec<(Name, u64)>,
    next_number: u64,
    /// The next checkpoint must be full, and be soon.
    full_wanted: bool,
    /// A checkpoint must be soon.
    wanted: bool,
    /// A sync has failed since the newest checkpoint: what the log holds may be lost by a power cut.
    sync_lost: bool,
    /// Files of the state are damaged; they are kept aside when they are replaced.
    damaged: bool,
    exemplars_saved: u64,
}

/// What one call of [`Db::maintain`] did.
#[derive(Debug, Default)]
pub struct Maintained {
    /// What was visible before the call survives a power cut.
    pub synced: bool,
    /// A checkpoint of so many bytes was written.
    pub checkpoint_bytes: Option<u64>,
    /// The log could be written again after a failure.
    pub healed: bool,
    /// What went wrong; it is tried again at the next call.
    pub errors: Vec<Error>,
}

impl Maintenance {
    pub(super) fn new(
        now_ms: i64,
        files: Vec<(Name, u64)>,
        damaged: bool,
        replayed: bool,
        exemplars_saved: u64,
    ) -> Self {
        Self {
            last_sync_ms: now_ms,
            last_checkpoint_ms: now_ms,
            last_retention_ms: now_ms,
            retry_ms: i64::MIN,
            next_number: files.last().map_or(1, |(name, _)| name.number + 1),
            full_wanted: damaged,
            // The process before may have died after a failed sync, of which nobody knows any more: what it
            // logged is only sure to survive a power cut when it has been written again.
            wanted: replayed,
            sync_lost: replayed,
            damaged,
            exemplars_saved,
            files,
        }
    }

    pub(super) fn checkpoint_bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| *bytes).sum()
    }

    fn wants_full(&self) -> bool {
        let full = self.files.first().map_or(0, |(_, bytes)| *bytes);
        let deltas = self.checkpoint_bytes() - full;
        self.files.is_empty()
            || self.full_wanted
            || self.files.len() > DELTAS_MAX
            || deltas > full.max(DELTA_BYTES_FREE)
    }
}

impl Db {
    /// Does what is due at `now_ms`: syncs the log, writes a checkpoint and cuts the log, lets go of old
    /// samples, comes back from a full disk. The shell calls this every second or so; calling too
    /// often changes nothing. Blocks for the disk, but not those who append or query.
    pub fn maintain(&self, now_ms: i64) -> Maintained {
        let mut done = Maintained::default();
        if self.check_open().is_err() {
            return done;
        }
        let mut maintenance = self.maintenance.lock();
        if now_ms.saturating_sub(maintenance.last_sync_ms) >= self.options.sync_interval_ms {
            maintenance.last_sync_ms = now_ms;
            self.sync(&mut maintenance, &mut done);
        }
        self.heal(&mut maintenance, &mut done);
        if now_ms.saturating_sub(maintenance.last_retention_ms) >= RETENTION_INTERVAL_MS {
            maintenance.last_retention_ms = now_ms;
            self.retain(now_ms);
            let chunks = self.head.read().chunk_count();
            self.live.chunks.store(chunks, Ordering::Relaxed);
        }
        if done.healed {
            maintenance.retry_ms = i64::MIN;
        }
        if now_ms >= maintenance.retry_ms && self.checkpoint_due(&maintenance, now_ms) {
            maintenance.last_checkpoint_ms = now_ms;
            match self.checkpoint(&mut maintenance) {
                Ok(bytes) => {
                    done.checkpoint_bytes = Some(bytes);
                    done.synced = true;
                }
                Err(e) => {
                    maintenance.retry_ms = now_ms.saturating_add(CHECKPOINT_RETRY_MS);
                    done.errors.push(e);
                }
            }
        }
        done.synced &= !maintenance.sync_lost && self.live.volatile.load(Ordering::Relaxed) == 0;
        done
    }

    /// Syncs the log now: what is visible survives a power cut when this returns.
    pub fn sync_now(&self) -> Result<(), Error> {
        let mut maintenance = self.maintenance.lock();
        let mut done = Maintained::default();
        self.sync(&mut maintenance, &mut done);
        if maintenance.sync_lost || self.live.volatile.load(Ordering::Relaxed) > 0 {
            return self.checkpoint(&mut maintenance).map(|_| ());
        }
        Ok(())
    }

    /// Writes a checkpoint now.
    pub fn checkpoint_now(&self) -> Result<(), Error> {
        let mut maintenance = self.maintenance.lock();
        self.checkpoint(&mut maintenance).map(|_| ())
    }

    fn sync(&self, maintenance: &mut Maintenance, done: &mut Maintained) {
        let job = self.wal.lock().take_unsynced();
        let Some(job) = job else {
            return;
        };
        match job.run() {
            Ok(()) => done.synced = true,
            Err(e) => {
                self.live.sync_failures.fetch_add(1, Ordering::Relaxed);
                self.wal.lock().sync_failed();
                maintenance.wanted = true;
                maintenance.sync_lost = true;
                done.errors.push(e);
            }
        }
    }

    fn heal(&self, maintenance: &mut Maintenance, done: &mut Maintained) {
        let mut wal = self.wal.lock();
        if !wal.is_broken() {
            return;
        }
        // What is volatile is only saved by a checkpoint, whatever the log does.
        maintenance.wanted = true;
        let room = match self.disk.free_space() {
            Ok(bytes) if bytes < self.options.segment_bytes.min(HEALING_BYTES) => {
                Err(Error::Disk(disk::Error::Full {
                    path: DIR.to_owned(),
                }))
            }
            Ok(_) => Ok(()),
            Err(e) => Err(e.into()),
        };
        match room.and_then(|()| wal.heal()) {
            Ok(()) => done.healed = true,
            Err(e) => done.errors.push(e),
        }
    }

    fn checkpoint_due(&self, maintenance: &Maintenance, now_ms: i64) -> bool {
        let wanted = maintenance.wanted
            || maintenance.full_wanted
            || self.live.volatile.load(Ordering::Relaxed) > 0;
        let (bytes, broken) = {
            let wal = self.wal.lock();
            (wal.bytes(), wal.is_broken())
        };
        if broken {
            return false;
        }
        let series = self.head.read().table().len() as u64;
        let grown = self
            .options
            .checkpoint_bytes
            .max(series * CHECKPOINT_BYTES_PER_SERIES);
        let age = now_ms.saturating_sub(maintenance.last_checkpoint_ms);
        wanted || bytes >= grown || age >= self.options.checkpoint_interval_ms && bytes > 1024
    }

    fn checkpoint(&self, maintenance: &mut Maintenance) -> Result<u64, Error> {
        let volatile = self.live.volatile.load(Ordering::Relaxed);
        // All that the view holds is in closed segments, which can go afterwards.
        let sequence = {
            let mut wal = self.wal.lock();
            wal.rotate()?;
            self.head.read().pin()
        };
        let name = Name {
            number: maintenance.next_number,
            full: maintenance.wants_full(),
        };
        let plan = Plan {
            name,
            sequence,
            exemplars_from: maintenance.exemplars_saved,
        };
        maintenance.next_number += 1;
        let written = write(&self.disk, &self.head, plan);
        self.head.read().unpin(sequence);
        let written = match written {
            Ok(written) => written,
            Err(e) => {
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
        maintenance.exemplars_saved = written.exemplars_to;
        let older = if name.full {
            maintenance.full_wanted = false;
            std::mem::take(&mut maintenance.files)
        } else {
            Vec::new()
        };
        maintenance.files.push((name, written.bytes));
        self.live
            .checkpoint_bytes
            .store(maintenance.checkpoint_bytes(), Ordering::Relaxed);
        self.wal.lock().delete_through(sequence)?;
        let damaged = name.full && std::mem::take(&mut maintenance.damaged);
        for (old, _) in older {
            if damaged {
                self.disk.create_dir(QUARANTINE)?;
                let kept = format!("{QUARANTINE}/checkpoint-{:08}", old.number);
                self.disk.rename(&old.path(), &kept)?;
            } else {
                self.disk.remove(&old.path())?;
            }
        }
        Ok(written.bytes)
    }

    /// Lets go of what is older than the retention, or of the oldest tenth while there is too much.
    fn retain(&self, now_ms: i64) {
        let retention = self.live.retention_ms.load(Ordering::Relaxed);
        if retention > 0 {
            self.drop_before(now_ms.saturating_sub(retention));
        }
        let bytes_max = self.live.retention_bytes.load(Ordering::Relaxed);
        if bytes_max == 0 {
            return;
        }
        for _ in 0..10 {
            let stats = self.stats(0);
            let (Some(min), Some(max)) = (stats.min_ms, stats.max_ms) else {
                return;
            };
            if stats.sample_bytes as u64 <= bytes_max {
                return;
            }
            self.drop_before(min.saturating_add(max.saturating_sub(min) / 10 + 1));
        }
    }

    fn drop_before(&self, cutoff_ms: i64) {
        let mut from = Some(0);
        while let Some(id) = from {
            from = self
                .head
                .write()
                .drop_before(cutoff_ms, id, RETENTION_SERIES);
        }
        self.head.write().raise_min(cutoff_ms);
    }
}
