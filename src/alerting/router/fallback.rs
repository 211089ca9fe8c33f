//! Who is told when a receiver cannot be reached, and the letters that nobody took.
//!
//! A group has a slot for each integration of its receiver, and behind them one for each integration of
//! the fallback receiver. Those hear of a flush while an integration of the receiver is not reached: its
//! notification was refused, or had not succeeded when the next flush came. Once all have been reached
//! again the fallback only hears of the end of what it was told of.

use std::sync::Arc;

use super::{Delivery, Flush, Group, IntegrationOptions, LogKey, Place, Record, Router, WallTime};
use crate::alerting::dead_letters::{ALERTS_MAX, DeadLetter};

/// Whom a slot of a group tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) receiver: Arc<str>,
    /// Which of the receiver's integrations.
    pub(super) at: usize,
    pub(super) integration: IntegrationOptions,
    /// Whether the receiver is the fallback of the group's own.
    pub(super) fallback: bool,
}

impl Target {
    pub(super) fn log_key(&self, group: &Group) -> LogKey {
        LogKey {
            group_key: group.key.to_string(),
            integration: self.full_name(),
        }
    }

    /// The decision record's place for this side of a group.
    pub(super) fn place(&self, group: &Group) -> Arc<Place> {
        Arc::new(Place {
            group_key: Arc::clone(&group.key),
            receiver: Arc::clone(&self.receiver),
            integration: self.integration.name().into(),
        })
    }

    /// `team/webhook/0`.
    fn full_name(&self) -> String {
        format!("{}/{}", self.receiver, self.integration.name())
    }
}

impl Router {
    /// Whom the slots of a group with this receiver tell, in order.
    pub(super) fn targets(&self, receiver: &Arc<str>) -> Vec<Target> {
        (0..)
            .map_while(|slot| self.target(receiver, slot))
            .collect()
    }

    /// Whom one slot tells.
    pub(super) fn target(&self, receiver: &Arc<str>, slot: usize) -> Option<Target> {
        let own = self.integrations(receiver);
        if let Some(integration) = own.get(slot) {
            return Some(Target {
                receiver: Arc::clone(receiver),
                at: slot,
                integration: integration.clone(),
                fallback: false,
            });
        }
        let fallback = self.fallback_of(receiver)?;
        let at = slot - own.len();
        Some(Target {
            receiver: fallback.into(),
            at,
            integration: self.integrations(fallback).get(at)?.clone(),
            fallback: true,
        })
    }

    /// How many slots a group with this receiver has.
    pub(super) fn slot_count(&self, receiver: &str) -> usize {
        let fallback = self.fallback_of(receiver);
        self.integrations(receiver).len() + fallback.map_or(0, |name| self.integrations(name).len())
    }

    fn fallback_of(&self, receiver: &str) -> Option<&str> {
        let fallback = self.config.fallbacks.get(receiver)?;
        (fallback != receiver).then_some(fallback.as_str())
    }

    /// The integrations of a group's own receiver that are not reached, as the decision record names them.
    pub(super) fn unreached(&self, group: &Group) -> Vec<String> {
        group
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.unreached)
            .filter_map(|(at, _)| self.target(&group.receiver, at))
            .map(|target| target.full_name())
            .collect()
    }

    /// What is left of a flush for somebody who shall only hear of the end of what he was told of.
    pub(super) fn only_known(&self, flush: &Flush, key: &LogKey) -> Flush {
        let uncertain = self.uncertain.get(key).map(|intent| &intent.entry);
        let entries = [self.log.get(key), uncertain];
        let known = |fingerprint: &u64| {
            let mut entries = entries.iter().flatten();
            entries.any(|entry| entry.firing.binary_search(fingerprint).is_ok())
        };
        let pick = |all: &[u64]| all.iter().copied().filter(|f| known(f)).collect();
        let left = || flush.iter().filter(|(fingerprint, _)| known(fingerprint));
        Flush {
            number: flush.number,
            now: flush.now,
            fingerprints: left().map(|(fingerprint, _)| fingerprint).collect(),
            alerts: left().map(|(_, alert)| alert.clone()).collect(),
            firing: pick(&flush.firing),
            resolved: pick(&flush.resolved),
        }
    }

    /// Takes note that an integration was not reached, and tells the fallback receiver of the group's
    /// latest flush.
    pub(super) fn not_reached(
        &mut self,
        now: WallTime,
        delivery: &Delivery,
        latest: &Arc<Flush>,
        reason: String,
    ) {
        self.bury(now, delivery, reason);
        let Some(group) = self.groups.get_mut(&delivery.group) else {
            return;
        };
        let receiver = Arc::clone(&group.receiver);
        let Some(slot) = group.slots.get_mut(delivery.slot) else {
            return;
        };
        let own = self.receivers.get(&*receiver).map_or(0, Vec::len);
        if delivery.slot >= own {
            return;
        }
        slot.unreached = true;
        for slot in own..self.slot_count(&receiver) {
            self.offer(now, delivery.group, slot, latest);
        }
    }

    /// Adds a notification to the dead letters.
    fn bury(&mut self, now: WallTime, delivery: &Delivery, reason: String) {
        let notification = &delivery.notification;
        let own = self
            .groups
            .get(&delivery.group)
            .is_some_and(|group| *group.receiver == *notification.receiver);
        let fallback = self.fallback_of(&notification.receiver).filter(|_| own);
        let letter = DeadLetter {
            key: delivery.key.clone(),
            receiver: notification.receiver.clone(),
            first: now,
            last: now,
            count: 1,
            reason,
            alerts: notification
                .alerts
                .iter()
                .take(ALERTS_MAX)
                .map(|alert| alert.labels.clone())
                .collect(),
            alert_count: notification.alerts.len() as u64,
            fallback: fallback.unwrap_or_default().to_owned(),
            reached_at: None,
        };
        let (letter, gone) = self.letters.add(letter);
        self.journal.push(&Record::DeadLetter(letter));
        if let Some(key) = gone {
            self.journal.push(&Record::DeadLetterGone(key));
        }
    }

    /// Takes note that a notification got through.
    pub(super) fn reached(&mut self, now: WallTime, delivery: &Delivery) {
        if let Some(letter) = self.letters.reached(now, &delivery.key) {
            self.journal.push(&Record::DeadLetter(letter));
        }
        if let Some(slot) = self.slot_mut(delivery.group, delivery.slot) {
            slot.unreached = false;
        }
    }
}
