//! The engine as a whole, over disks that crash.

mod archives;
mod dangers;
mod read_only;
mod rows;
mod upkeep;

use std::sync::Arc;

use super::*;
use crate::disk::Disk;
use crate::disk::faulty::FaultyDisk;
use crate::disk::memory::MemoryDisk;
use crate::disk::os::OsDisk;
use crate::model::{Exemplar, Labels, Matcher, Metadata, Sample, SampleValue};
use crate::storage::{self, AppendError, SelectHints, Storage};

fn series(i: i64) -> Labels {
    Labels::from_pairs([("__name__", "m"), ("i", &i.to_string())])
}

fn hints() -> SelectHints {
    SelectHints {
        min_ms: i64::MIN,
        max_ms: i64::MAX,
        step_ms: 0,
        function: String::new(),
        limit: 0,
        sorted: true,
    }
}

fn open(disk: &impl DiskHandle, options: Options) -> Db {
    Db::open(disk.handle(), options, 0).unwrap()
}

trait DiskHandle {
    fn handle(&self) -> Arc<dyn Disk>;
}

impl<D: Disk + Clone + 'static> DiskHandle for D {
    fn handle(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }
}

fn put(db: &Db, samples: &[(i64, i64, f64)]) -> Result<storage::Committed, storage::Error> {
    let mut batch = db.appender();
    for (i, ms, v) in samples {
        batch
            .append(None, &series(*i), Sample::float(*ms, *v))
            .unwrap();
    }
    batch.commit()
}

/// Every series with its samples, as text.
fn dump(db: &Db) -> Vec<String> {
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    let mut lines = Vec::new();
    for entry in querier.select(&hints(), &[]).unwrap() {
        let entry = entry.unwrap();
        for sample in entry.samples {
            let sample = sample.unwrap();
            let value = match sample.value {
                SampleValue::Float(v) => format!("{:x}", v.to_bits()),
                other => format!("{other:?}"),
            };
            lines.push(format!("{} {} {value}", entry.labels, sample.timestamp_ms));
        }
    }
    lines
}

#[test]
fn what_was_visible_is_there_after_kill_9() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    for t in 0..300 {
        put(&db, &[(1, t * 10, t as f64), (2, t * 10, 0.1 * t as f64)]).unwrap();
    }
    let before = dump(&db);
    assert_eq!(before.len(), 600);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db), before);
    assert_eq!(db.recovery().damages, []);
    put(&db, &[(1, 3000, 7.0)]).unwrap();
    disk.kill();
    assert_eq!(dump(&open(&disk, Options::default())).len(), 601);
}

#[test]
fn checkpoints_cut_the_log_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(folder.path()).unwrap();
    let options = Options {
        segment_bytes: 2000,
        checkpoint_bytes: 5000,
        ..Options::default()
    };
    let db = open(&disk, options.clone());
    let mut checkpoints = 0;
    for t in 0..2000 {
        put(
            &db,
            &[(1, t * 10, t as f64), (t % 7, t * 10 + 1, 0.1 * t as f64)],
        )
        .unwrap();
        let done = db.maintain(t * 10);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        checkpoints += usize::from(done.checkpoint_bytes.is_some());
    }
    assert!(checkpoints > 3);
    assert!(db.status().wal_bytes < 20_000, "{}", db.status().wal_bytes);
    let before = dump(&db);
    drop(db);
    let db = open(&disk, options.clone());
    assert!(db.recovery().checkpoints > 0);
    assert_eq!(dump(&db), before);
    db.close().unwrap();
    drop(db);
    let db = open(&disk, options);
    assert_eq!(
        db.recovery().records,
        0,
        "a clean stop leaves nothing to replay"
    );
    assert_eq!(dump(&db), before);
}

#[test]
fn a_second_process_is_refused() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let second = Db::open(disk.handle(), Options::default(), 0);
    assert!(matches!(
        second,
        Err(Error::Disk(crate::disk::Error::Locked { .. }))
    ));
    db.close().unwrap();
    assert!(matches!(
        put(&db, &[(1, 1, 1.0)]),
        Err(storage::Error::Closed)
    ));
    open(&disk, Options::default());
}

#[test]
fn a_folder_of_a_newer_version_is_refused() {
    let disk = MemoryDisk::new();
    disk.replace("tsdb/format", b"watchfire tsdb 99\n").unwrap();
    let refused = Db::open(disk.handle(), Options::default(), 0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "tsdb/format: format version 99 is newer than this program's 2"
    );
    disk.replace("tsdb/format", b"watchfire tsdb 1\n").unwrap();
    let refused = Db::open(disk.handle(), Options::default(), 0).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("move the folder tsdb away to begin with an empty store")
    );
}

#[test]
fn readers_keep_their_view_while_batches_come() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    put(&db, &[(1, 10, 1.0), (2, 10, 1.0)]).unwrap();
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    put(&db, &[(1, 20, 1.0), (3, 20, 1.0)]).unwrap();
    let count = |querier: &dyn storage::Querier| -> usize {
        querier
            .select(&hints(), &[])
            .unwrap()
            .map(|entry| entry.unwrap().samples.count())
            .sum()
    };
    assert_eq!(count(&*querier), 2);
    assert_eq!(querier.label_values("i", &[], 0).unwrap(), ["1", "2"]);
    drop(querier);
    assert_eq!(count(&*db.querier(i64::MIN, i64::MAX).unwrap()), 4);
}

#[test]
fn a_batch_that_is_dropped_leaves_no_trace() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let mut batch = db.appender();
    batch
        .append(None, &series(1), Sample::float(1, 1.0))
        .unwrap();
    drop(batch);
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    assert!(querier.label_names(&[], 0).unwrap().is_empty());
    drop(querier);
    put(&db, &[(1, 1, 2.0)]).unwrap();
    disk.kill();
    assert_eq!(dump(&open(&disk, Options::default())).len(), 1);
}

#[test]
fn a_full_disk_refuses_pushes_keeps_scrapes_and_heals() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    put(&db, &[(1, 10, 1.0)]).unwrap();
    disk.set_capacity(Some(disk.used() + 30));
    put(&db, &[(1, 20, 2.0), (2, 20, 2.0)]).unwrap();
    put(&db, &[(1, 30, 3.0), (2, 30, 3.0)]).unwrap();
    let mut push = db.push_appender();
    push.append(None, &series(3), Sample::float(30, 1.0))
        .unwrap();
    assert!(matches!(push.commit(), Err(storage::Error::Full(_))));
    let status = db.status();
    assert_eq!((status.volatile_samples, status.log_broken), (4, true));
    assert_eq!(dump(&db).len(), 5);
    assert!(!db.maintain(2000).errors.is_empty());
    disk.set_capacity(None);
    let done = db.maintain(4000);
    assert!(done.healed && done.checkpoint_bytes.is_some(), "{done:?}");
    assert!(!db.status().is_volatile());
    let mut push = db.push_appender();
    push.append(None, &series(3), Sample::float(30, 1.0))
        .unwrap();
    push.commit().unwrap();
    let before = dump(&db);
    assert_eq!(before.len(), 6);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db), before);
    assert_eq!(db.recovery().damages, []);
}

#[test]
fn damage_in_the_middle_costs_what_it_hits_and_is_kept_aside() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    for t in 0..10 {
        put(&db, &[(1, t, t as f64)]).unwrap();
    }
    disk.kill();
    let size = disk.read("tsdb/wal/00000001").unwrap().len() as u64;
    disk.flip_bit("tsdb/wal/00000001", size * 4);
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db).len(), 9);
    assert_eq!(db.recovery().damages.len(), 1);
    assert!(
        db.maintain(1).checkpoint_bytes.is_some(),
        "damage calls for a checkpoint"
    );
    assert_eq!(disk.list("tsdb/quarantine").unwrap(), ["wal-00000001"]);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!((dump(&db).len(), db.recovery().damages.len()), (9, 0));
}

#[test]
fn deleted_samples_stay_deleted() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    for t in 0..200 {
        put(&db, &[(1, t, 1.0), (2, t, 1.0)]).unwrap();
    }
    let one = [Matcher::equal("i", "1")];
    assert_eq!(db.delete_series(&one, 50, 149).unwrap(), 1);
    assert_eq!(dump(&db).len(), 300);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db).len(), 300);
    db.delete_series(&one, i64::MIN, i64::MAX).unwrap();
    db.maintain(100_000);
    db.maintain(200_000);
    db.maintain(300_000);
    db.checkpoint_now().unwrap();
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db).len(), 200);
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    assert_eq!(querier.label_values("i", &[], 0).unwrap(), ["2"]);
}

#[test]
fn retention_lets_old_samples_go_for_good() {
    let disk = MemoryDisk::new();
    let options = Options {
        retention_ms: 1_000_000,
        ..Options::default()
    };
    let db = open(&disk, options.clone());
    for t in 0..1000 {
        put(&db, &[(1, t * 10_000, 1.0)]).unwrap();
    }
    put(&db, &[(2, 9_000_000, 1.0)]).unwrap();
    db.maintain(10_000_000);
    let left = dump(&db).len();
    assert!((101..=101 + 120).contains(&left), "{left}");
    db.maintain(12_000_000);
    db.maintain(12_100_000);
    assert_eq!(dump(&db).len(), 0);
    assert_eq!(db.status().series, 0);
    db.checkpoint_now().unwrap();
    disk.kill();
    let db = open(&disk, options);
    assert_eq!((db.status().series, dump(&db).len()), (0, 0));
    // The labels come back under a new number.
    put(&db, &[(1, 13_000_000, 1.0)]).unwrap();
    disk.kill();
    assert_eq!(dump(&open(&disk, Options::default())).len(), 1);
}

/// A store that has been flushed every `every` rounds of four series.
fn flushed(disk: &MemoryDisk, rounds: i64, every: i64, options: Options) -> Db {
    let db = open(disk, options);
    for t in 0..rounds {
        let samples: Vec<_> = (0..4).map(|i| (i, t * 60_000, (t * i) as f64)).collect();
        put(&db, &samples).unwrap();
        if t % every == every - 1 {
            db.checkpoint_now().unwrap();
        }
    }
    db
}

#[test]
fn blocks_are_merged_and_answer_as_before() {
    let disk = MemoryDisk::new();
    let db = flushed(&disk, 1600, 25, Options::default());
    let before = dump(&db);
    assert_eq!((before.len(), db.status().blocks), (6400, 64));
    while db.compact().unwrap() {}
    let status = db.status();
    assert!(status.blocks < 6 && status.merges > 0, "{status:?}");
    assert_eq!(disk.list("tsdb/block").unwrap().len(), status.blocks);
    assert_eq!(dump(&db), before);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db), before);
    assert_eq!(db.recovery().records, 0);
}

#[test]
fn memory_is_given_back_when_no_reader_needs_it() {
    let disk = MemoryDisk::new();
    let db = flushed(&disk, 100, 1000, Options::default());
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    let before = dump(&db);
    db.checkpoint_now().unwrap();
    assert!(db.stats(0).chunks > 0, "a reader may still need it");
    put(&db, &[(1, 100 * 60_000, 1.0)]).unwrap();
    // What is in both places is read once, and written once.
    assert_eq!(dump(&db).len(), before.len() + 1);
    db.checkpoint_now().unwrap();
    assert_eq!(dump(&db).len(), before.len() + 1);
    let count = |querier: &dyn storage::Querier| -> usize {
        querier
            .select(&hints(), &[])
            .unwrap()
            .map(|entry| entry.unwrap().samples.count())
            .sum()
    };
    assert_eq!(count(&*querier), before.len());
    drop(querier);
    db.maintain(1);
    assert_eq!(db.stats(0).chunks, 0);
    assert_eq!(dump(&db).len(), before.len() + 1);
}

#[test]
fn retention_drops_whole_blocks_and_series_with_them() {
    let disk = MemoryDisk::new();
    let options = Options {
        retention_ms: 3_600_000,
        ..Options::default()
    };
    let db = flushed(&disk, 60, 10, options);
    put(&db, &[(9, 60 * 60_000, 1.0)]).unwrap();
    let now = 60 * 60_000 + 3_600_000 - 60_000 * 15;
    db.maintain(now);
    assert_eq!(db.status().blocks, 2, "the newest of each is young enough");
    db.maintain(now + 3_600_000);
    db.maintain(now + 3_700_000);
    assert_eq!((db.status().blocks, db.status().series), (0, 0));
    assert!(disk.list("tsdb/block").unwrap().is_empty());
}

#[test]
fn retention_by_size_drops_the_oldest_blocks() {
    let disk = MemoryDisk::new();
    let db = flushed(&disk, 100, 10, Options::default());
    let status = db.status();
    let half = status.block_bytes / 2;
    db.set_retention(0, half + status.wal_bytes + status.catalog_bytes);
    db.maintain(1);
    db.maintain(100_000);
    let status = db.status();
    assert!((4..=5).contains(&status.blocks), "{status:?}");
    assert_eq!(dump(&db).len(), status.blocks * 40);
    assert!(dump(&db)[0].contains(" 3"), "the newest are left");
}

#[test]
fn deleted_samples_are_gone_from_blocks_when_they_are_cleaned() {
    let disk = MemoryDisk::new();
    let options = Options {
        out_of_order_window_ms: 100 * 60_000,
        ..Options::default()
    };
    let db = flushed(&disk, 100, 10, options.clone());
    let one = [Matcher::equal("i", "1")];
    assert_eq!(db.delete_series(&one, 0, 50 * 60_000 - 1).unwrap(), 1);
    // At a deleted time there may be a sample again.
    put(&db, &[(1, 20 * 60_000, 7.5)]).unwrap();
    let before = dump(&db);
    assert_eq!(before.len(), 400 - 50 + 1);
    let bytes = db.status().block_bytes;
    for _ in 0..2 {
        db.clean_tombstones().unwrap();
        assert_eq!(dump(&db), before);
    }
    assert!(db.status().block_bytes < bytes + 200);
    disk.kill();
    assert_eq!(dump(&open(&disk, options)), before);
}

#[test]
fn a_late_sample_in_a_deleted_stretch_is_shown_also_after_starts() {
    let disk = MemoryDisk::new();
    let options = Options {
        out_of_order_window_ms: 1_000_000,
        ..Options::default()
    };
    let db = open(&disk, options.clone());
    for t in 0..100 {
        put(&db, &[(1, t * 10, 1.0), (2, t * 10, 1.0)]).unwrap();
    }
    // The newest samples of one series, and all of the other.
    db.delete_series(&[Matcher::equal("i", "1")], 500, 5000)
        .unwrap();
    db.delete_series(&[Matcher::equal("i", "2")], 0, 5000)
        .unwrap();
    db.checkpoint_now().unwrap();
    disk.kill();
    let db = open(&disk, options.clone());
    put(&db, &[(1, 705, 2.0), (2, 705, 2.0)]).unwrap();
    let shown = dump(&db);
    assert_eq!(shown.len(), 50 + 2);
    for _ in 0..2 {
        db.checkpoint_now().unwrap();
        assert_eq!(dump(&db), shown);
        db.clean_tombstones().unwrap();
        // Retention lets go of series that are empty, the second time it looks.
        db.maintain(100_000);
        db.maintain(200_000);
        assert_eq!(dump(&db), shown);
    }
    drop(db);
    disk.kill();
    assert_eq!(dump(&open(&disk, options)), shown);
}

#[test]
fn histograms_go_on_across_flushes_and_starts() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let reference = storage::reference::ReferenceStorage::new();
    let append = |store: &dyn Storage, t: i64, value: SampleValue| {
        let mut batch = store.appender();
        let sample = Sample {
            timestamp_ms: t,
            start_timestamp_ms: 0,
            value,
        };
        batch.append(None, &series(1), sample).unwrap();
        batch.commit().unwrap();
    };
    let mut db = db;
    for t in 0..20 {
        let value = if t == 13 {
            SampleValue::Float(crate::model::stale_nan())
        } else {
            let mut histogram = chunk::tests::histogram(3);
            histogram.zero_count += t as u64;
            histogram.count = 9 + t as u64;
            SampleValue::Histogram(Arc::new(histogram))
        };
        append(&db, t, value.clone());
        let value = if t == 13 {
            batch::stale_histogram()
        } else {
            value
        };
        append(&reference, t, value);
        if t % 4 == 3 {
            db.checkpoint_now().unwrap();
        }
        if t % 6 == 5 {
            disk.kill();
            db = open(&disk, Options::default());
        }
    }
    let text = |store: &dyn Storage| -> Vec<String> {
        let querier = store.querier(i64::MIN, i64::MAX).unwrap();
        let mut entries = querier.select(&hints(), &[]).unwrap();
        let entry = entries.next().unwrap().unwrap();
        entry
            .samples
            .map(|sample| format!("{:?}", sample.unwrap()))
            .collect()
    };
    assert_eq!(text(&db), text(&reference));
}

#[test]
fn a_snapshot_is_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(folder.path()).unwrap();
    let db = open(&disk, Options::default());
    put(&db, &[(1, 10, 1.0), (2, 10, 2.0)]).unwrap();
    db.checkpoint_now().unwrap();
    put(&db, &[(1, 20, 3.0)]).unwrap();
    let verified = db.snapshot("head", false).unwrap();
    assert_eq!((verified.blocks, verified.damages.len()), (2, 0));
    let before = dump(&db);
    let handle: Arc<dyn Disk> = Arc::new(disk.clone());
    assert_eq!(verify(&handle).unwrap().blocks, 2);
    put(&db, &[(1, 30, 4.0)]).unwrap();
    db.snapshot("blocks", true).unwrap();
    for name in ["head", "blocks"] {
        let copy = OsDisk::open(folder.path().join("snapshots").join(name)).unwrap();
        assert_eq!(dump(&open(&copy, Options::default())), before, "{name}");
    }
    assert_eq!(dump(&db).len(), before.len() + 1);
}

#[test]
fn verify_names_the_damaged_file() {
    let disk = MemoryDisk::new();
    let db = flushed(&disk, 20, 10, Options::default());
    drop(db);
    disk.flip_bit("tsdb/block/00000003", 1000);
    let handle: Arc<dyn Disk> = Arc::new(disk.clone());
    let verified = verify(&handle).unwrap();
    let paths: Vec<_> = verified.damages.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["tsdb/block/00000003"]);
    disk.remove("tsdb/block/00000001").unwrap();
    assert_eq!(verify(&handle).unwrap().damages.len(), 2);
}

#[test]
fn short_memory_refuses_new_series_of_who_grew_and_nobody_else() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let of = |job: &str, i: u64| {
        Labels::from_pairs([("__name__", "m"), ("job", job), ("path", &i.to_string())])
    };
    let append = |job: &str, i: u64, ms: i64| {
        let mut batch = db.appender();
        let outcome = batch
            .append(None, &of(job, i), Sample::float(ms, 1.0))
            .map(|_| ());
        batch.commit().unwrap();
        outcome
    };
    db.set_memory_limit(1000 << 20);
    assert_eq!(db.on_memory(0, 500 << 20), Pressure::None);
    for i in 0..600 {
        append("bomb", i, 1).unwrap();
    }
    append("good", 0, 1).unwrap();
    assert_eq!(db.on_memory(1000, 955 << 20), Pressure::Series);
    assert!(matches!(
        append("bomb", 9999, 2),
        Err(AppendError::Refused(_))
    ));
    append("bomb", 5, 2).expect("series that exist go on");
    append("good", 1, 2).unwrap();
    assert_eq!(db.status().series_refused, 1);
    let growth = db.growth(1);
    assert_eq!(
        (growth[0].origin.job.as_str(), growth[0].label.as_str()),
        ("bomb", "path")
    );
    assert_eq!(db.on_memory(2000, 100 << 20), Pressure::None);
    append("bomb", 9999, 3).unwrap();
}

#[test]
fn retention_by_share_of_the_disk_drops_the_oldest_blocks() {
    let disk = MemoryDisk::new();
    let db = flushed(&disk, 100, 10, Options::default());
    disk.set_capacity(Some(100_000));
    db.set_retention(0, 0);
    db.set_retention_percentage(3.0);
    db.maintain(100_000);
    let status = db.status();
    let bytes = status.block_bytes + status.wal_bytes + status.catalog_bytes;
    assert!(bytes <= 3000 && status.blocks > 0, "{status:?}");
}

#[test]
fn exemplars_metadata_and_histograms_survive() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let mut histogram = chunk::tests::histogram(3);
    histogram.count = 9;
    for t in 1..=3 {
        let mut batch = db.appender();
        let id = batch
            .append(None, &series(1), Sample::float(t, 1.0))
            .unwrap();
        let exemplar = Exemplar {
            labels: Labels::from_pairs([("trace_id", "x")]),
            value: t as f64,
            timestamp_ms: None,
        };
        batch.append_exemplar(id, exemplar).unwrap();
        let metadata = Metadata {
            help: "helps".to_owned(),
            ..Metadata::default()
        };
        batch.update_metadata(id, metadata).unwrap();
        let sample = Sample {
            timestamp_ms: t,
            start_timestamp_ms: -5,
            value: SampleValue::Histogram(Arc::new(histogram.clone())),
        };
        batch.append(None, &series(2), sample).unwrap();
        batch.commit().unwrap();
        if t == 2 {
            db.checkpoint_now().unwrap();
        }
    }
    let before = dump(&db);
    disk.kill();
    let db = open(&disk, Options::default());
    assert_eq!(dump(&db), before);
    let querier = db.querier(2, 10).unwrap();
    let exemplars = querier.exemplars(&[vec![]]).unwrap();
    let times: Vec<_> = exemplars[0]
        .exemplars
        .iter()
        .map(|e| e.timestamp_ms)
        .collect();
    assert_eq!(times, [Some(2), Some(3)]);
    assert_eq!(db.metadata(&[], 0)[0].1.help, "helps");
}

#[test]
fn upstreams_errors_for_samples_that_cannot_be_taken() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    put(&db, &[(1, 10_000_000, 1.0)]).unwrap();
    let mut batch = db.appender();
    let mut try_at = |ms, v| {
        batch
            .append(None, &series(1), Sample::float(ms, v))
            .map(|_| ())
    };
    assert_eq!(try_at(10_000_000, 1.0), Ok(()));
    assert_eq!(
        try_at(10_000_000, 2.0),
        Err(AppendError::DuplicateTimestamp)
    );
    assert_eq!(try_at(9_999_999, 2.0), Err(AppendError::OutOfOrder));
    assert_eq!(try_at(1, 2.0), Err(AppendError::OutOfBounds));
    assert_eq!(try_at(10_000_001, 2.0), Ok(()));
    assert_eq!(
        try_at(10_000_001, 3.0),
        Err(AppendError::DuplicateTimestamp)
    );
    assert_eq!(batch.commit().unwrap().samples, 1);
}

#[test]
fn readers_see_whole_batches_while_many_write() {
    let folder = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(folder.path()).unwrap();
    let options = Options {
        checkpoint_bytes: 20_000,
        segment_bytes: 5_000,
        ..Options::default()
    };
    let db = open(&disk, options);
    let rounds = 150;
    std::thread::scope(|scope| {
        let db = &db;
        for writer in 0..3 {
            scope.spawn(move || {
                for t in 1..=rounds {
                    let samples: Vec<_> = (0..20)
                        .map(|i| (writer * 100 + i, t * 1000, t as f64))
                        .collect();
                    put(db, &samples).unwrap();
                }
            });
        }
        scope.spawn(move || {
            for t in 0..50 {
                let done = db.maintain(t * 2000);
                assert!(done.errors.is_empty(), "{:?}", done.errors);
            }
        });
        for _ in 0..60 {
            let querier = db.querier(i64::MIN, i64::MAX).unwrap();
            let mut counts = [const { Vec::new() }; 3];
            for entry in querier.select(&hints(), &[]).unwrap() {
                let entry = entry.unwrap();
                let writer = entry.labels.get("i").unwrap().parse::<usize>().unwrap() / 100;
                counts[writer].push(entry.samples.count());
            }
            for counts in counts {
                let whole = counts.is_empty() || counts.len() == 20;
                assert!(
                    whole && counts.windows(2).all(|pair| pair[0] == pair[1]),
                    "{counts:?}"
                );
            }
        }
    });
    let before = dump(&db);
    assert_eq!(before.len(), 3 * 20 * rounds as usize);
    drop(db);
    assert_eq!(dump(&open(&disk, Options::default())), before);
}

/// Runs the same work and stops the machine in the middle of operation `stop`. Returns what was
/// visible at the end, and what was said to be safe from a power cut.
fn run_until(disk: &FaultyDisk, stop: u64) -> (Vec<String>, Vec<String>) {
    let options = Options {
        segment_bytes: 600,
        checkpoint_bytes: 1500,
        sync_interval_ms: 20,
        ..Options::default()
    };
    disk.stop_after(stop);
    let Ok(db) = Db::open(disk.handle(), options, 0) else {
        return (Vec::new(), Vec::new());
    };
    let (mut visible, mut safe) = (Vec::new(), Vec::new());
    for t in 0..60 {
        let mut batch = db.push_appender();
        for i in 0..=t % 3 {
            let sample = Sample::float(t * 10, (t * i) as f64);
            batch.append(None, &series(i), sample).unwrap();
        }
        if batch.commit().is_ok() {
            visible = dump(&db);
        }
        if db.maintain(t * 10).synced {
            safe.clone_from(&visible);
        }
        if disk.stopped() {
            break;
        }
    }
    (visible, safe)
}

#[test]
fn kill_9_in_the_middle_of_every_operation_loses_nothing_visible() {
    let disk = FaultyDisk::new(0);
    run_until(&disk, u64::MAX / 2);
    let operations = disk.operations();
    assert!(operations > 100);
    for stop in 0..operations {
        let disk = FaultyDisk::new(stop);
        let (visible, _) = run_until(&disk, stop);
        disk.kill();
        let db = open(&disk, Options::default());
        let after = dump(&db);
        for line in &visible {
            assert!(after.contains(line), "stop {stop}: {line} is lost");
        }
        assert_eq!(db.recovery().damages, [], "stop {stop}");
        put(&db, &[(0, 1_000, 1.0)]).unwrap();
        let before = dump(&db);
        disk.kill();
        assert_eq!(
            dump(&open(&disk, Options::default())),
            before,
            "stop {stop}"
        );
    }
}

#[test]
fn a_power_cut_in_the_middle_of_every_operation_loses_nothing_synced() {
    let disk = FaultyDisk::new(0);
    run_until(&disk, u64::MAX / 2);
    for stop in 0..disk.operations() {
        let disk = FaultyDisk::new(1000 + stop);
        let (_, safe) = run_until(&disk, stop);
        disk.power_cut();
        let db = open(&disk, Options::default());
        let after = dump(&db);
        for line in &safe {
            assert!(after.contains(line), "stop {stop}: {line} is lost");
        }
        db.sync_now().unwrap();
        disk.power_cut();
        assert_eq!(dump(&open(&disk, Options::default())), after, "stop {stop}");
    }
}
