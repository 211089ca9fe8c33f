//! What leaves the router and what comes back: notifications, verdicts, and why one is sent.

use std::cmp::Ordering;
use std::sync::Arc;

use super::receivers::Kept;
use crate::model::{Alert, Labels};
use crate::time::{Span, WallTime};

/// Why a group is told to a receiver; `notification_reason` in webhook bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyReason {
    /// Nothing was sent before, or only that all was well.
    FirstNotification,
    /// An alert fires that was not in the last notification.
    NewAlertsInGroup,
    /// An alert has ended that the last notification did not say so of.
    NewResolvedAlerts,
    /// Nothing fires any more.
    AllAlertsResolved,
    /// Nothing has changed for the repeat interval.
    RepeatIntervalElapsed,
}

impl NotifyReason {
    /// Every reason; the place of one is its number on disk.
    pub const ALL: [Self; 5] = [
        Self::FirstNotification,
        Self::NewAlertsInGroup,
        Self::NewResolvedAlerts,
        Self::AllAlertsResolved,
        Self::RepeatIntervalElapsed,
    ];

    /// Upstream's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstNotification => "first notification",
            Self::NewAlertsInGroup => "new alerts added",
            Self::NewResolvedAlerts => "some alerts resolved",
            Self::AllAlertsResolved => "all alerts resolved",
            Self::RepeatIntervalElapsed => "repeat interval elapsed",
        }
    }
}

/// One attempt to tell one integration of a receiver about a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Names the delivery in [`Verdict`]s; the same for all attempts at it.
    pub id: u64,
    /// Counts the attempts from 1.
    pub attempt: u32,
    /// The receiver's name.
    pub receiver: String,
    /// Which of the receiver's integrations, in the order of the configuration's conversion.
    pub integration: usize,
    /// The group's key; what dedup keys are made of.
    pub group_key: String,
    /// The labels that the group's alerts share.
    pub group_labels: Labels,
    /// The route's labels, sorted by name, values being templates.
    pub route_labels: Vec<(String, String)>,
    /// The alerts in upstream's order; firing ones are without end ([`WallTime::ZERO`]). Resolved ones
    /// are among them only if the integration wants them.
    pub alerts: Arc<[Alert]>,
    /// Why it is sent.
    pub reason: NotifyReason,
    /// When the group was flushed.
    pub now: WallTime,
    /// When the attempt must be over; the group's next flush takes its place.
    pub deadline: WallTime,
    /// What the integration remembers about the group from its last notification.
    pub kept: Option<Kept>,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// Another attempt may succeed.
    Retry {
        /// How long the receiver asked us to wait.
        after: Option<Span>,
        /// What went wrong, without secrets.
        reason: String,
    },
    /// This notification will never be taken; the next flush may send another.
    GiveUp {
        /// What went wrong, without secrets.
        reason: String,
    },
}

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send, then report a [`Verdict`].
    Notify(Arc<Notification>),
    /// Stop the attempt at this delivery; no verdict is expected.
    Cancel {
        /// The delivery.
        id: u64,
    },
}

/// Sorts into upstream's order of alerts in a notification: by job, instance, then the whole label set;
/// a set without the label comes after those with it.
pub(super) fn sort_alerts<T>(items: &mut Vec<T>, labels: impl Fn(&T) -> &Labels) {
    fn key(labels: &Labels) -> (bool, Option<&str>, bool, Option<&str>) {
        let [job, instance] = ["job", "instance"].map(|name| labels.get(name));
        (job.is_none(), job, instance.is_none(), instance)
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    let keys: Vec<_> = items.iter().map(|item| key(labels(item))).collect();
    order.sort_by(|a, b| {
        keys[*a]
            .cmp(&keys[*b])
            .then_with(|| compare_label_sets(labels(&items[*a]), labels(&items[*b])))
    });
    let mut taken: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(order.into_iter().filter_map(|at| taken[at].take()));
}

/// compat: `LabelSet.Before`: fewer labels first, then name by name; a set that lacks a name that the
/// other one has comes first.
pub fn compare_label_sets(a: &Labels, b: &Labels) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| {
        for ((a_name, a_value), (b_name, b_value)) in a.iter().zip(b.iter()) {
            match a_name.cmp(b_name) {
                // The smaller name is missing in the other set.
                Ordering::Less => return Ordering::Greater,
                Ordering::Greater => return Ordering::Less,
                Ordering::Equal => {}
            }
            match a_value.cmp(b_value) {
                Ordering::Equal => {}
                order => return order,
            }
        }
        Ordering::Equal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn alerts_sort_by_job_and_instance_first() {
        let mut all = vec![
            labels(&[("a", "1"), ("b", "2")]),
            labels(&[("z", "1")]),
            labels(&[("instance", "2"), ("job", "x")]),
            labels(&[("instance", "1"), ("job", "x"), ("zz", "1")]),
            labels(&[("instance", "0")]),
        ];
        sort_alerts(&mut all, |labels| labels);
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                r#"{instance="1", job="x", zz="1"}"#,
                r#"{instance="2", job="x"}"#,
                r#"{instance="0"}"#,
                r#"{z="1"}"#,
                r#"{a="1", b="2"}"#,
            ]
        );
    }

    #[test]
    fn a_missing_name_sorts_first() {
        let (a, b) = (labels(&[("a", "9")]), labels(&[("b", "1")]));
        assert_eq!(compare_label_sets(&b, &a), Ordering::Less);
    }
}
