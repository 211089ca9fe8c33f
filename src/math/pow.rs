//! Powers: the fraction of the exponent through the logarithm, its whole part by squaring.

use super::exponential::exp;
use super::logarithm::ln;
use super::parts::{frexp, ldexp};

/// `2^63`.
const TWO_63: f64 = (1_u64 << 63) as f64;
/// `2^53`: from here on all numbers are even.
const TWO_53: f64 = (1_u64 << 53) as f64;

fn is_odd(y: f64) -> bool {
    y.abs() < TWO_53 && y.trunc() == y && (y as i64) & 1 == 1
}

/// `x^y`.
#[must_use]
pub fn pow(x: f64, y: f64) -> f64 {
    if let Some(known) = special(x, y) {
        return known;
    }
    let (mut whole, mut fraction) = (y.abs().trunc(), y.abs().fract());
    if fraction != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= TWO_63 {
        return beyond(x, y);
    }
    let mut product = 1.0;
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        product = exp(fraction * ln(x));
    }
    let (product, exponent) = by_squaring(x, whole as i64, product);
    if y < 0.0 {
        ldexp(1.0 / product, -exponent)
    } else {
        ldexp(product, exponent)
    }
}

/// `first * x^n` as a fraction and an exponent of two.
fn by_squaring(x: f64, mut n: i64, first: f64) -> (f64, i32) {
    let (mut product, mut exponent) = (first, 0);
    let (mut square, mut square_exponent) = frexp(x);
    while n != 0 {
        if square_exponent.abs() > 1 << 12 {
            // More than any number holds, and there is at least one factor more.
            exponent += square_exponent;
            break;
        }
        if n & 1 == 1 {
            product *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent *= 2;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        n >>= 1;
    }
    (product, exponent)
}

/// The power for an exponent that is infinite or larger than any that can be counted down.
fn beyond(x: f64, y: f64) -> f64 {
    if x == -1.0 {
        1.0
    } else if (x.abs() < 1.0) == (y > 0.0) {
        0.0
    } else {
        f64::INFINITY
    }
}

/// What IEEE 754 says of zeros, infinities and the like, and two square roots.
fn special(x: f64, y: f64) -> Option<f64> {
    let value = if y == 0.0 || x == 1.0 {
        1.0
    } else if y == 1.0 {
        x
    } else if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if x == 0.0 {
        let size = if y < 0.0 { f64::INFINITY } else { 0.0 };
        if is_odd(y) { size.copysign(x) } else { size }
    } else if y.is_infinite() {
        beyond(x, y)
    } else if x == f64::NEG_INFINITY {
        return special(-0.0, -y);
    } else if x == f64::INFINITY {
        if y < 0.0 { 0.0 } else { f64::INFINITY }
    } else if y == 0.5 {
        x.sqrt()
    } else if y == -0.5 {
        1.0 / x.sqrt()
    } else {
        return None;
    };
    Some(value)
}
