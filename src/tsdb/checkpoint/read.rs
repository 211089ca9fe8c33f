use std::sync::Arc;

use super::{DIR, END, EXEMPLARS, HEADER, Header, Name, REMOVED, SERIES, VERSION};
use crate::codec::Reader;
use crate::codec::frame::{Frame, Frames};
use crate::disk::Disk;
use crate::tsdb::batch::read_id;
use crate::tsdb::error::Error;
use crate::tsdb::head::Head;
use crate::tsdb::recovery::{Damage, Recovery};

/// What loading found.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The state holds what records up to this one brought.
    pub(crate) sequence: u64,
    /// The files that make up the state, oldest first, each with its size.
    pub(crate) files: Vec<(Name, u64)>,
    /// Files that are of no use any more.
    pub(crate) leftovers: Vec<String>,
    /// A file is damaged: write a full one soon.
    pub(crate) damaged: bool,
}

/// Reads the newest full checkpoint and the deltas after it into an empty head. Damage costs what it hits
/// and is reported.
pub(crate) fn load(
    disk: &Arc<dyn Disk>,
    head: &mut Head,
    recovery: &mut Recovery,
) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    let mut names = Vec::new();
    for file in disk.list(DIR)? {
        match Name::parse(&file) {
            Some(name) => names.push(name),
            None => loaded.leftovers.push(format!("{DIR}/{file}")),
        }
    }
    names.sort_unstable_by_key(|name| (name.number, name.full));
    let first = names.iter().rposition(|name| name.full).unwrap_or(0);
    loaded
        .leftovers
        .extend(names.drain(..first).map(Name::path));
    if let Some(first) = names.first()
        && !first.full
    {
        report(
            recovery,
            *first,
            0,
            "the full checkpoint before it is missing",
        );
        loaded.damaged = true;
    }
    for name in names {
        let damages = recovery.damages.len();
        if loaded
            .files
            .last()
            .is_some_and(|(last, _)| last.number + 1 != name.number)
        {
            report(recovery, name, 0, "a checkpoint before this one is missing");
        }
        let bytes = disk.read(&name.path())?;
        load_file(name, &bytes, head, &mut loaded, recovery)?;
        loaded.files.push((name, bytes.len() as u64));
        loaded.damaged |= recovery.damages.len() > damages;
        recovery.checkpoints += 1;
    }
    Ok(loaded)
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
    loaded: &mut Loaded,
    recovery: &mut Recovery,
) -> Result<(), Error> {
    let mut frames = Frames::new(bytes, 0, name.number);
    let mut complete = false;
    let mut expected = 0;
    loop {
        for frame in frames.by_ref() {
            expected = frame.sequence + 1;
            match load_frame(name, frame, head, loaded) {
                Ok(end) => complete |= end,
                Err(Error::Corrupt { reason, .. }) => report(recovery, name, 0, &reason),
                Err(e) => return Err(e),
            }
        }
        if frames.is_finished() {
            break;
        }
        report(recovery, name, frames.offset(), "damaged frame");
        if !frames.resync(|kind, sequence| {
            (HEADER..=END).contains(&kind) && (expected..expected + (1 << 24)).contains(&sequence)
        }) {
            break;
        }
    }
    if !complete {
        report(recovery, name, bytes.len(), "the end is missing");
    }
    Ok(())
}

/// Takes over one frame; true when it is the last.
fn load_frame(
    name: Name,
    frame: Frame<'_>,
    head: &mut Head,
    loaded: &mut Loaded,
) -> Result<bool, Error> {
    let corrupt = |e: crate::codec::Error| Error::corrupt(&name.path(), 0, &e);
    match frame.kind {
        HEADER => {
            let header = Header::read(frame.payload).map_err(corrupt)?;
            if header.version > VERSION {
                return Err(Error::NewerFormat {
                    path: name.path(),
                    found: header.version,
                    known: VERSION,
                });
            }
            loaded.sequence = loaded.sequence.max(header.sequence);
            head.resume(header.sequence, header.next_id, header.span);
        }
        REMOVED => {
            let mut reader = Reader::new(frame.payload);
            let mut ids = Vec::new();
            for _ in 0..reader.count(1).map_err(corrupt)? {
                ids.push(read_id(&mut reader).map_err(corrupt)?);
            }
            head.forget(&ids);
        }
        SERIES => head.restore(frame.payload).map_err(corrupt)?,
        EXEMPLARS => head.restore_exemplars(frame.payload).map_err(corrupt)?,
        END => return Ok(true),
        _ => return Err(Error::corrupt(&name.path(), 0, &"unknown frame")),
    }
    Ok(false)
}
