use thiserror::Error as ThisError;

use crate::codec;
use crate::disk;
use crate::storage;

/// Why the engine could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The folder holds no store.
    #[error("{path}: no such file; this is no data folder of watchfire")]
    NoStore {
        /// The file that is missing.
        path: String,
    },
    /// The folder was written by a newer version.
    #[error("{path}: format version {found} is newer than this program's {known}")]
    NewerFormat {
        /// The file that says so.
        path: String,
        /// What it says.
        found: u64,
        /// What we can read.
        known: u64,
    },
    /// The folder was written by a development version before the first release.
    #[error(
        "{path}: format version {found} is that of a development version, which this program does not read; \
         move the folder tsdb away to begin with an empty store"
    )]
    OlderFormat {
        /// The file that says so.
        path: String,
        /// What it says.
        found: u64,
    },
    /// Stored bytes make no sense although their checksum holds, or a checkpoint is damaged.
    #[error("{path}: offset {offset}: {reason}")]
    Corrupt {
        /// The file.
        path: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A batch of more than 4 GiB.
    #[error("batch is too large")]
    BatchTooLarge,
    /// An earlier write failed and the log has not recovered yet.
    #[error("the write-ahead log has failed and waits for the disk")]
    LogBroken,
    /// The store is closed.
    #[error("storage is closed")]
    Closed,
}

impl Error {
    pub(crate) fn corrupt(path: &str, offset: u64, reason: &impl ToString) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            offset,
            reason: reason.to_string(),
        }
    }

    /// Whether space is what is missing.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Disk(disk::Error::Full { .. }))
    }
}

impl From<Error> for storage::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Disk(disk::Error::Full { path }) => Self::Full(path),
            Error::Disk(other) => Self::Disk(other.to_string()),
            Error::Closed => Self::Closed,
            Error::LogBroken => Self::Full(error.to_string()),
            Error::BatchTooLarge => Self::Disk(error.to_string()),
            Error::NoStore { .. }
            | Error::NewerFormat { .. }
            | Error::OlderFormat { .. }
            | Error::Corrupt { .. } => Self::Corrupt(error.to_string()),
        }
    }
}

/// Damage found in a chunk that is in memory.
pub(crate) fn damaged_chunk(error: codec::Error) -> storage::Error {
    storage::Error::Corrupt(format!("chunk: {error}"))
}
