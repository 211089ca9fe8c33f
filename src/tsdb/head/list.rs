//! A sorted list of series numbers. Numbers come mostly in rising order and often in stretches, so a list is a
//! string of stretches in one or two bytes each.

use crate::codec::{Error, Reader, put_varint};
use crate::tsdb::batch::SeriesId;

/// Numbers that came out of order are merged in when there are more than this, and more than an eighth.
const STRAYS_MAX: usize = 64;

/// The list.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    /// All stretches but the last: distance to the end of the one before, twice, plus 1 when a length less 2
    /// follows; else the length is 1.
    bytes: Vec<u8>,
    /// End (exclusive) of the last stretch in `bytes`.
    end: SeriesId,
    /// The last stretch.
    start: SeriesId,
    length: u32,
    count: u32,
    /// Sorted numbers that belong before the end.
    #[expect(
        clippy::box_collection,
        reason = "most lists have none, and there are very many lists"
    )]
    strays: Option<Box<Vec<SeriesId>>>,
}

impl List {
    /// How many numbers there are.
    pub(crate) const fn len(&self) -> usize {
        self.count as usize
    }

    /// Adds a number that is not there.
    pub(crate) fn insert(&mut self, id: SeriesId) {
        if self.length == 0 || id >= self.start.saturating_add(self.length) {
            self.push(id);
            return;
        }
        let strays = self.strays.get_or_insert_default();
        if let Err(at) = strays.binary_search(&id) {
            strays.insert(at, id);
            self.count += 1;
        }
        if strays.len() > STRAYS_MAX.max(self.count as usize / 8) {
            *self = self.iter().collect();
        }
    }

    fn push(&mut self, id: SeriesId) {
        self.count += 1;
        if self.length > 0 && id == self.start.wrapping_add(self.length) {
            self.length += 1;
            return;
        }
        if self.length > 0 {
            put_run(&mut self.bytes, self.start - self.end, self.length);
            self.end = self.start + self.length;
        }
        self.start = id;
        self.length = 1;
    }

    /// Appends what [`Self::read`] reads: stretches as in memory, up to the end.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let sorted: Self;
        let list = if self.strays.is_some() {
            sorted = self.iter().collect();
            &sorted
        } else {
            self
        };
        out.extend_from_slice(&list.bytes);
        if list.length > 0 {
            put_run(out, list.start - list.end, list.length);
        }
    }

    /// Reads a list that takes all of `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (mut list, mut end) = (Self::default(), 0u64);
        let mut before_last = 0;
        while !reader.is_empty() {
            before_last = bytes.len() - reader.rest().len();
            list.end = end as SeriesId;
            let head = reader.varint()?;
            let length = if head & 1 == 1 {
                reader.varint()?.saturating_add(2)
            } else {
                1
            };
            let start = end.saturating_add(head >> 1);
            end = start.saturating_add(length);
            if end > u64::from(SeriesId::MAX) {
                return Err(Error::Invalid("list of series"));
            }
            list.start = start as SeriesId;
            list.length = length as u32;
            list.count += list.length;
        }
        list.bytes = bytes.get(..before_last).unwrap_or_default().to_vec();
        Ok(list)
    }

    /// Takes numbers out, of which `gone` says.
    pub(crate) fn remove(&mut self, gone: impl Fn(SeriesId) -> bool) {
        *self = self.iter().filter(|id| !gone(*id)).collect();
    }

    /// Stretches in order, each with its length; without what came out of order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (SeriesId, u32)> + '_ {
        let mut reader = Reader::new(&self.bytes);
        let mut end: SeriesId = 0;
        let mut last = (self.length > 0).then_some((self.start, self.length));
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return last.take();
            }
            let head = reader.varint().ok()?;
            let length = if head & 1 == 1 {
                reader.varint().ok()? as u32 + 2
            } else {
                1
            };
            let start = end + (head >> 1) as SeriesId;
            end = start + length;
            Some((start, length))
        })
    }

    /// The numbers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SeriesId> + '_ {
        let mut strays = self
            .strays
            .as_deref()
            .into_iter()
            .flatten()
            .copied()
            .peekable();
        let mut runs = self
            .runs()
            .flat_map(|(start, length)| start..start + length)
            .peekable();
        std::iter::from_fn(move || match (runs.peek(), strays.peek()) {
            (Some(a), Some(b)) if b < a => strays.next(),
            (Some(_), _) => runs.next(),
            (None, _) => strays.next(),
        })
    }

    /// Keeps of sorted numbers those that are in the list (or, with `inside` false, those that are not).
    pub(crate) fn retain(&self, candidates: &mut Vec<SeriesId>, inside: bool) {
        let mut runs = self.runs().peekable();
        let strays = self.strays.as_deref();
        candidates.retain(|id| {
            while runs
                .peek()
                .is_some_and(|(start, length)| start + length <= *id)
            {
                runs.next();
            }
            let found = runs.peek().is_some_and(|(start, _)| start <= id)
                || strays.is_some_and(|strays| strays.binary_search(id).is_ok());
            found == inside
        });
    }
}

fn put_run(out: &mut Vec<u8>, distance: u32, length: u32) {
    put_varint(out, u64::from(distance) << 1 | u64::from(length > 1));
    if length > 1 {
        put_varint(out, u64::from(length - 2));
    }
}

impl FromIterator<SeriesId> for List {
    fn from_iter<I: IntoIterator<Item = SeriesId>>(sorted: I) -> Self {
        let mut list = Self::default();
        for id in sorted {
            list.push(id);
        }
        list.bytes.shrink_to_fit();
        list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_list_is_a_sorted_set(ids in prop::collection::vec(0u32..400, 0..300), gone in 1u32..5, asked in prop::collection::btree_set(0u32..400, 0..50)) {
            let (mut list, mut set) = (List::default(), BTreeSet::new());
            for id in ids {
                if set.insert(id) {
                    list.insert(id);
                }
            }
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            let mut bytes = Vec::new();
            list.put(&mut bytes);
            let read = List::read(&bytes).unwrap();
            prop_assert_eq!(read.len(), list.len());
            prop_assert!(read.iter().eq(set.iter().copied()));
            list.remove(|id| id % gone == 0);
            set.retain(|id| id % gone != 0);
            prop_assert_eq!(list.len(), set.len());
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            for inside in [true, false] {
                let mut found: Vec<u32> = asked.iter().copied().collect();
                list.retain(&mut found, inside);
                let expected: Vec<u32> = asked.iter().copied().filter(|id| set.contains(id) == inside).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(list) = List::read(&bytes) {
                prop_assert!(list.iter().take(1000).is_sorted());
            }
        }
    }

    #[test]
    fn stretches_are_small() {
        let stretch: List = (100_000..1_000_000).collect();
        assert!(stretch.bytes.len() < 8);
        let comb: List = (0..100_000).map(|i| i * 96).collect();
        assert!(comb.bytes.len() < 200_001, "{}", comb.bytes.len());
    }
}
