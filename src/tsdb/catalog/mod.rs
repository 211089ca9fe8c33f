//! The catalog: labels, metadata and deleted times of series, and exemplars. What the log would have to say
//! again beside the samples, which are in blocks.
//!
//! A full file holds everything, a delta what changed since the file before it. The manifest names the files
//! that count.

mod read;
mod write;

use crate::codec::{Error, Reader, put_u64, put_varint};

pub(crate) use read::load;
pub(crate) use write::{Plan, write};

/// The folder of the catalog.
pub(crate) const DIR: &str = "tsdb/catalog";

/// The version of catalog files; a newer one is refused.
pub(crate) const VERSION: u64 = 2;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-cat\0\0");

/// Kinds of frames.
const HEADER: u8 = 1;
const REMOVED: u8 = 2;
const PAIRS: u8 = 3;
const SERIES: u8 = 4;
const EXEMPLARS: u8 = 5;
const END: u8 = 6;

/// A catalog file.
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

/// What a file begins with.
fn put_header(out: &mut Vec<u8>) {
    put_u64(out, MAGIC);
    put_varint(out, VERSION);
}

/// The version of a file.
fn read_header(payload: &[u8]) -> Result<u64, Error> {
    let mut reader = Reader::new(payload);
    if reader.u64()? != MAGIC {
        return Err(Error::Invalid("catalog"));
    }
    reader.varint()
}
