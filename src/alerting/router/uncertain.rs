//! Deliveries without an outcome: a crash interrupted them, or nobody answered. The receiver may have heard each of
//! them or not, so whoever needs a word in either case gets one: at least once, and twice only because of these.
//!
//! What is uncertain ends with the next notification that arrives, or with the group that it was about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Flush, Intent, LogEntry, LogKey, Place, Record, Router, Stage, WallTime};
use crate::alerting::NotifyReason;
use crate::alerting::journal::Outcome;

impl Router {
    /// Takes what the journal left open, oldest first. Several of the same integration and group become one: any of
    /// them may be what the receiver believes.
    pub(super) fn restore_uncertain(&mut self, now: WallTime, intents: BTreeMap<u64, Intent>) {
        let mut by_key: BTreeMap<LogKey, Vec<Intent>> = BTreeMap::new();
        for intent in intents.into_values() {
            by_key.entry(intent.key.clone()).or_default().push(intent);
        }
        for open in by_key.into_values() {
            self.unite(now, open);
        }
    }

    /// Takes a delivery that came to its end without an answer.
    pub(super) fn keep_uncertain(&mut self, now: WallTime, intent: Intent) {
        let before = self.uncertain.remove(&intent.key);
        self.unite(now, before.into_iter().chain([intent]).collect());
    }

    /// Makes one of what is uncertain about the same integration and group.
    fn unite(&mut self, now: WallTime, mut open: Vec<Intent>) {
        if open.len() > 1
            && let Some(key) = open.first().map(|intent| intent.key.clone())
        {
            let id = self.next_delivery;
            self.next_delivery += 1;
            let merged = merge(id, key, &open);
            // First the new one, so that a torn write loses none.
            self.journal.push(&Record::Intended(merged.clone()));
            for old in std::mem::replace(&mut open, vec![merged]) {
                let closed = Record::Closed(old.id, Outcome::Superseded, now);
                self.journal.push(&closed);
            }
        }
        let united = open.pop().map(|intent| (intent.key.clone(), intent));
        self.uncertain.extend(united);
    }

    /// Why an integration must hear of a flush even though the log says that it knows: what a crash
    /// interrupted may have told it that something began which has ended, or ended which fires.
    pub(super) fn uncertain_reason(
        &self,
        key: &LogKey,
        flush: &Flush,
        send_resolved: bool,
    ) -> Option<NotifyReason> {
        let said = &self.uncertain.get(key)?.entry;
        let fired = |alert: &u64| said.firing.binary_search(alert).is_ok();
        let ended = |alert: &u64| said.resolved.binary_search(alert).is_ok();
        if flush
            .firing
            .iter()
            .any(|alert| !fired(alert) || ended(alert))
        {
            return Some(if said.firing.is_empty() {
                NotifyReason::FirstNotification
            } else {
                NotifyReason::NewAlertsInGroup
            });
        }
        if flush.firing.is_empty() {
            return (!said.firing.is_empty()).then_some(NotifyReason::AllAlertsResolved);
        }
        // Others still fire: the log may know an end from an earlier time.
        (send_resolved && flush.resolved.iter().any(fired))
            .then_some(NotifyReason::NewResolvedAlerts)
    }

    /// Records for the alerts of an uncertain notification that it is why they are told of once more.
    pub(super) fn record_uncertain(
        &mut self,
        now: WallTime,
        key: &LogKey,
        flush: &Flush,
        place: &Arc<Place>,
    ) {
        let Some(Intent { entry: said, .. }) = self.uncertain.get(key) else {
            return;
        };
        let since = said.timestamp;
        let stage = self.decisions.stage(Stage::Uncertain { since });
        for (fingerprint, alert) in flush.iter() {
            if [&said.firing, &said.resolved]
                .iter()
                .any(|all| all.binary_search(&fingerprint).is_ok())
            {
                self.decisions
                    .record(now, fingerprint, &alert.labels, place, &stage);
            }
        }
    }

    /// Nothing is to be told of a flush. Closes what is uncertain when from now on the log alone tells all that matters:
    /// what may have been said to fire fires in the log too, or is no member any more; what may have been said to have
    /// ended does not fire in the log.
    pub(super) fn close_certain(&mut self, now: WallTime, group: u64, key: &LogKey, flush: &Flush) {
        let (Some(said), Some(group)) = (self.uncertain.get(key), self.groups.get(&group)) else {
            return;
        };
        let said = &said.entry;
        let fires = |alert: &u64| flush.firing.binary_search(alert).is_ok();
        let logged = self.log.get(key).map_or(&[][..], |entry| &entry.firing);
        let mut fired = said.firing.iter();
        let mut ended = said.resolved.iter();
        if fired.all(|alert| fires(alert) || !group.members.contains_key(alert))
            && !ended.any(|alert| logged.binary_search(alert).is_ok())
        {
            self.close_uncertain(now, key);
        }
    }

    /// A later notification has arrived, or nobody is left to be told.
    pub(super) fn close_uncertain(&mut self, now: WallTime, key: &LogKey) {
        if let Some(intent) = self.uncertain.remove(key) {
            let closed = Record::Closed(intent.id, Outcome::Superseded, now);
            self.journal.push(&closed);
        }
    }

    /// Closes what is uncertain about groups and integrations that there are no more.
    pub(super) fn close_orphans(&mut self, now: WallTime) {
        if self.uncertain.is_empty() {
            return;
        }
        let live: BTreeSet<LogKey> = self
            .groups
            .values()
            .flat_map(|group| {
                let targets = self.targets(&group.receiver).into_iter();
                targets.map(|target| target.log_key(group))
            })
            .collect();
        let keys = self.uncertain.keys();
        let orphans: Vec<LogKey> = keys.filter(|key| !live.contains(key)).cloned().collect();
        for key in orphans {
            self.close_uncertain(now, &key);
        }
    }
}

/// One intent that says all that several said.
fn merge(id: u64, key: LogKey, all: &[Intent]) -> Intent {
    let union = |of: fn(&LogEntry) -> &Arc<[u64]>| -> Arc<[u64]> {
        let alerts = all.iter().flat_map(|intent| of(&intent.entry).iter());
        alerts
            .copied()
            .collect::<BTreeSet<u64>>()
            .into_iter()
            .collect()
    };
    let latest = |of: fn(&LogEntry) -> WallTime| {
        let times = all.iter().map(|intent| of(&intent.entry));
        times.max().unwrap_or(WallTime::ZERO)
    };
    Intent {
        id,
        key,
        entry: LogEntry {
            firing: union(|entry| &entry.firing),
            resolved: union(|entry| &entry.resolved),
            timestamp: latest(|entry| entry.timestamp),
            expires_at: latest(|entry| entry.expires_at),
        },
    }
}
