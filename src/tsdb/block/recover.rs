//! A block whose ends are damaged: what do its pages say?

use super::page::Page;
use super::{Block, FOOTER, Footer, HEADER, Header, PAGE, SeriesSpan, path, read_range};
use crate::codec::frame::{self, Frames, HEADER_BYTES};
use crate::disk::File;
use crate::tsdb::error::Error;

/// Bytes that are searched at once for the next good frame.
const WINDOW_BYTES: u64 = 4 << 20;

/// A frame that claims to be longer is not believed.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// Finds every good page of a block.
pub(super) fn recover(file: Box<dyn File>, number: u64) -> Result<(Block, Vec<SeriesSpan>), Error> {
    let bytes = file.size()?;
    let mut found = Found {
        header: Header {
            level: 0,
            // Unknown, so that no deletion is applied twice and none is forgotten.
            through: 0,
        },
        footer: Footer {
            min_ms: i64::MAX,
            max_ms: i64::MIN,
            ..Footer::default()
        },
        ..Found::default()
    };
    let mut offset = 0;
    while offset < bytes {
        let head = read_range(&*file, offset, HEADER_BYTES as u64)?;
        let length = frame::Header::parse(&head)
            .map(|head| HEADER_BYTES as u64 + u64::from(head.length))
            .filter(|length| *length <= FRAME_BYTES_MAX.min(bytes - offset));
        if let Some(length) = length {
            let frame = read_range(&*file, offset, length)?;
            if found.take(&frame, offset, number) {
                offset += length;
                continue;
            }
        }
        offset = next_frame(&*file, offset + 1, bytes, number)?;
    }
    found.footer.series = found.spans.len() as u64;
    let end = found.offsets.last().map_or(0, |(_, end)| *end);
    found.footer.pages_end = end;
    // A damaged page between two good ones is part of the first's stretch; its frame says where it ends.
    let block = Block::new(
        number,
        found.header,
        found.footer,
        bytes,
        file,
        found.first_ids,
        found
            .offsets
            .iter()
            .map(|(start, _)| *start)
            .chain([end])
            .collect(),
    );
    if block.first_ids.is_empty() {
        return Err(Error::corrupt(&path(number), 0, &"no page is readable"));
    }
    Ok((block, found.spans))
}

#[derive(Default)]
struct Found {
    header: Header,
    footer: Footer,
    first_ids: Vec<u32>,
    /// Where each page begins and ends.
    offsets: Vec<(u64, u64)>,
    spans: Vec<SeriesSpan>,
}

impl Found {
    /// Takes a frame in; false when it is none.
    fn take(&mut self, bytes: &[u8], offset: u64, number: u64) -> bool {
        let Some(frame) = Frames::new(bytes, 0, number).next() else {
            return false;
        };
        match frame.kind {
            HEADER => {
                if let Ok((header, _)) = Header::read(frame.payload) {
                    self.header = header;
                }
            }
            PAGE => {
                // A page that makes no sense is left out.
                let _ = self.take_page(frame.payload, offset, offset + bytes.len() as u64);
            }
            _ => {}
        }
        true
    }

    fn take_page(&mut self, payload: &[u8], from: u64, to: u64) -> Result<(), crate::codec::Error> {
        let page = Page::parse(payload)?;
        let mut spans = Vec::new();
        let mut samples = 0;
        page.walk(|id, places| {
            if let (Some(first), Some(last)) = (places.first(), places.last()) {
                let run = last.read();
                samples += places.iter().map(|place| place.count() as u64).sum::<u64>();
                spans.push(SeriesSpan {
                    id,
                    first_ms: first.min_ms,
                    last_ms: last.max_ms,
                    is_histogram: matches!(run, Ok(super::Run::Chunk(chunk)) if chunk.is_histogram()),
                });
            }
            true
        })?;
        let Some(first) = spans.first().map(|span| span.id) else {
            return Ok(());
        };
        // Numbers rise from page to page.
        if self.spans.last().is_some_and(|last| last.id >= first) {
            return Ok(());
        }
        for span in &spans {
            self.footer.min_ms = self.footer.min_ms.min(span.first_ms);
            self.footer.max_ms = self.footer.max_ms.max(span.last_ms);
        }
        self.footer.samples += samples;
        self.first_ids.push(first);
        self.offsets.push((from, to));
        self.spans.append(&mut spans);
        Ok(())
    }
}

/// What a look through a block's file found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
    /// Each damage: where, and what.
    pub(crate) damages: Vec<(u64, String)>,
}

/// Reads every frame of a block. Behind damage it goes on with the next good frame.
pub(super) fn verify(file: &dyn File, number: u64) -> Result<Checked, Error> {
    let bytes = file.size()?;
    let mut checked = Checked {
        bytes,
        ..Checked::default()
    };
    let (mut offset, mut last) = (0, 0);
    while offset < bytes {
        let head = read_range(file, offset, HEADER_BYTES as u64)?;
        let length = frame::Header::parse(&head)
            .map(|head| HEADER_BYTES as u64 + u64::from(head.length))
            .filter(|length| *length <= FRAME_BYTES_MAX.min(bytes - offset));
        let frame = match length {
            Some(length) => read_range(file, offset, length)?,
            None => Vec::new(),
        };
        let Some(good) = Frames::new(&frame, 0, number).next() else {
            checked.damages.push((offset, "damaged frame".to_owned()));
            offset = next_frame(file, offset + 1, bytes, number)?;
            continue;
        };
        last = good.kind;
        if good.kind == PAGE {
            checked.pages += 1;
            if let Err(e) = read_all(good.payload) {
                checked.damages.push((offset, e.to_string()));
            }
        }
        offset += frame.len() as u64;
    }
    if last != FOOTER {
        checked
            .damages
            .push((bytes, "the end is missing".to_owned()));
    }
    Ok(checked)
}

/// Decodes every run of a page.
fn read_all(payload: &[u8]) -> Result<(), crate::codec::Error> {
    let mut read = Ok(());
    Page::parse(payload)?.walk(|_, places| {
        read = places.iter().try_for_each(|place| place.read().map(drop));
        read.is_ok()
    })?;
    read
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
