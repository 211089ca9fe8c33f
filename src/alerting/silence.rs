//! Silences: who asked for quiet, about what, and how long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::matchers::Syntax;
use super::{Error, Matcher, Matchers};
use crate::model::{Labels, MatchOp};
use crate::text::quote::quote;
use crate::time::{Span, WallTime};

/// One silence.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// The id; empty for a new one.
    pub id: String,
    /// The silence holds for alerts that fulfil every matcher of any of these sets.
    pub matcher_sets: Vec<Matchers>,
    /// First moment.
    pub starts_at: WallTime,
    /// Last moment.
    pub ends_at: WallTime,
    /// When it was last changed.
    pub updated_at: WallTime,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further notes, by name.
    pub annotations: BTreeMap<String, String>,
}

/// What the decision record says of a silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceNote {
    /// The silence's id.
    pub id: String,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Its last moment.
    pub ends_at: WallTime,
}

impl fmt::Display for SilenceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {}", self.id, self.ends_at)?;
        if self.created_by.is_empty() && self.comment.is_empty() {
            return Ok(());
        }
        write!(f, " ({}: {})", self.created_by, self.comment)
    }
}

/// Where a silence stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// Begins later.
    Pending,
    /// Holds now.
    Active,
    /// Is over.
    Expired,
}

impl SilenceState {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where the silence stands at `now`; both ends belong to it.
    pub fn state(&self, now: WallTime) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now > self.ends_at {
            SilenceState::Expired
        } else {
            SilenceState::Active
        }
    }

    /// Whether the silence is about an alert with these labels, at whatever time.
    pub fn is_about(&self, labels: &Labels) -> bool {
        self.matcher_sets.iter().any(|set| set.matches(labels))
    }

    fn note(&self) -> SilenceNote {
        SilenceNote {
            id: self.id.clone(),
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            ends_at: self.ends_at,
        }
    }

    /// compat: the bytes of upstream's protobuf of a silence that is kept for `retention` after its end; the size
    /// limit counts these.
    fn size(&self, retention: Span) -> usize {
        let text = |text: &str| {
            if text.is_empty() {
                0
            } else {
                nested(text.len())
            }
        };
        let matcher = |m: &Matcher| {
            let op = if m.op == MatchOp::Equal { 0 } else { 2 };
            nested(op + text(&m.name) + text(&m.value))
        };
        let sets = self
            .matcher_sets
            .iter()
            .map(|set| nested(set.0.iter().map(matcher).sum()));
        let notes = self
            .annotations
            .iter()
            .map(|(name, value)| nested(nested(name.len()) + nested(value.len())));
        let times = [self.starts_at, self.ends_at, self.updated_at];
        let texts = [&self.id, &self.created_by, &self.comment];
        let silence = sets.sum::<usize>()
            + notes.sum::<usize>()
            + times.map(timestamp_size).iter().sum::<usize>()
            + texts.map(|part| text(part)).iter().sum::<usize>();
        nested(silence) + timestamp_size(self.ends_at + retention)
    }

    fn check(&self, syntax: Syntax) -> Result<(), Error> {
        let bad = |text: String| Error::BadSilence(format!("invalid silence: {text}"));
        if self.matcher_sets.is_empty() {
            return Err(bad("at least one matcher set required".to_owned()));
        }
        for (at, set) in self.matcher_sets.iter().enumerate() {
            if set.is_empty() {
                return Err(bad(format!("matcher set {at} is empty")));
            }
            for (i, matcher) in set.0.iter().enumerate() {
                if !syntax.is_label_name(&matcher.name) {
                    return Err(bad(format!(
                        "invalid label matcher {i} in set {at}: invalid label name {}",
                        quote(&matcher.name)
                    )));
                }
            }
            // compat: a negative matcher never counts as matching the empty text here.
            if set.0.iter().all(|m| m.is_equal() && m.matches("")) {
                return Err(bad(format!(
                    "matcher set {at}: at least one matcher must not match the empty string"
                )));
            }
        }
        if self.starts_at.is_zero() {
            return Err(bad("invalid zero start timestamp".to_owned()));
        }
        if self.ends_at.is_zero() {
            return Err(bad("invalid zero end timestamp".to_owned()));
        }
        if self.ends_at < self.starts_at {
            return Err(bad("end time must not be before start time".to_owned()));
        }
        Ok(())
    }
}

/// Bytes of a varint in protobuf.
fn varint_size(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Bytes of a field of protobuf that holds so many: tag, length, content.
fn nested(bytes: usize) -> usize {
    1 + varint_size(bytes as u64) + bytes
}

/// Bytes of a field with protobuf's `Timestamp`; zeros are left out.
fn timestamp_size(time: WallTime) -> usize {
    let seconds = time.as_ns().div_euclid(1_000_000_000);
    let nanoseconds = time.as_ns().rem_euclid(1_000_000_000);
    let parts = [seconds, nanoseconds];
    let part = |n: &i64| 1 + varint_size(n.cast_unsigned());
    nested(parts.iter().filter(|n| **n != 0).map(part).sum())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::parse_matchers;

    const NOW: WallTime = WallTime::from_ms(1_000_000);

    fn silence(matchers: &str, from_s: i64, to_s: i64) -> Silence {
        Silence {
            id: String::new(),
            matcher_sets: vec![Matchers(
                parse_matchers(Syntax::Fallback, matchers).expect("valid"),
            )],
            starts_at: NOW + Span::seconds(from_s),
            ends_at: NOW + Span::seconds(to_s),
            updated_at: WallTime::ZERO,
            created_by: "me".to_owned(),
            comment: "why".to_owned(),
            annotations: BTreeMap::new(),
        }
    }

    fn silences() -> Silences {
        Silences::new(SilenceLimits::default(), Span::hours(1), Syntax::Fallback)
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn silences_hold_from_start_to_end_for_any_of_their_sets() {
        let mut silences = silences();
        let mut wanted = silence("a=\"1\",b=~\"x|y\"", 10, 20);
        wanted
            .matcher_sets
            .push(silence("c!=\"\"", 0, 1).matcher_sets.remove(0));
        silences
            .set(NOW, wanted, || "one".to_owned())
            .expect("accepted");
        let (ab, c) = (labels(&[("a", "1"), ("b", "y")]), labels(&[("c", "9")]));
        assert!(silences.silenced_by(&ab, NOW).is_empty());
        for at in [10, 20] {
            let then = NOW + Span::seconds(at);
            assert_eq!(silences.silenced_by(&ab, then), ["one"]);
            assert_eq!(silences.silenced_by(&c, then), ["one"]);
            assert!(
                silences
                    .silenced_by(&labels(&[("a", "1")]), then)
                    .is_empty()
            );
        }
        assert!(
            silences
                .silenced_by(&ab, NOW + Span::seconds(21))
                .is_empty()
        );
    }

    #[test]
    fn other_matchers_expire_the_old_silence_and_make_a_new_one() {
        let mut silences = silences();
        let first = silences
            .set(NOW, silence("a=\"1\"", 0, 100), || "one".to_owned())
            .expect("accepted")
            .remove(0);
        let mut longer = first.clone();
        longer.ends_at = NOW + Span::seconds(200);
        let later = NOW + Span::seconds(5);
        let changed = silences
            .set(later, longer, || unreachable!("same id"))
            .expect("accepted");
        assert_eq!(changed.len(), 1);
        let mut other = first;
        other.matcher_sets = silence("a=\"2\"", 0, 1).matcher_sets;
        let changed = silences
            .set(later, other, || "two".to_owned())
            .expect("accepted");
        assert_eq!(changed[0].ends_at, later);
        assert_eq!(
            (changed[1].id.as_str(), changed[1].starts_at),
            ("two", later)
        );
        let after = later + Span::seconds(1);
        assert!(
            silences
                .silenced_by(&labels(&[("a", "1")]), after)
                .is_empty()
        );
        assert_eq!(silences.silenced_by(&labels(&[("a", "2")]), after), ["two"]);
    }

    #[test]
    fn expired_silences_go_after_the_retention() {
        let mut silences = silences();
        silences
            .set(NOW, silence("a=\"1\"", 50, 100), || "one".to_owned())
            .expect("accepted");
        let expired = silences
            .expire(NOW, "one")
            .expect("known")
            .expect("changed");
        assert_eq!((expired.starts_at, expired.ends_at), (NOW, NOW));
        assert_eq!(silences.expire(NOW + Span::seconds(1), "one"), Ok(None));
        assert!(silences.collect_garbage(NOW + Span::minutes(59)).is_empty());
        assert_eq!(silences.collect_garbage(NOW + Span::minutes(60)), ["one"]);
        assert_eq!(silences.expire(NOW, "one"), Err(Error::SilenceNotFound));
    }

    /// The sizes are those that Alertmanager 0.33.1 told.
    #[test]
    fn a_silence_is_as_large_as_upstreams() {
        let end = |text: &str| WallTime::parse_rfc3339(text).expect("a time");
        let of =
            |matchers: &str, ends_at: &str, by: &str, comment: &str, notes: &[(&str, &str)]| {
                // A fraction of a second takes four bytes or five.
                let fraction = if comment.len() > 1 { 2 } else { 5 };
                let now = WallTime::from_ms(1_795_000_000_000 + fraction * 100);
                let notes = notes
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
                let silence = Silence {
                    id: "a3f0e0ce-d2e4-4b08-a43d-cc7309597fde".to_owned(),
                    starts_at: now,
                    ends_at: end(ends_at),
                    updated_at: now,
                    created_by: by.to_owned(),
                    comment: comment.to_owned(),
                    annotations: notes.collect(),
                    ..silence(matchers, 0, 0)
                };
                silence.size(Span::hours(120))
            };
        let (far, near) = ("2099-01-01T00:00:00Z", "2030-01-01T00:00:00.5Z");
        assert_eq!(of("a=x", far, "me", "c", &[]), 101);
        assert_eq!(of("a=~x", far, "me", "c", &[]), 103);
        assert_eq!(of("a=x,abc=~xxxxxx", far, "", "", &[]), 111);
        assert_eq!(of("a=x", near, "mexx", &"c".repeat(161), &[]), 275);
        let notes = [("k", "v"), ("key", "value")];
        assert_eq!(of("a=x", far, "me", "c", &notes), 123);
    }

    #[test]
    fn names_of_labels_follow_the_mode() {
        let mut silences = Silences::new(SilenceLimits::default(), Span::hours(1), Syntax::Classic);
        let refused = silences
            .set(NOW, silence("\"a.b\"=1", 0, 1), String::new)
            .expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "invalid silence: invalid label matcher 0 in set 0: invalid label name \"a.b\""
        );
    }

    #[test]
    fn refusals_use_upstreams_words() {
        let mut silences = Silences::new(
            SilenceLimits {
                max_silences: 1,
                max_per_silence_bytes: 200,
            },
            Span::hours(1),
            Syntax::Fallback,
        );
        let refuse = |silences: &mut Silences, s: Silence| {
            silences
                .set(NOW, s, || "id".to_owned())
                .expect_err("refused")
                .to_string()
        };
        assert_eq!(
            refuse(&mut silences, silence("a=\"\"", 0, 1)),
            "invalid silence: matcher set 0: at least one matcher must not match the empty string"
        );
        assert_eq!(
            refuse(&mut silences, silence("a=\"1\"", 5, 1)),
            "invalid silence: end time must not be before start time"
        );
        let mut big = silence("a=\"1\"", 0, 1);
        big.comment = "x".repeat(300);
        assert!(refuse(&mut silences, big).starts_with("silence exceeded maximum size: "));
        silences
            .set(NOW, silence("a=\"1\"", 0, 1), || "id".to_owned())
            .expect("accepted");
        assert_eq!(
            refuse(&mut silences, silence("a=\"1\"", 0, 1)),
            "exceeded maximum number of silences: 1 (limit: 1)"
        );
    }
}
