//! How the values of a run of floats are written: as integers of a power of ten where that keeps every bit, else
//! as XOR with the value before.

use super::ints;
use crate::codec::{BitReader, BitWriter, Error, Reader, put_bytes, put_f64, put_varint};

/// Tags: integers times 10^-tag for 0 to [`EXPONENT_MAX`], of which [`EXCEPTIONS`] follow; or XOR.
const EXCEPTIONS: u8 = 0x40;
const XOR: u8 = 0x80;

const EXPONENT_MAX: u8 = 12;

/// Integers below this are floats.
const INTEGERS_BELOW: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; EXPONENT_MAX as usize + 1] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
];

/// Appends `values`.
pub(super) fn put(out: &mut Vec<u8>, values: &[f64]) {
    let start = out.len();
    if put_decimals(out, values) && out.len() - start < values.len() * 7 {
        return;
    }
    let decimals = out.split_off(start);
    put_xor(out, values);
    if !decimals.is_empty() && decimals.len() < out.len() - start {
        out.truncate(start);
        out.extend_from_slice(&decimals);
    }
}

/// Reads the `count` values that [`put`] wrote.
pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Error> {
    let tag = reader.u8()?;
    if tag == XOR {
        return read_xor(reader.bytes()?, count);
    }
    let power = POWERS
        .get(usize::from(tag & !EXCEPTIONS))
        .ok_or(Error::Invalid("column"))?;
    let integers = ints::read(reader, count)?;
    let mut values: Vec<f64> = integers.into_iter().map(|i| i as f64 / power).collect();
    if tag & EXCEPTIONS != 0 {
        let mut at = 0usize;
        for _ in 0..reader.count(9)? {
            at = usize::try_from(reader.varint()?)
                .ok()
                .and_then(|skip| at.checked_add(skip))
                .ok_or(Error::Invalid("column"))?;
            *values.get_mut(at).ok_or(Error::Invalid("column"))? = reader.f64()?;
        }
    }
    Ok(values)
}

/// The integer that is `value * 10^exponent`, if dividing it gives every bit of `value` again.
fn decimal(value: f64, exponent: u8) -> Option<i64> {
    let power = POWERS.get(usize::from(exponent))?;
    let scaled = (value * power).round();
    // A minus zero would lose its sign as an integer; the comparison of bits sees that.
    let exact = scaled.abs() < INTEGERS_BELOW
        && (scaled as i64 as f64 / power).to_bits() == value.to_bits();
    exact.then_some(scaled as i64)
}

fn smallest_exponent(value: f64, from: u8) -> Option<u8> {
    (from..=EXPONENT_MAX).find(|exponent| decimal(value, *exponent).is_some())
}

/// False, with nothing or something written, when too many values are no decimals.
fn put_decimals(out: &mut Vec<u8>, values: &[f64]) -> bool {
    let most = values.len() / 16 + 1;
    let (mut exponent, mut strange) = (0, 0);
    for value in values {
        if decimal(*value, exponent).is_some() {
            continue;
        }
        match smallest_exponent(*value, exponent) {
            Some(larger) => exponent = larger,
            None => strange += 1,
        }
        if strange > most {
            return false;
        }
    }
    let mut exceptions = Vec::new();
    let mut integers = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        if let Some(integer) = decimal(*value, exponent) {
            integers.push(integer);
        } else {
            exceptions.push((at, *value));
            // What would be regular costs least.
            let mut before = integers.iter().rev().copied();
            let last: i64 = before.next().unwrap_or(0);
            let step = last.wrapping_sub(before.next().unwrap_or(last));
            integers.push(last.wrapping_add(step));
        }
    }
    if exceptions.len() > 2 * most {
        return false;
    }
    out.push(exponent | if exceptions.is_empty() { 0 } else { EXCEPTIONS });
    ints::put(out, &integers);
    if !exceptions.is_empty() {
        put_varint(out, exceptions.len() as u64);
        let mut last = 0;
        for (at, value) in exceptions {
            put_varint(out, (at - last) as u64);
            put_f64(out, value);
            last = at;
        }
    }
    true
}

/// What both sides of the XOR code remember.
#[derive(Default)]
struct Window {
    bits: u64,
    leading: u8,
    significant: u8,
}

fn put_xor(out: &mut Vec<u8>, values: &[f64]) {
    let mut bits = BitWriter::new();
    let mut window = Window::default();
    for value in values {
        let difference = value.to_bits() ^ window.bits;
        window.bits = value.to_bits();
        if difference == 0 {
            bits.push_bit(false);
            continue;
        }
        let leading = difference.leading_zeros().min(31) as u8;
        let trailing = difference.trailing_zeros() as u8;
        let window_trailing = 64 - (window.leading + window.significant).min(64);
        let fits = window.significant > 0
            && leading >= window.leading
            && trailing >= window_trailing
            && window.significant <= 64 - leading - trailing + 6;
        if fits {
            bits.push(0b10, 2);
            bits.push(difference >> window_trailing, window.significant);
            continue;
        }
        window.leading = leading;
        window.significant = 64 - leading - trailing;
        bits.push(0b11, 2);
        bits.push(u64::from(leading), 5);
        bits.push(u64::from(window.significant - 1), 6);
        bits.push(difference >> trailing, window.significant);
    }
    out.push(XOR);
    put_bytes(out, bits.bytes());
}

fn read_xor(bytes: &[u8], count: usize) -> Result<Vec<f64>, Error> {
    // Every value takes a bit at least.
    if count > bytes.len().saturating_mul(8) {
        return Err(Error::UnexpectedEnd);
    }
    let mut reader = BitReader::new(bytes);
    let mut window = Window::default();
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        step(&mut reader, &mut window).ok_or(Error::UnexpectedEnd)?;
        values.push(f64::from_bits(window.bits));
    }
    Ok(values)
}

fn step(reader: &mut BitReader<'_>, window: &mut Window) -> Option<()> {
    if !reader.bit()? {
        return Some(());
    }
    if reader.bit()? {
        window.leading = reader.read(5)? as u8;
        window.significant = reader.read(6)? as u8 + 1;
    }
    let trailing = 64u8.checked_sub(window.leading + window.significant)?;
    if window.significant == 0 {
        return None;
    }
    window.bits ^= reader.read(window.significant)? << trailing;
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::stale_nan;

    fn size(values: &[f64]) -> usize {
        let mut out = Vec::new();
        put(&mut out, values);
        let mut reader = Reader::new(&out);
        let read = read(&mut reader, values.len()).unwrap();
        assert!(reader.is_empty());
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(values));
        out.len()
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            any::<i32>().prop_map(f64::from),
            (any::<i32>(), 0usize..12).prop_map(|(i, e)| f64::from(i) / POWERS[e]),
            Just(-0.0),
            Just(0.0),
            Just(f64::NAN),
            Just(f64::NEG_INFINITY),
            Just(stale_nan()),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(5e-324),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn every_bit_of_any_float_comes_back(values in prop::collection::vec(value(), 0..100)) {
            size(&values);
        }

        #[test]
        fn every_bit_comes_back_from_decimals_with_strangers(
            start in any::<i32>(), steps in prop::collection::vec(-500i32..500, 1..200), e in 0usize..6,
            stranger in value(), at in any::<prop::sample::Index>(),
        ) {
            let mut sum = i64::from(start);
            let mut values: Vec<f64> = steps.iter().map(|step| {
                sum += i64::from(*step);
                sum as f64 / POWERS[e]
            }).collect();
            let at = at.index(values.len());
            values[at] = stranger;
            size(&values);
        }

        #[test]
        fn any_bytes_are_a_column_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0usize..600) {
            let _ = read(&mut Reader::new(&bytes), count);
        }
    }

    #[test]
    fn usual_columns_are_small() {
        let constant = [0.25; 480];
        assert!(size(&constant) < 10);
        let counter: Vec<f64> = (0..480).map(|i| f64::from(i * 10 + i % 3)).collect();
        assert!(size(&counter) < 480 / 3);
        let mut ended = counter;
        ended.push(stale_nan());
        assert!(size(&ended) < 480 / 3 + 20);
        let cents: Vec<f64> = (0..480).map(|i| f64::from(i * i % 1000) / 100.0).collect();
        assert!(size(&cents) < 480 * 3 / 2);
    }
}
