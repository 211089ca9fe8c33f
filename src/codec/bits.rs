/// A growing stream of bits, highest bit of each byte first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not used, 0 to 7.
    free: u8,
}

impl BitWriter {
    /// An empty stream.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            free: 0,
        }
    }

    /// Goes on after the first `bits` bits of `bytes`; what follows them is dropped. `None` when there
    /// are fewer.
    pub fn resume(mut bytes: Vec<u8>, bits: usize) -> Option<Self> {
        if bits > bytes.len().checked_mul(8)? {
            return None;
        }
        bytes.truncate(bits.div_ceil(8));
        let free = ((8 - bits % 8) % 8) as u8;
        if let Some(last) = bytes.last_mut() {
            *last &= u8::MAX << free;
        }
        Some(Self { bytes, free })
    }

    /// The bytes so far; unused bits of the last are zero.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Ends the stream.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes reserved.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends one bit.
    pub fn push_bit(&mut self, bit: bool) {
        self.push(u64::from(bit), 1);
    }

    /// Appends the lowest `bits` bits of `value`, highest first; more than 64 count as 64.
    pub fn push(&mut self, value: u64, bits: u8) {
        let mut left = bits.min(64);
        if left == 0 {
            return;
        }
        let value = value & (u64::MAX >> (64 - left));
        if self.free > 0
            && let Some(last) = self.bytes.last_mut()
        {
            let take = left.min(self.free);
            *last |= ((value >> (left - take)) as u8) << (self.free - take);
            self.free -= take;
            left -= take;
        }
        if left > 0 {
            let rest = (value << (64 - left)).to_be_bytes();
            let whole = left.div_ceil(8);
            if let Some(rest) = rest.get(..usize::from(whole)) {
                self.bytes.extend_from_slice(rest);
            }
            self.free = whole * 8 - left;
        }
    }
}

/// Reads a stream of bits.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Goes on at bit `at`.
    pub const fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many bits were read.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The next bit; `None` at the end.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// The next `bits` bits (at most 64); `None` when there are fewer.
    pub fn read(&mut self, bits: u8) -> Option<u64> {
        let bits = usize::from(bits.min(64));
        let end = self.at + bits;
        if end > self.bytes.len() * 8 {
            return None;
        }
        if bits == 0 {
            return Some(0);
        }
        let (first, shift) = (self.at / 8, self.at % 8);
        self.at = end;
        let rest = self.bytes.get(first..)?;
        let word = if let Some(word) = rest.first_chunk::<8>() {
            u64::from_be_bytes(*word)
        } else {
            let mut padded = [0; 8];
            for (to, from) in padded.iter_mut().zip(rest) {
                *to = *from;
            }
            u64::from_be_bytes(padded)
        };
        let mut value = word << shift;
        if shift + bits > 64 {
            value |= u64::from(*rest.get(8)?) >> (8 - shift);
        }
        Some(value >> (64 - bits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn bits_come_back_even_after_a_pause(parts in prop::collection::vec((any::<u64>(), 0u8..=64), 0..40), pause in 0usize..40) {
            let mask = |value: u64, bits: u8| if bits == 64 { value } else { value & ((1 << bits) - 1) };
            let mut writer = BitWriter::new();
            let mut written = 0;
            for (i, (value, bits)) in parts.iter().enumerate() {
                if i == pause {
                    let mut bytes = writer.bytes().to_vec();
                    bytes.push(0xff);
                    writer = BitWriter::resume(bytes, written).unwrap();
                }
                writer.push(*value, *bits);
                written += usize::from(*bits);
            }
            let mut reader = BitReader::new(writer.bytes());
            for (value, bits) in &parts {
                prop_assert_eq!(reader.read(*bits), Some(mask(*value, *bits)));
            }
            prop_assert_eq!(reader.position(), written);
            prop_assert_eq!(reader.read(8), None);
        }
    }
}
