//! Which series have which labels. Each pair of name and value exists once and has a number; a series is a list
//! of such numbers, and a pair has the list of its series.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet, HashTable};
use smallvec::SmallVec;

use super::list::List;
use super::matched::{Matches, PairSet};
use super::table::Table;
use crate::model::{Labels, MatchOp, Matcher};
use crate::tsdb::batch::SeriesId;

/// A pair's number; free for another pair when no series has it any more.
pub(crate) type PairId = u32;

/// The numbers of a label set's pairs, in the order of the labels' names.
pub(crate) type PairIds = SmallVec<[PairId; 16]>;

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pairs: Pairs,
    by_text: HashTable<PairId>,
    hasher: foldhash::fast::RandomState,
    names: BTreeMap<Arc<str>, Values>,
    all: List,
    /// Counts the changes of values.
    changes: u64,
    matches: Matches,
}

/// The values of one label name, sorted.
#[derive(Debug, Default)]
pub(crate) struct Values {
    sorted: BTreeMap<Arc<str>, PairId>,
    /// Another one after each change.
    version: u64,
}

impl Values {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    fn insert(&mut self, value: Arc<str>, id: PairId, version: u64) {
        self.sorted.insert(value, id);
        self.version = version;
    }

    fn remove(&mut self, value: &str, version: u64) {
        self.sorted.remove(value);
        self.version = version;
    }
}

impl Deref for Values {
    type Target = BTreeMap<Arc<str>, PairId>;

    fn deref(&self) -> &Self::Target {
        &self.sorted
    }
}

/// All pairs by number, in pages that are given back when nothing is in them.
#[derive(Debug, Default)]
struct Pairs {
    pages: Vec<Option<Page>>,
    /// Pages with room, the last of them is used next.
    open: Vec<u32>,
}

#[derive(Debug)]
struct Page {
    slots: Box<[Option<Pair>]>,
    used: usize,
}

const PAGE: usize = 256;

const fn place(id: PairId) -> (usize, usize) {
    (id as usize / PAGE, id as usize % PAGE)
}

impl Pairs {
    fn get(&self, id: PairId) -> Option<&Pair> {
        let (page, slot) = place(id);
        self.pages.get(page)?.as_ref()?.slots.get(slot)?.as_ref()
    }

    fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let (page, slot) = place(id);
        let page = self.pages.get_mut(page)?.as_mut()?;
        page.slots.get_mut(slot)?.as_mut()
    }

    /// Puts a pair under a number that is free.
    fn add(&mut self, pair: Pair) -> PairId {
        let at = if let Some(at) = self.open.last() {
            *at as usize
        } else {
            self.pages.push(None);
            let at = self.pages.len() - 1;
            // Fewer pairs than series and labels, which are fewer than 2^32 in any memory.
            self.open.push(at as u32);
            at
        };
        let mut slot = 0;
        if let Some(page) = self.pages.get_mut(at) {
            let page = page.get_or_insert_with(|| Page {
                slots: (0..PAGE).map(|_| None).collect(),
                used: 0,
            });
            // Pages are mostly filled from front to back.
            let guess = page.used;
            let is_free = |at: &usize| page.slots.get(*at).is_some_and(Option::is_none);
            slot = Some(guess)
                .filter(is_free)
                .or_else(|| (0..PAGE).find(is_free))
                .unwrap_or(0);
            if let Some(free) = page.slots.get_mut(slot) {
                *free = Some(pair);
            }
            page.used += 1;
            if page.used == PAGE {
                self.open.pop();
            }
        }
        (at * PAGE + slot) as PairId
    }

    fn take(&mut self, id: PairId) -> Option<Pair> {
        let (at, slot) = place(id);
        let entry = self.pages.get_mut(at)?;
        let page = entry.as_mut()?;
        let pair = page.slots.get_mut(slot)?.take()?;
        if page.used == PAGE {
            self.open.push(at as u32);
        }
        page.used -= 1;
        if page.used == 0 {
            *entry = None;
        }
        Some(pair)
    }
}

#[derive(Debug)]
struct Pair {
    name: Arc<str>,
    value: Arc<str>,
    /// Series that have it, whether they are listed or not.
    users: u32,
    list: List,
}

impl Index {
    fn hash(&self, name: &str, value: &str) -> u64 {
        self.hasher.hash_one((name, value))
    }

    fn pair(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id)
    }

    fn find(&self, name: &str, value: &str) -> Option<PairId> {
        self.by_text
            .find(self.hash(name, value), |id| {
                self.pair(*id)
                    .is_some_and(|pair| *pair.value == *value && *pair.name == *name)
            })
            .copied()
    }

    /// Whether some series has a label with this value.
    pub(crate) fn contains(&self, name: &str, value: &str) -> bool {
        self.find(name, value).is_some()
    }

    /// The numbers of a label set's pairs; `None` when one of them is not known.
    pub(crate) fn pair_ids(&self, labels: &Labels) -> Option<PairIds> {
        labels
            .iter()
            .map(|(name, value)| self.find(name, value))
            .collect()
    }

    /// Whether these are the pairs of a label set.
    pub(crate) fn is_same(&self, pairs: &[PairId], labels: &Labels) -> bool {
        pairs.len() == labels.len()
            && pairs.iter().zip(labels.iter()).all(|(id, (name, value))| {
                self.pair(*id)
                    .is_some_and(|pair| *pair.value == *value && *pair.name == *name)
            })
    }

    /// The label set of a series.
    pub(crate) fn labels(&self, pairs: &[PairId]) -> Labels {
        let pairs = pairs.iter().filter_map(|id| self.pair(*id));
        let pairs: SmallVec<[(&str, &str); 24]> =
            pairs.map(|pair| (&*pair.name, &*pair.value)).collect();
        Labels::from_sorted_slice(&pairs)
    }

    /// Name and value of a pair.
    pub(crate) fn text(&self, id: PairId) -> Option<(Arc<str>, Arc<str>)> {
        let pair = self.pair(id)?;
        Some((Arc::clone(&pair.name), Arc::clone(&pair.value)))
    }

    /// The value that a series has of a label.
    pub(crate) fn value(&self, pairs: &[PairId], name: &str) -> Option<&str> {
        pairs
            .iter()
            .filter_map(|id| self.pair(*id))
            .find(|pair| *pair.name == *name)
            .map(|pair| &*pair.value)
    }

    /// Numbers a label set's pairs for a series, which must give them back with [`Self::release`].
    pub(crate) fn acquire(&mut self, labels: &Labels) -> PairIds {
        labels
            .iter()
            .map(|(name, value)| self.intern(name, value))
            .collect()
    }

    /// Numbers one pair for one user.
    pub(crate) fn intern(&mut self, name: &str, value: &str) -> PairId {
        if let Some(id) = self.find(name, value) {
            self.share(id);
            return id;
        }
        let name = match self.names.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let value: Arc<str> = Arc::from(value);
        let hash = self.hash(&name, &value);
        let pair = Pair {
            name: Arc::clone(&name),
            value: Arc::clone(&value),
            users: 1,
            list: List::default(),
        };
        let id = self.pairs.add(pair);
        let (pairs, hasher) = (&self.pairs, &self.hasher);
        self.by_text.insert_unique(hash, id, |id| {
            let pair = pairs.get(*id);
            pair.map_or(0, |pair| hasher.hash_one((&*pair.name, &*pair.value)))
        });
        self.changes += 1;
        let values = self.names.entry(name).or_default();
        values.insert(value, id, self.changes);
        id
    }

    /// Notes one more user of a pair.
    pub(crate) fn share(&mut self, id: PairId) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.users = pair.users.saturating_add(1);
        }
    }

    /// Gives pairs back; those that nobody has any more are gone.
    pub(crate) fn release(&mut self, pairs: &[PairId]) {
        for id in pairs {
            let Some(pair) = self.pairs.get_mut(*id) else {
                continue;
            };
            pair.users -= 1;
            if pair.users == 0 {
                self.forget(*id);
            }
        }
    }

    fn forget(&mut self, id: PairId) {
        let Some(pair) = self.pairs.take(id) else {
            return;
        };
        let hash = self.hash(&pair.name, &pair.value);
        if let Ok(entry) = self.by_text.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.changes += 1;
        if let Some(values) = self.names.get_mut(&pair.name) {
            values.remove(&pair.value, self.changes);
            if values.is_empty() {
                self.names.remove(&pair.name);
            }
        }
    }

    /// Lists a series under its pairs.
    pub(crate) fn insert(&mut self, id: SeriesId, pairs: &[PairId]) {
        for pair in pairs {
            if let Some(pair) = self.pairs.get_mut(*pair) {
                pair.list.insert(id);
            }
        }
        self.all.insert(id);
    }

    /// Takes series out of the lists and gives their pairs back.
    pub(crate) fn remove(&mut self, gone: &[(SeriesId, PairIds)]) {
        let ids: HashSet<SeriesId, foldhash::fast::RandomState> =
            gone.iter().map(|(id, _)| *id).collect();
        let mut pairs: Vec<PairId> = gone.iter().flat_map(|(_, pairs)| pairs).copied().collect();
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            // What goes as a whole needs no list.
            if let Some(pair) = self.pairs.get_mut(pair)
                && pair.users > 1
            {
                pair.list.remove(|id| ids.contains(&id));
            }
        }
        self.all.remove(|id| ids.contains(&id));
        for (_, pairs) in gone {
            self.release(pairs);
        }
        if self.by_text.len() < self.by_text.capacity() / 4 {
            let (pairs, hasher) = (&self.pairs, &self.hasher);
            self.by_text.shrink_to(self.by_text.len() * 2, |id| {
                let pair = pairs.get(*id);
                pair.map_or(0, |pair| hasher.hash_one((&*pair.name, &*pair.value)))
            });
        }
    }

    /// All label names with their values.
    pub(crate) const fn names(&self) -> &BTreeMap<Arc<str>, Values> {
        &self.names
    }

    /// The values of a label.
    pub(crate) fn values(&self, name: &str) -> Option<&Values> {
        self.names.get(name)
    }

    /// The series that are listed under a pair.
    pub(crate) fn list(&self, id: PairId) -> Option<&List> {
        self.pair(id).map(|pair| &pair.list)
    }

    /// The series that fulfil all matchers, by number.
    pub(crate) fn select(&self, matchers: &[Matcher], table: &Table) -> Vec<SeriesId> {
        let (equal, mut rest): (Vec<&Matcher>, Vec<&Matcher>) = matchers
            .iter()
            .partition(|m| m.op == MatchOp::Equal && !m.value.is_empty());
        let mut lists = Vec::with_capacity(equal.len());
        for matcher in equal {
            let found = self.find(&matcher.name, &matcher.value);
            match found.and_then(|id| self.list(id)) {
                Some(list) => lists.push(list),
                None => return Vec::new(),
            }
        }
        lists.sort_by_key(|list| list.len());
        let mut candidates = match lists.split_first() {
            Some((first, others)) => {
                let mut candidates: Vec<SeriesId> = first.iter().collect();
                for list in others {
                    list.retain(&mut candidates, true);
                }
                candidates
            }
            // Without an equality, a matcher that demands the label limits the search to its values.
            None => match rest.iter().position(|m| !m.matches_empty()) {
                Some(at) => self.union(rest.swap_remove(at)),
                None => self.all.iter().collect(),
            },
        };
        for matcher in rest {
            self.filter(&mut candidates, matcher, table);
        }
        candidates
    }

    /// The series with a value of the matcher's label that it matches; the empty value must not match.
    fn union(&self, matcher: &Matcher) -> Vec<SeriesId> {
        let Some(values) = self.names.get(matcher.name.as_str()) else {
            return Vec::new();
        };
        self.listed(&self.matches.of(matcher, values))
    }

    /// The series that are listed under any of some pairs.
    fn listed(&self, pairs: &PairSet) -> Vec<SeriesId> {
        let lists = pairs.iter().filter_map(|id| self.list(*id));
        let mut union: Vec<SeriesId> = lists.flat_map(List::iter).collect();
        union.sort_unstable();
        union
    }

    /// Forgets what is only kept to be quick.
    pub(crate) fn drop_cache(&self) {
        self.matches.clear();
    }

    /// Keeps the candidates that fulfil a matcher, looking at each distinct value once: at all values of the
    /// label when those are fewer than the candidates, else at those that candidates have.
    fn filter(&self, candidates: &mut Vec<SeriesId>, matcher: &Matcher, table: &Table) {
        // Either what matches is kept, or what does not is taken out, as who lacks the label is.
        let keep = !matcher.matches_empty();
        let Some(values) = self.names.get(matcher.name.as_str()) else {
            if keep {
                candidates.clear();
            }
            return;
        };
        if values.len() < candidates.len() {
            let named = self.matches.of(matcher, values);
            let series = named.iter().filter_map(|id| self.list(*id)).map(List::len);
            if series.sum::<usize>() < candidates.len() {
                let list: List = self.listed(&named).into_iter().collect();
                list.retain(candidates, keep);
                return;
            }
            candidates.retain(|id| {
                let pairs = table.pairs(*id);
                pairs.is_some_and(|pairs| pairs.iter().any(|pair| named.contains(pair)) == keep)
            });
            return;
        }
        let mut known: HashMap<&str, bool, foldhash::fast::RandomState> = HashMap::default();
        candidates.retain(|id| {
            let Some(pairs) = table.pairs(*id) else {
                return false;
            };
            let value = self.value(&pairs, &matcher.name).unwrap_or_default();
            *known.entry(value).or_insert_with(|| matcher.matches(value))
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> (Table, Index) {
        let mut table = Table::default();
        let mut index = Index::default();
        for i in 0..60 {
            let mut pairs = vec![
                ("__name__", ["up", "down", "go"][i % 3].to_owned()),
                ("i", i.to_string()),
            ];
            if i % 4 > 0 {
                pairs.push(("job", ["a", "b", "ab"][i % 4 - 1].to_owned()));
            }
            let labels = Labels::from_pairs(pairs);
            let pairs = index.acquire(&labels);
            let id = table.create(&pairs).unwrap();
            index.insert(id, &pairs);
            assert_eq!(index.labels(&pairs), labels);
            assert!(index.is_same(&pairs, &labels));
            assert_eq!(index.pair_ids(&labels).as_deref(), Some(&*pairs));
        }
        (table, index)
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let op = prop::sample::select(vec![
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ]);
        let name = prop::sample::select(vec!["__name__", "job", "i", "none"]);
        let value = prop::sample::select(vec![
            "", "up", "a", "a|b", ".*", ".+", "a?", "1.", "x", "|b", "[0-9]+",
        ]);
        (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn selection_is_what_a_walk_over_all_series_finds(matchers in prop::collection::vec(matcher(), 0..4)) {
            let (table, index) = table();
            let walk: Vec<_> = table
                .iter_from(0)
                .filter(|(id, _)| matchers.iter().all(|m| m.matches(index.value(&table.pairs(*id).unwrap(), &m.name).unwrap_or(""))))
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(index.select(&matchers, &table), walk);
        }
    }

    #[test]
    fn what_an_expression_matched_is_found_anew_when_values_change() {
        let (mut table, mut index) = table();
        let matchers = [
            Matcher::equal("__name__", "up"),
            Matcher::new(MatchOp::Regex, "job", "a|n.*").unwrap(),
        ];
        let before = index.select(&matchers, &table);
        assert_eq!(index.select(&matchers, &table), before);
        let pairs = index.acquire(&Labels::from_pairs([("__name__", "up"), ("job", "new")]));
        let id = table.create(&pairs).unwrap();
        index.insert(id, &pairs);
        let mut after = before.clone();
        after.push(id);
        assert_eq!(index.select(&matchers, &table), after);
        let gone = vec![(id, table.remove(id).unwrap().1)];
        index.remove(&gone);
        assert_eq!(index.select(&matchers, &table), before);
        index.drop_cache();
        assert_eq!(index.select(&matchers, &table), before);
    }

    #[test]
    fn removed_series_and_their_pairs_are_gone() {
        let (mut table, mut index) = table();
        let gone: Vec<_> = (0..60)
            .filter(|id| id % 3 == 0)
            .map(|id| (id, table.remove(id).unwrap().1))
            .collect();
        index.remove(&gone);
        assert!(index.values("__name__").unwrap().get("up").is_none());
        assert_eq!(index.values("i").unwrap().len(), 40);
        assert_eq!(index.select(&[], &table).len(), 40);
        let again = Labels::from_pairs([("__name__", "up")]);
        let pairs = index.acquire(&again);
        assert_eq!(index.labels(&pairs), again, "numbers are used again");
    }
}
