use std::sync::atomic::Ordering;

use hashbrown::HashMap;

use super::batch::{Batch, SeriesId};
use super::db::Db;
use super::head::check_order;
use crate::model::{Exemplar, Labels, Metadata, Sample, SampleValue};
use crate::storage::{AppendError, Appender, Committed, Error, SeriesRef};

/// A batch under construction.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    pub(super) batch: Batch,
    touched: HashMap<SeriesId, Touched, foldhash::fast::RandomState>,
    /// The keys of `touched` in order of appearance.
    order: Vec<SeriesId>,
}

/// A series of the batch.
#[derive(Debug)]
struct Touched {
    labels: Labels,
    /// Where in the batch its newest sample is.
    newest: Option<usize>,
}

impl BatchBuilder {
    /// The series of the batch, in order of appearance.
    pub(super) fn series(&self) -> Vec<(SeriesId, Labels)> {
        self.order
            .iter()
            .filter_map(|id| Some((*id, self.touched.get(id)?.labels.clone())))
            .collect()
    }

    /// The newest sample that the batch has of a series.
    fn newest(&self, id: SeriesId) -> Option<&Sample> {
        let at = self.touched.get(&id)?.newest?;
        self.batch.samples.get(at).map(|(_, sample)| sample)
    }

    fn touch(&mut self, id: SeriesId, labels: &Labels) -> &mut Touched {
        self.touched.entry(id).or_insert_with(|| {
            self.order.push(id);
            Touched {
                labels: labels.clone(),
                newest: None,
            }
        })
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

    /// Finds the series (by hint if it is right, else by labels) and judges the sample by what it holds.
    /// `None` when there is no such series yet.
    fn find(
        &self,
        hint: Option<SeriesRef>,
        labels: &Labels,
        sample: &Sample,
    ) -> Result<Option<SeriesId>, AppendError> {
        let head = self.db.head.read();
        let hint = hint
            .and_then(|hint| SeriesId::try_from(hint.0).ok())
            .filter(|id| head.table().get(*id).is_some_and(|s| s.labels == *labels));
        let id = hint.or_else(|| head.table().find(labels));
        let series = id.and_then(|id| head.table().get(id));
        let stored = series.and_then(|series| series.newest());
        let pending = id
            .and_then(|id| self.builder.newest(id))
            .map(|sample| (sample.timestamp_ms, &sample.value));
        let newest = match (pending, stored) {
            (Some(pending), Some(stored)) if stored.0 > pending.0 => Some(stored),
            (Some(pending), _) => Some(pending),
            (None, stored) => stored,
        };
        let window = self.db.live.window_ms.load(Ordering::Relaxed);
        head.check(series, newest, sample, window)?;
        Ok(id)
    }

    fn labels(&self, series: SeriesRef) -> Result<(SeriesId, Labels), AppendError> {
        let unknown = || AppendError::InvalidLabels(format!("unknown series {}", series.0));
        let id = SeriesId::try_from(series.0).map_err(|_| unknown())?;
        if let Some(touched) = self.builder.touched.get(&id) {
            return Ok((id, touched.labels.clone()));
        }
        let head = self.db.head.read();
        let found = head.table().get(id).ok_or_else(unknown)?;
        Ok((id, found.labels.clone()))
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
        let id = match self.find(hint, labels, &sample)? {
            Some(id) => id,
            None => self
                .db
                .head
                .write()
                .series_id(labels)
                .ok_or_else(|| AppendError::Refused("series numbers are used up".to_owned()))?,
        };
        let ms = sample.timestamp_ms;
        let newest = self.builder.newest(id).map(|sample| sample.timestamp_ms);
        let at = self.builder.batch.samples.len();
        self.builder.batch.samples.push((id, sample));
        let touched = self.builder.touch(id, labels);
        if newest.is_none_or(|newest| ms >= newest) {
            touched.newest = Some(at);
        }
        Ok(SeriesRef(u64::from(id)))
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
        self.builder.touch(id, &labels);
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
            self.builder.touch(id, &labels);
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
