use thiserror::Error as ThisError;

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end too early.
    #[error("unexpected end of data")]
    UnexpectedEnd,
    /// A variable-length integer has too many bytes.
    #[error("integer too long")]
    IntegerTooLong,
    /// A text is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// Something has a value that it cannot have.
    #[error("invalid {0}")]
    Invalid(&'static str),
}

/// Reads values from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Error::UnexpectedEnd)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Error::UnexpectedEnd)?;
        self.rest = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[b]| b)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// The eight bytes of a float; every bit counts.
    pub fn f64(&mut self) -> Result<f64, Error> {
        self.u64().map(f64::from_bits)
    }

    /// An unsigned integer in groups of seven bits, lowest first.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Error> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// One of two bytes or more: up to eight are taken at once where so many are left.
    fn long_varint(&mut self) -> Result<u64, Error> {
        if let Some((word, _)) = self.rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                let bits = ends.trailing_zeros() + 1;
                self.rest = self.rest.get(bits as usize / 8..).unwrap_or_default();
                return Ok(joined(word & (u64::MAX >> (64 - bits))));
            }
        }
        self.bytewise_varint()
    }

    fn bytewise_varint(&mut self) -> Result<u64, Error> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                return Err(Error::IntegerTooLong);
            }
            value |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::IntegerTooLong)
    }

    /// A signed integer as [`super::put_zigzag`] writes it.
    pub fn zigzag(&mut self) -> Result<i64, Error> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count of things of at least `bytes_each` bytes that follow; refused when they cannot all be there.
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.varint()?).map_err(|_| Error::UnexpectedEnd)?;
        match count.checked_mul(bytes_each.max(1)) {
            Some(bytes) if bytes <= self.rest.len() => Ok(count),
            _ => Err(Error::UnexpectedEnd),
        }
    }

    /// Bytes after their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count(1)?;
        self.take(length)
    }

    /// A text after its length.
    pub fn str(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::NotUtf8)
    }
}

/// The seven low bits of each byte, side by side.
const fn joined(groups: u64) -> u64 {
    let sevens = groups & 0x7f7f_7f7f_7f7f_7f7f;
    let pairs = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let quads = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    (quads & 0x0fff_ffff) | (quads & 0x0fff_ffff_0000_0000) >> 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{put_bytes, put_f64, put_str, put_varint, put_zigzag};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_written_is_read(u in any::<u64>(), small in 0u64..300, i in any::<i64>(), f in any::<u64>(), s in ".*") {
            let mut out = Vec::new();
            put_varint(&mut out, u);
            put_varint(&mut out, small);
            put_zigzag(&mut out, i);
            put_f64(&mut out, f64::from_bits(f));
            put_str(&mut out, &s);
            put_bytes(&mut out, b"end");
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(u));
            prop_assert_eq!(reader.varint(), Ok(small));
            prop_assert_eq!(reader.zigzag(), Ok(i));
            prop_assert_eq!(reader.f64().map(f64::to_bits), Ok(f));
            prop_assert_eq!(reader.str(), Ok(s.as_str()));
            prop_assert_eq!(reader.bytes(), Ok(&b"end"[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn integers_are_read_at_once_as_byte_by_byte(bytes in prop::collection::vec(prop_oneof![0u8..0x80, 0x80u8..=0xff, Just(0x80), Just(0xff)], 0..14)) {
            let (mut reader, mut slow) = (Reader::new(&bytes), Reader::new(&bytes));
            let read = reader.varint();
            prop_assert_eq!(read, slow.bytewise_varint());
            if read.is_ok() {
                prop_assert_eq!(reader.rest(), slow.rest());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            let _ = (reader.varint(), reader.str(), reader.zigzag(), reader.count(8), reader.f64());
        }
    }

    #[test]
    fn integers_of_more_than_64_bits_are_refused() {
        assert_eq!(
            Reader::new(&[0xff; 10]).varint(),
            Err(Error::IntegerTooLong)
        );
        assert_eq!(Reader::new(&[0x80]).varint(), Err(Error::UnexpectedEnd));
    }

    #[test]
    fn counts_that_cannot_be_true_are_refused() {
        let mut out = Vec::new();
        put_varint(&mut out, u64::MAX);
        assert_eq!(Reader::new(&out).count(8), Err(Error::UnexpectedEnd));
    }
}
