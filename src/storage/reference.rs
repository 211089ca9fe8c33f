//! A store in a sorted map: slow, simple and right. Scripts and unit tests read from it, and other stores
//! are compared with it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{
    AppendError, Appender, Committed, Error, ExemplarSeries, MetadataEntry, Querier, SelectHints,
    SeriesEntry, SeriesRef, SeriesSet, Storage, one_by_one,
};
use crate::model::{Exemplar, Labels, Matcher, Metadata, Sample, SampleValue};

mod hints;

/// How far a sample may lie behind the newest one of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Any distance.
    #[default]
    Any,
    /// Not at all, as upstream without an out-of-order window.
    Strict,
    /// At most so many milliseconds behind the newest sample of the store.
    Window(i64),
}

/// A store in memory without limits. Cheap to share by reference.
#[derive(Debug, Default)]
pub struct ReferenceStorage {
    state: RwLock<Arc<State>>,
    order: Order,
}

#[derive(Debug, Clone, Default)]
struct State {
    series: BTreeMap<Labels, Arc<Series>>,
    refs: BTreeMap<SeriesRef, Labels>,
    newest_ms: Option<i64>,
}

#[derive(Debug, Clone)]
struct Series {
    id: SeriesRef,
    samples: BTreeMap<i64, Sample>,
    exemplars: Vec<Exemplar>,
    metadata: Option<Metadata>,
}

impl ReferenceStorage {
    /// Opens an empty store that takes samples in any order.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an empty store with a rule for order.
    pub fn with_order(order: Order) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.state.write() = Arc::default();
    }

    /// Deletes the samples between two times (inclusive) of the series that fulfil all of `matchers`.
    pub fn delete(&self, matchers: &[Matcher], min_ms: i64, max_ms: i64) {
        let mut state = self.state.write();
        for (labels, series) in &mut Arc::make_mut(&mut state).series {
            if fulfils(labels, matchers) {
                let samples = &mut Arc::make_mut(series).samples;
                samples.retain(|ms, _| !(min_ms..=max_ms).contains(ms));
            }
        }
    }

    /// What the series that fulfil all of `matchers` declare, sorted by labels.
    pub fn metadata(&self, matchers: &[Matcher]) -> Vec<MetadataEntry> {
        let state = self.state.read();
        state
            .series
            .iter()
            .filter(|(labels, _)| fulfils(labels, matchers))
            .filter_map(|(labels, series)| {
                Some(MetadataEntry {
                    labels: labels.clone(),
                    metadata: series.metadata.clone()?,
                })
            })
            .collect()
    }
}

impl Storage for ReferenceStorage {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(Batch {
            store: self,
            base: Arc::clone(&self.state.read()),
            next_id: None,
            refs: BTreeMap::new(),
            samples: Vec::new(),
            pending: BTreeMap::new(),
            exemplars: Vec::new(),
            metadata: Vec::new(),
        })
    }

    fn querier(&self, min_ms: i64, max_ms: i64) -> Result<Box<dyn Querier + '_>, Error> {
        Ok(Box::new(View {
            state: Arc::clone(&self.state.read()),
            min_ms,
            max_ms,
        }))
    }
}

struct Batch<'a> {
    store: &'a ReferenceStorage,
    base: Arc<State>,
    next_id: Option<u64>,
    refs: BTreeMap<SeriesRef, Labels>,
    samples: Vec<(Labels, Sample)>,
    pending: BTreeMap<Labels, BTreeMap<i64, SampleValue>>,
    exemplars: Vec<(Labels, Exemplar)>,
    metadata: Vec<(Labels, Metadata)>,
}

impl Batch<'_> {
    /// The newest time of the series, and the value at `t` if there is one.
    fn known(&self, labels: &Labels, t: i64) -> (Option<i64>, Option<SampleValue>) {
        let stored = self.base.series.get(labels);
        let pending = self.pending.get(labels);
        let newest_stored = stored
            .and_then(|s| s.samples.last_key_value())
            .map(|e| *e.0);
        let newest_pending = pending.and_then(|p| p.last_key_value()).map(|e| *e.0);
        let at = pending
            .and_then(|p| p.get(&t))
            .or_else(|| stored.and_then(|s| s.samples.get(&t)).map(|s| &s.value));
        (newest_stored.max(newest_pending), at.cloned())
    }

    fn series_ref(&mut self, labels: &Labels) -> SeriesRef {
        if let Some(series) = self.base.series.get(labels) {
            return series.id;
        }
        if let Some((id, _)) = self.refs.iter().find(|(_, known)| *known == labels) {
            return *id;
        }
        let last = self.base.refs.last_key_value().map_or(0, |(id, _)| id.0);
        let id = self.next_id.unwrap_or(last) + 1;
        self.next_id = Some(id);
        self.refs.insert(SeriesRef(id), labels.clone());
        SeriesRef(id)
    }

    fn labels_of(&self, series: SeriesRef) -> Result<Labels, AppendError> {
        self.refs
            .get(&series)
            .or_else(|| self.base.refs.get(&series))
            .cloned()
            .ok_or_else(|| AppendError::InvalidLabels(format!("unknown series ref {}", series.0)))
    }
}

impl Appender for Batch<'_> {
    fn append(
        &mut self,
        _hint: Option<SeriesRef>,
        labels: &Labels,
        sample: Sample,
    ) -> Result<SeriesRef, AppendError> {
        if labels.is_empty() {
            return Err(AppendError::InvalidLabels("empty labelset".to_owned()));
        }
        match &sample.value {
            SampleValue::Float(_) => {}
            SampleValue::Histogram(h) => h
                .validate()
                .map_err(|e| AppendError::InvalidHistogram(e.to_string()))?,
            SampleValue::FloatHistogram(h) => h
                .validate()
                .map_err(|e| AppendError::InvalidHistogram(e.to_string()))?,
        }
        let t = sample.timestamp_ms;
        let (newest, known) = self.known(labels, t);
        if let Some(known) = known {
            if !known.same_bits(&sample.value) {
                return Err(AppendError::DuplicateTimestamp);
            }
            return Ok(self.series_ref(labels));
        }
        if newest.is_some_and(|newest| t < newest) {
            match self.store.order {
                Order::Any => {}
                Order::Strict => return Err(AppendError::OutOfOrder),
                Order::Window(window) => {
                    let newest = self.base.newest_ms.max(newest).unwrap_or(t);
                    if t < newest.saturating_sub(window) {
                        return Err(AppendError::TooOld);
                    }
                }
            }
        }
        self.pending
            .entry(labels.clone())
            .or_default()
            .insert(t, sample.value.clone());
        self.samples.push((labels.clone(), sample));
        Ok(self.series_ref(labels))
    }

    fn append_known(&mut self, series: SeriesRef, sample: &Sample) -> Result<bool, AppendError> {
        let Ok(labels) = self.labels_of(series) else {
            return Ok(false);
        };
        self.append(Some(series), &labels, sample.clone())?;
        Ok(true)
    }

    fn append_exemplar(
        &mut self,
        series: SeriesRef,
        exemplar: Exemplar,
    ) -> Result<(), AppendError> {
        let labels = self.labels_of(series)?;
        let length: usize = exemplar
            .labels
            .iter()
            .map(|(name, value)| name.chars().count() + value.chars().count())
            .sum();
        if length > 128 {
            return Err(AppendError::ExemplarLabelLength);
        }
        let newest = self
            .exemplars
            .iter()
            .rev()
            .find(|(of, _)| *of == labels)
            .map(|(_, exemplar)| exemplar)
            .or_else(|| self.base.series.get(&labels)?.exemplars.last());
        if let Some(newest) = newest {
            if *newest == exemplar {
                return Err(AppendError::DuplicateExemplar);
            }
            if exemplar.timestamp_ms < newest.timestamp_ms {
                return Err(AppendError::OutOfOrderExemplar);
            }
        }
        self.exemplars.push((labels, exemplar));
        Ok(())
    }

    fn update_metadata(
        &mut self,
        series: SeriesRef,
        metadata: Metadata,
    ) -> Result<(), AppendError> {
        let labels = self.labels_of(series)?;
        self.metadata.push((labels, metadata));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Committed, Error> {
        let batch = *self;
        // The batch's own view of the store would make every commit copy the whole of it.
        drop(batch.base);
        let mut committed = Committed::default();
        let mut state = batch.store.state.write();
        let state = Arc::make_mut(&mut state);
        for (id, labels) in batch.refs {
            if state.series.contains_key(&labels) {
                continue;
            }
            committed.new_series += 1;
            // Another batch may have taken the number meanwhile.
            let free = state.refs.last_key_value().map_or(0, |(id, _)| id.0) + 1;
            let id = if state.refs.contains_key(&id) {
                SeriesRef(free)
            } else {
                id
            };
            state.refs.insert(id, labels.clone());
            state.series.insert(
                labels,
                Arc::new(Series {
                    id,
                    samples: BTreeMap::new(),
                    exemplars: Vec::new(),
                    metadata: None,
                }),
            );
        }
        for (labels, sample) in batch.samples {
            state.newest_ms = state.newest_ms.max(Some(sample.timestamp_ms));
            if let Some(series) = state.series.get_mut(&labels) {
                committed.samples += 1;
                Arc::make_mut(series)
                    .samples
                    .insert(sample.timestamp_ms, sample);
            }
        }
        for (labels, exemplar) in batch.exemplars {
            if let Some(series) = state.series.get_mut(&labels) {
                Arc::make_mut(series).exemplars.push(exemplar);
            }
        }
        for (labels, metadata) in batch.metadata {
            if let Some(series) = state.series.get_mut(&labels) {
                Arc::make_mut(series).metadata = Some(metadata);
            }
        }
        Ok(committed)
    }
}

struct View {
    state: Arc<State>,
    min_ms: i64,
    max_ms: i64,
}

impl View {
    /// Matching series with samples in `range`, sorted by labels.
    fn matching<'a>(
        &'a self,
        matchers: &'a [Matcher],
        range: RangeInclusive<i64>,
    ) -> impl Iterator<Item = (&'a Labels, &'a Arc<Series>)> + 'a {
        self.state
            .series
            .iter()
            .filter(|(labels, _)| fulfils(labels, matchers))
            .filter(move |(_, series)| {
                !range.is_empty() && series.samples.range(range.clone()).next().is_some()
            })
    }
}

impl Querier for View {
    fn select(&self, hints: &SelectHints, matchers: &[Matcher]) -> Result<SeriesSet<'_>, Error> {
        let range = self.min_ms.max(hints.min_ms)..=self.max_ms.min(hints.max_ms);
        let limit = if hints.limit == 0 {
            usize::MAX
        } else {
            hints.limit
        };
        let mut found: Vec<(&Labels, &Arc<Series>)> =
            self.matching(matchers, range.clone()).collect();
        if !hints.sorted {
            found.sort_unstable_by_key(|(_, series)| series.id);
        }
        let entries: Vec<SeriesEntry<'_>> = found
            .into_iter()
            .take(limit)
            .map(|(labels, series)| {
                let samples = hints::with_read_hints(&series.samples);
                let range = range.clone();
                SeriesEntry {
                    labels: labels.clone(),
                    samples: one_by_one(
                        samples
                            .into_iter()
                            .filter(move |sample| range.contains(&sample.timestamp_ms))
                            .map(Ok),
                    ),
                }
            })
            .collect();
        Ok(Box::new(entries.into_iter().map(Ok)))
    }

    fn label_names(&self, matchers: &[Matcher], limit: usize) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = self
            .matching(matchers, self.min_ms..=self.max_ms)
            .flat_map(|(labels, _)| labels.iter().map(|(name, _)| name.to_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        truncate(&mut names, limit);
        Ok(names)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let mut values: Vec<String> = self
            .matching(matchers, self.min_ms..=self.max_ms)
            .filter_map(|(labels, _)| labels.get(name).map(str::to_owned))
            .collect();
        values.sort_unstable();
        values.dedup();
        truncate(&mut values, limit);
        Ok(values)
    }

    fn exemplars(&self, matcher_sets: &[Vec<Matcher>]) -> Result<Vec<ExemplarSeries>, Error> {
        let range = self.min_ms..=self.max_ms;
        Ok(self
            .state
            .series
            .iter()
            .filter(|(labels, _)| matcher_sets.iter().any(|set| fulfils(labels, set)))
            .map(|(labels, series)| ExemplarSeries {
                labels: labels.clone(),
                exemplars: series
                    .exemplars
                    .iter()
                    .filter(|e| e.timestamp_ms.is_some_and(|t| range.contains(&t)))
                    .cloned()
                    .collect(),
            })
            .filter(|found| !found.exemplars.is_empty())
            .collect())
    }
}

fn fulfils(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
}

fn truncate(values: &mut Vec<String>, limit: usize) {
    if limit > 0 {
        values.truncate(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MatchOp;

    fn labels(job: &str) -> Labels {
        Labels::from_pairs([("__name__", "up"), ("job", job)])
    }

    fn hints() -> SelectHints {
        SelectHints {
            min_ms: i64::MIN,
            max_ms: i64::MAX,
            step_ms: 0,
            function: String::new(),
            limit: 0,
            sorted: true,
        }
    }

    #[test]
    fn a_view_does_not_see_later_batches() {
        let store = ReferenceStorage::new();
        let mut batch = store.appender();
        batch
            .append(None, &labels("a"), Sample::float(1, 1.0))
            .unwrap();
        let before = store.querier(0, 10).unwrap();
        assert_eq!(
            batch.commit().unwrap(),
            Committed {
                samples: 1,
                new_series: 1
            }
        );
        let matchers = [Matcher::equal("job", "a")];
        assert_eq!(before.select(&hints(), &matchers).unwrap().count(), 0);
        let after = store.querier(0, 10).unwrap();
        assert_eq!(after.select(&hints(), &matchers).unwrap().count(), 1);
        assert_eq!(after.label_values("job", &[], 0).unwrap(), ["a"]);
        let other = [Matcher::new(MatchOp::NotRegex, "job", "a|b").unwrap()];
        assert_eq!(after.select(&hints(), &other).unwrap().count(), 0);
    }

    #[test]
    fn order_and_duplicates_are_judged_per_series() {
        let store = ReferenceStorage::with_order(Order::Strict);
        let mut batch = store.appender();
        let name = labels("a");
        batch.append(None, &name, Sample::float(10, 1.0)).unwrap();
        assert!(batch.append(None, &name, Sample::float(10, 1.0)).is_ok());
        assert_eq!(
            batch.append(None, &name, Sample::float(10, 2.0)),
            Err(AppendError::DuplicateTimestamp)
        );
        assert_eq!(
            batch.append(None, &name, Sample::float(9, 2.0)),
            Err(AppendError::OutOfOrder)
        );
        assert!(
            batch
                .append(None, &labels("b"), Sample::float(9, 2.0))
                .is_ok()
        );
        assert_eq!(batch.commit().unwrap().samples, 2);
    }
}
