//! Under which name the store knows a series that senders push again and again.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;

use crate::storage::SeriesRef;

/// So many series may be young; each takes about 30 bytes.
const YOUNG_MAX: usize = 1 << 20;

/// What nobody has pushed for one to two of these is forgotten.
const TURN_MS: i64 = 3_600_000;

/// The names of series by the bytes of their labels in a request. Saves taking labels apart that were seen before.
///
/// The bytes are not kept: a hash seeded at random stands for them, so that two series have the same once in 2^64,
/// whatever a sender wants.
#[derive(Debug, Default)]
pub struct Memo {
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    young: HashTable<Entry>,
    /// Those of before the last turn that were not pushed since.
    old: HashTable<Entry>,
    turned_ms: i64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    series: SeriesRef,
}

impl Memo {
    /// What stands for labels.
    pub(super) fn hash(&self, labels: &[u8]) -> u64 {
        self.hasher.hash_one(labels)
    }

    /// The name of the series whose labels have this hash.
    pub(super) fn get(&self, hash: u64) -> Option<SeriesRef> {
        let mut known = self.known.lock();
        let is_it = |entry: &Entry| entry.hash == hash;
        if let Some(entry) = known.young.find(hash, is_it) {
            return Some(entry.series);
        }
        let entry = known.old.find_entry(hash, is_it).ok()?.remove().0;
        known.insert(entry);
        Some(entry.series)
    }

    /// Notes the present name of a series.
    pub(super) fn set(&self, hash: u64, series: SeriesRef, now_ms: i64) {
        let mut known = self.known.lock();
        let is_it = |entry: &Entry| entry.hash == hash;
        if let Some(entry) = known.young.find_mut(hash, is_it) {
            entry.series = series;
            return;
        }
        if known.young.len() >= YOUNG_MAX || now_ms.saturating_sub(known.turned_ms) >= TURN_MS {
            known.turned_ms = now_ms;
            known.old = std::mem::take(&mut known.young);
        }
        known.insert(Entry { hash, series });
    }
}

impl Known {
    fn insert(&mut self, entry: Entry) {
        (self.young).insert_unique(entry.hash, entry, |entry| entry.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_pushed_any_more_is_forgotten() {
        let memo = Memo::default();
        let [a, b, c] = ["a", "b", "c"].map(|labels| memo.hash(labels.as_bytes()));
        memo.set(a, SeriesRef(1), TURN_MS);
        memo.set(b, SeriesRef(2), TURN_MS);
        memo.set(a, SeriesRef(3), TURN_MS);
        memo.set(c, SeriesRef(4), TURN_MS * 2);
        assert_eq!(memo.get(a), Some(SeriesRef(3)));
        memo.set(memo.hash(b"d"), SeriesRef(5), TURN_MS * 3);
        assert_eq!(memo.get(b), None);
        assert_eq!(memo.get(a), Some(SeriesRef(3)));
        assert_eq!(memo.get(c), Some(SeriesRef(4)));
    }
}
