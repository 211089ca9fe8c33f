use thiserror::Error as ThisError;

/// Why a rule could not be evaluated. Texts are upstream's, since `/api/v1/rules` shows them.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The query failed; the text is the engine's.
    #[error("{0}")]
    Query(String),
    /// A query of a rule must give a vector or a scalar.
    #[error("rule result is not a vector or scalar")]
    WrongType,
    /// Two results are the same series once the rule's labels are applied.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    DuplicateSeries,
    /// Two alerts are the same once the rule's labels are applied.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    DuplicateAlert,
    /// More alerts than the group's `limit` allows; none of them is kept.
    #[error("exceeded limit of {limit} with {count} alerts")]
    TooManyAlerts {
        /// The group's limit.
        limit: usize,
        /// How many there were.
        count: usize,
    },
    /// More series than the group's `limit` allows; none of them is written.
    #[error("exceeded limit of {limit} with {count} series")]
    TooManySeries {
        /// The group's limit.
        limit: usize,
        /// How many there were.
        count: usize,
    },
    /// The results could not be written.
    #[error("{0}")]
    Storage(String),
}
