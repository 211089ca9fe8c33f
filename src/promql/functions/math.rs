//! Functions of a number.

use super::instant::{CallInput, InstantFunction};
use crate::math;
use crate::promql::engine::call::scalar;
use crate::promql::engine::context::Vector;

/// The function of this name.
pub(super) fn function(name: &str) -> Option<InstantFunction> {
    Some(match name {
        "abs" => |input| input.map_floats(0, f64::abs),
        "ceil" => |input| input.map_floats(0, f64::ceil),
        "floor" => |input| input.map_floats(0, f64::floor),
        "exp" => |input| input.map_floats(0, math::exp),
        "sqrt" => |input| input.map_floats(0, f64::sqrt),
        "ln" => |input| input.map_floats(0, math::ln),
        "log2" => |input| input.map_floats(0, math::log2),
        "log10" => |input| input.map_floats(0, math::log10),
        "sin" => |input| input.map_floats(0, math::sin),
        "cos" => |input| input.map_floats(0, math::cos),
        "tan" => |input| input.map_floats(0, math::tan),
        "asin" => |input| input.map_floats(0, math::asin),
        "acos" => |input| input.map_floats(0, math::acos),
        "atan" => |input| input.map_floats(0, math::atan),
        "sinh" => |input| input.map_floats(0, math::sinh),
        "cosh" => |input| input.map_floats(0, math::cosh),
        "tanh" => |input| input.map_floats(0, math::tanh),
        "asinh" => |input| input.map_floats(0, math::asinh),
        "acosh" => |input| input.map_floats(0, math::acosh),
        "atanh" => |input| input.map_floats(0, math::atanh),
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
        "max_of" => |input| scalar(math::max(number(input, 0), number(input, 1))),
        "min_of" => |input| scalar(math::min(number(input, 0), number(input, 1))),
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
    input.map_floats(0, |v| math::max(min, math::min(max, v)))
}
