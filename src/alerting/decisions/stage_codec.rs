//! Stages as bytes of the record on disk.

use std::sync::Arc;

use super::Stage;
use crate::alerting::NotifyReason;
use crate::alerting::journal::{put_labels, put_time, read_labels, read_time};
use crate::alerting::silence::SilenceNote;
use crate::codec::{Error, Reader, put_str, put_varint};
use crate::time::WallTime;

pub(super) fn put_stage(out: &mut Vec<u8>, stage: &Stage) {
    match stage {
        Stage::Received { resolved } => out.extend([0, u8::from(*resolved)]),
        Stage::Grouped { flush_at } => {
            out.push(1);
            put_time(out, *flush_at);
        }
        Stage::Inhibited { rule, by } => {
            out.push(2);
            put_str(out, rule);
            put_varint(out, by.len() as u64);
            for labels in by {
                put_labels(out, labels);
            }
        }
        Stage::Inactive(names) => put_names(out, 3, names),
        Stage::Muted(names) => put_names(out, 4, names),
        Stage::Silenced(notes) => {
            out.push(5);
            put_varint(out, notes.len() as u64);
            for note in notes {
                put_str(out, &note.id);
                put_str(out, &note.created_by);
                put_str(out, &note.comment);
                put_time(out, note.ends_at);
            }
        }
        Stage::Deduplicated { since } => {
            out.push(6);
            put_time(out, since.unwrap_or(WallTime::ZERO));
        }
        Stage::Intended(reason) => out.extend([7, *reason as u8]),
        Stage::Sent { attempts } => {
            out.push(8);
            put_varint(out, u64::from(*attempts));
        }
        Stage::Failed { reason, retry_at } => {
            out.push(9);
            put_str(out, reason);
            put_time(out, *retry_at);
        }
        Stage::Refused { reason } => {
            out.push(10);
            put_str(out, reason);
        }
        Stage::Superseded => out.push(11),
        Stage::FallenBack { from } => {
            out.push(12);
            put_str(out, from);
        }
        Stage::Uncertain { since } => {
            out.push(13);
            put_time(out, *since);
        }
    }
}

fn put_names(out: &mut Vec<u8>, kind: u8, names: &[String]) {
    out.push(kind);
    put_varint(out, names.len() as u64);
    for name in names {
        put_str(out, name);
    }
}

pub(super) fn read_stage(r: &mut Reader<'_>) -> Result<Stage, Error> {
    Ok(match r.u8()? {
        0 => Stage::Received {
            resolved: r.u8()? != 0,
        },
        1 => Stage::Grouped {
            flush_at: read_time(r)?,
        },
        2 => Stage::Inhibited {
            rule: r.str()?.into(),
            by: (0..r.count(1)?)
                .map(|_| read_labels(r))
                .collect::<Result<_, _>>()?,
        },
        3 => Stage::Inactive(names(r)?),
        4 => Stage::Muted(names(r)?),
        5 => Stage::Silenced(
            (0..r.count(4)?)
                .map(|_| {
                    Ok(Arc::new(SilenceNote {
                        id: r.str()?.to_owned(),
                        created_by: r.str()?.to_owned(),
                        comment: r.str()?.to_owned(),
                        ends_at: read_time(r)?,
                    }))
                })
                .collect::<Result<_, Error>>()?,
        ),
        6 => Stage::Deduplicated {
            since: Some(read_time(r)?).filter(|since| !since.is_zero()),
        },
        7 => {
            let reason = r.u8()?;
            let known = NotifyReason::ALL.get(usize::from(reason));
            Stage::Intended(*known.ok_or(Error::Invalid("reason"))?)
        }
        8 => Stage::Sent {
            attempts: u32::try_from(r.varint()?).unwrap_or(u32::MAX),
        },
        9 => Stage::Failed {
            reason: r.str()?.to_owned(),
            retry_at: read_time(r)?,
        },
        10 => Stage::Refused {
            reason: r.str()?.to_owned(),
        },
        11 => Stage::Superseded,
        12 => Stage::FallenBack {
            from: r.str()?.into(),
        },
        13 => Stage::Uncertain {
            since: read_time(r)?,
        },
        _ => return Err(Error::Invalid("stage")),
    })
}

fn names(r: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    (0..r.count(1)?).map(|_| Ok(r.str()?.to_owned())).collect()
}
