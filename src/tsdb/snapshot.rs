//! Copies of the store that another process can open, and the proof that a folder is whole.

use std::sync::Arc;

use super::archive;
use super::block::{self, Block};
use super::catalog;
use super::db::{Db, FORMAT, FORMAT_VERSION};
use super::error::Error;
use super::manifest::{self, Manifest};
use super::read_only::{check_format, consistent};
use super::recovery::{Damage, Progress, Recovery};
use super::wal::replay;
use crate::codec::frame::Frames;
use crate::disk::{self, Disk};

/// Where snapshots are.
const DIR: &str = "snapshots";

/// What is said of a file that the manifest names and nobody finds.
const MISSING: &str = "the file is missing";

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// What a look through a folder found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blocks.
    pub blocks: usize,
    /// Pages of blocks.
    pub pages: u64,
    /// Files of the catalog.
    pub catalog_files: usize,
    /// Records of the log that are not in a block yet.
    pub records: u64,
    /// Bytes at the end of the log that a crash had torn, or that a server is just writing; no damage.
    pub torn_bytes: u64,
    /// Bytes of blocks, archives and catalog that were read.
    pub bytes: u64,
    /// What is wrong.
    pub damages: Vec<Damage>,
}

impl Db {
    /// Copies everything that is visible to `snapshots/NAME`, or with `skip_head` only what is in blocks, and
    /// reads the copy again. The copy is a data folder of its own.
    pub fn snapshot(&self, name: &str, skip_head: bool) -> Result<Verified, Error> {
        self.check_open()?;
        // No merge takes files away meanwhile.
        let _only_one = self.compaction.lock();
        if !skip_head {
            self.checkpoint_now()?;
        }
        let target = format!("{DIR}/{name}");
        // Nor do flushes and retention.
        let maintenance = self.maintenance.lock();
        let manifest = self.manifest.lock().clone();
        let copied = self.copy(&target, &manifest);
        drop(maintenance);
        copied?;
        verify_at(&self.disk, &format!("{target}/"))
    }

    fn copy(&self, target: &str, manifest: &Manifest) -> Result<(), Error> {
        let disk = &self.disk;
        let dirs = [block::DIR, archive::DIR, catalog::DIR, super::wal::DIR];
        for dir in ["tsdb"].into_iter().chain(dirs) {
            disk.create_dir(&format!("{target}/{dir}"))?;
        }
        let blocks = manifest.blocks.iter().map(|number| block::path(*number));
        let catalog = manifest.catalog.iter().map(|name| name.path());
        let archives = manifest.archives.iter();
        let archives = archives.map(|number| archive::path(*number));
        for path in blocks.chain(archives).chain(catalog) {
            copy_file(disk, &path, &format!("{target}/{path}"))?;
        }
        for dir in dirs {
            disk.sync_dir(&format!("{target}/{dir}"))?;
        }
        let format = format!("watchfire tsdb {FORMAT_VERSION}\n");
        disk.replace(&format!("{target}/{FORMAT}"), format.as_bytes())?;
        let manifest = manifest.bytes();
        disk.replace(&format!("{target}/{}", manifest::PATH), &manifest)?;
        disk.sync_dir(target)?;
        disk.sync_dir(DIR)?;
        Ok(())
    }
}

fn copy_file(disk: &Arc<dyn Disk>, from: &str, to: &str) -> Result<(), Error> {
    let (from, to) = (disk.open(from)?, disk.create(to)?);
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        let read = from.read_at(offset, &mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        to.append(bytes)?;
        offset += read as u64;
    }
    to.sync()?;
    Ok(())
}

/// Reads everything that the manifest of a data folder names, and the log, and checks every checksum. Changes
/// nothing, so it may run beside a server; what that merges away or writes meanwhile is not looked at.
pub fn verify(disk: &Arc<dyn Disk>) -> Result<Verified, Error> {
    check_format(disk)?;
    let mut verified = verify_at(disk, "")?;
    let now = Manifest::load(disk, &mut Recovery::default())?;
    verified.damages.retain(|damage| {
        damage.reason != MISSING
            || now.blocks.iter().any(|n| block::path(*n) == damage.path)
            || now
                .archives
                .iter()
                .any(|n| archive::path(*n) == damage.path)
            || now.catalog.iter().any(|name| name.path() == damage.path)
    });
    let log = consistent(disk, |manifest| {
        let mut recovery = Recovery::default();
        let progress = Progress::default();
        replay(disk, manifest.sequence, &mut recovery, &progress, |_, _| {})?;
        Ok(recovery)
    })?;
    verified.records = log.records;
    verified.torn_bytes = log.torn_bytes;
    verified.damages.extend(log.damages);
    Ok(verified)
}

fn verify_at(disk: &Arc<dyn Disk>, root: &str) -> Result<Verified, Error> {
    let mut recovery = Recovery::default();
    let manifest = Manifest::load_at(disk, root, &mut recovery)?;
    let mut verified = Verified {
        damages: recovery.damages,
        ..Verified::default()
    };
    for number in &manifest.blocks {
        let path = format!("{root}{}", block::path(*number));
        verified.blocks += 1;
        check(&path, &mut verified, |verified| {
            let checked = Block::verify(disk, &path, *number)?;
            verified.pages += checked.pages;
            verified.bytes += checked.bytes;
            Ok(checked.damages)
        })?;
    }
    for number in &manifest.archives {
        let path = format!("{root}{}", archive::path(*number));
        check(&path, &mut verified, |verified| {
            let checked = archive::verify(&*disk.open(&path)?, *number)?;
            verified.bytes += checked.bytes;
            Ok(checked.damages)
        })?;
    }
    for name in &manifest.catalog {
        let path = format!("{root}{}", name.path());
        verified.catalog_files += 1;
        check(&path, &mut verified, |verified| {
            let bytes = disk.read(&path)?;
            verified.bytes += bytes.len() as u64;
            let mut frames = Frames::new(&bytes, 0, name.number);
            frames.by_ref().for_each(drop);
            let is_whole = frames.is_finished();
            let damage = (frames.offset() as u64, "damaged frame".to_owned());
            Ok(if is_whole { Vec::new() } else { vec![damage] })
        })?;
    }
    Ok(verified)
}

/// Runs one file's check and takes down what is wrong with it.
fn check(
    path: &str,
    verified: &mut Verified,
    run: impl FnOnce(&mut Verified) -> Result<Vec<(u64, String)>, Error>,
) -> Result<(), Error> {
    let found = match run(verified) {
        Ok(found) => found,
        Err(Error::Corrupt { offset, reason, .. }) => vec![(offset, reason)],
        Err(Error::Disk(disk::Error::NotFound { .. })) => vec![(0, MISSING.to_owned())],
        Err(e) => return Err(e),
    };
    let damages = found.into_iter().map(|(offset, reason)| Damage {
        path: path.to_owned(),
        offset,
        reason,
    });
    verified.damages.extend(damages);
    Ok(())
}
