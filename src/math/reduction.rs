//! Which eighth of the circle an angle lies in, and where in it.

use std::f64::consts::FRAC_PI_4;

use super::parts::{BIAS, FRACTION_BITS, FRACTION_MASK, stored_exponent};

/// From here on three pieces of pi/4 are not enough.
const PAYNE_HANEK_FROM: f64 = (1_u64 << 29) as f64;

/// `4/pi`, the bits after the point 64 at a time after the leading one: enough for the greatest number.
const FOUR_OVER_PI: [u64; 20] = [
    0x0000_0000_0000_0001,
    0x45f3_06dc_9c88_2a53,
    0xf84e_afa3_ea69_bb81,
    0xb6c5_2b32_7887_2083,
    0xfca2_c757_bd77_8ac3,
    0x6e48_dc74_849b_a5c0,
    0x0c92_5dd4_13a3_2439,
    0xfc3b_d639_6253_4e7d,
    0xd104_6bea_5d76_8909,
    0xd338_e04d_68be_fc82,
    0x7323_ac73_06a6_73e9,
    0x3908_bf17_7bf2_5076,
    0x3ff1_2fff_bc0b_301f,
    0xde5e_2316_b414_da3e,
    0xda6c_fd9e_4f96_136e,
    0x9e8c_7ecd_3cbf_d45a,
    0xea4f_758f_d7cb_e2f6,
    0x7a0e_73ef_14a5_25d4,
    0xd7f6_bf62_3f1a_ba10,
    0xac06_608d_f8f6_d757,
];

/// The eighth of the circle (0, 2, 4 or 6: the nearest even one) of a positive finite angle, and the angle from there.
pub(super) fn reduce(x: f64) -> (u64, f64) {
    // pi/4 in three pieces, as in Cephes: products with the first two are exact.
    const A: f64 = 7.853_981_256_484_985_351_56e-1;
    const B: f64 = 3.774_894_707_930_798_176_68e-8;
    const C: f64 = 2.695_151_429_079_059_526_45e-15;
    if x >= PAYNE_HANEK_FROM {
        return reduce_large(x);
    }
    let mut eighth = (x * (4.0 / std::f64::consts::PI)) as u64;
    eighth += eighth & 1;
    let y = eighth as f64;
    (eighth & 7, ((x - y * A) - y * B) - y * C)
}

/// K. C. Ng, "Argument reduction for huge arguments: good to the last bit" (1992), after Payne and Hanek: of the
/// product with `4/pi` only the bits that matter are computed.
fn reduce_large(x: f64) -> (u64, f64) {
    let exponent = stored_exponent(x) - BIAS - FRACTION_BITS as i32;
    let mantissa = (x.to_bits() & FRACTION_MASK) | (1 << FRACTION_BITS);
    let place = (exponent + 61).max(0) as usize;
    let digit = |at: usize| FOUR_OVER_PI.get(place / 64 + at).copied().unwrap_or(0);
    // 64 bits of 4/pi from the place on.
    let bits = |at: usize| {
        let pair = u128::from(digit(at)) << 64 | u128::from(digit(at + 1));
        (pair << (place % 64) >> 64) as u64
    };
    let wide = |at: usize| u128::from(bits(at)) * u128::from(mantissa);
    let product = (u128::from(bits(0).wrapping_mul(mantissa)) << 64)
        .wrapping_add(wide(1))
        .wrapping_add(wide(2) >> 64);
    let eighth = (product >> 125) as u64;
    let fraction = fraction_of((product << 3 >> 64) as u64, product as u64);
    if eighth & 1 == 1 {
        ((eighth + 1) & 7, (fraction - 1.0) * FRAC_PI_4)
    } else {
        (eighth, fraction * FRAC_PI_4)
    }
}

/// The 64 bits after a binary point as a number, cut, not rounded, followed by those of `rest`.
///
/// compat: the three first bits of `rest` are the last ones of `bits` again, as in Go, which shows in angles
/// that lie within a four-thousandth of a multiple of pi/4.
fn fraction_of(bits: u64, rest: u64) -> f64 {
    let zeros = bits.leading_zeros().min(62);
    let fraction = (bits << (zeros + 1)) | (rest >> (63 - zeros));
    let exponent = (BIAS - 1 - zeros as i32) as u64;
    f64::from_bits(exponent << FRACTION_BITS | fraction >> (64 - FRACTION_BITS))
}
