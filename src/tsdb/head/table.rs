use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::series::Series;
use crate::model::Labels;
use crate::tsdb::batch::SeriesId;

const PAGE: usize = 1024;

/// All series by number and by labels. Numbers only rise; pages of which every series is gone are given
/// back.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pages: Vec<Option<Page>>,
    by_labels: HashTable<SeriesId>,
    hasher: foldhash::fast::RandomState,
    next_id: SeriesId,
    len: usize,
}

#[derive(Debug)]
struct Page {
    slots: Box<[Option<Box<Series>>]>,
    used: usize,
}

const fn place(id: SeriesId) -> (usize, usize) {
    (id as usize / PAGE, id as usize % PAGE)
}

impl Table {
    pub(crate) fn get(&self, id: SeriesId) -> Option<&Series> {
        let (page, slot) = place(id);
        self.pages.get(page)?.as_ref()?.slots.get(slot)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        let (page, slot) = place(id);
        self.pages
            .get_mut(page)?
            .as_mut()?
            .slots
            .get_mut(slot)?
            .as_deref_mut()
    }

    pub(crate) fn find(&self, labels: &Labels) -> Option<SeriesId> {
        let hash = self.hasher.hash_one(labels);
        self.by_labels
            .find(hash, |id| {
                self.get(*id).is_some_and(|s| s.labels == *labels)
            })
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
    pub(crate) fn create(&mut self, labels: Labels) -> Option<SeriesId> {
        let id = self.next_id;
        self.insert(id, labels).then_some(id)
    }

    /// Adds a series under a number that the log gives. False when the number is taken or the last.
    /// The series that has the labels already must have been removed before.
    pub(crate) fn insert(&mut self, id: SeriesId, labels: Labels) -> bool {
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
        let hash = self.hasher.hash_one(&labels);
        if let Some(page) = self.pages.get_mut(page) {
            let page = page.get_or_insert_with(|| Page {
                slots: (0..PAGE).map(|_| None).collect(),
                used: 0,
            });
            if let Some(slot) = page.slots.get_mut(slot) {
                *slot = Some(Box::new(Series::new(labels)));
                page.used += 1;
                self.len += 1;
            }
        }
        self.next_id = self.next_id.max(next_id);
        let (pages, hasher) = (&self.pages, &self.hasher);
        self.by_labels.insert_unique(hash, id, |id| {
            let (page, slot) = place(*id);
            pages
                .get(page)
                .and_then(Option::as_ref)
                .and_then(|page| page.slots.get(slot))
                .and_then(Option::as_deref)
                .map_or(0, |series| hasher.hash_one(&series.labels))
        });
        true
    }

    /// Takes a series out.
    pub(crate) fn remove(&mut self, id: SeriesId) -> Option<Box<Series>> {
        let hash = self.hasher.hash_one(&self.get(id)?.labels);
        if let Ok(entry) = self.by_labels.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        let (page, slot) = place(id);
        let entry = self.pages.get_mut(page)?;
        let inner = entry.as_mut()?;
        let series = inner.slots.get_mut(slot)?.take();
        if series.is_some() {
            inner.used -= 1;
            self.len -= 1;
        }
        if inner.used == 0 {
            *entry = None;
        }
        series
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
                        Some((id, series.as_deref()?))
                    })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_number_and_labels_until_removed() {
        let mut table = Table::default();
        let labels = |i: usize| Labels::from_pairs([("i", i.to_string())]);
        let ids: Vec<_> = (0..3000)
            .map(|i| table.create(labels(i)).unwrap())
            .collect();
        assert_eq!(table.find(&labels(2999)), Some(2999));
        for id in &ids[..2048] {
            assert!(table.remove(*id).is_some());
        }
        assert_eq!(table.find(&labels(5)), None);
        assert!(
            table.pages[0].is_none(),
            "pages without series are given back"
        );
        assert_eq!(table.iter_from(0).map(|(id, _)| id).next(), Some(2048));
        assert_eq!(table.iter_from(2999).count(), 1);
        assert_eq!(
            table.create(labels(5)),
            Some(3000),
            "numbers are not used twice"
        );
        assert_eq!(table.len(), 953);
    }
}
