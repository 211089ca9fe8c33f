//! How rows are read.

use hashbrown::{HashMap, HashSet};

use super::{Base, FEW_CHANGES, LATE, WITH_ABSENT, WITH_ADDED, WITH_REST};
use crate::codec::{Error, Reader};
use crate::tsdb::batch::{Batch, SeriesId};
use crate::tsdb::wal::decimal::{self, RAW};
use crate::tsdb::wal::record::Record;

/// The bases of a log that is read.
#[derive(Debug, Clone, Default)]
pub(in crate::tsdb::wal) struct Bases {
    pub(super) by_number: HashMap<u64, Base, foldhash::fast::RandomState>,
    /// Records that rows needed and that are lost.
    lost: HashSet<u64, foldhash::fast::RandomState>,
}

/// What a row turned out to be.
#[derive(Debug)]
pub(in crate::tsdb::wal) enum Row {
    Record(Record),
    /// The base it differs from is lost.
    Baseless {
        base: u64,
        /// No row before needed it.
        is_news: bool,
    },
}

impl Bases {
    /// Reads what [`super::Streams::put`] wrote, in the same order. `sequence` is the record's number.
    pub(in crate::tsdb::wal) fn read(
        &mut self,
        payload: &[u8],
        sequence: u64,
    ) -> Result<Row, Error> {
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        let number = reader.varint()?;
        let of = reader.varint()?;
        let flags = reader.u8()?;
        let ms = reader.zigzag()?;
        let mut row = Vec::new();
        let row_ms = if of == 0 {
            let base = Base::read(reader, ms, sequence)?;
            row.extend(base.ids.iter().copied().zip(base.values.iter().copied()));
            self.by_number.insert(number, base);
            ms
        } else {
            match self.by_number.get(&number) {
                Some(base) if base.sequence == of => {
                    read_row(reader, base, flags, &mut row)?;
                    base.ms.wrapping_add(ms)
                }
                _ => {
                    let is_news = self.lost.insert(of);
                    return Ok(Row::Baseless { base: of, is_news });
                }
            }
        };
        let mut batch = if flags & WITH_REST == 0 {
            Batch::default()
        } else {
            Batch::read(reader.rest())?
        };
        if flags & WITH_REST == 0 && !reader.is_empty() {
            return Err(Error::Invalid("row"));
        }
        batch.stream = Some(number);
        batch.out_of_order = flags & LATE != 0;
        (batch.row_ms, batch.row) = (row_ms, row);
        Ok(Row::Record(Record::Batch(batch)))
    }
}

impl Base {
    fn read(reader: &mut Reader<'_>, ms: i64, sequence: u64) -> Result<Self, Error> {
        // Each series takes a byte of its value at least.
        let count = reader.count(1)?;
        let ids = read_ids(reader, count)?;
        let (values, places) = read_values(reader, count)?;
        Ok(Self {
            sequence,
            ms,
            ids,
            values,
            places,
        })
    }
}

fn read_row(
    reader: &mut Reader<'_>,
    base: &Base,
    flags: u8,
    row: &mut Vec<(SeriesId, f64)>,
) -> Result<(), Error> {
    let count = base.ids.len();
    let mut present = Vec::new();
    if flags & WITH_ABSENT != 0 {
        present = read_gaps(reader, count)?;
    }
    let mut values = base.values.clone();
    let mut change = |reader: &mut Reader<'_>, slot: usize| {
        let (Some(value), Some(places)) = (values.get_mut(slot), base.places.get(slot)) else {
            return Err(Error::Invalid("row"));
        };
        *value = read_change(reader, *value, *places)?;
        Ok(())
    };
    if flags & FEW_CHANGES != 0 {
        let mut slots = Vec::with_capacity(reader.count(1)?);
        let mut next = 0usize;
        for _ in 0..slots.capacity() {
            let gap = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
            let slot = next.saturating_add(gap);
            slots.push(slot);
            next = slot.saturating_add(1);
        }
        for slot in slots {
            change(reader, slot)?;
        }
    } else {
        let bits = reader.take(count.div_ceil(8))?;
        for (byte, bits) in bits.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                change(reader, byte * 8 + bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
            }
        }
    }
    let all = base.ids.iter().copied().zip(values).enumerate();
    row.extend(
        all.filter(|(slot, _)| present.get(*slot) != Some(&false))
            .map(|(_, sample)| sample),
    );
    if flags & WITH_ADDED != 0 {
        let count = reader.count(1)?;
        let ids = read_ids(reader, count)?;
        let (values, _) = read_values(reader, count)?;
        row.extend(ids.into_iter().zip(values));
    }
    Ok(())
}

fn read_ids(reader: &mut Reader<'_>, count: usize) -> Result<Vec<SeriesId>, Error> {
    let invalid = Error::Invalid("series number");
    let mut ids: Vec<SeriesId> = Vec::with_capacity(count);
    let mut end = 0i64;
    while ids.len() < count {
        let first = end.checked_add(reader.zigzag()?).ok_or(invalid)?;
        let length = reader.varint()?.saturating_add(1);
        if length > (count - ids.len()) as u64 {
            return Err(invalid);
        }
        end = first.checked_add(length as i64).ok_or(invalid)?;
        let last = SeriesId::try_from(end - 1).map_err(|_| invalid)?;
        ids.extend(SeriesId::try_from(first).map_err(|_| invalid)?..=last);
    }
    Ok(ids)
}

fn read_values(reader: &mut Reader<'_>, count: usize) -> Result<(Vec<f64>, Vec<u8>), Error> {
    let mut places = Vec::with_capacity(count);
    while places.len() < count {
        let like = reader.u8()?;
        let length = reader.varint()?.saturating_add(1);
        if length > (count - places.len()) as u64 || like > RAW {
            return Err(Error::Invalid("decimal"));
        }
        places.resize(places.len() + length as usize, like);
    }
    let mut values = Vec::with_capacity(count);
    for places in &places {
        values.push(if *places == RAW {
            reader.f64()?
        } else {
            let integer = reader.zigzag()?;
            decimal::scaled(integer, *places).ok_or(Error::Invalid("decimal"))?
        });
    }
    Ok((values, places))
}

fn read_change(reader: &mut Reader<'_>, before: f64, places: u8) -> Result<f64, Error> {
    if places == RAW {
        let difference = reader.varint()?.swap_bytes();
        return Ok(f64::from_bits(before.to_bits() ^ difference));
    }
    let difference = reader.zigzag()?;
    let (integer, places) = if difference == 0 {
        let places = reader.u8()?;
        if places == RAW {
            return reader.f64();
        }
        let before = decimal::unscaled(before, places).unwrap_or(0);
        (before.checked_add(reader.zigzag()?), places)
    } else {
        let before = decimal::unscaled(before, places);
        (before.and_then(|b| b.checked_add(difference)), places)
    };
    integer
        .and_then(|integer| decimal::scaled(integer, places))
        .ok_or(Error::Invalid("row"))
}

fn read_gaps(reader: &mut Reader<'_>, count: usize) -> Result<Vec<bool>, Error> {
    let mut present = Vec::with_capacity(count);
    for _ in 0..reader.count(2)? {
        let (between, length) = (reader.varint()?, reader.varint()?);
        let room = (count - present.len()) as u64;
        if between > room || length > room - between {
            return Err(Error::Invalid("row"));
        }
        present.resize(present.len() + between as usize, true);
        present.resize(present.len() + length as usize, false);
    }
    present.resize(count, true);
    Ok(present)
}
