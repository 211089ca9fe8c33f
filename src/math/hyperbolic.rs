//! Hyperbolic functions and their inverses: from exponentials and logarithms, and near zero from rational
//! functions (Hart and Cheney number 2029; Cephes, after Cody and Waite; FreeBSD's `s_asinh.c`, `e_acosh.c` and
//! `e_atanh.c`).

use std::f64::consts::LN_2;

use super::exponential::{exp, polynomial};
use super::logarithm::{ln, ln_1p};

/// From here on the other exponential does not count.
const ONE_EXPONENTIAL_FROM: f64 = 21.0;
/// From here on `1` does not count beside the square.
const LOGARITHM_FROM: f64 = (1_u64 << 28) as f64;
/// Up to here the inverse is its argument.
const NEAR_ZERO: f64 = 1.0 / (1_u64 << 28) as f64;

/// The hyperbolic sine.
#[must_use]
pub fn sinh(x: f64) -> f64 {
    let size = x.abs();
    let y = if size > ONE_EXPONENTIAL_FROM {
        exp(size) * 0.5
    } else if size > 0.5 {
        let e = exp(size);
        (e - 1.0 / e) * 0.5
    } else {
        sinh_near_zero(size)
    };
    if x < 0.0 { -y } else { y.copysign(x) }
}

fn sinh_near_zero(x: f64) -> f64 {
    const P: [f64; 4] = [
        -0.263_056_321_339_749_706_281_948_9e+2,
        -0.289_421_135_598_956_380_728_466_036_6e+4,
        -0.899_127_202_203_950_935_539_801_351_1e+5,
        -0.630_767_364_049_771_699_118_478_725_1e+6,
    ];
    const Q: [f64; 4] = [
        1.0,
        -0.173_678_953_558_233_699_533_450_911e+3,
        0.152_151_737_879_001_907_069_648_517_6e+5,
        -0.630_767_364_049_771_699_121_207_727_7e+6,
    ];
    let square = x * x;
    polynomial(square, &P) * x / polynomial(square, &Q)
}

/// The hyperbolic cosine.
#[must_use]
pub fn cosh(x: f64) -> f64 {
    let size = x.abs();
    if size > ONE_EXPONENTIAL_FROM {
        exp(size) * 0.5
    } else {
        let e = exp(size);
        (e + 1.0 / e) * 0.5
    }
}

/// The hyperbolic tangent.
#[must_use]
pub fn tanh(x: f64) -> f64 {
    /// `ln(2^127)`.
    const MAX_LOG: f64 = 8.802_969_193_111_305_429_598_8e+01;
    const P: [f64; 3] = [
        -9.643_991_794_250_522_386_28E-1,
        -9.928_772_310_019_185_865_64E1,
        -1.614_687_684_417_084_479_52E3,
    ];
    const Q: [f64; 4] = [
        1.0,
        1.128_116_784_916_329_314_02E2,
        2.235_488_390_601_004_485_83E3,
        4.844_063_053_251_254_860_48E3,
    ];
    let size = x.abs();
    if size > 0.5 * MAX_LOG {
        1.0_f64.copysign(x)
    } else if size >= 0.625 {
        (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x)
    } else if x == 0.0 {
        x
    } else {
        let square = x * x;
        x + x * square * polynomial(square, &P) / polynomial(square, &Q)
    }
}

/// The inverse hyperbolic sine.
#[must_use]
pub fn asinh(x: f64) -> f64 {
    if !x.is_finite() {
        return x;
    }
    let size = x.abs();
    let y = if size > LOGARITHM_FROM {
        ln(size) + LN_2
    } else if size > 2.0 {
        ln(2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size))
    } else if size < NEAR_ZERO {
        size
    } else {
        ln_1p(size + size * size / (1.0 + (1.0 + size * size).sqrt()))
    };
    y.copysign(x)
}

/// The inverse hyperbolic cosine.
#[must_use]
pub fn acosh(x: f64) -> f64 {
    if x < 1.0 || x.is_nan() {
        f64::NAN
    } else if x == 1.0 {
        0.0
    } else if x >= LOGARITHM_FROM {
        ln(x) + LN_2
    } else if x > 2.0 {
        ln(2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt()))
    } else {
        let t = x - 1.0;
        ln_1p(t + (2.0 * t + t * t).sqrt())
    }
}

/// The inverse hyperbolic tangent.
#[must_use]
pub fn atanh(x: f64) -> f64 {
    let size = x.abs();
    if size > 1.0 || x.is_nan() {
        return f64::NAN;
    }
    if size == 1.0 {
        return f64::INFINITY.copysign(x);
    }
    let y = if size < NEAR_ZERO {
        size
    } else if size < 0.5 {
        let twice = size + size;
        0.5 * ln_1p(twice + twice * size / (1.0 - size))
    } else {
        0.5 * ln_1p((size + size) / (1.0 - size))
    };
    y.copysign(x)
}
