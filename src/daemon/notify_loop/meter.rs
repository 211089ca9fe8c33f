//! Counts notifications as Alertmanager counts them: each once, when it is first tried, and as failed when
//! it is given up, or when a newer one takes its place before it has arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::Loaded;
use crate::alerting::{Notification, Verdict};
use crate::http::metrics::Registry;

/// compat: upstream's buckets.
const LATENCY_BOUNDS: [f64; 5] = [1.0, 5.0, 10.0, 15.0, 20.0];
/// Notifications on their way that are remembered; beyond that their failure is not counted.
const OPEN_MAX: usize = 10_000;

/// Why an attempt failed, in upstream's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Other,
    ClientError,
    ServerError,
    ContextCanceled,
    DeadlineExceeded,
}

impl Reason {
    const ALL: [Self; 5] = [
        Self::ClientError,
        Self::ContextCanceled,
        Self::DeadlineExceeded,
        Self::Other,
        Self::ServerError,
    ];

    /// What an HTTP status means.
    pub(super) const fn of_status(status: u16) -> Self {
        match status {
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::ClientError => "clientError",
            Self::ServerError => "serverError",
            Self::ContextCanceled => "contextCanceled",
            Self::DeadlineExceeded => "contextDeadlineExceeded",
        }
    }
}

/// The counters of all notifications.
#[derive(Debug)]
pub(super) struct Meter {
    metrics: Registry,
    /// `--enable-feature=receiver-name-in-metrics`.
    receiver_names: bool,
    /// Those on their way: which delivery, and what it would have failed of.
    open: Mutex<BTreeMap<Key, (u64, Reason)>>,
}

/// Receiver, integration, group key.
type Key = (String, usize, String);

fn key(notification: &Notification) -> Key {
    (
        notification.receiver.clone(),
        notification.integration,
        notification.group_key.clone(),
    )
}

impl Meter {
    pub(super) fn new(metrics: &Registry, receiver_names: bool) -> Self {
        Self {
            metrics: metrics.clone(),
            receiver_names,
            open: Mutex::default(),
        }
    }

    /// Shows the counters of every integration of a configuration, so that the first failure is a change
    /// that `rate` sees.
    pub(super) fn loaded(&self, loaded: &Loaded) {
        for receiver in &loaded.config.receivers {
            for integration in &receiver.integrations {
                let (kind, name) = (integration.kind, receiver.name.as_str());
                self.count(TOTAL, TOTAL_HELP, kind, name, 0.0);
                self.count(REQUESTS, REQUESTS_HELP, kind, name, 0.0);
                self.count(REQUESTS_FAILED, REQUESTS_FAILED_HELP, kind, name, 0.0);
                for reason in Reason::ALL {
                    self.fail(kind, name, reason, 0.0);
                }
                self.latency(kind, None);
            }
        }
    }

    /// An attempt begins.
    pub(super) fn begins(&self, kind: &str, notification: &Notification) {
        let receiver = notification.receiver.as_str();
        let mut open = self.open.lock();
        let before = open.get(&key(notification)).copied();
        if let Some((id, reason)) = before
            && id != notification.id
        {
            self.fail(kind, receiver, reason, 1.0);
        }
        if notification.attempt <= 1 {
            self.count(TOTAL, TOTAL_HELP, kind, receiver, 1.0);
        }
        self.count(REQUESTS, REQUESTS_HELP, kind, receiver, 1.0);
        // An attempt that is cut off at its deadline does not come back to say so.
        if before.is_some() || open.len() < OPEN_MAX {
            let state = (notification.id, Reason::DeadlineExceeded);
            open.insert(key(notification), state);
        }
    }

    /// An attempt came back.
    pub(super) fn ends(
        &self,
        kind: &str,
        notification: &Notification,
        took: Duration,
        verdict: &Verdict,
        reason: Reason,
    ) {
        let receiver = notification.receiver.as_str();
        self.latency(kind, Some(took));
        let mut open = self.open.lock();
        if matches!(verdict, Verdict::Delivered) {
            open.remove(&key(notification));
            return;
        }
        self.count(REQUESTS_FAILED, REQUESTS_FAILED_HELP, kind, receiver, 1.0);
        if matches!(verdict, Verdict::GiveUp { .. }) {
            open.remove(&key(notification));
            self.fail(kind, receiver, reason, 1.0);
        } else if let Some(state) = open.get_mut(&key(notification)) {
            state.1 = reason;
        }
    }

    fn count(&self, name: &'static str, help: &'static str, kind: &str, receiver: &str, by: f64) {
        let labels = [("integration", kind), ("receiver_name", receiver)];
        let shown = if self.receiver_names { 2 } else { 1 };
        self.metrics
            .counter_with(name, help, labels.get(..shown).unwrap_or(&labels))
            .add(by);
    }

    fn fail(&self, kind: &str, receiver: &str, reason: Reason, by: f64) {
        let labels = [
            ("integration", kind),
            ("reason", reason.as_str()),
            ("receiver_name", receiver),
        ];
        let shown = if self.receiver_names { 3 } else { 2 };
        self.metrics
            .counter_with(
                "alertmanager_notifications_failed_total",
                "The total number of failed notifications.",
                labels.get(..shown).unwrap_or(&labels),
            )
            .add(by);
    }

    fn latency(&self, kind: &str, took: Option<Duration>) {
        let latency = self.metrics.histogram_with(
            "alertmanager_notification_latency_seconds",
            "The latency of notifications in seconds.",
            &LATENCY_BOUNDS,
            &[("integration", kind)],
        );
        if let Some(took) = took {
            latency.observe(took.as_secs_f64());
        }
    }
}

const TOTAL: &str = "alertmanager_notifications_total";
const TOTAL_HELP: &str = "The total number of attempted notifications.";
const REQUESTS: &str = "alertmanager_notification_requests_total";
const REQUESTS_HELP: &str = "The total number of attempted notification requests.";
const REQUESTS_FAILED: &str = "alertmanager_notification_requests_failed_total";
const REQUESTS_FAILED_HELP: &str = "The total number of failed notification requests.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::NotifyReason;
    use crate::model::Labels;
    use crate::time::WallTime;

    fn notification(id: u64, attempt: u32) -> Notification {
        Notification {
            id,
            attempt,
            receiver: "r".to_owned(),
            integration: 0,
            group_key: "g".to_owned(),
            group_labels: Labels::empty(),
            route_labels: Vec::new(),
            alerts: Vec::new().into(),
            reason: NotifyReason::FirstNotification,
            now: WallTime::ZERO,
            deadline: WallTime::ZERO,
            kept: None,
        }
    }

    fn told(metrics: &Registry, series: &str) -> bool {
        metrics.gather().to_string().contains(series)
    }

    #[test]
    fn a_dead_receiver_fails_once_per_notification_not_once_per_attempt() {
        let metrics = Registry::default();
        let meter = Meter::new(&metrics, false);
        let retry = Verdict::Retry {
            after: None,
            reason: String::new(),
        };
        for attempt in 1..=3 {
            let tried = notification(1, attempt);
            meter.begins("webhook", &tried);
            meter.ends(
                "webhook",
                &tried,
                Duration::ZERO,
                &retry,
                Reason::ServerError,
            );
        }
        let failed = "failed_total{integration=\"webhook\",reason=\"serverError\"}";
        assert!(!told(&metrics, failed));
        // The next flush takes its place and is cut off; the one after that arrives.
        meter.begins("webhook", &notification(2, 1));
        assert!(told(&metrics, &format!("{failed} 1\n")));
        meter.begins("webhook", &notification(3, 1));
        let cut = "reason=\"contextDeadlineExceeded\"} 1\n";
        assert!(told(&metrics, cut));
        let last = notification(3, 1);
        meter.ends(
            "webhook",
            &last,
            Duration::ZERO,
            &Verdict::Delivered,
            Reason::Other,
        );
        meter.begins("webhook", &notification(4, 1));
        assert!(told(&metrics, &format!("{failed} 1\n")) && told(&metrics, cut));
        assert!(told(
            &metrics,
            "notifications_total{integration=\"webhook\"} 4\n"
        ));
        assert!(told(
            &metrics,
            "requests_total{integration=\"webhook\"} 6\n"
        ));
        assert!(told(
            &metrics,
            "requests_failed_total{integration=\"webhook\"} 3\n"
        ));
    }

    #[test]
    fn what_is_refused_fails_at_once_and_receivers_are_named_when_asked_for() {
        let metrics = Registry::default();
        let meter = Meter::new(&metrics, true);
        let refused = notification(1, 1);
        let give_up = Verdict::GiveUp {
            reason: String::new(),
        };
        meter.begins("slack", &refused);
        let reason = Reason::of_status(404);
        meter.ends("slack", &refused, Duration::ZERO, &give_up, reason);
        meter.begins("slack", &notification(2, 1));
        assert!(told(
            &metrics,
            "failed_total{integration=\"slack\",reason=\"clientError\",receiver_name=\"r\"} 1\n"
        ));
    }
}
