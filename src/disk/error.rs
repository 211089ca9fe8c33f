use std::io;

use thiserror::Error as ThisError;

/// Why the disk did not do what it was asked; each says to which path.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{path}: no such file")]
    NotFound {
        /// Relative to the disk's root.
        path: String,
    },
    /// The disk or the quota is used up.
    #[error("{path}: no space left on device")]
    Full {
        /// Relative to the disk's root.
        path: String,
    },
    /// Another process holds the lock.
    #[error("{path}: in use by another process")]
    Locked {
        /// Relative to the disk's root.
        path: String,
    },
    /// Anything else.
    #[error("{path}: {operation}: {reason}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// Relative to the disk's root.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl Error {
    /// Sorts an error of the system.
    pub(crate) fn from_io(operation: &'static str, path: &str, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Failed {
                operation,
                path,
                reason: error.to_string(),
            },
        }
    }

    /// An error of our own making.
    pub(crate) fn failed(operation: &'static str, path: &str, reason: impl Into<String>) -> Self {
        Self::Failed {
            operation,
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// Whether space is what is missing.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// Whether the file is missing.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
