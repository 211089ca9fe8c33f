//! All silences, and which of them are about an alert.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Silence, SilenceNote, SilenceState};
use crate::alerting::matchers::Syntax;
use crate::alerting::{Error, Matcher};
use crate::model::{Labels, MatchOp};
use crate::time::{Span, WallTime};

/// Limits on silences; zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SilenceLimits {
    /// How many there may be, expired ones included.
    pub max_silences: usize,
    /// How many bytes one may take.
    pub max_per_silence_bytes: usize,
}

/// All silences, with an index that finds those about an alert.
#[derive(Debug)]
pub struct Silences {
    limits: SilenceLimits,
    retention: Span,
    syntax: Syntax,
    /// In order of creation.
    all: BTreeMap<u64, Silence>,
    /// What decisions say of the silences, shared among them.
    notes: BTreeMap<u64, Arc<SilenceNote>>,
    by_id: HashMap<String, u64>,
    next: u64,
    index: Index,
}

/// Silences by a matcher of each set that asks for one certain value: of several the one that fewest
/// silences before it were found by, so that a label that all have in common tells them apart no worse.
#[derive(Debug, Default)]
struct Index {
    by_value: HashMap<(String, String), Vec<u64>>,
    others: Vec<u64>,
}

impl Silences {
    /// No silences yet. Expired ones are kept for `retention`; `syntax` says which names labels may have.
    pub fn new(limits: SilenceLimits, retention: Span, syntax: Syntax) -> Self {
        Self {
            limits,
            retention,
            syntax,
            all: BTreeMap::new(),
            notes: BTreeMap::new(),
            by_id: HashMap::new(),
            next: 0,
            index: Index::default(),
        }
    }

    /// Creates or changes a silence; returns the silences that have changed, the wanted one last.
    ///
    /// A change that would rewrite history (other matchers, another start of an active silence, any
    /// change of an expired one) expires the old silence and creates one with an id from `new_id`.
    pub fn set(
        &mut self,
        now: WallTime,
        mut silence: Silence,
        new_id: impl FnOnce() -> String,
    ) -> Result<Vec<Silence>, Error> {
        if silence.starts_at.is_zero() {
            silence.starts_at = now;
        }
        silence.check(self.syntax)?;
        let previous = self.get(&silence.id).cloned();
        if previous.is_none() && !silence.id.is_empty() {
            return Err(Error::SilenceNotFound);
        }
        silence.updated_at = now;
        if let Some(previous) = &previous
            && can_update(previous, &silence, now)
        {
            self.check_size(&silence)?;
            self.put(silence.clone());
            return Ok(vec![silence]);
        }
        if self.limits.max_silences > 0 && self.all.len() + 1 > self.limits.max_silences {
            return Err(Error::BadSilence(format!(
                "exceeded maximum number of silences: {} (limit: {})",
                self.all.len(),
                self.limits.max_silences
            )));
        }
        silence.id = new_id();
        silence.starts_at = silence.starts_at.max(now);
        self.check_size(&silence)?;
        let mut changed = Vec::new();
        if let Some(previous) = previous
            && let Some(expired) = self.expire(now, &previous.id)?
        {
            changed.push(expired);
        }
        self.put(silence.clone());
        changed.push(silence);
        Ok(changed)
    }

    /// Ends a silence now; returns it if that changed anything.
    pub fn expire(&mut self, now: WallTime, id: &str) -> Result<Option<Silence>, Error> {
        let mut silence = self.get(id).cloned().ok_or(Error::SilenceNotFound)?;
        match silence.state(now) {
            SilenceState::Expired => return Ok(None),
            SilenceState::Active => silence.ends_at = now,
            // compat: a silence that never began ends before it begins.
            SilenceState::Pending => {
                silence.starts_at = now;
                silence.ends_at = now;
            }
        }
        silence.updated_at = now;
        self.put(silence.clone());
        Ok(Some(silence))
    }

    /// Puts a silence in place as it is; for the journal.
    pub fn put(&mut self, silence: Silence) {
        let note = Arc::new(silence.note());
        if let Some(at) = self.by_id.get(&silence.id) {
            let at = *at;
            self.notes.insert(at, note);
            let same = self
                .all
                .get(&at)
                .is_some_and(|old| old.matcher_sets == silence.matcher_sets);
            self.all.insert(at, silence);
            if !same {
                self.rebuild();
            }
            return;
        }
        let at = self.next;
        self.next += 1;
        self.by_id.insert(silence.id.clone(), at);
        self.notes.insert(at, note);
        self.index.add(at, &silence);
        self.all.insert(at, silence);
    }

    /// Drops a silence; for the journal.
    pub fn remove(&mut self, id: &str) {
        if let Some(at) = self.by_id.remove(id) {
            self.all.remove(&at);
            self.notes.remove(&at);
            self.rebuild();
        }
    }

    /// The silence of this id.
    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.all.get(self.by_id.get(id)?)
    }

    /// All silences in order of creation.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The ids, sorted, of the silences that hold at `now` for an alert with these labels.
    pub fn silenced_by(&self, labels: &Labels, now: WallTime) -> Vec<String> {
        let notes = self.notes_about(labels, now);
        notes.iter().map(|note| note.id.clone()).collect()
    }

    /// As [`Self::silenced_by`], with what the decision record says of them.
    pub fn notes_about(&self, labels: &Labels, now: WallTime) -> Vec<Arc<SilenceNote>> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let mut notes: Vec<Arc<SilenceNote>> = self
            .index
            .candidates(labels)
            .filter_map(|at| Some((self.all.get(&at)?, self.notes.get(&at)?)))
            .filter(|(silence, _)| {
                silence.state(now) == SilenceState::Active && silence.is_about(labels)
            })
            .map(|(_, note)| Arc::clone(note))
            .collect();
        notes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        notes.dedup_by(|a, b| a.id == b.id);
        notes
    }

    /// Drops silences that have been over for longer than the retention; returns their ids.
    pub fn collect_garbage(&mut self, now: WallTime) -> Vec<String> {
        let retention = self.retention;
        let gone: Vec<u64> = self
            .all
            .iter()
            .filter(|(_, silence)| silence.ends_at + retention <= now)
            .map(|(at, _)| *at)
            .collect();
        let ids = gone
            .iter()
            .filter_map(|at| {
                self.notes.remove(at);
                self.all.remove(at)
            })
            .map(|silence| silence.id)
            .collect::<Vec<_>>();
        for id in &ids {
            self.by_id.remove(id);
        }
        if !ids.is_empty() {
            self.rebuild();
        }
        ids
    }

    fn check_size(&self, silence: &Silence) -> Result<(), Error> {
        let size = silence.size(self.retention);
        let limit = self.limits.max_per_silence_bytes;
        if limit > 0 && size > limit {
            return Err(Error::BadSilence(format!(
                "silence exceeded maximum size: {size} bytes (limit: {limit} bytes)"
            )));
        }
        Ok(())
    }

    fn rebuild(&mut self) {
        self.index = Index::default();
        for (at, silence) in &self.all {
            self.index.add(*at, silence);
        }
    }
}

impl Index {
    fn add(&mut self, at: u64, silence: &Silence) {
        for set in &silence.matcher_sets {
            let certain = |m: &&Matcher| m.op == MatchOp::Equal && !m.value.is_empty();
            let taken = |m: &&Matcher| {
                let by_value = self.by_value.get(&Pair(&m.name, &m.value));
                by_value.map_or(0, Vec::len)
            };
            match set.0.iter().filter(certain).min_by_key(taken) {
                Some(m) => self
                    .by_value
                    .entry((m.name.clone(), m.value.clone()))
                    .or_default()
                    .push(at),
                None => self.others.push(at),
            }
        }
    }

    fn candidates<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = u64> + 'a {
        labels
            .iter()
            .filter_map(|(name, value)| self.by_value.get(&Pair(name, value)))
            .flatten()
            .chain(&self.others)
            .copied()
    }
}

/// A borrowed key of the index.
#[derive(Hash)]
struct Pair<'a>(&'a str, &'a str);

impl hashbrown::Equivalent<(String, String)> for Pair<'_> {
    fn equivalent(&self, key: &(String, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

/// Whether `new` can replace `old` without changing what `old` did in the past.
fn can_update(old: &Silence, new: &Silence, now: WallTime) -> bool {
    if old.matcher_sets != new.matcher_sets {
        return false;
    }
    let seconds = |t: WallTime| t.as_ns().div_euclid(1_000_000_000);
    match old.state(now) {
        // compat: starts are compared by the second.
        SilenceState::Active => {
            seconds(old.starts_at) == seconds(new.starts_at) && new.ends_at >= now
        }
        SilenceState::Pending => new.starts_at >= now,
        SilenceState::Expired => false,
    }
}
