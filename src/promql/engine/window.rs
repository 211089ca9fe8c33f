//! The samples of one series within a range that moves forward.

use std::sync::Arc;

use super::context::{Context, Series};
use super::select::point_value;
use crate::model::FloatHistogram;
use crate::promql::{Error, PointValue};
use crate::storage::SampleIter;

/// A sample with its start time.
pub(crate) struct Point {
    t: i64,
    start: i64,
    value: PointValue,
}

/// Samples in time order.
pub(crate) trait Points: Iterator<Item = Result<Point, Error>> {}

impl<T: Iterator<Item = Result<Point, Error>>> Points for T {}

/// Samples of the store; stale markers are left out.
pub(crate) fn stored(samples: SampleIter<'_>) -> impl Points {
    samples.filter_map(|sample| match sample {
        Err(error) => Some(Err(error.into())),
        Ok(sample) if sample.value.is_stale() => None,
        Ok(sample) => Some(Ok(Point {
            t: sample.timestamp_ms,
            start: sample.start_timestamp_ms,
            value: point_value(&sample.value),
        })),
    })
}

/// Samples of a series that was evaluated. Start times do not get through a subquery.
pub(crate) fn evaluated(series: &Series) -> impl Points {
    let mut floats = series.floats.iter().peekable();
    let mut histograms = series.histograms.iter().peekable();
    std::iter::from_fn(move || {
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
    })
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
