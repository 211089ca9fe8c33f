use thiserror::Error as ThisError;

/// Why one sample was not taken. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum AppendError {
    /// Older than the newest sample of the series and outside the out-of-order window.
    #[error("out of order sample")]
    OutOfOrder,
    /// Same time as the newest sample of the series, other value.
    #[error("duplicate sample for timestamp")]
    DuplicateTimestamp,
    /// Older than the store accepts.
    #[error("out of bounds")]
    OutOfBounds,
    /// Older than the out-of-order window.
    #[error("too old sample")]
    TooOld,
    /// A label set without labels, or with a repeated name.
    #[error("{0}")]
    InvalidLabels(String),
    /// A histogram that contradicts itself.
    #[error("{0}")]
    InvalidHistogram(String),
    /// An exemplar that is older than its predecessor.
    #[error("out of order exemplar")]
    OutOfOrderExemplar,
    /// An exemplar that is there already.
    #[error("duplicate exemplar")]
    DuplicateExemplar,
    /// An exemplar with labels of more than 128 characters.
    #[error("label length for exemplar exceeds maximum of 128 UTF-8 characters")]
    ExemplarLabelLength,
    /// The store is full or refuses new series; the text names the limit.
    #[error("{0}")]
    Refused(String),
}

/// Why the store could not read or commit.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed; the text names file and operation.
    #[error("{0}")]
    Disk(String),
    /// Stored bytes are damaged; the text names file and offset.
    #[error("{0}")]
    Corrupt(String),
    /// The query was cancelled or timed out.
    #[error("{0}")]
    Cancelled(String),
    /// The disk is full; what was written before stays.
    #[error("no space left: {0}")]
    Full(String),
    /// The store is closed.
    #[error("storage is closed")]
    Closed,
}
