//! What a restart, a crash and a reload keep.

use super::*;

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
    let recorded = bench.router.decisions().len();
    bench.router.reload(bench.now, changed);
    assert_eq!(bench.router.decisions().len(), recorded, "no news");
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
    bench
        .router
        .on_delivery(bench.now, n.id, Verdict::Delivered);
    // What fires after the end begins anew; no old message is edited unseen.
    bench.resolve("Down/1");
    bench.resolve("Down/2");
    assert_eq!(bench.deliver(400).len(), 1);
    bench.router = open(&bench.disk, config(&[("slack", true)]), bench.now);
    bench.fire("Down/1");
    let Some((_, Action::Notify(n))) = bench.run(400).pop() else {
        panic!("a notification")
    };
    assert_eq!((n.reason, n.kept.clone()), (FirstNotification, None));
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
