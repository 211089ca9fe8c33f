//! Checkpoints: what the log would have to say again, in a compact form, so that it can be cut.
//!
//! A full checkpoint holds everything, a delta what changed since the file before it. Each is written
//! beside, synced and renamed, and stands for all records up to its number. The newest full one and the
//! deltas after it are the state; older files are leftovers of a crash.

mod read;
mod write;

use crate::codec::{Error, Reader, put_u64, put_varint, put_zigzag};
use crate::tsdb::batch::{SeriesId, read_id};

pub(crate) use read::load;
pub(crate) use write::{Plan, write};

/// The folder of the checkpoints.
pub(crate) const DIR: &str = "tsdb/checkpoint";

/// The version of checkpoints; a newer one is refused.
pub(crate) const VERSION: u64 = 1;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-chk\0\0");

/// Kinds of frames.
const HEADER: u8 = 1;
const REMOVED: u8 = 2;
const SERIES: u8 = 3;
const EXEMPLARS: u8 = 4;
const END: u8 = 5;

/// A checkpoint file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) number: u64,
    pub(crate) full: bool,
}

impl Name {
    pub(crate) fn path(self) -> String {
        let kind = if self.full { "full" } else { "delta" };
        format!("{DIR}/{:08}.{kind}", self.number)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (number, kind) = name.split_once('.')?;
        Some(Self {
            number: number.parse().ok()?,
            full: match kind {
                "full" => true,
                "delta" => false,
                _ => return None,
            },
        })
    }
}

/// What a checkpoint begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    version: u64,
    /// It holds what records up to this one brought.
    sequence: u64,
    next_id: SeriesId,
    span: Option<(i64, i64)>,
}

impl Header {
    fn put(self, out: &mut Vec<u8>) {
        put_u64(out, MAGIC);
        put_varint(out, self.version);
        put_varint(out, self.sequence);
        put_varint(out, u64::from(self.next_id));
        out.push(u8::from(self.span.is_some()));
        if let Some((min, max)) = self.span {
            put_zigzag(out, min);
            put_zigzag(out, max);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        if reader.u64()? != MAGIC {
            return Err(Error::Invalid("checkpoint"));
        }
        Ok(Self {
            version: reader.varint()?,
            sequence: reader.varint()?,
            next_id: read_id(&mut reader)?,
            span: match reader.u8()? {
                0 => None,
                _ => Some((reader.zigzag()?, reader.zigzag()?)),
            },
        })
    }
}
