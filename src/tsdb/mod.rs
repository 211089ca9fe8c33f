//! The storage engine behind the seam [`crate::storage`]: how are samples kept, found and not lost?
//!
//! A [`Db`] keeps all samples in memory (the head: series, chunks, postings) and on a
//! [`crate::disk::Disk`] a log of what was committed, with checkpoints that let the log be cut. A commit writes
//! its batch to the log, then makes it visible as a whole; a start reads the checkpoints and replays the log.
//! The bytes are drawn in `manual::disk_format`.
//!
//! Blocking and without clock: the shell calls [`Db::maintain`] with the time. Start reading at `db`.

mod appender;
mod batch;
mod checkpoint;
mod chunk;
mod db;
mod error;
mod head;
mod maintain;
mod options;
mod querier;
mod recovery;
mod wal;
mod wire;

pub use db::{Db, FORMAT_VERSION, Status};
pub use error::Error;
pub use head::{Counters, HeadStats, NamedCount};
pub use maintain::Maintained;
pub use options::Options;
pub use recovery::{Damage, Progress, Recovery};

#[cfg(test)]
mod tests;
