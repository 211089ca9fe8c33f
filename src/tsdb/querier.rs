use std::collections::BTreeSet;
use std::vec;

use parking_lot::RwLock;

use super::batch::SeriesId;
use super::head::{Head, PairId, Pin, Values};
use crate::model::{Labels, Matcher};
use crate::storage::{Error, ExemplarSeries, Querier, SelectHints, SeriesEntry, SeriesSet};

/// Series whose labels are looked up under one lock.
const SERIES_PER_LOCK: usize = 1024;

/// The seam's querier over a head: pins the batches and blocks that are visible now. Series are looked up and
/// read some at a time, each under a short lock, so that queries and appends do not wait for each other.
#[derive(Debug)]
pub(super) struct DbQuerier<'a> {
    head: &'a RwLock<Head>,
    pin: Pin,
    min_ms: i64,
    max_ms: i64,
}

impl<'a> DbQuerier<'a> {
    pub(super) fn new(head: &'a RwLock<Head>, min_ms: i64, max_ms: i64) -> Self {
        let pin = head.read().pin();
        Self {
            head,
            pin,
            min_ms,
            max_ms,
        }
    }

    /// Matching series that may have samples in range, by number.
    fn select_live(&self, matchers: &[Matcher], min_ms: i64, max_ms: i64) -> Vec<SeriesId> {
        let mut ids = self.head.read().select(matchers);
        let mut live = Vec::with_capacity(ids.len());
        for part in ids.chunks(SERIES_PER_LOCK) {
            let head = self.head.read();
            live.extend(part.iter().copied().filter(|id| {
                head.table()
                    .get(*id)
                    .is_some_and(|s| s.is_live(self.pin.sequence, min_ms, max_ms))
            }));
        }
        std::mem::swap(&mut ids, &mut live);
        ids
    }

    /// Labels of matching series that may have samples in range.
    fn labels(&self, matchers: &[Matcher], min_ms: i64, max_ms: i64) -> Vec<(Labels, SeriesId)> {
        let ids = self.select_live(matchers, min_ms, max_ms);
        let mut found = Vec::with_capacity(ids.len());
        for part in ids.chunks(SERIES_PER_LOCK) {
            let head = self.head.read();
            let labels = part.iter().filter_map(|id| Some((head.labels(*id)?, *id)));
            found.extend(labels);
        }
        found
    }

    fn is_live(&self, head: &Head, id: SeriesId) -> bool {
        head.table()
            .get(id)
            .is_some_and(|series| series.is_live(self.pin.sequence, self.min_ms, self.max_ms))
    }

    /// Values of a label of which some series is live, sorted.
    fn live_values(&self, head: &Head, values: &Values, limit: usize) -> Vec<String> {
        let is_live = |pair: &PairId| {
            let list = head.index().list(*pair);
            list.is_some_and(|list| list.iter().any(|id| self.is_live(head, id)))
        };
        values
            .iter()
            .filter(|(_, pair)| is_live(pair))
            .take(limit)
            .map(|(value, _)| value.to_string())
            .collect()
    }
}

impl Drop for DbQuerier<'_> {
    fn drop(&mut self) {
        self.head.read().unpin(&self.pin);
    }
}

impl Querier for DbQuerier<'_> {
    fn select(&self, hints: &SelectHints, matchers: &[Matcher]) -> Result<SeriesSet<'_>, Error> {
        let min_ms = self.min_ms.max(hints.min_ms);
        let max_ms = self.max_ms.min(hints.max_ms);
        let mut series = if min_ms <= max_ms {
            self.labels(matchers, min_ms, max_ms)
        } else {
            Vec::new()
        };
        if hints.sorted {
            series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(Box::new(Selection {
            head: self.head,
            pin: &self.pin,
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
                .index()
                .names()
                .iter()
                .filter(|(_, values)| !self.live_values(&head, values, 1).is_empty())
                .take(limit(most))
                .map(|(name, _)| name.to_string())
                .collect());
        }
        let matching = self.labels(matchers, self.min_ms, self.max_ms);
        let names = matching.iter().flat_map(|(labels, _)| labels);
        let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
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
            return Ok(head.index().values(name).map_or_else(Vec::new, |values| {
                self.live_values(&head, values, limit(most))
            }));
        }
        let ids = self.select_live(matchers, self.min_ms, self.max_ms);
        let mut values: BTreeSet<String> = BTreeSet::new();
        for part in ids.chunks(SERIES_PER_LOCK) {
            let head = self.head.read();
            for pairs in part.iter().filter_map(|id| head.table().pairs(*id)) {
                if let Some(value) = head.index().value(&pairs, name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            }
        }
        Ok(values.into_iter().take(limit(most)).collect())
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
    pin: &'a Pin,
    min_ms: i64,
    max_ms: i64,
    series: vec::IntoIter<(Labels, SeriesId)>,
    left: usize,
}

impl<'a> Iterator for Selection<'a> {
    type Item = Result<SeriesEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        loop {
            let (labels, id) = self.series.next()?;
            let view = (self.head.read()).view(id, self.pin, self.min_ms, self.max_ms);
            let Some(mut view) = view else {
                continue;
            };
            // Chunks may overlap the range without a sample in it. An error is told with the samples.
            if view.is_empty() {
                continue;
            }
            self.left -= 1;
            return Some(Ok(SeriesEntry {
                labels,
                samples: Box::new(view),
            }));
        }
    }
}
