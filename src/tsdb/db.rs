use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::appender::{BatchBuilder, DbAppender};
use super::archive::{self, Archive, Archives};
use super::batch::Batch;
use super::block::{self, Block};
use super::blocks::Blocks;
use super::budget::{Budget, Growth, Pressure};
use super::catalog;
use super::error::Error;
use super::head::{Counters, Head, HeadStats, JobUse};
use super::maintain::Maintenance;
use super::manifest::Manifest;
use super::options::Options;
use super::querier::DbQuerier;
use super::recovery::{Damage, Recovery};
use super::wal::{Ahead, QUARANTINE, Record, Wal};
use crate::disk::{Disk, Lock};
use crate::model::{Labels, Matcher, Metadata};
use crate::storage::{self, Appender, Committed, Querier, Storage};

/// The file that is locked against a second process.
const LOCK: &str = "tsdb/lock";

/// The file that names the format of the folder.
pub(super) const FORMAT: &str = "tsdb/format";

/// The format that this program writes and the newest that it reads.
pub const FORMAT_VERSION: u64 = 2;

/// A store of samples: the newest in memory and in a log, the others in blocks on a disk.
///
/// What a query has shown survives kill -9 (unless [`Status::is_volatile`]); what was written more than
/// [`Options::sync_interval_ms`] ago survives a power cut. Blocking; meant to be shared by reference.
#[derive(Debug)]
pub struct Db {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) head: RwLock<Head>,
    pub(super) wal: Mutex<Wal>,
    pub(super) maintenance: Mutex<Maintenance>,
    /// Held by the one who merges blocks.
    pub(super) compaction: Mutex<()>,
    /// The files that count. Whoever changes it changes the head's list of blocks with it.
    pub(super) manifest: Mutex<Manifest>,
    pub(super) live: Live,
    pub(super) budget: Budget,
    recovery: Recovery,
    lock: Mutex<Option<Lock>>,
}

/// What changes while the store is open and is read without a lock.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) closed: AtomicBool,
    pub(super) retention_ms: AtomicI64,
    pub(super) retention_bytes: AtomicU64,
    /// Hundredths of a percent of the disk.
    pub(super) retention_share: AtomicU64,
    pub(super) window_ms: AtomicI64,
    /// Samples that are visible but not on the disk.
    pub(super) volatile: AtomicU64,
    /// Batches that were refused because they could not be written.
    pub(super) refused: AtomicU64,
    pub(super) write_failures: AtomicU64,
    pub(super) sync_failures: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) checkpoint_failures: AtomicU64,
    pub(super) catalog_bytes: AtomicU64,
    pub(super) chunks: AtomicU64,
    pub(super) merges: AtomicU64,
    pub(super) merge_failures: AtomicU64,
    /// How often series have left memory for an archive. Changes while the log is held.
    pub(super) departures: AtomicU64,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Samples that are visible but would be lost by a restart, because the disk is full or failing.
    pub volatile_samples: u64,
    /// The log cannot be written at the moment.
    pub log_broken: bool,
    /// Batches that were refused because they could not be written.
    pub batches_refused: u64,
    /// Failed writes to the log.
    pub write_failures: u64,
    /// Failed syncs of the log.
    pub sync_failures: u64,
    /// How often what was in memory was written to a block and the log cut.
    pub checkpoints: u64,
    /// How often that failed.
    pub checkpoint_failures: u64,
    /// Merges of blocks.
    pub merges: u64,
    /// Merges that failed.
    pub merge_failures: u64,
    /// Blocks.
    pub blocks: usize,
    /// Bytes of the blocks.
    pub block_bytes: u64,
    /// Archives: files with the labels of series that have ended.
    pub archives: usize,
    /// Bytes of the archives.
    pub archive_bytes: u64,
    /// Series in archives; one that has come back and ended again counts twice until they are merged.
    pub archived_series: u64,
    /// Damaged pages of blocks and archives that were met.
    pub damaged_pages: u64,
    /// Number of the newest segment of the log.
    pub wal_segment: u64,
    /// Segments of the log.
    pub wal_segments: usize,
    /// Bytes of the log.
    pub wal_bytes: u64,
    /// Bytes of the catalog: labels, metadata, exemplars.
    pub catalog_bytes: u64,
    /// Bytes of anonymous memory that the process may have; 0 for no limit.
    pub memory_limit: u64,
    /// Bytes of anonymous memory that it has, as far as the store was told.
    pub memory_used: u64,
    /// New series that were refused for lack of memory.
    pub series_refused: u64,
    /// Series in memory.
    pub series: usize,
    /// Chunks in memory, as of the last minute.
    pub chunks: u64,
    /// Time of the oldest sample.
    pub min_ms: Option<i64>,
    /// Time of the newest sample.
    pub max_ms: Option<i64>,
    /// What happened since the start.
    pub counters: Counters,
}

impl Status {
    /// Whether a restart would lose samples that queries show.
    pub const fn is_volatile(&self) -> bool {
        self.volatile_samples > 0
    }
}

impl Db {
    /// Opens the folder `tsdb` of a disk, creating it when it is missing: reads the catalog and the blocks'
    /// directories, replays the log and begins a new segment. `now_ms` only dates the first maintenance.
    ///
    /// Fails when another process has it open, when another version wrote it, or when the disk cannot be
    /// read. Damaged bytes are no failure: see [`Self::recovery`].
    pub fn open(disk: Arc<dyn Disk>, options: Options, now_ms: i64) -> Result<Self, Error> {
        for dir in [
            "tsdb",
            super::wal::DIR,
            catalog::DIR,
            block::DIR,
            archive::DIR,
        ] {
            disk.create_dir(dir)?;
        }
        let lock = disk.lock(LOCK)?;
        check_format(&disk)?;
        let mut recovery = Recovery::default();
        let mut head = Head::new(options.exemplars_max);
        head.keep_rows_from(options.kept_row_series);
        let mut manifest = Manifest::load(&disk, &mut recovery)?;
        // The process before may have died between renaming the manifest and syncing the folder.
        disk.sync_dir("tsdb")?;
        let log = Ahead::start(&disk, manifest.sequence, options.progress.clone())?;
        let archives = open_archives(&disk, &mut manifest, &mut recovery)?;
        head.set_archives(archives);
        let files = catalog::load(&disk, &manifest.catalog, &mut head, &mut recovery)?;
        manifest.catalog = files.iter().map(|(name, _)| *name).collect();
        head.resume(manifest.sequence, manifest.next_series);
        let blocks = open_blocks(&disk, &mut manifest, &mut head, &mut recovery)?;
        let newest = blocks.iter().map(|block| block.through()).max();
        head.resume(newest.unwrap_or(0), 0);
        head.set_blocks(blocks);
        head.extend_to_archives();
        manifest.remove_leftovers(&disk)?;
        // What the log adds from here on is not in the catalog.
        let exemplars_saved = head.exemplars().next();
        let mut named = Vec::new();
        let mut replayed = log.finish(&mut recovery, |sequence, record| {
            apply(&mut head, sequence, record);
            // As long as the log is read, what it has named is there, so that streams open as they did.
            let ids = head.take_named();
            head.names_are_safe(&ids);
            named.extend(ids);
        })?;
        head.end_replay(&named);
        // A damaged manifest does not say how far the log was: numbers go on behind all that blocks and deletions
        // name, or a later deletion would count as older than what it deletes.
        if !recovery.damages.is_empty() {
            let series = head.table().iter_from(0);
            let deletions = series.flat_map(|(_, series)| series.tombstones());
            let newest = deletions.map(|tombstone| tombstone.sequence).max();
            head.resume(newest.unwrap_or(0), 0);
        }
        replayed.sequence = replayed.sequence.max(head.sequence());
        let wal = Wal::resume(Arc::clone(&disk), &replayed, options.segment_bytes)?;
        let live = Live {
            retention_ms: AtomicI64::new(options.retention_ms),
            retention_bytes: AtomicU64::new(options.retention_bytes),
            window_ms: AtomicI64::new(options.out_of_order_window_ms),
            ..Live::default()
        };
        let damaged = !recovery.damages.is_empty();
        let named = (recovery.records > 0).then_some(named);
        let maintenance = Maintenance::new(now_ms, files, damaged, named, exemplars_saved);
        live.chunks.store(head.chunk_count(), Ordering::Relaxed);
        live.catalog_bytes
            .store(maintenance.catalog_bytes(), Ordering::Relaxed);
        Ok(Self {
            disk,
            options,
            head: RwLock::new(head),
            wal: Mutex::new(wal),
            maintenance: Mutex::new(maintenance),
            compaction: Mutex::new(()),
            manifest: Mutex::new(manifest),
            live,
            budget: Budget::default(),
            recovery,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// What opening found.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Sets how long samples are kept; 0 for ever.
    pub fn set_retention(&self, retention_ms: i64, retention_bytes: u64) {
        let live = &self.live;
        live.retention_ms.store(retention_ms, Ordering::Relaxed);
        live.retention_bytes
            .store(retention_bytes, Ordering::Relaxed);
    }

    /// Sets which part of the disk blocks, catalog and log may take, in percent; 0 for any.
    pub fn set_retention_percentage(&self, percent: f64) {
        let share = (percent.clamp(0.0, 100.0) * 100.0) as u64;
        self.live.retention_share.store(share, Ordering::Relaxed);
    }

    /// Sets how far a sample may lie behind the newest of the store; 0 for not at all.
    pub fn set_out_of_order_window(&self, window_ms: i64) {
        self.live.window_ms.store(window_ms, Ordering::Relaxed);
    }

    /// Sets how many exemplars are kept; the oldest are let go when there are more.
    pub fn set_exemplars_max(&self, exemplars_max: usize) {
        self.head.write().set_exemplars_max(exemplars_max);
    }

    /// Sets how much anonymous memory the process may have; 0 for no limit.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.budget.set_limit(bytes);
    }

    /// Takes note of how much anonymous memory the process has, and sheds what that calls for: from
    /// [`Pressure::Caches`] on caches go and [`Self::maintain`] flushes early, from [`Pressure::Series`] on new
    /// series are refused. Refusing queries is the shell's part.
    pub fn on_memory(&self, now_ms: i64, used: u64) -> Pressure {
        let pressure = self.budget.measure(now_ms, used);
        if pressure >= Pressure::Caches {
            let (blocks, archives) = {
                let head = self.head.read();
                head.index().drop_cache();
                (Arc::clone(head.blocks()), Arc::clone(head.archives()))
            };
            for block in blocks.iter() {
                block.drop_cache();
            }
            for archive in archives.iter() {
                archive.drop_cache();
            }
        }
        pressure
    }

    /// What is shed now.
    pub fn pressure(&self) -> Pressure {
        self.budget.pressure()
    }

    /// Which targets brought most new series in the last ten minutes, the fastest first; at most `limit`.
    pub fn growth(&self, limit: usize) -> Vec<Growth> {
        self.budget.growth(limit)
    }

    /// How the store is now.
    pub fn status(&self) -> Status {
        let live = &self.live;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (log_broken, wal_segment, wal_segments, wal_bytes) = {
            let wal = self.wal.lock();
            (
                wal.is_broken(),
                wal.segment_number(),
                wal.segments(),
                wal.bytes(),
            )
        };
        let head = self.head.read();
        Status {
            volatile_samples: count(&live.volatile),
            log_broken,
            batches_refused: count(&live.refused),
            write_failures: count(&live.write_failures),
            sync_failures: count(&live.sync_failures),
            checkpoints: count(&live.checkpoints),
            checkpoint_failures: count(&live.checkpoint_failures),
            merges: count(&live.merges),
            merge_failures: count(&live.merge_failures),
            blocks: head.blocks().len(),
            block_bytes: head.blocks().bytes(),
            damaged_pages: head.blocks().damages() + head.archives().damages(),
            archives: head.archives().len(),
            archive_bytes: head.archives().bytes(),
            archived_series: head.archives().series(),
            wal_segment,
            wal_segments,
            wal_bytes,
            catalog_bytes: count(&live.catalog_bytes),
            series: head.table().len(),
            chunks: count(&live.chunks),
            min_ms: head.span().map(|(min, _)| min),
            max_ms: head.span().map(|(_, max)| max),
            memory_limit: self.budget.limit(),
            memory_used: self.budget.used(),
            series_refused: self.budget.refused(),
            counters: head.counters(),
        }
    }

    /// Counts series, chunks and labels; each list has at most `limit` entries. Walks all series.
    pub fn stats(&self, limit: usize) -> HeadStats {
        self.head.read().stats(limit)
    }

    /// What the series of each job use, those with most series first; at most `limit`. Walks all series.
    pub fn jobs(&self, limit: usize) -> Vec<JobUse> {
        self.head.read().jobs(limit)
    }

    /// What the series that fulfil all matchers declare, sorted by labels; at most `limit`, 0 for all.
    pub fn metadata(&self, matchers: &[Matcher], limit: usize) -> Vec<(Labels, Arc<Metadata>)> {
        let head = self.head.read();
        let mut found: Vec<_> = head
            .select(matchers)
            .into_iter()
            .filter_map(|id| {
                let metadata = Arc::clone(head.table().get(id)?.metadata()?);
                Some((head.labels(id)?, metadata))
            })
            .collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if limit > 0 {
            found.truncate(limit);
        }
        found
    }

    /// Writes everything to a block, so that the next start is quick, and gives the folder back.
    /// Appends fail from then on; queries go on. The second time nothing happens.
    pub fn close(&self) -> Result<(), Error> {
        if self.live.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let written = self.checkpoint_now();
        // No commit is under way once the log is held.
        let job = {
            let mut wal = self.wal.lock();
            self.live.closed.store(true, Ordering::Release);
            wal.take_unsynced()
        };
        let synced = job.map_or(Ok(()), |job| job.run());
        // A merge that is under way sees that the store is closed and gives up; then nobody writes any more.
        drop(self.compaction.lock());
        self.lock.lock().take();
        written.and(synced)
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.live.closed.load(Ordering::Acquire) {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// Writes a batch and makes it visible. When it cannot be written, `strict` batches are refused;
    /// others become visible all the same and are saved when the disk is well again.
    pub(super) fn commit(
        &self,
        builder: BatchBuilder,
        strict: bool,
    ) -> Result<Committed, storage::Error> {
        let mut wal = self.wal.lock();
        self.check_open()?;
        let stream = builder.stream;
        let mut batch = self.resolve(builder);
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        let written = wal.append_batch(&batch, stream);
        let volatile = written.is_err();
        let sequence = match written {
            Ok(sequence) => sequence,
            Err(e) => {
                self.live.write_failures.fetch_add(1, Ordering::Relaxed);
                if strict || matches!(e, Error::BatchTooLarge) {
                    self.live.refused.fetch_add(1, Ordering::Relaxed);
                    return Err(e.into());
                }
                // Not logged: the next batch with these series names them again.
                batch.series.clear();
                wal.skip()
            }
        };
        let applied = self.head.write().apply_of(stream, sequence, batch);
        if volatile {
            self.live
                .volatile
                .fetch_add(applied.samples as u64, Ordering::Relaxed);
        }
        Ok(Committed {
            samples: applied.samples,
            new_series: applied.new_series,
        })
    }

    /// Takes series of a batch back into memory that have left for an archive since it was begun.
    fn fetch_departed(&self, batch: &mut Batch) {
        let (mut absent, (archives, blocks)) = {
            let head = self.head.read();
            let absent = batch.ids().filter(|id| head.table().get(*id).is_none());
            (absent.collect::<Vec<_>>(), head.stored())
        };
        absent.sort_unstable();
        absent.dedup();
        for id in absent {
            // What cannot be read has lost its labels.
            if let Ok(Some(entry)) = archives.left_of(id, &blocks) {
                self.head.write().revive(&entry);
                batch.series.push((id, entry.labels));
            }
        }
    }

    /// Names the series of a batch that the log does not know. Retention may have let go of a series
    /// since the batch looked it up: then it gets a new number.
    fn resolve(&self, builder: BatchBuilder) -> Batch {
        let departures = builder.departures;
        let (mut batch, named) = builder.finish();
        let mut moved = Vec::new();
        {
            let head = self.head.read();
            for (id, labels) in named {
                match head.table().get(id) {
                    Some(series) if series.state.logged => {}
                    Some(_) => batch.series.push((id, labels)),
                    None => moved.push((id, labels)),
                }
            }
        }
        for (old, labels) in moved {
            // What cannot be read now is told when it is asked for.
            let archived = self.archived(&labels).unwrap_or_default();
            let mut head = self.head.write();
            if let Some(entry) = archived {
                head.revive(&entry);
            }
            if let Some(new) = head.series_id(&labels) {
                batch.rename(old, new);
                batch.series.push((new, labels));
            }
        }
        if self.live.departures.load(Ordering::Acquire) != departures {
            self.fetch_departed(&mut batch);
        }
        batch.out_of_order = self.live.window_ms.load(Ordering::Relaxed) > 0;
        batch
    }
}

impl Storage for Db {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(DbAppender::new(self, false))
    }

    fn push_appender(&self) -> Box<dyn Appender + '_> {
        Box::new(DbAppender::new(self, true))
    }

    fn querier(&self, min_ms: i64, max_ms: i64) -> Result<Box<dyn Querier + '_>, storage::Error> {
        Ok(Box::new(DbQuerier::new(&self.head, min_ms, max_ms)))
    }
}

pub(super) fn apply(head: &mut Head, sequence: u64, record: Record) {
    match record {
        Record::Batch(batch) => {
            head.apply_of(batch.stream, sequence, batch);
        }
        Record::Delete {
            ids,
            min_ms,
            max_ms,
        } => {
            for id in &ids {
                head.revive_id(*id);
            }
            head.delete(&ids, min_ms, max_ms, sequence);
        }
    }
}

/// Opens the blocks that the manifest names. What cannot be read as a block is kept aside.
fn open_blocks(
    disk: &Arc<dyn Disk>,
    manifest: &mut Manifest,
    head: &mut Head,
    recovery: &mut Recovery,
) -> Result<Blocks, Error> {
    let mut blocks = Vec::new();
    let is_damaged = !recovery.damages.is_empty();
    for number in std::mem::take(&mut manifest.blocks) {
        let mut report = |reason: &str| {
            recovery.damages.push(Damage {
                path: block::path(number),
                offset: 0,
                reason: reason.to_owned(),
            });
        };
        let each = |span| {
            if is_damaged {
                head.recall(&span);
            }
            head.extend(span);
        };
        match Block::open(disk, number, each) {
            Ok((block, healed)) => {
                if healed {
                    report("the block's directory is damaged; its pages were looked through");
                }
                blocks.push(Arc::new(block));
                manifest.blocks.push(number);
            }
            Err(Error::Corrupt { reason, .. }) => {
                report(&reason);
                disk.create_dir(QUARANTINE)?;
                let kept = format!("{QUARANTINE}/block-{number:08}");
                disk.rename(&block::path(number), &kept)?;
            }
            Err(Error::Disk(e)) if e.is_not_found() => report("the file is missing"),
            Err(e) => return Err(e),
        }
    }
    Ok(Blocks::new(blocks))
}

/// Opens the archives that the manifest names. What cannot be read as one is kept aside.
fn open_archives(
    disk: &Arc<dyn Disk>,
    manifest: &mut Manifest,
    recovery: &mut Recovery,
) -> Result<Archives, Error> {
    let mut archives = Vec::new();
    for number in std::mem::take(&mut manifest.archives) {
        let mut report = |reason: &str| {
            recovery.damages.push(Damage {
                path: archive::path(number),
                offset: 0,
                reason: reason.to_owned(),
            });
        };
        match Archive::open(disk, number) {
            Ok((archive, healed)) => {
                if healed {
                    report("the archive's directory is damaged; its pages were looked through");
                }
                archives.push(Arc::new(archive));
                manifest.archives.push(number);
            }
            Err(Error::Corrupt { reason, .. }) => {
                report(&reason);
                disk.create_dir(QUARANTINE)?;
                let kept = format!("{QUARANTINE}/archive-{number:08}");
                disk.rename(&archive::path(number), &kept)?;
            }
            Err(Error::Disk(e)) if e.is_not_found() => report("the file is missing"),
            Err(e) => return Err(e),
        }
    }
    Ok(Archives::new(archives))
}

/// Refuses a folder that another version wrote; names the format of a new one.
fn check_format(disk: &Arc<dyn Disk>) -> Result<(), Error> {
    let text = match disk.read(FORMAT) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => {
            let text = format!("watchfire tsdb {FORMAT_VERSION}\n");
            return match disk.replace(FORMAT, text.as_bytes()) {
                Err(e) if !e.is_full() => Err(e.into()),
                _ => Ok(()),
            };
        }
        Err(e) => return Err(e.into()),
    };
    check_version(&text)
}

/// Refuses what another version wrote, of which this is the file [`FORMAT`].
pub(super) fn check_version(text: &[u8]) -> Result<(), Error> {
    let found = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim_end().strip_prefix("watchfire tsdb "))
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| Error::corrupt(FORMAT, 0, &"no format version"))?;
    match found {
        FORMAT_VERSION => Ok(()),
        older if older < FORMAT_VERSION => Err(Error::OlderFormat {
            path: FORMAT.to_owned(),
            found,
        }),
        _ => Err(Error::NewerFormat {
            path: FORMAT.to_owned(),
            found,
            known: FORMAT_VERSION,
        }),
    }
}
