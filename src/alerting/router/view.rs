//! What the API shows: alerts with their status, groups, numbers.

use super::{Alert, Counts, Group, Labels, Router, WallTime};
use crate::alerting::{Route, compare_label_sets, sort_alerts};

/// Whether an alert reaches its receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// Nothing mutes it.
    Active,
    /// Something mutes it.
    Suppressed,
}

impl AlertState {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suppressed => "suppressed",
        }
    }
}

/// What mutes an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertStatus {
    /// Whether anything does.
    pub state: AlertState,
    /// Ids of silences, sorted.
    pub silenced_by: Vec<String>,
    /// Fingerprints of alerts.
    pub inhibited_by: Vec<u64>,
    /// Names of time intervals, for an alert shown in its group.
    pub muted_by: Vec<String>,
}

impl AlertStatus {
    /// The status in a group that time intervals mute.
    fn muted(mut self, by: &[String]) -> Self {
        self.muted_by = by.to_vec();
        if !by.is_empty() {
            self.state = AlertState::Suppressed;
        }
        self
    }
}

/// An alert as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// The alert.
    pub alert: Alert,
    /// The fingerprint of its labels.
    pub fingerprint: u64,
    /// The receivers of its routes.
    pub receivers: Vec<String>,
    /// What mutes it.
    pub status: AlertStatus,
}

/// A group as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// The labels that its alerts share.
    pub labels: Labels,
    /// Who is told.
    pub receiver: String,
    /// The group's key.
    pub key: String,
    /// The route's id.
    pub route_id: String,
    /// The route's labels, values being templates.
    pub route_labels: Vec<(String, String)>,
    /// Names of the intervals that mute it.
    pub muted_by: Vec<String>,
    /// When it is flushed next.
    pub next_flush: WallTime,
    /// Its alerts, in the order of notifications.
    pub alerts: Vec<AlertView>,
}

/// Numbers for the program's own metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterStats {
    /// What was counted since the start.
    pub counts: Counts,
    /// Alerts that nothing mutes, not counting those that have ended.
    pub active_alerts: usize,
    /// Alerts that something mutes.
    pub suppressed_alerts: usize,
    /// Groups.
    pub groups: usize,
    /// Entries of the notification log.
    pub log_entries: usize,
    /// Deliveries without an outcome yet.
    pub open_deliveries: usize,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Whether changes reach the disk.
    pub journal_healthy: bool,
    /// Failed writes of the journal.
    pub journal_failures: u64,
    /// Decisions kept.
    pub decisions: usize,
}

impl Router {
    /// What mutes an alert with these labels at `now`, whether or not there is one.
    pub fn status(&self, labels: &Labels, now: WallTime) -> AlertStatus {
        let silenced_by = self.silences.silenced_by(labels, now);
        let inhibited_by = self
            .inhibitor
            .inhibited(labels, now)
            .map(|found| found.by)
            .unwrap_or_default();
        let state = if silenced_by.is_empty() && inhibited_by.is_empty() {
            AlertState::Active
        } else {
            AlertState::Suppressed
        };
        AlertStatus {
            state,
            silenced_by,
            inhibited_by,
            muted_by: Vec::new(),
        }
    }

    /// The alerts that have not ended and that `wanted` accepts, sorted by fingerprint as text.
    pub fn alerts(&self, now: WallTime, wanted: impl Fn(&AlertView) -> bool) -> Vec<AlertView> {
        self.fingerprints()
            .into_iter()
            .filter_map(|fingerprint| self.alert(fingerprint, now))
            .filter(wanted)
            .collect()
    }

    /// The fingerprints of all alerts, sorted; as text they sort the same.
    pub fn fingerprints(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.alerts.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// One alert, unless it has ended.
    pub fn alert(&self, fingerprint: u64, now: WallTime) -> Option<AlertView> {
        let stored = self.alerts.get(&fingerprint)?;
        if ended_before(&stored.alert, now) {
            return None;
        }
        let routes = stored.places.iter();
        Some(AlertView {
            fingerprint,
            receivers: routes
                .filter_map(|(route, _)| self.config.tree.get(*route))
                .map(|route| route.receiver.clone())
                .collect(),
            status: self.status(&stored.alert.labels, now),
            alert: stored.alert.clone(),
        })
    }

    /// The groups on routes that `route` accepts, with the alerts that `alert` accepts; groups without
    /// any are left out. Sorted by labels, then receiver.
    pub fn groups(
        &self,
        now: WallTime,
        route: impl Fn(&Route) -> bool,
        alert: impl Fn(&AlertView) -> bool,
    ) -> Vec<GroupView> {
        self.group_ids(&route)
            .into_iter()
            .filter_map(|id| self.group(id, now, &route, &alert))
            .collect()
    }

    /// The groups on routes that `route` accepts, in the order of [`Self::groups`].
    pub fn group_ids(&self, route: impl Fn(&Route) -> bool) -> Vec<u64> {
        let mut found: Vec<(u64, &Group)> = self
            .due
            .iter()
            .filter_map(|(_, id)| Some((*id, self.groups.get(id)?)))
            .filter(|(_, group)| self.config.tree.get(group.route).is_some_and(&route))
            .collect();
        found.sort_unstable_by(|(a_id, a), (b_id, b)| {
            compare_label_sets(&a.labels, &b.labels)
                .then_with(|| a.receiver.cmp(&b.receiver))
                .then_with(|| a_id.cmp(b_id))
        });
        found.into_iter().map(|(id, _)| id).collect()
    }

    /// One group with the alerts that `alert` accepts; none if there are none. Of the receivers of an
    /// alert those are named whose routes `route` accepts.
    pub fn group(
        &self,
        id: u64,
        now: WallTime,
        route: impl Fn(&Route) -> bool,
        alert: impl Fn(&AlertView) -> bool,
    ) -> Option<GroupView> {
        let group = self.groups.get(&id)?;
        let node = self.config.tree.get(group.route)?;
        let mut alerts: Vec<AlertView> = group
            .members
            .keys()
            .filter_map(|fingerprint| self.member(*fingerprint, group, now, &route, &alert))
            .collect();
        if alerts.is_empty() {
            return None;
        }
        sort_alerts(&mut alerts, |view| &view.alert.labels);
        Some(GroupView {
            labels: group.labels.clone(),
            receiver: group.receiver.to_string(),
            key: group.key.to_string(),
            route_id: node.id.clone(),
            route_labels: node.labels.clone(),
            muted_by: group.muted_by.clone(),
            next_flush: group.next_flush,
            alerts,
        })
    }

    fn member(
        &self,
        fingerprint: u64,
        group: &Group,
        now: WallTime,
        route: impl Fn(&Route) -> bool,
        wanted: impl Fn(&AlertView) -> bool,
    ) -> Option<AlertView> {
        let stored = self.alerts.get(&fingerprint)?;
        if ended_before(&stored.alert, now) {
            return None;
        }
        let status = self.status(&stored.alert.labels, now);
        let in_group = |muted_by: &[String]| AlertView {
            alert: stored.alert.clone(),
            fingerprint,
            receivers: Vec::new(),
            status: status.clone().muted(muted_by),
        };
        let mut view = in_group(&group.muted_by);
        if !wanted(&view) {
            return None;
        }
        view.receivers = stored
            .places
            .iter()
            .filter_map(|(_, id)| self.groups.get(&(*id)?))
            .filter(|other| self.config.tree.get(other.route).is_some_and(&route))
            .filter(|other| other.muted_by == group.muted_by || wanted(&in_group(&other.muted_by)))
            .map(|other| other.receiver.to_string())
            .collect();
        view.receivers.sort_unstable();
        Some(view)
    }

    /// Numbers for the program's own metrics.
    pub fn stats(&self, now: WallTime) -> RouterStats {
        let (mut active, mut suppressed) = (0, 0);
        let muting = !self.silences.is_empty() || !self.config.inhibit_rules.is_empty();
        for stored in self.alerts.values() {
            if ended_before(&stored.alert, now) {
                continue;
            }
            if muting && self.status(&stored.alert.labels, now).state == AlertState::Suppressed {
                suppressed += 1;
            } else {
                active += 1;
            }
        }
        RouterStats {
            counts: self.counts,
            active_alerts: active,
            suppressed_alerts: suppressed,
            groups: self.groups.len(),
            log_entries: self.log.len(),
            open_deliveries: self.deliveries.len(),
            journal_bytes: self.journal.size(),
            journal_healthy: self.journal.is_healthy(),
            journal_failures: self.journal.failures(),
            decisions: self.decisions.len(),
        }
    }
}

/// compat: an alert that ends this very moment is still shown.
fn ended_before(alert: &Alert, now: WallTime) -> bool {
    !alert.ends_at.is_zero() && alert.ends_at < now
}
