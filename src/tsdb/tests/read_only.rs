//! What is only looked at: beside a store that is being written, and without changing a byte.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::*;

fn count(store: &ReadOnly) -> usize {
    let querier = store.querier(i64::MIN, i64::MAX).unwrap();
    let mut samples = 0;
    for entry in querier.select(&hints(), &[]).unwrap() {
        samples += entry.unwrap().samples.map_while(Result::ok).count();
    }
    samples
}

#[test]
fn a_reader_beside_the_writer_sees_all_that_was_visible_before() {
    let folder = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(folder.path()).unwrap();
    let options = Options {
        segment_bytes: 3000,
        checkpoint_bytes: 8000,
        sync_interval_ms: 60_000,
        ..Options::default()
    };
    let db = open(&disk, options);
    let looked: Arc<dyn Disk> = Arc::new(OsDisk::read_only(folder.path()).unwrap());
    let (written, stop) = (AtomicI64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut t = 0;
            while !stop.load(Ordering::Relaxed) {
                put(&db, &[(t % 50, t * 20_000, t as f64)]).unwrap();
                t += 1;
                written.store(t, Ordering::Release);
                db.maintain(t * 20_000);
                if t % 50 == 0 {
                    db.compact().unwrap();
                }
            }
        });
        for _ in 0..15 {
            let before = written.load(Ordering::Acquire) as usize;
            while written.load(Ordering::Acquire) as usize == before {
                std::thread::yield_now();
            }
            let store = ReadOnly::open(&looked).unwrap();
            assert_eq!(store.recovery().damages, []);
            let seen = count(&store);
            assert!(seen > before, "{seen} of {before}");
            assert_eq!(verify(&looked).unwrap().damages, []);
            assert_eq!(blocks(&looked).unwrap().1, []);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn looking_changes_nothing_on_a_damaged_disk() {
    let memory = MemoryDisk::new();
    let db = open(&memory, Options::default());
    for t in 0..200 {
        put(&db, &[(1, t * 1000, t as f64), (2, t * 1000, 1.0)]).unwrap();
    }
    db.checkpoint_now().unwrap();
    put(&db, &[(1, 200_000, 1.0)]).unwrap();
    drop(db);
    memory.kill();
    memory.flip_bit("tsdb/block/00000001", 30 * 8);
    let disk = memory.handle();
    let files = |dir: &str| disk.list(dir).unwrap();
    let before = ["tsdb", "tsdb/block", "tsdb/catalog", "tsdb/wal"].map(files);
    let store = ReadOnly::open(&disk).unwrap();
    count(&store);
    assert_eq!(
        count(&store),
        1,
        "the damaged page is left out, the log is read"
    );
    let verified = verify(&disk).unwrap();
    assert_eq!(verified.damages.len(), 1);
    assert_eq!(verified.damages[0].path, "tsdb/block/00000001");
    assert_eq!(verified.records, 1);
    let after = ["tsdb", "tsdb/block", "tsdb/catalog", "tsdb/wal"].map(files);
    assert_eq!(after, before);
}

#[test]
fn each_damaged_page_is_told_and_the_rest_is_read() {
    let memory = MemoryDisk::new();
    let db = open(&memory, Options::default());
    let noise = |i: i64, t: i64| {
        f64::from_bits(((i * 1000 + t) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2)
    };
    for t in 0..60 {
        let samples: Vec<_> = (0..100).map(|i| (i, t * 1000, noise(i, t))).collect();
        put(&db, &samples).unwrap();
    }
    db.checkpoint_now().unwrap();
    drop(db);
    memory.kill();
    let disk = memory.handle();
    let whole = verify(&disk).unwrap();
    assert!(whole.pages > 4 && whole.damages.is_empty(), "{whole:?}");
    let size = disk.open("tsdb/block/00000001").unwrap().size().unwrap();
    for part in [1, 3] {
        memory.flip_bit("tsdb/block/00000001", size * part / 4 * 8);
    }
    let torn = verify(&disk).unwrap();
    assert_eq!(torn.pages, whole.pages - 2);
    assert_eq!(torn.damages.len(), 2, "{torn:?}");
    assert!(torn.damages[0].offset < torn.damages[1].offset);
}

#[test]
fn a_deletion_after_a_damaged_manifest_hides_what_blocks_hold() {
    let memory = MemoryDisk::new();
    let db = open(&memory, Options::default());
    for t in 0..20 {
        put(&db, &[(1, t * 1000, t as f64)]).unwrap();
    }
    db.checkpoint_now().unwrap();
    drop(db);
    memory.kill();
    memory.flip_bit("tsdb/manifest", 100);
    let db = open(&memory, Options::default());
    assert!(!db.recovery().damages.is_empty());
    put(&db, &[(1, 30_000, 1.0), (2, 30_000, 1.0)]).unwrap();
    db.checkpoint_now().unwrap();
    let deleted = db.delete_series(&[Matcher::equal("i", "1")], 0, i64::MAX);
    assert_eq!(deleted.unwrap(), 1);
    assert_eq!(dump(&db).len(), 1);
    memory.kill();
    assert_eq!(dump(&open(&memory, Options::default())).len(), 1);
}

#[test]
fn an_analysis_counts_labels_and_who_comes_and_goes() {
    let memory = MemoryDisk::new();
    let db = open(&memory, Options::default());
    for t in 0..=10 {
        put(&db, &[(1, t * 1000, 1.0)]).unwrap();
    }
    put(&db, &[(2, 10_001, 1.0), (3, 10_001, 1.0)]).unwrap();
    db.checkpoint_now().unwrap();
    let disk = memory.handle();
    let store = ReadOnly::open(&disk).unwrap();
    let ask = |scope, matchers: &[Matcher]| store.analyze(scope, matchers, 2).unwrap();
    for scope in [Scope::All, Scope::Block(1)] {
        let all = ask(scope, &[]).unwrap();
        assert_eq!((all.series, all.label_names, all.label_pairs), (3, 2, 4));
        assert_eq!((all.entries, all.span), (6, Some((0, 10_001))));
        let named = |list: &[NamedCount]| -> Vec<(u64, String)> {
            list.iter().map(|n| (n.count, n.name.clone())).collect()
        };
        assert_eq!(
            named(&all.churn_by_pair),
            [(2, "__name__=m".to_owned()), (1, "i=2".to_owned())]
        );
        assert_eq!(named(&all.series_by_metric), [(3, "m".to_owned())]);
        assert_eq!(named(&all.values_by_name)[0], (3, "i".to_owned()));
        let some = ask(scope, &[Matcher::equal("i", "2")]).unwrap();
        assert_eq!((some.series, some.label_pairs), (1, 2));
    }
    assert_eq!(ask(Scope::Block(9), &[]), None);
    assert_eq!(store.packing(Scope::All).column_samples, [11, 1, 1]);
}
