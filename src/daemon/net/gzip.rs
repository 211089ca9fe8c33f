//! Unpacks gzip, never past a limit.

use std::cell::RefCell;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use libdeflater::{Crc, Decompressor};
use memchr::memmem;

use super::Error;

/// Head and tail of a member take at least so many bytes.
const FRAME_BYTES: usize = 18;

/// A stream that claims to unpack to more than so many times its size is unpacked piece by piece, so that memory is
/// only taken for what is really there.
const RATIO_MAX: usize = 128;

thread_local! {
    /// Its tables are worth keeping.
    static WHOLE: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

/// Unpacks `packed` to less than `limit` bytes. They lie in `buffer`, whose memory is used again and whose content is
/// of no account.
pub(in crate::daemon) fn unpack<'b>(
    packed: &[u8],
    limit: u64,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8], Error> {
    let length = match at_once(packed, limit, buffer) {
        Some(length) => length,
        None => in_pieces(packed, limit, buffer)?,
    };
    Ok(buffer.get(..length).unwrap_or_default())
}

/// The size that the last member of a stream claims to have unpacked; less than it has when that is 4 GiB or more.
pub(super) fn claimed_bytes(packed: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*packed.last_chunk()?)).ok()
}

/// Unpacks what is one good member, as nearly all answers are, several times as fast as piece by piece. `None` when it
/// may be anything else; then the other way decides. Size and checksum are those that the member tells.
fn at_once(packed: &[u8], limit: u64, buffer: &mut Vec<u8>) -> Option<usize> {
    let length = claimed_bytes(packed)?;
    let is_plausible = packed.len() >= FRAME_BYTES
        && (length as u64) < limit
        && length <= packed.len().saturating_mul(RATIO_MAX);
    if !is_plausible {
        return None;
    }
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let out = buffer.get_mut(..length)?;
    let unpacked = WHOLE.with_borrow_mut(|decoder| decoder.gzip_decompress(packed, out));
    (unpacked == Ok(length) && ends_with(packed, out)).then_some(length)
}

/// Whether `packed` ends where its first member does, which unpacks to `out`. The decoder passes over what follows; so the
/// member's last bytes, checksum and size, must be found at the very end and nowhere before.
fn ends_with(packed: &[u8], out: &[u8]) -> bool {
    let mut crc = Crc::new();
    crc.update(out);
    let size = u32::try_from(out.len()).unwrap_or(u32::MAX);
    let mut last = [0; 8];
    last[..4].copy_from_slice(&crc.sum().to_le_bytes());
    last[4..].copy_from_slice(&size.to_le_bytes());
    memmem::find(packed, &last) == packed.len().checked_sub(last.len())
}

fn in_pieces(packed: &[u8], limit: u64, buffer: &mut Vec<u8>) -> Result<usize, Error> {
    let mut stream = Stream::new(std::mem::take(buffer), limit);
    stream.push(packed)?;
    *buffer = stream.finish()?;
    Ok(buffer.len())
}

/// Unpacks a stream of one or several members that comes in pieces.
pub(super) struct Stream {
    decoder: MultiGzDecoder<Capped>,
}

impl Stream {
    /// Unpacks to less than `limit` bytes, in the memory of `buffer`.
    pub(super) fn new(buffer: Vec<u8>, limit: u64) -> Self {
        Self {
            decoder: MultiGzDecoder::new(Capped::new(buffer, limit)),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        let pushed = self.decoder.write_all(piece);
        pushed.map_err(|e| self.failed(&e))
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, Error> {
        if let Err(e) = self.decoder.try_finish() {
            return Err(self.failed(&e));
        }
        let capped = self.decoder.finish();
        capped.map(|capped| capped.bytes).map_err(|e| damaged(&e))
    }

    fn failed(&self, why: &io::Error) -> Error {
        if self.decoder.get_ref().full {
            Error::BodyTooLarge
        } else {
            damaged(why)
        }
    }
}

fn damaged(why: &io::Error) -> Error {
    Error::Protocol(format!("gzip: {why}"))
}

/// A buffer that refuses to grow to `limit` bytes.
pub(super) struct Capped {
    pub(super) bytes: Vec<u8>,
    limit: u64,
    full: bool,
}

impl Capped {
    pub(super) fn new(mut buffer: Vec<u8>, limit: u64) -> Self {
        buffer.clear();
        Self {
            bytes: buffer,
            limit,
            full: false,
        }
    }
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        // compat: a body of exactly the limit is too large already.
        if (self.bytes.len() as u64).saturating_add(piece.len() as u64) >= self.limit {
            self.full = true;
            return Err(io::Error::other("body size limit exceeded"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn pack(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::new(level));
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn both(packed: &[u8], limit: u64) -> (Result<Vec<u8>, String>, Result<Vec<u8>, String>) {
        let text = |e: Error| e.to_string();
        // What lies in the buffer from before must not show.
        let mut used = vec![b'#'; 100];
        let fast = unpack(packed, limit, &mut used);
        let fast = fast.map(<[u8]>::to_vec).map_err(text);
        let mut stream = Stream::new(Vec::new(), limit);
        let slow = stream.push(packed).and_then(|()| stream.finish());
        (fast, slow.map_err(text))
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            ("[a-c]{1,3}", 0usize..400).prop_map(|(line, n)| line.repeat(n).into_bytes()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whole_and_piece_by_piece_agree(
            members in prop::collection::vec((body(), 0u32..10), 0..3),
            tail in prop::collection::vec(any::<u8>(), 0..3),
            flip in prop::option::of(any::<prop::sample::Index>()),
            cut in prop::option::of(any::<prop::sample::Index>()),
            limit in prop_oneof![Just(u64::MAX), 0u64..400],
        ) {
            let mut packed: Vec<u8> = members.iter().flat_map(|(body, level)| pack(body, *level)).collect();
            packed.extend(tail);
            if let (Some(flip), false) = (flip, packed.is_empty()) {
                let bit = flip.index(packed.len() * 8);
                packed[bit / 8] ^= 1 << (bit % 8);
            }
            if let Some(cut) = cut {
                packed.truncate(cut.index(packed.len() + 1));
            }
            match (both(&packed, limit), members.as_slice()) {
                // See `a_reserved_length_is_held_to_the_checksum`.
                ((Ok(fast), Err(_)), [(body, _)]) => prop_assert_eq!(&fast, body),
                // What follows may have been cut off.
                ((Ok(fast), Err(error)), [(body, _), ..]) if error.ends_with("corrupt deflate stream") => {
                    prop_assert_eq!(&fast, body);
                }
                ((fast, slow), _) => prop_assert_eq!(fast, slow),
            }
        }
    }

    /// The two symbols after that of the longest length are reserved. The fast decoder takes them for it where the
    /// other refuses them; the checksum tells whether that was meant.
    #[test]
    fn a_reserved_length_is_held_to_the_checksum() {
        let mut packed = *b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x4b\x4c\x4c\x4a\x1c\x45\xa3\x21\x30\x1a\x02\xa3\x21\x40\xcb\x10\0\0\
                            \x70\x1b\x33\x63\x68\x04\0\0";
        let body = b"aab".repeat(376);
        assert_eq!(
            both(&packed, u64::MAX),
            (Ok(body.clone()), Ok(body.clone()))
        );
        packed[15] ^= 0b10;
        let (fast, slow) = both(&packed, u64::MAX);
        assert_eq!(fast, Ok(body));
        assert_eq!(slow, Err("gzip: corrupt deflate stream".to_owned()));
        packed[28] ^= 1;
        assert!(both(&packed, u64::MAX).0.is_err());
    }

    #[test]
    fn one_member_is_unpacked_at_once() {
        let body = b"a 1\nb 2\n".repeat(500);
        let mut buffer = Vec::new();
        assert_eq!(at_once(&pack(&body, 1), u64::MAX, &mut buffer), Some(4000));
        assert_eq!(buffer, body);
        assert_eq!(at_once(&pack(&body, 1), 4000, &mut buffer), None);
        let mut two = [pack(&body, 1), pack(&body, 1)].concat();
        assert_eq!(at_once(&two, u64::MAX, &mut buffer), None);
        assert_eq!(unpack(&two, u64::MAX, &mut buffer).unwrap().len(), 8000);
        // What is no second member is no part of the first, however it ends.
        let second = two.len() / 2;
        two[second] ^= 1;
        assert_eq!(at_once(&two, u64::MAX, &mut buffer), None);
        assert!(unpack(&two, u64::MAX, &mut buffer).is_err());
        let nothing_and_more = [pack(b"", 1), vec![0]].concat();
        assert!(unpack(&nothing_and_more, u64::MAX, &mut buffer).is_err());
    }

    #[test]
    fn a_lie_about_the_size_takes_no_memory() {
        let mut packed = pack(b"a 1\n", 1);
        let at = packed.len() - 4;
        packed[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut buffer = Vec::new();
        assert!(unpack(&packed, u64::MAX, &mut buffer).is_err());
        assert!(buffer.capacity() < 1 << 20);
    }
}
