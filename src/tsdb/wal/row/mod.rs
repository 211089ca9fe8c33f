//! Batches of a stream as rows: one time, and of the values only what has changed.
//!
//! A scrape brings the same series in the same order again and again. The first row of a stream is a *base*: it names
//! the series and has every value. The rows after it name the base, and say which values differ from it and
//! by how much. No row needs any other, so a lost row costs its own samples, and a lost base those up to the
//! next, which is never more than [`ROWS_MAX`] away. A base never lies before the flush after which its rows were
//! written, so that cutting the log leaves none without.

mod read;

use hashbrown::HashMap;

use super::decimal::{self, RAW};
use crate::codec::{put_f64, put_varint, put_zigzag};
use crate::tsdb::batch::{Batch, SeriesId};

pub(super) use read::{Bases, Row};

/// A base has at most so many rows after it.
pub(super) const ROWS_MAX: u32 = 32;

/// Batches with fewer samples of one time are no rows.
const SAMPLES_MIN: usize = 4;

/// Series out of their order that are searched for one by one; for more there is a map.
const SEARCHES_MAX: usize = 16;

/// What a row's flags say.
const LATE: u8 = 1;
const WITH_REST: u8 = 1 << 1;
const WITH_ABSENT: u8 = 1 << 2;
const WITH_ADDED: u8 = 1 << 3;
const FEW_CHANGES: u8 = 1 << 4;

/// What the rows after it differ from.
#[derive(Debug, Clone, Default)]
struct Base {
    /// The record that has it.
    sequence: u64,
    ms: i64,
    ids: Vec<SeriesId>,
    values: Vec<f64>,
    /// Places of each value's decimal.
    places: Vec<u8>,
}

/// The streams that are written, since the newest flush.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_key: HashMap<u64, Stream, foldhash::fast::RandomState>,
    next_number: u64,
    row: Placed,
}

#[derive(Debug)]
struct Stream {
    number: u64,
    base: Base,
    /// Places that the next base shall have: those that its rows needed.
    places: Vec<u8>,
    base_bytes: usize,
    rows: u32,
    /// Of the smallest row since the base.
    least_bytes: usize,
    /// How much larger the others were in sum.
    excess_bytes: usize,
}

/// A row that is about to be written.
#[derive(Debug)]
pub(super) struct Pending {
    key: u64,
    number: u64,
    bytes: usize,
    base: Option<Base>,
}

/// Values in the order of a base's series.
#[derive(Debug, Default)]
struct Placed {
    values: Vec<f64>,
    /// Which series of the base the row has; empty for all.
    present: Vec<bool>,
    added: Vec<(SeriesId, f64)>,
}

impl Streams {
    /// Lets the next row of every stream be a base.
    pub(super) fn clear(&mut self) {
        self.by_key.clear();
    }

    /// Appends a batch as a row of a stream; `None`, and nothing appended, when it is better written otherwise.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, key: u64, batch: &Batch) -> Option<Pending> {
        if batch.row.len() < SAMPLES_MIN {
            return None;
        }
        let start = out.len();
        let number = if let Some(stream) = self.by_key.get_mut(&key) {
            // What a target leaves behind when it fails is no reason to forget what it usually has.
            if batch.row.len() * 2 < stream.base.ids.len() {
                return None;
            }
            if !stream.is_spent() && self.row.place(&stream.base, &batch.row) {
                self.row.put(out, stream, batch);
                return Some(Pending {
                    key,
                    number: stream.number,
                    bytes: out.len() - start,
                    base: None,
                });
            }
            stream.number
        } else {
            self.next_number += 1;
            self.next_number
        };
        let base = Base::of(batch, self.by_key.get(&key));
        base.put(out, number, batch);
        Some(Pending {
            key,
            number,
            bytes: out.len() - start,
            base: Some(base),
        })
    }

    /// Notes that a row is in the log as record `sequence`.
    pub(super) fn written(&mut self, row: Pending, sequence: u64) {
        let Some(mut base) = row.base else {
            if let Some(stream) = self.by_key.get_mut(&row.key) {
                stream.rows += 1;
                let least = stream.least_bytes.min(row.bytes);
                stream.excess_bytes += row.bytes - least;
                stream.least_bytes = least;
            }
            return;
        };
        base.sequence = sequence;
        self.by_key.insert(
            row.key,
            Stream {
                // The one under which it is in the log, even if the stream was forgotten meanwhile.
                number: row.number,
                places: base.places.clone(),
                base,
                base_bytes: row.bytes,
                rows: 0,
                least_bytes: usize::MAX,
                excess_bytes: 0,
            },
        );
    }
}

impl Stream {
    /// Whether a new base is due: the rows have grown by more than what it costs, or there are too many.
    const fn is_spent(&self) -> bool {
        let cost = self.base_bytes.saturating_sub(self.least_bytes);
        self.rows >= ROWS_MAX || self.rows > 0 && self.excess_bytes > cost
    }
}

impl Base {
    fn of(batch: &Batch, before: Option<&Stream>) -> Self {
        let mut base = Self {
            sequence: 0,
            ms: batch.row_ms,
            ids: Vec::with_capacity(batch.row.len()),
            values: Vec::with_capacity(batch.row.len()),
            places: Vec::with_capacity(batch.row.len()),
        };
        for (slot, (id, value)) in batch.row.iter().enumerate() {
            // Mostly the series has its old slot.
            let like = before.filter(|before| before.base.ids.get(slot) == Some(id));
            let like = like.and_then(|before| before.places.get(slot)).copied();
            base.ids.push(*id);
            base.values.push(*value);
            base.places.push(decimal::places(*value, like.unwrap_or(0)));
        }
        base
    }

    fn put(&self, out: &mut Vec<u8>, number: u64, batch: &Batch) {
        put_varint(out, number);
        put_varint(out, 0);
        out.push(flags(batch));
        put_zigzag(out, self.ms);
        put_varint(out, self.ids.len() as u64);
        put_ids(out, &self.ids);
        put_values(out, &self.values, &self.places);
        put_rest(out, batch);
    }
}

impl Placed {
    /// Sorts a row's values by the series of a base. False when too few of them are there.
    fn place(&mut self, base: &Base, row: &[(SeriesId, f64)]) -> bool {
        self.values.clear();
        self.present.clear();
        self.added.clear();
        let is_same = row.len() == base.ids.len()
            && row
                .iter()
                .zip(&base.ids)
                .all(|((id, _), known)| id == known);
        if is_same {
            self.values.extend(row.iter().map(|(_, value)| *value));
            return true;
        }
        self.values.extend_from_slice(&base.values);
        self.present.resize(base.ids.len(), false);
        let mut slots = Slots::new(&base.ids);
        for (id, value) in row {
            let slot = slots.find(*id);
            match slot.and_then(|at| Some((self.values.get_mut(at)?, self.present.get_mut(at)?))) {
                Some((place, present)) => (*place, *present) = (*value, true),
                None => self.added.push((*id, *value)),
            }
        }
        self.added.len() * 4 < row.len()
    }

    fn put(&self, out: &mut Vec<u8>, stream: &mut Stream, batch: &Batch) {
        let base = &stream.base;
        put_varint(out, stream.number);
        put_varint(out, base.sequence);
        let flags_at = out.len();
        let mut flags = flags(batch);
        out.push(0);
        put_zigzag(out, batch.row_ms.wrapping_sub(base.ms));
        if self.present.contains(&false) {
            flags |= WITH_ABSENT;
            put_gaps(out, &self.present);
        }
        let changed = |slot: usize| match (self.values.get(slot), base.values.get(slot)) {
            (Some(value), Some(before)) => value.to_bits() != before.to_bits(),
            _ => false,
        };
        let slots = 0..base.values.len();
        let changes = slots.clone().filter(|slot| changed(*slot)).count();
        if changes * 8 < base.values.len() {
            flags |= FEW_CHANGES;
            put_varint(out, changes as u64);
            let mut next = 0;
            for slot in slots.filter(|slot| changed(*slot)) {
                put_varint(out, (slot - next) as u64);
                next = slot + 1;
            }
        } else {
            let pairs = self.values.chunks(8).zip(base.values.chunks(8));
            out.extend(pairs.map(|(values, before)| changed_bits(values, before)));
        }
        let places = base.places.iter().zip(&mut stream.places);
        let pairs = self.values.iter().zip(&base.values);
        for ((value, before), (places, next_places)) in pairs.zip(places) {
            if value.to_bits() != before.to_bits() {
                *next_places = put_change(out, *value, *before, *places).max(*next_places);
            }
        }
        if !self.added.is_empty() {
            flags |= WITH_ADDED;
            let (ids, values): (Vec<SeriesId>, Vec<f64>) = self.added.iter().copied().unzip();
            let places: Vec<u8> = values.iter().map(|v| decimal::places(*v, 0)).collect();
            put_varint(out, ids.len() as u64);
            put_ids(out, &ids);
            put_values(out, &values, &places);
        }
        put_rest(out, batch);
        if let Some(place) = out.get_mut(flags_at) {
            *place = flags;
        }
    }
}

/// Where the series of a base are.
struct Slots<'a> {
    ids: &'a [SeriesId],
    /// The slot after the one that was found last, which is mostly asked for next.
    next: usize,
    searches: usize,
    map: Option<HashMap<SeriesId, usize, foldhash::fast::RandomState>>,
}

impl<'a> Slots<'a> {
    const fn new(ids: &'a [SeriesId]) -> Self {
        Self {
            ids,
            next: 0,
            searches: 0,
            map: None,
        }
    }

    fn find(&mut self, id: SeriesId) -> Option<usize> {
        let slot = if self.ids.get(self.next) == Some(&id) {
            self.next
        } else if self.searches < SEARCHES_MAX {
            self.searches += 1;
            self.ids.iter().position(|known| *known == id)?
        } else {
            let ids = self.ids.iter();
            let map = self
                .map
                .get_or_insert_with(|| ids.enumerate().map(|(slot, id)| (*id, slot)).collect());
            *map.get(&id)?
        };
        self.next = slot + 1;
        Some(slot)
    }
}

fn flags(batch: &Batch) -> u8 {
    let late = if batch.out_of_order { LATE } else { 0 };
    late | if batch.has_rest() { WITH_REST } else { 0 }
}

fn put_rest(out: &mut Vec<u8>, batch: &Batch) {
    if batch.has_rest() {
        batch.put_rest(out);
    }
}

/// Appends series numbers as stretches of neighbours: distance to the end of the one before, length less 1.
fn put_ids(out: &mut Vec<u8>, ids: &[SeriesId]) {
    let mut end = 0i64;
    for run in ids.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        if let Some(first) = run.first() {
            put_zigzag(out, i64::from(*first) - end);
            put_varint(out, run.len() as u64 - 1);
            end = i64::from(*first) + run.len() as i64;
        }
    }
}

/// Appends whole values: stretches of equal places, then the integers or bits.
fn put_values(out: &mut Vec<u8>, values: &[f64], places: &[u8]) {
    for run in places.chunk_by(|a, b| a == b) {
        out.push(run.first().copied().unwrap_or(RAW));
        put_varint(out, run.len() as u64 - 1);
    }
    for (value, places) in values.iter().zip(places) {
        match decimal::unscaled(*value, *places) {
            Some(integer) => put_zigzag(out, integer),
            None => put_f64(out, *value),
        }
    }
}

/// Appends how a value differs from its base, which is never nothing: as decimals, or as bits where the base is no
/// decimal; 0, other places and the value where it has those. The answer is the places it has.
#[inline]
fn put_change(out: &mut Vec<u8>, value: f64, before: f64, places: u8) -> u8 {
    if places == RAW {
        // Neighbours share sign and exponent: swapped, what differs is a smaller integer.
        put_varint(out, (value.to_bits() ^ before.to_bits()).swap_bytes());
        return RAW;
    }
    let pair = (
        decimal::unscaled(value, places),
        decimal::unscaled(before, places),
    );
    if let (Some(value), Some(before)) = pair
        && value != before
    {
        put_zigzag(out, value - before);
        return places;
    }
    let places = decimal::places(value, RAW);
    out.extend([0, places]);
    match decimal::unscaled(value, places) {
        Some(value) => put_zigzag(out, value - decimal::unscaled(before, places).unwrap_or(0)),
        None => put_f64(out, value),
    }
    places
}

#[inline]
fn changed_bits(values: &[f64], before: &[f64]) -> u8 {
    values
        .iter()
        .zip(before)
        .enumerate()
        .fold(0, |bits, (at, (value, before))| {
            bits | u8::from(value.to_bits() != before.to_bits()) << at
        })
}

/// Appends stretches of absent series: how many, then series between them and their length.
fn put_gaps(out: &mut Vec<u8>, present: &[bool]) {
    let absent = present.chunk_by(|a, b| a == b);
    let gaps = absent.filter(|run| run.first() == Some(&false)).count();
    put_varint(out, gaps as u64);
    let mut between = 0;
    for run in present.chunk_by(|a, b| a == b) {
        if run.first() == Some(&false) {
            put_varint(out, between as u64);
            put_varint(out, run.len() as u64);
            between = 0;
        } else {
            between = run.len();
        }
    }
}

#[cfg(test)]
mod tests;
