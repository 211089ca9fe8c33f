//! A look at a data folder that changes nothing in it: for tools, also beside a running server.

use std::sync::Arc;

use parking_lot::RwLock;

use super::analyze::{self, Analysis, Packing};
use super::archive::{self, Archive, Archives};
use super::batch::SeriesId;
use super::block::{self, Block, SeriesSpan};
use super::blocks::Blocks;
use super::catalog;
use super::db::{self, FORMAT};
use super::error::Error;
use super::head::Head;
use super::manifest::Manifest;
use super::querier::DbQuerier;
use super::recovery::{Damage, Progress, Recovery};
use super::wal::replay;
use crate::disk::Disk;
use crate::model::Matcher;
use crate::storage::{self, Querier};

/// A server beside us may flush or merge while we read, so that files go; then we begin again, so often.
const ATTEMPTS: usize = 20;

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockInfo {
    /// The name of its file, as a number.
    pub number: u64,
    /// How often its samples were merged: 0 fresh, 1 two hours, 2 a day.
    pub level: u8,
    /// Time of its first sample.
    pub min_ms: i64,
    /// Time of its last sample.
    pub max_ms: i64,
    /// Samples.
    pub samples: u64,
    /// Series.
    pub series: u64,
    /// Pages.
    pub pages: u64,
    /// Bytes of its file.
    pub bytes: u64,
}

/// What an analysis looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything that a query would show.
    All,
    /// One block, by number.
    Block(u64),
}

/// A store that is only looked at. It sees what was visible when it was opened and takes no lock.
#[derive(Debug)]
pub struct ReadOnly {
    disk: Arc<dyn Disk>,
    head: RwLock<Head>,
    recovery: Recovery,
}

impl ReadOnly {
    /// Reads catalog, blocks and log of a data folder. Damage is no failure: see [`Self::recovery`].
    pub fn open(disk: &Arc<dyn Disk>) -> Result<Self, Error> {
        check_format(disk)?;
        consistent(disk, |manifest| {
            let mut recovery = Recovery::default();
            let mut head = Head::new(0);
            let (archives, is_whole) = open_archives(disk, manifest, &mut recovery)?;
            if is_whole {
                head.set_archives(archives.clone());
            }
            catalog::load(disk, &manifest.catalog, &mut head, &mut recovery)?;
            if !is_whole {
                load(&archives, &mut head)?;
            }
            head.resume(manifest.sequence, manifest.next_series);
            let is_damaged = !recovery.damages.is_empty();
            let mut blocks = Vec::new();
            for number in &manifest.blocks {
                let each = |span| {
                    if is_damaged {
                        head.recall(&span);
                    }
                    head.extend(span);
                };
                match Block::open(disk, *number, each) {
                    Ok((block, _)) => blocks.push(Arc::new(block)),
                    Err(Error::Corrupt { offset, reason, .. }) => recovery.damages.push(Damage {
                        path: block::path(*number),
                        offset,
                        reason,
                    }),
                    Err(e) => return Err(e),
                }
            }
            let newest = blocks.iter().map(|block| block.through()).max();
            head.resume(newest.unwrap_or(0), 0);
            head.set_blocks(Blocks::new(blocks));
            head.extend_to_archives();
            let progress = Progress::default();
            replay(
                disk,
                manifest.sequence,
                &mut recovery,
                &progress,
                |sequence, record| db::apply(&mut head, sequence, record),
            )?;
            Ok(Self {
                disk: Arc::clone(disk),
                head: RwLock::new(head),
                recovery,
            })
        })
    }

    /// What opening found.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// A view of the samples between two times (inclusive).
    pub fn querier(
        &self,
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Box<dyn Querier + '_>, storage::Error> {
        Ok(Box::new(DbQuerier::new(&self.head, min_ms, max_ms)))
    }

    /// Counts labels of the series that fulfil all matchers; each list has at most `limit` entries. `None`
    /// when there is no such block.
    pub fn analyze(
        &self,
        scope: Scope,
        matchers: &[Matcher],
        limit: usize,
    ) -> Result<Option<Analysis>, Error> {
        {
            // It looks at the labels of each series.
            let mut head = self.head.write();
            let archives = Arc::clone(head.archives());
            load(&archives, &mut head)?;
            head.set_archives(Archives::default());
        }
        let head = self.head.read();
        let selected = head.select(matchers);
        let (spans, bounds): (Vec<(SeriesId, i64, i64)>, _) = match scope {
            Scope::All => {
                let spans = selected.iter().filter_map(|id| {
                    let (first, last) = head.table().get(*id)?.span()?;
                    Some((*id, first, last))
                });
                (spans.collect(), head.span())
            }
            Scope::Block(number) => {
                if !head.blocks().iter().any(|block| block.number() == number) {
                    return Ok(None);
                }
                let mut spans = Vec::new();
                let is_selected = |span: &SeriesSpan| {
                    matchers.is_empty() || selected.binary_search(&span.id).is_ok()
                };
                let (block, _) = Block::open(&self.disk, number, |span| {
                    if is_selected(&span) {
                        spans.push((span.id, span.first_ms, span.last_ms));
                    }
                })?;
                (spans, Some((block.min_ms(), block.max_ms())))
            }
        };
        Ok(Some(analyze::labels(&head, &spans, bounds, limit)))
    }

    /// How the samples of blocks are packed. What cannot be read is left out.
    pub fn packing(&self, scope: Scope) -> Packing {
        let mut packing = Packing::default();
        let blocks = Arc::clone(self.head.read().blocks());
        for block in blocks.iter() {
            if scope == Scope::All || scope == Scope::Block(block.number()) {
                // Damage is told by `verify`.
                let _ = block.each_run(|is_float, samples, bytes| {
                    packing.add(is_float, samples, bytes);
                });
            }
        }
        packing
    }
}

/// Opens the archives that the manifest names, and says whether all of them can be read. If not, what is left of them
/// has to be [loaded](load): a query would fail.
fn open_archives(
    disk: &Arc<dyn Disk>,
    manifest: &Manifest,
    recovery: &mut Recovery,
) -> Result<(Archives, bool), Error> {
    let mut archives = Vec::new();
    let damages = recovery.damages.len();
    for number in &manifest.archives {
        let path = archive::path(*number);
        let mut report = |offset: u64, reason: String| {
            recovery.damages.push(Damage {
                path: path.clone(),
                offset,
                reason,
            });
        };
        match Archive::open(disk, *number) {
            Ok((archive, _)) => {
                for (offset, reason) in archive::verify(&*disk.open(&path)?, *number)?.damages {
                    report(offset, reason);
                }
                archives.push(Arc::new(archive));
            }
            Err(Error::Corrupt { offset, reason, .. }) => report(offset, reason),
            Err(e) => return Err(e),
        }
    }
    let is_whole = recovery.damages.len() == damages;
    Ok((Archives::new(archives), is_whole))
}

/// Takes all series of archives into memory. Damage, which is told when they are opened, is passed over.
fn load(archives: &Archives, head: &mut Head) -> Result<(), Error> {
    // The newest has the last word, so it comes first.
    for archive in archives.iter().rev() {
        let _ = archive.each(|entry| {
            head.revive(&entry);
            Ok(())
        })?;
    }
    Ok(())
}

/// The blocks of a data folder, the oldest first, and those that cannot be read. Reads their ends only.
pub fn blocks(disk: &Arc<dyn Disk>) -> Result<(Vec<BlockInfo>, Vec<Damage>), Error> {
    check_format(disk)?;
    consistent(disk, |manifest| {
        let (mut found, mut damages) = (Vec::new(), Vec::new());
        for number in &manifest.blocks {
            match Block::open(disk, *number, |_| {}) {
                Ok((block, _)) => found.push(block.info()),
                Err(Error::Corrupt { offset, reason, .. }) => damages.push(Damage {
                    path: block::path(*number),
                    offset,
                    reason,
                }),
                Err(e) => return Err(e),
            }
        }
        found.sort_by_key(|block| (block.min_ms, block.max_ms, block.number));
        Ok((found, damages))
    })
}

/// Refuses a folder that is no store, or of another version.
pub(super) fn check_format(disk: &Arc<dyn Disk>) -> Result<(), Error> {
    match disk.read(FORMAT) {
        Ok(text) => db::check_version(&text),
        Err(e) if e.is_not_found() => Err(Error::NoStore {
            path: FORMAT.to_owned(),
        }),
        Err(e) => Err(e.into()),
    }
}

/// Reads what the manifest names, again when the manifest has changed meanwhile.
pub(super) fn consistent<T>(
    disk: &Arc<dyn Disk>,
    read: impl Fn(&Manifest) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let before = Manifest::load(disk, &mut Recovery::default())?;
        let found = read(&before);
        // A flush deletes the log that it has made needless after the manifest says so.
        let is_gone = matches!(&found, Err(Error::Disk(e)) if e.is_not_found());
        let is_whole = Manifest::load(disk, &mut Recovery::default())? == before;
        if is_whole && !is_gone || attempt >= ATTEMPTS {
            return found;
        }
    }
}
