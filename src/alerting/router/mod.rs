//! The router: the state machine that takes alerts in and hands notifications out.
//!
//! The five verbs: [`Router::on_alerts`] and [`Router::on_delivery`] are news from outside,
//! [`Router::next_wakeup`] says when to come back, [`Router::poll`] what to do now, and `view` what to
//! show. Calling early or twice changes nothing; the same inputs and seed give the same outputs.
//!
//! Invariants:
//! - a notification is in the journal before [`Router::poll`] hands it out, and closed there by its
//!   outcome together with what the notification log says from then on;
//! - per integration of a group at most one delivery is open; a later flush takes its place;
//! - an alert that has ended stays until every integration of each of its groups has been dealt with;
//! - after a restart alerts that still fired go on firing for the resolve timeout, so that the time we
//!   were away resolves nothing.
//!
//! `intake` puts alerts into groups, `flush` runs a group through the mute stages and the log, `delivery`
//! follows a notification to its end, `fallback` knows who is told instead, `restore` reads the journal, `uncertain` keeps what may have
//! arrived without our knowing, `view` answers the API.

mod delivery;
mod fallback;
mod flush;
mod intake;
mod restore;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
mod uncertain;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fastrand::Rng;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::dead_letters::DeadLetters;
use super::decisions::{DecisionLimits, Decisions, Place, Stage};
use super::journal::{Intent, Journal, LogKey, Record};
use super::matchers::Syntax;
use super::notification_log::{LogEntry, NotificationLog};
use super::receivers::Kept;
use super::{
    Action, Error, InhibitRule, Inhibitor, NamedInterval, Notification, RouteTree, Silence,
    SilenceLimits, Silences,
};
use crate::model::{Alert, Labels};
use crate::time::{Span, WallTime};

pub use view::{AlertState, AlertStatus, AlertView, GroupView, RouterStats};

/// How often the journal notes that the process lives.
const CLOCK_INTERVAL: Span = Span::seconds(15);
/// How often what has expired is dropped.
pub(super) const GC_INTERVAL_MIN: Span = Span::seconds(1);
/// How long a failed snapshot waits for the next try.
const SNAPSHOT_RETRY: Span = Span::seconds(30);
/// compat: a delivery has at least this long, however short the group interval.
const DELIVERY_TIME_MIN: Span = Span::seconds(10);

/// What the configuration file says, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterConfig {
    /// The routes.
    pub tree: RouteTree,
    /// The inhibition rules in order.
    pub inhibit_rules: Vec<InhibitRule>,
    /// The time intervals.
    pub time_intervals: Vec<NamedInterval>,
    /// The receivers.
    pub receivers: Vec<ReceiverOptions>,
    /// How long an alert without an end fires unless it is renewed. Upstream's default is 5 min.
    pub resolve_timeout: Span,
    /// Who is told when a receiver cannot be reached: receiver, fallback receiver.
    pub fallbacks: BTreeMap<String, String>,
}

/// A receiver as the router sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverOptions {
    /// The name that routes use.
    pub name: String,
    /// Its integrations; [`Notification::integration`] is a place in this list.
    pub integrations: Vec<IntegrationOptions>,
}

/// An integration as the router sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationOptions {
    /// `webhook`, `slack`, ...
    pub kind: String,
    /// Which of its kind in the receiver.
    pub index: usize,
    /// Whether it wants to hear of ends.
    pub send_resolved: bool,
}

/// What the command line says.
#[derive(Debug, Clone, Copy)]
pub struct RouterOptions {
    /// How often what is over is cleared away. 30 min unless given.
    pub gc_interval: Span,
    /// How long expired silences and log entries are kept. 120 h unless given.
    pub retention: Span,
    /// Which names labels may have. Any unless given.
    pub syntax: Syntax,
    /// Limits on silences; none unless given.
    pub silence_limits: SilenceLimits,
    /// Alerts of one name there may be at once; 0 is no limit.
    pub alertname_limit: usize,
    /// Bounds of the decision record.
    pub decisions: DecisionLimits,
    /// Groups there may be at once; 0 is no limit.
    pub max_groups: usize,
    /// The seed of jitter and of silences' ids. Hand in real randomness outside of tests.
    pub seed: u64,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            gc_interval: Span::minutes(30),
            retention: Span::hours(120),
            syntax: Syntax::default(),
            silence_limits: SilenceLimits::default(),
            alertname_limit: 0,
            decisions: DecisionLimits::default(),
            max_groups: 0,
            seed: 0,
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Router {
    options: RouterOptions,
    config: RouterConfig,
    intervals: BTreeMap<String, NamedInterval>,
    /// Each receiver's integrations by the receiver's name.
    receivers: BTreeMap<String, Vec<IntegrationOptions>>,
    alerts: HashMap<u64, StoredAlert>,
    /// How many alerts there are of each name, where that is limited.
    named: HashMap<String, usize>,
    groups: HashMap<u64, Group>,
    /// Groups by route and fingerprint of the group's labels.
    group_ids: HashMap<(usize, u64), u64>,
    next_group: u64,
    /// When groups are flushed.
    due: BTreeSet<(WallTime, u64)>,
    deliveries: HashMap<u64, Delivery>,
    /// When deliveries are tried again or given up waiting for.
    timers: BTreeSet<(WallTime, u64)>,
    next_delivery: u64,
    /// Deliveries without an outcome, because of a crash or for want of an answer: the receiver may know of these.
    uncertain: BTreeMap<LogKey, Intent>,
    actions: VecDeque<Action>,
    inhibitor: Inhibitor,
    silences: Silences,
    log: NotificationLog,
    decisions: Decisions,
    letters: DeadLetters,
    journal: Journal,
    rng: Rng,
    clock_written: WallTime,
    gc_due: WallTime,
    snapshot_retry: WallTime,
    counts: Counts,
}

/// Alerts kept from a receiver, by what kept them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// By an inhibition rule.
    pub inhibited: u64,
    /// Because the route is not active now.
    pub inactive: u64,
    /// Because the route is muted now.
    pub muted: u64,
    /// By a silence.
    pub silenced: u64,
}

/// Counters for the program's own metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Firing alerts received.
    pub firing_received: u64,
    /// Ended alerts received.
    pub resolved_received: u64,
    /// Alerts refused because they break a rule.
    pub invalid: u64,
    /// Alerts left out because there are too many of their name.
    pub limited: u64,
    /// Notifications begun.
    pub intended: u64,
    /// Notifications delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notifications that a receiver will never take.
    pub refused: u64,
    /// Alerts kept from a receiver, at each flush.
    pub suppressed: Suppressed,
    /// Groups that could not be made because of the limit.
    pub groups_refused: u64,
}

#[derive(Debug)]
struct StoredAlert {
    alert: Alert,
    /// The routes it takes, with its group on each while it is a member there.
    places: SmallVec<[(usize, Option<u64>); 1]>,
}

#[derive(Debug)]
struct Group {
    route: usize,
    labels: Labels,
    key: Arc<str>,
    receiver: Arc<str>,
    /// The decision record's place for the whole group.
    place: Arc<Place>,
    /// Members by fingerprint; for ended ones the first flush that told of the end.
    members: BTreeMap<u64, Option<u64>>,
    next_flush: WallTime,
    /// Counts flushes from 1.
    flushes: u64,
    /// Names of the intervals that muted the last flush.
    muted_by: Vec<String>,
    slots: Vec<Slot>,
}

/// One integration's side of a group.
#[derive(Debug)]
struct Slot {
    /// The last flush that is dealt with.
    settled: u64,
    delivery: Option<u64>,
    /// A flush that came while an attempt was under way.
    pending: Option<Arc<Flush>>,
    /// The receiver asked not to be told anything before.
    not_before: WallTime,
    /// Whether the last notification was lost; the fallback receiver hears of the group while it is so.
    unreached: bool,
}

/// What a flush lets through, for all integrations of the receiver.
#[derive(Debug)]
struct Flush {
    number: u64,
    now: WallTime,
    alerts: Arc<[Alert]>,
    /// Their fingerprints, in the same order.
    fingerprints: Vec<u64>,
    /// Fingerprints of the firing ones, sorted.
    firing: Arc<[u64]>,
    /// Fingerprints of the ended ones, sorted.
    resolved: Arc<[u64]>,
}

#[derive(Debug)]
struct Delivery {
    group: u64,
    slot: usize,
    /// The decision record's place for this side of the group.
    place: Arc<Place>,
    send_resolved: bool,
    flush: Arc<Flush>,
    key: LogKey,
    entry: LogEntry,
    notification: Notification,
    state: DeliveryState,
    /// Why the last attempt failed.
    error: Option<String>,
    /// Whether an attempt got no answer, so that it may have arrived.
    unanswered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeliveryState {
    /// An attempt is under way until then at most.
    InFlight(WallTime),
    /// The next attempt is then.
    Waiting(WallTime),
}

impl Flush {
    /// The alerts with their fingerprints.
    fn iter(&self) -> impl Iterator<Item = (u64, &Alert)> {
        self.fingerprints.iter().copied().zip(&*self.alerts)
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            settled: 0,
            delivery: None,
            pending: None,
            not_before: WallTime::ZERO,
            unreached: false,
        }
    }
}

impl DeliveryState {
    fn due(self) -> WallTime {
        match self {
            Self::InFlight(at) | Self::Waiting(at) => at,
        }
    }
}

impl Router {
    /// When [`Self::poll`] has something to do next, if nothing else happens.
    pub fn next_wakeup(&self) -> Option<WallTime> {
        if !self.actions.is_empty() {
            return Some(WallTime::from_ns(i64::MIN + 1));
        }
        let clock = (!self.alerts.is_empty()).then(|| self.clock_written + CLOCK_INTERVAL);
        [
            self.due.first().map(|(at, _)| *at),
            self.timers.first().map(|(at, _)| *at),
            clock,
            Some(self.gc_due),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What to do now; call until it answers `None`.
    pub fn poll(&mut self, now: WallTime) -> Option<Action> {
        if self.actions.is_empty() {
            self.advance(now);
        }
        self.actions.pop_front()
    }

    /// Does everything that is due, then makes it durable.
    fn advance(&mut self, now: WallTime) {
        // Timeouts first: a flush at the same moment then finds the way free.
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            self.on_timer(now, id);
        }
        while let Some((at, id)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            self.flush(now, id);
        }
        if !self.alerts.is_empty() && self.clock_written + CLOCK_INTERVAL <= now {
            self.clock_written = now;
            self.journal.push(&Record::Clock(now));
        }
        if self.gc_due <= now {
            self.collect_garbage(now);
        }
        self.commit(now);
    }

    fn collect_garbage(&mut self, now: WallTime) {
        self.gc_due = now + self.options.gc_interval.max(GC_INTERVAL_MIN);
        for id in self.silences.collect_garbage(now) {
            self.journal.push(&Record::SilenceGone(id));
        }
        for key in self.log.collect_garbage(now) {
            self.journal.push(&Record::LogGone(key));
        }
        // Alerts that found no group because of the limit.
        let mut homeless: Vec<u64> = self
            .alerts
            .iter()
            .filter(|(_, stored)| {
                stored.alert.resolved_at(now) && stored.places.iter().all(|(_, id)| id.is_none())
            })
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        homeless.sort_unstable();
        for fingerprint in homeless {
            self.forget(fingerprint);
        }
        let retention = self.options.retention;
        for key in self.letters.collect_garbage(now, retention) {
            self.journal.push(&Record::DeadLetterGone(key));
        }
        self.decisions.collect_garbage(now);
    }

    /// Writes the journal. A failing disk stops no notification: the state in memory stays right, the
    /// failure is counted, and a snapshot is tried again and again.
    fn commit(&mut self, now: WallTime) {
        let _ = self.journal.commit();
        self.decisions.commit();
        if self.journal.wants_snapshot() && self.snapshot_retry <= now {
            self.snapshot_retry = now + SNAPSHOT_RETRY;
            self.snapshot(now);
        }
    }

    /// Creates or changes a silence; returns its id, which is a new one when history would change.
    pub fn set_silence(&mut self, now: WallTime, silence: Silence) -> Result<String, Error> {
        let bits = self.rng.u128(..);
        let changed = self.silences.set(now, silence, || {
            uuid::Builder::from_random_bytes(bits.to_be_bytes())
                .into_uuid()
                .to_string()
        })?;
        for silence in &changed {
            self.journal.push(&Record::Silence(silence.clone()));
        }
        self.commit(now);
        Ok(changed
            .into_iter()
            .next_back()
            .map(|silence| silence.id)
            .unwrap_or_default())
    }

    /// Ends a silence now.
    pub fn expire_silence(&mut self, now: WallTime, id: &str) -> Result<(), Error> {
        if let Some(silence) = self.silences.expire(now, id)? {
            self.journal.push(&Record::Silence(silence));
            self.commit(now);
        }
        Ok(())
    }

    /// All silences.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// The decision record.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Changes how much of that record is kept.
    pub fn set_decision_limits(&mut self, now: WallTime, limits: DecisionLimits) {
        self.decisions.set_limits(now, limits);
    }

    /// What was never delivered.
    pub fn dead_letters(&self) -> &DeadLetters {
        &self.letters
    }

    /// Which syntax of matchers is understood.
    pub fn syntax(&self) -> Syntax {
        self.options.syntax
    }

    /// The configuration in force.
    pub fn config(&self) -> &RouterConfig {
        &self.config
    }

    fn integrations(&self, receiver: &str) -> &[IntegrationOptions] {
        self.receivers.get(receiver).map_or(&[], Vec::as_slice)
    }
}

impl IntegrationOptions {
    /// `webhook/0`.
    fn name(&self) -> String {
        format!("{}/{}", self.kind, self.index)
    }
}
