use std::sync::Arc;

use super::record::{ROW, Record, SEGMENT, SegmentHeader, VERSION, is_record};
use super::row::{Bases, Row};
use super::{Closed, DIR, path};
use crate::codec::frame::Frames;
use crate::disk::Disk;
use crate::tsdb::error::Error;
use crate::tsdb::recovery::{Damage, Progress, Recovery};

/// After damage, records further ahead than this are not believed.
const JUMP_MAX: u64 = 1 << 24;

/// A segment's header has fewer bytes than this; the smallest record after it makes it longer.
const HEADER_BYTES_MAX: usize = 48;

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// The newest record, or the checkpoint's when the log has none.
    pub(crate) sequence: u64,
    /// All segments, oldest first.
    pub(crate) segments: Vec<Closed>,
}

/// What the segments before have shown.
#[derive(Debug, Default)]
struct Seen {
    /// The newest record that was read, whether it was applied or not.
    last_read: Option<u64>,
    bases: Bases,
}

struct Found {
    number: u64,
    bytes: Vec<u8>,
    header: Option<SegmentHeader>,
    /// Where records begin.
    start: usize,
}

/// Reads the log and hands every good record after number `after` to `apply`, in order. Damage costs what
/// it hits and is reported.
pub(crate) fn replay(
    disk: &Arc<dyn Disk>,
    after: u64,
    recovery: &mut Recovery,
    progress: &Progress,
    mut apply: impl FnMut(u64, Record),
) -> Result<Replayed, Error> {
    let mut numbers: Vec<u64> = disk
        .list(DIR)?
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort_unstable();
    progress.start(
        numbers.first().copied().unwrap_or(0),
        numbers.last().copied().unwrap_or(0),
    );
    let mut replayed = Replayed {
        sequence: after,
        segments: Vec::with_capacity(numbers.len()),
    };
    let mut numbers = numbers.into_iter();
    let mut torn = Vec::new();
    let mut next = read_next(disk, &mut numbers, &mut torn)?;
    let mut seen = Seen::default();
    loop {
        let after = replayed.sequence;
        replayed
            .segments
            .extend(torn.drain(..).map(|number| Closed {
                number,
                last_sequence: after,
                bytes: 0,
                damaged: false,
            }));
        let Some(segment) = next else {
            return Ok(replayed);
        };
        next = read_next(disk, &mut numbers, &mut torn)?;
        let until = match &next {
            Some(following) => following.header.map(|header| header.previous),
            None => Some(u64::MAX),
        };
        progress.reach(segment.number);
        let damaged = read_segment(
            &segment,
            until,
            next.is_none(),
            &mut seen,
            &mut replayed.sequence,
            recovery,
            &mut apply,
        );
        replayed.segments.push(Closed {
            number: segment.number,
            last_sequence: replayed.sequence,
            bytes: segment.bytes.len() as u64,
            damaged,
        });
    }
}

/// Reads the next segment. Those that a crash or failure left without a header are only noted.
fn read_next(
    disk: &Arc<dyn Disk>,
    numbers: &mut impl Iterator<Item = u64>,
    torn: &mut Vec<u64>,
) -> Result<Option<Found>, Error> {
    for number in numbers {
        let bytes = disk.read(&path(number))?;
        let mut frames = Frames::new(&bytes, 0, number);
        let header = frames
            .next()
            .filter(|frame| frame.kind == SEGMENT)
            .and_then(|frame| SegmentHeader::read(frame.payload).ok());
        let start = if header.is_some() { frames.offset() } else { 0 };
        match header {
            Some(header) if header.version > VERSION => {
                return Err(Error::NewerFormat {
                    path: path(number),
                    found: header.version,
                    known: VERSION,
                });
            }
            None if bytes.len() < HEADER_BYTES_MAX => {
                torn.push(number);
                continue;
            }
            _ => {}
        }
        return Ok(Some(Found {
            number,
            bytes,
            header,
            start,
        }));
    }
    Ok(None)
}

/// Reads one segment up to record `until`; returns whether it is damaged.
fn read_segment(
    segment: &Found,
    until: Option<u64>,
    is_last: bool,
    seen: &mut Seen,
    applied: &mut u64,
    recovery: &mut Recovery,
    apply: &mut impl FnMut(u64, Record),
) -> bool {
    let mut damaged = false;
    let mut report = |offset: usize, reason: &str, recovery: &mut Recovery| {
        damaged = true;
        recovery.damages.push(Damage {
            path: path(segment.number),
            offset: offset as u64,
            reason: reason.to_owned(),
        });
    };
    match segment.header {
        Some(header) => {
            if seen.last_read.is_some_and(|last| last < header.previous)
                && header.previous > *applied
            {
                report(0, "records before this segment are missing", recovery);
            }
            seen.last_read = Some(seen.last_read.unwrap_or(0).max(header.previous));
        }
        None => report(0, "segment header is damaged", recovery),
    }
    let mut frames = Frames::new(&segment.bytes, segment.start, segment.number);
    loop {
        for frame in frames.by_ref() {
            if until.is_some_and(|until| frame.sequence > until) {
                return damaged;
            }
            if frame.kind == SEGMENT {
                continue;
            }
            seen.last_read = Some(seen.last_read.unwrap_or(0).max(frame.sequence));
            if frame.sequence <= *applied {
                continue;
            }
            let read = if frame.kind == ROW {
                seen.bases.read(frame.payload, frame.sequence)
            } else {
                Record::read(frame.kind, frame.payload).map(Row::Record)
            };
            match read {
                Ok(Row::Baseless { base, is_news }) => {
                    *applied = frame.sequence;
                    if is_news {
                        let text = format!(
                            "record {}: record {base}, which it needs, is lost",
                            frame.sequence
                        );
                        report(
                            frames_offset(&segment.bytes, frame.payload),
                            &text,
                            recovery,
                        );
                    }
                }
                Ok(Row::Record(record)) => {
                    *applied = frame.sequence;
                    recovery.records += 1;
                    apply(frame.sequence, record);
                }
                Err(e) => {
                    let text = format!("record {}: {e}", frame.sequence);
                    report(
                        frames_offset(&segment.bytes, frame.payload),
                        &text,
                        recovery,
                    );
                }
            }
        }
        if frames.is_finished() {
            return damaged;
        }
        let complete =
            until.is_some_and(|until| seen.last_read.unwrap_or(0).max(*applied) >= until);
        if complete {
            return damaged;
        }
        let offset = frames.offset();
        let last = seen.last_read.unwrap_or(0);
        let found = frames.resync(|kind, sequence| {
            is_record(kind)
                && sequence > last
                && sequence - last < JUMP_MAX
                && until.is_none_or(|until| sequence <= until)
        });
        if found {
            report(offset, "damaged record", recovery);
        } else if is_last {
            recovery.torn_bytes += (segment.bytes.len() - offset) as u64;
            return damaged;
        } else {
            report(offset, "damaged end of segment", recovery);
            return damaged;
        }
    }
}

/// Where a payload lies in its segment.
fn frames_offset(bytes: &[u8], payload: &[u8]) -> usize {
    (payload.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize)
}
