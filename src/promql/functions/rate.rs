//! `rate`, `increase`, `delta`, `irate` and `idelta`.

use std::sync::Arc;

use super::extended::{extended, extended_histograms};
use super::range::RangeInput;
use crate::model::FloatHistogram;
use crate::model::histogram::{Combined, CounterResetHint};
use crate::promql::PointValue;
use crate::promql::annotations::Annotations;
use crate::promql::engine::plan::Extension;

type Answer = Option<PointValue>;

/// What is asked of the samples.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Per second, of a counter.
    Rate,
    /// In total, of a counter.
    Increase,
    /// In total, of a gauge.
    Delta,
}

impl Kind {
    pub(super) fn counter(self) -> bool {
        self != Self::Delta
    }
}

pub(crate) fn rate(input: &RangeInput<'_>) -> Answer {
    extrapolated(input, Kind::Rate)
}

pub(crate) fn increase(input: &RangeInput<'_>) -> Answer {
    extrapolated(input, Kind::Increase)
}

pub(crate) fn delta(input: &RangeInput<'_>) -> Answer {
    extrapolated(input, Kind::Delta)
}

/// Whether a sample's start time says that it does not continue the one before.
///
/// compat: a start that is zero, or not before its sample, is unknown. One at the sample before is that of
/// a delta, unless the start before was unknown too.
pub(crate) const fn starts_anew(start_before: i64, t_before: i64, start: i64, t: i64) -> bool {
    if start == 0 || start >= t || start < t_before {
        return false;
    }
    if start > t_before {
        return true;
    }
    start_before <= t_before && start_before != 0 && start_before != t_before
}

/// Whether a sample's start lies before the sample before it, which it does not share.
const fn overlaps(start_before: i64, t_before: i64, start: i64) -> bool {
    start != 0 && start < t_before && start != start_before
}

/// The start times of a sample and the next.
fn starts(starts: &[i64], at: usize) -> Option<(i64, i64)> {
    Some((*starts.get(at)?, *starts.get(at + 1)?))
}

/// What happened between the first and the last sample of a range.
enum Total {
    Float(f64),
    Histogram(FloatHistogram),
}

fn extrapolated(input: &RangeInput<'_>, kind: Kind) -> Option<PointValue> {
    if !input.floats.is_empty() && !input.histograms.is_empty() {
        input.note(Annotations::mixed_floats_histograms);
        return None;
    }
    if input.extension != Extension::Plain {
        return if input.histograms.is_empty() {
            extended(input, kind)
        } else {
            extended_histograms(input, kind)
        };
    }
    let (first_t, last_t, count, starts_of) =
        if let (Some(first), Some(last)) = (input.histograms.first(), input.histograms.last()) {
            (
                first.0,
                last.0,
                input.histograms.len(),
                input.histogram_starts,
            )
        } else {
            let (first, last) = (input.floats.first()?, input.floats.last()?);
            (first.0, last.0, input.floats.len(), input.float_starts)
        };
    let mut total = if input.histograms.is_empty() {
        Some(Total::Float(float_total(input, kind)))
    } else if count > 1 {
        Some(Total::Histogram(histogram_total(input, kind)?))
    } else {
        None
    };

    let seconds = |ms: i64| ms as f64 / 1000.0;
    let mut to_start = seconds(first_t.wrapping_sub(input.start_ms));
    let mut to_end = seconds(input.end_ms.wrapping_sub(last_t));
    let mut sampled = seconds(last_t.wrapping_sub(first_t));
    let average = if count > 1 {
        sampled / (count - 1) as f64
    } else {
        0.0
    };
    let threshold = average * 1.1;
    let start = starts_of.first().copied().unwrap_or(0);
    if kind.counter() && start != 0 && start > input.start_ms && start < first_t {
        // The counter began at zero within the range, so nothing is guessed on that side.
        to_start = 0.0;
        sampled = seconds(last_t.wrapping_sub(start));
        total = Some(with_first(input, total)?);
    } else if count == 1 {
        return None;
    } else {
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if kind.counter() {
            // A counter is not negative: the line may not go back beyond zero.
            let to_zero = match &total {
                Some(Total::Float(total)) => input
                    .floats
                    .first()
                    .filter(|(_, first)| *total > 0.0 && *first >= 0.0)
                    .map(|(_, first)| sampled * (first / total)),
                Some(Total::Histogram(total)) => input
                    .histograms
                    .first()
                    .filter(|(_, first)| total.count > 0.0 && first.count >= 0.0)
                    .map(|(_, first)| sampled * (first.count / total.count)),
                None => None,
            };
            if let Some(to_zero) = to_zero
                && to_zero < to_start
            {
                to_start = to_zero;
            }
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = 1.0;
    if sampled != 0.0 {
        factor = (sampled + to_start + to_end) / sampled;
    }
    if kind == Kind::Rate {
        factor /= input.range_seconds();
    }
    Some(match total? {
        Total::Float(total) => PointValue::Float(total * factor),
        Total::Histogram(mut total) => {
            total.mul(factor);
            total.into()
        }
    })
}

/// The total with the first sample, which was counted from zero.
fn with_first(input: &RangeInput<'_>, total: Option<Total>) -> Option<Total> {
    match total {
        Some(Total::Float(total)) => {
            let first = input.floats.first().map_or(0.0, |(_, v)| *v);
            Some(Total::Float(total + first))
        }
        Some(Total::Histogram(mut total)) => {
            let (_, first) = input.histograms.first()?;
            added(input, &mut total, first).then_some(Total::Histogram(total))
        }
        None => {
            let (_, first) = input.histograms.first()?;
            Some(Total::Histogram(first.as_ref().clone()))
        }
    }
}

/// Last minus first, plus what counted before each reset.
fn float_total(input: &RangeInput<'_>, kind: Kind) -> f64 {
    let (Some((_, first)), Some((_, last))) = (input.floats.first(), input.floats.last()) else {
        return f64::NAN;
    };
    let mut total = last - first;
    if !kind.counter() {
        return total;
    }
    let mut overlapped = false;
    for (at, pair) in input.floats.windows(2).enumerate() {
        let [(t_before, before), (t, v)] = pair else {
            continue;
        };
        let starts = starts(input.float_starts, at);
        if let Some((start_before, start)) = starts
            && !overlapped
            && overlaps(start_before, *t_before, start)
        {
            input.note(Annotations::start_times_overlap);
            overlapped = true;
        }
        let anew = starts
            .is_some_and(|(start_before, start)| starts_anew(start_before, *t_before, start, *t));
        if v < before || anew {
            total += before;
        }
    }
    total
}

/// The same for histograms; `None` when they do not fit together.
fn histogram_total(input: &RangeInput<'_>, kind: Kind) -> Option<FloatHistogram> {
    use CounterResetHint::Gauge;
    let points = input.histograms;
    let (Some((t_first, first)), Some((_, last))) = (points.first(), points.last()) else {
        return None;
    };
    let mut before: &FloatHistogram = first;
    if kind.counter() && (first.counter_reset_hint == Gauge || last.counter_reset_hint == Gauge) {
        input.note(Annotations::not_a_counter);
    }
    // After a reset the first sample does not matter, nor does its layout.
    let blank;
    if kind.counter()
        && let Some((t, second)) = points.get(1)
        && (starts(input.histogram_starts, 0).is_some_and(|(a, b)| starts_anew(a, *t_first, b, *t))
            || second.detect_reset(first))
    {
        blank = FloatHistogram {
            schema: second.schema,
            custom_values: Arc::clone(&second.custom_values),
            ..FloatHistogram::default()
        };
        before = &blank;
    }
    let custom = before.uses_custom_buckets();
    if last.uses_custom_buckets() != custom {
        input.note(Annotations::mixed_exponential_custom);
        return None;
    }
    let mut schema = last.schema.min(before.schema);
    if kind.counter() {
        for (_, h) in points.get(1..points.len() - 1).unwrap_or_default() {
            if h.counter_reset_hint == Gauge {
                input.note(Annotations::not_a_counter);
            }
            schema = schema.min(h.schema);
            if h.uses_custom_buckets() != custom {
                input.note(Annotations::mixed_exponential_custom);
                return None;
            }
        }
    }
    let mut total = last.as_ref().clone();
    // compat: nothing to reduce for custom buckets or an equal schema.
    let _ = total.reduce_resolution(schema);
    if !subtracted(input, &mut total, before) {
        return None;
    }
    if kind.counter() {
        let mut overlapped = false;
        for (at, pair) in points.windows(2).enumerate() {
            let [(t_before, _), (t, h)] = pair else {
                continue;
            };
            let starts = starts(input.histogram_starts, at);
            if let Some((start_before, start)) = starts
                && !overlapped
                && overlaps(start_before, *t_before, start)
            {
                input.note(Annotations::start_times_overlap);
                overlapped = true;
            }
            let anew =
                starts.is_some_and(|(before, start)| starts_anew(before, *t_before, start, *t));
            if (anew || h.detect_reset(before)) && !added(input, &mut total, before) {
                return None;
            }
            before = h;
        }
    } else if first.counter_reset_hint != Gauge || last.counter_reset_hint != Gauge {
        input.note(Annotations::not_a_gauge);
    }
    total.counter_reset_hint = Gauge;
    total.compact();
    Some(total)
}

/// Adds and remarks; whether it was possible.
pub(super) fn added(
    input: &RangeInput<'_>,
    h: &mut FloatHistogram,
    other: &FloatHistogram,
) -> bool {
    let seen = h.add(other);
    combined(input, seen.as_ref().ok(), "addition")
}

/// Subtracts and remarks; whether it was possible.
pub(super) fn subtracted(
    input: &RangeInput<'_>,
    h: &mut FloatHistogram,
    other: &FloatHistogram,
) -> bool {
    let seen = h.sub(other);
    combined(input, seen.as_ref().ok(), "subtraction")
}

fn combined(input: &RangeInput<'_>, seen: Option<&Combined>, operation: &str) -> bool {
    let Some(seen) = seen else {
        input.note(Annotations::mixed_exponential_custom);
        return false;
    };
    if seen.bounds_reconciled {
        input.note(|notes, _, pos| notes.bounds_reconciled(operation, pos));
    }
    true
}

pub(crate) fn irate(input: &RangeInput<'_>) -> Answer {
    last_two(input, true)
}

pub(crate) fn idelta(input: &RangeInput<'_>) -> Answer {
    last_two(input, false)
}

/// A sample of either kind with its start time.
struct Sample<'a> {
    t: i64,
    start: i64,
    value: PointRef<'a>,
}

enum PointRef<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
}

/// The last two samples, whatever their kind.
fn final_pair<'a>(input: &RangeInput<'a>) -> Option<(Sample<'a>, Sample<'a>)> {
    let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
    let mut both: Vec<Sample<'a>> = Vec::with_capacity(4);
    for (at, (t, v)) in input.floats.iter().enumerate().rev().take(2) {
        both.push(Sample {
            t: *t,
            start: start(input.float_starts, at),
            value: PointRef::Float(*v),
        });
    }
    for (at, (t, h)) in input.histograms.iter().enumerate().rev().take(2) {
        both.push(Sample {
            t: *t,
            start: start(input.histogram_starts, at),
            value: PointRef::Histogram(h),
        });
    }
    both.sort_by_key(|sample| sample.t);
    let last = both.pop()?;
    Some((both.pop()?, last))
}

fn last_two(input: &RangeInput<'_>, counter: bool) -> Option<PointValue> {
    use CounterResetHint::Gauge;
    let (before, last) = final_pair(input)?;
    let interval = last.t.wrapping_sub(before.t);
    if interval == 0 {
        return None;
    }
    let anew = starts_anew(before.start, before.t, last.start, last.t);
    let seconds = interval as f64 / 1000.0;
    match (before.value, last.value) {
        (PointRef::Float(a), PointRef::Float(b)) => {
            let change = if counter && (b < a || anew) { b } else { b - a };
            Some(PointValue::Float(if counter {
                change / seconds
            } else {
                change
            }))
        }
        (PointRef::Histogram(a), PointRef::Histogram(b)) => {
            let gauges = [a, b].map(|h| h.counter_reset_hint == Gauge);
            if counter && gauges.contains(&true) {
                input.note(Annotations::not_a_counter);
            }
            if !counter && gauges.contains(&false) {
                input.note(Annotations::not_a_gauge);
            }
            let mut change = b.clone();
            if !(counter && (anew || b.detect_reset(a))) && !subtracted(input, &mut change, a) {
                return None;
            }
            change.counter_reset_hint = Gauge;
            change.compact();
            if counter {
                change.div(seconds);
            }
            Some(change.into())
        }
        _ => {
            input.note(Annotations::mixed_floats_histograms);
            None
        }
    }
}
