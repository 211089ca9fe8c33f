//! The samples of one series within a range that moves forward.

use std::sync::Arc;

use super::context::{Context, Series};
use super::select::point_value;
use crate::model::{FloatHistogram, is_stale_nan};
use crate::promql::{Error, PointValue};
use crate::storage::SampleIter;

/// A sample with its start time.
pub(crate) struct Point {
    t: i64,
    start: i64,
    value: PointValue,
}

/// Samples in time order.
pub(crate) trait Points: Iterator<Item = Result<Point, Error>> {
    /// Appends the floats in `(min, max]` that come next, as many as can be had at once, and passes those before.
    /// They have no start time. True when the next sample is known to lie beyond `max`.
    fn floats(&mut self, min: i64, max: i64, out: &mut Vec<(i64, f64)>) -> Result<bool, Error>;
}

/// Samples of the store; stale markers are left out.
pub(crate) const fn stored(samples: SampleIter<'_>) -> impl Points {
    Stored {
        samples,
        floats: Vec::new(),
        at: 0,
    }
}

struct Stored<'a> {
    samples: SampleIter<'a>,
    /// Floats that were read at once, of which those before `at` are passed.
    floats: Vec<(i64, f64)>,
    at: usize,
}

impl Stored<'_> {
    fn read_floats(&mut self) -> Result<(), Error> {
        self.at = 0;
        loop {
            self.floats.clear();
            self.samples.next_floats(&mut self.floats)?;
            if self.floats.is_empty() {
                return Ok(());
            }
            self.floats.retain(|(_, v)| !is_stale_nan(*v));
            if !self.floats.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Points for Stored<'_> {
    fn floats(&mut self, min: i64, max: i64, out: &mut Vec<(i64, f64)>) -> Result<bool, Error> {
        loop {
            let rest = self.floats.get(self.at..).unwrap_or_default();
            let end = rest.iter().take_while(|(t, _)| *t <= max).count();
            let passed = rest.get(..end).unwrap_or_default();
            let from = passed.iter().take_while(|(t, _)| *t <= min).count();
            out.extend_from_slice(passed.get(from..).unwrap_or_default());
            self.at += end;
            if self.at < self.floats.len() {
                return Ok(true);
            }
            self.read_floats()?;
            if self.floats.is_empty() {
                return Ok(false);
            }
        }
    }
}

impl Iterator for Stored<'_> {
    type Item = Result<Point, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((t, v)) = self.floats.get(self.at).copied() {
            self.at += 1;
            let value = PointValue::Float(v);
            return Some(Ok(Point { t, start: 0, value }));
        }
        loop {
            return match self.samples.next()? {
                Err(error) => Some(Err(error.into())),
                Ok(sample) if sample.value.is_stale() => continue,
                Ok(sample) => Some(Ok(Point {
                    t: sample.timestamp_ms,
                    start: sample.start_timestamp_ms,
                    value: point_value(&sample.value),
                })),
            };
        }
    }
}

/// Samples of a series that was evaluated. Start times do not get through a subquery.
pub(crate) fn evaluated(series: &Series) -> impl Points {
    let mut floats = series.floats.iter().peekable();
    let mut histograms = series.histograms.iter().peekable();
    Evaluated(std::iter::from_fn(move || {
        let histogram_first = match (floats.peek(), histograms.peek()) {
            (Some((float, _)), Some((histogram, _))) => histogram < float,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let (t, value) = if histogram_first {
            let (t, h) = histograms.next()?;
            (*t, PointValue::Histogram(Arc::clone(h)))
        } else {
            let (t, v) = floats.next()?;
            (*t, PointValue::Float(*v))
        };
        Some(Ok(Point { t, start: 0, value }))
    }))
}

struct Evaluated<I>(I);

impl<I: Iterator> Iterator for Evaluated<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I: Iterator<Item = Result<Point, Error>>> Points for Evaluated<I> {
    fn floats(&mut self, _: i64, _: i64, _: &mut Vec<(i64, f64)>) -> Result<bool, Error> {
        Ok(false)
    }
}

/// The samples in `(min, max]`.
pub(crate) struct Window<P> {
    points: P,
    next: Option<Point>,
    exhausted: bool,
    keep_starts: bool,
    pub(crate) floats: Vec<(i64, f64)>,
    pub(crate) histograms: Vec<(i64, Arc<FloatHistogram>)>,
    /// Start times of `floats`; empty when they are not used.
    pub(crate) float_starts: Vec<i64>,
    /// Start times of `histograms`; empty when they are not used.
    pub(crate) histogram_starts: Vec<i64>,
}

impl<P: Points> Window<P> {
    pub(crate) const fn new(points: P, keep_starts: bool) -> Self {
        Self {
            points,
            next: None,
            exhausted: false,
            keep_starts,
            floats: Vec::new(),
            histograms: Vec::new(),
            float_starts: Vec::new(),
            histogram_starts: Vec::new(),
        }
    }

    /// Moves the window; neither end may go back.
    pub(crate) fn slide(&mut self, context: &Context<'_>, min: i64, max: i64) -> Result<(), Error> {
        context.tick()?;
        let floats = self.floats.partition_point(|(t, _)| *t <= min);
        if floats > 0 {
            self.floats.drain(..floats);
            self.float_starts
                .drain(..floats.min(self.float_starts.len()));
            context.release(floats);
        }
        let histograms = self.histograms.partition_point(|(t, _)| *t <= min);
        if histograms > 0 {
            let weight = self
                .histograms
                .drain(..histograms)
                .map(|(_, h)| h.size_in_samples())
                .sum();
            self.histogram_starts
                .drain(..histograms.min(self.histogram_starts.len()));
            context.release(weight);
        }
        loop {
            if self.next.is_none() && !self.exhausted {
                if self.take_floats(context, min, max)? {
                    return Ok(());
                }
                context.tick()?;
                self.next = self.points.next().transpose()?;
                self.exhausted = self.next.is_none();
            }
            match self.next.take() {
                Some(point) if point.t <= max => {
                    if point.t > min {
                        self.push(context, point)?;
                    }
                }
                other => {
                    self.next = other;
                    return Ok(());
                }
            }
        }
    }

    /// Takes the floats that can be had at once; true when what follows lies beyond `max`.
    fn take_floats(&mut self, context: &Context<'_>, min: i64, max: i64) -> Result<bool, Error> {
        let before = self.floats.len();
        let is_there = self.points.floats(min, max, &mut self.floats)?;
        let taken = self.floats.len() - before;
        if taken > 0 {
            context.hold(taken)?;
            if self.keep_starts {
                self.float_starts.resize(self.float_starts.len() + taken, 0);
            }
        }
        Ok(is_there)
    }

    fn push(&mut self, context: &Context<'_>, point: Point) -> Result<(), Error> {
        context.hold(point.value.size())?;
        match point.value {
            PointValue::Float(v) => {
                self.floats.push((point.t, v));
                if self.keep_starts {
                    self.float_starts.push(point.start);
                }
            }
            PointValue::Histogram(h) => {
                self.histograms.push((point.t, h));
                if self.keep_starts {
                    self.histogram_starts.push(point.start);
                }
            }
        }
        Ok(())
    }

    /// The weight of what it holds.
    pub(crate) fn size(&self) -> usize {
        self.floats.len()
            + self
                .histograms
                .iter()
                .map(|(_, h)| h.size_in_samples())
                .sum::<usize>()
    }

    /// No longer counts what it holds.
    pub(crate) fn release(&self, context: &Context<'_>) {
        context.release(self.size());
    }
}
