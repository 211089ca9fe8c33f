use std::sync::Arc;

use super::Labels;
use crate::time::WallTime;

/// An alert on its way from a rule, or from a sender at the API, to the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What identifies the alert.
    pub labels: Labels,
    /// What describes it.
    pub annotations: Labels,
    /// When it began to fire.
    pub starts_at: WallTime,
    /// When it ended, or is taken to end if nobody renews it.
    pub ends_at: WallTime,
    /// Where the alert came from; empty when the sender did not say.
    pub generator_url: Arc<str>,
    /// When it was last received.
    pub updated_at: WallTime,
    /// Whether `ends_at` was set by `resolve_timeout` and not by the sender.
    pub timeout: bool,
}

impl Alert {
    /// Whether the alert has ended at `now`. An alert without end never has.
    pub fn resolved_at(&self, now: WallTime) -> bool {
        !self.ends_at.is_zero() && self.ends_at <= now
    }

    /// The `alertname` label, or the empty text.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or_default()
    }
}
