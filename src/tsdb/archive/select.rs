//! Which series of an archive fulfil matchers, and which values its labels have.

use super::{Archive, Entry, values};
use crate::model::{Labels, MatchOp, Matcher};
use crate::tsdb::batch::SeriesId;
use crate::tsdb::error::Error;
use crate::tsdb::head::List;

/// Of so few candidates the labels are read instead of all values of a label.
const FEW: usize = 64;

/// A value of a label with what is needed to look at its series.
pub(crate) struct ArchivedValue<'a> {
    pub(crate) text: &'a str,
    /// First and last time of its series.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    archive: &'a Archive,
    page: &'a values::Page,
    value: &'a values::Value,
}

impl ArchivedValue<'_> {
    /// Its series.
    pub(crate) fn list(&self) -> Result<List, Error> {
        self.archive.list_of(self.page, self.value)
    }
}

impl Archive {
    /// The names of its labels in order, each with the first and last time of its series.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, i64, i64)> {
        let names = self.directory.names.iter();
        names.map(|name| (&*name.text, name.first_ms, name.last_ms))
    }

    /// Hands over the values of a label in order, until `each` says false. Fails when some are damaged or lost.
    pub(crate) fn each_value(
        &self,
        name: &str,
        mut each: impl FnMut(&ArchivedValue<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if self.directory.is_partial {
            return Err(self.lost(0));
        }
        for number in self.directory.pages_of(name) {
            let page = self.values_page(number)?;
            for value in &page.values {
                let found = ArchivedValue {
                    text: page.text(value),
                    first_ms: value.first_ms,
                    last_ms: value.last_ms,
                    archive: self,
                    page: &page,
                    value,
                };
                if !each(&found)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The series that fulfil all matchers, by number. When lists are damaged, all series are looked at.
    pub(super) fn select(&self, matchers: &[Matcher]) -> Result<Vec<SeriesId>, Error> {
        if !self.directory.is_partial {
            match self.select_by_values(matchers) {
                Err(Error::Corrupt { .. }) => {}
                selected => return selected,
            }
        }
        let mut selected = Vec::new();
        let damage = self.each(|entry| {
            let value = |m: &Matcher| entry.labels.get(&m.name).unwrap_or_default();
            if matchers.iter().all(|m| m.matches(value(m))) {
                selected.push(entry.id);
            }
            Ok(())
        })?;
        damage.map_or(Ok(selected), Err)
    }

    fn select_by_values(&self, matchers: &[Matcher]) -> Result<Vec<SeriesId>, Error> {
        let (equal, mut rest): (Vec<&Matcher>, Vec<&Matcher>) = matchers
            .iter()
            .partition(|m| m.op == MatchOp::Equal && !m.value.is_empty());
        let mut lists = Vec::with_capacity(equal.len());
        for matcher in equal {
            match self.list_with(&matcher.name, &matcher.value)? {
                Some(list) => lists.push(list),
                None => return Ok(Vec::new()),
            }
        }
        lists.sort_by_key(List::len);
        let mut candidates: Vec<SeriesId> = match lists.split_first() {
            Some((first, others)) => {
                let mut candidates = first.iter().collect();
                for list in others {
                    list.retain(&mut candidates, true);
                }
                candidates
            }
            None => match rest.iter().position(|m| !m.matches_empty()) {
                Some(at) => self.listed(rest.swap_remove(at))?,
                None => self.all()?.iter().collect(),
            },
        };
        for matcher in rest {
            self.filter(&mut candidates, matcher)?;
        }
        Ok(candidates)
    }

    /// The series with these labels, found without their hash.
    pub(super) fn find_by_values(&self, labels: &Labels) -> Result<Option<Entry>, Error> {
        let pairs = labels.iter();
        let matchers: Vec<_> = pairs
            .map(|(name, value)| Matcher::equal(name, value))
            .collect();
        for id in self.select(&matchers)? {
            let entry = self.entry(id)?;
            if entry.as_ref().is_some_and(|entry| entry.labels == *labels) {
                return Ok(entry);
            }
        }
        Ok(None)
    }

    /// The series with a value of a label.
    fn list_with(&self, name: &str, value: &str) -> Result<Option<List>, Error> {
        let Some(number) = self.directory.page_with(name, value) else {
            return Ok(None);
        };
        let page = self.values_page(number)?;
        let found = page.find(value);
        found.map(|value| self.list_of(&page, value)).transpose()
    }

    /// The series with a value that the matcher matches or, when it matches the empty value, with one that it does
    /// not.
    fn listed(&self, matcher: &Matcher) -> Result<Vec<SeriesId>, Error> {
        // An equality that is left has the empty value: whoever has the label does not match.
        if matcher.op == MatchOp::NotEqual && !matcher.value.is_empty() {
            let list = self.list_with(&matcher.name, &matcher.value)?;
            return Ok(list.iter().flat_map(List::iter).collect());
        }
        let wanted = !matcher.matches_empty();
        let mut found = Vec::new();
        self.each_value(&matcher.name, |value| {
            if matcher.matches(value.text) == wanted {
                found.extend(value.list()?.iter());
            }
            Ok(true)
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Keeps the candidates that fulfil a matcher.
    fn filter(&self, candidates: &mut Vec<SeriesId>, matcher: &Matcher) -> Result<(), Error> {
        if candidates.is_empty() {
            return Ok(());
        }
        let pages = self.directory.pages_of(&matcher.name).len();
        if candidates.len() <= FEW && candidates.len() < pages {
            let mut kept = Vec::with_capacity(candidates.len());
            for id in candidates.iter() {
                let entry = self.entry(*id)?;
                let labels = entry.map(|entry| entry.labels).unwrap_or_default();
                if matcher.matches(labels.get(&matcher.name).unwrap_or_default()) {
                    kept.push(*id);
                }
            }
            *candidates = kept;
            return Ok(());
        }
        let list: List = self.listed(matcher)?.into_iter().collect();
        list.retain(candidates, !matcher.matches_empty());
        Ok(())
    }
}
