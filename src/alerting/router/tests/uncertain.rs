//! What may have arrived without our knowing.

use super::*;

const HOOK: &[(&str, bool)] = &[("webhook", true)];

impl Bench {
    /// A crash: the journal alone is left.
    fn crash(&mut self) {
        self.router = open(&self.disk, self.router.config().clone(), self.now);
    }

    /// Lets an attempt be begun and nobody answer; what it said.
    fn unheard(&mut self, seconds: i64) -> Vec<String> {
        let said = self.run(seconds).into_iter();
        said.filter_map(|(_, action)| match action {
            Action::Notify(n) => Some(tell(self.now, &n).2),
            Action::Cancel { .. } => None,
        })
        .collect()
    }
}

/// The seed 544 of the simulation.
#[test]
fn an_end_is_told_though_two_crashes_interrupted_begin_and_end() {
    let mut bench = Bench::new(config(HOOK));
    bench.fire("Down/1");
    assert_eq!(bench.unheard(30), ["+1"]);
    bench.crash();
    bench.resolve("Down/1");
    assert_eq!(bench.unheard(30), ["-1"]);
    bench.crash();
    let seen = bench.deliver(600);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].2.as_str(), seen[0].3), ("-1", AllAlertsResolved));
    assert!(bench.router.uncertain.is_empty() && bench.router.groups.is_empty());
}

#[test]
fn why_something_is_told_twice_is_on_record() {
    let mut bench = Bench::new(config(HOOK));
    bench.fire("Down/1");
    assert_eq!(bench.unheard(30), ["+1"]);
    let begun = bench.now;
    bench.fire("Down/2");
    bench.crash();
    assert_eq!(bench.deliver(31).len(), 1);
    let uncertain = |name: &str| {
        let fingerprint = alert(name, T0, T0).labels.fingerprint();
        let mut about = bench.router.decisions().about(fingerprint);
        about.any(|decision| *decision.verdict == Stage::Uncertain { since: begun })
    };
    assert!(uncertain("Down/1"));
    assert!(!uncertain("Down/2"), "it was not told before");
}

#[test]
fn an_alert_that_fires_again_is_told_though_a_crash_interrupted_its_end() {
    let mut bench = Bench::new(config(HOOK));
    bench.fire("Down/1");
    assert_eq!(bench.deliver(60).len(), 1);
    bench.resolve("Down/1");
    assert_eq!(bench.unheard(300), ["-1"]);
    bench.crash();
    bench.fire("Down/1");
    let seen = bench.deliver(400);
    assert_eq!(
        seen.len(),
        1,
        "the log says that it fires, the receiver may not"
    );
    assert_eq!(seen[0].2, "+1");
    assert_eq!(bench.deliver(900), []);
}

#[test]
fn nothing_is_uncertain_about_what_nobody_is_told_of_any_more() {
    // Another configuration, by a reload or with the next start.
    for with_a_start in [false, true] {
        let mut bench = Bench::new(config(HOOK));
        bench.fire("Down/1");
        assert_eq!(bench.unheard(30), ["+1"]);
        bench.crash();
        assert_eq!(bench.router.uncertain.len(), 1);
        let other = config(&[("slack", true)]);
        if with_a_start {
            bench.router = open(&bench.disk, other, bench.now);
        } else {
            bench.router.reload(bench.now, other);
        }
        assert!(bench.router.uncertain.is_empty());
        bench.router = open(&bench.disk, config(HOOK), bench.now);
        assert!(bench.router.uncertain.is_empty(), "the journal knows");
    }
    // A silence takes the group's last word, and the group its uncertainty.
    let mut bench = Bench::new(config(HOOK));
    bench.fire("Down/1");
    assert_eq!(bench.unheard(30), ["+1"]);
    bench.crash();
    let silence = Silence {
        id: String::new(),
        matcher_sets: vec![matchers("alertname=Down")],
        starts_at: bench.now,
        ends_at: bench.now + Span::hours(1),
        updated_at: WallTime::ZERO,
        created_by: String::new(),
        comment: String::new(),
        annotations: BTreeMap::new(),
    };
    let set = bench.router.set_silence(bench.now, silence);
    assert!(set.is_ok());
    bench.resolve("Down/1");
    assert_eq!(bench.deliver(600), []);
    assert!(bench.router.groups.is_empty() && bench.router.uncertain.is_empty());
}

#[test]
fn an_attempt_without_an_answer_may_have_arrived_so_its_end_is_told() {
    let mut bench = Bench::new(config(HOOK));
    bench.fire("Down/1");
    let Some((_, Action::Notify(n))) = bench.run(30).pop() else {
        panic!("a notification")
    };
    let outcome = |reason: &str, unanswered| crate::alerting::receivers::Outcome {
        verdict: Verdict::Retry {
            after: Some(Span::hours(1)),
            reason: reason.to_owned(),
        },
        keep: None,
        unanswered,
    };
    let lost = outcome("context deadline exceeded", true);
    bench.router.on_deliveries(bench.now, vec![(n.id, lost)]);
    bench.resolve("Down/1");
    // A crash changes nothing about it.
    bench.crash();
    let seen = bench.deliver(600);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].2.as_str(), seen[0].3), ("-1", AllAlertsResolved));
    assert!(bench.router.uncertain.is_empty());
    // compat: one that said no has not heard of it, and hears of no end.
    bench.fire("Down/2");
    let Some((_, Action::Notify(n))) = bench.run(60).pop() else {
        panic!("a notification")
    };
    let refused = outcome("500", false);
    bench.router.on_deliveries(bench.now, vec![(n.id, refused)]);
    bench.resolve("Down/2");
    assert_eq!(bench.deliver(900), []);
    assert!(bench.router.groups.is_empty() && bench.router.uncertain.is_empty());
}
