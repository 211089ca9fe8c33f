//! What the catalog keeps of the head: labels, metadata and deleted times of series, and exemplars.

use std::sync::Arc;

use super::index::{PairId, PairIds};
use super::series::Tombstone;
use super::{Head, SERIES_PER_LOCK};
use crate::codec::{Error, Reader, put_str, put_varint};
use crate::model::Metadata;
use crate::tsdb::batch::{SeriesId, read_id};
use crate::tsdb::wire;

/// What the catalog writes of one series: captured under the lock, written without it.
#[derive(Debug)]
pub(crate) struct SavedSeries {
    id: SeriesId,
    /// Numbers of its pairs in the file.
    pairs: Vec<u32>,
    metadata: Option<Arc<Metadata>>,
    tombstones: Vec<Tombstone>,
}

/// Names and values of pairs in the order of their numbers in a file.
#[derive(Debug, Default)]
pub(crate) struct PairTexts {
    /// By the pair's number in the index, plus 1; 0 for those that are not in the file. Nearly all are in a full one.
    numbers: Vec<u32>,
    count: u32,
    /// Pairs that are not in the file yet.
    fresh: Vec<(Arc<str>, Arc<str>)>,
}

impl PairTexts {
    /// The number of a pair in the file, and whether it is new there.
    fn number(&mut self, pair: PairId) -> (u32, bool) {
        let at = pair as usize;
        if at >= self.numbers.len() {
            self.numbers.resize(at + 1, 0);
        }
        let Some(place) = self.numbers.get_mut(at) else {
            return (0, false);
        };
        let is_new = *place == 0;
        if is_new {
            self.count += 1;
            *place = self.count;
        }
        (*place - 1, is_new)
    }

    /// Appends the pairs that are not in the file yet, with the number of the first; false when there are none.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> bool {
        if self.fresh.is_empty() {
            return false;
        }
        put_varint(out, u64::from(self.count) - self.fresh.len() as u64);
        put_varint(out, self.fresh.len() as u64);
        for (name, value) in self.fresh.drain(..) {
            put_str(out, &name);
            put_str(out, &value);
        }
        true
    }
}

impl SavedSeries {
    /// Appends it to a frame.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.id));
        put_varint(out, self.pairs.len() as u64);
        for pair in &self.pairs {
            put_varint(out, u64::from(*pair));
        }
        out.push(u8::from(self.metadata.is_some()));
        if let Some(metadata) = &self.metadata {
            wire::put_metadata(out, metadata);
        }
        put_varint(out, self.tombstones.len() as u64);
        for tombstone in &self.tombstones {
            tombstone.put(out);
        }
    }
}

/// Pairs of a catalog file while it is read, each held once until the file's end.
#[derive(Debug, Default)]
pub(crate) struct LoadedPairs(Vec<Option<PairId>>);

impl LoadedPairs {
    fn get(&self, number: u64) -> Result<PairId, Error> {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.0.get(number).copied().flatten())
            .ok_or(Error::Invalid("label pair"))
    }
}

impl Head {
    /// Captures the next series from number `from` on that the catalog does not have as they are (or all,
    /// when `full`) and believes them saved. Returns them with where to go on.
    pub(crate) fn capture(
        &mut self,
        from: SeriesId,
        full: bool,
        texts: &mut PairTexts,
    ) -> (Vec<SavedSeries>, Option<SeriesId>) {
        let (ids, next) = self.table.ids_from(from, SERIES_PER_LOCK);
        let mut captured = Vec::new();
        for id in ids {
            let Some(series) = self.table.get_mut(id) else {
                continue;
            };
            let is_known = series.state.indexed || series.state.named || series.state.logged;
            if !is_known || series.state.saved && !full {
                continue;
            }
            series.state.saved = true;
            let (metadata, tombstones) = (series.metadata().cloned(), series.tombstones().to_vec());
            let of_series = self.table.pairs(id).unwrap_or_default();
            let mut pairs = Vec::with_capacity(of_series.len());
            for pair in of_series {
                let (number, is_new) = texts.number(pair);
                if is_new {
                    texts.fresh.push(
                        self.index
                            .text(pair)
                            .unwrap_or_else(|| ("".into(), "".into())),
                    );
                }
                pairs.push(number);
            }
            captured.push(SavedSeries {
                id,
                pairs,
                metadata,
                tombstones,
            });
        }
        (captured, next)
    }

    /// Takes the series that were let go since the catalog was written.
    pub(crate) fn take_removed(&mut self) -> Vec<SeriesId> {
        std::mem::take(&mut self.removed)
    }

    /// Lets go of series that the catalog says are gone.
    pub(crate) fn forget(&mut self, ids: &[SeriesId]) {
        self.settle();
        self.remove(ids);
        self.removed.clear();
    }

    /// Takes over the pairs that a catalog file names.
    pub(crate) fn restore_pairs(
        &mut self,
        payload: &[u8],
        pairs: &mut LoadedPairs,
    ) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        let first = usize::try_from(reader.varint()?).map_err(|_| Error::Invalid("label pair"))?;
        // A frame before may be lost, but no more than a file can hold.
        if first > pairs.0.len() + (1 << 26) {
            return Err(Error::Invalid("label pair"));
        }
        pairs.0.resize(first, None);
        for _ in 0..reader.count(2)? {
            let (name, value) = (reader.str()?, reader.str()?);
            pairs.0.push(Some(self.index.intern(name, value)));
        }
        Ok(())
    }

    /// Lets series that catalog files brought be found by their labels.
    pub(crate) fn settle(&mut self) {
        // The labels may still stand under a number that was let go before the crash.
        let outdated = self.table.settle();
        self.remove(&outdated);
    }

    /// Gives back what [`Self::restore_pairs`] held.
    pub(crate) fn release_pairs(&mut self, pairs: LoadedPairs) {
        let held: Vec<PairId> = pairs.0.into_iter().flatten().collect();
        self.index.release(&held);
    }

    /// Takes over what a catalog holds of series, which are found by labels after [`Self::settle`].
    pub(crate) fn restore(&mut self, payload: &[u8], pairs: &LoadedPairs) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            self.restore_series(&mut reader, pairs)?;
        }
        Ok(())
    }

    fn restore_series(
        &mut self,
        reader: &mut Reader<'_>,
        pairs: &LoadedPairs,
    ) -> Result<(), Error> {
        let id = read_id(reader)?;
        let mut of_series = PairIds::new();
        for _ in 0..reader.count(1)? {
            of_series.push(pairs.get(reader.varint()?)?);
        }
        let metadata = match reader.u8()? {
            0 => None,
            _ => Some(wire::metadata(reader)?),
        };
        let mut tombstones = Vec::new();
        for _ in 0..reader.count(3)? {
            tombstones.push(Tombstone::read(reader)?);
        }
        if self.table.get(id).is_none() {
            for pair in &of_series {
                self.index.share(*pair);
            }
            self.table.stage(id, &of_series);
        }
        if let Some(metadata) = metadata {
            self.set_metadata(id, metadata);
        }
        // Only deleted times could tell an archive's word from this one's.
        let is_archived = !tombstones.is_empty() && self.is_archived(id);
        self.has_tombstones |= !tombstones.is_empty();
        if let Some(series) = self.table.get_mut(id) {
            series.set_tombstones(tombstones);
            series.state.archived |= is_archived;
            series.state.logged = true;
            series.state.saved = true;
        }
        Ok(())
    }

    /// Takes over the exemplars that a catalog holds.
    pub(crate) fn restore_exemplars(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let labels = wire::labels(&mut reader)?;
            let exemplar = wire::exemplar(&mut reader)?;
            self.exemplars.push(&labels, exemplar);
        }
        Ok(())
    }

    /// Continues the numbers of the manifest.
    pub(crate) fn resume(&mut self, sequence: u64, next_id: SeriesId) {
        self.sequence = self.sequence.max(sequence);
        self.table.reserve_ids(next_id);
    }
}
