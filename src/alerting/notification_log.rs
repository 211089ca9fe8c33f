//! The notification log: what each integration was last told about each group.

use std::sync::Arc;

use hashbrown::HashMap;

use super::NotifyReason;
use super::journal::LogKey;
use super::receivers::Kept;
use crate::time::{Span, WallTime};

/// What an integration was last told about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Hashes of the alerts that fired, sorted.
    pub firing: Arc<[u64]>,
    /// Hashes of the alerts that had ended, sorted.
    pub resolved: Arc<[u64]>,
    /// When it was told.
    pub timestamp: WallTime,
    /// When this may be forgotten.
    pub expires_at: WallTime,
}

/// All entries.
#[derive(Debug, Default)]
pub struct NotificationLog {
    entries: HashMap<LogKey, LogEntry>,
    /// What integrations remember; goes with the entry.
    kept: HashMap<LogKey, Kept>,
}

impl NotificationLog {
    /// What the log says.
    pub fn get(&self, key: &LogKey) -> Option<&LogEntry> {
        self.entries.get(key)
    }

    /// Says something new. After "all is well" the group begins anew, and with it what is remembered.
    pub fn put(&mut self, key: LogKey, entry: LogEntry) {
        if entry.firing.is_empty() {
            self.kept.remove(&key);
        }
        self.entries.insert(key, entry);
    }

    /// Forgets an entry.
    pub fn remove(&mut self, key: &LogKey) {
        self.entries.remove(key);
        self.kept.remove(key);
    }

    /// What the integration remembers about the group.
    pub fn kept(&self, key: &LogKey) -> Option<&Kept> {
        self.kept.get(key)
    }

    /// Remembers something for the integration.
    pub fn keep(&mut self, key: LogKey, kept: Kept) {
        self.kept.insert(key, kept);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, sorted by key.
    pub fn sorted(&self) -> Vec<(&LogKey, &LogEntry)> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    /// What integrations remember, sorted by key.
    pub fn sorted_kept(&self) -> Vec<(&LogKey, &Kept)> {
        let mut all: Vec<_> = self.kept.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    /// Forgets what has expired; returns the keys, sorted.
    pub fn collect_garbage(&mut self, now: WallTime) -> Vec<LogKey> {
        let mut gone: Vec<LogKey> = self
            .entries
            .extract_if(|_, entry| entry.expires_at <= now)
            .map(|(key, _)| key)
            .collect();
        gone.sort_unstable();
        for key in &gone {
            self.kept.remove(key);
        }
        gone
    }
}

/// Whether, and why, an integration must be told now. `firing` and `resolved` are sorted.
pub fn notify_reason(
    entry: Option<&LogEntry>,
    firing: &[u64],
    resolved: &[u64],
    send_resolved: bool,
    repeat_interval: Span,
    now: WallTime,
) -> Option<NotifyReason> {
    let Some(entry) = entry else {
        return (!firing.is_empty()).then_some(NotifyReason::FirstNotification);
    };
    if !is_subset(firing, &entry.firing) {
        // compat: after "all is well" the group begins anew.
        return Some(if entry.firing.is_empty() {
            NotifyReason::FirstNotification
        } else {
            NotifyReason::NewAlertsInGroup
        });
    }
    if firing.is_empty() {
        // compat: whether or not the integration wants to hear of ends, so that the log knows.
        return (!entry.firing.is_empty()).then_some(NotifyReason::AllAlertsResolved);
    }
    if send_resolved && !is_subset(resolved, &entry.resolved) {
        return Some(NotifyReason::NewResolvedAlerts);
    }
    (entry.timestamp < now - repeat_interval).then_some(NotifyReason::RepeatIntervalElapsed)
}

fn is_subset(part: &[u64], whole: &[u64]) -> bool {
    part.iter().all(|hash| whole.binary_search(hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: WallTime = WallTime::from_ms(1_000_000);

    fn reason(
        entry: Option<(&[u64], &[u64])>,
        firing: &[u64],
        resolved: &[u64],
        later_s: i64,
    ) -> Option<NotifyReason> {
        let entry = entry.map(|(firing, resolved)| LogEntry {
            firing: firing.into(),
            resolved: resolved.into(),
            timestamp: T,
            expires_at: T,
        });
        notify_reason(
            entry.as_ref(),
            firing,
            resolved,
            true,
            Span::minutes(1),
            T + Span::seconds(later_s),
        )
    }

    #[test]
    fn reasons_follow_upstreams_order() {
        use NotifyReason as R;
        assert_eq!(reason(None, &[], &[1], 0), None);
        assert_eq!(reason(None, &[1], &[], 0), Some(R::FirstNotification));
        let was: Option<(&[u64], &[u64])> = Some((&[1, 2], &[]));
        assert_eq!(reason(was, &[1, 2], &[], 60), None);
        assert_eq!(
            reason(was, &[1, 2], &[], 61),
            Some(R::RepeatIntervalElapsed)
        );
        assert_eq!(reason(was, &[1, 3], &[], 0), Some(R::NewAlertsInGroup));
        assert_eq!(reason(was, &[1], &[2], 0), Some(R::NewResolvedAlerts));
        assert_eq!(
            reason(was, &[1], &[], 0),
            None,
            "an alert that left the group unseen"
        );
        assert_eq!(reason(was, &[], &[1, 2], 0), Some(R::AllAlertsResolved));
        let over: Option<(&[u64], &[u64])> = Some((&[], &[1]));
        assert_eq!(reason(over, &[], &[2], 0), None);
        assert_eq!(reason(over, &[2], &[], 0), Some(R::FirstNotification));
    }

    #[test]
    fn what_is_remembered_ends_with_the_episode() {
        let mut log = NotificationLog::default();
        let key = LogKey {
            group_key: "g".to_owned(),
            integration: "i".to_owned(),
        };
        let entry = |firing: &[u64]| LogEntry {
            firing: firing.into(),
            resolved: [].into(),
            timestamp: T,
            expires_at: T,
        };
        let message = Kept::SlackMessage {
            timestamp: "1.5".to_owned(),
            channel: "C1".to_owned(),
        };
        log.keep(key.clone(), message.clone());
        log.put(key.clone(), entry(&[1]));
        assert_eq!(log.kept(&key), Some(&message));
        log.put(key.clone(), entry(&[]));
        assert_eq!(log.kept(&key), None);
    }

    #[test]
    fn expired_entries_are_forgotten() {
        let mut log = NotificationLog::default();
        let key = LogKey {
            group_key: "g".to_owned(),
            integration: "i".to_owned(),
        };
        log.put(
            key.clone(),
            LogEntry {
                firing: [].into(),
                resolved: [].into(),
                timestamp: T,
                expires_at: T,
            },
        );
        assert!(log.collect_garbage(T - Span::from_ms(1)).is_empty());
        assert_eq!(log.collect_garbage(T), [key]);
        assert!(log.is_empty());
    }
}
