//! The quick way through a page like those before: plain numbers of series that were seen, one after the other.

use super::lines::is_metric_name_start;
use super::number::number_line;
use crate::model::MetricType;

/// A place on a text page, ahead of the parser: nothing is read before [`Parser::go_to`](super::Parser::go_to).
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    body: &'a [u8],
    pub(super) at: usize,
    /// The last type that was passed over.
    pub(super) metric_type: Option<MetricType>,
}

impl<'a> Ahead<'a> {
    pub(super) const fn new(body: &'a [u8], at: usize) -> Self {
        Self {
            body,
            at,
            metric_type: None,
        }
    }

    /// Passes over a line that holds nothing but a plain number of a series that `known` knows: it is shown the rest of
    /// the page, and may answer how many bytes of it are a [`Series::key`](super::Series::key) that it has seen before.
    /// `None`, without moving, when the next line is anything else.
    #[inline]
    pub fn number(&mut self, known: impl FnOnce(&[u8]) -> Option<usize>) -> Option<f64> {
        let rest = self.body.get(self.at..)?;
        let first = *rest.first()?;
        if first != b'{' && !is_metric_name_start(first) {
            return None;
        }
        let length = known(rest)?;
        // A number never begins labels, so the series ends here.
        let (value, taken) = number_line(rest.get(length..)?)?;
        self.at += length + taken;
        Some(value)
    }

    /// The rest of the page, if it goes on with a comment or a metadata line.
    #[inline]
    pub fn metadata(&self) -> Option<&'a [u8]> {
        let rest = self.body.get(self.at..)?;
        (rest.first() == Some(&b'#')).then_some(rest)
    }

    /// Passes over the first `length` bytes of [`Self::metadata`]: whole lines, of which the last type is `metric_type`.
    pub const fn pass_metadata(&mut self, length: usize, metric_type: MetricType) {
        self.at += length;
        self.metric_type = Some(metric_type);
    }
}
