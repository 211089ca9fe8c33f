use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::index::{PairId, PairIds};
use super::pair_lists::PairLists;
use super::rows::Place;
use super::series::Series;
use crate::tsdb::batch::SeriesId;

const PAGE: usize = 256;

/// All series by number and by labels. Numbers only rise; pages of which every series is gone are given
/// back.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pages: Vec<Option<Page>>,
    by_labels: HashTable<SeriesId>,
    /// Series that are not in `by_labels` yet, each with its hash.
    staged: Vec<(u64, SeriesId)>,
    hasher: foldhash::fast::RandomState,
    next_id: SeriesId,
    len: usize,
}

#[derive(Debug)]
struct Page {
    slots: Box<[Option<Series>]>,
    used: usize,
    lists: PairLists,
    places: Option<Box<Places>>,
}

/// Where series are in open streams.
#[derive(Debug)]
struct Places {
    /// [`NOWHERE`] for those that are in none.
    streams: [u32; PAGE],
    slots: [u16; PAGE],
}

const NOWHERE: u32 = u32::MAX;

#[inline]
const fn place(id: SeriesId) -> (usize, usize) {
    (id as usize / PAGE, id as usize % PAGE)
}

/// The hash of a series that is there.
fn hash_at(pages: &[Option<Page>], hasher: &foldhash::fast::RandomState, id: SeriesId) -> u64 {
    let (page, slot) = place(id);
    pages
        .get(page)
        .and_then(Option::as_ref)
        .and_then(|page| page.lists.get(slot))
        .map_or(0, |pairs| hasher.hash_one(pairs.as_slice()))
}

impl Table {
    #[inline]
    pub(crate) fn get(&self, id: SeriesId) -> Option<&Series> {
        let (page, slot) = place(id);
        self.pages.get(page)?.as_ref()?.slots.get(slot)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        let (page, slot) = place(id);
        self.pages
            .get_mut(page)?
            .as_mut()?
            .slots
            .get_mut(slot)?
            .as_mut()
    }

    /// Where a series is in an open stream.
    #[inline]
    pub(super) fn row_place(&self, id: SeriesId) -> Option<Place> {
        let (page, slot) = place(id);
        let places = self.pages.get(page)?.as_ref()?.places.as_ref()?;
        let stream = *places.streams.get(slot)?;
        let slot = *places.slots.get(slot)?;
        (stream != NOWHERE).then_some(Place { stream, slot })
    }

    /// Notes where a series is in an open stream.
    pub(super) fn set_row_place(&mut self, id: SeriesId, to: Option<Place>) {
        let (page, slot) = place(id);
        let Some(Some(page)) = self.pages.get_mut(page) else {
            return;
        };
        let to = to.unwrap_or(Place {
            stream: NOWHERE,
            slot: 0,
        });
        if page.places.is_none() && to.stream == NOWHERE {
            return;
        }
        let places = page.places.get_or_insert_with(|| {
            Box::new(Places {
                streams: [NOWHERE; PAGE],
                slots: [0; PAGE],
            })
        });
        if let (Some(stream), Some(of)) = (places.streams.get_mut(slot), places.slots.get_mut(slot))
        {
            (*stream, *of) = (to.stream, to.slot);
        }
    }

    /// The pairs of a series.
    pub(crate) fn pairs(&self, id: SeriesId) -> Option<PairIds> {
        let (page, slot) = place(id);
        self.pages.get(page)?.as_ref()?.lists.get(slot)
    }

    /// The series with these pairs.
    pub(crate) fn find(&self, pairs: &[PairId]) -> Option<SeriesId> {
        self.find_hashed(self.hasher.hash_one(pairs), pairs)
    }

    fn find_hashed(&self, hash: u64, pairs: &[PairId]) -> Option<SeriesId> {
        self.by_labels
            .find(hash, |id| self.pairs(*id).is_some_and(|of| *of == *pairs))
            .copied()
    }

    /// How many series there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The number that the next series gets.
    pub(crate) const fn next_id(&self) -> SeriesId {
        self.next_id
    }

    /// Never gives out numbers below `id`.
    pub(crate) fn reserve_ids(&mut self, id: SeriesId) {
        self.next_id = self.next_id.max(id);
    }

    /// Adds a series under a new number; `None` when the numbers are used up.
    pub(crate) fn create(&mut self, pairs: &[PairId]) -> Option<SeriesId> {
        let id = self.next_id;
        self.insert(id, pairs).then_some(id)
    }

    /// Adds a series under a number that the log gives. False when the number is taken or the last.
    /// The series that has the labels already must have been removed before.
    pub(crate) fn insert(&mut self, id: SeriesId, pairs: &[PairId]) -> bool {
        let hash = self.hasher.hash_one(pairs);
        self.insert_hashed(id, pairs, hash)
    }

    /// As [`Self::insert`], unless another series has these labels: then the answer is its number.
    pub(crate) fn insert_new(&mut self, id: SeriesId, pairs: &[PairId]) -> Result<bool, SeriesId> {
        let hash = self.hasher.hash_one(pairs);
        match self.find_hashed(hash, pairs) {
            Some(other) => Err(other),
            None => Ok(self.insert_hashed(id, pairs, hash)),
        }
    }

    /// As [`Self::insert`], but the series is found by labels only after [`Self::settle`].
    pub(crate) fn stage(&mut self, id: SeriesId, pairs: &[PairId]) {
        let hash = self.hasher.hash_one(pairs);
        if self.place(id, pairs) {
            self.staged.push((hash, id));
        }
    }

    /// Lets staged series be found by labels. Returns those whose labels a newer one has too.
    pub(crate) fn settle(&mut self) -> Vec<SeriesId> {
        let mut staged = std::mem::take(&mut self.staged);
        let is_first = self.by_labels.is_empty();
        let (pages, hasher) = (&self.pages, &self.hasher);
        let hash_of = |id: &SeriesId| hash_at(pages, hasher, *id);
        self.by_labels.reserve(staged.len(), hash_of);
        // In the order of the places that they get: very many are quicker side by side than here and there.
        let bits = self.by_labels.capacity().next_power_of_two().ilog2();
        for (hash, _) in &mut staged {
            *hash = hash.rotate_right(bits);
        }
        staged.sort_unstable();
        let mut outdated = Vec::new();
        let mut before = None;
        for (rotated, id) in staged {
            let hash = rotated.rotate_left(bits);
            let is_same = |other: &SeriesId| self.pairs(id) == self.pairs(*other);
            let older = before.filter(|(other, of)| *other == rotated && is_same(of));
            let older = match older {
                Some((_, of)) => Some(of),
                None if is_first => None,
                None => self.by_labels.find(hash, is_same).copied(),
            };
            outdated.extend(older);
            self.by_labels.insert_unique(hash, id, hash_of);
            before = Some((rotated, id));
        }
        outdated
    }

    fn insert_hashed(&mut self, id: SeriesId, pairs: &[PairId], hash: u64) -> bool {
        if !self.place(id, pairs) {
            return false;
        }
        let (pages, hasher) = (&self.pages, &self.hasher);
        self.by_labels
            .insert_unique(hash, id, |id| hash_at(pages, hasher, *id));
        true
    }

    /// Puts a series under its number.
    fn place(&mut self, id: SeriesId, pairs: &[PairId]) -> bool {
        let (page, slot) = place(id);
        let Some(next_id) = id.checked_add(1) else {
            return false;
        };
        if self.get(id).is_some() {
            return false;
        }
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(page) = self.pages.get_mut(page) {
            let page = page.get_or_insert_with(|| Page {
                slots: (0..PAGE).map(|_| None).collect(),
                used: 0,
                lists: PairLists::new(PAGE),
                places: None,
            });
            if let Some(entry) = page.slots.get_mut(slot) {
                page.lists.insert(slot, pairs);
                *entry = Some(Series::new());
                page.used += 1;
                self.len += 1;
            }
        }
        self.next_id = self.next_id.max(next_id);
        true
    }

    /// Takes a series out, with its pairs.
    pub(crate) fn remove(&mut self, id: SeriesId) -> Option<(Series, PairIds)> {
        let pairs = self.pairs(id)?;
        let hash = self.hasher.hash_one(pairs.as_slice());
        if let Ok(entry) = self.by_labels.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        let (page, slot) = place(id);
        let entry = self.pages.get_mut(page)?;
        let inner = entry.as_mut()?;
        let series = inner.slots.get_mut(slot)?.take()?;
        inner.lists.remove(slot);
        if let Some(stream) = inner
            .places
            .as_mut()
            .and_then(|places| places.streams.get_mut(slot))
        {
            *stream = NOWHERE;
        }
        inner.used -= 1;
        self.len -= 1;
        if inner.used == 0 {
            *entry = None;
        }
        self.shrink();
        Some((series, pairs))
    }

    /// Gives room back when most series have gone.
    fn shrink(&mut self) {
        if self.by_labels.len() >= self.by_labels.capacity() / 4 {
            return;
        }
        let (pages, hasher) = (&self.pages, &self.hasher);
        let room = self.by_labels.len() * 2;
        self.by_labels
            .shrink_to(room, |id| hash_at(pages, hasher, *id));
    }

    /// The series from number `from` on, in the order of their numbers.
    pub(crate) fn iter_from(
        &self,
        from: SeriesId,
    ) -> impl Iterator<Item = (SeriesId, &Series)> + '_ {
        let (first_page, first_slot) = place(from);
        self.pages
            .iter()
            .enumerate()
            .skip(first_page)
            .filter_map(|(number, page)| page.as_ref().map(|page| (number, page)))
            .flat_map(move |(number, page)| {
                let skip = if number == first_page { first_slot } else { 0 };
                page.slots
                    .iter()
                    .enumerate()
                    .skip(skip)
                    .filter_map(move |(slot, series)| {
                        let id = SeriesId::try_from(number * PAGE + slot).ok()?;
                        Some((id, series.as_ref()?))
                    })
            })
    }

    /// The numbers of the next `limit` series from `from` on, and where to go on after them.
    pub(crate) fn ids_from(
        &self,
        from: SeriesId,
        limit: usize,
    ) -> (Vec<SeriesId>, Option<SeriesId>) {
        let ids: Vec<SeriesId> = self.iter_from(from).take(limit).map(|(id, _)| id).collect();
        let next = ids
            .last()
            .filter(|_| ids.len() == limit)
            .and_then(|last| last.checked_add(1));
        (ids, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_number_and_labels_until_removed() {
        let mut table = Table::default();
        let pairs = |i: u32| -> Box<[PairId]> { Box::new([1, i]) };
        let ids: Vec<_> = (0..3000)
            .map(|i| table.create(&pairs(i)).unwrap())
            .collect();
        assert_eq!(table.find(&pairs(2999)), Some(2999));
        for id in &ids[..2048] {
            assert!(table.remove(*id).is_some());
        }
        assert_eq!(table.find(&pairs(5)), None);
        assert!(
            table.pages[0].is_none(),
            "pages without series are given back"
        );
        assert_eq!(table.iter_from(0).map(|(id, _)| id).next(), Some(2048));
        assert_eq!(table.iter_from(2999).count(), 1);
        assert_eq!(
            table.create(&pairs(5)),
            Some(3000),
            "numbers are not used twice"
        );
        assert_eq!(table.len(), 953);
    }

    #[test]
    fn staged_series_are_found_when_they_are_settled_and_the_newest_of_equals_stays() {
        let mut table = Table::default();
        let pairs = |i: u32| -> Box<[PairId]> { Box::new([7, i % 2000]) };
        for i in 0..2500 {
            table.stage(i, &pairs(i));
        }
        assert_eq!(table.find(&pairs(3)), None);
        let mut outdated = table.settle();
        outdated.sort_unstable();
        assert!(outdated.iter().copied().eq(0..500));
        for id in outdated {
            table.remove(id);
        }
        for i in 500..2500 {
            assert_eq!(table.find(&pairs(i)), Some(i));
        }
        table.stage(9000, &pairs(600));
        table.stage(9001, &pairs(2000));
        let mut outdated = table.settle();
        outdated.sort_unstable();
        assert_eq!(outdated, [600, 2000]);
        assert_eq!((table.len(), table.next_id()), (2002, 9002));
    }
}
