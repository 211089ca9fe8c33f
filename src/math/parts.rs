//! Taking numbers apart into fraction and exponent.

/// Bits of the fraction.
pub(super) const FRACTION_BITS: u32 = 52;
/// The mask of the fraction.
pub(super) const FRACTION_MASK: u64 = (1 << FRACTION_BITS) - 1;
/// What is added to an exponent before it is stored.
pub(super) const BIAS: i32 = 1023;
/// The mask of the stored exponent, shifted down.
const EXPONENT_MASK: u64 = 0x7ff;
/// Enough to make any subnormal number normal.
const SUBNORMAL_SHIFT: i32 = 52;

/// The stored exponent.
pub(super) const fn stored_exponent(x: f64) -> i32 {
    ((x.to_bits() >> FRACTION_BITS) & EXPONENT_MASK) as i32
}

/// `2^exponent` for exponents of normal numbers.
pub(super) const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + BIAS) as u64) << FRACTION_BITS)
}

/// Makes subnormal numbers normal; the second is the exponent that this took.
fn normalize(x: f64) -> (f64, i32) {
    if x.abs() < f64::MIN_POSITIVE {
        (x * power_of_two(SUBNORMAL_SHIFT), -SUBNORMAL_SHIFT)
    } else {
        (x, 0)
    }
}

/// A fraction in `[0.5, 1)` and an exponent of two whose product is `x`; zeros, infinities and NaN come back
/// with exponent 0.
pub(super) fn frexp(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let (x, shift) = normalize(x);
    let exponent = shift + stored_exponent(x) - BIAS + 1;
    let fraction = (x.to_bits() & !(EXPONENT_MASK << FRACTION_BITS)) | 0.5_f64.to_bits();
    (f64::from_bits(fraction), exponent)
}

/// `fraction * 2^exponent`, rounded once.
#[must_use]
pub fn ldexp(fraction: f64, exponent: i32) -> f64 {
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let (fraction, shift) = normalize(fraction);
    let exponent = exponent
        .saturating_add(shift)
        .saturating_add(stored_exponent(fraction) - BIAS);
    if exponent < -1075 {
        return 0.0_f64.copysign(fraction);
    }
    if exponent > BIAS {
        return f64::INFINITY.copysign(fraction);
    }
    let bare = fraction.to_bits() & !(EXPONENT_MASK << FRACTION_BITS);
    let with = |exponent: i32| f64::from_bits(bare | power_of_two(exponent).to_bits());
    if exponent < 1 - BIAS {
        // The product with a power of two rounds where a subnormal number ends.
        return with(exponent + 53) * power_of_two(-53);
    }
    with(exponent)
}
