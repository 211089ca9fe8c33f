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

#[test]
fn a_group_waits_then_tells_changes_at_its_interval_and_repeats() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    bench.now = T0 + Span::seconds(10);
    bench.fire("Down/2");
    assert_eq!(bench.deliver(20), [told(30, "+1 +2", FirstNotification)]);
    bench.now = T0 + Span::seconds(40);
    bench.fire("Down/3");
    assert_eq!(
        bench.deliver(300),
        [told(330, "+1 +2 +3", NewAlertsInGroup)]
    );
    bench.resolve("Down/1");
    assert_eq!(
        bench.deliver(300),
        [told(630, "-1 +2 +3", NewResolvedAlerts)]
    );
    // An hour after the last one, and one interval more because equal is not later.
    assert_eq!(
        bench.deliver(3900),
        [told(630 + 3900, "+2 +3", RepeatIntervalElapsed)]
    );
    bench.resolve("Down/2");
    bench.resolve("Down/3");
    assert_eq!(bench.deliver(400), [told(4830, "-2 -3", AllAlertsResolved)]);
    assert!(bench.router.alerts.is_empty() && bench.router.groups.is_empty());
    assert_eq!(bench.deliver(10_000), []);
}

#[test]
fn an_old_alert_makes_its_group_hurry() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    let alerts = vec![alert("Down/1", T0 - Span::minutes(5), T0 + Span::hours(9))];
    assert_eq!(bench.router.on_alerts(T0, alerts), []);
    assert_eq!(bench.deliver(0), [told(0, "+1", FirstNotification)]);
}

#[test]
fn what_ends_within_the_wait_is_never_told() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    bench.now = T0 + Span::seconds(20);
    bench.resolve("Down/1");
    assert_eq!(bench.deliver(2000), []);
    assert!(bench.router.alerts.is_empty());
}

#[test]
fn alerts_without_an_end_end_when_they_are_not_renewed() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    let endless = vec![alert("Down/1", WallTime::ZERO, WallTime::ZERO)];
    assert_eq!(bench.router.on_alerts(T0, endless.clone()), []);
    bench.now = T0 + Span::minutes(2);
    assert_eq!(bench.router.on_alerts(bench.now, endless), []);
    let seen = bench.deliver(1000);
    assert_eq!(
        seen,
        [
            told(120, "+1", FirstNotification),
            told(420, "-1", AllAlertsResolved)
        ],
        "told at the flush at which it ends"
    );
}

#[test]
fn integrations_that_do_not_want_ends_get_none() {
    let mut bench = Bench::new(config(&[("email", false)]));
    bench.fire("Down/1");
    bench.fire("Down/2");
    assert_eq!(bench.deliver(60), [told(30, "+1 +2", FirstNotification)]);
    bench.resolve("Down/1");
    assert_eq!(bench.deliver(600), []);
    bench.resolve("Down/2");
    assert_eq!(bench.deliver(600), []);
    assert!(
        bench.router.groups.is_empty(),
        "ends are dealt with all the same"
    );
    bench.fire("Down/2");
    assert_eq!(bench.deliver(60).len(), 1);
}

#[test]
fn silences_inhibition_and_intervals_mute_and_say_so() {
    let mut config = config(&[("webhook", true)]);
    config.inhibit_rules = vec![InhibitRule {
        name: "cluster".to_owned(),
        sources: vec![InhibitSource {
            matchers: matchers("alertname=ClusterDown"),
            equal: vec![],
        }],
        target_matchers: matchers("alertname=Down"),
    }];
    config.time_intervals = vec![NamedInterval {
        name: "always".to_owned(),
        intervals: vec![TimeInterval::default()],
    }];
    let mut root = root();
    root.routes.push(RouteOptions {
        matchers: matchers("alertname=Night"),
        mute_time_intervals: vec!["always".to_owned()],
        ..RouteOptions::default()
    });
    config.tree = RouteTree::new(&root);
    let mut bench = Bench::new(config);
    for name in ["Down/1", "ClusterDown/1", "Night/1", "Quiet/1"] {
        bench.fire(name);
    }
    let silence = Silence {
        id: String::new(),
        matcher_sets: vec![matchers("alertname=Quiet")],
        starts_at: T0,
        ends_at: T0 + Span::minutes(20),
        updated_at: WallTime::ZERO,
        created_by: String::new(),
        comment: String::new(),
        annotations: BTreeMap::new(),
    };
    let id = bench.router.set_silence(T0, silence).expect("accepted");
    let seen = bench.deliver(31);
    assert_eq!(seen.len(), 1, "only the cluster alert: {seen:?}");
    let stages = |bench: &Bench, name: &str| -> Vec<Stage> {
        let fingerprint = alert(name, T0, T0).labels.fingerprint();
        let about = bench.router.decisions().about(fingerprint);
        about
            .map(|decision| Stage::clone(&decision.verdict))
            .collect()
    };
    let rule = r#"inhibition rule 1 (cluster): {alertname="ClusterDown"} mutes {alertname="Down"}"#;
    assert!(stages(&bench, "Down/1").contains(&Stage::Inhibited {
        rule: rule.into(),
        by: vec![alert("ClusterDown/1", T0, T0).labels]
    }));
    assert!(stages(&bench, "Night/1").contains(&Stage::Muted(vec!["always".to_owned()])));
    let silenced = stages(&bench, "Quiet/1").into_iter().any(
        |stage| matches!(stage, Stage::Silenced(notes) if notes.len() == 1 && notes[0].id == id),
    );
    assert!(silenced);
    assert!(stages(&bench, "ClusterDown/1").contains(&Stage::Sent { attempts: 1 }));
    let views = bench.router.alerts(bench.now, |_| true);
    let suppressed = views
        .iter()
        .filter(|view| view.status.state == AlertState::Suppressed)
        .count();
    assert_eq!(
        (views.len(), suppressed),
        (4, 2),
        "intervals mute groups, not alerts"
    );
    let groups = bench.router.groups(bench.now, |_| true, |_| true);
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().any(|group| group.muted_by == ["always"]));
    // The silence is lifted and the source ends: both are told at the next flush.
    bench.router.expire_silence(bench.now, &id).expect("known");
    bench.resolve("ClusterDown/1");
    let seen = bench.deliver(300);
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn time_of_day_opens_and_closes_a_route() {
    // T0 is 22:13:20 UTC.
    let mut config = config(&[("webhook", true)]);
    config.time_intervals = vec![NamedInterval {
        name: "late".to_owned(),
        intervals: vec![TimeInterval {
            times: Some(vec![TimeRange::parse("23:00", "24:00").expect("valid")]),
            ..TimeInterval::default()
        }],
    }];
    let mut root = root();
    root.routes.push(RouteOptions {
        active_time_intervals: vec!["late".to_owned()],
        ..RouteOptions::default()
    });
    config.tree = RouteTree::new(&root);
    let mut bench = Bench::new(config);
    bench.fire("Down/1");
    assert_eq!(bench.deliver(46 * 60), []);
    assert_eq!(
        bench.deliver(300),
        [told(2730 + 300, "+1", FirstNotification)]
    );
}

#[test]
fn failures_are_retried_with_growing_waits_and_retry_after_is_honoured() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    let mut seconds = Vec::new();
    let mut after = None;
    for _ in 0..4 {
        let (second, action) = bench.run(30).into_iter().next().expect("an attempt");
        let Action::Notify(n) = action else {
            panic!("a notification")
        };
        seconds.push((second, n.attempt));
        let reason = "503".to_owned();
        bench
            .router
            .on_delivery(bench.now, n.id, Verdict::Retry { after, reason });
        after = Some(Span::seconds(20));
    }
    assert_eq!(seconds, [(30, 1), (30, 2), (80, 3), (110, 4)]);
    let seen = bench.deliver(60);
    assert_eq!(seen, [told(140, "+1", FirstNotification)]);
}

#[test]
fn the_next_flush_takes_the_place_of_what_still_waits() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    let Some((_, Action::Notify(first))) = bench.run(30).pop() else {
        panic!("a notification")
    };
    let verdict = Verdict::Retry {
        after: Some(Span::hours(1)),
        reason: "429".to_owned(),
    };
    bench.router.on_delivery(bench.now, first.id, verdict);
    bench.fire("Down/2");
    assert_eq!(bench.deliver(301), [told(330, "+1 +2", FirstNotification)]);
    // What comes late about the old one is ignored.
    bench
        .router
        .on_delivery(bench.now, first.id, Verdict::Delivered);
    assert_eq!(bench.deliver(3000), []);
}

#[test]
fn a_hanging_integration_delays_no_other_and_is_cut_off() {
    let mut bench = Bench::new(config(&[("webhook", true), ("slack", true)]));
    bench.fire("Down/1");
    let mut seen = Vec::new();
    let mut cancelled = 0;
    for second in 0..700 {
        if second == 100 {
            bench.resolve("Down/1");
        }
        for (at, action) in bench.run(1) {
            match action {
                Action::Notify(n) if n.integration == 1 => {
                    seen.push((at, n.reason));
                    bench
                        .router
                        .on_delivery(bench.now, n.id, Verdict::Delivered);
                }
                Action::Notify(_) => {}
                Action::Cancel { .. } => cancelled += 1,
            }
        }
    }
    assert_eq!(seen, [(30, FirstNotification), (330, AllAlertsResolved)]);
    assert_eq!(cancelled, 1);
    assert_eq!(
        bench.router.deliveries.len(),
        0,
        "nothing fires and nothing was heard of"
    );
    assert!(bench.router.groups.is_empty());
}

#[test]
fn what_will_never_be_taken_is_tried_again_by_the_next_flush() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    let Some((_, Action::Notify(n))) = bench.run(30).pop() else {
        panic!("a notification")
    };
    let reason = "404".to_owned();
    bench
        .router
        .on_delivery(bench.now, n.id, Verdict::GiveUp { reason });
    assert_eq!(bench.router.stats(bench.now).counts.refused, 1);
    assert_eq!(bench.deliver(301), [told(330, "+1", FirstNotification)]);
}

#[test]
fn a_restart_repeats_nothing_and_forgets_nothing() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    bench.fire("Other/1");
    assert_eq!(bench.deliver(60).len(), 2);
    bench.fire("Down/2");
    // Ten minutes later, from the journal alone.
    let now = bench.now + Span::minutes(10);
    bench.router = open(&bench.disk, config(&[("webhook", true)]), now);
    bench.now = now;
    let seen = bench.deliver(31);
    assert_eq!(seen, [told(660, "+1 +2", NewAlertsInGroup)]);
    bench.resolve("Down/1");
    bench.resolve("Down/2");
    bench.router = open(&bench.disk, config(&[("webhook", true)]), bench.now);
    let seen = bench.deliver(31);
    assert_eq!(seen, [told(691, "-1 -2", AllAlertsResolved)]);
}

#[test]
fn time_away_resolves_nothing() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    let short = vec![alert("Down/1", T0, T0 + Span::minutes(4))];
    assert_eq!(bench.router.on_alerts(T0, short), []);
    assert_eq!(bench.deliver(60).len(), 1);
    for _ in 0..3 {
        bench.now = bench.now + Span::minutes(15);
        bench.router = open(&bench.disk, config(&[("webhook", true)]), bench.now);
        assert_eq!(bench.deliver(60), [], "fires on for the resolve timeout");
    }
    assert_eq!(bench.deliver(600).len(), 1, "nobody renewed it: resolved");
    assert_eq!(bench.deliver(6000), []);
}

#[test]
fn a_crash_between_sending_and_knowing_still_tells_of_the_end() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    assert_eq!(bench.run(30).len(), 1, "sent, and perhaps arrived");
    bench.router = open(&bench.disk, config(&[("webhook", true)]), bench.now);
    bench.resolve("Down/1");
    // Twice is none the wiser.
    bench.router = open(&bench.disk, config(&[("webhook", true)]), bench.now);
    let seen = bench.deliver(600);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].2.as_str(), seen[0].3), ("-1", AllAlertsResolved));
    assert!(bench.router.uncertain.is_empty());
}

#[test]
fn a_reload_repeats_nothing_and_keeps_timers() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    assert_eq!(bench.deliver(60).len(), 1);
    bench.fire("Down/2");
    let mut changed = config(&[("webhook", true)]);
    changed.resolve_timeout = Span::minutes(1);
    bench.router.reload(bench.now, changed);
    assert_eq!(bench.deliver(300), [told(330, "+1 +2", NewAlertsInGroup)]);
    // A new integration is told at the next flush what the old one knows.
    let more = config(&[("webhook", true), ("slack", true)]);
    bench.router.reload(bench.now, more);
    let seen = bench.deliver(300);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].0, seen[0].1), (630, 1));
    // A receiver that is gone is told nothing more, and an attempt under way is stopped.
    bench.fire("Down/3");
    assert_eq!(bench.run(300).len(), 2);
    let mut none = config(&[]);
    none.receivers[0].integrations.clear();
    bench.router.reload(bench.now, none);
    let cancelled = bench
        .run(600)
        .iter()
        .filter(|(_, action)| matches!(action, Action::Cancel { .. }))
        .count();
    assert_eq!(cancelled, 2);
}

#[test]
fn alerts_merge_as_upstream_merges_them() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    let at = |s| T0 + Span::seconds(s);
    let mut put = |now, starts: WallTime, ends: WallTime| {
        bench
            .router
            .on_alerts(now, vec![alert("Down/1", starts, ends)]);
        let view = bench.router.alerts(T0, |_| true);
        (view[0].alert.starts_at, view[0].alert.ends_at)
    };
    assert_eq!(put(at(0), at(0), at(100)), (at(0), at(100)));
    // The earlier start and the later given end hold.
    assert_eq!(put(at(1), at(50), at(80)), (at(0), at(100)));
    assert_eq!(put(at(2), at(50), at(200)), (at(0), at(200)));
    // An end in the past ends it.
    assert_eq!(put(at(60), at(50), at(60)), (at(0), at(60)));
    // Without overlap the new one stands alone.
    assert_eq!(put(at(70), at(65), at(300)), (at(65), at(300)));
}

#[test]
fn bad_alerts_are_refused_one_by_one() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    let mut nameless = alert("Down", T0, WallTime::ZERO);
    nameless.labels = Labels::empty();
    let backwards = alert("Down", T0, T0 - Span::seconds(1));
    let refused = bench.router.on_alerts(
        T0,
        vec![nameless, backwards, alert("Fine", T0, WallTime::ZERO)],
    );
    let texts: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "at least one label pair required",
            "start time must be before end time"
        ]
    );
    assert_eq!(bench.router.alerts(T0, |_| true).len(), 1);
}

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

fn webhook_fails(verdict: Verdict) -> impl Fn(&Notification) -> Verdict {
    move |n| {
        if n.receiver == "team" && n.integration == 0 {
            verdict.clone()
        } else {
            Verdict::Delivered
        }
    }
}

fn row(second: i64, who: &str, text: &str) -> (i64, String, String) {
    (second, who.to_owned(), text.to_owned())
}

#[test]
fn the_fallback_is_told_at_once_when_a_receiver_refuses() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let refuse = Verdict::GiveUp {
        reason: "404".to_owned(),
    };
    let seen = bench.answer(31, webhook_fails(refuse.clone()));
    assert_eq!(seen, [row(30, "team/1", "+1"), row(30, "backup/0", "+1")]);
    // New alerts go there too while it lasts, and nothing is told twice.
    bench.fire("Down/2");
    let seen = bench.answer(600, webhook_fails(refuse));
    let texts: Vec<_> = seen
        .iter()
        .map(|(_, who, text)| (who.as_str(), text.as_str()))
        .collect();
    assert_eq!(texts, [("team/1", "+1 +2"), ("backup/0", "+1 +2")]);
    let letters: Vec<_> = bench.router.dead_letters().iter().cloned().collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].fallback, "backup");
    assert_eq!(letters[0].key.integration, "team/webhook/0");
    assert_eq!((letters[0].count, letters[0].alert_count), (3, 2));
    // The receiver is back, which nobody knows before its answer: this flush goes to both.
    bench.fire("Down/3");
    let told = |seen: Vec<(i64, String, String)>| -> Vec<String> {
        let rows = seen.into_iter();
        rows.map(|(_, who, text)| format!("{who} {text}")).collect()
    };
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(
        told(seen),
        ["team/0 +1 +2 +3", "team/1 +1 +2 +3", "backup/0 +1 +2 +3"]
    );
    // From then on the fallback only hears of the end of what it knows.
    bench.fire("Down/4");
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(told(seen), ["team/0 +1 +2 +3 +4", "team/1 +1 +2 +3 +4"]);
    for name in ["Down/1", "Down/2", "Down/3", "Down/4"] {
        bench.resolve(name);
    }
    let seen = bench.answer(301, |_| Verdict::Delivered);
    assert_eq!(
        told(seen),
        [
            "team/0 -1 -2 -3 -4",
            "team/1 -1 -2 -3 -4",
            "backup/0 -1 -2 -3"
        ]
    );
    assert!(bench.router.groups.is_empty());
    let letter = bench.router.dead_letters().iter().next().expect("kept");
    assert!(letter.reached_at.is_some());
}

#[test]
fn the_fallback_is_told_when_retries_have_not_helped_by_the_next_flush() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let retry = Verdict::Retry {
        after: None,
        reason: "503".to_owned(),
    };
    let seen = bench.answer(331, webhook_fails(retry.clone()));
    assert_eq!(seen, [row(30, "team/1", "+1"), row(330, "backup/0", "+1")]);
    // A restart knows whom it told and what was lost.
    bench.router = open(&bench.disk, with_fallback(), bench.now);
    assert_eq!(bench.router.dead_letters().len(), 1);
    bench.resolve("Down/1");
    let seen = bench.answer(301, webhook_fails(retry));
    let texts: Vec<_> = seen
        .iter()
        .map(|(_, who, text)| (who.as_str(), text.as_str()))
        .collect();
    assert_eq!(texts, [("team/1", "-1"), ("backup/0", "-1")]);
}

#[test]
fn a_reload_that_takes_the_fallback_away_stops_it() {
    let mut bench = Bench::new(with_fallback());
    bench.fire("Down/1");
    let refuse = Verdict::GiveUp {
        reason: "404".to_owned(),
    };
    assert_eq!(bench.answer(31, webhook_fails(refuse.clone())).len(), 2);
    let mut without = with_fallback();
    without.fallbacks.clear();
    bench.router.reload(bench.now, without);
    bench.fire("Down/2");
    let seen = bench.answer(301, webhook_fails(refuse));
    assert_eq!(seen, [row(330, "team/1", "+1 +2")]);
}

#[test]
fn what_an_integration_remembers_survives_a_restart_and_a_snapshot() {
    let mut bench = Bench::new(config(&[("slack", true)]));
    bench.fire("Down/1");
    let Some((_, Action::Notify(n))) = bench.run(30).pop() else {
        panic!("a notification")
    };
    assert_eq!(n.kept, None);
    let kept = Kept::SlackMessage {
        timestamp: "1.5".to_owned(),
        channel: "C1".to_owned(),
    };
    bench.router.keep(n.id, kept.clone());
    bench
        .router
        .on_delivery(bench.now, n.id, Verdict::Delivered);
    for _ in 0..2 {
        bench.router = open(&bench.disk, config(&[("slack", true)]), bench.now);
        bench.router.snapshot(bench.now);
    }
    bench.fire("Down/2");
    let Some((_, Action::Notify(n))) = bench.run(31).pop() else {
        panic!("a notification")
    };
    assert_eq!(n.kept, Some(kept));
}

#[test]
fn decisions_survive_a_restart() {
    let mut bench = Bench::new(config(&[("webhook", true)]));
    bench.fire("Down/1");
    assert_eq!(bench.deliver(31).len(), 1);
    let count = bench.router.decisions().len();
    assert!(count >= 4);
    bench.router = open(&bench.disk, config(&[("webhook", true)]), bench.now);
    let fingerprint = alert("Down/1", T0, T0).labels.fingerprint();
    let stages: Vec<Stage> = bench
        .router
        .decisions()
        .about(fingerprint)
        .map(|decision| Stage::clone(&decision.verdict))
        .collect();
    assert!(stages.len() >= count);
    assert!(stages.contains(&Stage::Sent { attempts: 1 }));
}

#[test]
fn alerts_beyond_the_limit_of_their_name_are_left_out() {
    let disk = MemoryDisk::new();
    let options = RouterOptions {
        alertname_limit: 2,
        ..RouterOptions::default()
    };
    let opened = Router::open(
        Arc::new(disk.clone()),
        "router",
        options,
        config(&[("webhook", true)]),
        T0,
    );
    let mut bench = Bench {
        router: opened.expect("opens"),
        disk,
        now: T0,
    };
    for name in ["Down/1", "Down/2", "Down/3", "Other/1"] {
        bench.fire(name);
    }
    let left = |bench: &Bench| bench.router.alerts(bench.now, |_| true).len();
    assert_eq!(
        (left(&bench), bench.router.stats(T0).counts.limited),
        (3, 1)
    );
    // One that is known is renewed; one that has ended and was told of makes room, over a reload too.
    bench.fire("Down/2");
    assert_eq!(bench.deliver(31).len(), 2);
    bench.resolve("Down/1");
    bench.deliver(301);
    bench.router.reload(bench.now, config(&[("webhook", true)]));
    bench.fire("Down/3");
    bench.fire("Down/4");
    assert_eq!(
        (left(&bench), bench.router.stats(bench.now).counts.limited),
        (3, 2)
    );
}
