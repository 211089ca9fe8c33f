//! The storage engine behind the seam [`crate::storage`]: how are samples kept, found and not lost?
//!
//! A [`Db`] keeps the newest samples in memory (the head: series, open chunks, index) and in a log on a
//! [`crate::disk::Disk`]. Now and then they are flushed into a block, an immutable file from which series are
//! read page by page, and the log is cut; blocks are merged into longer ones and dropped when they are too old.
//! The labels of series that have ended go to an archive. So memory depends neither on how long samples are kept nor
//! on how many series have come and gone. A commit writes its batch to the log, then makes it
//! visible as a whole; a start reads the catalog (labels) and the blocks' directories and replays the log.
//! The bytes are drawn in `manual::disk_format`.
//!
//! Blocking and without clock: the shell calls [`Db::maintain`] with the time. Start reading at `db`.

mod analyze;
mod appender;
mod archive;
mod archiving;
mod batch;
mod block;
mod blocks;
mod budget;
mod catalog;
mod chunk;
mod compact;
mod db;
mod error;
mod flush;
mod head;
mod maintain;
mod manifest;
mod options;
mod pace;
mod querier;
mod read_only;
mod recovery;
mod snapshot;
mod wal;
mod wire;

pub use analyze::{Analysis, Packing};
pub use budget::{Growth, Origin, Pressure};
pub use db::{Db, FORMAT_VERSION, Status};
pub use error::Error;
pub use head::{Counters, HeadStats, JobUse, NamedCount};
pub use maintain::Maintained;
pub use options::Options;
pub use read_only::{BlockInfo, ReadOnly, Scope, blocks};
pub use recovery::{Damage, Progress, Recovery};
pub use snapshot::{Verified, verify};

#[cfg(test)]
mod tests;
