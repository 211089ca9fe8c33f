//! The storage engine over a slow disk: appends, upkeep and merges run at the same time and fall into each other's
//! writes and syncs, until the machine stops. Threads make a run differ from the next of the same seed; what
//! is promised does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use watchfire::disk::Disk;
use watchfire::disk::faulty::FaultyDisk;
use watchfire::model::Sample;
use watchfire::storage::Storage as _;
use watchfire::tsdb::{Db, Options};

use crate::storage_crash::{Samples, dump, labels};

/// The longest write or sync.
const DELAY: Duration = Duration::from_micros(400);

#[test]
fn a_slow_disk_keeps_what_was_promised() {
    crate::seeds(12).for_each(run);
}

struct Run {
    seed: u64,
    rng: Rng,
    disk: FaultyDisk,
    now_ms: AtomicI64,
    /// What was acknowledged.
    visible: Mutex<Samples>,
    /// What must survive a power cut.
    synced: Mutex<Samples>,
    /// All that was ever appended.
    written: Samples,
}

fn run(seed: u64) {
    let mut run = Run {
        seed,
        rng: Rng::with_seed(seed),
        disk: FaultyDisk::new(seed),
        now_ms: AtomicI64::new(1_000_000),
        visible: Mutex::default(),
        synced: Mutex::default(),
        written: Samples::new(),
    };
    for _ in 0..3 {
        run.life();
        run.check();
    }
}

impl Run {
    fn open(&self) -> Result<Db, watchfire::tsdb::Error> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let options = Options {
            segment_bytes: 700,
            kept_row_series: 4,
            checkpoint_bytes: 3000,
            idle_ms: 0,
            ..Options::default()
        };
        Db::open(disk, options, self.now_ms.load(Ordering::Relaxed))
    }

    fn life(&mut self) {
        self.disk.set_delay(DELAY);
        self.disk.stop_after(self.rng.u64(20..600));
        if let Ok(db) = self.open() {
            let dying = AtomicBool::new(false);
            let mut rng = self.rng.fork();
            let mut written = Samples::new();
            std::thread::scope(|scope| {
                scope.spawn(|| self.keep(&db, &dying));
                scope.spawn(|| {
                    while !dying.load(Ordering::Relaxed) {
                        // A disk that has stopped is met by the others too.
                        let _ = db.compact();
                        std::thread::yield_now();
                    }
                });
                for _ in 0..rng.usize(1..200) {
                    self.append(&db, &mut rng, &mut written);
                    if self.disk.stopped() {
                        break;
                    }
                }
                dying.store(true, Ordering::Relaxed);
            });
            self.written.append(&mut written);
        }
        self.disk.set_delay(Duration::ZERO);
    }

    /// The upkeep, of which each call promises what was visible before it.
    fn keep(&self, db: &Db, dying: &AtomicBool) {
        while !dying.load(Ordering::Relaxed) {
            let before = self.visible.lock().clone();
            if db.maintain(self.now_ms.load(Ordering::Relaxed)).synced {
                *self.synced.lock() = before;
            }
            std::thread::yield_now();
        }
    }

    fn append(&self, db: &Db, rng: &mut Rng, written: &mut Samples) {
        let now_ms = self.now_ms.load(Ordering::Relaxed) + rng.i64(1..60_000);
        self.now_ms.store(now_ms, Ordering::Relaxed);
        let mut batch = db.push_appender();
        let mut samples = Samples::new();
        let first = rng.usize(0..12);
        for series in first..first + rng.usize(1..6) {
            let bits = rng.u64(..);
            let sample = Sample::float(now_ms, f64::from_bits(bits));
            if batch.append(None, &labels(series), sample).is_ok() {
                samples.insert((series, now_ms), bits);
            }
        }
        written.extend(&samples);
        if batch.commit().is_ok() {
            self.visible.lock().extend(samples);
        }
    }

    /// Ends the machine and looks at what a start finds.
    fn check(&mut self) {
        let power = self.rng.bool();
        if power {
            self.disk.power_cut();
        } else {
            self.disk.kill();
        }
        let seed = self.seed;
        let db = self.open().unwrap();
        let found = dump(&db);
        for (key, bits) in &found {
            let is_known = self.written.get(key) == Some(bits);
            assert!(
                is_known,
                "seed {seed}: {key:?} has a value that nobody wrote"
            );
        }
        let promised = if power { &self.synced } else { &self.visible };
        for (key, bits) in &*promised.lock() {
            let way = if power { "power cut" } else { "kill" };
            assert_eq!(
                found.get(key),
                Some(bits),
                "seed {seed}: {key:?} is lost by a {way}"
            );
        }
        db.sync_now().unwrap();
        drop(db);
        self.disk.kill();
        self.visible.lock().clone_from(&found);
        *self.synced.lock() = found;
    }
}
