//! What a stage may decide, and its words.

use std::fmt;
use std::sync::Arc;

use crate::alerting::NotifyReason;
use crate::alerting::silence::SilenceNote;
use crate::model::Labels;
use crate::time::WallTime;

/// What a stage decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The alert came in, firing or with its end.
    Received {
        /// Whether it had ended.
        resolved: bool,
    },
    /// The alert joined a group.
    Grouped {
        /// When the group is flushed next.
        flush_at: WallTime,
    },
    /// A rule inhibits it.
    Inhibited {
        /// The rule in words: number, name, matchers.
        rule: Arc<str>,
        /// The labels of the alerts that inhibit, one for each source of the rule.
        by: Vec<Labels>,
    },
    /// The route is only active in these intervals.
    Inactive(Vec<String>),
    /// The route is muted in these intervals.
    Muted(Vec<String>),
    /// These silences hold.
    Silenced(Vec<Arc<SilenceNote>>),
    /// The integration was told the same at that time.
    Deduplicated {
        /// When it was told; `None` when there was nothing to tell.
        since: Option<WallTime>,
    },
    /// A delivery begins.
    Intended(NotifyReason),
    /// The receiver has it, after so many attempts.
    Sent {
        /// Attempts, the successful one included.
        attempts: u32,
    },
    /// An attempt failed; another follows.
    Failed {
        /// What went wrong.
        reason: String,
        /// When it is tried again.
        retry_at: WallTime,
    },
    /// The receiver will never take it.
    Refused {
        /// What went wrong.
        reason: String,
    },
    /// A later flush took its place.
    Superseded,
    /// The fallback receiver is told, because this integration could not be reached.
    FallenBack {
        /// Receiver and integration that were not reached: `team/webhook/0`.
        from: Arc<str>,
    },
    /// Nobody knows whether an earlier notification arrived; it is told again.
    Uncertain {
        /// When that notification was begun.
        since: WallTime,
    },
}

impl Stage {
    /// One word for it, as the API has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Grouped { .. } => "grouped",
            Self::Inhibited { .. } => "inhibited",
            Self::Inactive(_) => "inactive",
            Self::Muted(_) => "muted",
            Self::Silenced(_) => "silenced",
            Self::Deduplicated { .. } => "deduplicated",
            Self::Intended(_) => "intended",
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Superseded => "superseded",
            Self::FallenBack { .. } => "fallback",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}

/// The decision in words.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received { resolved: true } => f.write_str("came in resolved"),
            Self::Received { resolved: false } => f.write_str("came in firing"),
            Self::Grouped { flush_at } => {
                write!(f, "joined the group, which is flushed at {flush_at}")
            }
            Self::Inhibited { rule, by } => {
                let by: Vec<String> = by.iter().map(ToString::to_string).collect();
                write!(f, "{rule}; muted by {}", by.join(" and "))
            }
            Self::Inactive(names) => {
                write!(f, "the route is only active in {}", names.join(", "))
            }
            Self::Muted(names) => write!(f, "the route is muted in {}", names.join(", ")),
            Self::Silenced(notes) => {
                let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
                write!(f, "silenced by {}", notes.join(" and by "))
            }
            Self::Deduplicated { since: Some(since) } => {
                write!(f, "nothing has changed since the notification of {since}")
            }
            Self::Deduplicated { since: None } => f.write_str("there is nothing to tell"),
            Self::Intended(reason) => write!(f, "is to be sent: {}", reason.as_str()),
            Self::Sent { attempts: 1 } => f.write_str("delivered"),
            Self::Sent { attempts } => write!(f, "delivered at attempt {attempts}"),
            Self::Failed { reason, retry_at } => {
                write!(f, "failed: {reason}; tried again at {retry_at}")
            }
            Self::Refused { reason } => write!(f, "will not be taken: {reason}"),
            Self::Superseded => f.write_str("a later flush took its place"),
            Self::FallenBack { from } => {
                write!(f, "told instead, because {from} is not reached")
            }
            Self::Uncertain { since } => write!(
                f,
                "told again: a restart or a missing answer left open whether the notification of {since} arrived"
            ),
        }
    }
}
