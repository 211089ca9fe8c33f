use thiserror::Error;

use crate::disk;
use crate::text::regex::RegexError;

/// What the router refuses, with upstream's texts where a client can see them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is no matcher.
    #[error("{0}")]
    BadMatcher(String),
    /// A matcher's pattern is no regular expression.
    #[error(transparent)]
    BadPattern(#[from] RegexError),
    /// A text is no part of a time interval.
    #[error("{0}")]
    BadInterval(String),
    /// An alert breaks a rule.
    #[error("{0}")]
    BadAlert(String),
    /// A silence breaks a rule or a limit.
    #[error("{0}")]
    BadSilence(String),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The journal waits for its next snapshot after a failed write.
    #[error("the journal is not written to since a failure")]
    JournalBroken,
    /// No silence has this id.
    #[error("silence not found")]
    SilenceNotFound,
}
