//! When a group is told, of what, and why; what comes in.

use super::*;

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
