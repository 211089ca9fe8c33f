//! Which label pairs series have, in few bytes. Neighbours by number mostly come from one target and differ in a pair
//! or two, so most lists only say how they differ from one a little before.

use smallvec::SmallVec;

use super::index::{PairId, PairIds};
use crate::codec::{Error, Reader, put_varint};

/// Says that a slot has no list.
const NONE: u32 = u32::MAX;

/// A list is compared with so many whole lists.
const TRIED: usize = 3;

/// Memory grows by this many bytes: there are very many pages, and none shall have twice what it needs.
const STEP_BYTES: usize = 512;

/// Which pairs of a list are others than those of its base.
type Others = SmallVec<[bool; 32]>;

/// The pair lists of one page of series.
///
/// A *whole* list is a zero, how many pairs it has, and these. Any other is how many bytes before it a whole list of the
/// same length lies, a bit for each pair, and the pairs that are others. So a list is read from two places at most.
#[derive(Debug)]
pub(super) struct PairLists {
    /// Where the list of each slot begins.
    starts: Box<[u32]>,
    bytes: Vec<u8>,
    /// Whole lists on which others were based lately, the latest first; none once the page is full.
    recent: Vec<(usize, PairIds)>,
    /// How many lists were taken out; their bytes may still be needed.
    removed: usize,
}

impl PairLists {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            starts: vec![NONE; slots].into(),
            bytes: Vec::new(),
            recent: Vec::new(),
            removed: 0,
        }
    }

    /// The pairs of a slot; `None` when it has no list.
    pub(super) fn get(&self, slot: usize) -> Option<PairIds> {
        self.read(self.start(slot)?).ok()
    }

    fn start(&self, slot: usize) -> Option<usize> {
        let start = *self.starts.get(slot)?;
        (start != NONE).then_some(start as usize)
    }

    fn reader(&self, at: usize) -> Result<Reader<'_>, Error> {
        let rest = self.bytes.get(at..).ok_or(Error::UnexpectedEnd)?;
        Ok(Reader::new(rest))
    }

    fn read(&self, at: usize) -> Result<PairIds, Error> {
        let mut reader = self.reader(at)?;
        let distance = reader.varint()? as usize;
        if distance == 0 {
            return read_whole(&mut reader);
        }
        let mut base = self.reader(at.saturating_sub(distance))?;
        base.varint()?;
        let mut pairs = read_whole(&mut base)?;
        let bits = reader.take(pairs.len().div_ceil(8))?;
        for (pairs, bits) in pairs.chunks_mut(8).zip(bits) {
            let mut bits = *bits;
            while bits != 0 {
                let other = reader.varint()? as PairId;
                if let Some(pair) = pairs.get_mut(bits.trailing_zeros() as usize) {
                    *pair = other;
                }
                bits &= bits - 1;
            }
        }
        Ok(pairs)
    }

    /// Gives a slot its pairs.
    pub(super) fn insert(&mut self, slot: usize, pairs: &[PairId]) {
        let start = self.bytes.len();
        if self.bytes.capacity() - start < STEP_BYTES / 8 {
            self.bytes.reserve_exact(STEP_BYTES);
        }
        if let Some((base, others)) = self.nearest(pairs) {
            put_others(&mut self.bytes, start - base, pairs, &others);
        } else {
            put_varint(&mut self.bytes, 0);
            put_varint(&mut self.bytes, pairs.len() as u64);
            for pair in pairs {
                put_varint(&mut self.bytes, u64::from(*pair));
            }
            self.recent.truncate(TRIED - 1);
            self.recent.insert(0, (start, pairs.into()));
        }
        if slot + 1 == self.starts.len() {
            self.recent = Vec::new();
        }
        if let Some(entry) = self.starts.get_mut(slot) {
            *entry = u32::try_from(start).unwrap_or(NONE);
        }
    }

    /// A whole list from which no more than half of the pairs differ, and which do.
    fn nearest(&mut self, pairs: &[PairId]) -> Option<(usize, Others)> {
        for at in 0..self.recent.len() {
            let Some((base, whole)) = self.recent.get(at) else {
                break;
            };
            if whole.len() != pairs.len() {
                continue;
            }
            let others: Others = whole.iter().zip(pairs).map(|(a, b)| a != b).collect();
            if others.iter().filter(|other| **other).count() * 2 <= pairs.len() {
                let base = *base;
                self.recent.swap(0, at);
                return Some((base, others));
            }
        }
        None
    }

    /// Takes the list of a slot out.
    pub(super) fn remove(&mut self, slot: usize) {
        if let Some(entry) = self.starts.get_mut(slot) {
            *entry = NONE;
            self.removed += 1;
        }
        // Series that come and go under their numbers shall not let the bytes of one page grow for ever.
        if self.removed > 2 * self.starts.len() {
            let mut rebuilt = Self::new(self.starts.len());
            for slot in 0..self.starts.len() {
                if let Some(pairs) = self.get(slot) {
                    rebuilt.insert(slot, &pairs);
                }
            }
            *self = rebuilt;
        }
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn memory(&self) -> usize {
        size_of_val(&*self.starts) + self.bytes.capacity()
    }
}

/// Reads a whole list after its zero.
fn read_whole(reader: &mut Reader<'_>) -> Result<PairIds, Error> {
    let count = reader.count(1)?;
    let mut pairs = PairIds::with_capacity(count);
    for _ in 0..count {
        pairs.push(reader.varint()? as PairId);
    }
    Ok(pairs)
}

fn put_others(out: &mut Vec<u8>, distance: usize, pairs: &[PairId], others: &[bool]) {
    put_varint(out, distance as u64);
    for others in others.chunks(8) {
        let bits = others.iter().enumerate();
        out.push(bits.fold(0, |bits, (at, other)| bits | u8::from(*other) << at));
    }
    for (pair, _) in pairs.iter().zip(others).filter(|(_, other)| **other) {
        put_varint(out, u64::from(*pair));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn lists_come_back_whatever_comes_and_goes(changes in prop::collection::vec((0usize..16, prop::option::of(prop::collection::vec(0u32..300, 0..12))), 0..120)) {
            let mut lists = PairLists::new(16);
            let mut expected: Vec<Option<Vec<u32>>> = vec![None; 16];
            for (slot, pairs) in changes {
                if expected[slot].take().is_some() {
                    lists.remove(slot);
                } else if let Some(pairs) = pairs {
                    lists.insert(slot, &pairs);
                    expected[slot] = Some(pairs);
                }
                for (slot, pairs) in expected.iter().enumerate() {
                    prop_assert_eq!(lists.get(slot).map(|pairs| pairs.to_vec()), pairs.clone());
                }
            }
        }
    }

    #[test]
    fn neighbours_take_a_few_bytes() {
        let mut lists = PairLists::new(256);
        for slot in 0..256u32 {
            // Twelve buckets of a histogram, then its sum and count.
            let (of_family, family) = (slot % 14, slot / 14);
            let mut pairs = vec![100_000 + family * 3 + of_family.saturating_sub(11)];
            pairs.extend(200_000..200_008);
            if of_family < 12 {
                pairs.insert(4, 300_000 + of_family);
            }
            lists.insert(slot as usize, &pairs);
            assert_eq!(lists.get(slot as usize).unwrap().to_vec(), pairs);
        }
        assert!(lists.memory() < 256 * 20, "{} bytes", lists.memory());
        for _ in 0..2000 {
            lists.remove(7);
            lists.insert(7, &[1, 2, 3]);
        }
        assert!(lists.memory() < 256 * 48, "{} bytes", lists.memory());
    }
}
