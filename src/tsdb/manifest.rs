//! The manifest: which files count. A flush, a merge and retention write their files first and then replace it;
//! that is the moment at which they have happened.

use std::sync::Arc;

use super::archive;
use super::batch::{SeriesId, read_id};
use super::block;
use super::catalog::{self, Name};
use super::error::Error;
use super::recovery::{Damage, Recovery};
use crate::codec::frame::{self, Frames};
use crate::codec::{self, Reader, put_u64, put_varint};
use crate::disk::Disk;

/// Where it is.
pub(crate) const PATH: &str = "tsdb/manifest";

/// The version of manifests; a newer one is refused.
pub(crate) const VERSION: u64 = 2;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-man\0\0");
const KIND: u8 = 1;

/// What counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Blocks and catalog hold what records of the log up to this one brought.
    pub(crate) sequence: u64,
    pub(crate) next_series: SeriesId,
    /// The number of the next block or catalog file; never used twice.
    pub(crate) next_file: u64,
    /// Files of the catalog, oldest first.
    pub(crate) catalog: Vec<Name>,
    /// Numbers of blocks.
    pub(crate) blocks: Vec<u64>,
    /// Numbers of archives, those that were written first come first. Version 1 had none.
    pub(crate) archives: Vec<u64>,
}

impl Manifest {
    /// Reads it; an empty one when there is none. A damaged one is replaced by what the folder holds.
    pub(crate) fn load(disk: &Arc<dyn Disk>, recovery: &mut Recovery) -> Result<Self, Error> {
        Self::load_at(disk, "", recovery)
    }

    /// Reads that of a folder below, `root` being empty or ending in a slash.
    pub(crate) fn load_at(
        disk: &Arc<dyn Disk>,
        root: &str,
        recovery: &mut Recovery,
    ) -> Result<Self, Error> {
        let bytes = match disk.read(&format!("{root}{PATH}")) {
            Ok(bytes) => bytes,
            Err(e) if e.is_not_found() => {
                return Ok(Self {
                    next_file: 1,
                    ..Self::default()
                });
            }
            Err(e) => return Err(e.into()),
        };
        let read = Frames::new(&bytes, 0, 0)
            .next()
            .filter(|frame| frame.kind == KIND)
            .ok_or(codec::Error::Invalid("manifest"))
            .and_then(|frame| Self::read(frame.payload));
        match read {
            Ok((_, version)) if version > VERSION => Err(Error::NewerFormat {
                path: PATH.to_owned(),
                found: version,
                known: VERSION,
            }),
            Ok((manifest, _)) => Ok(manifest),
            Err(e) => {
                recovery.damages.push(Damage {
                    path: PATH.to_owned(),
                    offset: 0,
                    reason: format!("{e}; every file of the folder is taken to count"),
                });
                Self::guess(disk, root)
            }
        }
    }

    /// All files of the folder. Too many are as good as those that count, since of equal samples one is read.
    fn guess(disk: &Arc<dyn Disk>, root: &str) -> Result<Self, Error> {
        let numbers = |dir: &str| -> Result<Vec<u64>, Error> {
            let files = disk.list(&format!("{root}{dir}"))?;
            let mut numbers: Vec<u64> = files.iter().filter_map(|name| name.parse().ok()).collect();
            numbers.sort_unstable();
            Ok(numbers)
        };
        let (blocks, archives) = (numbers(block::DIR)?, numbers(archive::DIR)?);
        let mut catalog: Vec<Name> = disk
            .list(&format!("{root}{}", catalog::DIR))?
            .iter()
            .filter_map(|name| Name::parse(name))
            .collect();
        catalog.sort_unstable_by_key(|name| name.number);
        let newest = blocks.last().max(archives.last()).copied().unwrap_or(0);
        Ok(Self {
            // The log is read as far as it goes back: what blocks hold already is found there.
            sequence: 0,
            next_series: 0,
            next_file: newest.max(catalog.last().map_or(0, |name| name.number)) + 1,
            catalog,
            blocks,
            archives,
        })
    }

    /// Makes it count, also after a power cut.
    pub(crate) fn store(&self, disk: &Arc<dyn Disk>) -> Result<(), Error> {
        Ok(disk.replace(PATH, &self.bytes())?)
    }

    /// The file's content.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = frame::begin(&mut bytes);
        put_u64(&mut bytes, MAGIC);
        put_varint(&mut bytes, VERSION);
        put_varint(&mut bytes, self.sequence);
        put_varint(&mut bytes, u64::from(self.next_series));
        put_varint(&mut bytes, self.next_file);
        put_varint(&mut bytes, self.catalog.len() as u64);
        for name in &self.catalog {
            put_varint(&mut bytes, name.number << 1 | u64::from(name.full));
        }
        for numbers in [&self.blocks, &self.archives] {
            put_varint(&mut bytes, numbers.len() as u64);
            for number in numbers {
                put_varint(&mut bytes, *number);
            }
        }
        frame::finish(&mut bytes, start, 0, KIND, self.sequence);
        bytes
    }

    /// Reads it with the version.
    fn read(payload: &[u8]) -> Result<(Self, u64), codec::Error> {
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        if reader.u64()? != MAGIC {
            return Err(codec::Error::Invalid("manifest"));
        }
        let version = reader.varint()?;
        let mut manifest = Self {
            sequence: reader.varint()?,
            next_series: read_id(reader)?,
            next_file: reader.varint()?,
            ..Self::default()
        };
        for _ in 0..reader.count(1)? {
            let name = reader.varint()?;
            manifest.catalog.push(Name {
                number: name >> 1,
                full: name & 1 == 1,
            });
        }
        for _ in 0..reader.count(1)? {
            manifest.blocks.push(reader.varint()?);
        }
        if version >= 2 {
            for _ in 0..reader.count(1)? {
                manifest.archives.push(reader.varint()?);
            }
        }
        Ok((manifest, version))
    }

    /// Removes the files that do not count: leftovers of a crash.
    pub(crate) fn remove_leftovers(&self, disk: &Arc<dyn Disk>) -> Result<(), Error> {
        for (dir, numbers) in [(block::DIR, &self.blocks), (archive::DIR, &self.archives)] {
            for file in disk.list(dir)? {
                let number = file.parse().ok();
                if !number.is_some_and(|number| numbers.contains(&number)) {
                    disk.remove(&format!("{dir}/{file}"))?;
                }
            }
        }
        for file in disk.list(catalog::DIR)? {
            let name = Name::parse(&file);
            if !name.is_some_and(|name| self.catalog.contains(&name)) {
                disk.remove(&format!("{}/{file}", catalog::DIR))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::codec::frame::HEADER_BYTES;
    use crate::disk::memory::MemoryDisk;

    /// Puts what the program wrote before there were archives in the place of a manifest that names none.
    pub(in crate::tsdb) fn write_version_1(disk: &Arc<dyn Disk>) {
        let manifest = Manifest::load(disk, &mut Recovery::default()).unwrap();
        assert!(manifest.archives.is_empty());
        let now = manifest.bytes();
        let mut bytes = Vec::new();
        let start = frame::begin(&mut bytes);
        put_u64(&mut bytes, MAGIC);
        put_varint(&mut bytes, 1);
        bytes.extend_from_slice(&now[HEADER_BYTES + 9..now.len() - 1]);
        frame::finish(&mut bytes, start, 0, KIND, manifest.sequence);
        disk.replace(PATH, &bytes).unwrap();
        let read = Manifest::load(disk, &mut Recovery::default()).unwrap();
        assert_eq!(read, manifest);
    }

    #[test]
    fn it_comes_back_and_a_damaged_one_is_guessed() {
        let memory = MemoryDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(memory.clone());
        let manifest = Manifest {
            sequence: 7,
            next_series: 8,
            next_file: 9,
            catalog: vec![Name {
                number: 3,
                full: true,
            }],
            blocks: vec![4, 5],
            archives: vec![6],
        };
        manifest.store(&disk).unwrap();
        let mut recovery = Recovery::default();
        assert_eq!(Manifest::load(&disk, &mut recovery).unwrap(), manifest);
        for file in [
            "tsdb/block/00000004",
            "tsdb/catalog/00000003.full",
            "tsdb/archive/00000006",
        ] {
            disk.create(file).unwrap();
        }
        memory.flip_bit(PATH, 100);
        let guessed = Manifest::load(&disk, &mut recovery).unwrap();
        assert_eq!(recovery.damages.len(), 1);
        assert_eq!((guessed.sequence, guessed.next_file), (0, 7));
        assert_eq!(guessed.archives, [6]);
        assert_eq!(
            (guessed.blocks, guessed.catalog),
            (vec![4], manifest.catalog)
        );
    }
}
