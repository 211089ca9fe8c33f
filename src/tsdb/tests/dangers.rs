//! The known dangers of the design, by their numbers in the study (`STORAGE_DESIGN.md`, section 7).

use super::*;
use crate::codec::frame::Frames;

fn quiet(options: Options) -> Options {
    Options {
        // Nothing is flushed but by hand.
        checkpoint_interval_ms: i64::MAX,
        ..options
    }
}

#[test]
fn danger_1_recovery_keeps_the_longest_good_prefix_of_one_log() {
    let disk = MemoryDisk::new();
    let db = open(&disk, quiet(Options::default()));
    for t in 0..20 {
        // Each batch names a new series: a record that is missing would show.
        put(&db, &[(t, t, 1.0), (0, t + 100, 1.0)]).unwrap();
    }
    disk.kill();
    let log = disk.read("tsdb/wal/00000001").unwrap();
    for cut in 0..log.len() {
        let disk = MemoryDisk::new();
        disk.replace("tsdb/format", b"watchfire tsdb 2\n").unwrap();
        let file = disk.create("tsdb/wal/00000001").unwrap();
        file.append(&log[..cut]).unwrap();
        let db = open(&disk, quiet(Options::default()));
        let found = dump(&db).len();
        assert_eq!(found % 2, 0, "cut {cut}: batches are whole");
        assert_eq!(db.recovery().damages, [], "cut {cut}");
        assert_eq!(db.status().series, (found / 2).max(usize::from(found > 0)));
    }
}

#[test]
fn danger_2_numbers_are_never_used_twice() {
    let disk = MemoryDisk::new();
    let options = Options {
        retention_ms: 3_600_000,
        ..Options::default()
    };
    let db = open(&disk, options.clone());
    put(&db, &[(1, 0, 1.0), (2, 0, 2.0)]).unwrap();
    db.checkpoint_now().unwrap();
    let one = [Matcher::equal("i", "1")];
    db.delete_series(&one, i64::MIN, i64::MAX).unwrap();
    for minute in 1..4 {
        db.maintain(minute * 60_000);
    }
    assert_eq!(db.status().series, 1);
    // The block still has the deleted samples, under a number that nobody has again.
    put(&db, &[(3, 60_000, 3.0), (1, 60_000, 4.0)]).unwrap();
    for _ in 0..2 {
        db.checkpoint_now().unwrap();
        let lines = dump(&db);
        assert_eq!(lines.len(), 3, "{lines:?}");
    }
    disk.kill();
    assert_eq!(dump(&open(&disk, options)).len(), 3);
}

#[test]
fn danger_3_a_lost_record_costs_its_own_samples_alone() {
    let disk = MemoryDisk::new();
    let db = open(&disk, quiet(Options::default()));
    for t in 0..10 {
        put(&db, &[(1, t, 0.1 * t as f64), (2, t, 5.0)]).unwrap();
    }
    let before = dump(&db);
    disk.kill();
    let size = disk.read("tsdb/wal/00000001").unwrap().len() as u64;
    disk.flip_bit("tsdb/wal/00000001", size * 4);
    let after = dump(&open(&disk, quiet(Options::default())));
    assert_eq!(after.len(), before.len() - 2);
    assert!(after.iter().all(|line| before.contains(line)));
}

#[test]
fn danger_4_a_crash_at_each_step_of_flushes_and_merges_loses_nothing() {
    let work = |disk: &FaultyDisk, stop: u64| {
        let Ok(db) = Db::open(disk.handle(), quiet(Options::default()), 0) else {
            return;
        };
        disk.stop_after(stop);
        let _ = db.checkpoint_now();
        let _ = db.compact();
        let _ = db.clean_tombstones();
    };
    let filled = |seed| {
        let disk = FaultyDisk::new(seed);
        let db = open(&disk, quiet(Options::default()));
        for hour in 0..3 {
            put(
                &db,
                &[(1, hour * 3_600_000, 1.0), (2, hour * 3_600_000, 2.0)],
            )
            .unwrap();
            if hour < 2 {
                db.checkpoint_now().unwrap();
            }
        }
        let one = [Matcher::equal("i", "1")];
        db.delete_series(&one, 0, 3_600_000).unwrap();
        let lines = dump(&db);
        db.sync_now().unwrap();
        disk.kill();
        (disk, lines)
    };
    let (disk, _) = filled(0);
    let start = disk.operations();
    work(&disk, u64::MAX / 2);
    let operations = disk.operations() - start;
    assert!(operations > 20);
    for stop in 0..operations {
        for power in [false, true] {
            let (disk, lines) = filled(stop);
            work(&disk, stop);
            if power {
                disk.power_cut();
            } else {
                disk.kill();
            }
            let db = open(&disk, quiet(Options::default()));
            assert_eq!(dump(&db), lines, "stop {stop}, power cut {power}");
            assert_eq!(db.recovery().damages, [], "stop {stop}, power cut {power}");
        }
    }
}

#[test]
fn danger_5_a_failed_sync_ends_the_segment_and_series_are_named_again() {
    let disk = FaultyDisk::new(3);
    let db = open(&disk, quiet(Options::default()));
    put(&db, &[(1, 1, 1.0)]).unwrap();
    let segment = db.status().wal_segment;
    disk.set_failures(0, 1000);
    assert!(!db.maintain(10_000).errors.is_empty());
    disk.set_failures(0, 0);
    assert!(db.status().wal_segment > segment);
    put(&db, &[(1, 2, 2.0)]).unwrap();
    // What the failed sync covered may be lost, and with it the record that named the series.
    assert!(db.maintain(80_000).synced);
    disk.power_cut();
    let db = open(&disk, quiet(Options::default()));
    assert_eq!(dump(&db).len(), 2);
    assert_eq!(db.status().counters.orphaned_samples, 0);
}

#[test]
fn danger_6_a_target_that_is_gone_does_not_hold_the_log() {
    let disk = MemoryDisk::new();
    let options = Options {
        segment_bytes: 500,
        checkpoint_bytes: 2000,
        ..Options::default()
    };
    let db = open(&disk, options);
    put(&db, &[(99, 0, 1.0)]).unwrap();
    for t in 1..2000 {
        put(&db, &[(1, t * 1000, t as f64)]).unwrap();
        assert!(db.maintain(t * 1000).errors.is_empty());
    }
    assert!(db.status().wal_bytes < 5000, "{}", db.status().wal_bytes);
    assert_eq!(dump(&db).len(), 2000);
}

#[test]
fn danger_14_a_full_disk_keeps_scrapes_and_says_so() {
    let disk = MemoryDisk::new();
    let db = open(&disk, quiet(Options::default()));
    put(&db, &[(1, 1, 1.0)]).unwrap();
    disk.set_capacity(Some(disk.used()));
    put(&db, &[(1, 2, 2.0)]).unwrap();
    assert!(db.status().is_volatile() && db.status().log_broken);
    assert!(!db.maintain(10_000).errors.is_empty());
    assert!(db.checkpoint_now().is_err(), "nothing of it is half done");
    assert_eq!(dump(&db).len(), 2);
    disk.set_capacity(None);
    db.maintain(20_000);
    assert!(db.maintain(120_000).errors.is_empty());
    assert!(!db.status().is_volatile());
    disk.kill();
    assert_eq!(dump(&open(&disk, quiet(Options::default()))).len(), 2);
}

/// A scrape of ten series, most of which change.
fn scrape(db: &Db, ms: i64) {
    let mut batch = db.appender();
    batch.set_stream(1);
    for i in 0..10 {
        let value = 1000.25 + (ms * i) as f64;
        let sample = Sample::float(ms, value);
        batch.append(None, &series(i), sample).unwrap();
    }
    batch.commit().unwrap();
}

#[test]
fn danger_3_a_lost_row_costs_itself_and_a_lost_base_its_rows() {
    let path = "tsdb/wal/00000002";
    let filled = || {
        let disk = MemoryDisk::new();
        let db = open(&disk, quiet(Options::default()));
        // The catalog knows the series, so that no record of the log need name them.
        scrape(&db, 0);
        db.checkpoint_now().unwrap();
        for t in 1..70 {
            scrape(&db, t);
        }
        let lines = dump(&db);
        disk.kill();
        (disk, lines)
    };
    let (disk, before) = filled();
    let log = disk.read(path).unwrap();
    let mut frames = Frames::new(&log, 0, 2);
    let mut bases = 0;
    frames.next().unwrap();
    let mut at = frames.offset();
    while let Some(frame) = frames.next() {
        // What a row needs comes second.
        let is_base = frame.payload[1] == 0;
        bases += usize::from(is_base);
        let (disk, _) = filled();
        disk.flip_bit(path, (at + 20) as u64 * 8);
        let db = open(&disk, quiet(Options::default()));
        let after = dump(&db);
        let lost = before.len() - after.len();
        assert!(after.iter().all(|line| before.contains(line)));
        assert!(lost == 10 || is_base && lost <= 330, "{lost} samples");
        // At its end a log may be torn.
        let damages = db.recovery().damages.len();
        assert!(damages < 3 && (damages > 0 || frames.is_finished()));
        at = frames.offset();
    }
    assert!((3..8).contains(&bases), "{bases} bases");
}

#[test]
fn danger_4_no_row_needs_what_a_flush_has_cut() {
    let disk = MemoryDisk::new();
    let db = open(&disk, quiet(Options::default()));
    for t in 0..60 {
        scrape(&db, t);
        if t % 7 == 0 {
            db.checkpoint_now().unwrap();
        }
    }
    let before = dump(&db);
    disk.kill();
    let db = open(&disk, quiet(Options::default()));
    assert_eq!(dump(&db), before);
    assert_eq!(db.recovery().damages, []);
}

#[test]
fn danger_3_a_lost_record_that_named_series_costs_its_own_samples_alone() {
    let names = |disk: &MemoryDisk, path: &str| -> Vec<(usize, bool)> {
        let log = disk.read(path).unwrap();
        let number = path.rsplit('/').next().unwrap().parse().unwrap();
        let mut frames = Frames::new(&log, 0, number);
        frames.next().unwrap();
        let mut found = Vec::new();
        let mut at = frames.offset();
        while let Some(frame) = frames.next() {
            let has_name = frame.payload.windows(3).any(|part| part == b"i\x011");
            found.push((at, has_name));
            at = frames.offset();
        }
        found
    };
    let first = "tsdb/wal/00000001";
    let disk = MemoryDisk::new();
    let db = open(&disk, quiet(Options::default()));
    put(&db, &[(1, 0, 0.5)]).unwrap();
    put(&db, &[(1, 1, 1.5)]).unwrap();
    assert!(db.maintain(10_000).synced);
    put(&db, &[(1, 2, 2.5)]).unwrap();
    disk.kill();
    let found = names(&disk, first);
    let has_name: Vec<bool> = found.iter().map(|(_, has_name)| *has_name).collect();
    // From the sync on the first records stay, and nobody needs to name the series again.
    assert_eq!(has_name, [true, true, false]);

    disk.flip_bit(first, (found[0].0 + 20) as u64 * 8);
    let db = open(&disk, quiet(Options::default()));
    assert_eq!(dump(&db).len(), 2, "{:?}", dump(&db));
    // What another process has written may not have been synced either.
    put(&db, &[(1, 3, 3.5)]).unwrap();
    disk.kill();
    assert!(names(&disk, "tsdb/wal/00000002")[0].1);
}

#[test]
fn danger_5_no_sync_makes_names_safe_that_a_failed_one_has_lost() {
    let disk = FaultyDisk::new(5);
    let db = open(&disk, quiet(Options::default()));
    put(&db, &[(1, 0, 0.5)]).unwrap();
    disk.set_failures(0, 1000);
    assert!(!db.maintain(10_000).synced);
    disk.kill();

    // The next process does not know of the failed sync. What it writes is synced, and no flush succeeds.
    disk.set_failures(0, 0);
    let db = open(&disk, quiet(Options::default()));
    let mut sizes = Vec::new();
    for t in 1..5 {
        let files = disk.files();
        files.set_capacity(Some(files.used() + 200));
        let done = db.maintain(t * 10_000);
        assert!(!done.synced && done.checkpoint_bytes.is_none(), "{done:?}");
        files.set_capacity(None);
        let before = disk.files().used();
        put(&db, &[(1, t, 1.5), (2, t, 2.5)]).unwrap();
        sizes.push(disk.files().used() - before);
    }
    // A record of this process that names them again and is synced makes them safe, so that the log does not grow by
    // names for as long as a flush finds no room.
    assert!(sizes[0] > sizes[1] && sizes[1] == sizes[2], "{sizes:?}");
    disk.power_cut();
    let db = open(&disk, quiet(Options::default()));
    let found = dump(&db);
    assert!(found.len() >= 4, "{found:?}");
    assert_eq!(found.len() % 2, 0, "half a batch: {found:?}");
}

#[test]
fn danger_2_numbers_of_streams_in_the_log_are_no_keys_of_those_who_write() {
    let disk = MemoryDisk::new();
    let options = Options {
        kept_row_series: 4,
        ..quiet(Options::default())
    };
    let mut expected = Vec::new();
    // Each process numbers its streams anew: in all logs the first one is 1, whatever it brings.
    for (first, life) in [(0, 0), (5, 1), (0, 2), (20, 3)] {
        let db = open(&disk, options.clone());
        assert_eq!(dump(&db), expected);
        assert!((0..4).all(|key| db.head.read().rows().open(key).is_none()));
        for t in life * 10..life * 10 + 7 {
            let mut batch = db.appender();
            batch.set_stream(1);
            for i in first..first + 10 {
                let sample = Sample::float(t, (t * i) as f64);
                batch.append(None, &series(i), sample).unwrap();
            }
            batch.commit().unwrap();
        }
        expected = dump(&db);
        disk.kill();
    }
    assert_eq!(expected.len(), 4 * 7 * 10);
}
