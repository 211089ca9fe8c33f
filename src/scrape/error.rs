use thiserror::Error as ThisError;

use crate::exposition;
use crate::storage;
use crate::text::duration::ParseError;
use crate::text::quote::quote;

/// Why a target cannot be made, or a page not be taken. Texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A target without `__address__`.
    #[error("no address")]
    NoAddress,
    /// An address that holds a slash.
    #[error("{} is not a valid hostname", quote(.0))]
    InvalidHostname(String),
    /// `__scrape_interval__` or `__scrape_timeout__` is no duration.
    #[error("error parsing scrape {0}: {1}")]
    Timing(&'static str, ParseError),
    /// `__scrape_interval__` or `__scrape_timeout__` is zero.
    #[error("scrape {0} cannot be 0")]
    ZeroTiming(&'static str),
    /// The timeout is longer than the interval.
    #[error("scrape timeout cannot be greater than scrape interval ({} > {})", quote(.timeout), quote(.interval))]
    TimeoutAboveInterval {
        /// `__scrape_timeout__`.
        timeout: String,
        /// `__scrape_interval__`.
        interval: String,
    },
    /// The page cannot be read.
    #[error("{0}")]
    Page(#[from] exposition::Error),
    /// Relabeling left no name.
    #[error("missing metric name (__name__ label)")]
    NoMetricName,
    /// A name that the validation scheme does not allow.
    #[error("invalid metric name or label names: {0}")]
    InvalidNames(String),
    /// A limit of the job; the text names it.
    #[error("{0}")]
    Limit(String),
    /// The store does not take a sample, and not for its time alone.
    #[error("{0}")]
    Append(storage::AppendError),
}
