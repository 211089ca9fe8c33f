//! A disk in memory that fails on purpose, for simulations. Every choice comes from a seed.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;

use super::memory::MemoryDisk;
use super::{Disk, Error, File, Lock};

/// A [`MemoryDisk`] with faults. Clones share files and faults.
///
/// Changing operations (create, append, rename, remove, sync, truncate) are counted; reads are not.
#[derive(Debug, Clone)]
pub struct FaultyDisk {
    files: MemoryDisk,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug)]
struct Faults {
    rng: Rng,
    operations: u64,
    stop_after: Option<u64>,
    stopped: bool,
    /// Of 1,000 appends, how many stop half-way with an error.
    short_writes: u32,
    /// Of 1,000 syncs, how many fail.
    failed_syncs: u32,
    /// A write or sync may take this long.
    delay_max: Duration,
}

/// What an operation shall do.
enum Verdict {
    Go,
    Fail,
    /// The process or the machine stops in the middle of it.
    Stop,
}

impl FaultyDisk {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> Self {
        Self::over(MemoryDisk::new(), seed)
    }

    /// Puts faults over existing files.
    pub fn over(files: MemoryDisk, seed: u64) -> Self {
        Self {
            files,
            faults: Arc::new(Mutex::new(Faults {
                rng: Rng::with_seed(seed),
                operations: 0,
                stop_after: None,
                stopped: false,
                short_writes: 0,
                failed_syncs: 0,
                delay_max: Duration::ZERO,
            })),
        }
    }

    /// The files below the faults.
    pub fn files(&self) -> &MemoryDisk {
        &self.files
    }

    /// How many changing operations there were.
    pub fn operations(&self) -> u64 {
        self.faults.lock().operations
    }

    /// Stops the machine in the middle of the operation that follows `operations` more; everything
    /// fails from then on until [`Self::kill`] or [`Self::power_cut`].
    pub fn stop_after(&self, operations: u64) {
        let mut faults = self.faults.lock();
        faults.stop_after = Some(faults.operations + operations);
    }

    /// Whether the machine has stopped.
    pub fn stopped(&self) -> bool {
        self.faults.lock().stopped
    }

    /// Lets so many of 1,000 appends stop half-way, and so many of 1,000 syncs fail.
    pub fn set_failures(&self, short_writes: u32, failed_syncs: u32) {
        let mut faults = self.faults.lock();
        faults.short_writes = short_writes;
        faults.failed_syncs = failed_syncs;
    }

    /// Lets every sync and some writes take up to `delay_max` of real time, so that what others do meanwhile
    /// falls into the middle of them.
    pub fn set_delay(&self, delay_max: Duration) {
        self.faults.lock().delay_max = delay_max;
    }

    /// Takes the time that a sync takes, or a write, of which most are quick.
    fn wait(&self, is_sync: bool) {
        let mut faults = self.faults.lock();
        if faults.delay_max.is_zero() || !is_sync && faults.rng.u8(0..8) > 0 {
            return;
        }
        let delay = faults.delay_max.mul_f64(faults.rng.f64());
        drop(faults);
        std::thread::sleep(delay);
    }

    /// Ends the process and readies the disk for the next: what was written stays.
    pub fn kill(&self) {
        self.files.kill();
        self.recover();
    }

    /// Cuts the power and readies the disk for the next start: what was not synced is lost, torn or kept.
    pub fn power_cut(&self) {
        let mut faults = self.faults.lock();
        self.files.power_cut(&mut faults.rng);
        drop(faults);
        self.recover();
    }

    /// Turns a random bit of a file over.
    pub fn flip_random_bit(&self, path: &str) {
        let size = self.files.open(path).and_then(|f| f.size()).unwrap_or(0);
        if size > 0 {
            let bit = self.faults.lock().rng.u64(0..size * 8);
            self.files.flip_bit(path, bit);
        }
    }

    fn recover(&self) {
        let mut faults = self.faults.lock();
        faults.stopped = false;
        faults.stop_after = None;
    }

    fn judge(&self, failures: impl FnOnce(&Faults) -> u32) -> Verdict {
        let mut faults = self.faults.lock();
        if faults.stopped {
            return Verdict::Fail;
        }
        if faults.stop_after == Some(faults.operations) {
            faults.stopped = true;
            return Verdict::Stop;
        }
        faults.operations += 1;
        let rate = failures(&faults);
        if rate > 0 && faults.rng.u32(0..1000) < rate {
            Verdict::Fail
        } else {
            Verdict::Go
        }
    }

    fn ask(&self, operation: &'static str, path: &str) -> Result<(), Error> {
        match self.judge(|_| 0) {
            Verdict::Go => Ok(()),
            Verdict::Fail | Verdict::Stop => Err(broken(operation, path)),
        }
    }

    fn part(&self, of: usize) -> usize {
        self.faults.lock().rng.usize(0..=of)
    }

    fn reading(&self, operation: &'static str, path: &str) -> Result<(), Error> {
        if self.stopped() {
            Err(broken(operation, path))
        } else {
            Ok(())
        }
    }

    fn wrap(&self, path: &str, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(FaultyFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

fn broken(operation: &'static str, path: &str) -> Error {
    Error::failed(operation, path, "input/output error (injected)")
}

impl Disk for FaultyDisk {
    fn open(&self, path: &str) -> Result<Box<dyn File>, Error> {
        self.reading("open", path)?;
        Ok(self.wrap(path, self.files.open(path)?))
    }

    fn create(&self, path: &str) -> Result<Box<dyn File>, Error> {
        self.ask("create", path)?;
        Ok(self.wrap(path, self.files.create(path)?))
    }

    fn create_dir(&self, dir: &str) -> Result<(), Error> {
        self.files.create_dir(dir)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        self.reading("list", dir)?;
        self.files.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.ask("rename", from)?;
        self.files.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.ask("remove", path)?;
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &str) -> Result<(), Error> {
        self.ask("sync folder", dir)?;
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &str) -> Result<Lock, Error> {
        self.reading("lock", path)?;
        self.files.lock(path)
    }

    fn free_space(&self) -> Result<u64, Error> {
        self.reading("free space", "")?;
        self.files.free_space()
    }

    fn total_space(&self) -> Result<u64, Error> {
        self.reading("total space", "")?;
        self.files.total_space()
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    path: String,
    file: Box<dyn File>,
}

impl File for FaultyFile {
    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        self.disk.wait(false);
        match self.disk.judge(|faults| faults.short_writes) {
            Verdict::Go => self.file.append(bytes),
            Verdict::Fail if self.disk.stopped() => Err(broken("write", &self.path)),
            Verdict::Fail | Verdict::Stop => {
                let part = self.disk.part(bytes.len());
                self.file.append(&bytes[..part])?;
                Err(broken("write", &self.path))
            }
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.disk.reading("read", &self.path)?;
        self.file.read_at(offset, buffer)
    }

    fn size(&self) -> Result<u64, Error> {
        self.disk.reading("size", &self.path)?;
        self.file.size()
    }

    fn sync(&self) -> Result<(), Error> {
        self.disk.wait(true);
        match self.disk.judge(|faults| faults.failed_syncs) {
            Verdict::Go => self.file.sync(),
            Verdict::Stop => Err(broken("sync", &self.path)),
            Verdict::Fail => {
                self.disk.files.fail_sync(&self.path);
                Err(broken("sync", &self.path))
            }
        }
    }

    fn truncate(&self, size: u64) -> Result<(), Error> {
        self.disk.ask("truncate", &self.path)?;
        self.file.truncate(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_fails_after_the_stop_until_the_next_start() {
        let disk = FaultyDisk::new(1);
        let file = disk.create("x").unwrap();
        file.append(b"a").unwrap();
        disk.stop_after(1);
        file.append(b"b").unwrap();
        assert!(file.append(b"cdef").is_err() && disk.stopped());
        assert!(disk.open("x").is_err() && disk.create("y").is_err());
        disk.kill();
        let bytes = disk.read("x").unwrap();
        assert!(b"abcdef".starts_with(&bytes) && bytes.len() >= 2);
    }

    #[test]
    fn a_failed_sync_loses_the_bytes_even_if_the_next_succeeds() {
        let disk = FaultyDisk::new(2);
        let file = disk.create("x").unwrap();
        disk.sync_dir("").unwrap();
        file.append(b"abc").unwrap();
        disk.set_failures(0, 1000);
        assert!(file.sync().is_err());
        disk.set_failures(0, 0);
        file.sync().unwrap();
        disk.power_cut();
        assert_eq!(disk.read("x").unwrap(), [0, 0, 0]);
    }

    #[test]
    fn the_same_seed_fails_the_same_way() {
        let run = |seed| {
            let disk = FaultyDisk::new(seed);
            disk.set_failures(300, 0);
            let file = disk.create("x").unwrap();
            for i in 0..50 {
                let _ = file.append(&[i; 40]);
            }
            disk.power_cut();
            disk.read("x").ok()
        };
        assert_eq!(run(7), run(7));
    }
}
