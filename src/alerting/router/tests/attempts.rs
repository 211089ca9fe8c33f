//! Attempts that fail, hang and are refused.

use super::*;

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
    assert_eq!(cancelled, 2, "the hanging one at each interval");
    // It may have taken what it never answered, so the end is told until it is heard.
    assert_eq!(bench.deliver(300), [told(930, "-1", AllAlertsResolved)]);
    assert_eq!(bench.router.deliveries.len(), 0);
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
fn a_receiver_that_asks_for_time_gets_it_from_later_flushes_too() {
    let mut config = config(&[("webhook", true)]);
    let mut root = root();
    root.group_interval = Some(Span::minutes(1));
    config.tree = RouteTree::new(&root);
    let mut bench = Bench::new(config);
    bench.fire("Down/1");
    let Some((30, Action::Notify(n))) = bench.run(30).pop() else {
        panic!("a notification")
    };
    let later = Verdict::Retry {
        after: Some(Span::minutes(2)),
        reason: "429".to_owned(),
    };
    bench.router.on_delivery(bench.now, n.id, later);
    bench.fire("Down/2");
    // The flush at 90 takes the place of the first one and waits all the same; so does that at 150, whose time has come.
    assert_eq!(bench.deliver(119), []);
    assert_eq!(bench.deliver(2), [told(150, "+1 +2", FirstNotification)]);
    bench.fire("Down/3");
    assert_eq!(bench.deliver(60), [told(210, "+1 +2 +3", NewAlertsInGroup)]);
}
