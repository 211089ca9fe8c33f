//! What is known of the series of one target, by the bytes under which its pages name them.

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::storage::SeriesRef;

/// How many entries a target whose scrapes fail may gather beyond twice those of its last good page.
const SLACK: usize = 1000;

/// Where an entry lies in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// What is known of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Metric relabeling dropped it.
    Dropped,
    /// It was stored under this name. The store has its labels.
    Stored(SeriesRef),
}

/// How far a page is like the one before. Entries know nothing of it yet.
#[derive(Debug, Clone, Copy, Default)]
struct Repeated {
    series: usize,
    /// The last of them is tracked.
    is_tracked: bool,
}

/// Stands for a dropped series; no store has so many.
const DROPPED: SeriesRef = SeriesRef(u64::MAX);

/// 32 bytes, and there is one for each series.
#[derive(Debug)]
struct Entry {
    /// Of the bytes that name it. The hash is seeded at random, so that two names of one target have the same
    /// once in 2^64, whatever the target wants.
    hash: u64,
    series: SeriesRef,
    /// The last page that named it.
    seen: u32,
    /// The last page that gave it a sample whose end is ours to mark.
    tracked: u32,
    /// What followed it on the last page.
    next: u32,
    /// Of the bytes that name it; 0 when they are too many.
    length: u16,
    /// The page before [`Self::tracked`] gave it such a sample too.
    continues: bool,
}

/// A look at what a page names ahead of what is noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    last: Option<u32>,
    /// So many series.
    series: usize,
    /// The last of them is to be tracked.
    is_tracked: bool,
    /// What [`SeriesCache::look`] has found, and the store's name for it.
    next: Option<(u32, Option<SeriesRef>)>,
}

impl Outlook {
    /// Takes what was found as the next; the answer is the store's name for it, or none where it was dropped.
    #[inline]
    pub(super) fn go_on(&mut self) -> Option<SeriesRef> {
        let (at, series) = self.next.take()?;
        self.last = Some(at);
        self.series += 1;
        self.is_tracked = series.is_some();
        series
    }

    /// How many series it has seen.
    pub(super) const fn series(&self) -> usize {
        self.series
    }
}

/// The cache. Pages mostly name the same series in the same order, so the entry that followed last time
/// is tried before anything is hashed. As long as a page does so from its beginning, nothing is noted of it: a page that
/// does so to its end leaves everything as it is.
#[derive(Debug)]
pub(super) struct SeriesCache {
    entries: Vec<Entry>,
    table: HashTable<u32>,
    hasher: RandomState,
    /// Counts pages from 2, so that 0 is neither this page nor the one before.
    page: u32,
    last: Option<u32>,
    first: u32,
    /// What [`Self::expect`] has found.
    expected: Option<u32>,
    /// The page has named the first so many series of the last good page, in the same order, and nothing else.
    repeated: Option<Repeated>,
    /// The page has named a series twice.
    has_again: bool,
    seen: usize,
    /// Series tracked on the previous page, and how many of them go on.
    previous: usize,
    continuing: usize,
    tracked: usize,
    /// Entries after the last good page.
    good: usize,
}

impl SeriesCache {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            page: 2,
            last: None,
            first: 0,
            expected: None,
            repeated: None,
            has_again: false,
            seen: 0,
            previous: 0,
            continuing: 0,
            tracked: 0,
            good: 0,
        }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot.0 as usize)
    }

    /// What is known under a slot.
    #[inline]
    pub(super) fn known(&self, slot: Slot) -> Option<Known> {
        self.entry(slot).map(|entry| match entry.series {
            DROPPED => Known::Dropped,
            series => Known::Stored(series),
        })
    }

    /// The entry that followed last time.
    #[inline]
    fn guess(&self) -> Option<u32> {
        self.last.map_or(Some(self.first), |last| {
            self.entries.get(last as usize).map(|entry| entry.next)
        })
    }

    /// How many bytes at the beginning of `line` name a series, if it is the one that followed last time. The next
    /// [`Self::find`] must be for it.
    #[inline]
    pub(super) fn expect(&mut self, line: &[u8]) -> Option<usize> {
        self.expected = None;
        let at = self.guess()?;
        let entry = self.entries.get(at as usize)?;
        let length = usize::from(entry.length);
        let key = line.get(..length).filter(|key| !key.is_empty())?;
        if self.hasher.hash_one(key) != entry.hash {
            return None;
        }
        self.expected = Some(at);
        Some(length)
    }

    /// Where the page stands.
    pub(super) const fn outlook(&self) -> Outlook {
        Outlook {
            last: self.last,
            series: 0,
            is_tracked: false,
            next: None,
        }
    }

    /// How many bytes at the beginning of `line` name a series, if it is the one that followed last time and this page
    /// has not named it yet. Nothing is noted; [`Outlook::go_on`] takes it as the next.
    #[inline]
    pub(super) fn look(&self, outlook: &mut Outlook, line: &[u8]) -> Option<usize> {
        let at = match outlook.last {
            Some(last) => self.entries.get(last as usize)?.next,
            None => self.first,
        };
        let entry = self.entries.get(at as usize)?;
        let is_stored = entry.series != DROPPED;
        let is_new = match &self.repeated {
            // A page that is like the one before names none twice until it is not any more.
            Some(repeated) => {
                repeated.series + outlook.series < self.good
                    && (entry.tracked + 1 == self.page) == is_stored
            }
            // What the outlook has named is not noted, but was before.
            None => {
                entry.seen != self.page
                    && (outlook.series == 0 || outlook.last.is_some_and(|last| last < at))
            }
        };
        let length = usize::from(entry.length);
        let key = line.get(..length).filter(|key| !key.is_empty() && is_new)?;
        if self.hasher.hash_one(key) != entry.hash {
            return None;
        }
        outlook.next = Some((at, is_stored.then_some(entry.series)));
        Some(length)
    }

    /// Notes that the page names what an outlook has seen, and that those of them that are stored must be marked when
    /// they are missing from the next page.
    pub(super) fn take(&mut self, outlook: &Outlook) {
        if outlook.series == 0 {
            return;
        }
        self.expected = None;
        let is_as_before = self.is_last_as_before();
        if let Some(repeated) = &mut self.repeated
            && is_as_before
        {
            repeated.series += outlook.series;
            repeated.is_tracked = outlook.is_tracked;
            self.last = outlook.last;
            return;
        }
        for _ in 0..outlook.series {
            let Some(at) = self.guess() else {
                return;
            };
            let is_stored = self.known(Slot(at)) != Some(Known::Dropped);
            self.visit(at);
            if is_stored {
                self.track(Slot(at));
            }
        }
    }

    /// Finds a series and notes that the page names it. The second part says whether it did so before.
    pub(super) fn find(&mut self, key: &[u8]) -> Option<(Slot, bool)> {
        if let Some(at) = self.expected.take()
            && (self.entries.get(at as usize)).is_some_and(|e| usize::from(e.length) == key.len())
        {
            let again = self.visit(at);
            return Some((Slot(at), again));
        }
        let guess = self.guess();
        let hash = self.hasher.hash_one(key);
        let is_it = |at: &u32| {
            let entry = self.entries.get(*at as usize);
            entry.is_some_and(|entry| entry.hash == hash)
        };
        let at = match guess.filter(is_it) {
            Some(at) => at,
            None => *self.table.find(hash, is_it)?,
        };
        let again = self.visit(at);
        Some((Slot(at), again))
    }

    #[inline]
    fn visit(&mut self, at: u32) -> bool {
        if self.repeats(at) {
            return false;
        }
        self.note_repeated();
        self.note(at)
    }

    /// Whether the page is still like the one before when it names this entry next; it is noted then.
    #[inline]
    fn repeats(&mut self, at: u32) -> bool {
        let guess = self.guess();
        let is_as_before = self.is_last_as_before();
        let Some(repeated) = &mut self.repeated else {
            return false;
        };
        let repeats = is_as_before && guess == Some(at) && repeated.series < self.good;
        if repeats {
            repeated.series += 1;
            repeated.is_tracked = false;
            self.last = Some(at);
        }
        repeats
    }

    /// Whether the last series that the page has named is tracked if the page before tracked it, and not otherwise; as
    /// long as the page is like that one.
    fn is_last_as_before(&self) -> bool {
        let Some(repeated) = &self.repeated else {
            return false;
        };
        self.last.is_none_or(|last| {
            let last = self.entries.get(last as usize);
            last.is_some_and(|last| (last.tracked + 1 == self.page) == repeated.is_tracked)
        })
    }

    /// Whether the whole page is like the one before.
    fn is_repeated(&self) -> bool {
        self.repeated
            .is_some_and(|repeated| repeated.series == self.good)
            && self.last.is_some()
            && self.is_last_as_before()
    }

    /// Notes in the entries what the page has named so far: it is not like the one before.
    #[cold]
    fn note_repeated(&mut self) {
        let Some(repeated) = self.repeated.take() else {
            return;
        };
        let before = self.page - 1;
        self.last = None;
        for left in (0..repeated.series).rev() {
            let Some(at) = self.guess() else {
                return;
            };
            let was_tracked = (self.entries.get(at as usize)).is_some_and(|e| e.tracked == before);
            self.note(at);
            let is_tracked = if left == 0 {
                repeated.is_tracked
            } else {
                was_tracked
            };
            if is_tracked {
                self.note_tracked(Slot(at));
            }
        }
    }

    #[inline]
    fn note(&mut self, at: u32) -> bool {
        match self.last {
            Some(last) => {
                if let Some(before) = self.entries.get_mut(last as usize) {
                    before.next = at;
                }
            }
            None => self.first = at,
        }
        self.last = Some(at);
        let page = self.page;
        let Some(entry) = self.entries.get_mut(at as usize) else {
            return false;
        };
        let again = entry.seen == page;
        entry.seen = page;
        self.seen += usize::from(!again);
        self.has_again |= again;
        again
    }

    /// Adds a series that is not there yet.
    pub(super) fn insert(&mut self, key: &[u8], known: Known) -> Slot {
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry {
            hash: self.hasher.hash_one(key),
            series: match known {
                Known::Dropped => DROPPED,
                Known::Stored(series) => series,
            },
            seen: 0,
            tracked: 0,
            next: at.saturating_add(1),
            length: u16::try_from(key.len()).unwrap_or(0),
            continues: false,
        });
        self.index(at);
        self.visit(at);
        Slot(at)
    }

    fn index(&mut self, at: u32) {
        let entries = &self.entries;
        let hash_of = |at: &u32| entries.get(*at as usize).map_or(0, |entry| entry.hash);
        self.table.insert_unique(hash_of(&at), at, hash_of);
    }

    /// Takes the store's present name for a series.
    pub(super) fn set_series(&mut self, slot: Slot, name: SeriesRef) {
        if let Some(entry) = self.entries.get_mut(slot.0 as usize) {
            entry.series = name;
        }
    }

    /// Notes that a series must be marked when it is missing from the next page.
    #[inline]
    pub(super) fn track(&mut self, slot: Slot) {
        if let Some(repeated) = &mut self.repeated {
            if self.last == Some(slot.0) {
                repeated.is_tracked = true;
                return;
            }
            self.note_repeated();
        }
        self.note_tracked(slot);
    }

    #[inline]
    fn note_tracked(&mut self, slot: Slot) {
        let page = self.page;
        let Some(entry) = self.entries.get_mut(slot.0 as usize) else {
            return;
        };
        if entry.tracked == page {
            return;
        }
        entry.continues = entry.tracked + 1 == page;
        entry.tracked = page;
        self.tracked += 1;
        self.continuing += usize::from(entry.continues);
    }

    /// The series of the previous page that are missing from this one.
    pub(super) fn gone(&mut self) -> Vec<SeriesRef> {
        if self.is_repeated() {
            return Vec::new();
        }
        self.note_repeated();
        if self.continuing == self.previous {
            return Vec::new();
        }
        let tracked_at = |page: u32| {
            let entries = self.entries.iter();
            entries.filter(move |e| e.tracked == page && e.series != DROPPED)
        };
        // A series may live on under another text.
        let here: BTreeSet<SeriesRef> = tracked_at(self.page).map(|entry| entry.series).collect();
        tracked_at(self.page - 1)
            .map(|entry| entry.series)
            .filter(|series| !here.contains(series))
            .collect()
    }

    /// All series of the previous page, whatever this one says: it is not taken.
    pub(super) fn all_previous(&self) -> Vec<SeriesRef> {
        if self.previous == 0 {
            return Vec::new();
        }
        let before = self.page - 1;
        self.entries
            .iter()
            .filter(|e| e.tracked == before || (e.tracked == self.page && e.continues))
            .map(|entry| entry.series)
            .filter(|series| *series != DROPPED)
            .collect()
    }

    /// Ends a page. After a `good` one, entries that it did not name are forgotten; after others only
    /// when there are too many. The answer tells whether that had to be forced.
    pub(super) fn end_page(&mut self, good: bool) -> bool {
        if good && self.is_repeated() {
            self.last = None;
            self.expected = None;
            self.repeated = Some(Repeated::default());
            return false;
        }
        self.note_repeated();
        let forced = !good && self.len() > self.good.saturating_mul(2).saturating_add(SLACK);
        if good {
            self.good = self.seen;
        }
        if (good || forced) && self.seen < self.len() {
            self.forget_unseen();
        }
        if good {
            // The first page doubles the list again and again, and there is a list for each target.
            self.entries.shrink_to(self.entries.len() * 9 / 8);
        }
        self.previous = if good { self.tracked } else { 0 };
        // What a page that was not taken tracked must not count as the previous page's.
        self.page += if good { 1 } else { 2 };
        self.last = None;
        self.expected = None;
        // Each entry leads to the next then, and the page has named each of them once.
        self.repeated = (good && !self.has_again && self.good > 0).then(Repeated::default);
        self.has_again = false;
        (self.seen, self.tracked, self.continuing) = (0, 0, 0);
        forced
    }

    fn forget_unseen(&mut self) {
        let page = self.page;
        let mut kept: Vec<u32> = Vec::with_capacity(self.entries.len());
        let mut next = 0;
        for entry in &self.entries {
            kept.push(next);
            next += u32::from(entry.seen == page);
        }
        self.entries.retain(|entry| entry.seen == page);
        for entry in &mut self.entries {
            entry.next = kept.get(entry.next as usize).copied().unwrap_or(0);
        }
        self.first = kept.get(self.first as usize).copied().unwrap_or(0);
        self.entries.shrink_to(self.entries.len() * 9 / 8);
        self.table = HashTable::with_capacity(self.entries.len());
        for at in 0..next {
            self.index(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(n: u64) -> Known {
        Known::Stored(SeriesRef(n))
    }

    fn page(cache: &mut SeriesCache, names: &[(&str, u64)]) -> Vec<u64> {
        for (name, n) in names {
            let slot = match cache.find(name.as_bytes()) {
                Some((slot, _)) => slot,
                None => cache.insert(name.as_bytes(), stored(*n)),
            };
            cache.track(slot);
        }
        let mut gone: Vec<u64> = cache.gone().iter().map(|series| series.0).collect();
        gone.sort_unstable();
        cache.end_page(true);
        gone
    }

    /// One line: which series it names, whether its end is ours to mark, and whether it is read the quick way.
    type Line = (u8, bool, bool);

    fn pages() -> impl Strategy<Value = Vec<(Vec<Line>, bool)>> {
        let line = (0u8..6, prop::bool::weighted(0.8), any::<bool>());
        let page = prop::collection::vec(line, 0..8);
        // Most pages come several times, and then lack something at their end.
        let few = (page, 1usize..4, 0usize..3, prop::bool::weighted(0.8));
        let few = few.prop_map(|(page, times, less, good)| {
            let mut pages = vec![(page.clone(), true); times];
            let shorter = page.len().saturating_sub(less);
            pages.push((page[..shorter].to_vec(), good));
            pages
        });
        prop::collection::vec(few, 1..6).prop_map(|few| few.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn what_is_gone_is_what_the_page_before_had(pages in pages()) {
            let mut cache = SeriesCache::new();
            let mut before: BTreeSet<u64> = BTreeSet::new();
            for (page, good) in pages {
                let mut here = BTreeSet::new();
                let mut named = BTreeSet::new();
                let mut at = 0;
                while at < page.len() {
                    // As many as there are the quick way, then one the plain way.
                    let mut outlook = cache.outlook();
                    while let Some((series, true, true)) = page.get(at).copied() {
                        let line = format!("series{series} 1");
                        let Some(length) = cache.look(&mut outlook, line.as_bytes()) else {
                            break;
                        };
                        prop_assert_eq!(length, line.len() - 2);
                        prop_assert_eq!(outlook.go_on(), Some(SeriesRef(u64::from(series))));
                        prop_assert!(named.insert(series));
                        here.insert(u64::from(series));
                        at += 1;
                    }
                    cache.take(&outlook);
                    let Some((series, tracks, _)) = page.get(at).copied() else {
                        break;
                    };
                    let key = format!("series{series}");
                    let is_new = named.insert(series);
                    let slot = match cache.find(key.as_bytes()) {
                        Some((slot, again)) => {
                            prop_assert_eq!(again, !is_new);
                            prop_assert_eq!(cache.known(slot), Some(stored(u64::from(series))));
                            slot
                        }
                        None => cache.insert(key.as_bytes(), stored(u64::from(series))),
                    };
                    if tracks {
                        cache.track(slot);
                        here.insert(u64::from(series));
                    }
                    at += 1;
                }
                let all: BTreeSet<u64> = cache.all_previous().iter().map(|s| s.0).collect();
                prop_assert_eq!(&all, &before);
                if good {
                    let gone: BTreeSet<u64> = cache.gone().iter().map(|s| s.0).collect();
                    let expected: BTreeSet<u64> = before.difference(&here).copied().collect();
                    prop_assert_eq!(gone, expected);
                    before = here;
                } else {
                    before = BTreeSet::new();
                }
                cache.end_page(good);
                if good {
                    prop_assert_eq!(cache.len(), named.len());
                }
            }
        }
    }

    #[test]
    fn missing_series_are_told_once() {
        let mut cache = SeriesCache::new();
        assert!(page(&mut cache, &[("a", 1), ("b", 2), ("c", 3)]).is_empty());
        assert!(page(&mut cache, &[("c", 3), ("a", 1), ("b", 2)]).is_empty());
        assert_eq!(page(&mut cache, &[("b", 2)]), [1, 3]);
        assert!(page(&mut cache, &[("b", 2)]).is_empty());
        assert!(page(&mut cache, &[("a", 4), ("b", 2)]).is_empty());
        assert_eq!(cache.len(), 2);
        assert_eq!(page(&mut cache, &[]), [2, 4]);
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn what_is_left_after_many_are_forgotten_is_found_in_any_order() {
        let mut cache = SeriesCache::new();
        let names: Vec<String> = (0..1000).map(|i| format!("a{i}")).collect();
        let named: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        page(&mut cache, &named);
        page(&mut cache, &named[..10]);
        for (name, _) in named[..10].iter().rev() {
            assert!(cache.find(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn a_series_under_another_text_is_not_gone() {
        let mut cache = SeriesCache::new();
        page(&mut cache, &[("a{x,y}", 1)]);
        assert!(page(&mut cache, &[("a{y,x}", 1)]).is_empty());
    }

    #[test]
    fn a_page_that_is_not_taken_ends_all_series() {
        let mut cache = SeriesCache::new();
        page(&mut cache, &[("a", 1), ("b", 2)]);
        let (slot, _) = cache.find(b"a").unwrap();
        cache.track(slot);
        assert_eq!(cache.all_previous().len(), 2);
        cache.end_page(false);
        assert!(cache.all_previous().is_empty());
        assert!(cache.gone().is_empty());
        assert!(page(&mut cache, &[("a", 1)]).is_empty());
    }

    #[test]
    fn failing_pages_cannot_make_the_cache_grow_for_ever() {
        let mut cache = SeriesCache::new();
        let mut forced = 0;
        for round in 0..30 {
            for i in 0..100 {
                cache.insert(format!("{round} {i}").as_bytes(), Known::Dropped);
            }
            forced += usize::from(cache.end_page(false));
            assert!(cache.len() <= SLACK + 100);
        }
        assert!(forced > 0);
    }
}
