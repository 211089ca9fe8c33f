//! What does it take to keep bytes? The two traits that everything durable goes through, and three backends.
//!
//! [`Disk`] is a folder, [`File`] an append-only file in it. [`os::OsDisk`] is the real one (the only place
//! that touches `std::fs` below the shell), [`memory::MemoryDisk`] lives in memory and knows what a power cut
//! would leave behind, [`faulty::FaultyDisk`] makes the latter fail on purpose.
//!
//! Durability, on which all callers rely:
//! - [`File::append`] has returned: the bytes survive the death of the process (kill -9).
//! - [`File::sync`] has returned: what the file held before survives a power cut.
//! - A file that was created, renamed or removed is only sure to be so after a power cut when
//!   [`Disk::sync_dir`] of its folder has returned.
//! - After a failed append an unknown part of the bytes may be in the file; after a failed sync the bytes
//!   since the last good one may be lost even if a later sync succeeds. So a file that failed is not
//!   written to again.

mod error;
pub mod faulty;
pub mod memory;
pub mod os;

use std::any::Any;
use std::fmt;

pub use error::Error;

/// A folder of files. Paths are relative to its root, with `/` between names; `""` is the root.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens an existing file to read and append.
    fn open(&self, path: &str) -> Result<Box<dyn File>, Error>;

    /// Creates an empty file, or empties an existing one.
    fn create(&self, path: &str) -> Result<Box<dyn File>, Error>;

    /// Creates a folder and those above it; one that exists is fine.
    fn create_dir(&self, dir: &str) -> Result<(), Error>;

    /// The names of the files in a folder, sorted; folders are left out. A missing folder is empty.
    fn list(&self, dir: &str) -> Result<Vec<String>, Error>;

    /// Gives a file another name, replacing what has it. Atomic: afterwards either name holds all of it.
    fn rename(&self, from: &str, to: &str) -> Result<(), Error>;

    /// Removes a file.
    fn remove(&self, path: &str) -> Result<(), Error>;

    /// Makes creations, renames and removals in a folder survive a power cut.
    fn sync_dir(&self, dir: &str) -> Result<(), Error>;

    /// Takes a file as a lock against other processes until the returned value is dropped.
    /// [`Error::Locked`] when someone has it.
    fn lock(&self, path: &str) -> Result<Lock, Error>;

    /// Bytes that may still be written.
    fn free_space(&self) -> Result<u64, Error>;

    /// Bytes that the disk has in all, used ones among them.
    fn total_space(&self) -> Result<u64, Error>;

    /// Reads a whole file.
    fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.open(path)?.read_all()
    }

    /// Replaces a file as a whole: a crash or power cut leaves the old bytes or the new ones. Writes
    /// `path.tmp`, syncs it, renames it and syncs the folder.
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let temporary = format!("{path}.tmp");
        let file = self.create(&temporary)?;
        file.append(bytes)?;
        file.sync()?;
        drop(file);
        self.rename(&temporary, path)?;
        self.sync_dir(parent(path))
    }
}

/// A file that only grows at its end. Shared by reference; appends of several threads do not interleave.
pub trait File: Send + Sync + fmt::Debug {
    /// Writes all of `bytes` at the end.
    fn append(&self, bytes: &[u8]) -> Result<(), Error>;

    /// Reads into `buffer` from `offset` and returns how many bytes there were; fewer only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error>;

    /// The file's length in bytes.
    fn size(&self) -> Result<u64, Error>;

    /// Makes the file's bytes survive a power cut.
    fn sync(&self) -> Result<(), Error>;

    /// Cuts the file to `size` bytes; longer than the file is an error.
    fn truncate(&self, size: u64) -> Result<(), Error>;

    /// Reads everything.
    fn read_all(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(self.size()?).unwrap_or(usize::MAX)];
        let read = self.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// A lock that is held until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl Lock {
    /// Wraps whatever gives the lock back when dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// The folder of a path.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}
