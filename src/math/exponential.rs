//! Exponentials.
//!
//! `exp` is the method of Naoki Shibata, "Efficient evaluation methods of elementary functions suitable for SIMD
//! computation" (ISC 2010): a Taylor polynomial of a sixteenth of the reduced argument, squared four times. It is
//! what Go runs on amd64, with fused products as on any processor since 2013. `exp2` is the method of FreeBSD's
//! `e_exp.c`: a rational function of the reduced argument.

use std::f64::consts::LOG2_E;

use super::parts::{BIAS, ldexp, power_of_two};

/// Above this `exp` is infinite.
const OVERFLOW: f64 = 7.09782712893384e+02;
/// The upper half of ln 2, with enough zeros at its end that its products with exponents are exact.
const LN2_UPPER: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
/// What [`LN2_UPPER`] lacks.
const LN2_LOWER: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
/// `1/8!` to `1/3!`, `1/2` and `1`.
const TAYLOR: [f64; 8] = [
    2.480_158_730_158_730_158_7e-5,
    1.984_126_984_126_984_127_0e-4,
    1.388_888_888_888_888_888_9e-3,
    8.333_333_333_333_333_333_3e-3,
    4.166_666_666_666_666_666_7e-2,
    1.666_666_666_666_666_666_7e-1,
    0.5,
    1.0,
];

/// `e^x`.
///
/// compat: infinite from about 709.436 on already, where the exponent is rounded up to 1024.
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x == f64::NEG_INFINITY {
        return 0.0;
    }
    if x > OVERFLOW {
        return f64::INFINITY;
    }
    // The conversion saturates, which the limits below catch as well as Go's wrapping one.
    let exponent = (LOG2_E * x).round_ties_even() as i32;
    let k = f64::from(exponent);
    let reduced = (-LN2_LOWER).mul_add(k, (-LN2_UPPER).mul_add(k, x)) * 0.0625;
    let [first, rest @ ..] = TAYLOR;
    let polynomial = rest
        .iter()
        .fold(first, |sum, coefficient| sum.mul_add(reduced, *coefficient));
    // e^r - 1 from e^(r/16) - 1: (1 + y)^2 - 1 = y (y + 2), the last time with the one added.
    let mut y = reduced * polynomial;
    for _ in 0..3 {
        y *= y + 2.0;
    }
    y = y.mul_add(y + 2.0, 1.0);
    scaled(y, exponent)
}

/// `y * 2^exponent`, given up at the exponents at which Go's gives up.
fn scaled(y: f64, exponent: i32) -> f64 {
    let stored = exponent.saturating_add(BIAS);
    if stored > 2 * BIAS {
        f64::INFINITY
    } else if stored > 0 {
        y * power_of_two(exponent)
    } else if stored >= -52 {
        y * power_of_two(exponent + BIAS - 1) * f64::MIN_POSITIVE
    } else {
        0.0
    }
}

/// The upper half of ln 2 of FreeBSD's functions.
pub(super) const LN2_HIGH: f64 = 6.931_471_803_691_238_164_90e-01;
/// What [`LN2_HIGH`] lacks.
pub(super) const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;

/// `2^x`.
#[must_use]
pub fn exp2(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x > 1.023_999_999_999_999_9e+03 {
        return f64::INFINITY;
    }
    if x < -1.0740e+03 {
        return 0.0;
    }
    let nearest = if x > 0.0 { x + 0.5 } else { x - 0.5 };
    let exponent = nearest as i32;
    let rest = x - f64::from(exponent);
    of_reduced(rest * LN2_HIGH, -rest * LN2_LOW, exponent)
}

/// `e^(high - low) * 2^exponent`.
fn of_reduced(high: f64, low: f64, exponent: i32) -> f64 {
    const P: [f64; 5] = [
        4.138_136_797_057_238_460_39e-08,
        -1.653_390_220_546_525_153_90e-06,
        6.613_756_321_437_934_361_17e-05,
        -2.777_777_777_701_559_338_42e-03,
        1.666_666_666_666_666_574_15e-01,
    ];
    let r = high - low;
    let t = r * r;
    let c = r - t * polynomial(t, &P);
    let y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    ldexp(y, exponent)
}

/// The polynomial with these coefficients, the highest first, in Horner's order.
pub(super) fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    coefficients
        .iter()
        .copied()
        .reduce(|sum, coefficient| sum * x + coefficient)
        .unwrap_or_default()
}
