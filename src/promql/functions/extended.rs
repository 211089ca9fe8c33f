//! Ranges with `anchored` and `smoothed`, whose ends have values of their own.

use std::sync::Arc;

use super::range::RangeInput;
use super::rate::{Kind, added, subtracted};
use crate::model::FloatHistogram;
use crate::model::histogram::CounterResetHint;
use crate::promql::PointValue;
use crate::promql::annotations::Annotations;
use crate::promql::ast::PosRange;
use crate::promql::engine::context::Series;
use crate::promql::engine::plan::Extension;

type Point = (i64, f64);
type HistogramPoint = (i64, Arc<FloatHistogram>);

/// The value at `t` on the line between two samples; a counter that fell begins at zero.
pub(crate) fn interpolate(a: Point, b: Point, t: i64, counter: bool) -> f64 {
    let from = if counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (t.wrapping_sub(a.0)) as f64 / (b.0.wrapping_sub(a.0)) as f64
}

/// The same for histograms; `None` when they do not fit together.
pub(crate) fn interpolate_histograms(
    a: (i64, &FloatHistogram),
    b: (i64, &FloatHistogram),
    t: i64,
    counter: bool,
    notes: &mut Annotations,
    pos: PosRange,
) -> Option<FloatHistogram> {
    if t == a.0 {
        return Some(a.1.clone());
    }
    let mut result = b.1.clone();
    if t == b.0 {
        return Some(result);
    }
    let fraction = (t.wrapping_sub(a.0)) as f64 / (b.0.wrapping_sub(a.0)) as f64;
    if a.1.uses_custom_buckets() != b.1.uses_custom_buckets() {
        return None;
    }
    if counter && b.1.detect_reset(a.1) {
        result.mul(fraction);
        return Some(result);
    }
    if result.sub(a.1).ok()?.bounds_reconciled {
        notes.bounds_reconciled("subtraction", pos);
    }
    result.mul(fraction);
    if result.add(a.1).ok()?.bounds_reconciled {
        notes.bounds_reconciled("addition", pos);
    }
    Some(result)
}

/// The samples that stand at the ends of an extended range: the last one up to its start, or the first,
/// and the last one, or with `smoothed` the first from its end on.
fn ends<T>(points: &[(i64, T)], start: i64, end: i64, smoothed: bool) -> Option<(usize, usize)> {
    let mut last = points.len().checked_sub(1)?;
    let before = points.get(..last)?;
    let first = before
        .partition_point(|(t, _)| *t <= start)
        .saturating_sub(1);
    if smoothed {
        last = before.partition_point(|(t, _)| *t < end);
    }
    let last_t = points.get(last)?.0;
    let first_t = points.get(first)?.0;
    (last_t > start && !(smoothed && first_t > end)).then_some((first, last))
}

/// The values at both ends of an extended range.
fn end_values(
    points: &[Point],
    (first, last): (usize, usize),
    (start, end): (i64, i64),
    smoothed: bool,
    counter: bool,
) -> Option<(f64, f64)> {
    let a = points.get(first)?;
    let left = match points.get(first + 1) {
        Some(b) if smoothed && a.0 < start => interpolate(*a, *b, start, counter),
        _ => a.1,
    };
    let b = points.get(last)?;
    let before = last.checked_sub(1).and_then(|at| points.get(at));
    let right = match before {
        Some(a) if smoothed && b.0 > end => interpolate(*a, *b, end, counter),
        _ => b.1,
    };
    Some((left, right))
}

/// `anchored` and `smoothed`: no guessing, the values at the ends count.
pub(super) fn extended(input: &RangeInput<'_>, kind: Kind) -> Option<PointValue> {
    let smoothed = input.extension == Extension::Smoothed;
    let points = input.floats;
    let range = (input.start_ms, input.end_ms);
    let (mut first, mut last) = ends(points, range.0, range.1, smoothed)?;
    let (left, right) = end_values(points, (first, last), range, smoothed, kind.counter())?;
    let mut total = right - left;
    if kind.counter() {
        if points.get(first)?.0 <= range.0 {
            first += 1;
        }
        if points.get(last)?.0 < range.1 {
            last += 1;
        }
        let mut before = left;
        let mut before_resets = 0.0;
        for (_, v) in points.get(first..last).unwrap_or_default() {
            if *v < before {
                before_resets += before;
            }
            before = *v;
        }
        if right < before {
            before_resets += before;
        }
        total += before_resets;
    }
    if kind == Kind::Rate {
        total /= input.range_seconds();
    }
    Some(PointValue::Float(total))
}

/// The same for histograms.
pub(super) fn extended_histograms(input: &RangeInput<'_>, kind: Kind) -> Option<PointValue> {
    use CounterResetHint::Gauge;
    let smoothed = input.extension == Extension::Smoothed;
    let points = input.histograms;
    let (first, last) = ends(points, input.start_ms, input.end_ms, smoothed)?;
    let custom = points.get(first)?.1.uses_custom_buckets();
    for (_, h) in points.get(first..=last)? {
        if h.uses_custom_buckets() != custom {
            input.note(Annotations::mixed_exponential_custom);
            return None;
        }
        if kind.counter() && h.counter_reset_hint == Gauge {
            input.note(Annotations::not_a_counter);
        }
    }
    let between = |a: &HistogramPoint, b: &HistogramPoint, t: i64| {
        let mut found = None;
        input.note(|notes, name, pos| {
            found = interpolate_histograms((a.0, &a.1), (b.0, &b.1), t, kind.counter(), notes, pos);
            if found.is_none() {
                notes.mixed_exponential_custom(name, pos);
            }
        });
        found
    };
    let a = points.get(first)?;
    let left = match points.get(first + 1) {
        Some(b) if smoothed && a.0 < input.start_ms => between(a, b, input.start_ms)?,
        _ => a.1.as_ref().clone(),
    };
    let b = points.get(last)?;
    let right = match last.checked_sub(1).and_then(|at| points.get(at)) {
        Some(a) if smoothed && b.0 > input.end_ms => between(a, b, input.end_ms)?,
        _ => b.1.as_ref().clone(),
    };
    if !kind.counter() && (left.counter_reset_hint != Gauge || right.counter_reset_hint != Gauge) {
        input.note(Annotations::not_a_gauge);
    }
    let mut total = right.clone();
    if !subtracted(input, &mut total, &left) {
        return None;
    }
    if kind.counter() {
        let lost = lost_in_resets(input, (first, last), &left, &right, smoothed)?;
        if let Some(lost) = lost
            && !added(input, &mut total, &lost)
        {
            return None;
        }
    }
    if kind == Kind::Rate {
        total.div(input.range_seconds());
    }
    total.counter_reset_hint = Gauge;
    total.compact();
    Some(total.into())
}

/// What counted before the resets between both ends. `None` when histograms do not fit together, else
/// perhaps nothing.
#[expect(
    clippy::option_option,
    reason = "nothing lost differs from not to be known"
)]
fn lost_in_resets(
    input: &RangeInput<'_>,
    (first, last): (usize, usize),
    left: &FloatHistogram,
    right: &FloatHistogram,
    smoothed: bool,
) -> Option<Option<FloatHistogram>> {
    let points = input.histograms;
    let mut next = first + 1;
    let mut before = left;
    if smoothed
        && points.get(first)?.0 < input.start_ms
        && let (Some((_, a)), Some((_, b))) = (points.get(first), points.get(next))
        && b.detect_reset(a)
    {
        // The left end was interpolated beyond this reset already.
        before = b;
        next += 1;
    }
    // The last sample is the right end, which is looked at below.
    if next > last {
        return Some(None);
    }
    let mut lost: Option<FloatHistogram> = None;
    let mut lose = |h: &FloatHistogram| {
        if let Some(lost) = &mut lost {
            return added(input, lost, h);
        }
        lost = Some(h.clone());
        true
    };
    for (_, h) in points.get(next..last).unwrap_or_default() {
        if h.detect_reset(before) && !lose(before) {
            return None;
        }
        before = h;
    }
    if right.detect_reset(before) && !lose(before) {
        return None;
    }
    Some(lost)
}

/// Brings a range vector with `anchored` or `smoothed` to exactly its range.
pub(crate) fn extend(
    series: &mut Series,
    start: i64,
    end: i64,
    smoothed: bool,
    notes: &mut Annotations,
    pos: PosRange,
) {
    let range = (start, end);
    let floats = std::mem::take(&mut series.floats);
    if let Some((first, last)) = ends(&floats, start, end, smoothed)
        && let Some((left, right)) = end_values(&floats, (first, last), range, smoothed, false)
    {
        series.floats.push((start, left));
        let inner = floats.iter().filter(|(t, _)| *t > start && *t < end);
        series.floats.extend(inner);
        series.floats.push((end, right));
    }
    let histograms = std::mem::take(&mut series.histograms);
    if let Some((first, last)) = ends(&histograms, start, end, smoothed) {
        let mut at = |low: usize, high: usize, t: i64| {
            let (a, b) = (histograms.get(low)?, histograms.get(high)?);
            interpolate_histograms((a.0, &a.1), (b.0, &b.1), t, false, notes, pos).map(Arc::new)
        };
        let plain = |at: usize| histograms.get(at).map(|(_, h)| Arc::clone(h));
        let before = histograms.get(first).is_some_and(|(t, _)| *t < start);
        let after = histograms.get(last).is_some_and(|(t, _)| *t > end);
        let left = if smoothed && before {
            at(first, first + 1, start)
        } else {
            plain(first)
        };
        let right = if smoothed && after && last > 0 {
            at(last - 1, last, end)
        } else {
            plain(last)
        };
        if let (Some(left), Some(right)) = (left, right) {
            series.histograms.push((start, left));
            let inner = histograms
                .iter()
                .filter(|(t, _)| *t > start && *t < end)
                .cloned();
            series.histograms.extend(inner);
            series.histograms.push((end, right));
        }
    }
}
