//! The operating system's file system.
#![expect(
    clippy::disallowed_methods,
    reason = "the one opening to std::fs for everything that goes through disk::Disk"
)]

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Disk, Error, File, Lock};

/// A folder of the operating system.
#[derive(Debug, Clone)]
pub struct OsDisk {
    root: PathBuf,
    read_only: bool,
}

impl OsDisk {
    /// Uses `root`, creating it when it is missing.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, Error> {
        let root = root.as_ref().to_owned();
        fs::create_dir_all(&root)
            .map_err(|e| Error::from_io("create folder", &root.to_string_lossy(), &e))?;
        Ok(Self {
            root,
            read_only: false,
        })
    }

    /// Looks at `root`, which must exist, and refuses whatever would change it.
    pub fn read_only(root: impl AsRef<Path>) -> Result<Self, Error> {
        let root = root.as_ref().to_owned();
        fs::read_dir(&root)
            .map_err(|e| Error::from_io("open folder", &root.to_string_lossy(), &e))?;
        Ok(Self {
            root,
            read_only: true,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() {
            self.root.clone()
        } else {
            self.root.join(path)
        }
    }

    fn check_writable(&self, operation: &'static str, path: &str) -> Result<(), Error> {
        if self.read_only {
            return Err(Error::failed(operation, path, "opened to be read only"));
        }
        Ok(())
    }

    fn open_with(
        &self,
        operation: &'static str,
        path: &str,
        options: &fs::OpenOptions,
    ) -> Result<Box<dyn File>, Error> {
        let file = options
            .open(self.full(path))
            .map_err(|e| Error::from_io(operation, path, &e))?;
        Ok(Box::new(OsFile {
            file,
            path: path.to_owned(),
        }))
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &str) -> Result<Box<dyn File>, Error> {
        let mut options = fs::OpenOptions::new();
        options.read(true).append(!self.read_only);
        self.open_with("open", path, &options)
    }

    fn create(&self, path: &str) -> Result<Box<dyn File>, Error> {
        self.check_writable("create", path)?;
        let file = self.open_with(
            "create",
            path,
            fs::OpenOptions::new().read(true).append(true).create(true),
        )?;
        file.truncate(0)?;
        Ok(file)
    }

    fn create_dir(&self, dir: &str) -> Result<(), Error> {
        self.check_writable("create folder", dir)?;
        fs::create_dir_all(self.full(dir)).map_err(|e| Error::from_io("create folder", dir, &e))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(self.full(dir)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| Error::from_io("list", dir, &e))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::from_io("list", dir, &e))?;
            if entry.file_type().is_ok_and(|kind| kind.is_file())
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.check_writable("rename", from)?;
        fs::rename(self.full(from), self.full(to)).map_err(|e| Error::from_io("rename", from, &e))
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.check_writable("remove", path)?;
        fs::remove_file(self.full(path)).map_err(|e| Error::from_io("remove", path, &e))
    }

    fn sync_dir(&self, dir: &str) -> Result<(), Error> {
        fs::File::open(self.full(dir))
            .and_then(|folder| folder.sync_all())
            .map_err(|e| Error::from_io("sync folder", dir, &e))
    }

    fn lock(&self, path: &str) -> Result<Lock, Error> {
        self.check_writable("lock", path)?;
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.full(path))
            .map_err(|e| Error::from_io("lock", path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(file)),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Locked {
                path: path.to_owned(),
            }),
            Err(fs::TryLockError::Error(e)) => Err(Error::from_io("lock", path, &e)),
        }
    }

    fn free_space(&self) -> Result<u64, Error> {
        let stat = rustix::fs::statvfs(&self.root)
            .map_err(|e| Error::from_io("free space", "", &e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn total_space(&self) -> Result<u64, Error> {
        let stat = rustix::fs::statvfs(&self.root)
            .map_err(|e| Error::from_io("total space", "", &e.into()))?;
        Ok(stat.f_blocks.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
    path: String,
}

impl File for OsFile {
    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        (&self.file)
            .write_all(bytes)
            .map_err(|e| Error::from_io("write", &self.path, &e))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::from_io("read", &self.path, &e)),
            }
        }
        Ok(read)
    }

    fn size(&self) -> Result<u64, Error> {
        self.file
            .metadata()
            .map(|m| m.len())
            .map_err(|e| Error::from_io("size", &self.path, &e))
    }

    fn sync(&self) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(|e| Error::from_io("sync", &self.path, &e))
    }

    fn truncate(&self, size: u64) -> Result<(), Error> {
        if size > self.size()? {
            return Err(Error::failed(
                "truncate",
                &self.path,
                "longer than the file",
            ));
        }
        self.file
            .set_len(size)
            .map_err(|e| Error::from_io("truncate", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_looked_at_does_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(folder.path()).unwrap();
        disk.replace("x", b"1").unwrap();
        let looked = OsDisk::read_only(folder.path()).unwrap();
        assert_eq!(looked.read("x").unwrap(), b"1");
        assert!(looked.open("x").unwrap().append(b"2").is_err());
        assert!(looked.create("y").is_err() && looked.lock("y").is_err());
        assert!(looked.rename("x", "y").is_err() && looked.remove("x").is_err());
        assert_eq!(looked.list("").unwrap(), ["x"]);
        assert!(OsDisk::read_only(folder.path().join("none")).is_err());
    }

    #[test]
    fn files_grow_are_renamed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(folder.path()).unwrap();
        disk.create_dir("a/b").unwrap();
        let file = disk.create("a/b/x").unwrap();
        file.append(b"hello ").unwrap();
        file.append(b"world").unwrap();
        file.sync().unwrap();
        file.truncate(7).unwrap();
        let mut three = [0; 3];
        assert_eq!(file.read_at(5, &mut three).unwrap(), 2);
        disk.rename("a/b/x", "a/b/y").unwrap();
        disk.sync_dir("a/b").unwrap();
        assert_eq!(disk.read("a/b/y").unwrap(), b"hello w");
        assert_eq!(disk.list("a/b").unwrap(), ["y"]);
        disk.remove("a/b/y").unwrap();
        assert!(disk.open("a/b/y").unwrap_err().is_not_found());
        assert!(disk.list("nowhere").unwrap().is_empty());
        assert!(disk.free_space().unwrap() > 0);
    }

    #[test]
    fn a_second_holder_of_the_lock_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(folder.path()).unwrap();
        let lock = disk.lock("lock").unwrap();
        assert!(matches!(disk.lock("lock"), Err(Error::Locked { .. })));
        drop(lock);
        disk.lock("lock").unwrap();
    }

    #[test]
    fn replace_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(folder.path()).unwrap();
        disk.replace("state", b"1").unwrap();
        disk.replace("state", b"2").unwrap();
        assert_eq!(disk.read("state").unwrap(), b"2");
        assert_eq!(disk.list("").unwrap(), ["state"]);
    }
}
