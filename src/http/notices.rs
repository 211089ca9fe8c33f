//! What the user should know now (a reload failed, the program stops), for the page that shows it as it
//! happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::metrics::{Counter, Gauge, Registry};
use crate::time::WallTime;

/// Messages that wait for one subscriber; one that is slower misses some.
const WAITING_MAX: usize = 64;

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub text: String,
    /// Since when.
    pub date: WallTime,
    /// Whether it still holds.
    pub active: bool,
}

/// The notices that hold, and who wants to hear of changes. Clones are the same.
#[derive(Debug, Clone)]
pub struct Notices(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    subscribers_max: usize,
    subscribers: Gauge,
    sent: Counter,
    dropped: Counter,
}

#[derive(Debug)]
struct State {
    /// Since when, by text.
    active: BTreeMap<String, WallTime>,
    /// None when the program ends.
    changes: Option<broadcast::Sender<Notice>>,
}

impl Notices {
    /// None yet, for at most so many subscribers at once.
    pub fn new(subscribers_max: usize, metrics: &Registry) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                active: BTreeMap::new(),
                changes: Some(broadcast::Sender::new(WAITING_MAX)),
            }),
            subscribers_max,
            subscribers: metrics.gauge(
                "prometheus_api_notification_active_subscribers",
                "The current number of active notification subscribers.",
            ),
            sent: metrics.counter(
                "prometheus_api_notification_updates_sent_total",
                "Total number of notification updates sent.",
            ),
            dropped: metrics.counter(
                "prometheus_api_notification_updates_dropped_total",
                "Total number of notification updates dropped.",
            ),
        }))
    }

    /// `text` holds from now on; nothing changes when it held already.
    pub fn add(&self, text: &str, now: WallTime) {
        let mut state = self.0.state.lock();
        if state.active.contains_key(text) {
            return;
        }
        state.active.insert(text.to_owned(), now);
        self.tell(&state, text, now, true);
    }

    /// `text` holds no longer.
    pub fn remove(&self, text: &str) {
        let mut state = self.0.state.lock();
        if let Some(date) = state.active.remove(text) {
            self.tell(&state, text, date, false);
        }
    }

    /// Ends all subscriptions, so that nobody keeps the program from ending.
    pub fn end(&self) {
        self.0.state.lock().changes = None;
    }

    /// Those that hold, the oldest first.
    pub fn active(&self) -> Vec<Notice> {
        active(&self.0.state.lock())
    }

    /// What holds and then every change; none when there are enough subscribers, or the program ends.
    pub fn subscribe(&self) -> Option<Subscription> {
        let state = self.0.state.lock();
        let changes = state.changes.as_ref()?;
        if changes.receiver_count() >= self.0.subscribers_max {
            return None;
        }
        self.0.subscribers.add(1.0);
        Some(Subscription {
            first: active(&state).into_iter(),
            changes: changes.subscribe(),
            shared: Arc::clone(&self.0),
        })
    }

    fn tell(&self, state: &State, text: &str, date: WallTime, active: bool) {
        let notice = Notice {
            text: text.to_owned(),
            date,
            active,
        };
        if let Some(changes) = &state.changes {
            let told = changes.send(notice).unwrap_or(0);
            self.0.sent.add(told as f64);
        }
    }
}

fn active(state: &State) -> Vec<Notice> {
    let mut notices: Vec<Notice> = state
        .active
        .iter()
        .map(|(text, date)| Notice {
            text: text.clone(),
            date: *date,
            active: true,
        })
        .collect();
    notices.sort_by_key(|notice| notice.date);
    notices
}

/// One that wants to hear of changes.
#[derive(Debug)]
pub struct Subscription {
    first: std::vec::IntoIter<Notice>,
    changes: broadcast::Receiver<Notice>,
    shared: Arc<Shared>,
}

impl Subscription {
    /// The next notice; none when the program ends.
    pub async fn next(&mut self) -> Option<Notice> {
        if let Some(notice) = self.first.next() {
            return Some(notice);
        }
        loop {
            match self.changes.recv().await {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    self.shared.dropped.add(missed as f64);
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.subscribers.add(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn subscribers_hear_what_holds_and_what_changes() {
        let metrics = Registry::default();
        let notices = Notices::new(2, &metrics);
        let at = WallTime::from_ms;
        notices.add("a", at(1));
        let mut told = notices.subscribe().expect("there is room");
        notices.add("a", at(2));
        notices.add("b", at(3));
        notices.remove("a");
        let mut heard = Vec::new();
        for _ in 0..3 {
            let notice = told.next().await.expect("told");
            heard.push((notice.text, notice.date.as_ms(), notice.active));
        }
        let a = "a".to_owned();
        assert_eq!(
            heard,
            [
                (a.clone(), 1, true),
                ("b".to_owned(), 3, true),
                (a, 1, false)
            ]
        );
        let second = notices.subscribe();
        assert!(notices.subscribe().is_none(), "two are enough");
        drop(second);
        assert!(notices.subscribe().is_some());
        notices.end();
        assert!(told.next().await.is_none());
        assert!(notices.subscribe().is_none());
        drop(told);
        let page = metrics.gather().to_string();
        assert!(
            page.contains("notification_active_subscribers 0\n"),
            "{page}"
        );
    }
}
