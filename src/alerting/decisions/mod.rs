//! The decision record: what each stage decided about each alert, so that "why was I (not) paged?" has
//! an answer. Bounded by count and age; the oldest go first. `log` keeps it over a restart.
//!
//! Alerts come in by the hundred thousand and each meets several stages, so a decision is a few words that
//! share what decisions have in common: labels per alert, a place per group and integration, a stage per
//! flush. The decisions about one alert are a chain from the newest back.

mod log;
mod stage;
mod stage_codec;

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::disk::Disk;
use crate::model::Labels;
use crate::time::{Span, WallTime};

use log::DecisionLog;
pub use stage::Stage;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionLimits {
    /// Decisions kept at most; about 150 bytes each. 100,000 unless given.
    pub count: usize,
    /// How long they are kept. A week unless given.
    pub age: Span,
}

impl DecisionLimits {
    /// What holds unless given: a week, a hundred thousand.
    pub const DEFAULT: Self = Self {
        count: 100_000,
        age: Span::hours(7 * 24),
    };
}

impl Default for DecisionLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One decision about one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When it was first made.
    pub at: WallTime,
    /// When it was last made again.
    pub last: WallTime,
    /// How often it was made in a row.
    pub count: u32,
    /// The alert.
    pub fingerprint: u64,
    /// The alert's labels.
    pub labels: Labels,
    /// Where it was made.
    pub place: Arc<Place>,
    /// What was decided.
    pub verdict: Arc<Stage>,
}

/// Where a decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The group's key; empty before grouping.
    pub group_key: Arc<str>,
    /// The receiver; empty before routing.
    pub receiver: Arc<str>,
    /// The integration (`webhook/0`); empty for decisions about the whole receiver.
    pub integration: Arc<str>,
}

impl Place {
    /// Before an alert has been routed.
    fn nowhere() -> Self {
        Self {
            group_key: "".into(),
            receiver: "".into(),
            integration: "".into(),
        }
    }
}

/// What is kept of a decision; the labels are the subject's.
#[derive(Debug)]
struct Entry {
    at: WallTime,
    last: WallTime,
    count: u32,
    fingerprint: u64,
    /// The number of the decision before it about the same alert; it may have gone.
    before: u64,
    place: Arc<Place>,
    stage: Arc<Stage>,
}

/// An alert that decisions are about.
#[derive(Debug)]
struct Subject {
    labels: Labels,
    /// The number of the newest decision.
    newest: u64,
    kept: u32,
}

impl Subject {
    fn new(labels: &Labels) -> Self {
        Self {
            labels: labels.clone(),
            newest: NONE,
            kept: 0,
        }
    }

    /// Makes a decision the newest; the number of the one before it.
    fn adopt(&mut self, number: u64) -> u64 {
        self.kept += 1;
        std::mem::replace(&mut self.newest, number)
    }
}

/// The record.
#[derive(Debug)]
pub struct Decisions {
    limits: DecisionLimits,
    all: VecDeque<Entry>,
    /// The number of the first in `all`.
    first: u64,
    subjects: HashMap<u64, Subject>,
    log: Option<DecisionLog>,
    nowhere: Arc<Place>,
    /// Stages made of late, to be shared by the decisions that say the same.
    recent: VecDeque<Arc<Stage>>,
}

/// How far back a repetition is looked for.
const REPEAT_WINDOW: usize = 8;
/// How many stages are looked at for one that says the same.
const SHARED_STAGES: usize = 4;
/// The number before the first decision.
const NONE: u64 = u64::MAX;

impl Decisions {
    pub(super) fn new(limits: DecisionLimits) -> Self {
        Self {
            limits,
            all: VecDeque::new(),
            first: 0,
            subjects: HashMap::new(),
            log: None,
            nowhere: Arc::new(Place::nowhere()),
            recent: VecDeque::new(),
        }
    }

    /// Reads what was kept in `dir` and keeps it there from now on. Decisions are for people to read: a
    /// folder that cannot be used leaves a record in memory.
    pub(super) fn open(limits: DecisionLimits, disk: Arc<dyn Disk>, dir: &str) -> Self {
        let mut decisions = Self::new(limits);
        let log = DecisionLog::open(disk, dir, limits.count, |decision| {
            decisions.restore(decision)
        });
        decisions.log = log.ok();
        decisions
    }

    /// Writes what was recorded since.
    pub(super) fn commit(&mut self) {
        if let Some(log) = &mut self.log {
            log.commit();
        }
    }

    /// Keeps so much from now on.
    pub(super) fn set_limits(&mut self, now: WallTime, limits: DecisionLimits) {
        self.limits = limits;
        if let Some(log) = &mut self.log {
            log.set_bound(limits.count);
        }
        self.shorten();
        self.collect_garbage(now);
    }

    /// The place of decisions that come before routing.
    pub(super) fn nowhere(&self) -> Arc<Place> {
        Arc::clone(&self.nowhere)
    }

    /// A stage to share among decisions that say the same.
    pub(super) fn stage(&mut self, stage: Stage) -> Arc<Stage> {
        if let Some(same) = self.recent.iter().find(|recent| ***recent == stage) {
            return Arc::clone(same);
        }
        let stage = Arc::new(stage);
        self.recent.truncate(SHARED_STAGES - 1);
        self.recent.push_front(Arc::clone(&stage));
        stage
    }

    /// Adds a decision; one that only repeats a recent one about the same alert at the same place is
    /// counted instead.
    pub(super) fn record(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        labels: &Labels,
        place: &Arc<Place>,
        stage: &Arc<Stage>,
    ) {
        let subject = self
            .subjects
            .entry(fingerprint)
            .or_insert_with(|| Subject::new(labels));
        let mut number = subject.newest;
        for _ in 0..REPEAT_WINDOW {
            let Some(old) = entry_mut(&mut self.all, self.first, number) else {
                break;
            };
            number = old.before;
            if !Arc::ptr_eq(&old.place, place) && old.place != *place {
                continue;
            }
            if Arc::ptr_eq(&old.stage, stage) || old.stage == *stage {
                old.last = now;
                old.count = old.count.saturating_add(1);
                return;
            }
            break;
        }
        if let Some(log) = &mut self.log {
            log.push(now, fingerprint, labels, place, stage);
        }
        let entry = Entry {
            at: now,
            last: now,
            count: 1,
            fingerprint,
            before: subject.adopt(self.first + self.all.len() as u64),
            place: Arc::clone(place),
            stage: Arc::clone(stage),
        };
        self.all.push_back(entry);
        self.shorten();
    }

    /// Adds what the log has kept.
    fn restore(&mut self, decision: Decision) {
        let number = self.first + self.all.len() as u64;
        let subject = self
            .subjects
            .entry(decision.fingerprint)
            .or_insert_with(|| Subject::new(&decision.labels));
        let entry = Entry {
            at: decision.at,
            last: decision.last,
            count: decision.count,
            fingerprint: decision.fingerprint,
            before: subject.adopt(number),
            place: decision.place,
            stage: decision.verdict,
        };
        self.all.push_back(entry);
        self.shorten();
    }

    /// Drops what is too much.
    fn shorten(&mut self) {
        while self.all.len() > self.limits.count {
            self.drop_first();
        }
    }

    /// Drops what is too old.
    pub(super) fn collect_garbage(&mut self, now: WallTime) {
        let horizon = now - self.limits.age;
        while self.all.front().is_some_and(|old| old.last < horizon) {
            self.drop_first();
        }
        if let Some(log) = &mut self.log {
            log.collect_garbage(horizon);
        }
    }

    /// All decisions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Decision> + '_ {
        self.all.iter().map(|entry| self.decision(entry))
    }

    /// The decisions about one alert, oldest first.
    pub fn about(&self, fingerprint: u64) -> impl Iterator<Item = Decision> + '_ {
        let newest = self.subjects.get(&fingerprint).map(|found| found.newest);
        let chain = std::iter::successors(newest.and_then(|at| self.entry(at)), |entry| {
            self.entry(entry.before)
        });
        let mut found: Vec<&Entry> = chain.collect();
        found.reverse();
        found.into_iter().map(|entry| self.decision(entry))
    }

    /// How many decisions are kept.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn decision(&self, entry: &Entry) -> Decision {
        let subject = self.subjects.get(&entry.fingerprint);
        Decision {
            at: entry.at,
            last: entry.last,
            count: entry.count,
            fingerprint: entry.fingerprint,
            labels: subject.map_or_else(Labels::empty, |subject| subject.labels.clone()),
            place: Arc::clone(&entry.place),
            verdict: Arc::clone(&entry.stage),
        }
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        let at = number.checked_sub(self.first)?;
        self.all.get(usize::try_from(at).ok()?)
    }

    fn drop_first(&mut self) {
        let Some(old) = self.all.pop_front() else {
            return;
        };
        self.first += 1;
        if let Some(subject) = self.subjects.get_mut(&old.fingerprint) {
            subject.kept = subject.kept.saturating_sub(1);
            if subject.kept == 0 {
                self.subjects.remove(&old.fingerprint);
            }
        }
    }
}

fn entry_mut(all: &mut VecDeque<Entry>, first: u64, number: u64) -> Option<&mut Entry> {
    let at = number.checked_sub(first)?;
    all.get_mut(usize::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Arc<Place> {
        Arc::new(Place {
            group_key: "g".into(),
            receiver: "r".into(),
            integration: "".into(),
        })
    }

    #[test]
    fn repetitions_are_counted_and_the_oldest_go() {
        let mut decisions = Decisions::new(DecisionLimits {
            count: 2,
            age: Span::hours(1),
        });
        let at = |s: i64| WallTime::from_ms(s * 1000);
        let labels = Labels::empty();
        let muted = |name: &str| Arc::new(Stage::Muted(vec![name.to_owned()]));
        decisions.record(at(1), 1, &labels, &place(), &muted("a"));
        decisions.record(at(2), 1, &labels, &place(), &muted("a"));
        let only = decisions.about(1).next().expect("kept");
        assert_eq!((only.at, only.last, only.count), (at(1), at(2), 2));
        decisions.record(at(3), 2, &labels, &place(), &muted("b"));
        decisions.record(at(4), 2, &labels, &place(), &muted("c"));
        assert_eq!(decisions.about(1).count(), 0);
        assert_eq!(decisions.about(2).count(), 2);
        assert_eq!(decisions.iter().filter(|d| d.at > at(3)).count(), 1);
        let limits = DecisionLimits {
            count: 1,
            age: Span::hours(1),
        };
        decisions.set_limits(at(4), limits);
        assert_eq!(decisions.about(2).count(), 1);
        decisions.collect_garbage(at(4) + Span::hours(2));
        assert!(decisions.is_empty() && decisions.subjects.is_empty());
    }

    #[test]
    fn stages_that_say_the_same_are_shared() {
        let mut decisions = Decisions::new(DecisionLimits::default());
        let first = decisions.stage(Stage::Superseded);
        decisions.stage(Stage::Received { resolved: false });
        let again = decisions.stage(Stage::Superseded);
        assert!(Arc::ptr_eq(&first, &again));
    }
}
