//! How a run of integers is written: as themselves, as differences or as differences of differences, whichever
//! takes least, less their minimum and divided by what divides them all, in groups of 32 of equal width.

use crate::codec::{Error, Reader, put_varint, put_zigzag};

/// Integers that share a width.
const GROUP: usize = 32;

/// Integers of so many bits lie within 64 bits from the byte on in which they begin.
const NARROW: u8 = 56;

/// Tag bits: how often neighbours are subtracted; whether all residues are equal.
const ORDER: u8 = 0b11;
const CONSTANT: u8 = 0b100;

/// Appends `values`. Any integers come back; sums and differences wrap.
pub(super) fn put(out: &mut Vec<u8>, values: &[i64]) {
    let mut best: Option<Plan> = None;
    let mut residues = values.to_vec();
    let mut firsts = Vec::new();
    for order in 0..=2u8 {
        if order > 0 {
            let Some(first) = residues.first().copied() else {
                break;
            };
            firsts.push(first);
            let differences = residues.windows(2).map(|pair| match pair {
                [a, b] => b.wrapping_sub(*a),
                _ => 0,
            });
            residues = differences.collect();
        }
        let plan = Plan::new(order, &firsts, &residues);
        if best.as_ref().is_none_or(|best| plan.size < best.size) {
            best = Some(plan);
        }
    }
    if let Some(best) = best {
        best.put(out);
    }
}

struct Plan {
    order: u8,
    firsts: Vec<i64>,
    min: i64,
    divisor: u64,
    /// Residues less their minimum, divided.
    scaled: Vec<u64>,
    size: usize,
}

impl Plan {
    fn new(order: u8, firsts: &[i64], residues: &[i64]) -> Self {
        let min = residues.iter().copied().min().unwrap_or(0);
        let mut scaled: Vec<u64> = residues
            .iter()
            .map(|residue| (*residue as u64).wrapping_sub(min as u64))
            .collect();
        let divisor = scaled
            .iter()
            .try_fold(0, |divisor, value| match gcd(divisor, *value) {
                1 => None,
                divisor => Some(divisor),
            })
            .unwrap_or(1)
            .max(1);
        if divisor > 1 {
            for value in &mut scaled {
                *value /= divisor;
            }
        }
        let mut size = 4 + firsts.len() * 4;
        for group in scaled.chunks(GROUP) {
            size += 1 + (usize::from(width(group)) * group.len()).div_ceil(8);
        }
        Self {
            order,
            firsts: firsts.to_vec(),
            min,
            divisor,
            scaled,
            size,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        let constant = self.scaled.iter().all(|value| *value == 0);
        out.push(self.order | if constant { CONSTANT } else { 0 });
        for first in &self.firsts {
            put_zigzag(out, *first);
        }
        put_zigzag(out, self.min);
        if constant {
            return;
        }
        put_varint(out, self.divisor);
        for group in self.scaled.chunks(GROUP) {
            let width = width(group);
            out.push(width);
            pack(out, group, width);
        }
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn width(group: &[u64]) -> u8 {
    let all = group.iter().fold(0, |all, value| all | value);
    (64 - all.leading_zeros()) as u8
}

/// Lowest bits first.
fn pack(out: &mut Vec<u8>, group: &[u64], width: u8) {
    let (mut pending, mut bits) = (0u128, 0u32);
    for value in group {
        pending |= u128::from(*value) << bits;
        bits += u32::from(width);
        while bits >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(pending as u8);
    }
}

/// Reads the `count` integers that [`put`] wrote.
pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Error> {
    let tag = reader.u8()?;
    let order = usize::from(tag & ORDER);
    if order > 2 || tag & !(ORDER | CONSTANT) != 0 || order > count {
        return Err(Error::Invalid("integers"));
    }
    let mut firsts = [0; 2];
    for first in firsts.iter_mut().take(order) {
        *first = reader.zigzag()?;
    }
    let min = reader.zigzag()?;
    let mut values = Vec::with_capacity(count);
    let residues = count - order;
    if tag & CONSTANT != 0 {
        values.resize(residues, min);
    } else {
        let divisor = reader.varint()?;
        while values.len() < residues {
            let many = GROUP.min(residues - values.len());
            unpack(reader, many, |scaled| {
                values.push(min.wrapping_add(scaled.wrapping_mul(divisor) as i64));
            })?;
        }
    }
    for first in firsts.iter().take(order).rev() {
        let mut sum = *first;
        for value in &mut values {
            let difference = std::mem::replace(value, sum);
            sum = sum.wrapping_add(difference);
        }
        values.push(sum);
    }
    Ok(values)
}

fn unpack(reader: &mut Reader<'_>, many: usize, mut each: impl FnMut(u64)) -> Result<(), Error> {
    let width = reader.u8()?;
    if width > 64 {
        return Err(Error::Invalid("width"));
    }
    let bytes = reader.take((usize::from(width) * many).div_ceil(8))?;
    let mask = if width == 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    };
    let mut bit = 0;
    if width <= NARROW {
        // A group is unpacked from a copy with room behind it, so that each integer is one load.
        let mut padded = [0; GROUP * NARROW as usize / 8 + 8];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        for _ in 0..many {
            let word = padded.get(bit / 8..).and_then(|rest| rest.first_chunk());
            let word = word.map_or(0, |word| u64::from_le_bytes(*word));
            each(word >> (bit % 8) & mask);
            bit += usize::from(width);
        }
        return Ok(());
    }
    for _ in 0..many {
        each(bits_at(bytes, bit) & mask);
        bit += usize::from(width);
    }
    Ok(())
}

/// The 64 bits from bit `bit` on; those beyond the end are zero.
fn bits_at(bytes: &[u8], bit: usize) -> u64 {
    let rest = bytes.get(bit / 8..).unwrap_or_default();
    let shift = bit % 8;
    let (low, high) = if let Some((low, after)) = rest.split_first_chunk::<8>() {
        let high = after.first().copied().unwrap_or(0);
        (u64::from_le_bytes(*low), high)
    } else {
        let mut padded = [0; 8];
        for (to, from) in padded.iter_mut().zip(rest) {
            *to = *from;
        }
        (u64::from_le_bytes(padded), 0)
    };
    if shift == 0 {
        low
    } else {
        low >> shift | u64::from(high) << (64 - shift)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(values: &[i64]) -> usize {
        let mut out = Vec::new();
        put(&mut out, values);
        let mut reader = Reader::new(&out);
        assert_eq!(read(&mut reader, values.len()).unwrap(), values);
        assert!(reader.is_empty());
        out.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_integers_come_back(values in prop::collection::vec(any::<i64>(), 0..100), shift in 0u32..64) {
            let values: Vec<i64> = values.into_iter().map(|v| v >> shift).collect();
            size(&values);
        }

        #[test]
        fn any_bytes_are_integers_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0usize..600) {
            let _ = read(&mut Reader::new(&bytes), count);
        }
    }

    #[test]
    fn regular_runs_are_small() {
        let times: Vec<i64> = (0..480).map(|i| 1_700_000_000_000 + i * 15_000).collect();
        assert!(size(&times) < 20);
        let pages: Vec<i64> = (0..480).map(|i| 4096 * (i * i % 7)).collect();
        assert!(size(&pages) < 480 * 3 / 8 + 30);
    }
}
