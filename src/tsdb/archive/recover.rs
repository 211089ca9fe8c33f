//! An archive whose end is damaged: what do its pages say?

use super::directory::{Directory, Name, ValuesPage};
use super::{
    DIRECTORY, FOOTER, HASH_BYTES, HASHES, HEADER, LIST, SERIES, VALUES, frame_at, read_range,
    series, split_hash, values,
};
use crate::codec;
use crate::codec::frame::{Frame, Frames};
use crate::disk::File;
use crate::tsdb::error::Error;
use crate::tsdb::head::List;

/// Bytes that are searched at once for the next good frame.
const WINDOW_BYTES: u64 = 4 << 20;

/// Makes the directory again from all good pages.
pub(super) fn directory(file: &dyn File, number: u64) -> Result<Directory, Error> {
    let mut directory = Directory::new();
    // Frames are numbered; all up to the list of all series must be there, which comes after the hashes.
    let (mut expected, mut last) = (0, 0);
    walk(file, number, |offset, found| {
        if let Found::Frame(frame) = found
            && frame.kind < DIRECTORY
        {
            directory.is_partial |= frame.sequence != expected;
            (expected, last) = (frame.sequence + 1, frame.kind);
            let taken = take(&mut directory, offset, frame.kind, frame.payload);
            directory.is_partial |= taken.is_err();
        }
    })?;
    directory.is_partial |= last != LIST || directory.hashes.is_empty();
    Ok(directory)
}

fn take(
    directory: &mut Directory,
    offset: u64,
    kind: u8,
    payload: &[u8],
) -> Result<(), codec::Error> {
    match kind {
        SERIES => {
            let page = series::Page::parse(payload.to_vec())?;
            let entries = page.ids().filter_map(|id| page.entry(id));
            for entry in entries {
                directory.series += 1;
                directory.tombstones += u64::from(!entry.tombstones.is_empty());
                directory.first_ms = directory.first_ms.min(entry.first_ms);
                directory.last_ms = directory.last_ms.max(entry.last_ms);
            }
            if let Some(first) = page.ids().next() {
                directory.pages.push((first, offset));
            }
        }
        VALUES => {
            let page = values::Page::parse(payload.to_vec())?;
            let Some(first) = page.values.first() else {
                return Ok(());
            };
            let spans = page.values.iter();
            let (first_ms, last_ms) = spans.fold((i64::MAX, i64::MIN), |(first, last), value| {
                (first.min(value.first_ms), last.max(value.last_ms))
            });
            let name = page.name();
            match directory.names.last_mut().filter(|n| *n.text == *name) {
                Some(last) => {
                    last.first_ms = last.first_ms.min(first_ms);
                    last.last_ms = last.last_ms.max(last_ms);
                }
                None => directory.names.push(Name {
                    text: name.into(),
                    first_ms,
                    last_ms,
                    page: directory.values.len(),
                }),
            }
            directory.values.push(ValuesPage {
                first: page.text(first).into(),
                offset,
            });
        }
        HASHES => {
            let (entries, _) = payload.as_chunks::<HASH_BYTES>();
            if let Some(first) = entries.first() {
                directory.hashes.push((split_hash(*first).0, offset));
            }
        }
        // The last one stays.
        LIST => directory.all = (offset, payload.len() as u64),
        _ => {}
    }
    Ok(())
}

/// What a look through an archive's file found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) bytes: u64,
    /// Each damage: where, and what.
    pub(crate) damages: Vec<(u64, String)>,
}

/// Reads every frame of an archive. Behind damage it goes on with the next good frame.
pub(crate) fn verify(file: &dyn File, number: u64) -> Result<Checked, Error> {
    let mut checked = Checked {
        bytes: file.size()?,
        ..Checked::default()
    };
    let mut last = 0;
    let damages = &mut checked.damages;
    walk(file, number, |offset, found| match found {
        Found::Frame(frame) => {
            last = frame.kind;
            if let Err(e) = read_all(frame.kind, frame.payload) {
                damages.push((offset, e.to_string()));
            }
        }
        Found::Damage => damages.push((offset, "damaged frame".to_owned())),
    })?;
    if last != FOOTER {
        let end = checked.bytes;
        checked.damages.push((end, "the end is missing".to_owned()));
    }
    Ok(checked)
}

/// Decodes all that a frame has.
fn read_all(kind: u8, payload: &[u8]) -> Result<(), codec::Error> {
    match kind {
        SERIES => series::Page::parse(payload.to_vec()).map(drop),
        VALUES => {
            let page = values::Page::parse(payload.to_vec())?;
            page.values.iter().try_for_each(|value| match &value.place {
                values::Place::Here(range) => List::read(page.bytes(range)).map(drop),
                values::Place::Apart(..) => Ok(()),
            })
        }
        LIST => List::read(payload).map(drop),
        DIRECTORY => Directory::read(payload).map(drop),
        _ => Ok(()),
    }
}

/// What there is at an offset.
enum Found<'a> {
    Frame(Frame<'a>),
    Damage,
}

/// Hands over every good frame with its kind and payload, and every damage.
fn walk(file: &dyn File, number: u64, mut each: impl FnMut(u64, Found<'_>)) -> Result<(), Error> {
    let (mut offset, end) = (0, file.size()?);
    while offset < end {
        let bytes = frame_at(file, offset, end)?;
        if let Some(frame) = Frames::new(&bytes, 0, number).next() {
            each(offset, Found::Frame(frame));
            offset += bytes.len() as u64;
        } else {
            each(offset, Found::Damage);
            offset = next_frame(file, offset + 1, end, number)?;
        }
    }
    Ok(())
}

/// The next place from `offset` on where a good frame begins; the end when there is none.
fn next_frame(file: &dyn File, mut offset: u64, end: u64, number: u64) -> Result<u64, Error> {
    while offset < end {
        let window = read_range(file, offset, WINDOW_BYTES.min(end - offset))?;
        let mut frames = Frames::new(&window, 0, number);
        if frames.resync(|kind, _| (HEADER..=FOOTER).contains(&kind)) {
            return Ok(offset + frames.offset() as u64);
        }
        // A frame that the window cuts is found from the next, which begins half a window later.
        offset += (window.len() as u64 / 2).max(1);
    }
    Ok(end)
}
