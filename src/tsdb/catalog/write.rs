use std::sync::Arc;

use parking_lot::RwLock;

use super::{DIR, END, EXEMPLARS, HEADER, Name, PAIRS, REMOVED, SERIES, put_header};
use crate::codec::frame;
use crate::codec::put_varint;
use crate::disk::{Disk, File};
use crate::tsdb::error::Error;
use crate::tsdb::head::{Head, PairTexts};
use crate::tsdb::wire;

/// A frame is written when it has about so many bytes.
const FRAME_BYTES: usize = 256 << 10;

/// What to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: Name,
    /// Number of the first exemplar that older files do not hold.
    pub(crate) exemplars_from: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// `None` when nothing has changed, and there is no file.
    pub(crate) bytes: Option<u64>,
    /// Number of the first exemplar that no file holds.
    pub(crate) exemplars_to: u64,
}

struct Writer {
    file: Box<dyn File>,
    salt: u64,
    frames: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Writer {
    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), Error> {
        self.buffer.clear();
        let start = frame::begin(&mut self.buffer);
        self.buffer.extend_from_slice(payload);
        if !frame::finish(&mut self.buffer, start, self.salt, kind, self.frames) {
            return Err(Error::BatchTooLarge);
        }
        self.file.append(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.frames += 1;
        Ok(())
    }
}

/// Writes a catalog file. While it runs, appends and queries go on. After an error what the head believes
/// to be saved is not true any more: the next one must be full.
pub(crate) fn write(
    disk: &Arc<dyn Disk>,
    head: &RwLock<Head>,
    plan: Plan,
) -> Result<Written, Error> {
    let path = plan.name.path();
    let temporary = format!("{path}.tmp");
    disk.create_dir(DIR)?;
    let written = write_file(disk, head, plan, &temporary).and_then(|written| {
        if written.bytes.is_none() {
            disk.remove(&temporary)?;
            return Ok(written);
        }
        disk.rename(&temporary, &path)?;
        disk.sync_dir(DIR)?;
        Ok(written)
    });
    if written.is_err() {
        // Best effort: the next start removes it.
        let _ = disk.remove(&temporary);
    }
    written
}

fn write_file(
    disk: &Arc<dyn Disk>,
    head: &RwLock<Head>,
    plan: Plan,
    path: &str,
) -> Result<Written, Error> {
    let mut writer = Writer {
        file: disk.create(path)?,
        salt: plan.name.number,
        frames: 0,
        bytes: 0,
        buffer: Vec::new(),
    };
    let mut payload = Vec::new();
    put_header(&mut payload);
    writer.frame(HEADER, &payload)?;
    let removed = head.write().take_removed();
    if !plan.name.full && !removed.is_empty() {
        payload.clear();
        put_varint(&mut payload, removed.len() as u64);
        for id in removed {
            put_varint(&mut payload, u64::from(id));
        }
        writer.frame(REMOVED, &payload)?;
    }
    write_series(&mut writer, head, plan)?;
    let exemplars_to = write_exemplars(&mut writer, head, plan)?;
    if writer.frames == 1 && !plan.name.full {
        return Ok(Written {
            bytes: None,
            exemplars_to,
        });
    }
    payload.clear();
    put_varint(&mut payload, writer.frames);
    writer.frame(END, &payload)?;
    writer.file.sync()?;
    Ok(Written {
        bytes: Some(writer.bytes),
        exemplars_to,
    })
}

fn write_series(writer: &mut Writer, head: &RwLock<Head>, plan: Plan) -> Result<(), Error> {
    let mut texts = PairTexts::default();
    let (mut payload, mut pairs) = (Vec::new(), Vec::new());
    let mut from = Some(0);
    while let Some(id) = from {
        let (captured, next) = head.write().capture(id, plan.name.full, &mut texts);
        from = next;
        pairs.clear();
        if texts.take(&mut pairs) {
            // Pairs come before the series that have them.
            writer.frame(PAIRS, &pairs)?;
        }
        for series in &captured {
            series.put(&mut payload);
        }
        if payload.len() >= FRAME_BYTES || from.is_none() && !payload.is_empty() {
            writer.frame(SERIES, &payload)?;
            payload.clear();
        }
    }
    Ok(())
}

fn write_exemplars(writer: &mut Writer, head: &RwLock<Head>, plan: Plan) -> Result<u64, Error> {
    let from = if plan.name.full {
        0
    } else {
        plan.exemplars_from
    };
    let mut payload = Vec::new();
    let to = {
        let head = head.read();
        for (labels, exemplar) in head.exemplars().since(from) {
            wire::put_labels(&mut payload, labels);
            wire::put_exemplar(&mut payload, exemplar);
        }
        head.exemplars().next()
    };
    if !payload.is_empty() {
        writer.frame(EXEMPLARS, &payload)?;
    }
    Ok(to)
}
