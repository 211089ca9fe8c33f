use std::sync::atomic::Ordering;

use hashbrown::{HashMap, HashSet};

use super::batch::{Batch, SeriesId};
use super::db::Db;
use super::head::{Head, Series, check_order};
use crate::model::{Exemplar, Labels, Metadata, Sample, SampleValue};
use crate::storage::{AppendError, Appender, Committed, Error, SeriesRef};

/// A batch under construction.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    pub(super) batch: Batch,
    /// Series whose labels the log may not know, in order of appearance.
    named: Vec<(SeriesId, Labels)>,
    known: HashSet<SeriesId, foldhash::fast::RandomState>,
    /// So many samples at the front have rising numbers, one per series.
    rising: usize,
    /// The other series: where in the batch the newest sample of each is.
    newest: HashMap<SeriesId, usize, foldhash::fast::RandomState>,
    /// Where in the batch the samples of those are that have more than one.
    times: HashMap<(SeriesId, i64), usize, foldhash::fast::RandomState>,
}

impl BatchBuilder {
    /// The batch, and the series whose labels the log may not know.
    pub(super) fn finish(self) -> (Batch, Vec<(SeriesId, Labels)>) {
        (self.batch, self.named)
    }

    /// Where the newest sample is that the batch has of a series.
    fn newest_at(&self, id: SeriesId) -> Option<usize> {
        if let Some(at) = self.newest.get(&id) {
            return Some(*at);
        }
        let rising = self.batch.samples.get(..self.rising)?;
        if rising.last().is_none_or(|(last, _)| *last < id) {
            return None;
        }
        rising.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    /// The newest sample that the batch has of a series.
    fn newest(&self, id: SeriesId) -> Option<&Sample> {
        let (_, sample) = self.batch.samples.get(self.newest_at(id)?)?;
        Some(sample)
    }

    /// The value that the batch has of a series at a time.
    fn value_at(&self, id: SeriesId, ms: i64) -> Option<&SampleValue> {
        let newest = self.newest(id)?;
        if newest.timestamp_ms == ms {
            return Some(&newest.value);
        }
        let at = self.times.get(&(id, ms))?;
        self.batch.samples.get(*at).map(|(_, sample)| &sample.value)
    }

    fn push(&mut self, id: SeriesId, sample: Sample) {
        let at = self.batch.samples.len();
        let ms = sample.timestamp_ms;
        match self.newest_at(id) {
            None => {
                let rises = self.batch.samples.last().is_none_or(|(last, _)| *last < id);
                if rises && at == self.rising {
                    self.rising += 1;
                } else {
                    self.newest.insert(id, at);
                }
            }
            Some(before) => {
                let before_ms = self.batch.samples.get(before).map(|(_, s)| s.timestamp_ms);
                let before_ms = before_ms.unwrap_or(ms);
                self.times.insert((id, before_ms), before);
                self.times.insert((id, ms), at);
                let newest = if ms >= before_ms { at } else { before };
                self.newest.insert(id, newest);
            }
        }
        self.batch.samples.push((id, sample));
    }

    /// Notes the labels of a series that the log may not know.
    fn name(&mut self, id: SeriesId, labels: &Labels) {
        if self.known.insert(id) {
            self.named.push((id, labels.clone()));
        }
    }
}

impl Batch {
    /// Gives a series of the batch another number.
    pub(super) fn rename(&mut self, old: SeriesId, new: SeriesId) {
        let samples = self.samples.iter_mut().map(|(id, _)| id);
        let exemplars = self.exemplars.iter_mut().map(|(id, _)| id);
        let metadata = self.metadata.iter_mut().map(|(id, _)| id);
        for id in samples.chain(exemplars).chain(metadata) {
            if *id == old {
                *id = new;
            }
        }
    }
}

/// The seam's appender over a [`Db`].
#[derive(Debug)]
pub(super) struct DbAppender<'a> {
    db: &'a Db,
    strict: bool,
    builder: BatchBuilder,
}

impl<'a> DbAppender<'a> {
    pub(super) fn new(db: &'a Db, strict: bool) -> Self {
        Self {
            db,
            strict,
            builder: BatchBuilder::default(),
        }
    }

    fn window_ms(&self) -> i64 {
        self.db.live.window_ms.load(Ordering::Relaxed)
    }

    /// Judges a sample by what its series and the batch hold.
    fn check(&self, head: &Head, id: SeriesId, sample: &Sample) -> Result<(), AppendError> {
        let stored = head.table().get(id).and_then(Series::newest_ms);
        let pending = self.builder.newest(id).map(|newest| newest.timestamp_ms);
        let there = || {
            let ms = sample.timestamp_ms;
            let pending = self.builder.value_at(id, ms).cloned();
            pending.or_else(|| head.value_at(id, ms))
        };
        head.check(stored.max(pending), there, sample, self.window_ms())
    }

    /// Creates a series, if there is room.
    fn create(&self, labels: &Labels) -> Result<SeriesId, AppendError> {
        let refused = |why: &str| AppendError::Refused(why.to_owned());
        let is_admitted = {
            let head = self.db.head.read();
            let is_new = |name: &str, value: &str| !head.index().contains(name, value);
            self.db.budget.admit(labels, is_new)
        };
        if !is_admitted {
            return Err(refused("the memory limit leaves no room for new series"));
        }
        let id = self.db.head.write().series_id(labels);
        id.ok_or_else(|| refused("series numbers are used up"))
    }

    fn labels(&self, series: SeriesRef) -> Result<(SeriesId, Labels), AppendError> {
        let unknown = || AppendError::InvalidLabels(format!("unknown series {}", series.0));
        let id = SeriesId::try_from(series.0).map_err(|_| unknown())?;
        let found = self.db.head.read().labels(id);
        Ok((id, found.ok_or_else(unknown)?))
    }
}

impl Appender for DbAppender<'_> {
    fn append(
        &mut self,
        hint: Option<SeriesRef>,
        labels: &Labels,
        sample: Sample,
    ) -> Result<SeriesRef, AppendError> {
        if labels.is_empty() {
            return Err(AppendError::InvalidLabels(
                "empty labelset: invalid sample".to_owned(),
            ));
        }
        check_histogram(&sample.value)?;
        let hint = hint.and_then(|hint| SeriesId::try_from(hint.0).ok());
        let (found, is_safe) = {
            let head = self.db.head.read();
            let id = hint
                .filter(|id| head.is(*id, labels))
                .or_else(|| head.find(labels));
            match id {
                Some(id) => self.check(&head, id, &sample)?,
                None => head.check(None, || None, &sample, self.window_ms())?,
            }
            let series = id.and_then(|id| head.table().get(id));
            (id, series.is_some_and(|series| series.state.is_safe()))
        };
        let id = match found {
            Some(id) => id,
            None => self.create(labels)?,
        };
        if !is_safe {
            self.builder.name(id, labels);
        }
        self.builder.push(id, sample);
        Ok(SeriesRef(u64::from(id)))
    }

    fn append_known(&mut self, series: SeriesRef, sample: &Sample) -> Result<bool, AppendError> {
        check_histogram(&sample.value)?;
        let Ok(id) = SeriesId::try_from(series.0) else {
            return Ok(false);
        };
        {
            let head = self.db.head.read();
            let Some(known) = head.table().get(id) else {
                return Ok(false);
            };
            self.check(&head, id, sample)?;
            if !known.state.is_safe() {
                let Some(labels) = head.labels(id) else {
                    return Ok(false);
                };
                self.builder.name(id, &labels);
            }
        }
        self.builder.push(id, sample.clone());
        Ok(true)
    }

    fn append_exemplar(
        &mut self,
        series: SeriesRef,
        mut exemplar: Exemplar,
    ) -> Result<(), AppendError> {
        let (id, labels) = self.labels(series)?;
        // compat: an exemplar without a time is as old as its sample.
        if exemplar.timestamp_ms.is_none() {
            exemplar.timestamp_ms = self.builder.newest(id).map(|sample| sample.timestamp_ms);
        }
        {
            let head = self.db.head.read();
            // compat: with exemplar storage off they are dropped without a word.
            if !head.exemplars().is_enabled() {
                return Ok(());
            }
            head.exemplars().check(&labels, &exemplar)?;
        }
        let pending = self.builder.batch.exemplars.iter().rev();
        if let Some((_, newest)) = pending.clone().find(|(of, _)| *of == id) {
            check_order(newest, &exemplar)?;
        }
        self.builder.name(id, &labels);
        self.builder.batch.exemplars.push((id, exemplar));
        Ok(())
    }

    fn update_metadata(
        &mut self,
        series: SeriesRef,
        metadata: Metadata,
    ) -> Result<(), AppendError> {
        let (id, labels) = self.labels(series)?;
        let known = {
            let head = self.db.head.read();
            head.table()
                .get(id)
                .and_then(|series| series.metadata())
                .is_some_and(|known| **known == metadata)
        };
        if !known {
            self.builder.name(id, &labels);
            self.builder.batch.metadata.push((id, metadata));
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Committed, Error> {
        self.db.commit(self.builder, self.strict)
    }
}

fn check_histogram(value: &SampleValue) -> Result<(), AppendError> {
    let checked = match value {
        SampleValue::Float(_) => return Ok(()),
        _ if value.is_stale() => return Ok(()),
        SampleValue::Histogram(h) => h.validate(),
        SampleValue::FloatHistogram(h) => h.validate(),
    };
    checked.map_err(|e| AppendError::InvalidHistogram(e.to_string()))
}
