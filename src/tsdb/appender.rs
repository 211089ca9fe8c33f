use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::{HashMap, HashSet};
use smallvec::{SmallVec, smallvec};

use super::batch::{Batch, SeriesId};
use super::db::Db;
use super::head::{Head, OpenStream, Series, check_order};
use crate::model::{Exemplar, Labels, Metadata, Sample, SampleValue};
use crate::storage::{AppendError, Appender, Committed, Error, SeriesRef};

/// A batch under construction.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    /// How often series had left memory when the batch was begun.
    pub(super) departures: u64,
    /// Who writes.
    pub(super) stream: Option<u64>,
    pub(super) batch: Batch,
    /// Series whose labels the log may not know, in order of appearance.
    named: Vec<(SeriesId, Labels)>,
    known: HashSet<SeriesId, foldhash::fast::RandomState>,
    /// The series of the open stream that the row may follow.
    expected: Option<Arc<[SeriesId]>>,
    /// The row has so many of them at its front, in their order.
    following: usize,
    /// So many samples at the front of the row are noted in what follows: those of the stream are only when something
    /// else comes.
    noted: usize,
    /// So many samples at the front of the row have rising numbers, and so many of the others.
    rising: usize,
    rising_others: usize,
    /// Series of the row behind that stretch, in lists of rising numbers, each with its place: on the pages of a
    /// target that gets new series now and then, younger numbers stand among the older ones.
    chains: SmallVec<[Vec<(SeriesId, usize)>; 1]>,
    /// Series that are in none of these or have more than one sample, but for the last of the latter.
    others: HashMap<SeriesId, Places, foldhash::fast::RandomState>,
    /// The last series that got more than one sample: pushes bring all of a series at once.
    last: Option<(SeriesId, Places)>,
    /// Samples of series that have very many.
    times: HashMap<(SeriesId, i64), Place, foldhash::fast::RandomState>,
}

/// A series with more samples than this has them in [`BatchBuilder::times`] too.
const SEARCHED_MAX: usize = 32;

/// More lists of rising numbers are not kept.
const CHAINS_MAX: usize = 8;

/// Where the samples of a series are.
#[derive(Debug)]
struct Places {
    newest: Place,
    /// Of [`Batch::samples`]: pushes bring all of a series at once.
    run: Range<usize>,
    rest: SmallVec<[Place; 1]>,
}

/// Where a sample is in a batch.
#[derive(Debug, Clone, Copy)]
enum Place {
    Row(usize),
    Other(usize),
}

impl BatchBuilder {
    /// The batch, and the series whose labels the log may not know.
    pub(super) fn finish(self) -> (Batch, Vec<(SeriesId, Labels)>) {
        (self.batch, self.named)
    }

    /// Notes where the series are that followed the stream. Each is there once.
    #[inline]
    fn note_row(&mut self) {
        while let Some((id, _)) = self.batch.row.get(self.noted) {
            let (id, at) = (*id, self.noted);
            self.note(id, Place::Row(at));
        }
    }

    /// Notes where the first sample of a series is.
    fn note(&mut self, id: SeriesId, place: Place) {
        let batch = &self.batch;
        let rises = match place {
            Place::Row(at) => {
                self.noted = at + 1;
                extend(&batch.row, at, &mut self.rising) || chain(&mut self.chains, id, at)
            }
            Place::Other(at) => extend(&batch.samples, at, &mut self.rising_others),
        };
        if !rises {
            self.others.insert(id, Places::of(place));
        }
    }

    /// Where the newest sample is that the batch has of a series.
    #[inline]
    fn newest_at(&mut self, id: SeriesId) -> Option<Place> {
        self.note_row();
        if let Some(places) = self.places(id) {
            return Some(places.newest);
        }
        let row = self.batch.row.get(..self.rising)?;
        let others = self.batch.samples.get(..self.rising_others)?;
        let chained = || {
            let mut chains = self.chains.iter();
            chains.find_map(|chain| Some(chain.get(find(chain, id)?)?.1))
        };
        find(row, id)
            .or_else(chained)
            .map(Place::Row)
            .or_else(|| find(others, id).map(Place::Other))
    }

    #[inline]
    fn places(&self, id: SeriesId) -> Option<&Places> {
        match &self.last {
            Some((last, places)) if *last == id => Some(places),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id),
        }
    }

    fn sample(&self, place: Place) -> Option<(i64, SampleValue)> {
        match place {
            Place::Row(at) => {
                let (_, value) = self.batch.row.get(at)?;
                Some((self.batch.row_ms, SampleValue::Float(*value)))
            }
            Place::Other(at) => {
                let (_, sample) = self.batch.samples.get(at)?;
                Some((sample.timestamp_ms, sample.value.clone()))
            }
        }
    }

    /// Time of the newest sample that the batch has of a series.
    fn newest_ms(&mut self, id: SeriesId) -> Option<i64> {
        let newest = self.newest_at(id)?;
        self.time(newest)
    }

    #[inline]
    fn time(&self, place: Place) -> Option<i64> {
        match place {
            Place::Row(_) => Some(self.batch.row_ms),
            Place::Other(at) => Some(self.batch.samples.get(at)?.1.timestamp_ms),
        }
    }

    /// The value that the batch has of a series at a time.
    fn value_at(&mut self, id: SeriesId, ms: i64) -> Option<SampleValue> {
        let newest = self.newest_at(id)?;
        let (newest_ms, value) = self.sample(newest)?;
        if newest_ms == ms {
            return Some(value);
        }
        let places = self.places(id)?;
        if places.len() > SEARCHED_MAX {
            let place = self.times.get(&(id, ms))?;
            return Some(self.sample(*place)?.1);
        }
        let mut samples = places.iter().filter_map(|place| self.sample(place));
        samples.find(|(at, _)| *at == ms).map(|(_, value)| value)
    }

    /// Whether the row so far is the beginning of what an open stream has, and nothing else is there: then what comes
    /// next in the stream needs no look at its series.
    fn follows(&mut self, open: &OpenStream, ms: i64) -> bool {
        if self.expected.is_none() {
            self.expected = Some(Arc::clone(open.ids()));
            self.batch.row.reserve_exact(open.ids().len());
        }
        let is_it = |ids: &Arc<[SeriesId]>| Arc::ptr_eq(ids, open.ids());
        self.expected.as_ref().is_some_and(is_it)
            && open.newest_ms() < ms
            && (self.batch.row.is_empty() || self.batch.row_ms == ms)
    }

    /// Adds the floats at the front of `samples` whose series come next in the stream that the row follows; how many
    /// these are.
    fn push_following(&mut self, ms: i64, samples: &[(SeriesRef, f64)]) -> usize {
        let row = &mut self.batch.row;
        let expected = self.expected.as_deref().unwrap_or_default();
        // What came another way may have been the next all the same.
        let news = row.iter().zip(expected).skip(self.following);
        self.following += news.take_while(|((id, _), of)| id == *of).count();
        if self.following < row.len() || !self.batch.samples.is_empty() {
            return 0;
        }
        let ids = expected.get(self.following..).unwrap_or_default();
        // What is no number may be a marker.
        let is_next = |((series, value), id): &(&(SeriesRef, f64), &SeriesId)| {
            series.0 == u64::from(**id) && !value.is_nan()
        };
        let count = samples.iter().zip(ids).take_while(is_next).count();
        let added = samples.iter().zip(ids).take(count);
        row.extend(added.map(|((_, value), id)| (*id, *value)));
        self.following += count;
        if count > 0 {
            self.batch.row_ms = ms;
        }
        count
    }

    /// Adds a float of a series that comes next in a row of rising numbers, where the batch has nothing else; false, and
    /// nothing done, where it has.
    #[inline]
    fn push_next(&mut self, ms: i64, id: SeriesId, value: f64) -> bool {
        self.note_row();
        let batch = &mut self.batch;
        let goes_on = match batch.row.last() {
            Some((last, _)) => *last < id && batch.row_ms == ms,
            None => true,
        };
        let is_all = self.rising == batch.row.len()
            && batch.samples.is_empty()
            && self.others.is_empty()
            && self.last.is_none();
        if goes_on && is_all {
            batch.row_ms = ms;
            batch.row.push((id, value));
            self.rising += 1;
            self.noted += 1;
        }
        goes_on && is_all
    }

    fn push(&mut self, id: SeriesId, sample: Sample) {
        let before = self.newest_at(id);
        self.push_after(before, id, sample);
    }

    /// [`Self::push`] where the newest sample that the batch has of the series is at `before`, as [`Self::newest_at`] says.
    #[inline]
    fn push_after(&mut self, before: Option<Place>, id: SeriesId, sample: Sample) {
        let ms = sample.timestamp_ms;
        let batch = &mut self.batch;
        let place = match sample.value {
            // A marker tells the end of a series, so it is not what the next row has.
            SampleValue::Float(value)
                if before.is_none()
                    && sample.start_timestamp_ms == 0
                    && (ms == batch.row_ms || batch.row.is_empty())
                    && !sample.value.is_stale() =>
            {
                batch.row_ms = ms;
                batch.row.push((id, value));
                Place::Row(batch.row.len() - 1)
            }
            _ => {
                batch.samples.push((id, sample));
                Place::Other(batch.samples.len() - 1)
            }
        };
        match before {
            Some(before) => self.add(id, ms, before, place),
            None => self.note(id, place),
        }
    }

    /// Adds a sample of a series that has some, the newest of them at `before`.
    fn add(&mut self, id: SeriesId, ms: i64, before: Place, place: Place) {
        let before_ms = self.time(before).unwrap_or(ms);
        let mut places = match self.last.take() {
            Some((last, places)) if last == id => places,
            other => {
                if let Some((last, places)) = other {
                    self.others.insert(last, places);
                }
                let known = self.others.remove(&id);
                known.unwrap_or_else(|| Places::of(before))
            }
        };
        places.push(place);
        if ms >= before_ms {
            places.newest = place;
        }
        if places.len() == SEARCHED_MAX + 1 {
            let times = places
                .iter()
                .filter_map(|place| Some((self.time(place)?, place)));
            let times: Vec<(i64, Place)> = times.collect();
            (self.times).extend(times.into_iter().map(|(ms, place)| ((id, ms), place)));
        } else if places.len() > SEARCHED_MAX {
            self.times.insert((id, ms), place);
        }
        self.last = Some((id, places));
    }

    /// Whether the labels of a series are noted.
    fn is_named(&self, id: SeriesId) -> bool {
        self.known.contains(&id)
    }

    /// Notes the labels of a series that the log may not know.
    fn name(&mut self, id: SeriesId, labels: &Labels) {
        if self.known.insert(id) {
            self.named.push((id, labels.clone()));
        }
    }
}

impl Places {
    fn of(place: Place) -> Self {
        Self {
            newest: place,
            run: 0..0,
            rest: smallvec![place],
        }
    }

    fn len(&self) -> usize {
        self.run.len() + self.rest.len()
    }

    fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        let run = self.run.clone().map(Place::Other);
        run.chain(self.rest.iter().copied())
    }

    fn push(&mut self, place: Place) {
        match place {
            Place::Other(at) if self.run.is_empty() => self.run = at..at + 1,
            Place::Other(at) if self.run.end == at => self.run.end += 1,
            _ => self.rest.push(place),
        }
    }
}

/// Where a series is in a stretch of rising numbers.
#[inline]
fn find<T>(rising: &[(SeriesId, T)], id: SeriesId) -> Option<usize> {
    if rising.last().is_none_or(|(last, _)| *last < id) {
        return None;
    }
    rising.binary_search_by_key(&id, |(id, _)| *id).ok()
}

/// Lets a stretch of rising numbers take in what stands at `at`; false when that does not belong to it.
#[inline]
fn extend<T>(list: &[(SeriesId, T)], at: usize, rising: &mut usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| list.get(at));
    let rises = match (before, list.get(at)) {
        (Some((before, _)), Some((id, _))) => before < id,
        _ => true,
    };
    let extends = rises && at == *rising;
    *rising += usize::from(extends);
    extends
}

/// Adds a series to the list with rising numbers that it fits best; false when it fits none, and there are many.
fn chain(chains: &mut SmallVec<[Vec<(SeriesId, usize)>; 1]>, id: SeriesId, at: usize) -> bool {
    let newest = |chain: &Vec<(SeriesId, usize)>| chain.last().map(|(last, _)| *last);
    let fitting = chains.iter_mut().filter(|chain| newest(chain) < Some(id));
    if let Some(chain) = fitting.max_by_key(|chain| newest(chain)) {
        chain.push((id, at));
        return true;
    }
    let has_room = chains.len() < CHAINS_MAX;
    if has_room {
        chains.push(vec![(id, at)]);
    }
    has_room
}

impl Batch {
    /// The series of which the batch has something; some more than once.
    pub(super) fn ids(&self) -> impl Iterator<Item = SeriesId> + '_ {
        let row = self.row.iter().map(|(id, _)| *id);
        let samples = self.samples.iter().map(|(id, _)| *id);
        let exemplars = self.exemplars.iter().map(|(id, _)| *id);
        let metadata = self.metadata.iter().map(|(id, _)| *id);
        row.chain(samples).chain(exemplars).chain(metadata)
    }

    /// Gives a series of the batch another number.
    pub(super) fn rename(&mut self, old: SeriesId, new: SeriesId) {
        let row = self.row.iter_mut().map(|(id, _)| id);
        let samples = self.samples.iter_mut().map(|(id, _)| id);
        let exemplars = self.exemplars.iter_mut().map(|(id, _)| id);
        let metadata = self.metadata.iter_mut().map(|(id, _)| id);
        for id in row.chain(samples).chain(exemplars).chain(metadata) {
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
            builder: BatchBuilder {
                departures: db.live.departures.load(Ordering::Acquire),
                ..BatchBuilder::default()
            },
        }
    }

    fn window_ms(&self) -> i64 {
        self.db.live.window_ms.load(Ordering::Relaxed)
    }

    fn check(&mut self, head: &Head, id: SeriesId, sample: &Sample) -> Result<(), AppendError> {
        let window_ms = self.window_ms();
        check(&mut self.builder, head, id, sample, window_ms)
    }

    /// Creates a series or takes it back from an archive, if there is room.
    fn create(&mut self, labels: &Labels, sample: &Sample) -> Result<SeriesId, AppendError> {
        let refused = |why: &str| AppendError::Refused(why.to_owned());
        let archived = self.db.archived(labels);
        let archived = archived.map_err(|e| refused(&e.to_string()))?;
        let is_admitted = {
            let head = self.db.head.read();
            let is_new = |name: &str, value: &str| !head.index().contains(name, value);
            self.db.budget.admit(labels, is_new)
        };
        if !is_admitted {
            return Err(refused("the memory limit leaves no room for new series"));
        }
        if let Some(entry) = archived {
            self.db.head.write().revive(&entry);
            self.check(&self.db.head.read(), entry.id, sample)?;
            return Ok(entry.id);
        }
        let id = self.db.head.write().series_id(labels);
        id.ok_or_else(|| refused("series numbers are used up"))
    }

    /// Keeps a series in memory that is about to leave it.
    fn wake(&self, id: SeriesId) {
        self.db.head.write().wake(id);
    }

    fn labels(&self, series: SeriesRef) -> Result<(SeriesId, Labels), AppendError> {
        let unknown = || AppendError::InvalidLabels(format!("unknown series {}", series.0));
        let id = SeriesId::try_from(series.0).map_err(|_| unknown())?;
        let found = self.db.head.read().labels(id);
        Ok((id, found.ok_or_else(unknown)?))
    }
}

impl Appender for DbAppender<'_> {
    fn set_stream(&mut self, stream: u64) {
        self.builder.stream = Some(stream);
    }

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
        let (found, state) = {
            let head = self.db.head.read();
            let id = hint
                .filter(|id| head.is(*id, labels))
                .or_else(|| head.find(labels));
            match id {
                Some(id) => self.check(&head, id, &sample)?,
                None => head.check(None, || None, &sample, self.window_ms())?,
            }
            let series = id.and_then(|id| head.table().get(id));
            (id, series.map(|series| series.state).unwrap_or_default())
        };
        let id = match found {
            Some(id) => id,
            None => self.create(labels, &sample)?,
        };
        if !state.is_safe() {
            self.builder.name(id, labels);
        }
        if state.idle {
            self.wake(id);
        }
        self.builder.push(id, sample);
        Ok(SeriesRef(u64::from(id)))
    }

    fn append_known(&mut self, series: SeriesRef, sample: &Sample) -> Result<bool, AppendError> {
        check_histogram(&sample.value)?;
        let Ok(id) = SeriesId::try_from(series.0) else {
            return Ok(false);
        };
        let is_idle = {
            let head = self.db.head.read();
            let Some(known) = head.table().get(id) else {
                return Ok(false);
            };
            self.check(&head, id, sample)?;
            if !known.state.is_safe() && !self.builder.is_named(id) {
                let Some(labels) = head.labels(id) else {
                    return Ok(false);
                };
                self.builder.name(id, &labels);
            }
            known.state.idle
        };
        if is_idle {
            self.wake(id);
        }
        self.builder.push(id, sample.clone());
        Ok(true)
    }

    fn append_row(
        &mut self,
        timestamp_ms: i64,
        row: &[(SeriesRef, f64)],
    ) -> (usize, Option<AppendError>) {
        let window_ms = self.window_ms();
        let builder = &mut self.builder;
        let head = self.db.head.read();
        let in_bounds = head.is_in_bounds(timestamp_ms);
        let key = builder.stream.filter(|_| in_bounds);
        let open = key.and_then(|key| head.rows().open(key));
        let is_open = open.is_some_and(|open| builder.follows(open, timestamp_ms));
        let mut added = 0;
        loop {
            let rest = row.get(added..).unwrap_or_default();
            if is_open {
                added += builder.push_following(timestamp_ms, rest);
            }
            let Some((series, value)) = row.get(added) else {
                return (added, None);
            };
            let id = SeriesId::try_from(series.0).ok();
            let Some((id, known)) = id.and_then(|id| Some((id, head.table().get(id)?))) else {
                return (added, None);
            };
            let is_next = in_bounds
                && known.state.is_safe()
                && (head.newest_of(id, known)).is_some_and(|ms| ms < timestamp_ms);
            // What is no number may be a marker.
            if !(is_next && !value.is_nan() && builder.push_next(timestamp_ms, id, *value)) {
                let sample = Sample::float(timestamp_ms, *value);
                match add(builder, &head, (id, known), sample, window_ms) {
                    Ok(true) => {}
                    Ok(false) => return (added, None),
                    Err(why) => return (added, Some(why)),
                }
            }
            added += 1;
        }
    }

    fn append_run(
        &mut self,
        series: SeriesRef,
        next: &mut dyn FnMut() -> Option<(i64, f64)>,
    ) -> Result<bool, AppendError> {
        let window_ms = self.window_ms();
        let head = self.db.head.read();
        let id = SeriesId::try_from(series.0).ok();
        let Some((id, known)) = id.and_then(|id| Some((id, head.table().get(id)?))) else {
            return Ok(false);
        };
        while let Some((ms, value)) = next() {
            let sample = Sample::float(ms, value);
            if !add(&mut self.builder, &head, (id, known), sample, window_ms)? {
                return Ok(false);
            }
        }
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
            exemplar.timestamp_ms = self.builder.newest_ms(id);
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

/// Judges a sample by what its series and the batch hold.
fn check(
    builder: &mut BatchBuilder,
    head: &Head,
    id: SeriesId,
    sample: &Sample,
    window_ms: i64,
) -> Result<(), AppendError> {
    let known = head.table().get(id);
    let stored = known.and_then(|known| head.newest_of(id, known));
    let pending = builder.newest_ms(id);
    let there = || {
        let ms = sample.timestamp_ms;
        let pending = builder.value_at(id, ms);
        pending.or_else(|| head.value_at(id, ms))
    };
    head.check(stored.max(pending), there, sample, window_ms)
}

/// Adds a float of a series that there is; false when its labels are wanted and not there.
fn add(
    builder: &mut BatchBuilder,
    head: &Head,
    (id, known): (SeriesId, &Series),
    sample: Sample,
    window_ms: i64,
) -> Result<bool, AppendError> {
    let ms = sample.timestamp_ms;
    let pending = builder.newest_at(id);
    let pending_ms = pending.and_then(|pending| builder.time(pending));
    // Mostly it is later than what is there, and nothing else needs to be looked at.
    let is_next = head
        .newest_of(id, known)
        .max(pending_ms)
        .is_none_or(|newest| newest < ms);
    if !(is_next && head.is_in_bounds(ms)) {
        check(builder, head, id, &sample, window_ms)?;
    }
    if !known.state.is_safe() && !builder.is_named(id) {
        let Some(labels) = head.labels(id) else {
            return Ok(false);
        };
        builder.name(id, &labels);
    }
    builder.push_after(pending, id, sample);
    Ok(true)
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
