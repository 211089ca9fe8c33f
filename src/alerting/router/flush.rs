//! One group's turn: collect its alerts, run the mute stages, ask the log, begin deliveries.

use super::{Alert, Arc, Flush, Place, Router, Span, Stage, WallTime};
use crate::alerting::notification_log::notify_reason;
use crate::alerting::{NotifyReason, sort_alerts};

/// A flush that is later than this is not on time.
const LATENESS_MAX: Span = Span::from_ms(100);

/// An alert on its way through the stages.
type Candidate = (u64, Alert);

impl Router {
    pub(super) fn flush(&mut self, now: WallTime, id: u64) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let Some(route) = self.config.tree.get(group.route) else {
            return;
        };
        group.flushes += 1;
        let number = group.flushes;
        // compat: the next flush is a whole interval after this one, whatever comes in between. Counted from
        // when this one was due, so that being woken a little late each time does not add up.
        let interval = route.group_interval.max(Span::from_ms(1));
        let on_time = now.since(group.next_flush) <= LATENESS_MAX.min(interval);
        let from = if on_time { group.next_flush } else { now };
        group.next_flush = from + interval;
        self.due.insert((group.next_flush, id));
        let mut candidates: Vec<Candidate> = Vec::with_capacity(group.members.len());
        for (fingerprint, told) in &mut group.members {
            let Some(stored) = self.alerts.get(fingerprint) else {
                continue;
            };
            let mut alert = stored.alert.clone();
            if alert.resolved_at(now) {
                told.get_or_insert(number);
            } else {
                // compat: what fires now shall not end while it is on its way.
                alert.ends_at = WallTime::ZERO;
                *told = None;
            }
            candidates.push((*fingerprint, alert));
        }
        sort_alerts(&mut candidates, |(_, alert)| &alert.labels);
        let place = Arc::clone(&group.place);
        let left = self.mute(now, id, &place, candidates);
        let of = |firing: bool| -> Arc<[u64]> {
            let mut all: Vec<u64> = left
                .iter()
                .filter(|(_, alert)| alert.ends_at.is_zero() == firing)
                .map(|(fingerprint, _)| *fingerprint)
                .collect();
            all.sort_unstable();
            all.into()
        };
        let flush = Arc::new(Flush {
            number,
            now,
            firing: of(true),
            resolved: of(false),
            fingerprints: left.iter().map(|(fingerprint, _)| *fingerprint).collect(),
            alerts: left.into_iter().map(|(_, alert)| alert).collect(),
        });
        let slots = self.groups.get(&id).map_or(0, |group| group.slots.len());
        for slot in 0..slots {
            self.offer(now, id, slot, &flush);
        }
        self.settle(now, id);
    }

    /// compat: inhibition, active intervals, mute intervals, silences, in this order.
    fn mute(
        &mut self,
        now: WallTime,
        id: u64,
        place: &Arc<Place>,
        mut candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let suppressed = &mut self.counts.suppressed;
        candidates.retain(|(fingerprint, alert)| {
            let Some(found) = self.inhibitor.inhibited(&alert.labels, now) else {
                return true;
            };
            let by = found.by.iter().filter_map(|by| self.alerts.get(by));
            let stage = Stage::Inhibited {
                rule: self.inhibitor.rule_text(found.rule),
                by: by.map(|stored| stored.alert.labels.clone()).collect(),
            };
            suppressed.inhibited += 1;
            let stage = self.decisions.stage(stage);
            self.decisions
                .record(now, *fingerprint, &alert.labels, place, &stage);
            false
        });
        if candidates.is_empty() {
            return candidates;
        }
        if let Some(stage) = self.time_stage(now, id) {
            let count = candidates.len() as u64;
            let suppressed = &mut self.counts.suppressed;
            match stage {
                Stage::Inactive(_) => suppressed.inactive += count,
                _ => suppressed.muted += count,
            }
            let stage = self.decisions.stage(stage);
            for (fingerprint, alert) in &candidates {
                self.decisions
                    .record(now, *fingerprint, &alert.labels, place, &stage);
            }
            return Vec::new();
        }
        if self.silences.is_empty() {
            return candidates;
        }
        let suppressed = &mut self.counts.suppressed;
        candidates.retain(|(fingerprint, alert)| {
            let by = self.silences.notes_about(&alert.labels, now);
            if by.is_empty() {
                return true;
            }
            suppressed.silenced += 1;
            let stage = self.decisions.stage(Stage::Silenced(by));
            self.decisions
                .record(now, *fingerprint, &alert.labels, place, &stage);
            false
        });
        candidates
    }

    /// Whether the route's intervals mute the group now; remembered for the API.
    fn time_stage(&mut self, now: WallTime, id: u64) -> Option<Stage> {
        let group = self.groups.get_mut(&id)?;
        let route = self.config.tree.get(group.route)?;
        let contains = |name: &&String| {
            self.intervals
                .get(*name)
                .is_some_and(|interval| interval.contains(now))
        };
        let active = &route.active_time_intervals;
        if !active.is_empty() && !active.iter().any(|name| contains(&name)) {
            group.muted_by.clone_from(active);
            return Some(Stage::Inactive(active.clone()));
        }
        let muting: Vec<String> = route
            .mute_time_intervals
            .iter()
            .filter(contains)
            .cloned()
            .collect();
        group.muted_by.clone_from(&muting);
        (!muting.is_empty()).then_some(Stage::Muted(muting))
    }

    /// Asks the log whether an integration must hear of a flush, and begins its delivery if so.
    pub(super) fn offer(&mut self, now: WallTime, id: u64, slot_at: usize, flush: &Arc<Flush>) {
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let Some(slot) = group.slots.get(slot_at) else {
            return;
        };
        let Some(target) = self.target(&group.receiver, slot_at) else {
            return;
        };
        if let Some(delivery) = slot.delivery
            && self.is_in_flight(delivery)
        {
            if let Some(slot) = self.slot_mut(id, slot_at) {
                slot.pending = Some(Arc::clone(flush));
            }
            return;
        }
        // First, because what it leaves uncertain counts.
        self.drop_waiting(now, id, slot_at, flush);
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let key = target.log_key(group);
        let place = target.place(group);
        let unreached = if target.fallback {
            self.unreached(group)
        } else {
            Vec::new()
        };
        let stands_by = target.fallback && unreached.is_empty();
        let flush = &if stands_by {
            Arc::new(self.only_known(flush, &key))
        } else {
            Arc::clone(flush)
        };
        let repeat = self
            .config
            .tree
            .get(group.route)
            .map_or(Span::hours(4), |route| route.repeat_interval);
        let entry = self.log.get(&key);
        let ask = notify_reason(
            entry,
            &flush.firing,
            &flush.resolved,
            target.integration.send_resolved,
            repeat,
            flush.now,
        );
        // compat: a flush that mutes have emptied ends here and counts as dealt with.
        let reason = if flush.alerts.is_empty() {
            None
        } else {
            let repeats = NotifyReason::RepeatIntervalElapsed;
            ask.filter(|reason| !(stands_by && *reason == repeats))
                .or_else(|| self.uncertain_reason(&key, flush, target.integration.send_resolved))
        };
        let since = entry.map(|entry| entry.timestamp);
        if let Some(reason) = reason {
            if !unreached.is_empty() {
                let from: Arc<str> = unreached.join(", ").into();
                self.record_flush(now, flush, &place, Stage::FallenBack { from });
            }
            if target.integration.send_resolved || !flush.firing.is_empty() {
                self.record_uncertain(now, &key, flush, &place);
            }
            self.begin(now, id, slot_at, flush, key, reason);
            return;
        }
        self.record_flush(now, flush, &place, Stage::Deduplicated { since });
        if !flush.alerts.is_empty() {
            self.close_certain(now, id, &key, flush);
        }
        if let Some(slot) = self.slot_mut(id, slot_at) {
            slot.settled = flush.number;
        }
    }

    /// Records the same decision about all alerts of a flush.
    fn record_flush(&mut self, now: WallTime, flush: &Flush, place: &Arc<Place>, stage: Stage) {
        let stage = self.decisions.stage(stage);
        for (fingerprint, alert) in flush.iter() {
            self.decisions
                .record(now, fingerprint, &alert.labels, place, &stage);
        }
    }

    /// Drops members whose end everybody has been told of, alerts without a group, and empty groups.
    pub(super) fn settle(&mut self, now: WallTime, id: u64) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let settled = group
            .slots
            .iter()
            .map(|slot| slot.settled)
            .min()
            .unwrap_or(group.flushes);
        let gone: Vec<u64> = group
            .members
            .iter()
            .filter(|(_, told)| told.is_some_and(|told| told <= settled))
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        for fingerprint in &gone {
            group.members.remove(fingerprint);
        }
        let empty = group.members.is_empty();
        for fingerprint in gone {
            self.leave(fingerprint, id);
        }
        if empty {
            self.remove_group(now, id);
        }
    }

    fn leave(&mut self, fingerprint: u64, group: u64) {
        let Some(stored) = self.alerts.get_mut(&fingerprint) else {
            return;
        };
        for (_, place) in &mut stored.places {
            if *place == Some(group) {
                *place = None;
            }
        }
        if stored.places.iter().all(|(_, place)| place.is_none()) {
            self.forget(fingerprint);
        }
    }

    /// Drops an alert that no group needs any more.
    pub(super) fn forget(&mut self, fingerprint: u64) {
        if let Some(stored) = self.alerts.remove(&fingerprint) {
            self.inhibitor.forget(fingerprint, &stored.alert.labels);
            if let Some(count) = self.named.get_mut(stored.alert.name()) {
                *count -= 1;
                if *count == 0 {
                    self.named.remove(stored.alert.name());
                }
            }
            self.journal.push(&super::Record::AlertGone(fingerprint));
        }
    }

    fn remove_group(&mut self, now: WallTime, id: u64) {
        let Some(group) = self.groups.remove(&id) else {
            return;
        };
        self.due.remove(&(group.next_flush, id));
        self.group_ids
            .remove(&(group.route, group.labels.fingerprint()));
        if !self.uncertain.is_empty() {
            for target in self.targets(&group.receiver) {
                self.close_uncertain(now, &target.log_key(&group));
            }
        }
    }
}
