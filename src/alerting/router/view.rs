//! What the API shows: alerts with their status, groups, numbers.

use std::collections::BTreeMap;

use super::{Alert, Counts, Group, Labels, Router, WallTime};
use crate::alerting::{Route, compare_alerts, compare_label_sets};

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
        let mut views: Vec<AlertView> = self
            .alerts
            .iter()
            .filter(|(_, stored)| !ended_before(&stored.alert, now))
            .map(|(fingerprint, stored)| {
                let receivers = stored
                    .places
                    .iter()
                    .filter_map(|(route, _)| self.config.tree.get(*route))
                    .map(|route| route.receiver.clone())
                    .collect();
                AlertView {
                    fingerprint: *fingerprint,
                    receivers,
                    status: self.status(&stored.alert.labels, now),
                    alert: stored.alert.clone(),
                }
            })
            .filter(wanted)
            .collect();
        // Sixteen hexadecimal digits sort as the number does.
        views.sort_unstable_by_key(|view| view.fingerprint);
        views
    }

    /// The groups on routes that `route` accepts, with the alerts that `alert` accepts; groups without
    /// any are left out. Sorted by labels, then receiver.
    pub fn groups(
        &self,
        now: WallTime,
        route: impl Fn(&Route) -> bool,
        alert: impl Fn(&AlertView) -> bool,
    ) -> Vec<GroupView> {
        let mut receivers: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut ids: Vec<u64> = self.due.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        let mut views = Vec::new();
        for id in ids {
            let Some(group) = self.groups.get(&id) else {
                continue;
            };
            let Some(node) = self.config.tree.get(group.route) else {
                continue;
            };
            if !route(node) {
                continue;
            }
            let alerts = self.group_alerts(group, now, &alert);
            if alerts.is_empty() {
                continue;
            }
            for view in &alerts {
                receivers
                    .entry(view.fingerprint)
                    .or_default()
                    .push(group.receiver.to_string());
            }
            views.push(GroupView {
                labels: group.labels.clone(),
                receiver: group.receiver.to_string(),
                key: group.key.to_string(),
                route_id: node.id.clone(),
                route_labels: node.labels.clone(),
                muted_by: group.muted_by.clone(),
                next_flush: group.next_flush,
                alerts,
            });
        }
        for names in receivers.values_mut() {
            names.sort_unstable();
        }
        for view in views.iter_mut().flat_map(|group| &mut group.alerts) {
            view.receivers = receivers
                .get(&view.fingerprint)
                .cloned()
                .unwrap_or_default();
        }
        views.sort_by(|a, b| {
            compare_label_sets(&a.labels, &b.labels).then_with(|| a.receiver.cmp(&b.receiver))
        });
        views
    }

    fn group_alerts(
        &self,
        group: &Group,
        now: WallTime,
        wanted: impl Fn(&AlertView) -> bool,
    ) -> Vec<AlertView> {
        let mut alerts: Vec<AlertView> = group
            .members
            .keys()
            .filter_map(|fingerprint| {
                let alert = &self.alerts.get(fingerprint)?.alert;
                if ended_before(alert, now) {
                    return None;
                }
                let mut status = self.status(&alert.labels, now);
                status.muted_by.clone_from(&group.muted_by);
                if !status.muted_by.is_empty() {
                    status.state = AlertState::Suppressed;
                }
                Some(AlertView {
                    alert: alert.clone(),
                    fingerprint: *fingerprint,
                    receivers: Vec::new(),
                    status,
                })
            })
            .filter(wanted)
            .collect();
        alerts.sort_by(|a, b| compare_alerts(&a.alert.labels, &b.alert.labels));
        alerts
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
