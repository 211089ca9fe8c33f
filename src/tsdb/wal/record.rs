use crate::codec::{Error, Reader, put_u64, put_varint, put_zigzag};
use crate::tsdb::batch::{Batch, SeriesId, read_id};

/// The log's version; a newer one is refused.
///
/// Version 1 had no rows.
pub(crate) const VERSION: u64 = 2;

const MAGIC: u64 = u64::from_le_bytes(*b"wf-wal\0\0");

/// Kinds of frames.
pub(super) const SEGMENT: u8 = 1;
pub(super) const BATCH: u8 = 2;
pub(super) const DELETE: u8 = 3;
pub(super) const ROW: u8 = 4;

/// Whether a frame's kind is that of a record.
pub(super) const fn is_record(kind: u8) -> bool {
    matches!(kind, BATCH | DELETE | ROW)
}

/// What the log says happened.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// A commit.
    Batch(Batch),
    /// Times of series were deleted.
    Delete {
        ids: Vec<SeriesId>,
        min_ms: i64,
        max_ms: i64,
    },
}

impl Record {
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Batch(_) => BATCH,
            Self::Delete { .. } => DELETE,
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Batch(batch) => batch.put(out),
            Self::Delete {
                ids,
                min_ms,
                max_ms,
            } => {
                put_zigzag(out, *min_ms);
                put_zigzag(out, *max_ms);
                put_varint(out, ids.len() as u64);
                for id in ids {
                    put_varint(out, u64::from(*id));
                }
            }
        }
    }

    pub(super) fn read(kind: u8, payload: &[u8]) -> Result<Self, Error> {
        match kind {
            BATCH => Ok(Self::Batch(Batch::read(payload)?)),
            DELETE => {
                let mut reader = Reader::new(payload);
                let min_ms = reader.zigzag()?;
                let max_ms = reader.zigzag()?;
                let mut ids = Vec::new();
                for _ in 0..reader.count(1)? {
                    ids.push(read_id(&mut reader)?);
                }
                Ok(Self::Delete {
                    ids,
                    min_ms,
                    max_ms,
                })
            }
            _ => Err(Error::Invalid("record kind")),
        }
    }
}

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) version: u64,
    /// The newest record that was written before this segment: what an older segment holds beyond it was
    /// torn or refused.
    pub(super) previous: u64,
}

impl SegmentHeader {
    pub(super) fn put(self, out: &mut Vec<u8>) {
        put_u64(out, MAGIC);
        put_varint(out, self.version);
        put_varint(out, self.previous);
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        if reader.u64()? != MAGIC {
            return Err(Error::Invalid("segment"));
        }
        Ok(Self {
            version: reader.varint()?,
            previous: reader.varint()?,
        })
    }
}
