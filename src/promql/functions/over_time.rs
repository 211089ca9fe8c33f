//! `*_over_time`.

use std::sync::Arc;

use super::quantile::quantile as quantile_of;
use super::range::RangeInput;
use crate::model::FloatHistogram;
use crate::model::histogram::{CounterResetHint, HistogramError, kahan_inc};
use crate::promql::PointValue;
use crate::promql::annotations::Annotations;

type Answer = Option<PointValue>;

/// Seconds since the epoch.
fn seconds(ms: i64) -> PointValue {
    PointValue::Float(ms as f64 / 1000.0)
}

pub(crate) fn first(input: &RangeInput<'_>) -> Answer {
    match (input.floats.first(), input.histograms.first()) {
        (Some((tf, v)), Some((th, _))) if tf < th => Some(PointValue::Float(*v)),
        (_, Some((_, h))) => Some(PointValue::Histogram(Arc::clone(h))),
        (Some((_, v)), None) => Some(PointValue::Float(*v)),
        (None, None) => None,
    }
}

pub(crate) fn last(input: &RangeInput<'_>) -> Answer {
    match (input.floats.last(), input.histograms.last()) {
        (Some((tf, v)), Some((th, _))) if th < tf => Some(PointValue::Float(*v)),
        (_, Some((_, h))) => Some(PointValue::Histogram(Arc::clone(h))),
        (Some((_, v)), None) => Some(PointValue::Float(*v)),
        (None, None) => None,
    }
}

pub(crate) fn ts_of_first(input: &RangeInput<'_>) -> PointValue {
    let float = input.floats.first().map_or(i64::MAX, |(t, _)| *t);
    let histogram = input.histograms.first().map_or(i64::MAX, |(t, _)| *t);
    seconds(float.min(histogram))
}

pub(crate) fn ts_of_last(input: &RangeInput<'_>) -> PointValue {
    // compat: a missing kind counts as time zero.
    let float = input.floats.last().map_or(0, |(t, _)| *t);
    let histogram = input.histograms.last().map_or(0, |(t, _)| *t);
    seconds(float.max(histogram))
}

/// The float that `replaces` prefers to all before it.
fn extreme(input: &RangeInput<'_>, replaces: impl Fn(f64, f64) -> bool) -> Option<(i64, f64)> {
    let mut best = *input.floats.first()?;
    input.note_ignored_histograms();
    for (t, v) in input.floats {
        if replaces(*v, best.1) || best.1.is_nan() {
            best = (*t, *v);
        }
    }
    Some(best)
}

pub(crate) fn max(input: &RangeInput<'_>) -> Answer {
    extreme(input, |new, old| new > old).map(|(_, v)| PointValue::Float(v))
}

pub(crate) fn min(input: &RangeInput<'_>) -> Answer {
    extreme(input, |new, old| new < old).map(|(_, v)| PointValue::Float(v))
}

pub(crate) fn ts_of_max(input: &RangeInput<'_>) -> Answer {
    extreme(input, |new, old| new >= old).map(|(t, _)| seconds(t))
}

pub(crate) fn ts_of_min(input: &RangeInput<'_>) -> Answer {
    extreme(input, |new, old| new <= old).map(|(t, _)| seconds(t))
}

/// Population variance by Welford's method with compensation.
fn variance(input: &RangeInput<'_>) -> Option<f64> {
    if input.floats.is_empty() {
        return None;
    }
    input.note_ignored_histograms();
    let mut count = 0.0;
    let (mut mean, mut mean_c) = (0.0, 0.0);
    let (mut aux, mut aux_c) = (0.0, 0.0);
    for (_, v) in input.floats {
        count += 1.0;
        let delta = v - (mean + mean_c);
        (mean, mean_c) = kahan_inc(delta / count, mean, mean_c);
        (aux, aux_c) = kahan_inc(delta * (v - (mean + mean_c)), aux, aux_c);
    }
    Some((aux + aux_c) / count)
}

pub(crate) fn stdvar(input: &RangeInput<'_>) -> Answer {
    variance(input).map(PointValue::Float)
}

pub(crate) fn stddev(input: &RangeInput<'_>) -> Answer {
    variance(input).map(|v| PointValue::Float(v.sqrt()))
}

pub(crate) fn quantile(input: &RangeInput<'_>) -> Answer {
    if input.floats.is_empty() {
        return None;
    }
    let q = input.scalar(0);
    if q.is_nan() || !(0.0..=1.0).contains(&q) {
        input.note(|notes, _, pos| notes.invalid_quantile(q, pos));
    }
    input.note_ignored_histograms();
    Some(quantile_of(q, input.floats.iter().map(|(_, v)| *v)).into())
}

pub(crate) fn mad(input: &RangeInput<'_>) -> Answer {
    if input.floats.is_empty() {
        return None;
    }
    input.note_ignored_histograms();
    // Unlike in other quantiles, one that is not a number makes the result that too.
    if input.floats.iter().any(|(_, v)| v.is_nan()) {
        return Some(f64::NAN.into());
    }
    let median = quantile_of(0.5, input.floats.iter().map(|(_, v)| *v));
    let distances = input.floats.iter().map(|(_, v)| (v - median).abs());
    Some(quantile_of(0.5, distances).into())
}

/// Whether floats and histograms mix, which sums and averages refuse.
fn mixed(input: &RangeInput<'_>) -> bool {
    let mixed = !input.floats.is_empty() && !input.histograms.is_empty();
    if mixed {
        input.note(Annotations::mixed_floats_histograms);
    }
    mixed
}

pub(crate) fn sum(input: &RangeInput<'_>) -> Answer {
    if mixed(input) {
        return None;
    }
    if input.floats.is_empty() {
        return fold(input, sum_of_histograms);
    }
    let (mut sum, mut c) = (0.0, 0.0);
    for (_, v) in input.floats {
        (sum, c) = kahan_inc(*v, sum, c);
    }
    Some(PointValue::Float(if sum.is_infinite() {
        sum
    } else {
        sum + c
    }))
}

pub(crate) fn avg(input: &RangeInput<'_>) -> Answer {
    if mixed(input) {
        return None;
    }
    if input.floats.is_empty() {
        return fold(input, mean_of_histograms);
    }
    let mut mean = Mean::default();
    for (_, v) in input.floats {
        mean.add(*v);
    }
    Some(mean.value().into())
}

/// The mean of floats: a compensated sum, divided at the end; the mean itself once the sum would
/// overflow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: f64,
    c: f64,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = v;
            return;
        }
        if !self.incremental {
            let (sum, c) = kahan_inc(v, self.sum, self.c);
            if !sum.is_infinite() {
                (self.sum, self.c) = (sum, c);
                return;
            }
            self.incremental = true;
            self.sum /= self.count - 1.0;
            self.c /= self.count - 1.0;
        }
        let q = (self.count - 1.0) / self.count;
        (self.sum, self.c) = kahan_inc(v / self.count, q * self.sum, q * self.c);
    }

    pub(crate) fn value(&self) -> f64 {
        if self.incremental {
            self.sum + self.c
        } else {
            // compat: both are divided before they are added.
            self.sum / self.count + self.c / self.count
        }
    }
}

/// What was seen while histograms were folded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) reset: bool,
    pub(crate) not_reset: bool,
    pub(crate) reconciled: bool,
}

impl Seen {
    pub(crate) fn hint(&mut self, h: &FloatHistogram) {
        self.reset |= h.counter_reset_hint == CounterResetHint::Reset;
        self.not_reset |= h.counter_reset_hint == CounterResetHint::NotReset;
    }
}

type Point = (i64, Arc<FloatHistogram>);
type Folded = Result<Option<FloatHistogram>, HistogramError>;

/// Combines the histograms of a range and remarks on what was seen.
fn fold(input: &RangeInput<'_>, combine: fn(&[Point], &mut Seen) -> Folded) -> Answer {
    let mut seen = Seen::default();
    for (_, h) in input.histograms {
        seen.hint(h);
    }
    let Ok(result) = combine(input.histograms, &mut seen) else {
        input.note(Annotations::mixed_exponential_custom);
        return None;
    };
    if seen.reset && seen.not_reset {
        input.note(|notes, _, pos| notes.resets_collide("aggregation", pos));
    }
    if seen.reconciled {
        input.note(|notes, _, pos| notes.bounds_reconciled("aggregation", pos));
    }
    result.map(PointValue::from)
}

fn sum_of_histograms(histograms: &[(i64, Arc<FloatHistogram>)], seen: &mut Seen) -> Folded {
    let Some(((_, first), rest)) = histograms.split_first() else {
        return Ok(None);
    };
    let mut sum = first.as_ref().clone();
    let mut comp = None;
    for (_, h) in rest {
        seen.reconciled |= sum.kahan_add(h, &mut comp)?.bounds_reconciled;
    }
    if let Some(comp) = comp {
        seen.reconciled |= sum.add(&comp)?.bounds_reconciled;
    }
    Ok(Some(sum))
}

fn mean_of_histograms(histograms: &[(i64, Arc<FloatHistogram>)], seen: &mut Seen) -> Folded {
    let mut mean = HistogramMean::default();
    for (_, h) in histograms {
        mean.add(h, seen)?;
    }
    mean.value()
}

/// The mean of histograms, as [`Mean`] for floats.
#[derive(Debug, Clone, Default)]
pub(crate) struct HistogramMean {
    sum: Option<FloatHistogram>,
    comp: Option<FloatHistogram>,
    count: f64,
    incremental: bool,
}

impl HistogramMean {
    pub(crate) fn add(
        &mut self,
        h: &FloatHistogram,
        seen: &mut Seen,
    ) -> Result<(), HistogramError> {
        self.count += 1.0;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(h.clone());
            return Ok(());
        };
        if !self.incremental {
            let (mut next, mut comp) = (sum.clone(), self.comp.clone());
            seen.reconciled |= next.kahan_add(h, &mut comp)?.bounds_reconciled;
            if !next.has_overflow() {
                (*sum, self.comp) = (next, comp);
                return Ok(());
            }
            self.incremental = true;
            sum.div(self.count - 1.0);
            if let Some(comp) = &mut self.comp {
                comp.div(self.count - 1.0);
            }
        }
        let q = (self.count - 1.0) / self.count;
        if let Some(comp) = &mut self.comp {
            comp.mul(q);
        }
        let mut share = h.clone();
        share.div(self.count);
        sum.mul(q);
        seen.reconciled |= sum.kahan_add(&share, &mut self.comp)?.bounds_reconciled;
        Ok(())
    }

    pub(crate) fn value(self) -> Result<Option<FloatHistogram>, HistogramError> {
        let Some(mut mean) = self.sum else {
            return Ok(None);
        };
        let mut comp = self.comp;
        if !self.incremental {
            mean.div(self.count);
            if let Some(comp) = &mut comp {
                comp.div(self.count);
            }
        }
        if let Some(comp) = comp {
            mean.add(&comp)?;
        }
        Ok(Some(mean))
    }
}
