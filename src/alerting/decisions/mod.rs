//! The decision record: what each stage decided about each alert, so that "why was I (not) paged?" has
//! an answer. Bounded by count and age; the oldest go first. `log` keeps it over a restart.

mod log;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::NotifyReason;
use super::silence::SilenceNote;
use crate::disk::Disk;
use crate::model::Labels;
use crate::time::{Span, WallTime};

use log::DecisionLog;

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

/// What a stage decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The alert came in, firing or with its end.
    Received {
        /// Whether it had ended.
        resolved: bool,
    },
    /// The alert joined a group.
    Grouped {
        /// When the group is flushed next.
        flush_at: WallTime,
    },
    /// A rule inhibits it.
    Inhibited {
        /// The rule in words: number, name, matchers.
        rule: Arc<str>,
        /// The labels of the alerts that inhibit, one for each source of the rule.
        by: Vec<Labels>,
    },
    /// The route is only active in these intervals.
    Inactive(Vec<String>),
    /// The route is muted in these intervals.
    Muted(Vec<String>),
    /// These silences hold.
    Silenced(Vec<Arc<SilenceNote>>),
    /// The integration was told the same at that time.
    Deduplicated {
        /// When it was told; `None` when there was nothing to tell.
        since: Option<WallTime>,
    },
    /// A delivery begins.
    Intended(NotifyReason),
    /// The receiver has it, after so many attempts.
    Sent {
        /// Attempts, the successful one included.
        attempts: u32,
    },
    /// An attempt failed; another follows.
    Failed {
        /// What went wrong.
        reason: String,
        /// When it is tried again.
        retry_at: WallTime,
    },
    /// The receiver will never take it.
    Refused {
        /// What went wrong.
        reason: String,
    },
    /// A later flush took its place.
    Superseded,
    /// The fallback receiver is told, because this integration could not be reached.
    FallenBack {
        /// Receiver and integration that were not reached: `team/webhook/0`.
        from: Arc<str>,
    },
}

impl Stage {
    /// One word for it, as the API has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Grouped { .. } => "grouped",
            Self::Inhibited { .. } => "inhibited",
            Self::Inactive(_) => "inactive",
            Self::Muted(_) => "muted",
            Self::Silenced(_) => "silenced",
            Self::Deduplicated { .. } => "deduplicated",
            Self::Intended(_) => "intended",
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Superseded => "superseded",
            Self::FallenBack { .. } => "fallback",
        }
    }
}

/// The decision in words.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received { resolved: true } => f.write_str("came in resolved"),
            Self::Received { resolved: false } => f.write_str("came in firing"),
            Self::Grouped { flush_at } => {
                write!(f, "joined the group, which is flushed at {flush_at}")
            }
            Self::Inhibited { rule, by } => {
                let by: Vec<String> = by.iter().map(ToString::to_string).collect();
                write!(f, "{rule}; muted by {}", by.join(" and "))
            }
            Self::Inactive(names) => {
                write!(f, "the route is only active in {}", names.join(", "))
            }
            Self::Muted(names) => write!(f, "the route is muted in {}", names.join(", ")),
            Self::Silenced(notes) => {
                let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
                write!(f, "silenced by {}", notes.join(" and by "))
            }
            Self::Deduplicated { since: Some(since) } => {
                write!(f, "nothing has changed since the notification of {since}")
            }
            Self::Deduplicated { since: None } => f.write_str("there is nothing to tell"),
            Self::Intended(reason) => write!(f, "is to be sent: {}", reason.as_str()),
            Self::Sent { attempts: 1 } => f.write_str("delivered"),
            Self::Sent { attempts } => write!(f, "delivered at attempt {attempts}"),
            Self::Failed { reason, retry_at } => {
                write!(f, "failed: {reason}; tried again at {retry_at}")
            }
            Self::Refused { reason } => write!(f, "will not be taken: {reason}"),
            Self::Superseded => f.write_str("a later flush took its place"),
            Self::FallenBack { from } => {
                write!(f, "told instead, because {from} is not reached")
            }
        }
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
    /// The group's key; empty before grouping.
    pub group_key: Arc<str>,
    /// The receiver; empty before routing.
    pub receiver: Arc<str>,
    /// The integration (`webhook/0`); empty for decisions about the whole receiver.
    pub integration: Arc<str>,
    /// What was decided.
    pub verdict: Stage,
}

/// Where a decision was made.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) group_key: Arc<str>,
    pub(super) receiver: Arc<str>,
    pub(super) integration: Arc<str>,
}

/// The record.
#[derive(Debug)]
pub struct Decisions {
    limits: DecisionLimits,
    all: VecDeque<Decision>,
    /// The number of the first in `all`.
    first: u64,
    /// The numbers of an alert's decisions.
    by_alert: HashMap<u64, VecDeque<u64>>,
    log: Option<DecisionLog>,
}

/// How far back a repetition is looked for.
const REPEAT_WINDOW: usize = 8;

impl Decisions {
    pub(super) fn new(limits: DecisionLimits) -> Self {
        Self {
            limits,
            all: VecDeque::new(),
            first: 0,
            by_alert: HashMap::new(),
            log: None,
        }
    }

    /// Reads what was kept in `dir` and keeps it there from now on. Decisions are for people to read: a
    /// folder that cannot be used leaves a record in memory.
    pub(super) fn open(limits: DecisionLimits, disk: Arc<dyn Disk>, dir: &str) -> Self {
        let mut decisions = Self::new(limits);
        let log = DecisionLog::open(disk, dir, limits.count, |decision| decisions.add(decision));
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
        while self.all.len() > self.limits.count {
            self.drop_first();
        }
        self.collect_garbage(now);
    }

    /// Adds a decision; one that only repeats a recent one about the same alert at the same place is
    /// counted instead.
    pub(super) fn record(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        labels: &Labels,
        place: &Place,
        verdict: Stage,
    ) {
        let numbers = self.by_alert.get(&fingerprint).into_iter().flatten();
        for number in numbers.rev().take(REPEAT_WINDOW) {
            let at = usize::try_from(number - self.first).unwrap_or(usize::MAX);
            let Some(old) = self.all.get_mut(at) else {
                break;
            };
            if *old.receiver != *place.receiver
                || *old.integration != *place.integration
                || *old.group_key != *place.group_key
            {
                continue;
            }
            if old.verdict == verdict {
                old.last = now;
                old.count = old.count.saturating_add(1);
                return;
            }
            break;
        }
        let decision = Decision {
            at: now,
            last: now,
            count: 1,
            fingerprint,
            labels: labels.clone(),
            group_key: Arc::clone(&place.group_key),
            receiver: Arc::clone(&place.receiver),
            integration: Arc::clone(&place.integration),
            verdict,
        };
        if let Some(log) = &mut self.log {
            log.push(&decision);
        }
        self.add(decision);
    }

    fn add(&mut self, decision: Decision) {
        let number = self.first + self.all.len() as u64;
        self.by_alert
            .entry(decision.fingerprint)
            .or_default()
            .push_back(number);
        self.all.push_back(decision);
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

    /// All decisions about alerts that `wanted` accepts, oldest first.
    pub fn query<'a>(
        &'a self,
        wanted: impl Fn(&Decision) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Decision> + 'a {
        self.all.iter().filter(move |decision| wanted(decision))
    }

    /// The decisions about one alert, oldest first.
    pub fn about(&self, fingerprint: u64) -> impl Iterator<Item = &Decision> {
        self.by_alert
            .get(&fingerprint)
            .into_iter()
            .flatten()
            .filter_map(|number| {
                self.all
                    .get(usize::try_from(number - self.first).unwrap_or(usize::MAX))
            })
    }

    /// How many decisions are kept.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn drop_first(&mut self) {
        let Some(old) = self.all.pop_front() else {
            return;
        };
        self.first += 1;
        if let Some(numbers) = self.by_alert.get_mut(&old.fingerprint) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.by_alert.remove(&old.fingerprint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            group_key: "g".into(),
            receiver: "r".into(),
            integration: "".into(),
        }
    }

    #[test]
    fn repetitions_are_counted_and_the_oldest_go() {
        let mut decisions = Decisions::new(DecisionLimits {
            count: 2,
            age: Span::hours(1),
        });
        let at = |s: i64| WallTime::from_ms(s * 1000);
        let labels = Labels::empty();
        let muted = |name: &str| Stage::Muted(vec![name.to_owned()]);
        decisions.record(at(1), 1, &labels, &place(), muted("a"));
        decisions.record(at(2), 1, &labels, &place(), muted("a"));
        let only = decisions.about(1).next().expect("kept");
        assert_eq!((only.at, only.last, only.count), (at(1), at(2), 2));
        decisions.record(at(3), 2, &labels, &place(), muted("b"));
        decisions.record(at(4), 2, &labels, &place(), muted("c"));
        assert_eq!(decisions.about(1).count(), 0);
        assert_eq!(decisions.about(2).count(), 2);
        assert_eq!(decisions.query(|d| d.at > at(3)).count(), 1);
        let limits = DecisionLimits {
            count: 1,
            age: Span::hours(1),
        };
        decisions.set_limits(at(4), limits);
        assert_eq!(decisions.about(2).count(), 1);
        decisions.collect_garbage(at(4) + Span::hours(2));
        assert!(decisions.is_empty() && decisions.by_alert.is_empty());
    }
}
