use super::{AppendError, Error};
use crate::model::{Exemplar, Labels, Metadata, Sample};

/// A store's name for a series; valid while the store is open and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub u64);

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Samples that are now visible.
    pub samples: usize,
    /// Series that did not exist before this batch.
    pub new_series: usize,
}

/// A batch under construction. Dropping it without commit discards it.
///
/// Order and duplicates are judged per series: a sample at the time of the newest one with the same
/// bits is silently taken, with other bits it is [`AppendError::DuplicateTimestamp`].
pub trait Appender: Send {
    /// Says who writes. Batches under one name mostly have the same series in the same order, one sample of each
    /// at one time: a store may write them shorter for that. Nothing else depends on it. To be called before
    /// anything is added; without it a batch stands for itself.
    fn set_stream(&mut self, _stream: u64) {}

    /// Adds a sample of the series `labels`. `hint` is what an earlier call for the same labels
    /// returned; a stale hint is harmless. A refused sample leaves the batch usable.
    fn append(
        &mut self,
        hint: Option<SeriesRef>,
        labels: &Labels,
        sample: Sample,
    ) -> Result<SeriesRef, AppendError>;

    /// Adds a sample of a series by what an earlier call for it returned. False, and nothing done, when the
    /// store does not know the series any more: [`Self::append`] makes it anew.
    fn append_known(&mut self, series: SeriesRef, sample: &Sample) -> Result<bool, AppendError>;

    /// Adds floats of one time as [`Self::append_known`] would one by one, until one is not added. The answer is how many
    /// were, and why the next one was refused; without a reason the store does not know its series any more.
    fn append_row(
        &mut self,
        timestamp_ms: i64,
        row: &[(SeriesRef, f64)],
    ) -> (usize, Option<AppendError>) {
        for (added, (series, value)) in row.iter().enumerate() {
            match self.append_known(*series, &Sample::float(timestamp_ms, *value)) {
                Ok(true) => {}
                Ok(false) => return (added, None),
                Err(why) => return (added, Some(why)),
            }
        }
        (row.len(), None)
    }

    /// Adds floats of one series as [`Self::append_known`] would one by one: those that `next` tells, until one is not
    /// added. Where the store does not know the series, `next` is not asked.
    fn append_run(
        &mut self,
        series: SeriesRef,
        next: &mut dyn FnMut() -> Option<(i64, f64)>,
    ) -> Result<bool, AppendError> {
        while let Some((ms, value)) = next() {
            if !self.append_known(series, &Sample::float(ms, value))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds an exemplar to a series of this batch or of the store.
    fn append_exemplar(&mut self, series: SeriesRef, exemplar: Exemplar)
    -> Result<(), AppendError>;

    /// Notes what a metric family declares.
    fn update_metadata(&mut self, series: SeriesRef, metadata: Metadata)
    -> Result<(), AppendError>;

    /// Writes the batch to the log and makes it visible, as a whole and in this order.
    fn commit(self: Box<Self>) -> Result<Committed, Error>;
}
