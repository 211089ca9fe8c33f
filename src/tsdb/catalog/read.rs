use std::sync::Arc;

use super::{END, EXEMPLARS, HEADER, Name, PAIRS, REMOVED, SERIES, VERSION, read_header};
use crate::codec::Reader;
use crate::codec::frame::{Frame, Frames};
use crate::disk::Disk;
use crate::tsdb::batch::read_id;
use crate::tsdb::error::Error;
use crate::tsdb::head::{Head, LoadedPairs};
use crate::tsdb::recovery::{Damage, Recovery};

/// Reads the files of the catalog into an empty head, in their order; returns each with its size. Damage costs
/// what it hits and is reported.
pub(crate) fn load(
    disk: &Arc<dyn Disk>,
    names: &[Name],
    head: &mut Head,
    recovery: &mut Recovery,
) -> Result<Vec<(Name, u64)>, Error> {
    let mut files = Vec::new();
    for name in names {
        let bytes = match disk.read(&name.path()) {
            Ok(bytes) => bytes,
            Err(e) if e.is_not_found() => {
                report(recovery, *name, 0, "the file is missing");
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        load_file(*name, &bytes, head, recovery)?;
        files.push((*name, bytes.len() as u64));
        recovery.checkpoints += 1;
    }
    head.settle();
    Ok(files)
}

fn report(recovery: &mut Recovery, name: Name, offset: usize, reason: &str) {
    recovery.damages.push(Damage {
        path: name.path(),
        offset: offset as u64,
        reason: reason.to_owned(),
    });
}

fn load_file(
    name: Name,
    bytes: &[u8],
    head: &mut Head,
    recovery: &mut Recovery,
) -> Result<(), Error> {
    let mut frames = Frames::new(bytes, 0, name.number);
    let mut pairs = LoadedPairs::default();
    let mut complete = false;
    let mut expected = 0;
    let outcome = loop {
        let mut failed = None;
        for frame in frames.by_ref() {
            expected = frame.sequence + 1;
            match load_frame(name, frame, head, &mut pairs) {
                Ok(end) => complete |= end,
                Err(Error::Corrupt { reason, .. }) => report(recovery, name, 0, &reason),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        if let Some(e) = failed {
            break Err(e);
        }
        if frames.is_finished() {
            break Ok(());
        }
        report(recovery, name, frames.offset(), "damaged frame");
        if !frames.resync(|kind, sequence| {
            (HEADER..=END).contains(&kind) && (expected..expected + (1 << 24)).contains(&sequence)
        }) {
            break Ok(());
        }
    };
    head.release_pairs(pairs);
    if outcome.is_ok() && !complete {
        report(recovery, name, bytes.len(), "the end is missing");
    }
    outcome
}

/// Takes over one frame; true when it is the last.
fn load_frame(
    name: Name,
    frame: Frame<'_>,
    head: &mut Head,
    pairs: &mut LoadedPairs,
) -> Result<bool, Error> {
    let corrupt = |e: crate::codec::Error| Error::corrupt(&name.path(), 0, &e);
    match frame.kind {
        HEADER => {
            let version = read_header(frame.payload).map_err(corrupt)?;
            if version > VERSION {
                return Err(Error::NewerFormat {
                    path: name.path(),
                    found: version,
                    known: VERSION,
                });
            }
        }
        REMOVED => {
            let mut reader = Reader::new(frame.payload);
            let mut ids = Vec::new();
            for _ in 0..reader.count(1).map_err(corrupt)? {
                ids.push(read_id(&mut reader).map_err(corrupt)?);
            }
            head.forget(&ids);
        }
        PAIRS => head.restore_pairs(frame.payload, pairs).map_err(corrupt)?,
        SERIES => head.restore(frame.payload, pairs).map_err(corrupt)?,
        EXEMPLARS => head.restore_exemplars(frame.payload).map_err(corrupt)?,
        END => return Ok(true),
        _ => return Err(Error::corrupt(&name.path(), 0, &"unknown frame")),
    }
    Ok(false)
}
