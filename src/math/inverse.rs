//! Inverse trigonometric functions: the arc tangent of the Cephes library (Stephen L. Moshier), and what follows
//! from it.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::exponential::polynomial;

/// The arc tangent between 0 and 0.66.
fn near_zero(x: f64) -> f64 {
    const P: [f64; 5] = [
        -8.750_608_600_031_904_122_785e-01,
        -1.615_753_718_733_365_076_637e+01,
        -7.500_855_792_314_704_667_340e+01,
        -1.228_866_684_490_136_173_410e+02,
        -6.485_021_904_942_025_371_773e+01,
    ];
    const Q: [f64; 6] = [
        1.0,
        2.485_846_490_142_306_297_962e+01,
        1.650_270_098_316_988_542_046e+02,
        4.328_810_604_912_902_668_951e+02,
        4.853_903_996_359_136_964_868e+02,
        1.945_506_571_482_613_964_425e+02,
    ];
    let z = x * x;
    let z = z * polynomial(z, &P) / polynomial(z, &Q);
    x * z + x
}

/// The arc tangent of a positive number.
fn positive(x: f64) -> f64 {
    /// What the nearest number to pi/2 lacks.
    const MORE_BITS: f64 = 6.123_233_995_736_765_886_130e-17;
    const TAN_3_PI_8: f64 = 2.414_213_562_373_095_048_80;
    if x <= 0.66 {
        near_zero(x)
    } else if x > TAN_3_PI_8 {
        FRAC_PI_2 - near_zero(1.0 / x) + MORE_BITS
    } else {
        FRAC_PI_4 + near_zero((x - 1.0) / (x + 1.0)) + 0.5 * MORE_BITS
    }
}

/// The arc tangent.
#[must_use]
pub fn atan(x: f64) -> f64 {
    if x == 0.0 {
        x
    } else if x > 0.0 {
        positive(x)
    } else {
        -positive(-x)
    }
}

/// The angle of the point `(x, y)`.
#[must_use]
pub fn atan2(y: f64, x: f64) -> f64 {
    let angle = if y.is_nan() || x.is_nan() {
        return f64::NAN;
    } else if y == 0.0 {
        if x.is_sign_positive() { 0.0 } else { PI }
    } else if x == 0.0 {
        FRAC_PI_2
    } else if x.is_infinite() {
        match (x > 0.0, y.is_infinite()) {
            (true, true) => FRAC_PI_4,
            (true, false) => 0.0,
            (false, true) => 3.0 * FRAC_PI_4,
            (false, false) => PI,
        }
    } else if y.is_infinite() {
        FRAC_PI_2
    } else {
        let q = atan(y / x);
        return match (x < 0.0, q <= 0.0) {
            (false, _) => q,
            (true, true) => q + PI,
            (true, false) => q - PI,
        };
    };
    angle.copysign(y)
}

/// The arc sine.
#[must_use]
pub fn asin(x: f64) -> f64 {
    if x == 0.0 {
        return x;
    }
    let size = x.abs();
    if size > 1.0 || x.is_nan() {
        return f64::NAN;
    }
    let other = (1.0 - size * size).sqrt();
    let angle = if size > 0.7 {
        FRAC_PI_2 - positive(other / size)
    } else {
        positive(size / other)
    };
    if x < 0.0 { -angle } else { angle }
}

/// The arc cosine.
#[must_use]
pub fn acos(x: f64) -> f64 {
    FRAC_PI_2 - asin(x)
}
