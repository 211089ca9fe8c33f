use thiserror::Error as ThisError;

use crate::storage;

/// Why a query was not answered. Texts are upstream's.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The query cannot be run like this, whatever the data; HTTP answers `bad_data`.
    #[error("{0}")]
    Invalid(String),
    /// Somebody cancelled the query; the text names the stage.
    #[error("query was canceled in {0}")]
    Canceled(&'static str),
    /// The query took too long; the text names the stage.
    #[error("query timed out in {0}")]
    TimedOut(&'static str),
    /// The query would hold too many samples; the text names the stage.
    #[error("query processing would load too many samples into memory in {0}")]
    TooManySamples(&'static str),
    /// The store failed.
    #[error("expanding series: {0}")]
    Storage(#[from] storage::Error),
    /// The data and the query do not fit together.
    #[error("{0}")]
    Execution(String),
}

impl Error {
    pub(crate) fn execution(text: impl Into<String>) -> Self {
        Self::Execution(text.into())
    }

    /// The error of two series with the same labels in one vector.
    pub(crate) fn same_labelset() -> Self {
        Self::execution("vector cannot contain metrics with the same labelset")
    }
}
