use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::table::Table;
use crate::model::{Labels, MatchOp, Matcher};
use crate::tsdb::batch::SeriesId;

/// Which series have which labels. Lists are sorted.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    names: BTreeMap<Box<str>, Values>,
    all: Vec<SeriesId>,
}

/// The values of one label name, each with its series.
pub(crate) type Values = BTreeMap<Box<str>, Vec<SeriesId>>;

impl Postings {
    pub(crate) fn insert(&mut self, id: SeriesId, labels: &Labels) {
        for (name, value) in labels {
            let values = match self.names.get_mut(name) {
                Some(values) => values,
                None => self.names.entry(name.into()).or_default(),
            };
            let list = match values.get_mut(value) {
                Some(list) => list,
                None => values.entry(value.into()).or_default(),
            };
            insert_sorted(list, id);
        }
        insert_sorted(&mut self.all, id);
    }

    /// Takes series out.
    pub(crate) fn remove(&mut self, gone: &[(SeriesId, Labels)]) {
        let ids: HashSet<SeriesId> = gone.iter().map(|(id, _)| *id).collect();
        let mut pairs: Vec<(&str, &str)> = gone.iter().flat_map(|(_, labels)| labels).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for (name, value) in pairs {
            let Some(values) = self.names.get_mut(name) else {
                continue;
            };
            if let Some(list) = values.get_mut(value) {
                list.retain(|id| !ids.contains(id));
                if list.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.names.remove(name);
            }
        }
        self.all.retain(|id| !ids.contains(id));
    }

    /// All label names with their values.
    pub(crate) const fn names(&self) -> &BTreeMap<Box<str>, Values> {
        &self.names
    }

    /// The values of a label.
    pub(crate) fn values(&self, name: &str) -> Option<&Values> {
        self.names.get(name)
    }

    /// The series that fulfil all matchers, by number.
    pub(crate) fn select(&self, matchers: &[Matcher], table: &Table) -> Vec<SeriesId> {
        let (equal, mut rest): (Vec<&Matcher>, Vec<&Matcher>) = matchers
            .iter()
            .partition(|m| m.op == MatchOp::Equal && !m.value.is_empty());
        let mut lists = Vec::with_capacity(equal.len());
        for matcher in equal {
            match self.list(matcher) {
                Some(list) => lists.push(list),
                None => return Vec::new(),
            }
        }
        lists.sort_by_key(|list| list.len());
        let mut candidates = match lists.split_first() {
            Some((first, others)) => intersect(first, others),
            // Without an equality, a matcher that demands the label limits the search to its values.
            None => match rest.iter().position(|m| !m.matches_empty()) {
                Some(at) => self.union(rest.swap_remove(at)),
                None => self.all.clone(),
            },
        };
        for matcher in rest {
            filter(&mut candidates, matcher, table);
        }
        candidates
    }

    fn list(&self, matcher: &Matcher) -> Option<&[SeriesId]> {
        let values = self.names.get(matcher.name.as_str())?;
        values.get(matcher.value.as_str()).map(Vec::as_slice)
    }

    fn union(&self, matcher: &Matcher) -> Vec<SeriesId> {
        let Some(values) = self.names.get(matcher.name.as_str()) else {
            return Vec::new();
        };
        let mut union: Vec<SeriesId> = Vec::new();
        for (value, list) in values {
            if matcher.matches(value) {
                union.extend_from_slice(list);
            }
        }
        union.sort_unstable();
        union
    }
}

fn insert_sorted(list: &mut Vec<SeriesId>, id: SeriesId) {
    match list.last() {
        Some(last) if *last >= id => {
            if let Err(at) = list.binary_search(&id) {
                list.insert(at, id);
            }
        }
        _ => list.push(id),
    }
}

fn intersect(first: &[SeriesId], others: &[&[SeriesId]]) -> Vec<SeriesId> {
    let mut rests: Vec<&[SeriesId]> = others.to_vec();
    first
        .iter()
        .copied()
        .filter(|id| {
            rests.iter_mut().all(|rest| {
                *rest = skip_below(rest, *id);
                rest.first() == Some(id)
            })
        })
        .collect()
}

/// The rest of a sorted list from `id` on; gallops, so that a short list walks a long one quickly.
fn skip_below(list: &[SeriesId], id: SeriesId) -> &[SeriesId] {
    let mut step = 1;
    let mut from = 0;
    while list.get(from + step).is_some_and(|other| *other < id) {
        from += step;
        step *= 2;
    }
    let window = list.get(from..).unwrap_or_default();
    let window = window.get(..=step).unwrap_or(window);
    let at = from + window.partition_point(|other| *other < id);
    list.get(at..).unwrap_or_default()
}

/// Keeps the candidates that fulfil a matcher; regular expressions run once per distinct value.
fn filter(candidates: &mut Vec<SeriesId>, matcher: &Matcher, table: &Table) {
    let regex = matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex);
    let mut known: HashMap<&str, bool, foldhash::fast::RandomState> = HashMap::default();
    candidates.retain(|id| {
        let Some(series) = table.get(*id) else {
            return false;
        };
        let value = series.labels.get(&matcher.name).unwrap_or_default();
        if regex {
            *known.entry(value).or_insert_with(|| matcher.matches(value))
        } else {
            matcher.matches(value)
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> (Table, Postings) {
        let mut table = Table::default();
        let mut postings = Postings::default();
        for i in 0..60 {
            let mut pairs = vec![
                ("__name__", ["up", "down", "go"][i % 3].to_owned()),
                ("i", i.to_string()),
            ];
            if i % 4 > 0 {
                pairs.push(("job", ["a", "b", "ab"][i % 4 - 1].to_owned()));
            }
            let labels = Labels::from_pairs(pairs);
            let id = table.create(labels.clone()).unwrap();
            postings.insert(id, &labels);
        }
        (table, postings)
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
            let (table, postings) = table();
            let walk: Vec<_> = table
                .iter_from(0)
                .filter(|(_, s)| matchers.iter().all(|m| m.matches(s.labels.get(&m.name).unwrap_or(""))))
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(postings.select(&matchers, &table), walk);
        }
    }

    #[test]
    fn removed_series_and_their_values_are_gone() {
        let (mut table, mut postings) = table();
        let gone: Vec<_> = (0..60)
            .filter(|id| id % 3 == 0)
            .map(|id| (id, table.remove(id).unwrap().labels))
            .collect();
        postings.remove(&gone);
        assert!(postings.values("__name__").unwrap().get("up").is_none());
        assert_eq!(postings.select(&[], &table).len(), 40);
    }
}
