//! A day of scrapes in virtual time: how many bytes go to the disk for each sample, all that the store writes counted?
//!
//! `WATCHFIRE_SIM_DAY=TARGETS:HOURS` sets the size; a target has 1,000 series, scraped every 15 seconds, and every hour
//! one pod in a hundred is replaced. The default is small: 20:27 is a day with what happens after midnight.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use watchfire::disk::memory::MemoryDisk;
use watchfire::disk::{Disk, Error, File, Lock};
use watchfire::model::{Labels, Sample};
use watchfire::storage::{SeriesRef, Storage};
use watchfire::tsdb::{Db, Options};

const INTERVAL_MS: i64 = 15_000;
const PODS: usize = 10;
const SERIES_PER_POD: usize = 100;
const HOUR_MS: i64 = 3_600_000;

/// A disk in memory that counts what is written, by folder or file.
#[derive(Debug, Clone, Default)]
struct CountingDisk {
    files: MemoryDisk,
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

#[derive(Debug)]
struct CountingFile {
    file: Box<dyn File>,
    part: String,
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl CountingDisk {
    fn counted(&self, path: &str, file: Box<dyn File>) -> Box<dyn File> {
        // tsdb/PART/..., or tsdb/PART itself.
        let part = path.split('/').nth(1).unwrap_or(path);
        Box::new(CountingFile {
            file,
            part: part.trim_end_matches(".tmp").to_owned(),
            written: Arc::clone(&self.written),
        })
    }
}

impl Disk for CountingDisk {
    fn open(&self, path: &str) -> Result<Box<dyn File>, Error> {
        Ok(self.counted(path, self.files.open(path)?))
    }

    fn create(&self, path: &str) -> Result<Box<dyn File>, Error> {
        Ok(self.counted(path, self.files.create(path)?))
    }

    fn create_dir(&self, dir: &str) -> Result<(), Error> {
        self.files.create_dir(dir)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        self.files.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &str) -> Result<(), Error> {
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &str) -> Result<Lock, Error> {
        self.files.lock(path)
    }

    fn free_space(&self) -> Result<u64, Error> {
        self.files.free_space()
    }

    fn total_space(&self) -> Result<u64, Error> {
        self.files.total_space()
    }
}

impl File for CountingFile {
    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut written = self.written.lock();
        *written.entry(self.part.clone()).or_default() += bytes.len() as u64;
        self.file.append(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.file.read_at(offset, buffer)
    }

    fn size(&self) -> Result<u64, Error> {
        self.file.size()
    }

    fn sync(&self) -> Result<(), Error> {
        self.file.sync()
    }

    fn truncate(&self, size: u64) -> Result<(), Error> {
        self.file.truncate(size)
    }
}

/// How a value moves from scrape to scrape.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Constant,
    /// Whole steps up, about so many a second.
    Counter(f64),
    /// Seconds of use with six decimals, about so many a second.
    Seconds(f64),
    /// A walk in whole steps of up to this.
    Level(f64),
    /// A walk in hundredths of up to this.
    Load(f64),
    /// A bucket of a histogram, with what came into those below.
    Bucket(f64),
    /// The sum of the histogram before, with nine decimals, and its count.
    Sum,
    Count,
}

/// What a pod shows, as a node agent and an application do: 37 of 100 series do not move.
fn kind(i: usize) -> Kind {
    const RATES: [f64; 10] = [
        0.02,
        0.2,
        0.5,
        2.0,
        8.0,
        20.0,
        60.0,
        5_000.0,
        40_000.0,
        3_000_000.0,
    ];
    const STEPS: [f64; 8] = [1.0, 1.0, 2.0, 4.0, 1e5, 4e5, 8e5, 1e6];
    const BUCKETS: [f64; 12] = [
        0.3, 1.0, 3.0, 4.0, 3.5, 2.0, 0.8, 0.3, 0.08, 0.02, 0.005, 0.001,
    ];
    match i {
        0..37 => Kind::Constant,
        37..57 => Kind::Counter(RATES[i % RATES.len()]),
        57..63 => Kind::Seconds([0.2, 0.1, 0.01][i % 3]),
        63..71 => Kind::Level(STEPS[i % STEPS.len()]),
        71..72 => Kind::Load(0.05),
        72..84 => Kind::Bucket(BUCKETS[i - 72]),
        84 => Kind::Sum,
        85 => Kind::Count,
        86..98 => Kind::Bucket(BUCKETS[i - 86]),
        98 => Kind::Sum,
        _ => Kind::Count,
    }
}

/// A pod: its series one after the other.
struct Pod {
    series: Vec<(Labels, Option<SeriesRef>)>,
    values: Vec<f64>,
}

impl Pod {
    fn start(target: usize, rng: &mut Rng) -> Self {
        let (uid, name) = (rng.u128(..), rng.u32(..));
        let labels = |i: usize| {
            Labels::from_pairs([
                ("__name__", format!("container_thing_{i}_total")),
                ("container", "main".to_owned()),
                ("id", format!("/kubepods/burstable/pod{uid:032x}")),
                (
                    "image",
                    format!("registry.example.com/service-{}:v1.2", target % 8),
                ),
                ("instance", format!("10.0.0.{target}:9100")),
                ("job", "kubelet".to_owned()),
                ("namespace", format!("team-{}", target % 8)),
                ("pod", format!("service-{}-{name:08x}", target % 8)),
            ])
        };
        let first = |i: usize, rng: &mut Rng| match kind(i) {
            Kind::Bucket(_) | Kind::Sum | Kind::Count => 0.0,
            Kind::Load(_) => 2.0,
            Kind::Constant => [0.0, 1.0, 256.0, 1e5, 536_870_912.0, 1.7e9][i % 6],
            Kind::Counter(rate) | Kind::Seconds(rate) => (rate * 1e5 * rng.f64()).floor(),
            Kind::Level(step) => (step * 400.0 * rng.f64()).floor(),
        };
        Self {
            series: (0..SERIES_PER_POD).map(|i| (labels(i), None)).collect(),
            values: (0..SERIES_PER_POD).map(|i| first(i, rng)).collect(),
        }
    }

    /// Lets `seconds` go by.
    fn advance(&mut self, seconds: f64, rng: &mut Rng) {
        let mut below = 0.0;
        let decimals = |v: f64, places: f64| (v * places).round() / places;
        for (i, v) in self.values.iter_mut().enumerate() {
            let chance = rng.f64();
            let swing = (chance - 0.5) * 2.0 * seconds.sqrt();
            let arrived =
                |rate: f64, rng: &mut Rng| (rate * seconds * 2.0 * chance + rng.f64()).floor();
            *v = match kind(i) {
                Kind::Constant => *v,
                Kind::Counter(rate) => *v + arrived(rate, rng),
                Kind::Seconds(rate) => decimals(*v + rate * seconds * 2.0 * chance, 1e6),
                Kind::Level(step) => (*v + (swing * step).round()).max(0.0),
                Kind::Load(step) => decimals((*v + swing * step).max(0.0), 100.0),
                Kind::Bucket(rate) => {
                    below += arrived(rate, rng);
                    *v + below
                }
                Kind::Sum => decimals(*v + below * 0.06 * (0.5 + chance), 1e9),
                Kind::Count => *v + std::mem::take(&mut below),
            };
        }
    }
}

/// Scrapes a target: commits what its pods show; series of pods that went get the marker of their end.
fn scrape(db: &Db, target: usize, pods: &mut [Pod], gone: &mut Vec<Pod>, now_ms: i64) -> u64 {
    let mut batch = db.appender();
    batch.set_stream(target as u64);
    for pod in pods {
        for ((labels, known), value) in pod.series.iter_mut().zip(&pod.values) {
            let sample = Sample::float(now_ms, *value);
            *known = Some(batch.append(*known, labels, sample).unwrap());
        }
    }
    for (labels, known) in gone.drain(..).flat_map(|pod| pod.series) {
        let marker = f64::from_bits(watchfire::model::stale_nan().to_bits());
        batch
            .append(known, &labels, Sample::float(now_ms, marker))
            .unwrap();
    }
    batch.commit().unwrap().samples as u64
}

#[test]
fn a_simulated_day_writes_few_bytes_for_each_sample() {
    let size = std::env::var("WATCHFIRE_SIM_DAY").unwrap_or_else(|_| "1:3".to_owned());
    let (targets, hours) = size.split_once(':').unwrap();
    let (targets, hours): (usize, i64) = (targets.parse().unwrap(), hours.parse().unwrap());
    let disk = CountingDisk::default();
    let mut rng = Rng::with_seed(1);
    // A midnight, at which blocks begin.
    let start_ms = 20_000 * 24 * HOUR_MS;
    let db = Db::open(Arc::new(disk.clone()), Options::default(), start_ms).unwrap();
    let mut pods: Vec<Vec<Pod>> = (0..targets)
        .map(|target| (0..PODS).map(|_| Pod::start(target, &mut rng)).collect())
        .collect();
    let mut gone: Vec<Vec<Pod>> = (0..targets).map(|_| Vec::new()).collect();
    let (mut samples, mut replaced) = (0, 0);
    for second in 0..hours * 3600 {
        let now_ms = start_ms + second * 1000;
        for target in 0..targets {
            // Targets are spread over the interval.
            let offset = (target as i64 * INTERVAL_MS / targets as i64) / 1000;
            if second % (INTERVAL_MS / 1000) == offset {
                for pod in &mut pods[target] {
                    pod.advance(INTERVAL_MS as f64 / 1000.0, &mut rng);
                }
                samples += scrape(&db, target, &mut pods[target], &mut gone[target], now_ms);
            }
        }
        if rng.i64(0..100 * 3600) < (targets * PODS) as i64 {
            let (target, pod) = (rng.usize(0..targets), rng.usize(0..PODS));
            let fresh = Pod::start(target, &mut rng);
            gone[target].push(std::mem::replace(&mut pods[target][pod], fresh));
            replaced += 1;
        }
        let done = db.maintain(now_ms);
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        if second % 30 == 0 {
            while db.compact().unwrap() {}
        }
    }
    let written = disk.written.lock().clone();
    let all: u64 = written.values().sum();
    let per_sample = all as f64 / samples as f64;
    let status = db.status();
    let kept = status.block_bytes + status.archive_bytes + status.catalog_bytes;
    println!(
        "{targets} targets, {hours} h: {samples} samples, {replaced} pods replaced; {per_sample:.3} bytes written per sample \
         ({}), {:.3} kept; {} flushes, {} merges, {} blocks, {} archives",
        written
            .iter()
            .map(|(part, bytes)| format!("{part} {:.3}", *bytes as f64 / samples as f64))
            .collect::<Vec<_>>()
            .join(", "),
        kept as f64 / samples as f64,
        status.checkpoints,
        status.merges,
        status.blocks,
        status.archives,
    );
    assert!(per_sample <= 4.0, "{per_sample} bytes written per sample");
}
