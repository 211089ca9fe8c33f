//! Binary operators between two values.

use crate::math;
use crate::model::FloatHistogram;
use crate::model::histogram::{Combined, CounterResetHint, HistogramError};
use crate::promql::PointValue;
use crate::promql::ast::BinaryOp;

/// What an operator makes of two values.
pub(super) enum Outcome {
    /// A value, and whether a comparison keeps it.
    Value(PointValue, bool),
    /// A sum or difference of histograms.
    Combined {
        value: PointValue,
        seen: Combined,
        operation: &'static str,
    },
    /// The operator does not take these types.
    IncompatibleTypes(&'static str, &'static str),
    /// Exponential with custom buckets.
    IncompatibleLayout,
}

/// Between two values of vectors, or a vector and a scalar.
pub(super) fn elements(op: BinaryOp, lhs: &PointValue, rhs: &PointValue) -> Outcome {
    use PointValue::{Float, Histogram};
    match (lhs, rhs) {
        (Float(_), Float(_)) if is_trim(op) => Outcome::IncompatibleTypes("float", "float"),
        (Float(a), Float(b)) if op.is_comparison() => Outcome::Value(Float(*a), keeps(op, *a, *b)),
        (Float(a), Float(b)) => Outcome::Value(Float(scalars(op, *a, *b)), true),
        (Float(a), Histogram(h)) => match op {
            BinaryOp::Mul => changed(h, |h| h.mul(*a)),
            _ => Outcome::IncompatibleTypes("float", "histogram"),
        },
        (Histogram(h), Float(b)) => match op {
            BinaryOp::Mul => changed(h, |h| h.mul(*b)),
            BinaryOp::Div => changed(h, |h| h.div(*b)),
            BinaryOp::TrimUpper => changed(h, |h| h.trim_above(*b)),
            BinaryOp::TrimLower => changed(h, |h| h.trim_below(*b)),
            _ => Outcome::IncompatibleTypes("histogram", "float"),
        },
        (Histogram(a), Histogram(b)) => match op {
            BinaryOp::Add => combined(a, "addition", |sum| sum.add(b)),
            BinaryOp::Sub => combined(a, "subtraction", |difference| {
                let seen = difference.sub(b)?;
                difference.counter_reset_hint = CounterResetHint::Gauge;
                Ok(seen)
            }),
            BinaryOp::Equal => Outcome::Value(lhs.clone(), a.same_layout_and_counts(b)),
            BinaryOp::NotEqual => Outcome::Value(lhs.clone(), !a.same_layout_and_counts(b)),
            _ => Outcome::IncompatibleTypes("histogram", "histogram"),
        },
    }
}

fn changed(h: &FloatHistogram, change: impl FnOnce(&mut FloatHistogram)) -> Outcome {
    let mut h = h.clone();
    change(&mut h);
    h.compact();
    Outcome::Value(h.into(), true)
}

fn combined(
    h: &FloatHistogram,
    operation: &'static str,
    combine: impl FnOnce(&mut FloatHistogram) -> Result<Combined, HistogramError>,
) -> Outcome {
    let mut h = h.clone();
    match combine(&mut h) {
        Ok(seen) => {
            h.compact();
            Outcome::Combined {
                value: h.into(),
                seen,
                operation,
            }
        }
        Err(_) => Outcome::IncompatibleLayout,
    }
}

/// Between two scalars; comparisons give 0 or 1.
pub(super) fn scalars(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => math::pow(a, b),
        BinaryOp::Atan2 => math::atan2(a, b),
        _ if op.is_comparison() => f64::from(u8::from(keeps(op, a, b))),
        _ => f64::NAN,
    }
}

/// Whether a comparison holds.
pub(super) fn keeps(op: BinaryOp, a: f64, b: f64) -> bool {
    match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Greater => a > b,
        BinaryOp::Less => a < b,
        BinaryOp::GreaterEqual => a >= b,
        BinaryOp::LessEqual => a <= b,
        _ => false,
    }
}

const fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}
