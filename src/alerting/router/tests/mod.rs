mod attempts;
mod fallback;
mod groups;
mod mutes;
mod restart;
mod uncertain;

use std::sync::Arc;

use super::*;
use crate::alerting::matchers::{Syntax, parse_matchers};
use crate::alerting::{GroupBy, InhibitSource, Matchers, NotifyReason, RouteOptions, TimeInterval};
use crate::alerting::{TimeRange, Verdict};
use crate::disk::memory::MemoryDisk;

pub(super) const T0: WallTime = WallTime::from_ms(1_700_000_000_000);

pub(super) fn matchers(text: &str) -> Matchers {
    Matchers(parse_matchers(Syntax::Fallback, text).expect("valid matchers"))
}

/// One route to one receiver: groups by `alertname`, waits 30 s, interval 5 min, repeats after 1 h.
pub(super) fn config(integrations: &[(&str, bool)]) -> RouterConfig {
    RouterConfig {
        tree: RouteTree::new(&root()),
        inhibit_rules: Vec::new(),
        time_intervals: Vec::new(),
        receivers: vec![ReceiverOptions {
            name: "team".to_owned(),
            integrations: integrations
                .iter()
                .enumerate()
                .map(|(index, (kind, send_resolved))| IntegrationOptions {
                    kind: (*kind).to_owned(),
                    index,
                    send_resolved: *send_resolved,
                })
                .collect(),
        }],
        resolve_timeout: Span::minutes(5),
        fallbacks: BTreeMap::new(),
    }
}

pub(super) fn root() -> RouteOptions {
    RouteOptions {
        receiver: "team".to_owned(),
        group_by: Some(GroupBy::Labels(
            [String::from("alertname")].into_iter().collect(),
        )),
        repeat_interval: Some(Span::hours(1)),
        ..RouteOptions::default()
    }
}

pub(super) fn open(disk: &MemoryDisk, config: RouterConfig, now: WallTime) -> Router {
    Router::open(
        Arc::new(disk.clone()),
        "router",
        RouterOptions::default(),
        config,
        now,
    )
    .expect("opens")
}

/// `name/instance`, beginning now, ending after so many seconds (0: never, unless it is not renewed).
pub(super) fn alert(name: &str, starts_at: WallTime, ends_at: WallTime) -> Alert {
    let (name, instance) = name.split_once('/').unwrap_or((name, "0"));
    Alert {
        labels: Labels::from_pairs([("alertname", name), ("instance", instance)]),
        annotations: Labels::empty(),
        starts_at,
        ends_at,
        generator_url: "".into(),
        updated_at: WallTime::ZERO,
        timeout: false,
    }
}

struct Bench {
    router: Router,
    disk: MemoryDisk,
    now: WallTime,
}

impl Bench {
    fn new(config: RouterConfig) -> Self {
        let disk = MemoryDisk::new();
        Self {
            router: open(&disk, config, T0),
            disk,
            now: T0,
        }
    }

    fn fire(&mut self, name: &str) {
        let far = self.now + Span::hours(100);
        let alerts = vec![alert(name, self.now, far)];
        assert_eq!(self.router.on_alerts(self.now, alerts), []);
    }

    fn resolve(&mut self, name: &str) {
        let alerts = vec![alert(name, T0, self.now)];
        assert_eq!(self.router.on_alerts(self.now, alerts), []);
    }

    /// Lets time pass second by second; what is handed out, with the seconds since the beginning.
    fn run(&mut self, seconds: i64) -> Vec<(i64, Action)> {
        let end = self.now + Span::seconds(seconds);
        let mut actions = Vec::new();
        loop {
            while let Some(action) = self.router.poll(self.now) {
                actions.push(((self.now.since(T0)).as_ms() / 1000, action));
            }
            match self.router.next_wakeup() {
                Some(next) if next <= end => self.now = next.max(self.now),
                _ => {
                    self.now = end;
                    return actions;
                }
            }
        }
    }

    /// As [`Self::run`], every notification being delivered; what was told: second, integration,
    /// firing, resolved, reason.
    fn deliver(&mut self, seconds: i64) -> Vec<(i64, usize, String, NotifyReason)> {
        let end = self.now + Span::seconds(seconds);
        let mut told = Vec::new();
        loop {
            while let Some(action) = self.router.poll(self.now) {
                let Action::Notify(n) = action else {
                    continue;
                };
                told.push(tell(self.now, &n));
                self.router.on_delivery(self.now, n.id, Verdict::Delivered);
            }
            match self.router.next_wakeup() {
                Some(next) if next <= end => self.now = next.max(self.now),
                _ => {
                    self.now = end;
                    return told;
                }
            }
        }
    }
}

fn tell(now: WallTime, n: &Notification) -> (i64, usize, String, NotifyReason) {
    let text: Vec<String> = n
        .alerts
        .iter()
        .map(|alert| {
            let sign = if alert.ends_at.is_zero() { '+' } else { '-' };
            format!("{sign}{}", alert.labels.get("instance").unwrap_or_default())
        })
        .collect();
    let second = now.since(T0).as_ms() / 1000;
    (second, n.integration, text.join(" "), n.reason)
}

fn told(second: i64, text: &str, reason: NotifyReason) -> (i64, usize, String, NotifyReason) {
    (second, 0, text.to_owned(), reason)
}

use NotifyReason::{
    AllAlertsResolved, FirstNotification, NewAlertsInGroup, NewResolvedAlerts,
    RepeatIntervalElapsed,
};

/// `team` cannot be reached through its webhook; `backup` is told instead by mail.
pub(super) fn with_fallback() -> RouterConfig {
    let mut config = config(&[("webhook", true), ("slack", true)]);
    config.receivers.push(ReceiverOptions {
        name: "backup".to_owned(),
        integrations: vec![IntegrationOptions {
            kind: "email".to_owned(),
            index: 2,
            send_resolved: true,
        }],
    });
    config
        .fallbacks
        .insert("team".to_owned(), "backup".to_owned());
    config
}

impl Bench {
    /// Lets time pass while `answer` says how attempts go; what was delivered: second, receiver, text.
    fn answer(
        &mut self,
        seconds: i64,
        answer: impl Fn(&Notification) -> Verdict,
    ) -> Vec<(i64, String, String)> {
        let end = self.now + Span::seconds(seconds);
        let mut told = Vec::new();
        loop {
            while let Some(action) = self.router.poll(self.now) {
                let Action::Notify(n) = action else {
                    continue;
                };
                let verdict = answer(&n);
                if verdict == Verdict::Delivered {
                    let (second, _, text, _) = tell(self.now, &n);
                    told.push((second, format!("{}/{}", n.receiver, n.integration), text));
                }
                self.router.on_delivery(self.now, n.id, verdict);
            }
            match self.router.next_wakeup() {
                Some(next) if next <= end => self.now = next.max(self.now),
                _ => {
                    self.now = end;
                    return told;
                }
            }
        }
    }
}
