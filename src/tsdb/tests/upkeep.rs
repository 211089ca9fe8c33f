//! When what is in memory is flushed.

use super::*;

const SECOND: i64 = 1000;

fn options() -> Options {
    Options {
        // A burst counts from 4 KiB on.
        checkpoint_bytes: 64 << 10,
        ..Options::default()
    }
}

/// Appends some samples of ten series each second, and says after how many seconds of `seconds` memory was flushed.
fn flushes(db: &Db, seconds: std::ops::Range<i64>, samples: impl Fn(i64) -> i64) -> Vec<i64> {
    let mut flushed = Vec::new();
    for second in seconds {
        let now_ms = second * SECOND;
        let batch: Vec<_> = (0..samples(second))
            .map(|n| (n % 10, now_ms + n, 0.37 * (n + second) as f64))
            .collect();
        if !batch.is_empty() {
            put(db, &batch).unwrap();
        }
        let done = db.maintain(now_ms);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        flushed.extend(done.checkpoint_bytes.map(|_| second));
    }
    flushed
}

#[test]
fn a_burst_that_has_ended_does_not_wait_in_the_log() {
    let disk = MemoryDisk::new();
    let db = open(&disk, options());
    let load = |second| if second <= 20 { 100 } else { 0 };
    assert_eq!(flushes(&db, 1..21, load), [0; 0]);
    assert!(db.status().wal_bytes > 8 << 10, "{}", db.status().wal_bytes);
    let flushed = flushes(&db, 21..4000, load);
    assert!(matches!(*flushed, [21..=31]), "{flushed:?}");
    assert!(db.status().wal_bytes < 1 << 10);
}

#[test]
fn steady_writes_are_flushed_as_seldom_as_the_log_allows() {
    let disk = MemoryDisk::new();
    let db = open(&disk, options());
    let steady = |second| if second % 15 == 0 { 10 } else { 0 };
    let flushed = flushes(&db, 1..7000, steady);
    assert_eq!(flushed, [0; 0], "{}", db.status().wal_bytes);
    assert!(db.status().wal_bytes > 8 << 10, "{}", db.status().wal_bytes);
}

#[test]
fn many_ended_series_do_not_wait_hours_for_a_flush() {
    let run = |ended: i64| {
        let db = open(&MemoryDisk::new(), Options::default());
        let all: Vec<_> = (0..ended + 2000).map(|i| (i, SECOND, 0.5)).collect();
        put(&db, &all).unwrap();
        let mut flushed = None;
        for minute in 1..110 {
            let now_ms = minute * 60 * SECOND;
            let live: Vec<_> = (ended..ended + 2000).map(|i| (i, now_ms, 0.5)).collect();
            put(&db, &live).unwrap();
            let done = db.maintain(now_ms);
            assert!(done.errors.is_empty(), "{:?}", done.errors);
            if done.checkpoint_bytes.is_some() {
                flushed.get_or_insert(minute);
            }
        }
        (flushed, db.status().series)
    };
    let (flushed, left) = run(2000);
    assert!(matches!(flushed, Some(10..=30)), "{flushed:?}");
    assert_eq!(left, 2000);
    // A few are not worth it.
    assert_eq!(run(500), (None, 2500));
}

/// Rows of a target are kept aside for some intervals: its series seem to have ended and have not.
#[test]
fn targets_that_are_scraped_seldom_have_not_ended() {
    let db = open(&MemoryDisk::new(), Options::default());
    for minute in (3..110).step_by(3) {
        let now_ms = minute * 60 * SECOND;
        let mut batch = db.appender();
        batch.set_stream(1);
        for i in 0..1500 {
            let sample = Sample::float(now_ms, minute as f64);
            batch.append(None, &series(i), sample).unwrap();
        }
        batch.commit().unwrap();
        let done = db.maintain(now_ms);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        assert_eq!(done.checkpoint_bytes, None, "minute {minute}");
    }
}
