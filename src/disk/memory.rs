//! A disk in memory that knows what would survive a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;

use super::{Disk, Error, File, Lock, parent};

/// The unit in which a power cut tears writes.
const SECTOR: usize = 512;

/// A disk in memory. Clones share the same files.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What the process sees.
    names: BTreeMap<String, usize>,
    /// What the folders hold after a power cut.
    durable_names: BTreeMap<String, usize>,
    /// Changes of folders since their last sync, in order.
    pending: Vec<(String, Change)>,
    inodes: BTreeMap<usize, Inode>,
    next_inode: usize,
    locks: BTreeSet<String>,
    /// Counts process deaths; handles of an earlier life are dead.
    life: u64,
    capacity: Option<u64>,
}

#[derive(Debug, Clone)]
enum Change {
    Link(String, usize),
    Rename(String, String),
    Unlink(String),
}

#[derive(Debug, Default)]
struct Inode {
    /// Open handles of this life.
    handles: usize,
    data: Vec<u8>,
    durable: Vec<u8>,
    /// `data` and `durable` agree up to here.
    common: usize,
    /// Ranges that a failed sync has dropped from the page cache's care.
    lost: Vec<Range<usize>>,
}

impl MemoryDisk {
    /// An empty disk of unlimited size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the bytes of all files together; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Bytes of all files together.
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// The process dies: what was written stays, handles and locks are gone.
    pub fn kill(&self) {
        self.state.lock().die();
    }

    /// The power fails: what was not synced is lost, torn or kept, as `rng` has it.
    pub fn power_cut(&self, rng: &mut Rng) {
        let mut state = self.state.lock();
        state.die();
        // A folder's changes reach the disk in order; how many, nobody knows.
        let mut cut: BTreeMap<String, usize> = BTreeMap::new();
        for (dir, _) in &state.pending {
            *cut.entry(dir.clone()).or_default() += 1;
        }
        for kept in cut.values_mut() {
            *kept = rng.usize(0..=*kept);
        }
        for (dir, change) in std::mem::take(&mut state.pending) {
            if let Some(left) = cut.get_mut(&dir)
                && *left > 0
            {
                *left -= 1;
                apply(&mut state.durable_names, &change);
            }
        }
        state.names = state.durable_names.clone();
        for inode in state.inodes.values_mut() {
            inode.power_cut(rng);
        }
        state.sweep();
    }

    /// Turns one bit of a file over. Out of range does nothing.
    pub fn flip_bit(&self, path: &str, bit: u64) {
        let mut state = self.state.lock();
        let at = (bit / 8) as usize;
        if let Some(inode) = state.names.get(path).copied()
            && let Some(inode) = state.inodes.get_mut(&inode)
            && let Some(byte) = inode.data.get_mut(at)
        {
            *byte ^= 1 << (bit % 8);
            if let Some(byte) = inode.durable.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Marks what a file holds beyond its last sync as dropped, as a failed fsync does.
    pub(super) fn fail_sync(&self, path: &str) {
        let mut state = self.state.lock();
        if let Some(inode) = state.names.get(path).copied()
            && let Some(inode) = state.inodes.get_mut(&inode)
        {
            let range = inode.common..inode.data.len();
            inode.lost.push(range);
        }
    }

    /// Appends the part of `bytes` that fits.
    fn append(&self, handle: &Handle, bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.check(handle)?;
        let room = state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()));
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(inode) = state.inodes.get_mut(&handle.inode) {
            inode.data.extend_from_slice(&bytes[..fits]);
        }
        if fits < bytes.len() {
            return Err(Error::Full {
                path: handle.path.clone(),
            });
        }
        Ok(())
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.inodes.get(inode))
            .map(|inode| inode.data.len() as u64)
            .sum()
    }

    fn check(&self, handle: &Handle) -> Result<(), Error> {
        if self.life == handle.life {
            Ok(())
        } else {
            Err(Error::failed(
                "use",
                &handle.path,
                "opened by a process that has died",
            ))
        }
    }

    /// Ends a life: locks and handles are gone.
    fn die(&mut self) {
        self.locks.clear();
        self.life += 1;
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
        }
        self.sweep();
    }

    /// Forgets the bytes of files that nobody can reach any more, by name or by handle, even after a power cut.
    fn sweep(&mut self) {
        let linked = self.pending.iter().filter_map(|(_, change)| match change {
            Change::Link(_, inode) => Some(inode),
            Change::Rename(..) | Change::Unlink(_) => None,
        });
        let named = self.names.values().chain(self.durable_names.values());
        let reached: BTreeSet<usize> = named.chain(linked).copied().collect();
        self.inodes
            .retain(|number, inode| inode.handles > 0 || reached.contains(number));
    }

    fn change(&mut self, dir: &str, change: Change) {
        apply(&mut self.names, &change);
        self.pending.push((dir.to_owned(), change));
    }
}

impl Inode {
    fn sync(&mut self) {
        self.durable.truncate(self.common);
        self.durable.extend_from_slice(&self.data[self.common..]);
        self.common = self.data.len();
    }

    fn truncate(&mut self, size: usize) {
        self.data.truncate(size);
        self.common = self.common.min(size);
        for range in &mut self.lost {
            range.end = range.end.min(size);
        }
    }

    fn power_cut(&mut self, rng: &mut Rng) {
        if self.durable.len() > self.common && rng.bool() {
            // A truncation that was not synced did not happen.
            self.data.clone_from(&self.durable);
        } else {
            let kept = rng.usize(self.common..=self.data.len());
            self.data.truncate(kept);
            let mut at = self.common;
            while at < kept {
                let end = (at / SECTOR + 1).saturating_mul(SECTOR).min(kept);
                // Sectors reach the disk in any order: some are still zero.
                if rng.u8(..) < 32 {
                    self.data[at..end].fill(0);
                }
                at = end;
            }
        }
        for range in std::mem::take(&mut self.lost) {
            let end = range.end.min(self.data.len());
            if let Some(bytes) = self.data.get_mut(range.start..end) {
                bytes.fill(0);
            }
        }
        self.durable.clone_from(&self.data);
        self.common = self.data.len();
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Change::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        Change::Unlink(name) => {
            names.remove(name);
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &str) -> Result<Box<dyn File>, Error> {
        let mut state = self.state.lock();
        let inode = *state.names.get(path).ok_or_else(|| Error::NotFound {
            path: path.to_owned(),
        })?;
        if let Some(inode) = state.inodes.get_mut(&inode) {
            inode.handles += 1;
        }
        Ok(Box::new(Handle {
            disk: self.clone(),
            path: path.to_owned(),
            inode,
            life: state.life,
        }))
    }

    fn create(&self, path: &str) -> Result<Box<dyn File>, Error> {
        let mut state = self.state.lock();
        if let Some(inode) = state.names.get(path).copied() {
            if let Some(inode) = state.inodes.get_mut(&inode) {
                inode.truncate(0);
            }
        } else {
            let inode = state.next_inode;
            state.next_inode += 1;
            state.inodes.insert(inode, Inode::default());
            state.change(parent(path), Change::Link(path.to_owned(), inode));
        }
        drop(state);
        self.open(path)
    }

    fn create_dir(&self, _dir: &str) -> Result<(), Error> {
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        let state = self.state.lock();
        Ok(state
            .names
            .keys()
            .filter(|path| parent(path) == dir)
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(Error::NotFound {
                path: from.to_owned(),
            });
        }
        state.change(parent(to), Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        let mut state = self.state.lock();
        if !state.names.contains_key(path) {
            return Err(Error::NotFound {
                path: path.to_owned(),
            });
        }
        state.change(parent(path), Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<(), Error> {
        let mut state = self.state.lock();
        for (of, change) in std::mem::take(&mut state.pending) {
            if of == dir {
                apply(&mut state.durable_names, &change);
            } else {
                state.pending.push((of, change));
            }
        }
        state.sweep();
        Ok(())
    }

    fn lock(&self, path: &str) -> Result<Lock, Error> {
        let mut state = self.state.lock();
        if !state.locks.insert(path.to_owned()) {
            return Err(Error::Locked {
                path: path.to_owned(),
            });
        }
        Ok(Lock::new(Held {
            disk: self.clone(),
            path: path.to_owned(),
            life: state.life,
        }))
    }

    fn free_space(&self) -> Result<u64, Error> {
        let state = self.state.lock();
        Ok(state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used())))
    }

    fn total_space(&self) -> Result<u64, Error> {
        Ok(self.state.lock().capacity.unwrap_or(u64::MAX))
    }
}

#[derive(Debug)]
struct Held {
    disk: MemoryDisk,
    path: String,
    life: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct Handle {
    disk: MemoryDisk,
    path: String,
    inode: usize,
    life: u64,
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut Inode) -> T) -> Result<T, Error> {
        let mut state = self.disk.state.lock();
        state.check(self)?;
        state
            .inodes
            .get_mut(&self.inode)
            .map(work)
            .ok_or_else(|| Error::failed("use", &self.path, "no such inode"))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.life != self.life {
            return;
        }
        let mut is_last = false;
        if let Some(inode) = state.inodes.get_mut(&self.inode) {
            inode.handles -= 1;
            is_last = inode.handles == 0;
        }
        // While it has a name, somebody may open it again.
        if is_last && !state.names.values().any(|inode| *inode == self.inode) {
            state.sweep();
        }
    }
}

impl File for Handle {
    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        self.disk.append(self, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.with(|inode| {
            let start = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(inode.data.len());
            let rest = &inode.data[start..];
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            read
        })
    }

    fn size(&self) -> Result<u64, Error> {
        self.with(|inode| inode.data.len() as u64)
    }

    fn sync(&self) -> Result<(), Error> {
        self.with(Inode::sync)
    }

    fn truncate(&self, size: u64) -> Result<(), Error> {
        let path = &self.path;
        self.with(|inode| match usize::try_from(size) {
            Ok(size) if size <= inode.data.len() => {
                inode.truncate(size);
                Ok(())
            }
            _ => Err(Error::failed("truncate", path, "longer than the file")),
        })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced() {
        for seed in 0..64 {
            let disk = MemoryDisk::new();
            let file = disk.create("d/x").unwrap();
            disk.sync_dir("d").unwrap();
            file.append(b"kept").unwrap();
            file.sync().unwrap();
            file.append(&[7; 3000]).unwrap();
            disk.power_cut(&mut Rng::with_seed(seed));
            let bytes = disk.read("d/x").unwrap();
            assert!(
                bytes.starts_with(b"kept") && bytes.len() <= 3004,
                "seed {seed}"
            );
            assert!(
                file.append(b"x").is_err(),
                "handles of a dead process are dead"
            );
        }
    }

    #[test]
    fn a_power_cut_may_undo_what_the_folder_was_not_synced_for() {
        let mut seen = BTreeSet::new();
        for seed in 0..64 {
            let disk = MemoryDisk::new();
            disk.replace("a", b"old").unwrap();
            let file = disk.create("b").unwrap();
            file.append(b"new").unwrap();
            file.sync().unwrap();
            disk.rename("b", "a").unwrap();
            disk.power_cut(&mut Rng::with_seed(seed));
            seen.insert(disk.read("a").unwrap());
        }
        assert_eq!(seen, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let disk = MemoryDisk::new();
        disk.set_capacity(Some(4));
        let file = disk.create("x").unwrap();
        assert!(file.append(b"hello").unwrap_err().is_full());
        assert_eq!(disk.read("x").unwrap(), b"hell");
        assert_eq!(disk.free_space().unwrap(), 0);
    }

    #[test]
    fn removed_files_take_no_memory() {
        let disk = MemoryDisk::new();
        let inodes = || disk.state.lock().inodes.len();
        for _ in 0..10 {
            let file = disk.create("d/x").unwrap();
            file.append(b"1").unwrap();
            disk.sync_dir("d").unwrap();
            disk.remove("d/x").unwrap();
            disk.sync_dir("d").unwrap();
            assert_eq!(inodes(), 1, "who has it open reads on");
            assert_eq!(file.read_all().unwrap(), b"1");
            drop(file);
            assert_eq!(inodes(), 0);
        }
        let file = disk.create("d/y").unwrap();
        disk.sync_dir("d").unwrap();
        disk.remove("d/y").unwrap();
        drop(file);
        assert_eq!(inodes(), 1, "a power cut would bring it back");
        disk.power_cut(&mut Rng::with_seed(1));
    }

    #[test]
    fn killing_the_process_frees_its_locks_and_keeps_its_bytes() {
        let disk = MemoryDisk::new();
        let lock = disk.lock("lock").unwrap();
        disk.create("x").unwrap().append(b"1").unwrap();
        disk.kill();
        let again = disk.lock("lock").unwrap();
        drop(lock);
        assert!(
            disk.lock("lock").is_err(),
            "the old life's drop frees nothing"
        );
        assert_eq!(disk.read("x").unwrap(), b"1");
        drop(again);
    }
}
