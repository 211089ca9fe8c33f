use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::archiving::Archiving;
use super::batch::SeriesId;
use super::budget::Pressure;
use super::catalog::Name;
use super::db::Db;
use super::error::Error;
use super::flush::Draining;
use super::head::SERIES_PER_LOCK;
use super::pace::Pace;
use super::wal::DIR;
use crate::disk;

/// Retention runs this often.
const RETENTION_INTERVAL_MS: i64 = 60_000;

/// The log may grow by this many bytes per series between flushes, since small blocks cost more.
const FLUSH_BYTES_PER_SERIES: u64 = 128;

/// When a burst of writes has ended, a part of what the log may grow by is enough for a flush: one in so many of the
/// bytes, and one in so many of the bytes per series, so that many bursts do not cost much more than one.
const BURST_BYTES_PART: u64 = 16;
const BURST_BYTES_PER_SERIES_PART: u64 = 2;

/// After a flush has failed, the next is tried so much later: a disk that is nearly full shall not be filled
/// again and again.
const FLUSH_RETRY_MS: i64 = 60_000;

/// When memory is short, what is in memory is flushed this often.
const PRESSED_FLUSH_MS: i64 = 60_000;

/// So many deltas, and the next catalog file is full.
const DELTAS_MAX: usize = 32;

/// After a failure the log goes on when there is room for a segment or for this.
const HEALING_BYTES: u64 = 1 << 20;

/// Deltas of together less than this do not call for a full catalog file.
const DELTA_BYTES_FREE: u64 = 16 << 20;

/// What the upkeep remembers. Whoever holds it is the only one that flushes.
#[derive(Debug)]
pub(super) struct Maintenance {
    last_sync_ms: i64,
    last_checkpoint_ms: i64,
    last_retention_ms: i64,
    pace: Pace,
    /// No flush is tried before.
    retry_ms: i64,
    /// Files of the catalog, oldest first, each with its size.
    pub(super) files: Vec<(Name, u64)>,
    /// The next catalog file must be full, and a flush be soon.
    pub(super) full_wanted: bool,
    /// A flush must be soon.
    pub(super) wanted: bool,
    /// A sync has failed since the newest flush: what the log holds may be lost by a power cut.
    pub(super) sync_lost: bool,
    /// Files of the catalog are damaged; they are kept aside when they are replaced.
    pub(super) damaged: bool,
    /// Series that the process before named in the log, since its newest flush; a record of this process that names
    /// them again makes them safe earlier.
    pub(super) named_before: Vec<SeriesId>,
    pub(super) exemplars_saved: u64,
    /// Flushes whose samples are still in memory, oldest first.
    pub(super) draining: VecDeque<Draining>,
    pub(super) archiving: Archiving,
}

/// What one call of [`Db::maintain`] did.
#[derive(Debug, Default)]
pub struct Maintained {
    /// What was visible before the call survives a power cut.
    pub synced: bool,
    /// What was in memory was written to a block; so many bytes in all.
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
        replayed: Option<Vec<SeriesId>>,
        exemplars_saved: u64,
    ) -> Self {
        let has_log = replayed.is_some();
        Self {
            last_sync_ms: now_ms,
            last_checkpoint_ms: now_ms,
            last_retention_ms: now_ms,
            pace: Pace::new(now_ms, 0),
            retry_ms: i64::MIN,
            full_wanted: damaged,
            // The process before may have died after a failed sync, of which nobody knows any more: what it
            // logged is only sure to survive a power cut when it has been written again.
            wanted: has_log,
            sync_lost: has_log,
            damaged,
            named_before: replayed.unwrap_or_default(),
            exemplars_saved,
            files,
            draining: VecDeque::new(),
            archiving: Archiving::new(now_ms),
        }
    }

    /// Bytes of the catalog.
    pub(super) fn catalog_bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| *bytes).sum()
    }

    /// Whether the next catalog file shall hold everything.
    pub(super) fn wants_full(&self) -> bool {
        let full = self.files.first().map_or(0, |(_, bytes)| *bytes);
        let deltas = self.catalog_bytes() - full;
        self.files.is_empty()
            || self.full_wanted
            || self.files.len() > DELTAS_MAX
            || deltas > full.max(DELTA_BYTES_FREE)
    }
}

impl Db {
    /// Does what is due at `now_ms`: syncs the log, flushes memory into a block and cuts the log, lets go of
    /// old samples, comes back from a full disk. Merging is apart: [`Self::compact`]. The shell calls this every second or so; calling too
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
            if let Err(e) = self.retain(now_ms) {
                done.errors.push(e);
            }
            let chunks = self.head.read().chunk_count();
            self.live.chunks.store(chunks, Ordering::Relaxed);
        }
        if done.healed {
            maintenance.retry_ms = i64::MIN;
        }
        self.drain(&mut maintenance);
        let log_bytes = self.wal.lock().bytes();
        maintenance.pace.measure(now_ms, log_bytes);
        if now_ms >= maintenance.retry_ms && self.checkpoint_due(&maintenance, now_ms) {
            maintenance.last_checkpoint_ms = now_ms;
            match self.flush(&mut maintenance) {
                Ok(bytes) => {
                    done.checkpoint_bytes = Some(bytes);
                    done.synced = true;
                }
                Err(e) => {
                    maintenance.retry_ms = now_ms.saturating_add(FLUSH_RETRY_MS);
                    done.errors.push(e);
                }
            }
        }
        if let Err(e) = self.archive(&mut maintenance, now_ms) {
            done.errors.push(e);
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
            return self.flush(&mut maintenance).map(|_| ());
        }
        Ok(())
    }

    /// Flushes memory into a block and cuts the log now.
    pub fn checkpoint_now(&self) -> Result<(), Error> {
        let mut maintenance = self.maintenance.lock();
        self.flush(&mut maintenance).map(|_| ())
    }

    fn sync(&self, maintenance: &mut Maintenance, done: &mut Maintained) {
        let (job, named) = {
            // No commit is between its record and the head.
            let mut wal = self.wal.lock();
            (wal.take_unsynced(), self.head.write().take_named())
        };
        let Some(job) = job else {
            return self.names_are_safe(&named);
        };
        match job.run() {
            Ok(()) => {
                self.names_are_safe(&named);
                done.synced = true;
            }
            Err(e) => {
                self.live.sync_failures.fetch_add(1, Ordering::Relaxed);
                let mut wal = self.wal.lock();
                wal.sync_failed();
                // A power cut may lose what named series: later records name them again.
                self.head.write().unlog(maintenance.full_wanted);
                drop(wal);
                maintenance.wanted = true;
                maintenance.sync_lost = true;
                done.errors.push(e);
            }
        }
    }

    pub(super) fn names_are_safe(&self, named: &[SeriesId]) {
        for ids in named.chunks(SERIES_PER_LOCK) {
            self.head.write().names_are_safe(ids);
        }
    }

    fn heal(&self, maintenance: &mut Maintenance, done: &mut Maintained) {
        let mut wal = self.wal.lock();
        if !wal.is_broken() {
            return;
        }
        // What is volatile is only saved by a flush, whatever the log does.
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
        let (most, of_series) = (
            self.options.checkpoint_bytes,
            series * FLUSH_BYTES_PER_SERIES,
        );
        let grown = most.max(of_series);
        let burst = (most / BURST_BYTES_PART).max(of_series / BURST_BYTES_PER_SERIES_PART);
        if bytes >= burst && maintenance.pace.has_ended() {
            return true;
        }
        let age = now_ms.saturating_sub(maintenance.last_checkpoint_ms);
        if self.pressure() >= Pressure::Caches && age >= PRESSED_FLUSH_MS && bytes > 1024 {
            return true;
        }
        wanted || bytes >= grown || age >= self.options.checkpoint_interval_ms && bytes > 1024
    }

    /// Lets go of what is older than the retention, and of the oldest blocks while there is too much.
    fn retain(&self, now_ms: i64) -> Result<(), Error> {
        let retention = self.live.retention_ms.load(Ordering::Relaxed);
        let mut cutoff_ms = i64::MIN;
        if retention > 0 {
            cutoff_ms = now_ms.saturating_sub(retention);
            self.drop_blocks(|block| block.max_ms() < cutoff_ms)?;
        }
        let mut bytes_max = self.live.retention_bytes.load(Ordering::Relaxed);
        let share = self.live.retention_share.load(Ordering::Relaxed);
        if share > 0 {
            let of_disk = self.disk.total_space()? / 10_000 * share;
            bytes_max = if bytes_max == 0 {
                of_disk
            } else {
                bytes_max.min(of_disk)
            };
        }
        loop {
            let beside = self.wal.lock().bytes() + self.live.catalog_bytes.load(Ordering::Relaxed);
            let (bytes, oldest) = {
                let head = self.head.read();
                let blocks = head.blocks();
                (
                    blocks.bytes() + head.archives().bytes(),
                    blocks.iter().map(|b| (b.max_ms(), b.number())).min(),
                )
            };
            let Some((_, number)) = oldest.filter(|_| bytes_max > 0 && bytes + beside > bytes_max)
            else {
                break;
            };
            self.drop_blocks(|block| block.number() == number)?;
        }
        self.drop_before(cutoff_ms)
    }

    /// Lets go of what is in memory before `cutoff_ms`, and of series of which nothing is left.
    fn drop_before(&self, cutoff_ms: i64) -> Result<(), Error> {
        let blocks = self.head.read().blocks().span();
        let left_ms = blocks.map_or(i64::MAX, |(min, _)| min);
        let mut from = Some(0);
        while let Some(id) = from {
            from = self.head.write().drop_before(cutoff_ms, left_ms, id);
        }
        self.head.write().raise_min(left_ms.min(cutoff_ms));
        self.drop_archives(left_ms)
    }
}
