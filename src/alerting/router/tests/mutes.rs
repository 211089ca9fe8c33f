//! What keeps alerts from their receivers.

use super::*;

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
