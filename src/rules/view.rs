//! What the API shows of groups and rules: plain data, taken in one go.

use std::time::Duration;

use super::AlertState;
use crate::model::Labels;
use crate::time::{Span, Timestamp};

/// How the last evaluation of a rule went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Not evaluated yet.
    #[default]
    Unknown,
    /// Without error.
    Ok,
    /// With an error.
    Err,
}

impl Health {
    /// The word shown in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}

/// An active alert as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: AlertState,
    /// When the condition began to hold.
    pub active_at: Timestamp,
    /// Since when only `keep_firing_for` keeps it firing.
    pub keep_firing_since: Option<Timestamp>,
    /// The value that the expression had last.
    pub value: f64,
}

/// What only one kind of rule has.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// A recording rule.
    Recording,
    /// An alerting rule.
    Alerting {
        /// The highest state among its alerts.
        state: AlertState,
        /// `for`.
        hold: Span,
        /// `keep_firing_for`.
        keep_firing_for: Span,
        /// Its annotations as templates.
        annotations: Labels,
        /// Pending and firing alerts, sorted by labels.
        alerts: Vec<AlertView>,
    },
}

/// A rule as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleView {
    /// The metric or the alert.
    pub name: String,
    /// The expression.
    pub query: String,
    /// Its labels, as templates.
    pub labels: Labels,
    /// What depends on the kind.
    pub kind: RuleKind,
    /// How the last evaluation went.
    pub health: Health,
    /// The last error; empty when there was none.
    pub last_error: String,
    /// How long the last evaluation took.
    pub evaluation_time: Duration,
    /// When it began.
    pub last_evaluation: Option<Timestamp>,
}

/// A group as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// How often it is evaluated.
    pub interval: Span,
    /// How many results a rule may have; 0 for any number.
    pub limit: usize,
    /// Its rules in order.
    pub rules: Vec<RuleView>,
    /// How long the last evaluation took.
    pub evaluation_time: Duration,
    /// When it began.
    pub last_evaluation: Option<Timestamp>,
}
