//! Functions of a number.

use super::instant::{CallInput, InstantFunction};
use crate::promql::engine::call::scalar;
use crate::promql::engine::context::Vector;

/// The function of this name.
pub(super) fn function(name: &str) -> Option<InstantFunction> {
    Some(match name {
        "abs" => |input| input.map_floats(0, f64::abs),
        "ceil" => |input| input.map_floats(0, f64::ceil),
        "floor" => |input| input.map_floats(0, f64::floor),
        "exp" => |input| input.map_floats(0, exp),
        "sqrt" => |input| input.map_floats(0, f64::sqrt),
        "ln" => |input| input.map_floats(0, f64::ln),
        "log2" => |input| input.map_floats(0, f64::log2),
        "log10" => |input| input.map_floats(0, f64::log10),
        "sin" => |input| input.map_floats(0, f64::sin),
        "cos" => |input| input.map_floats(0, f64::cos),
        "tan" => |input| input.map_floats(0, f64::tan),
        "asin" => |input| input.map_floats(0, f64::asin),
        "acos" => |input| input.map_floats(0, f64::acos),
        "atan" => |input| input.map_floats(0, f64::atan),
        "sinh" => |input| input.map_floats(0, sinh),
        "cosh" => |input| input.map_floats(0, cosh),
        "tanh" => |input| input.map_floats(0, f64::tanh),
        "asinh" => |input| input.map_floats(0, asinh),
        "acosh" => |input| input.map_floats(0, acosh),
        "atanh" => |input| input.map_floats(0, f64::atanh),
        // compat: multiplied first, then divided.
        "rad" => |input| input.map_floats(0, |v| v * std::f64::consts::PI / 180.0),
        "deg" => |input| input.map_floats(0, |v| v * 180.0 / std::f64::consts::PI),
        "sgn" => |input| input.map_floats(0, sign),
        "round" => round,
        "clamp" => |input| {
            let (min, max) = (number(input, 1), number(input, 2));
            clamp(input, min, max)
        },
        "clamp_min" => |input| {
            let min = number(input, 1);
            clamp(input, min, f64::INFINITY)
        },
        "clamp_max" => |input| {
            let max = number(input, 1);
            clamp(input, f64::NEG_INFINITY, max)
        },
        "max_of" => |input| scalar(go_max(number(input, 0), number(input, 1))),
        "min_of" => |input| scalar(go_min(number(input, 0), number(input, 1))),
        _ => return None,
    })
}

fn number(input: &CallInput<'_, '_>, at: usize) -> f64 {
    input.scalar(at).unwrap_or(f64::NAN)
}

fn sign(v: f64) -> f64 {
    if v < 0.0 {
        -1.0
    } else if v > 0.0 {
        1.0
    } else {
        v
    }
}

/// To the nearest multiple, ties up.
fn round(input: &mut CallInput<'_, '_>) -> Vector {
    // compat: the inverse is more accurate.
    let inverse = 1.0 / input.scalar(1).unwrap_or(1.0);
    input.map_floats(0, |v| (v * inverse + 0.5).floor() / inverse)
}

fn clamp(input: &mut CallInput<'_, '_>, min: f64, max: f64) -> Vector {
    if max < min {
        return Vector::new();
    }
    input.map_floats(0, |v| go_max(min, go_min(max, v)))
}

/// Go's `math.Max`: an infinity wins over NaN, NaN over numbers, 0 over -0.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && a == b {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// Go's `math.Min`.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && a == b {
        if a.is_sign_negative() { a } else { b }
    } else if a < b {
        a
    } else {
        b
    }
}
/// compat: Go's on amd64 gives up a little before the result is too large.
fn exp(v: f64) -> f64 {
    if v >= 709.436 { f64::INFINITY } else { v.exp() }
}

/// From here on the other exponential does not count, and Go computes with one alone.
const ONE_EXPONENTIAL_FROM: f64 = 21.0;
/// From here on `1` does not count beside the square, and Go computes with a logarithm alone.
const LOGARITHM_FROM: f64 = (1_u64 << 28) as f64;

// compat: as in Go, the exponential overflows before its half does.
fn cosh(x: f64) -> f64 {
    if x.abs() > ONE_EXPONENTIAL_FROM {
        x.abs().exp() * 0.5
    } else {
        x.cosh()
    }
}

// compat: see `cosh`.
fn sinh(x: f64) -> f64 {
    if x.abs() > ONE_EXPONENTIAL_FROM {
        (x.abs().exp() * 0.5).copysign(x)
    } else {
        x.sinh()
    }
}

/// Without the overflow that the standard library's has for the largest numbers.
fn asinh(x: f64) -> f64 {
    if x.abs() > LOGARITHM_FROM {
        (x.abs().ln() + std::f64::consts::LN_2).copysign(x)
    } else {
        x.asinh()
    }
}

/// See [`asinh`].
fn acosh(x: f64) -> f64 {
    if x > LOGARITHM_FROM {
        x.ln() + std::f64::consts::LN_2
    } else {
        x.acosh()
    }
}
