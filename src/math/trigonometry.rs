//! Sine, cosine and tangent, by the methods of the Cephes library (Stephen L. Moshier): polynomials within an
//! eighth of the circle.

use super::exponential::polynomial;
use super::reduction::reduce;

/// The sine between -pi/4 and pi/4.
fn near_zero(z: f64) -> f64 {
    const S: [f64; 6] = [
        1.589_623_015_765_465_680_60e-10,
        -2.505_074_776_285_780_728_66e-8,
        2.755_731_362_138_572_452_13e-6,
        -1.984_126_982_958_953_859_96e-4,
        8.333_333_333_322_118_588_78e-3,
        -1.666_666_666_666_663_072_95e-1,
    ];
    let square = z * z;
    z + z * square * polynomial(square, &S)
}

/// The cosine between -pi/4 and pi/4.
fn near_one(z: f64) -> f64 {
    const C: [f64; 6] = [
        -1.135_853_652_138_768_173_00e-11,
        2.087_570_084_197_473_167_78e-9,
        -2.755_731_417_929_673_881_12e-7,
        2.480_158_728_885_170_453_48e-5,
        -1.388_888_888_887_305_641_16e-3,
        4.166_666_666_666_659_292_18e-2,
    ];
    let square = z * z;
    1.0 - 0.5 * square + square * square * polynomial(square, &C)
}

/// The sine.
#[must_use]
pub fn sin(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() {
        return x;
    }
    if x.is_infinite() {
        return f64::NAN;
    }
    let (eighth, z) = reduce(x.abs());
    let y = if eighth & 2 == 2 {
        near_one(z)
    } else {
        near_zero(z)
    };
    if (x < 0.0) == (eighth > 3) { y } else { -y }
}

/// The cosine.
#[must_use]
pub fn cos(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let (eighth, z) = reduce(x.abs());
    let y = if eighth & 2 == 2 {
        near_zero(z)
    } else {
        near_one(z)
    };
    if eighth == 2 || eighth == 4 { -y } else { y }
}

/// The tangent.
#[must_use]
pub fn tan(x: f64) -> f64 {
    const P: [f64; 3] = [
        -1.309_369_391_813_837_776_46e4,
        1.153_516_648_385_874_161_40e6,
        -1.795_652_519_764_848_779_88e7,
    ];
    const Q: [f64; 5] = [
        1.0,
        1.368_129_634_706_929_546_78e4,
        -1.320_892_344_402_109_674_47e6,
        2.500_838_018_233_579_158_39e7,
        -5.386_957_559_294_546_298_81e7,
    ];
    if x == 0.0 || x.is_nan() {
        return x;
    }
    if x.is_infinite() {
        return f64::NAN;
    }
    let (eighth, z) = reduce(x.abs());
    let square = z * z;
    let mut y = z;
    if square > 1e-14 {
        y = z + z * (square * polynomial(square, &P) / polynomial(square, &Q));
    }
    if eighth & 2 == 2 {
        y = -1.0 / y;
    }
    if x < 0.0 { -y } else { y }
}
