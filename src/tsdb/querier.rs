use std::collections::BTreeSet;
use std::vec;

use parking_lot::RwLock;

use super::batch::SeriesId;
use super::error::damaged_chunk;
use super::head::{Head, SeriesView, Values};
use crate::model::{Labels, Matcher};
use crate::storage::{Error, ExemplarSeries, Querier, SelectHints, SeriesEntry, SeriesSet};

/// The seam's querier over a head: pins the batches that are visible now. Samples are read series by series,
/// each under a short lock, so that queries and appends do not wait for each other.
#[derive(Debug)]
pub(super) struct DbQuerier<'a> {
    head: &'a RwLock<Head>,
    sequence: u64,
    min_ms: i64,
    max_ms: i64,
}

impl<'a> DbQuerier<'a> {
    pub(super) fn new(head: &'a RwLock<Head>, min_ms: i64, max_ms: i64) -> Self {
        let sequence = head.read().pin();
        Self {
            head,
            sequence,
            min_ms,
            max_ms,
        }
    }

    /// Labels of matching series that may have samples in range.
    fn matching(&self, matchers: &[Matcher]) -> Vec<Labels> {
        let head = self.head.read();
        let table = head.table();
        head.postings()
            .select(matchers, table)
            .into_iter()
            .filter_map(|id| table.get(id))
            .filter(|series| series.is_live(self.sequence, self.min_ms, self.max_ms))
            .map(|series| series.labels.clone())
            .collect()
    }

    fn is_live(&self, head: &Head, id: SeriesId) -> bool {
        head.table()
            .get(id)
            .is_some_and(|series| series.is_live(self.sequence, self.min_ms, self.max_ms))
    }

    /// Values of a label of which some series is live, sorted.
    fn live_values(&self, head: &Head, values: &Values, limit: usize) -> Vec<String> {
        values
            .iter()
            .filter(|(_, ids)| ids.iter().any(|id| self.is_live(head, *id)))
            .take(limit)
            .map(|(value, _)| value.to_string())
            .collect()
    }
}

impl Drop for DbQuerier<'_> {
    fn drop(&mut self) {
        self.head.read().unpin(self.sequence);
    }
}

impl Querier for DbQuerier<'_> {
    fn select(&self, hints: &SelectHints, matchers: &[Matcher]) -> Result<SeriesSet<'_>, Error> {
        let min_ms = self.min_ms.max(hints.min_ms);
        let max_ms = self.max_ms.min(hints.max_ms);
        let mut series = if min_ms <= max_ms {
            let head = self.head.read();
            head.select(self.sequence, min_ms, max_ms, matchers)
        } else {
            Vec::new()
        };
        if hints.sorted {
            series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(Box::new(Selection {
            head: self.head,
            sequence: self.sequence,
            min_ms,
            max_ms,
            series: series.into_iter(),
            left: limit(hints.limit),
        }))
    }

    fn label_names(&self, matchers: &[Matcher], most: usize) -> Result<Vec<String>, Error> {
        if matchers.is_empty() {
            let head = self.head.read();
            return Ok(head
                .postings()
                .names()
                .iter()
                .filter(|(_, values)| !self.live_values(&head, values, 1).is_empty())
                .take(limit(most))
                .map(|(name, _)| name.to_string())
                .collect());
        }
        let matching = self.matching(matchers);
        let names: BTreeSet<&str> = matching.iter().flatten().map(|(name, _)| name).collect();
        Ok(names
            .into_iter()
            .take(limit(most))
            .map(str::to_owned)
            .collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        most: usize,
    ) -> Result<Vec<String>, Error> {
        if matchers.is_empty() {
            let head = self.head.read();
            return Ok(head
                .postings()
                .values(name)
                .map_or_else(Vec::new, |values| {
                    self.live_values(&head, values, limit(most))
                }));
        }
        let matching = self.matching(matchers);
        let values: BTreeSet<&str> = matching.iter().filter_map(|l| l.get(name)).collect();
        Ok(values
            .into_iter()
            .take(limit(most))
            .map(str::to_owned)
            .collect())
    }

    fn exemplars(&self, matcher_sets: &[Vec<Matcher>]) -> Result<Vec<ExemplarSeries>, Error> {
        let head = self.head.read();
        let mut found: Vec<ExemplarSeries> = Vec::new();
        let mut all: Vec<_> = head
            .exemplars()
            .since(0)
            .filter(|(labels, exemplar)| {
                exemplar
                    .timestamp_ms
                    .is_some_and(|ms| (self.min_ms..=self.max_ms).contains(&ms))
                    && matcher_sets.iter().any(|set| {
                        set.iter()
                            .all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
                    })
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for (labels, exemplar) in all {
            match found.last_mut() {
                Some(last) if last.labels == *labels => last.exemplars.push(exemplar.clone()),
                _ => found.push(ExemplarSeries {
                    labels: labels.clone(),
                    exemplars: vec![exemplar.clone()],
                }),
            }
        }
        Ok(found)
    }
}

const fn limit(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// The series of a selection, read one by one.
struct Selection<'a> {
    head: &'a RwLock<Head>,
    sequence: u64,
    min_ms: i64,
    max_ms: i64,
    series: vec::IntoIter<(Labels, SeriesId)>,
    left: usize,
}

impl Selection<'_> {
    fn view(&self, id: SeriesId) -> Option<SeriesView> {
        let head = self.head.read();
        head.table()
            .get(id)?
            .view(self.sequence, self.min_ms, self.max_ms)
    }
}

impl<'a> Iterator for Selection<'a> {
    type Item = Result<SeriesEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        loop {
            let (labels, id) = self.series.next()?;
            let Some(mut view) = self.view(id).map(Iterator::peekable) else {
                continue;
            };
            // Chunks may overlap the range without a sample in it.
            if view.peek().is_none() {
                continue;
            }
            self.left -= 1;
            return Some(Ok(SeriesEntry {
                labels,
                samples: Box::new(view.map(|sample| sample.map_err(damaged_chunk))),
            }));
        }
    }
}
