//! Opening from the journal, writing snapshots, and changing the configuration under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fastrand::Rng;
use hashbrown::HashMap;

use super::fallback::Target;
use super::intake::grace;
use super::{
    Action, Counts, DeliveryState, GC_INTERVAL_MIN, IntegrationOptions, Intent, Journal, LogEntry,
    Record, Router, RouterConfig, RouterOptions, Slot, WallTime,
};
use crate::alerting::dead_letters::DeadLetters;
use crate::alerting::decisions::Decisions;
use crate::alerting::journal::Outcome;
use crate::alerting::notification_log::NotificationLog;
use crate::alerting::{Error, Inhibitor, Silences};
use crate::disk::Disk;
use crate::model::Alert;

/// What the journal tells.
struct Replayed {
    alerts: BTreeMap<u64, Alert>,
    silences: Silences,
    log: NotificationLog,
    intents: BTreeMap<u64, Intent>,
    letters: DeadLetters,
    /// The last moment at which the process is known to have lived.
    last_seen: WallTime,
    next_delivery: u64,
}

impl Replayed {
    fn take(&mut self, record: Record) {
        match record {
            Record::Alert(alert) => {
                self.seen(alert.updated_at);
                self.alerts.insert(alert.labels.fingerprint(), alert);
            }
            Record::Renewed(all) => {
                for (fingerprint, ends_at, updated_at) in all {
                    self.seen(updated_at);
                    if let Some(alert) = self.alerts.get_mut(&fingerprint) {
                        alert.ends_at = ends_at;
                        alert.updated_at = updated_at;
                    }
                }
            }
            Record::AlertGone(fingerprint) => {
                self.alerts.remove(&fingerprint);
            }
            Record::Silence(silence) => {
                self.seen(silence.updated_at);
                self.silences.put(silence);
            }
            Record::SilenceGone(id) => self.silences.remove(&id),
            Record::Intended(intent) => {
                self.next_delivery = self.next_delivery.max(intent.id + 1);
                self.seen(intent.entry.timestamp);
                self.intents.insert(intent.id, intent);
            }
            Record::Closed(id, outcome, at) => {
                self.seen(at);
                self.next_delivery = self.next_delivery.max(id + 1);
                if let Some(intent) = self.intents.remove(&id)
                    && outcome == Outcome::Delivered
                {
                    let entry = LogEntry {
                        timestamp: at,
                        ..intent.entry
                    };
                    self.log.put(intent.key, entry);
                }
            }
            Record::Logged(key, entry) => {
                self.seen(entry.timestamp);
                self.log.put(key, entry);
            }
            Record::LogGone(key) => self.log.remove(&key),
            Record::Clock(now) => self.seen(now),
            Record::Kept(key, kept) => self.log.keep(key, kept),
            Record::DeadLetter(letter) => {
                self.seen(letter.last);
                self.letters.put(letter);
            }
            Record::DeadLetterGone(key) => self.letters.remove(&key),
        }
    }

    fn seen(&mut self, at: WallTime) {
        self.last_seen = self.last_seen.max(at);
    }
}

impl Router {
    /// Opens the router whose journal lies in `dir`, or a new one.
    ///
    /// Alerts that fired when we were last alive go on firing for the resolve timeout at least. Groups
    /// are made anew and flushed as their alerts' age demands; the log keeps them from telling anything
    /// twice, except what was on its way when we stopped.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &str,
        options: RouterOptions,
        config: RouterConfig,
        now: WallTime,
    ) -> Result<Self, Error> {
        let mut replayed = Replayed {
            alerts: BTreeMap::new(),
            silences: Silences::new(options.silence_limits, options.retention, options.syntax),
            log: NotificationLog::default(),
            intents: BTreeMap::new(),
            letters: DeadLetters::default(),
            last_seen: WallTime::ZERO,
            next_delivery: 1,
        };
        let decisions = Decisions::open(
            options.decisions,
            Arc::clone(&disk),
            &format!("{dir}/decisions"),
        );
        let journal = Journal::open(disk, dir, |record| replayed.take(record))?;
        let mut router = Self {
            options,
            intervals: intervals(&config),
            receivers: receivers(&config),
            inhibitor: Inhibitor::new(config.inhibit_rules.clone()),
            config,
            alerts: HashMap::new(),
            named: HashMap::new(),
            groups: HashMap::new(),
            group_ids: HashMap::new(),
            next_group: 0,
            due: BTreeSet::new(),
            deliveries: HashMap::new(),
            timers: BTreeSet::new(),
            next_delivery: replayed.next_delivery,
            uncertain: BTreeMap::new(),
            actions: VecDeque::new(),
            silences: replayed.silences,
            log: replayed.log,
            decisions,
            letters: replayed.letters,
            journal,
            rng: Rng::with_seed(options.seed),
            clock_written: now,
            gc_due: now + options.gc_interval.max(GC_INTERVAL_MIN),
            snapshot_retry: WallTime::ZERO,
            counts: Counts::default(),
        };
        router.restore_uncertain(now, replayed.intents);
        router.restore_alerts(now, replayed.alerts, replayed.last_seen);
        router.close_orphans(now);
        router.journal.push(&Record::Clock(now));
        router.commit(now);
        Ok(router)
    }

    fn restore_alerts(&mut self, now: WallTime, alerts: BTreeMap<u64, Alert>, last_seen: WallTime) {
        let earliest_end = now + grace(self.config.resolve_timeout);
        let mut renewed = Vec::new();
        for (fingerprint, mut alert) in alerts {
            let fired = alert.ends_at.is_zero() || alert.ends_at > last_seen;
            if fired && alert.ends_at < earliest_end {
                alert.ends_at = earliest_end;
                // Whatever the sender says next holds over this guess.
                alert.timeout = true;
                renewed.push((fingerprint, alert.ends_at, alert.updated_at));
            }
            self.store(now, fingerprint, alert);
        }
        if !renewed.is_empty() {
            self.journal.push(&Record::Renewed(renewed));
        }
    }

    /// Writes a new file that holds everything there is.
    pub(super) fn snapshot(&mut self, now: WallTime) {
        let Self {
            alerts,
            silences,
            log,
            letters,
            uncertain,
            deliveries,
            journal,
            next_delivery,
            ..
        } = self;
        let mut alerts: Vec<_> = alerts.iter().collect();
        alerts.sort_unstable_by_key(|(fingerprint, _)| **fingerprint);
        let mut open: Vec<_> = deliveries.iter().collect();
        open.sort_unstable_by_key(|(id, _)| **id);
        let intents = open.into_iter().map(|(id, delivery)| {
            Record::Intended(Intent {
                id: *id,
                key: delivery.key.clone(),
                entry: delivery.entry.clone(),
            })
        });
        // The last identity given, so that none is given twice.
        let last_id = next_delivery.saturating_sub(1);
        // A delivery that is open keeps its identity open.
        let is_open = deliveries.contains_key(&last_id)
            || uncertain.values().any(|intent| intent.id == last_id);
        let last = (!is_open).then_some(Record::Closed(last_id, Outcome::Superseded, now));
        let records = alerts
            .into_iter()
            .map(|(_, stored)| Record::Alert(stored.alert.clone()))
            .chain(silences.iter().map(|s| Record::Silence(s.clone())))
            .chain(
                log.sorted()
                    .into_iter()
                    .map(|(key, entry)| Record::Logged(key.clone(), entry.clone())),
            )
            .chain(
                log.sorted_kept()
                    .into_iter()
                    .map(|(key, kept)| Record::Kept(key.clone(), kept.clone())),
            )
            .chain(letters.iter().cloned().map(Record::DeadLetter))
            .chain(uncertain.values().cloned().map(Record::Intended))
            .chain(intents)
            .chain(last)
            .chain([Record::Clock(now)]);
        // A failure is counted by the journal, which stays as it was.
        let _ = journal.compact(records);
    }

    /// Puts another configuration in force. Alerts, silences and the log stay; groups that exist under
    /// both configurations keep their timers and what is on its way, so nothing is told twice.
    pub fn reload(&mut self, now: WallTime, config: RouterConfig) {
        let old_targets: BTreeMap<Arc<str>, Vec<Target>> = self
            .receivers
            .keys()
            .map(|name| Arc::from(name.as_str()))
            .map(|name: Arc<str>| (Arc::clone(&name), self.targets(&name)))
            .collect();
        self.receivers = receivers(&config);
        self.intervals = intervals(&config);
        self.inhibitor = Inhibitor::new(config.inhibit_rules.clone());
        self.config = config;
        let mut old_ids: Vec<u64> = self.due.iter().map(|(_, id)| *id).collect();
        old_ids.sort_unstable();
        let mut old_groups = std::mem::take(&mut self.groups);
        self.group_ids.clear();
        self.named.clear();
        self.due.clear();
        let mut alerts: Vec<(u64, Alert)> = self
            .alerts
            .drain()
            .map(|(fingerprint, stored)| (fingerprint, stored.alert))
            .collect();
        alerts.sort_unstable_by_key(|(fingerprint, _)| *fingerprint);
        let mut joined: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (fingerprint, alert) in alerts {
            for group in self.place(now, fingerprint, alert) {
                joined.entry(group).or_default().push(fingerprint);
            }
        }
        let by_key: BTreeMap<(Arc<str>, Arc<str>), u64> = self
            .due
            .iter()
            .filter_map(|(_, id)| {
                let group = self.groups.get(id)?;
                Some(((Arc::clone(&group.key), Arc::clone(&group.receiver)), *id))
            })
            .collect();
        for old_id in old_ids {
            let Some(old) = old_groups.remove(&old_id) else {
                continue;
            };
            let targets = old_targets
                .get(&old.receiver)
                .map_or(&[][..], Vec::as_slice);
            let new_id = by_key.get(&(Arc::clone(&old.key), Arc::clone(&old.receiver)));
            if let Some(members) = new_id.and_then(|id| joined.get_mut(id)) {
                members.retain(|fingerprint| !old.members.contains_key(fingerprint));
            }
            self.carry_over(now, old, new_id.copied(), targets);
        }
        // Those that stay where they were are no news, and would push out what is.
        for (group, members) in joined {
            for fingerprint in members {
                self.record_joined(now, fingerprint, group);
            }
        }
        self.close_orphans(now);
        self.journal.push(&Record::Clock(now));
        self.commit(now);
    }

    /// Moves timers and open deliveries of a group to the one that takes its place, or ends them.
    fn carry_over(
        &mut self,
        now: WallTime,
        old: super::Group,
        new_id: Option<u64>,
        old_targets: &[Target],
    ) {
        let new_targets = self.targets(&old.receiver);
        if let Some(id) = new_id
            && let Some(group) = self.groups.get_mut(&id)
        {
            self.due.remove(&(group.next_flush, id));
            group.next_flush = old.next_flush;
            self.due.insert((group.next_flush, id));
            group.flushes = old.flushes;
            group.muted_by.clone_from(&old.muted_by);
            for (fingerprint, told) in &mut group.members {
                *told = old.members.get(fingerprint).copied().flatten();
            }
        }
        for (slot, target) in old.slots.into_iter().zip(old_targets) {
            let place = new_id.and_then(|id| {
                let same = |new: &Target| {
                    (&new.receiver, &new.integration, new.fallback)
                        == (&target.receiver, &target.integration, target.fallback)
                };
                let slot = new_targets.iter().position(same)?;
                Some((id, slot, new_targets.get(slot)?.at))
            });
            match place {
                Some((id, at, integration)) => self.adopt(slot, id, at, integration),
                None => {
                    if let Some(delivery) = slot.delivery {
                        self.abandon(now, delivery);
                    }
                }
            }
        }
    }

    fn adopt(&mut self, slot: Slot, group: u64, at: usize, integration: usize) {
        if let Some(delivery) = slot.delivery.and_then(|id| self.deliveries.get_mut(&id)) {
            delivery.group = group;
            delivery.slot = at;
            delivery.notification.integration = integration;
        }
        if let Some(new) = self.slot_mut(group, at) {
            *new = slot;
        }
    }

    fn abandon(&mut self, now: WallTime, id: u64) {
        if let Some(delivery) = self.close(now, id, Outcome::Superseded)
            && matches!(delivery.state, DeliveryState::InFlight(_))
        {
            self.actions.push_back(Action::Cancel { id });
        }
    }
}

fn intervals(config: &RouterConfig) -> BTreeMap<String, crate::alerting::NamedInterval> {
    config
        .time_intervals
        .iter()
        .map(|interval| (interval.name.clone(), interval.clone()))
        .collect()
}

fn receivers(config: &RouterConfig) -> BTreeMap<String, Vec<IntegrationOptions>> {
    config
        .receivers
        .iter()
        .map(|receiver| (receiver.name.clone(), receiver.integrations.clone()))
        .collect()
}
