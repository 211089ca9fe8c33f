//! The seam between those who write and read samples and whoever keeps them.
//!
//! Scrapes, rules and pushes write batches through an [`Appender`]; queries and rules read through a
//! [`Querier`], which pins a consistent view. A batch becomes visible as a whole when it is
//! committed, and what is visible survives kill -9. PromQL and rules know this seam and never an engine.

mod appender;
mod error;
mod querier;
pub mod read_hints;
pub mod reference;

pub use appender::{Appender, Committed, SeriesRef};
pub use error::{AppendError, Error};
pub use querier::{
    ExemplarSeries, MetadataEntry, Querier, SampleIter, Samples, SelectHints, SeriesEntry,
    SeriesSet, one_by_one,
};

/// A store of samples: what the daemon hands to everyone who reads or writes.
pub trait Storage: Send + Sync {
    /// Opens a batch. Nothing of it is visible before [`Appender::commit`].
    fn appender(&self) -> Box<dyn Appender + '_>;

    /// Opens a batch for a sender who can send again: when it cannot be written, the commit fails and
    /// nothing of it is visible. Batches of [`Self::appender`] stay visible in memory on a full disk.
    fn push_appender(&self) -> Box<dyn Appender + '_> {
        self.appender()
    }

    /// Pins the view of now and restricts it to `min_ms..=max_ms`.
    fn querier(&self, min_ms: i64, max_ms: i64) -> Result<Box<dyn Querier + '_>, Error>;
}
