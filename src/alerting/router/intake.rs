//! Alerts in: their times filled in, merged with what is known, put into groups.

use super::{
    Alert, Arc, BTreeMap, Error, Group, Labels, Place, Record, Router, Slot, SmallVec, Span, Stage,
    StoredAlert, Syntax, WallTime,
};
use crate::text::quote::quote;

impl Router {
    /// Takes alerts from rules or from the API. Times that the sender left out are filled in; alerts that
    /// break a rule are refused one by one, the others are taken. Durable when this returns.
    pub fn on_alerts(&mut self, now: WallTime, alerts: Vec<Alert>) -> Vec<Error> {
        let mut refused = Vec::new();
        let mut renewed = Vec::new();
        for alert in alerts {
            let alert = self.complete(now, alert);
            if let Err(error) = validate(&alert, self.options.syntax) {
                self.counts.invalid += 1;
                refused.push(error);
                continue;
            }
            if alert.ends_at > now {
                self.counts.firing_received += 1;
            } else {
                self.counts.resolved_received += 1;
            }
            let fingerprint = alert.labels.fingerprint();
            if self.is_one_too_many(fingerprint, alert.name()) {
                // compat: the sender is not told.
                self.counts.limited += 1;
                continue;
            }
            self.take(now, fingerprint, alert, &mut renewed);
        }
        if !renewed.is_empty() {
            self.journal.push(&Record::Renewed(renewed));
        }
        self.commit(now);
        refused
    }

    /// compat: what upstream's API fills in.
    fn complete(&self, now: WallTime, mut alert: Alert) -> Alert {
        alert.updated_at = now;
        if alert.starts_at.is_zero() {
            alert.starts_at = if alert.ends_at.is_zero() {
                now
            } else {
                alert.ends_at
            };
        }
        alert.timeout = alert.ends_at.is_zero();
        if alert.timeout {
            alert.ends_at = now + self.config.resolve_timeout;
        }
        alert
    }

    fn is_one_too_many(&self, fingerprint: u64, name: &str) -> bool {
        let limit = self.options.alertname_limit;
        limit > 0
            && self.named.get(name).is_some_and(|count| *count >= limit)
            && !self.alerts.contains_key(&fingerprint)
    }

    fn take(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        alert: Alert,
        renewed: &mut Vec<(u64, WallTime, WallTime)>,
    ) {
        let resolved = alert.resolved_at(now);
        let received = self.decisions.stage(Stage::Received { resolved });
        let nowhere = self.decisions.nowhere();
        self.decisions
            .record(now, fingerprint, &alert.labels, &nowhere, &received);
        let old = self.alerts.get(&fingerprint).map(|stored| &stored.alert);
        let alert = match old {
            Some(old) => merge(old, alert, now),
            None => alert,
        };
        if old.is_some_and(|old| only_renewed(old, &alert)) {
            renewed.push((fingerprint, alert.ends_at, alert.updated_at));
        } else {
            self.journal.push(&Record::Alert(alert.clone()));
        }
        self.store(now, fingerprint, alert);
    }

    /// Puts an alert in its place in memory and into its groups, and records which it joined.
    pub(super) fn store(&mut self, now: WallTime, fingerprint: u64, alert: Alert) {
        for group in self.place(now, fingerprint, alert) {
            self.record_joined(now, fingerprint, group);
        }
    }

    /// Puts an alert in its place in memory and into its groups; those that it joined.
    pub(super) fn place(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        alert: Alert,
    ) -> SmallVec<[u64; 1]> {
        self.inhibitor
            .on_alert(fingerprint, &alert.labels, alert.ends_at);
        let resolved = alert.resolved_at(now);
        if let Some(stored) = self.alerts.get_mut(&fingerprint) {
            stored.alert = alert;
        } else {
            if self.options.alertname_limit > 0 {
                *self.named.entry_ref(alert.name()).or_insert(0) += 1;
            }
            let routes = self.config.tree.matches(&alert.labels);
            let places = routes.into_iter().map(|route| (route, None)).collect();
            self.alerts
                .insert(fingerprint, StoredAlert { alert, places });
        }
        self.join_groups(now, fingerprint, resolved)
    }

    fn join_groups(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        resolved: bool,
    ) -> SmallVec<[u64; 1]> {
        let mut joined = SmallVec::new();
        let Some(stored) = self.alerts.get_mut(&fingerprint) else {
            return joined;
        };
        let labels = stored.alert.labels.clone();
        let starts_at = stored.alert.starts_at;
        let mut places = std::mem::take(&mut stored.places);
        for (route, group) in &mut places {
            if let Some(id) = group {
                // A member already: if it fires again its end is forgotten.
                if let Some(group) = self.groups.get_mut(id)
                    && let Some(member) = group.members.get_mut(&fingerprint)
                    && !resolved
                {
                    *member = None;
                }
                continue;
            }
            *group = self.join(now, fingerprint, *route, &labels, starts_at);
            joined.extend(*group);
        }
        if let Some(stored) = self.alerts.get_mut(&fingerprint) {
            stored.places = places;
        }
        joined
    }

    /// Records that an alert has joined a group.
    pub(super) fn record_joined(&mut self, now: WallTime, fingerprint: u64, group: u64) {
        let Some(stored) = self.alerts.get(&fingerprint) else {
            return;
        };
        let Some(group) = self.groups.get(&group) else {
            return;
        };
        let stage = self.decisions.stage(Stage::Grouped {
            flush_at: group.next_flush,
        });
        let labels = &stored.alert.labels;
        self.decisions
            .record(now, fingerprint, labels, &group.place, &stage);
    }

    /// Adds an alert to its group on a route, making the group if need be.
    fn join(
        &mut self,
        now: WallTime,
        fingerprint: u64,
        route_at: usize,
        labels: &Labels,
        starts_at: WallTime,
    ) -> Option<u64> {
        let route = self.config.tree.get(route_at)?;
        let key = (route_at, route.group_by.fingerprint(labels));
        let known = self.group_ids.get(&key).copied();
        let id = if let Some(id) = known {
            id
        } else {
            let group_labels = route.group_by.group_labels(labels);
            self.make_group(now, route_at, group_labels, starts_at)?
        };
        let group = self.groups.get_mut(&id)?;
        group.members.insert(fingerprint, None);
        Some(id)
    }
}

impl Router {
    fn make_group(
        &mut self,
        now: WallTime,
        route_at: usize,
        labels: Labels,
        starts_at: WallTime,
    ) -> Option<u64> {
        let limit = self.options.max_groups;
        if limit > 0 && self.groups.len() >= limit {
            self.counts.groups_refused += 1;
            return None;
        }
        let route = self.config.tree.get(route_at)?;
        let id = self.next_group;
        self.next_group += 1;
        // compat: the alert that makes a group decides whether the wait is over already.
        let next_flush = if starts_at + route.group_wait < now {
            now
        } else {
            now + route.group_wait
        };
        let slots = self.slot_count(&route.receiver);
        let place = Arc::new(Place {
            group_key: route.group_key(&labels).into(),
            receiver: Arc::from(route.receiver.as_str()),
            integration: "".into(),
        });
        let group = Group {
            route: route_at,
            key: Arc::clone(&place.group_key),
            receiver: Arc::clone(&place.receiver),
            place,
            members: BTreeMap::new(),
            next_flush,
            flushes: 0,
            muted_by: Vec::new(),
            slots: std::iter::repeat_with(Slot::default).take(slots).collect(),
            labels,
        };
        let key = (route_at, group.labels.fingerprint());
        self.groups.insert(id, group);
        self.group_ids.insert(key, id);
        self.due.insert((next_flush, id));
        Some(id)
    }
}

/// Whether the sender said nothing new but that the alert goes on.
fn only_renewed(old: &Alert, new: &Alert) -> bool {
    old.annotations == new.annotations
        && old.starts_at == new.starts_at
        && old.generator_url == new.generator_url
        && old.timeout == new.timeout
        && !old.resolved_at(new.updated_at)
        && !new.resolved_at(new.updated_at)
}

/// compat: the texts of upstream's `Alert.Validate`.
fn validate(alert: &Alert, syntax: Syntax) -> Result<(), Error> {
    let bad = |text: &str| Err(Error::BadAlert(text.to_owned()));
    if alert.starts_at.is_zero() {
        return bad("start time missing");
    }
    if !alert.ends_at.is_zero() && alert.ends_at < alert.starts_at {
        return bad("start time must be before end time");
    }
    if alert.labels.is_empty() {
        return bad("at least one label pair required");
    }
    for (what, set) in [
        ("label set", &alert.labels),
        ("annotations", &alert.annotations),
    ] {
        // Names are sorted: an empty one, all that most modes refuse, comes first.
        let looked_at = match syntax {
            Syntax::Classic => usize::MAX,
            Syntax::Fallback | Syntax::Utf8 => 1,
        };
        let mut names = set.iter().map(|(name, _)| name).take(looked_at);
        if let Some(name) = names.find(|name| !syntax.is_label_name(name)) {
            return bad(&format!("invalid {what}: invalid name {}", quote(name)));
        }
    }
    Ok(())
}

/// compat: alerts of the same labels are merged where their times overlap; the younger one leads.
fn merge(old: &Alert, new: Alert, now: WallTime) -> Alert {
    let inside = |t: WallTime| t > old.starts_at && t < old.ends_at;
    if !inside(new.ends_at) && !inside(new.starts_at) {
        return new;
    }
    let mut merged = new;
    merged.starts_at = merged.starts_at.min(old.starts_at);
    let later = old.ends_at > merged.ends_at;
    if merged.resolved_at(now) {
        // Of two ends the later one holds.
        if later && old.resolved_at(now) {
            merged.ends_at = old.ends_at;
        }
    } else if later && !old.timeout {
        // An end that a sender gave holds if it is the later one.
        merged.ends_at = old.ends_at;
    }
    merged
}

/// How long an alert fires on after a restart at least.
pub(super) fn grace(resolve_timeout: Span) -> Span {
    resolve_timeout.max(Span::minutes(1))
}
