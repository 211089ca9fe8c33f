//! A notification from its intent to its outcome: attempts, back-off, timeouts, and what takes its place.

use super::{
    Action, Arc, DELIVERY_TIME_MIN, Delivery, DeliveryState, Flush, Intent, Kept, LogEntry, LogKey,
    Notification, Record, Router, Slot, Span, Stage, WallTime,
};
use crate::alerting::journal::Outcome as Closing;
use crate::alerting::receivers::Outcome;
use crate::alerting::{NotifyReason, Verdict};

/// compat: the back-off of upstream's retries: half a second, growing by half, a minute at most.
const BACKOFF_FIRST_MS: f64 = 500.0;
const BACKOFF_MAX_MS: f64 = 60_000.0;

/// How long a receiver's wish to wait holds for later flushes: they bring news, and none may silence them for long.
const WAIT_OVER_FLUSHES_MAX: Span = Span::minutes(5);

impl Router {
    /// Writes down what is to be told and hands it out.
    pub(super) fn begin(
        &mut self,
        now: WallTime,
        group_id: u64,
        slot_at: usize,
        flush: &Arc<Flush>,
        key: LogKey,
        reason: NotifyReason,
    ) {
        let Some(group) = self.groups.get(&group_id) else {
            return;
        };
        let Some(route) = self.config.tree.get(group.route) else {
            return;
        };
        let Some(target) = self.target(&group.receiver, slot_at) else {
            return;
        };
        let place = target.place(group);
        // compat: entries live for twice the repeat interval, the retention at most.
        let twice = Span::from_ms(route.repeat_interval.as_ms().saturating_mul(2));
        let entry = LogEntry {
            firing: flush.firing.clone(),
            resolved: flush.resolved.clone(),
            timestamp: now,
            expires_at: now + twice.min(self.options.retention),
        };
        let send_resolved = target.integration.send_resolved;
        if !send_resolved && flush.firing.is_empty() {
            // Nothing to send, but the log must know that nothing fires any more.
            self.journal
                .push(&Record::Logged(key.clone(), entry.clone()));
            self.log.put(key.clone(), entry);
            self.close_uncertain(now, &key);
            if let Some(slot) = self.slot_mut(group_id, slot_at) {
                slot.settled = flush.number;
            }
            return;
        }
        let alerts = if send_resolved || flush.resolved.is_empty() {
            Arc::clone(&flush.alerts)
        } else {
            let firing = flush.alerts.iter().filter(|alert| alert.ends_at.is_zero());
            firing.cloned().collect()
        };
        let stage = self.decisions.stage(Stage::Intended(reason));
        for (fingerprint, alert) in flush.iter() {
            if send_resolved || alert.ends_at.is_zero() {
                self.decisions
                    .record(now, fingerprint, &alert.labels, &place, &stage);
            }
        }
        // compat: an episode has its own message; one of an earlier episode is left alone.
        let begins = reason == NotifyReason::FirstNotification;
        let kept = self.log.kept(&key).filter(|_| !begins).cloned();
        let id = self.next_delivery;
        self.next_delivery += 1;
        let notification = Notification {
            id,
            attempt: 0,
            receiver: target.receiver.to_string(),
            integration: target.at,
            group_key: group.key.to_string(),
            group_labels: group.labels.clone(),
            route_labels: route.labels.clone(),
            alerts,
            reason,
            now: flush.now,
            deadline: flush.now + route.group_interval.max(DELIVERY_TIME_MIN),
            kept,
        };
        self.journal.push(&Record::Intended(Intent {
            id,
            key: key.clone(),
            entry: entry.clone(),
        }));
        self.counts.intended += 1;
        self.deliveries.insert(
            id,
            Delivery {
                group: group_id,
                slot: slot_at,
                place,
                send_resolved,
                flush: Arc::clone(flush),
                key,
                entry,
                notification,
                state: DeliveryState::Waiting(now),
                error: None,
                unanswered: false,
            },
        );
        let Some(slot) = self.slot_mut(group_id, slot_at) else {
            return;
        };
        slot.delivery = Some(id);
        let not_before = slot.not_before;
        if not_before > now {
            self.wait(id, not_before);
        } else {
            self.attempt(id);
        }
    }

    /// Lets a delivery wait for its next attempt.
    fn wait(&mut self, id: u64, until: WallTime) {
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            delivery.state = DeliveryState::Waiting(until);
            self.timers.insert((until, id));
        }
    }

    /// Hands out the next attempt.
    fn attempt(&mut self, id: u64) {
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return;
        };
        delivery.notification.attempt += 1;
        let deadline = delivery.notification.deadline;
        delivery.state = DeliveryState::InFlight(deadline);
        self.timers.insert((deadline, id));
        self.actions
            .push_back(Action::Notify(Arc::new(delivery.notification.clone())));
    }

    /// Remembers something for the integration that a delivery tells. Comes before the outcome, which
    /// makes it durable.
    pub fn keep(&mut self, id: u64, kept: Kept) {
        if let Some(delivery) = self.deliveries.get(&id) {
            self.journal
                .push(&Record::Kept(delivery.key.clone(), kept.clone()));
            self.log.keep(delivery.key.clone(), kept);
        }
    }

    /// Takes the outcome of an attempt. News of deliveries that are no longer open is ignored. Durable when
    /// this returns.
    pub fn on_delivery(&mut self, now: WallTime, id: u64, verdict: Verdict) {
        self.judge(now, id, verdict, false);
        self.commit(now);
    }

    /// As [`Self::on_delivery`] for several at once, which costs the disk as much as one.
    pub fn on_deliveries(&mut self, now: WallTime, outcomes: Vec<(u64, Outcome)>) {
        for (id, outcome) in outcomes {
            if let Some(kept) = outcome.keep {
                self.keep(id, kept);
            }
            self.judge(now, id, outcome.verdict, outcome.unanswered);
        }
        self.commit(now);
    }

    fn judge(&mut self, now: WallTime, id: u64, verdict: Verdict, unanswered: bool) {
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return;
        };
        delivery.unanswered |= unanswered;
        let in_flight = matches!(delivery.state, DeliveryState::InFlight(_));
        match verdict {
            // Even when the wait for it was given up, it has arrived.
            Verdict::Delivered => self.delivered(now, id),
            _ if !in_flight => {}
            Verdict::Retry { after, reason } => self.failed(now, id, after, reason),
            Verdict::GiveUp { reason } => self.refused(now, id, reason),
        }
    }

    fn delivered(&mut self, now: WallTime, id: u64) {
        let Some(mut delivery) = self.close(now, id, Closing::Delivered) else {
            return;
        };
        self.counts.delivered += 1;
        let stage = Stage::Sent {
            attempts: delivery.notification.attempt,
        };
        self.record(now, &delivery, stage);
        delivery.entry.timestamp = now;
        self.log.put(delivery.key.clone(), delivery.entry.clone());
        self.close_uncertain(now, &delivery.key);
        self.reached(now, &delivery);
        if let Some(slot) = self.slot_mut(delivery.group, delivery.slot) {
            slot.settled = delivery.flush.number;
        }
        self.take_pending(now, &delivery);
        self.settle(now, delivery.group);
    }

    fn failed(&mut self, now: WallTime, id: u64, after: Option<Span>, reason: String) {
        self.counts.failed += 1;
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return;
        };
        self.timers.remove(&(delivery.state.due(), id));
        let tries = i32::try_from(delivery.notification.attempt.saturating_sub(1)).unwrap_or(64);
        let backoff = (BACKOFF_FIRST_MS * 1.5_f64.powi(tries.min(64))).min(BACKOFF_MAX_MS);
        let jittered = backoff * (0.5 + self.rng.f64());
        let wait = Span::from_ms(jittered as i64).max(after.unwrap_or(Span::ZERO));
        let retry_at = now + wait;
        delivery.error = Some(reason.clone());
        let (group, slot) = (delivery.group, delivery.slot);
        self.wait(id, retry_at);
        // A later flush that takes the place of this one keeps to it as well.
        if let Some(after) = after
            && let Some(slot) = self.slot_mut(group, slot)
        {
            slot.not_before = now + after.min(WAIT_OVER_FLUSHES_MAX);
        }
        let stage = Stage::Failed { reason, retry_at };
        self.record_open(now, id, stage);
        // A newer flush is waiting: it takes the place of this one at once.
        if let Some(flush) = self
            .slot_mut(group, slot)
            .and_then(|slot| slot.pending.take())
        {
            self.offer(now, group, slot, &flush);
            self.settle(now, group);
        }
    }

    fn refused(&mut self, now: WallTime, id: u64, reason: String) {
        let Some(delivery) = self.close(now, id, Closing::Refused) else {
            return;
        };
        self.counts.refused += 1;
        let stage = Stage::Refused {
            reason: reason.clone(),
        };
        self.record(now, &delivery, stage);
        let slot = self.slot_mut(delivery.group, delivery.slot);
        let pending = slot.and_then(|slot| slot.pending.clone());
        let latest = pending.unwrap_or_else(|| Arc::clone(&delivery.flush));
        self.not_reached(now, &delivery, &latest, reason);
        self.take_pending(now, &delivery);
    }

    fn take_pending(&mut self, now: WallTime, delivery: &Delivery) {
        let pending = self
            .slot_mut(delivery.group, delivery.slot)
            .and_then(|slot| slot.pending.take());
        if let Some(flush) = pending {
            self.offer(now, delivery.group, delivery.slot, &flush);
        }
    }

    /// A wait is over: for the next attempt, or for the answer to one.
    pub(super) fn on_timer(&mut self, now: WallTime, id: u64) {
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return;
        };
        match delivery.state {
            // No time is left for an attempt: the next flush is due and takes the place of this one.
            DeliveryState::Waiting(_) if delivery.notification.deadline <= now => {
                self.wait(id, now + Span::seconds(1));
            }
            DeliveryState::Waiting(_) => self.attempt(id),
            DeliveryState::InFlight(_) => {
                delivery.unanswered = true;
                self.actions.push_back(Action::Cancel { id });
                self.failed(
                    now,
                    id,
                    None,
                    "no answer within the group interval".to_owned(),
                );
            }
        }
    }

    pub(super) fn is_in_flight(&self, id: u64) -> bool {
        self.deliveries
            .get(&id)
            .is_some_and(|delivery| matches!(delivery.state, DeliveryState::InFlight(_)))
    }

    /// Ends a delivery that waits for its next attempt, because a newer flush decides.
    pub(super) fn drop_waiting(
        &mut self,
        now: WallTime,
        group: u64,
        slot: usize,
        newer: &Arc<Flush>,
    ) {
        let open = self.slot_mut(group, slot).and_then(|slot| slot.delivery);
        if let Some(id) = open
            && let Some(delivery) = self.close(now, id, Closing::Superseded)
        {
            self.record(now, &delivery, Stage::Superseded);
            if let Some(reason) = delivery.error.clone() {
                self.not_reached(now, &delivery, newer, reason);
            }
        }
    }

    /// Takes a delivery out. What may have arrived without our knowing stays uncertain.
    pub(super) fn close(&mut self, now: WallTime, id: u64, outcome: Closing) -> Option<Delivery> {
        let delivery = self.deliveries.remove(&id)?;
        self.timers.remove(&(delivery.state.due(), id));
        if delivery.unanswered && outcome != Closing::Delivered {
            let intent = Intent {
                id,
                key: delivery.key.clone(),
                entry: delivery.entry.clone(),
            };
            self.keep_uncertain(now, intent);
        } else {
            self.journal.push(&Record::Closed(id, outcome, now));
        }
        if let Some(slot) = self.slot_mut(delivery.group, delivery.slot)
            && slot.delivery == Some(id)
        {
            slot.delivery = None;
        }
        Some(delivery)
    }

    pub(super) fn slot_mut(&mut self, group: u64, slot: usize) -> Option<&mut Slot> {
        self.groups.get_mut(&group)?.slots.get_mut(slot)
    }

    fn record_open(&mut self, now: WallTime, id: u64, stage: Stage) {
        if let Some(delivery) = self.deliveries.remove(&id) {
            self.record(now, &delivery, stage);
            self.deliveries.insert(id, delivery);
        }
    }

    fn record(&mut self, now: WallTime, delivery: &Delivery, stage: Stage) {
        let stage = self.decisions.stage(stage);
        for (fingerprint, alert) in delivery.flush.iter() {
            if delivery.send_resolved || alert.ends_at.is_zero() {
                self.decisions
                    .record(now, fingerprint, &alert.labels, &delivery.place, &stage);
            }
        }
    }
}
