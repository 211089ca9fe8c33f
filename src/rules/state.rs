//! What an alerting rule remembers of its alerts, in memory and across restarts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Labels;
use crate::time::{Span, Timestamp};

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The rule has not been evaluated yet.
    Unknown,
    /// The condition does not hold.
    Inactive,
    /// The condition holds, but not yet for as long as `for` asks.
    Pending,
    /// The condition holds, or held until `keep_firing_for` ago.
    Firing,
}

impl AlertState {
    /// The word shown in the API and in the `alertstate` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One alert of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert {
    /// Labels with templates expanded, `alertname` included.
    pub labels: Labels,
    /// Annotations with templates expanded.
    pub annotations: Labels,
    /// The value that the expression had last.
    pub value: f64,
    /// Where the alert stands.
    pub state: AlertState,
    /// When the condition began to hold.
    pub active_at: Timestamp,
    /// When the alert began to fire.
    pub fired_at: Option<Timestamp>,
    /// When the alert stopped; kept for 15 minutes so that the router hears of it for sure.
    pub resolved_at: Option<Timestamp>,
    /// When the alert was last handed to the router.
    pub last_sent_at: Option<Timestamp>,
    /// When the router may take the alert for ended if it hears nothing more.
    pub valid_until: Option<Timestamp>,
    /// Since when only `keep_firing_for` keeps it firing.
    pub keep_firing_since: Option<Timestamp>,
}

/// The part of an alert that survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AlertRecord {
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    /// The value's bits: JSON has no NaN and no infinities.
    value_bits: u64,
    state: AlertState,
    active_at_ms: i64,
    fired_at_ms: Option<i64>,
    resolved_at_ms: Option<i64>,
    last_sent_at_ms: Option<i64>,
    valid_until_ms: Option<i64>,
    keep_firing_since_ms: Option<i64>,
}

/// What one alerting rule takes across a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleState {
    name: String,
    labels: String,
    alerts: Vec<AlertRecord>,
}

/// What a group takes across a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupState {
    /// The group's rule file.
    pub file: String,
    /// The group's name.
    pub name: String,
    /// When the group was last evaluated, in milliseconds since the epoch.
    pub evaluated_at_ms: i64,
    /// One entry per alerting rule.
    pub rules: Vec<RuleState>,
}

/// How much of the recorded state is believed after a pause.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions {
    /// Longer pauses begin anew (`--rules.alert.for-outage-tolerance`, 1h).
    pub outage_tolerance: Span,
    /// After a pause beyond [`RestoreOptions::unnoticed`], a pending alert waits at least this long
    /// (`--rules.alert.for-grace-period`, 10m).
    pub grace_period: Span,
    /// Pauses up to this long count toward `for`, as gaps in the data do (the lookback delta, 5m).
    pub unnoticed: Span,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            outage_tolerance: Span::hours(1),
            grace_period: Span::minutes(10),
            unnoticed: Span::minutes(5),
        }
    }
}

impl RuleState {
    pub(super) fn record<'a>(
        name: &str,
        labels: &Labels,
        alerts: impl Iterator<Item = &'a ActiveAlert>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            labels: labels.to_string(),
            alerts: alerts.map(AlertRecord::from).collect(),
        }
    }

    pub(super) fn belongs_to(&self, name: &str, labels: &Labels) -> bool {
        self.name == name && self.labels == labels.to_string()
    }

    /// The alerts as they continue at `now` after the last evaluation at `evaluated_at`.
    pub(super) fn alerts(
        &self,
        hold: Span,
        evaluated_at: Timestamp,
        now: Timestamp,
        options: &RestoreOptions,
    ) -> Vec<ActiveAlert> {
        let pause = now.since(evaluated_at);
        if pause > options.outage_tolerance || pause < Span::ZERO {
            return Vec::new();
        }
        self.alerts
            .iter()
            .map(|record| {
                let mut alert = record.to_alert();
                if alert.state == AlertState::Pending && pause > options.unnoticed {
                    alert.active_at = shifted(alert.active_at, hold, evaluated_at, now, options);
                }
                alert
            })
            .collect()
    }
}

/// compat: upstream does not count the pause toward `for`, and lets a nearly finished `for` wait for the grace period.
fn shifted(
    active_at: Timestamp,
    hold: Span,
    evaluated_at: Timestamp,
    now: Timestamp,
    options: &RestoreOptions,
) -> Timestamp {
    let remaining = Span::from_ms(hold.as_ms() - evaluated_at.since(active_at).as_ms());
    if remaining <= Span::ZERO {
        active_at
    } else if remaining < options.grace_period && hold >= options.grace_period {
        now + options.grace_period - hold
    } else {
        active_at + now.since(evaluated_at)
    }
}

impl From<&ActiveAlert> for AlertRecord {
    fn from(alert: &ActiveAlert) -> Self {
        let pairs = |labels: &Labels| {
            labels
                .iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect()
        };
        let ms = |t: Option<Timestamp>| t.map(Timestamp::as_ms);
        Self {
            labels: pairs(&alert.labels),
            annotations: pairs(&alert.annotations),
            value_bits: alert.value.to_bits(),
            state: alert.state,
            active_at_ms: alert.active_at.as_ms(),
            fired_at_ms: ms(alert.fired_at),
            resolved_at_ms: ms(alert.resolved_at),
            last_sent_at_ms: ms(alert.last_sent_at),
            valid_until_ms: ms(alert.valid_until),
            keep_firing_since_ms: ms(alert.keep_firing_since),
        }
    }
}

impl AlertRecord {
    fn to_alert(&self) -> ActiveAlert {
        let labels =
            |pairs: &[(String, String)]| Labels::from_pairs(pairs.iter().map(|(n, v)| (n, v)));
        let time = |ms: Option<i64>| ms.map(Timestamp::from_ms);
        ActiveAlert {
            labels: labels(&self.labels),
            annotations: labels(&self.annotations),
            value: f64::from_bits(self.value_bits),
            state: self.state,
            active_at: Timestamp::from_ms(self.active_at_ms),
            fired_at: time(self.fired_at_ms),
            resolved_at: time(self.resolved_at_ms),
            last_sent_at: time(self.last_sent_at_ms),
            valid_until: time(self.valid_until_ms),
            keep_firing_since: time(self.keep_firing_since_ms),
        }
    }
}
