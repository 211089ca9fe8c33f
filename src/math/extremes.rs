//! The greater and the lesser of two numbers.

/// Go's `math.Max`: an infinity wins over NaN, NaN over numbers, 0 over -0.
#[must_use]
pub fn max(a: f64, b: f64) -> f64 {
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

/// Go's `math.Min`: the mirror of [`max`].
#[must_use]
pub fn min(a: f64, b: f64) -> f64 {
    -max(-a, -b)
}
