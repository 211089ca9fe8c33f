//! Is a result the expected one?

use super::expect::{Eval, Expected};
use super::load::Written;
use crate::model::{FloatHistogram, Labels, is_stale_nan};
use crate::promql::{PointValue, SeriesPoints, Value, VectorSample};
use crate::text::gofmt::{float_f, float_g};

/// The relative error that values may have.
const TOLERANCE: f64 = 1e-6;

/// Whether two values are equal but for rounding; zero must be zero.
pub(super) fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) && is_stale_nan(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// Compares histograms without their empty buckets; the hint only where one is expected.
fn histograms_equal(expected: &FloatHistogram, found: &FloatHistogram, with_hint: bool) -> bool {
    let (mut expected, mut found) = (expected.clone(), found.clone());
    expected.compact();
    found.compact();
    let buckets = |a: &[f64], b: &[f64]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b))
    };
    expected.schema == found.schema
        && almost_equal(expected.count, found.count)
        && almost_equal(expected.sum, found.sum)
        && (!expected.uses_custom_buckets() || expected.custom_values == found.custom_values)
        && expected.zero_threshold == found.zero_threshold
        && almost_equal(expected.zero_count, found.zero_count)
        && expected.negative_spans == found.negative_spans
        && buckets(&expected.negative_buckets, &found.negative_buckets)
        && expected.positive_spans == found.positive_spans
        && buckets(&expected.positive_buckets, &found.positive_buckets)
        && (!with_hint || expected.counter_reset_hint == found.counter_reset_hint)
}

/// Compares a result with what is expected.
pub(super) fn compare(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::Matrix(matrix) => compare_matrix(eval, matrix),
        Value::Vector(vector) => compare_vector(eval, vector),
        Value::Scalar { t_ms, v } => match eval.scalar {
            None => Err(format!(
                "expected vector or matrix result, but got scalar: {} @[{t_ms}]",
                float_f(*v)
            )),
            Some(expected) if almost_equal(expected, *v) => Ok(()),
            Some(expected) => Err(format!(
                "expected scalar {} but got {}",
                float_g(expected),
                float_g(*v)
            )),
        },
        Value::String { v, .. } if *v == eval.text => Ok(()),
        Value::String { v, .. } => {
            Err(format!("expected string \"{}\" but got \"{v}\"", eval.text))
        }
    }
}

/// Whether series are in the order of their labels, as those of a matrix must be.
pub(super) fn check_sorted(matrix: &[SeriesPoints]) -> Result<(), String> {
    for (at, pair) in matrix.windows(2).enumerate() {
        if let [a, b] = pair
            && a.labels > b.labels
        {
            return Err(format!(
                "matrix results should always be sorted by labels, but matrix is not sorted: series at index {} with labels {} sorts before series at index {at} with labels {}",
                at + 1,
                b.labels,
                a.labels
            ));
        }
    }
    Ok(())
}

fn compare_matrix(eval: &Eval, matrix: &[SeriesPoints]) -> Result<(), String> {
    if eval.ordered {
        return Err("expected ordered result, but query returned a matrix".to_owned());
    }
    if eval.scalar.is_some() {
        let series: Vec<String> = matrix.iter().map(shown_series).collect();
        return Err(format!(
            "expected scalar result, but got matrix {}",
            series.join("\n")
        ));
    }
    check_sorted(matrix)?;
    for series in matrix {
        let Some(expected) = eval.series.get(&series.labels) else {
            return Err(format!(
                "unexpected metric {} in result, has {}",
                series.labels,
                shown_points(series)
            ));
        };
        compare_series(eval, series, expected)?;
    }
    missing(eval, |labels| {
        matrix.iter().any(|series| series.labels == *labels)
    })
    .map_or(Ok(()), |(labels, _)| {
        Err(format!("expected metric {labels} not found"))
    })
}

fn missing(eval: &Eval, found: impl Fn(&Labels) -> bool) -> Option<(&Labels, &Expected)> {
    eval.series.iter().find(|(labels, _)| !found(labels))
}

fn compare_series(eval: &Eval, series: &SeriesPoints, expected: &Expected) -> Result<(), String> {
    let labels = &series.labels;
    let mut floats = Vec::new();
    let mut histograms = Vec::new();
    for (at, value) in expected.values.iter().enumerate() {
        let t = eval
            .start_ms
            .saturating_add((at as i64).saturating_mul(eval.step_ms));
        if t > eval.end_ms {
            return Err(format!(
                "expected {} points for {labels}, but query time range cannot return this many points",
                expected.values.len()
            ));
        }
        match value {
            Written::Omitted => {}
            Written::Float(v) => floats.push((t, *v)),
            Written::Histogram(h, hint) => histograms.push((t, h, *hint)),
        }
    }
    if floats.len() != series.floats.len() || histograms.len() != series.histograms.len() {
        return Err(format!(
            "expected {} float points and {} histogram points for {labels}, but got {}",
            floats.len(),
            histograms.len(),
            shown_points(series)
        ));
    }
    let late = |kind: &str, at: usize, expected: i64, found: i64| {
        Err(format!(
            "expected {kind} value at index {at} for {labels} to have timestamp {expected}, but it had timestamp {found} (result has {})",
            shown_points(series)
        ))
    };
    for (at, ((t, v), (found_t, found))) in floats.iter().zip(&series.floats).enumerate() {
        if t != found_t {
            return late("float", at, *t, *found_t);
        }
        if !almost_equal(*found, *v) {
            return Err(format!(
                "expected float value at index {at} (t={t}) for {labels} to be {}, but got {} (result has {})",
                float_g(*v),
                float_g(*found),
                shown_points(series)
            ));
        }
    }
    for (at, ((t, h, hint), (found_t, found))) in
        histograms.iter().zip(&series.histograms).enumerate()
    {
        if t != found_t {
            return late("histogram", at, *t, *found_t);
        }
        if !histograms_equal(h, found, *hint) {
            return Err(format!(
                "expected histogram value at index {at} (t={t}) for {labels} to be {}, but got {} (result has {})",
                h.notation(),
                found.notation(),
                shown_points(series)
            ));
        }
    }
    Ok(())
}

fn compare_vector(eval: &Eval, vector: &[VectorSample]) -> Result<(), String> {
    if eval.scalar.is_some() {
        let samples: Vec<String> = vector.iter().map(shown_sample).collect();
        return Err(format!(
            "expected scalar result, but got vector {}",
            samples.join("\n")
        ));
    }
    for (at, sample) in vector.iter().enumerate() {
        let labels = &sample.labels;
        let Some(expected) = eval.series.get(labels) else {
            return Err(format!(
                "unexpected metric {labels} in result, has value {}",
                shown_value(&sample.value)
            ));
        };
        if eval.ordered && expected.position != at + 1 {
            return Err(format!(
                "expected metric {labels} with {} at position {} but was at {}",
                shown_written(&expected.values),
                expected.position,
                at + 1
            ));
        }
        let first = expected.values.first().unwrap_or(&Written::Omitted);
        match (first, &sample.value) {
            (Written::Histogram(h, _), PointValue::Float(v)) => {
                return Err(format!(
                    "expected histogram {} for {labels} but got float value {}",
                    h.notation(),
                    float_g(*v)
                ));
            }
            (Written::Histogram(h, hint), PointValue::Histogram(found)) => {
                if !histograms_equal(h, found, *hint) {
                    return Err(format!(
                        "expected {} for {labels} but got {}",
                        h.notation(),
                        found.notation()
                    ));
                }
            }
            (Written::Omitted | Written::Float(_), PointValue::Histogram(found)) => {
                return Err(format!(
                    "expected float value {} for {labels} but got histogram {}",
                    shown_one(first),
                    found.notation()
                ));
            }
            (Written::Omitted | Written::Float(_), PointValue::Float(found)) => {
                let v = match first {
                    Written::Float(v) => *v,
                    _ => 0.0,
                };
                if !almost_equal(v, *found) {
                    return Err(format!(
                        "expected {} for {labels} but got {}",
                        float_g(v),
                        float_g(*found)
                    ));
                }
            }
        }
    }
    missing(eval, |labels| {
        vector.iter().any(|sample| sample.labels == *labels)
    })
    .map_or(Ok(()), |(labels, expected)| {
        Err(format!(
            "expected metric {labels} with {}: {} not found",
            expected.position,
            shown_written(&expected.values)
        ))
    })
}

fn shown_one(value: &Written) -> String {
    match value {
        Written::Omitted => "_".to_owned(),
        Written::Float(v) if v.is_finite() => format!("{v:.6}"),
        Written::Float(v) => float_f(*v),
        Written::Histogram(h, _) => h.to_string(),
    }
}

fn shown_written(values: &[Written]) -> String {
    let values: Vec<String> = values.iter().map(shown_one).collect();
    format!("[{}]", values.join(" "))
}

fn shown_value(value: &PointValue) -> String {
    match value {
        PointValue::Float(v) => float_g(*v),
        PointValue::Histogram(h) => h.notation(),
    }
}

fn shown_sample(sample: &VectorSample) -> String {
    let value = match &sample.value {
        PointValue::Float(v) => float_f(*v),
        PointValue::Histogram(h) => h.to_string(),
    };
    format!("{} => {value} @[{}]", sample.labels, sample.t_ms)
}

fn shown_series(series: &SeriesPoints) -> String {
    let floats: Vec<String> = series
        .floats
        .iter()
        .map(|(t, v)| format!("{} @[{t}]", float_f(*v)))
        .collect();
    format!("{} =>\n{}", series.labels, floats.join("\n"))
}

fn shown_points(series: &SeriesPoints) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let floats: Vec<String> = series
        .floats
        .iter()
        .map(|(t, v)| format!("{} @[{t}]", float_f(*v)))
        .collect();
    let histograms: Vec<String> = series
        .histograms
        .iter()
        .map(|(t, h)| format!("{} @[{t}]", h.notation()))
        .collect();
    format!(
        "{} float point{} [{}] and {} histogram point{} [{}]",
        floats.len(),
        plural(floats.len()),
        floats.join(" "),
        histograms.len(),
        plural(histograms.len()),
        histograms.join(" ")
    )
}
