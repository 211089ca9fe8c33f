//! Series that have ended leave memory and are still there for whoever asks.

use super::*;
use crate::codec::frame::{HEADER_BYTES, Header};
use crate::model::MatchOp;
use crate::storage::Querier;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn options() -> Options {
    Options {
        idle_ms: MINUTE,
        // Nothing is flushed but by hand.
        checkpoint_interval_ms: i64::MAX,
        ..Options::default()
    }
}

/// A store in which series 0 to 99 ended at minute 0 and are archived, and series 100 to 109 go on.
fn churned(disk: &MemoryDisk) -> Db {
    let db = open(disk, options());
    let all: Vec<_> = (0..110).map(|i| (i, 1000 + i, i as f64)).collect();
    put(&db, &all).unwrap();
    for minute in 1..=3 {
        let live: Vec<_> = (100..110).map(|i| (i, minute * MINUTE, 0.5)).collect();
        put(&db, &live).unwrap();
        db.checkpoint_now().unwrap();
        // What goes on has something in memory.
        let live: Vec<_> = (100..110).map(|i| (i, minute * MINUTE + 1, 0.5)).collect();
        put(&db, &live).unwrap();
        let done = db.maintain(minute * MINUTE);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
    }
    db
}

fn counts(db: &Db) -> (usize, u64) {
    let status = db.status();
    (status.series, status.archived_series)
}

fn values(querier: &dyn Querier, matchers: &[Matcher]) -> Vec<String> {
    querier.label_values("i", matchers, 0).unwrap()
}

#[test]
fn series_that_ended_leave_memory_and_answer_as_before() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    let all: Vec<_> = (0..110).map(|i| (i, 1000 + i, i as f64)).collect();
    put(&db, &all).unwrap();
    let before = dump(&db);
    drop(db);

    let disk = MemoryDisk::new();
    let db = churned(&disk);
    assert_eq!(counts(&db), (10, 100));
    let lines = dump(&db);
    assert_eq!(lines.len(), 110 + 10 * 6);
    assert!(before.iter().all(|line| lines.contains(line)));
    let ask = |db: &Db| {
        let (all, early) = (
            db.querier(i64::MIN, i64::MAX).unwrap(),
            db.querier(0, 1050).unwrap(),
        );
        assert_eq!(all.label_names(&[], 0).unwrap(), ["__name__", "i"]);
        assert_eq!(values(&*all, &[]).len(), 110);
        assert_eq!(all.label_values("i", &[], 3).unwrap(), ["0", "1", "10"]);
        assert_eq!(values(&*early, &[]).len(), 51);
        let some = Matcher::new(MatchOp::Regex, "i", "[0-9]|10[0-9]").unwrap();
        assert_eq!(values(&*all, std::slice::from_ref(&some)).len(), 20);
        assert_eq!(values(&*early, &[some]).len(), 10);
        let after = db.querier(3 * MINUTE, i64::MAX).unwrap();
        assert_eq!(values(&*after, &[]).len(), 10);
        assert!(values(&*db.querier(0, 5).unwrap(), &[]).is_empty());
    };
    ask(&db);
    let reopened = || {
        disk.kill();
        let db = open(&disk, options());
        assert_eq!(db.recovery().damages, []);
        assert_eq!(dump(&db), lines);
        assert_eq!(db.status().min_ms, Some(1000));
        ask(&db);
        db
    };
    reopened().close().unwrap();
    let db = reopened();
    assert_eq!(counts(&db), (10, 100), "a start does not take them back");
}

#[test]
fn a_series_that_comes_back_has_its_number_and_its_order() {
    let disk = MemoryDisk::new();
    let db = churned(&disk);
    let mut batch = db.appender();
    let known = |i: i64| Sample::float(1000 + i, i as f64);
    // The same again is fine, another value or an earlier time is not.
    assert!(batch.append(None, &series(7), known(7)).is_ok());
    let other = Sample::float(1007, 1.0);
    assert_eq!(
        batch.append(None, &series(7), other),
        Err(AppendError::DuplicateTimestamp)
    );
    assert_eq!(
        batch.append(None, &series(8), Sample::float(999, 1.0)),
        Err(AppendError::OutOfOrder)
    );
    let again = Sample::float(5 * MINUTE, 1.0);
    let number = batch.append(None, &series(9), again).unwrap();
    assert_eq!(number.0, 9);
    batch.commit().unwrap();
    assert_eq!(counts(&db).0, 13);
    let lines = dump(&db);
    assert_eq!(lines.len(), 171);
    disk.kill();
    let db = open(&disk, options());
    assert_eq!(dump(&db), lines);
    // It ends again: two archives name it, and it is there once.
    for minute in 6..9 {
        db.checkpoint_now().unwrap();
        db.maintain(minute * MINUTE);
    }
    assert_eq!(dump(&db), lines);
    assert!(counts(&db).1 > 100);
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    assert_eq!(values(&*querier, &[]).len(), 110);
}

#[test]
fn who_reads_keeps_what_leaves() {
    let disk = MemoryDisk::new();
    let db = open(&disk, options());
    put(&db, &[(1, 1000, 1.0), (2, 1000, 2.0)]).unwrap();
    db.checkpoint_now().unwrap();
    let before = db.querier(i64::MIN, i64::MAX).unwrap();
    db.maintain(MINUTE);
    db.maintain(2 * MINUTE);
    assert_eq!(counts(&db), (2, 2), "somebody reads");
    let between = db.querier(i64::MIN, i64::MAX).unwrap();
    assert_eq!(between.select(&hints(), &[]).unwrap().count(), 2);
    let mut opened = before.select(&hints(), &[]).unwrap();
    assert_eq!(opened.next().unwrap().unwrap().samples.count(), 1);
    db.maintain(3 * MINUTE);
    assert_eq!(opened.next().unwrap().unwrap().samples.count(), 1);
    drop(opened);
    drop(before);
    db.maintain(4 * MINUTE);
    assert_eq!(counts(&db), (0, 2));
    assert_eq!(between.select(&hints(), &[]).unwrap().count(), 2);
}

#[test]
fn what_is_deleted_stays_deleted_in_archives() {
    let disk = MemoryDisk::new();
    let db = churned(&disk);
    let some = Matcher::new(MatchOp::Regex, "i", "1.").unwrap();
    assert_eq!(db.delete_series(&[some], 0, i64::MAX).unwrap(), 10);
    assert_eq!(counts(&db).0, 10, "deleting takes no memory for good");
    let check = |db: &Db| {
        assert_eq!(dump(db).len(), 160);
        let querier = db.querier(i64::MIN, i64::MAX).unwrap();
        assert_eq!(values(&*querier, &[]).len(), 100);
    };
    check(&db);
    disk.kill();
    let db = open(&disk, options());
    check(&db);
    for minute in 10..15 {
        db.checkpoint_now().unwrap();
        let done = db.maintain(minute * MINUTE);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        check(&db);
    }
    db.clean_tombstones().unwrap();
    check(&db);
    while db.compact().unwrap() {}
    check(&db);
    disk.kill();
    let db = open(&disk, options());
    check(&db);
    // One that comes back after it was deleted has its new samples only.
    put(&db, &[(11, 20 * MINUTE, 1.0)]).unwrap();
    assert_eq!(dump(&db).len(), 161);
}

#[test]
fn retention_lets_go_of_archives() {
    let disk = MemoryDisk::new();
    let db = churned(&disk);
    db.set_retention(MINUTE, 0);
    for minute in 4..8 {
        put(&db, &[(100, minute * MINUTE, 1.0)]).unwrap();
        db.checkpoint_now().unwrap();
        let done = db.maintain(minute * MINUTE);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
    }
    assert_eq!(db.status().archives, 0);
    assert!(disk.list("tsdb/archive").unwrap().is_empty());
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    assert_eq!(values(&*querier, &[]), ["100"]);
}

#[test]
fn a_folder_from_before_archives_is_read() {
    let disk = MemoryDisk::new();
    let db = open(&disk, Options::default());
    put(&db, &[(1, 1000, 1.0), (2, 1000, 2.0)]).unwrap();
    db.close().unwrap();
    let before = dump(&db);
    drop(db);
    disk.kill();
    manifest::tests::write_version_1(&disk.handle());
    let db = open(&disk, Options::default());
    assert_eq!(db.recovery().damages, []);
    assert_eq!(dump(&db), before);
}

#[test]
fn many_archives_become_few() {
    let disk = MemoryDisk::new();
    let db = open(&disk, options());
    for round in 0..40 {
        let fresh: Vec<_> = (0..10)
            .map(|i| (round * 10 + i, round * MINUTE + 1, 1.0))
            .collect();
        put(&db, &fresh).unwrap();
        db.checkpoint_now().unwrap();
        db.maintain(round * MINUTE);
        while db.compact().unwrap() {}
        assert!(db.status().archives < 10);
    }
    assert!(counts(&db).0 < 40, "{:?}", counts(&db));
    assert_eq!(dump(&db).len(), 400);
    let status = db.status();
    drop(db);
    disk.kill();
    let db = open(&disk, options());
    assert_eq!(db.status().archives, status.archives);
    assert_eq!(dump(&db).len(), 400);
    let verified = verify(&disk.handle()).unwrap();
    assert_eq!(verified.damages, []);
    let copied = db.snapshot("copy", false).unwrap();
    assert_eq!(copied.damages, []);
    let tool = ReadOnly::open(&disk.handle()).unwrap();
    let analysis = tool.analyze(Scope::All, &[], 5).unwrap().unwrap();
    assert_eq!(analysis.series, 400);
    let querier = tool.querier(i64::MIN, i64::MAX).unwrap();
    assert_eq!(querier.select(&hints(), &[]).unwrap().count(), 400);
}

#[test]
fn a_tool_reads_archives_when_they_are_asked_for() {
    let disk = MemoryDisk::new();
    drop(churned(&disk));
    disk.kill();
    let count = |tool: &ReadOnly| {
        let querier = tool.querier(i64::MIN, i64::MAX).unwrap();
        let selected = querier.select(&hints(), &[]).unwrap();
        selected.map(Result::unwrap).count()
    };
    let tool = ReadOnly::open(&disk.handle()).unwrap();
    assert_eq!(count(&tool), 110);
    let analysis = tool.analyze(Scope::All, &[], 5).unwrap().unwrap();
    assert_eq!(analysis.series, 110);
    assert_eq!(count(&tool), 110);
    // Of a damaged one all is read that is left: a tool is told and goes on.
    damage_newest(&disk);
    let tool = ReadOnly::open(&disk.handle()).unwrap();
    assert_eq!(tool.recovery().damages.len(), 1);
    assert_eq!(count(&tool), 10);
}

/// Damages the first page with series of the newest archive.
fn damage_newest(disk: &MemoryDisk) {
    let names = disk.list("tsdb/archive").unwrap();
    let path = format!("tsdb/archive/{}", names.last().unwrap());
    let (_, header) = frame_at(disk, &path, 0);
    let (page, _) = frame_at(disk, &path, header);
    disk.flip_bit(&path, page * 8);
}

/// The middle of the frame at an offset, and where it ends.
fn frame_at(disk: &MemoryDisk, path: &str, offset: u64) -> (u64, u64) {
    let bytes = disk.read(path).unwrap();
    let length = Header::parse(&bytes[offset as usize..]).unwrap().length;
    let end = offset + HEADER_BYTES as u64 + u64::from(length);
    (offset.midpoint(end), end)
}

/// What is left for who comes after the one that was told of the damage.
fn left(db: &Db) -> Vec<String> {
    let querier = db.querier(i64::MIN, i64::MAX).unwrap();
    assert!(querier.select(&hints(), &[]).is_err());
    dump(db)
}

/// A store in which series 9 has come back and ended again, and what it shows. The newest of two archives has lost the
/// page with it; the older one knows its first sample.
fn with_lost_page(disk: &MemoryDisk) -> Vec<String> {
    let db = churned(disk);
    put(&db, &[(9, 5 * MINUTE, 1.0)]).unwrap();
    db.checkpoint_now().unwrap();
    // What goes on has something in memory.
    let live: Vec<_> = (100..110).map(|i| (i, 4 * HOUR, 0.5)).collect();
    put(&db, &live).unwrap();
    for minute in 6..9 {
        db.maintain(minute * MINUTE);
    }
    assert_eq!(counts(&db), (10, 101));
    let lines = dump(&db);
    drop(db);
    disk.kill();
    lines
}

#[test]
fn a_series_whose_archive_is_lost_shows_the_same_before_and_after_the_catalog_has_it_again() {
    let disk = MemoryDisk::new();
    let db = churned(&disk);
    // The log names it, and its archive has a damaged page.
    put(&db, &[(7, 5 * MINUTE, 1.0)]).unwrap();
    let of = |i: i64| -> Vec<String> {
        let (lines, i) = (dump(&db).into_iter(), format!("i=\"{i}\""));
        lines.filter(|line| line.contains(&i)).collect()
    };
    let (seven, live) = (of(7), of(100));
    assert_eq!((seven.len(), live.len()), (2, 7));
    drop(db);
    disk.kill();
    damage_newest(&disk);
    let db = open(&disk, options());
    let lines = dump(&db);
    assert!(seven.iter().chain(&live).all(|line| lines.contains(line)));
    assert_eq!(lines.len(), 2 + 10 * 7, "the others are lost");
    db.checkpoint_now().unwrap();
    drop(db);
    disk.kill();
    let db = open(&disk, options());
    assert_eq!(left(&db), lines);
    for minute in 5..8 {
        db.maintain(minute * MINUTE);
        assert_eq!(dump(&db), lines);
    }
}

#[test]
fn what_an_older_archive_says_of_a_lost_series_hides_nothing_of_it() {
    let disk = MemoryDisk::new();
    let lines = with_lost_page(&disk);
    damage_newest(&disk);
    let db = open(&disk, options());
    assert_eq!(left(&db), lines);
    // Neither written anew, nor in a merged block, nor back again does it show more or less.
    for minute in 10..13 {
        db.checkpoint_now().unwrap();
        let done = db.maintain(minute * MINUTE);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        assert_eq!(dump(&db), lines);
    }
    while db.compact().unwrap() {}
    assert_eq!(dump(&db), lines);
    let mut batch = db.appender();
    let early = batch.append(None, &series(9), Sample::float(2000, 1.0));
    assert_eq!(early, Err(AppendError::OutOfBounds));
    drop(batch);
    put(&db, &[(9, 5 * HOUR, 1.0)]).unwrap();
    assert_eq!(dump(&db).len(), lines.len() + 1);
}

#[test]
fn a_merge_does_not_forget_that_an_archive_is_missing() {
    let disk = MemoryDisk::new();
    let lines = with_lost_page(&disk);
    let names = disk.list("tsdb/archive").unwrap();
    disk.flip_bit(&format!("tsdb/archive/{}", names.last().unwrap()), 100);
    for _ in 0..2 {
        let db = open(&disk, options());
        assert_eq!(db.recovery().damages.len(), 1);
        assert_eq!(dump(&db), lines);
        // A merge of blocks is due.
        assert!(!db.compact().unwrap());
        drop(db);
        disk.kill();
    }
    let db = open(&disk, options());
    db.maintain(MINUTE);
    assert!(db.compact().unwrap());
    drop(db);
    disk.kill();
    let db = open(&disk, options());
    assert_eq!(db.recovery().damages, []);
    assert_eq!(dump(&db), lines);
}
