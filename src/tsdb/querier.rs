use std::collections::BTreeSet;
use std::vec;

use parking_lot::RwLock;

use super::archive::{Archive, ArchivedValue, Entry};
use super::batch::SeriesId;
use super::head::{Head, PairId, Pin, SeriesView, Values};
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

    /// Hands over the series that fulfil all matchers and may have samples in range: those of the head and of
    /// archives are one.
    fn each_live(
        &self,
        matchers: &[Matcher],
        (min_ms, max_ms): (i64, i64),
        mut take: impl FnMut(Live<'_>),
    ) -> Result<(), Error> {
        // The head comes first: what leaves it meanwhile is in the archives that are pinned.
        let mut ids = self.head.read().select(matchers);
        let archived = self.pin.archives.select(matchers, min_ms, max_ms)?;
        if !archived.is_empty() {
            ids.extend(archived);
            ids.sort_unstable();
            ids.dedup();
        }
        let mut absent = Vec::new();
        for part in ids.chunks(SERIES_PER_LOCK) {
            {
                let head = self.head.read();
                for id in part {
                    match head.table().get(*id) {
                        Some(series) if series.state.indexed => {
                            if head.is_live(*id, self.pin.sequence, min_ms, max_ms) {
                                take(Live::Head(&head, *id));
                            }
                        }
                        _ => absent.push(*id),
                    }
                }
            }
            for id in absent.drain(..) {
                if let Some(entry) = self.archived(id, min_ms, max_ms)? {
                    take(Live::Archived(entry));
                }
            }
        }
        Ok(())
    }

    /// What an archive has of a series, if it may have samples between two times.
    fn archived(&self, id: SeriesId, min_ms: i64, max_ms: i64) -> Result<Option<Entry>, Error> {
        // An archive may name times that retention has let go of.
        let (left_ms, _) = self.pin.blocks.span().unwrap_or((i64::MIN, i64::MAX));
        let entry = self.pin.archives.entry(id, &self.pin.blocks)?;
        Ok(entry.filter(|entry| entry.is_live(min_ms.max(left_ms), max_ms)))
    }

    /// Labels of matching series that may have samples in range.
    fn labels(
        &self,
        matchers: &[Matcher],
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<Selected>, Error> {
        let mut found = Vec::new();
        self.each_live(matchers, (min_ms, max_ms), |live| {
            found.extend(match live {
                Live::Head(head, id) => head.labels(id).map(|labels| (labels, Source::Head(id))),
                Live::Archived(entry) => {
                    Some((entry.labels.clone(), Source::Archived(Box::new(entry))))
                }
            });
        })?;
        Ok(found)
    }

    fn is_live(&self, head: &Head, id: SeriesId) -> bool {
        head.is_live(id, self.pin.sequence, self.min_ms, self.max_ms)
    }

    /// Whether nothing between two times, which an archive names, is asked for. What a damaged one has lost, others may
    /// know less of than blocks.
    fn is_outside(&self, first_ms: i64, last_ms: i64) -> bool {
        let (left_ms, _) = self.pin.blocks.span().unwrap_or((i64::MIN, i64::MAX));
        let is_outside = first_ms > self.max_ms || last_ms < self.min_ms.max(left_ms);
        is_outside && !self.pin.archives.is_damaged()
    }

    /// Adds the values of a label of which some archived series is live, at most `limit` of each archive.
    fn archived_values(
        &self,
        name: &str,
        limit: usize,
        into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        for archive in self.pin.archives.iter() {
            let mut left = limit;
            let (first_ms, last_ms) = archive.span();
            if self.is_outside(first_ms, last_ms) {
                continue;
            }
            let read = archive.each_value(name, |value| {
                if self.is_live_value(value)? {
                    left -= 1;
                    into.insert(value.text.to_owned());
                }
                Ok(left > 0)
            });
            match read {
                // All series are looked at.
                Err(super::Error::Corrupt { .. }) => self.walked_values(archive, name, into)?,
                read => read?,
            }
        }
        Ok(())
    }

    /// Adds the values of a label that live series of an archive have, of which lists are damaged.
    fn walked_values(
        &self,
        archive: &Archive,
        name: &str,
        into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let mut ids = Vec::new();
        let damage = archive.each(|entry| {
            if entry.labels.contains(name) {
                ids.push(entry.id);
            }
            Ok(())
        })?;
        for id in ids {
            let entry = self.archived(id, self.min_ms, self.max_ms)?;
            into.extend(entry.and_then(|entry| entry.labels.get(name).map(str::to_owned)));
        }
        damage.map_or(Ok(()), |damage| Err(damage.into()))
    }

    /// Whether some series with an archived value is live.
    fn is_live_value(&self, value: &ArchivedValue<'_>) -> Result<bool, super::Error> {
        let (left_ms, _) = self.pin.blocks.span().unwrap_or((i64::MIN, i64::MAX));
        let (from, to) = (self.min_ms.max(left_ms), self.max_ms);
        if self.is_outside(value.first_ms, value.last_ms) {
            return Ok(false);
        }
        let range = from..=to;
        let has_end = range.contains(&value.first_ms) || range.contains(&value.last_ms);
        if has_end && !self.head.read().has_tombstones() && !self.pin.archives.has_tombstones() {
            return Ok(true);
        }
        for id in value.list()?.iter() {
            let in_head = {
                let head = self.head.read();
                let is_known = head.table().get(id).is_some_and(|s| s.state.indexed);
                is_known.then(|| self.is_live(&head, id))
            };
            let is_live = if let Some(is_live) = in_head {
                is_live
            } else {
                let entry = self.pin.archives.entry(id, &self.pin.blocks)?;
                entry.is_some_and(|entry| entry.is_live(from, to))
            };
            if is_live {
                return Ok(true);
            }
        }
        Ok(false)
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
            self.labels(matchers, min_ms, max_ms)?
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
        let mut names: BTreeSet<String> = BTreeSet::new();
        if matchers.is_empty() {
            {
                let head = self.head.read();
                let of_head = head.index().names().iter();
                let live = of_head
                    .filter(|(_, values)| !self.live_values(&head, values, 1).is_empty())
                    .take(limit(most));
                names.extend(live.map(|(name, _)| name.to_string()));
            }
            for archive in self.pin.archives.iter() {
                if archive.is_damaged() {
                    archive.each(|entry| {
                        if entry.is_live(self.min_ms, self.max_ms) {
                            names.extend(entry.labels.iter().map(|(name, _)| name.to_owned()));
                        }
                        Ok(())
                    })?;
                }
                for (name, first_ms, last_ms) in archive.names() {
                    if !self.is_outside(first_ms, last_ms) && !names.contains(name) {
                        let mut values = BTreeSet::new();
                        self.archived_values(name, 1, &mut values)?;
                        if !values.is_empty() {
                            names.insert(name.to_owned());
                        }
                    }
                }
            }
        } else {
            for (labels, _) in self.labels(matchers, self.min_ms, self.max_ms)? {
                for (name, _) in &labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(names.into_iter().take(limit(most)).collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        most: usize,
    ) -> Result<Vec<String>, Error> {
        let mut values: BTreeSet<String> = BTreeSet::new();
        if matchers.is_empty() {
            {
                let head = self.head.read();
                if let Some(of_head) = head.index().values(name) {
                    values.extend(self.live_values(&head, of_head, limit(most)));
                }
            }
            self.archived_values(name, limit(most), &mut values)?;
        } else {
            let range = (self.min_ms, self.max_ms);
            self.each_live(matchers, range, |live| {
                let value = match &live {
                    Live::Head(head, id) => {
                        let pairs = head.table().pairs(*id);
                        pairs.and_then(|pairs| head.index().value(&pairs, name))
                    }
                    Live::Archived(entry) => entry.labels.get(name),
                };
                if let Some(value) = value
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            })?;
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

/// A series that may have samples in range.
enum Live<'a> {
    Head(&'a Head, SeriesId),
    Archived(Entry),
}

/// Where a selected series was found.
enum Source {
    Head(SeriesId),
    Archived(Box<Entry>),
}

type Selected = (Labels, Source);

/// The series of a selection, read one by one.
struct Selection<'a> {
    head: &'a RwLock<Head>,
    pin: &'a Pin,
    min_ms: i64,
    max_ms: i64,
    series: vec::IntoIter<Selected>,
    left: usize,
}

impl Selection<'_> {
    /// What the reader sees of a series that was in the head when it was selected.
    fn view(&self, id: SeriesId) -> Result<Option<SeriesView>, Error> {
        let (min_ms, max_ms) = (self.min_ms, self.max_ms);
        {
            let head = self.head.read();
            if head.table().get(id).is_some() {
                return Ok(head.view(id, self.pin, min_ms, max_ms));
            }
        }
        // It has left since.
        let entry = self.pin.archives.entry(id, &self.pin.blocks)?;
        Ok(entry.map(|entry| self.archived_view(&entry)))
    }

    fn archived_view(&self, entry: &Entry) -> SeriesView {
        SeriesView::archived(entry, &self.pin.blocks, self.min_ms, self.max_ms)
    }
}

impl<'a> Iterator for Selection<'a> {
    type Item = Result<SeriesEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        loop {
            let (labels, source) = self.series.next()?;
            let view = match source {
                Source::Head(id) => self.view(id),
                Source::Archived(entry) => Ok(Some(self.archived_view(&entry))),
            };
            let view = match view {
                Ok(view) => view,
                Err(e) => return Some(Err(e)),
            };
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
