//! Floats as the decimals that they were printed as: an integer and a power of ten, every bit kept.

/// No decimal has more places.
pub(super) const PLACES_MAX: u8 = 15;

/// Stands for a float that is no such decimal.
pub(super) const RAW: u8 = 16;

/// Integers below this are floats of their own.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// The integer that gives `value` when it is divided by the power of ten; `None` when none does bit by bit.
#[inline]
pub(super) fn unscaled(value: f64, places: u8) -> Option<i64> {
    if places == 0 {
        // Most values are integers, and a division takes long.
        let integer = value as i64;
        let is_exact = value.abs() < EXACT_BELOW && (integer as f64).to_bits() == value.to_bits();
        return is_exact.then_some(integer);
    }
    let power = *POWERS.get(usize::from(places))?;
    let product = value * power;
    // Also false for what is no number.
    if product.abs() < EXACT_BELOW {
        let integer = (product + 0.5f64.copysign(product)) as i64;
        // A division is rounded correctly, so the decimal that was printed comes back; the comparison sees to the
        // rest, and to -0.
        let is_exact = (integer as f64 / power).to_bits() == value.to_bits();
        return is_exact.then_some(integer);
    }
    None
}

/// The float of an integer and its places; `None` for places that do not exist.
pub(super) fn scaled(integer: i64, places: u8) -> Option<f64> {
    Some(integer as f64 / POWERS.get(usize::from(places))?)
}

/// The fewest places with which `value` is a decimal; [`RAW`] when there are none. `like` is tried first: where a
/// series needed so many places before, it needs them again.
pub(super) fn places(value: f64, like: u8) -> u8 {
    if like <= PLACES_MAX && unscaled(value, like).is_some() {
        return like;
    }
    (0..=PLACES_MAX)
        .find(|places| unscaled(value, *places).is_some())
        .unwrap_or(RAW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_has_places_comes_back_with_every_bit(bits in any::<u64>(), decimal in -1_000_000_000i64..1_000_000_000, digits in 0usize..10) {
            let printed: f64 = format!("{decimal}e-{digits}").parse().unwrap();
            for value in [f64::from_bits(bits), printed] {
                let found = places(value, RAW);
                if found != RAW {
                    let integer = unscaled(value, found).unwrap();
                    prop_assert_eq!(scaled(integer, found).unwrap().to_bits(), value.to_bits());
                }
            }
            prop_assert!(places(printed, RAW) <= digits as u8);
        }
    }

    #[test]
    fn what_is_no_decimal_is_left_alone() {
        for value in [-0.0, f64::NAN, f64::INFINITY, 0.1 + 0.2, 1e300, 5e-324] {
            assert_eq!(places(value, RAW), RAW, "{value}");
        }
        assert_eq!(places(0.25, 3), 3, "more places than needed do no harm");
        assert_eq!(places(0.25, 1), 2);
    }
}
