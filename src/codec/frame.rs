//! Records in a file: how is a torn or flipped one told from a good one?
//!
//! A frame is `length u32, checksum u32, kind u8, sequence u64, payload`, all little-endian. The checksum
//! (CRC-32C) covers everything else and a salt that names the file, so that a frame that lands in
//! another file or place does not pass. Frames of a file have rising sequence numbers.

use super::{put_u32, put_u64};

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 17;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub length: u32,
    /// Checksum.
    pub checksum: u32,
    /// What the payload is.
    pub kind: u8,
    /// Place in the order of all frames.
    pub sequence: u64,
}

impl Header {
    /// Reads a header; `None` when there are too few bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let [l0, l1, l2, l3, c0, c1, c2, c3, kind, s @ ..] = *bytes;
        Some(Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            checksum: u32::from_le_bytes([c0, c1, c2, c3]),
            kind,
            sequence: u64::from_le_bytes(s),
        })
    }

    /// Whether `payload` is what the header was written for.
    pub fn fits(&self, salt: u64, payload: &[u8]) -> bool {
        payload.len() == self.length as usize
            && checksum(salt, self.kind, self.sequence, payload) == self.checksum
    }
}

/// A good frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the payload is.
    pub kind: u8,
    /// Place in the order of all frames.
    pub sequence: u64,
    /// The content.
    pub payload: &'a [u8],
}

/// Starts a frame at the end of `out`: leaves room for the header and returns where it is. The payload is
/// appended next, then [`finish`] is called.
pub fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    start
}

/// Ends the frame that [`begin`] started at `start`. False, and the frame removed, when the payload
/// exceeds 4 GiB.
pub fn finish(out: &mut Vec<u8>, start: usize, salt: u64, kind: u8, sequence: u64) -> bool {
    let Some((header, payload)) = out
        .get_mut(start..)
        .and_then(|frame| frame.split_at_mut_checked(HEADER_BYTES))
    else {
        return false;
    };
    let Ok(length) = u32::try_from(payload.len()) else {
        out.truncate(start);
        return false;
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    put_u32(&mut bytes, length);
    put_u32(&mut bytes, checksum(salt, kind, sequence, payload));
    bytes.push(kind);
    put_u64(&mut bytes, sequence);
    header.copy_from_slice(&bytes);
    true
}

fn checksum(salt: u64, kind: u8, sequence: u64, payload: &[u8]) -> u32 {
    let mut prefix = [0; 21];
    let (salt_bytes, rest) = prefix.split_at_mut(8);
    salt_bytes.copy_from_slice(&salt.to_le_bytes());
    let (sequence_bytes, rest) = rest.split_at_mut(8);
    sequence_bytes.copy_from_slice(&sequence.to_le_bytes());
    let (length_bytes, kind_byte) = rest.split_at_mut(4);
    length_bytes.copy_from_slice(&(payload.len() as u32).to_le_bytes());
    kind_byte.copy_from_slice(&[kind]);
    crc32c::crc32c_append(crc32c::crc32c(&prefix), payload)
}

/// Walks the frames of a file's bytes.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    salt: u64,
}

impl<'a> Frames<'a> {
    /// Starts at offset `at`.
    pub const fn new(bytes: &'a [u8], at: usize, salt: u64) -> Self {
        Self { bytes, at, salt }
    }

    /// Where the next frame starts: when [`Self::next`] gave `None`, the end of the good prefix.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// Whether all bytes have been walked.
    pub const fn is_finished(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Walks past damage to the next good frame that `plausible` (kind, sequence) admits; false when there
    /// is none. [`Iterator::next`] then goes on with it.
    pub fn resync(&mut self, plausible: impl Fn(u8, u64) -> bool) -> bool {
        for at in self.at..self.bytes.len() {
            if let Some(header) = self.bytes.get(at..).and_then(Header::parse)
                && plausible(header.kind, header.sequence)
                && self.frame_at(at).is_some()
            {
                self.at = at;
                return true;
            }
        }
        false
    }

    fn frame_at(&self, at: usize) -> Option<Frame<'a>> {
        let rest = self.bytes.get(at..)?;
        let header = Header::parse(rest)?;
        let payload = rest
            .get(HEADER_BYTES..)?
            .get(..usize::try_from(header.length).ok()?)?;
        header.fits(self.salt, payload).then_some(Frame {
            kind: header.kind,
            sequence: header.sequence,
            payload,
        })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    /// The next good frame; `None` at the end or at the first byte that is not one.
    fn next(&mut self) -> Option<Frame<'a>> {
        let frame = self.frame_at(self.at)?;
        self.at += HEADER_BYTES + frame.payload.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: u64 = 42;

    fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            let start = begin(&mut out);
            out.extend_from_slice(payload);
            assert!(finish(&mut out, start, SALT, 1, i as u64));
        }
        out
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_torn_file_keeps_its_longest_good_prefix(payloads in payloads(), cut in any::<prop::sample::Index>()) {
            let bytes = file(&payloads);
            let cut = cut.index(bytes.len() + 1);
            let torn = &bytes[..cut];
            let mut frames = Frames::new(torn, 0, SALT);
            let read: Vec<_> = frames.by_ref().map(|f| f.payload.to_vec()).collect();
            prop_assert_eq!(&read[..], &payloads[..read.len()]);
            prop_assert_eq!(frames.offset(), file(&payloads[..read.len()]).len());
            prop_assert_eq!(frames.is_finished(), frames.offset() == cut);
        }

        #[test]
        fn a_flipped_bit_costs_one_frame(payloads in payloads(), bit in any::<prop::sample::Index>()) {
            let mut bytes = file(&payloads);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut frames = Frames::new(&bytes, 0, SALT);
            let mut read: Vec<_> = frames.by_ref().map(|f| f.payload.to_vec()).collect();
            let hit = read.len();
            if frames.resync(|kind, sequence| kind == 1 && sequence > hit as u64 && sequence < 100) {
                read.extend(frames.by_ref().map(|f| f.payload.to_vec()));
            }
            let mut expected = payloads.clone();
            expected.remove(hit);
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_are_walked_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::new(&bytes, 0, SALT);
            prop_assert!(frames.next().is_none());
            prop_assert!(!frames.resync(|_, _| true));
        }
    }

    #[test]
    fn a_frame_of_another_file_does_not_pass() {
        let bytes = file(&[b"x".to_vec()]);
        assert!(Frames::new(&bytes, 0, SALT + 1).next().is_none());
    }
}
