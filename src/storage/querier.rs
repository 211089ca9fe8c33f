use super::Error;
use crate::model::{Exemplar, Labels, Matcher, Metadata, Sample};

/// The samples of one series in time order: one at a time or, where they are plain floats, many at once.
pub trait Samples: Iterator<Item = Result<Sample, Error>> + Send {
    /// Appends the floats without start timestamps that come next, as many as are at hand. When it appends
    /// nothing, [`Iterator::next`] has the next sample, if there is one.
    fn next_floats(&mut self, out: &mut Vec<(i64, f64)>) -> Result<(), Error>;
}

/// The samples of one series in time order.
pub type SampleIter<'a> = Box<dyn Samples + 'a>;

/// Samples that come one at a time.
struct OneByOne<I>(I);

impl<I: Iterator> Iterator for OneByOne<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I: Iterator<Item = Result<Sample, Error>> + Send> Samples for OneByOne<I> {
    fn next_floats(&mut self, _: &mut Vec<(i64, f64)>) -> Result<(), Error> {
        Ok(())
    }
}

/// Samples that come one at a time, as those of an entry.
pub fn one_by_one<'a>(
    samples: impl Iterator<Item = Result<Sample, Error>> + Send + 'a,
) -> SampleIter<'a> {
    Box::new(OneByOne(samples))
}

/// A series of a result.
pub struct SeriesEntry<'a> {
    /// Its labels.
    pub labels: Labels,
    /// Its samples within the querier's range and the hints, oldest first.
    pub samples: SampleIter<'a>,
}

impl std::fmt::Debug for SeriesEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesEntry")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// The series of a result, in the order that [`SelectHints::sorted`] asks for.
pub type SeriesSet<'a> = Box<dyn Iterator<Item = Result<SeriesEntry<'a>, Error>> + Send + 'a>;

/// What the reader will do with the samples; a store may use it to read less, never to answer otherwise
/// within the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectHints {
    /// Nothing before this time is needed (inclusive).
    pub min_ms: i64,
    /// Nothing after this time is needed (inclusive).
    pub max_ms: i64,
    /// The query's step; 0 for instants.
    pub step_ms: i64,
    /// The function around the selector; empty when none. `series` when only labels are asked for.
    pub function: String,
    /// At most this many series; 0 for all.
    pub limit: usize,
    /// Whether series come sorted by labels. Else they come as the store has them: the oldest series first where
    /// one index answers, sorted where several do.
    // compat: upstream's order, which decides between equals and in which order floats are added up.
    pub sorted: bool,
}

/// Exemplars of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct ExemplarSeries {
    /// The series.
    pub labels: Labels,
    /// Its exemplars, oldest first.
    pub exemplars: Vec<Exemplar>,
}

/// What one metric family declares, for one series of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataEntry {
    /// The series.
    pub labels: Labels,
    /// Its metadata.
    pub metadata: Metadata,
}

/// A consistent view of the store, pinned when it was opened.
pub trait Querier: Send + Sync {
    /// The series that fulfil all of `matchers` and have samples in range.
    fn select(&self, hints: &SelectHints, matchers: &[Matcher]) -> Result<SeriesSet<'_>, Error>;

    /// The names of labels that occur on matching series, sorted. At most `limit`; 0 for all.
    fn label_names(&self, matchers: &[Matcher], limit: usize) -> Result<Vec<String>, Error>;

    /// The values of label `name` on matching series, sorted. At most `limit`; 0 for all.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        limit: usize,
    ) -> Result<Vec<String>, Error>;

    /// Exemplars of the series that fulfil any of the matcher sets.
    fn exemplars(&self, matcher_sets: &[Vec<Matcher>]) -> Result<Vec<ExemplarSeries>, Error>;
}
