//! Opens the store and keeps it well: syncs, flushes, merges, retention, and the way back from a full disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

use super::{Clock, memory};
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use crate::disk::os::OsDisk;
use crate::http::metrics::{Page, Registry};
use crate::tsdb::{Db, Error, Options, Pressure, Recovery, Status};

/// How often the store is looked after; real time, whatever the daemon's clock does.
const TICK: Duration = Duration::from_secs(1);

/// Targets whose growth is shown.
const GROWTH_SHOWN: usize = 5;

/// How long nothing is merged when nothing is due or a merge has failed.
const MERGE_PAUSE: Duration = Duration::from_secs(30);

/// Opens the store in the folder `path`, or in memory alone when there is none, away from the event loop.
/// Logs what was recovered.
pub async fn open(
    path: Option<PathBuf>,
    options: Options,
    clock: &Clock,
) -> Result<Arc<Db>, Error> {
    let now_ms = clock.timestamp().as_ms();
    let opened = spawn_blocking(move || {
        let disk: Arc<dyn Disk> = match path {
            Some(path) => Arc::new(OsDisk::open(path)?),
            None => Arc::new(MemoryDisk::new()),
        };
        Db::open(disk, options, now_ms)
    })
    .await;
    let db = opened.unwrap_or(Err(Error::Closed))?;
    let recovery = db.recovery();
    for damage in &recovery.damages {
        tracing::error!(
            path = damage.path,
            offset = damage.offset,
            reason = damage.reason,
            "stored bytes are damaged; the file will be kept in tsdb/quarantine"
        );
    }
    tracing::info!(
        checkpoints = recovery.checkpoints,
        records = recovery.records,
        torn_bytes = recovery.torn_bytes,
        series = db.status().series,
        "storage is open"
    );
    Ok(Arc::new(db))
}

/// Merges blocks when some are due, until `stop` turns true. Apart from the rest, since a merge takes long.
async fn merge(db: Arc<Db>, mut stop: watch::Receiver<bool>) {
    loop {
        let shared = Arc::clone(&db);
        let merged = spawn_blocking(move || shared.compact()).await;
        let pause = match merged {
            Ok(Ok(true)) => Duration::ZERO,
            Ok(Ok(false)) => MERGE_PAUSE,
            Ok(Err(Error::Closed)) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::error!(%error, "blocks could not be merged");
                MERGE_PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Looks after the store until `stop` turns true, then closes it with everything written.
pub async fn run(db: Arc<Db>, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    let mut pressed = Pressure::None;
    tokio::spawn(merge(Arc::clone(&db), stop.clone()));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let shared = Arc::clone(&db);
        let now_ms = clock.timestamp().as_ms();
        let work = move || {
            let pressure = memory::anonymous().map(|used| shared.on_memory(now_ms, used));
            (pressure.unwrap_or_default(), shared.maintain(now_ms))
        };
        let Ok((pressure, done)) = spawn_blocking(work).await else {
            tracing::error!("upkeep of the storage panicked");
            continue;
        };
        // A full disk fails every second: it is told when it begins and when it ends.
        if let Some(error) = done.errors.first()
            && !failing
        {
            let volatile = db.status().volatile_samples;
            tracing::error!(%error, volatile, "storage cannot write; samples stay in memory");
        }
        if failing && done.errors.is_empty() {
            tracing::info!("storage can write again");
        }
        failing = !done.errors.is_empty();
        if pressure != pressed {
            tell(&db, pressure);
            pressed = pressure;
        }
        if let Some(bytes) = done.checkpoint_bytes {
            tracing::debug!(bytes, "memory flushed to a block");
        }
    }
    match spawn_blocking(move || db.close()).await {
        Ok(Ok(())) => tracing::info!("storage is closed"),
        Ok(Err(error)) => tracing::error!(%error, "storage could not be closed cleanly"),
        Err(_) => tracing::error!("closing the storage panicked"),
    }
}

/// Says what is shed from now on, and who is at fault.
fn tell(db: &Db, pressure: Pressure) {
    let status = db.status();
    let (used, limit) = (status.memory_used, status.memory_limit);
    let offender = db.growth(1).into_iter().next().unwrap_or_default();
    let (job, instance) = (offender.origin.job, offender.origin.instance);
    let (metric, label) = (offender.metric, offender.label);
    match pressure {
        Pressure::None => tracing::info!(used, limit, "memory is well below its limit again"),
        Pressure::Caches => {
            tracing::warn!(used, limit, "memory is near its limit: caches are dropped");
        }
        Pressure::Queries => {
            tracing::warn!(used, limit, "memory is near its limit: queries are refused");
        }
        Pressure::Series | Pressure::AllSeries => tracing::error!(
            used,
            limit,
            job,
            instance,
            metric,
            label,
            "memory is at its limit: new series are refused; named is who brought most"
        ),
    }
}

/// Adds the store's self-metrics, under upstream's names where it has one.
pub fn register_metrics(db: &Arc<Db>, registry: &Registry) {
    let db = Arc::downgrade(db);
    registry.collector(move |page| {
        if let Some(db) = db.upgrade() {
            collect(&db, page);
        }
    });
}

fn collect(db: &Db, page: &mut Page) {
    let status = db.status();
    gauges(&status, db.recovery(), page);
    counters(&status, db.recovery(), page);
    budget(db, &status, page);
}

/// The memory budget, and who uses it up.
fn budget(db: &Db, status: &Status, page: &mut Page) {
    for (name, help, value) in [
        (
            "watchfire_memory_limit_bytes",
            "Anonymous memory that the process may have; 0 without a limit.",
            status.memory_limit as f64,
        ),
        (
            "watchfire_memory_used_bytes",
            "Anonymous memory that the process has.",
            status.memory_used as f64,
        ),
        (
            "watchfire_memory_pressure",
            "What is shed: 0 nothing, 1 caches, 2 queries, 3 new series of who grows most, 4 all new series.",
            f64::from(db.pressure().level()),
        ),
    ] {
        page.gauge(name, help, &[], value);
    }
    page.counter(
        "watchfire_tsdb_series_refused_total",
        "New series that were refused for lack of memory.",
        &[],
        status.series_refused as f64,
    );
    for growth in db.growth(GROWTH_SHOWN) {
        let labels = [
            ("growing_job", growth.origin.job.as_str()),
            ("growing_instance", growth.origin.instance.as_str()),
            ("growing_metric", growth.metric.as_str()),
            ("growing_label", growth.label.as_str()),
        ];
        page.gauge(
            "watchfire_tsdb_series_growth",
            "New series in the last ten minutes of the targets that brought most, with the metric and the label that grew most.",
            &labels,
            growth.series as f64,
        );
    }
}

fn gauges(status: &Status, recovery: &Recovery, page: &mut Page) {
    let clean = recovery.records == 0 && recovery.damages.is_empty();
    let seconds = |ms: Option<i64>| ms.unwrap_or(0) as f64 / 1000.0;
    for (name, help, value) in [
        (
            "prometheus_tsdb_head_series",
            "Total number of series in the head block.",
            status.series as f64,
        ),
        (
            "prometheus_tsdb_head_chunks",
            "Total number of chunks in the head block.",
            status.chunks as f64,
        ),
        (
            "prometheus_tsdb_head_min_time",
            "Minimum time bound of the head block in milliseconds.",
            status.min_ms.unwrap_or(0) as f64,
        ),
        (
            "prometheus_tsdb_head_max_time",
            "Maximum timestamp of the head block in milliseconds.",
            status.max_ms.unwrap_or(0) as f64,
        ),
        (
            "prometheus_tsdb_head_min_time_seconds",
            "Minimum time bound of the head block.",
            seconds(status.min_ms),
        ),
        (
            "prometheus_tsdb_head_max_time_seconds",
            "Maximum timestamp of the head block.",
            seconds(status.max_ms),
        ),
        (
            "prometheus_tsdb_lowest_timestamp_seconds",
            "Lowest timestamp value stored in the database.",
            seconds(status.min_ms),
        ),
        (
            "prometheus_tsdb_wal_segment_current",
            "Write log segment index that TSDB is currently writing to.",
            status.wal_segment as f64,
        ),
        (
            "prometheus_tsdb_wal_storage_size_bytes",
            "Size of the write log directory.",
            status.wal_bytes as f64,
        ),
        (
            "prometheus_tsdb_storage_blocks_bytes",
            "The number of bytes that are currently used for local storage by all blocks.",
            status.block_bytes as f64,
        ),
        (
            "prometheus_tsdb_blocks_loaded",
            "Number of currently loaded data blocks",
            status.blocks as f64,
        ),
        (
            "watchfire_tsdb_catalog_bytes",
            "Size of the catalog: labels, metadata and exemplars.",
            status.catalog_bytes as f64,
        ),
        (
            "watchfire_tsdb_archived_series",
            "Series that have ended, whose labels are on the disk alone.",
            status.archived_series as f64,
        ),
        (
            "watchfire_tsdb_archive_bytes",
            "Size of the archives: labels of series that have ended.",
            status.archive_bytes as f64,
        ),
        (
            "prometheus_tsdb_clean_start",
            "-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean",
            f64::from(u8::from(clean)),
        ),
        (
            "watchfire_tsdb_volatile_samples",
            "Samples that are visible but not on the disk.",
            status.volatile_samples as f64,
        ),
        (
            "watchfire_tsdb_log_broken",
            "Whether the write-ahead log cannot be written.",
            f64::from(u8::from(status.log_broken)),
        ),
    ] {
        page.gauge(name, help, &[], value);
    }
}

fn counters(status: &Status, recovery: &Recovery, page: &mut Page) {
    let counters = status.counters;
    for (name, help, value) in [
        (
            "prometheus_tsdb_head_series_created_total",
            "Total number of series created in the head",
            counters.series_created,
        ),
        (
            "prometheus_tsdb_head_series_removed_total",
            "Total number of series removed in the head",
            counters.series_removed,
        ),
        (
            "prometheus_tsdb_exemplar_exemplars_appended_total",
            "Total number of appended exemplars.",
            counters.exemplars_appended,
        ),
        (
            "prometheus_tsdb_wal_corruptions_total",
            "Total number of WAL corruptions.",
            recovery.damages.len() as u64,
        ),
        (
            "prometheus_tsdb_wal_writes_failed_total",
            "Total number of write log writes that failed.",
            status.write_failures,
        ),
        (
            "prometheus_tsdb_checkpoint_creations_total",
            "Total number of checkpoint creations attempted.",
            status.checkpoints + status.checkpoint_failures,
        ),
        (
            "prometheus_tsdb_checkpoint_creations_failed_total",
            "Total number of checkpoint creations that failed.",
            status.checkpoint_failures,
        ),
        (
            "prometheus_tsdb_compactions_total",
            "Total number of compactions that were executed for the partition.",
            status.merges,
        ),
        (
            "prometheus_tsdb_compactions_failed_total",
            "Total number of compactions that failed for the partition.",
            status.merge_failures,
        ),
        (
            "watchfire_tsdb_damaged_pages_total",
            "Damaged pages of blocks that reads have met.",
            status.damaged_pages,
        ),
        (
            "prometheus_tsdb_reloads_failures_total",
            "Number of times the database failed to reloadBlocks block data from disk.",
            0,
        ),
        (
            "watchfire_tsdb_wal_sync_failures_total",
            "Syncs of the write-ahead log that failed.",
            status.sync_failures,
        ),
        (
            "watchfire_tsdb_batches_refused_total",
            "Batches that were refused because they could not be written.",
            status.batches_refused,
        ),
    ] {
        page.counter(name, help, &[], value as f64);
    }
    for (kind, value) in [
        (
            "float",
            counters.samples_appended - counters.histograms_appended,
        ),
        ("histogram", counters.histograms_appended),
    ] {
        page.counter(
            "prometheus_tsdb_head_samples_appended_total",
            "Total number of appended samples.",
            &[("type", kind)],
            value as f64,
        );
    }
    page.counter(
        "prometheus_tsdb_head_out_of_order_samples_appended_total",
        "Total number of appended out of order samples.",
        &[("type", "float")],
        counters.out_of_order_samples_appended as f64,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Sample};
    use crate::storage::Storage;

    #[tokio::test]
    async fn the_store_is_closed_with_everything_written() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::real();
        let path = Some(folder.path().to_owned());
        let db = open(path.clone(), Options::default(), &clock)
            .await
            .unwrap();
        let registry = Registry::default();
        register_metrics(&db, &registry);
        let (stop, stopped) = watch::channel(false);
        let upkeep = tokio::spawn(run(Arc::clone(&db), clock, stopped));
        let mut batch = db.appender();
        let labels = Labels::from_pairs([("__name__", "up")]);
        batch.append(None, &labels, Sample::float(1, 1.0)).unwrap();
        batch.commit().unwrap();
        let page = registry.gather().to_string();
        assert!(page.contains("prometheus_tsdb_head_series 1\n"), "{page}");
        assert!(page.contains("head_samples_appended_total{type=\"float\"} 1\n"));
        stop.send(true).unwrap();
        upkeep.await.unwrap();
        let db = open(path, Options::default(), &clock).await.unwrap();
        assert_eq!((db.recovery().records, db.status().series), (0, 1));
    }
}
