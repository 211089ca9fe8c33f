//! `deriv`, `predict_linear` and `double_exponential_smoothing`.

use super::range::RangeInput;
use crate::model::histogram::kahan_inc;
use crate::promql::{Error, PointValue};

type Answer = Option<PointValue>;

/// Slope and value at `at_ms` of the line with least squares.
fn line(samples: &[(i64, f64)], at_ms: i64) -> (f64, f64) {
    let Some((_, first)) = samples.first() else {
        return (f64::NAN, f64::NAN);
    };
    let mut n = 0.0;
    let (mut sum_x, mut c_x) = (0.0, 0.0);
    let (mut sum_y, mut c_y) = (0.0, 0.0);
    let (mut sum_xy, mut c_xy) = (0.0, 0.0);
    let (mut sum_x2, mut c_x2) = (0.0, 0.0);
    let mut constant = true;
    for (i, (t, y)) in samples.iter().enumerate() {
        if i > 0 && y != first {
            constant = false;
        }
        n += 1.0;
        let x = (t.wrapping_sub(at_ms)) as f64 / 1e3;
        (sum_x, c_x) = kahan_inc(x, sum_x, c_x);
        (sum_y, c_y) = kahan_inc(*y, sum_y, c_y);
        (sum_xy, c_xy) = kahan_inc(x * y, sum_xy, c_xy);
        (sum_x2, c_x2) = kahan_inc(x * x, sum_x2, c_x2);
    }
    if constant {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, *first)
        };
    }
    sum_x += c_x;
    sum_y += c_y;
    sum_xy += c_xy;
    sum_x2 += c_x2;
    let cov_xy = sum_xy - sum_x * sum_y / n;
    let var_x = sum_x2 - sum_x * sum_x / n;
    let slope = cov_xy / var_x;
    (slope, sum_y / n - slope * sum_x / n)
}

/// Whether there are two floats to draw a line through; remarks on histograms among floats.
fn enough(input: &RangeInput<'_>) -> bool {
    if !input.floats.is_empty() {
        input.note_ignored_histograms();
    }
    input.floats.len() >= 2
}

pub(crate) fn deriv(input: &RangeInput<'_>) -> Answer {
    if !enough(input) {
        return None;
    }
    // A time near the samples keeps the precision.
    let near = input.floats.first().map_or(0, |(t, _)| *t);
    Some(PointValue::Float(line(input.floats, near).0))
}

pub(crate) fn predict_linear(input: &RangeInput<'_>) -> Answer {
    if !enough(input) {
        return None;
    }
    let (slope, value) = line(input.floats, input.eval_ms);
    Some(PointValue::Float(slope * input.scalar(0) + value))
}

/// Refuses factors of `double_exponential_smoothing` outside of 0 to 1.
pub(crate) fn check_factors(scalars: &[f64]) -> Result<(), Error> {
    for ((name, short), factor) in [("smoothing", "sf"), ("trend", "tf")].iter().zip(scalars) {
        if *factor <= 0.0 || *factor >= 1.0 {
            return Err(Error::execution(format!(
                "invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
            )));
        }
    }
    Ok(())
}

pub(crate) fn double_exponential_smoothing(input: &RangeInput<'_>) -> Answer {
    let (smoothing, trend) = (input.scalar(0), input.scalar(1));
    if !enough(input) {
        return None;
    }
    let mut values = input.floats.iter().map(|(_, v)| *v);
    let (first, second) = (
        values.next().unwrap_or(f64::NAN),
        values.clone().next().unwrap_or(f64::NAN),
    );
    let (mut before, mut smoothed) = (0.0, first);
    let mut slope = second - first;
    for (i, v) in values.enumerate() {
        let x = smoothing * v;
        if i > 0 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let y = (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, x + y);
    }
    Some(PointValue::Float(smoothed))
}
