//! Logarithms, by the methods of FreeBSD's `e_log.c` and `s_log1p.c` (Sun Microsystems, 1993): the argument is
//! `2^k (1 + f)` with `1 + f` near one, and a polynomial of `f / (2 + f)` gives the rest.

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E, LOG10_E};

use super::exponential::{LN2_HIGH, LN2_LOW, polynomial};
use super::parts::{BIAS, FRACTION_BITS, FRACTION_MASK, frexp, stored_exponent};

/// Coefficients of the polynomial of the square, the highest first.
const L: [f64; 7] = [
    1.479_819_860_511_658_591e-01,
    1.531_383_769_920_937_332e-01,
    1.818_357_216_161_805_012e-01,
    2.222_219_843_214_978_396e-01,
    2.857_142_874_366_239_149e-01,
    3.999_999_999_940_941_908e-01,
    6.666_666_666_666_735_130e-01,
];

/// The natural logarithm.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    // compat: subnormal numbers are taken for normal ones, as Go's on amd64 does, which makes them about 1e-308.
    let mut exponent = stored_exponent(x) - BIAS + 1;
    let mut fraction = f64::from_bits((x.to_bits() & FRACTION_MASK) | 0.5_f64.to_bits());
    if fraction < FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    // Even and odd powers apart.
    let [l7, l6, l5, l4, l3, l2, l1] = L;
    let odd = s2 * polynomial(s4, &[l7, l5, l3, l1]);
    let even = s4 * polynomial(s4, &[l6, l4, l2]);
    let r = odd + even;
    let half_square = 0.5 * f * f;
    k * LN2_HIGH - ((half_square - (s * (half_square + r) + k * LN2_LOW)) - f)
}

/// The logarithm to base two; exact for powers of two.
#[must_use]
pub fn log2(x: f64) -> f64 {
    let (fraction, exponent) = frexp(x);
    if fraction == 0.5 {
        return f64::from(exponent - 1);
    }
    ln(fraction) * LOG2_E + f64::from(exponent)
}

/// The logarithm to base ten.
#[must_use]
pub fn log10(x: f64) -> f64 {
    ln(x) * LOG10_E
}

/// The mantissa of the square root of two.
const SQRT2_FRACTION: u64 = 0x0006_a09e_667f_3bcd;

/// `1 + x` as `2^k (1 + f)`.
struct Reduced {
    k: i32,
    f: f64,
    /// What rounding took from `1 + x`, relative to it.
    correction: f64,
    /// Whether `f` is so small that two terms of the series will do.
    tiny: bool,
}

impl Reduced {
    fn of(x: f64) -> Self {
        const TWO_53: f64 = (1_u64 << 53) as f64;
        let (u, mut correction) = if x.abs() < TWO_53 {
            (1.0 + x, x)
        } else {
            (x, 0.0)
        };
        let mut k = (u.to_bits() >> FRACTION_BITS) as i32 - BIAS;
        if x.abs() < TWO_53 {
            correction = if k > 0 { 1.0 - (u - x) } else { x - (u - 1.0) };
            correction /= u;
        }
        let mut fraction = u.to_bits() & FRACTION_MASK;
        let near_one = if fraction < SQRT2_FRACTION {
            f64::from_bits(fraction | 1.0_f64.to_bits())
        } else {
            k += 1;
            let halved = f64::from_bits(fraction | 0.5_f64.to_bits());
            fraction = ((1 << FRACTION_BITS) - fraction) >> 2;
            halved
        };
        Self {
            k,
            f: near_one - 1.0,
            correction,
            tiny: fraction == 0,
        }
    }
}

/// `ln(1 + x)`, accurate for small `x`.
pub(super) fn ln_1p(x: f64) -> f64 {
    /// `sqrt(2) - 1`.
    const UPPER: f64 = 4.142_135_623_730_950_488_017e-01;
    /// `sqrt(2)/2 - 1`.
    const LOWER: f64 = -2.928_932_188_134_524_755_992e-01;
    const SMALL: f64 = 1.0 / (1_u64 << 29) as f64;
    const TINY: f64 = 1.0 / (1_u64 << 54) as f64;
    if x < -1.0 || x.is_nan() {
        return f64::NAN;
    }
    if x == -1.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    if x.abs() < TINY {
        return x;
    }
    if x.abs() < SMALL {
        return x - x * x * 0.5;
    }
    let reduced = if x > LOWER && x.abs() < UPPER {
        Reduced {
            k: 0,
            f: x,
            correction: 0.0,
            tiny: false,
        }
    } else {
        Reduced::of(x)
    };
    ln_1p_of(&reduced)
}

fn ln_1p_of(reduced: &Reduced) -> f64 {
    let Reduced {
        f, correction: c, ..
    } = *reduced;
    let k = f64::from(reduced.k);
    let half_square = 0.5 * f * f;
    if reduced.tiny {
        if f == 0.0 {
            return if k == 0.0 {
                0.0
            } else {
                k * LN2_HIGH + (c + k * LN2_LOW)
            };
        }
        let r = half_square * (1.0 - 0.666_666_666_666_666_66 * f);
        return if k == 0.0 {
            f - r
        } else {
            k * LN2_HIGH - ((r - (k * LN2_LOW + c)) - f)
        };
    }
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * polynomial(z, &L);
    if k == 0.0 {
        f - (half_square - s * (half_square + r))
    } else {
        k * LN2_HIGH - ((half_square - (s * (half_square + r) + (k * LN2_LOW + c))) - f)
    }
}
