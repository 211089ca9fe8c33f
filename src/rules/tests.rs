//! Groups over the reference store, with queries answered by closures: what an alert does over time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::model::{Alert, Labels, METRIC_NAME, Matcher, SampleValue, is_stale_nan};
use crate::promql::ast::{Expr, NumberLiteral, PosRange};
use crate::storage::reference::ReferenceStorage;
use crate::storage::{SelectHints, Storage};
use crate::time::{Span, Timestamp, WallTime};

/// The number of an expression picks the table of results below.
fn expr(number: f64) -> Expr {
    Expr::Number(NumberLiteral {
        value: number,
        is_duration: false,
        pos: PosRange::default(),
    })
}

fn alerting(name: &str, hold: Span, keep: Span) -> Rule {
    Rule::Alerting(AlertingRule::new(AlertingRuleOptions {
        name: name.to_owned(),
        expr: expr(1.0),
        query: "x > 0".to_owned(),
        hold,
        keep_firing_for: keep,
        labels: vec![("severity".to_owned(), "page".to_owned())],
        annotations: vec![("summary".to_owned(), "hot".to_owned())],
    }))
}

fn recording(name: &str) -> Rule {
    Rule::Recording(RecordingRule::new(RecordingRuleOptions {
        name: name.to_owned(),
        expr: expr(1.0),
        query: "x".to_owned(),
        labels: vec![("team".to_owned(), "a".to_owned())],
    }))
}

/// A group, its store and what its query answers from now on.
struct Bench {
    group: Group,
    storage: ReferenceStorage,
    results: RefCell<Result<Vec<(&'static str, f64)>, Error>>,
}

impl Bench {
    fn new(limit: usize, rules: Vec<Rule>) -> Self {
        let options = GroupOptions {
            name: "g".to_owned(),
            file: "f".to_owned(),
            interval: Span::seconds(15),
            query_offset: Span::ZERO,
            limit,
            rules,
        };
        Self {
            group: Group::new(options),
            storage: ReferenceStorage::new(),
            results: RefCell::new(Ok(Vec::new())),
        }
    }

    fn answers(&self, results: &[(&'static str, f64)]) {
        *self.results.borrow_mut() = Ok(results.to_vec());
    }

    fn tick(&mut self, seconds: i64) -> Vec<Alert> {
        let now = Timestamp::from_secs(seconds);
        let query = |_: &Expr, _: Timestamp| {
            let results = self.results.borrow().clone()?;
            Ok(results
                .into_iter()
                .map(|(instance, v)| Point {
                    labels: Labels::from_pairs([(METRIC_NAME, "x"), ("instance", instance)]),
                    value: SampleValue::Float(v),
                })
                .collect())
        };
        let expand = |request: &Expansion<'_>| Ok(request.text.to_owned());
        let context = EvalContext {
            query: &query,
            expand: &expand,
            storage: &self.storage,
            stopwatch: &|| Duration::ZERO,
        };
        self.group.evaluate(now, &context);
        self.group.due_alerts(now, Span::minutes(1), "http://here")
    }

    fn state(&self) -> AlertState {
        match self.group.rules().next() {
            Some(Rule::Alerting(rule)) => rule.state(),
            _ => AlertState::Unknown,
        }
    }

    /// The samples of a metric, by series: time in seconds and value.
    fn series(&self, metric: &str) -> BTreeMap<String, Vec<(i64, f64)>> {
        let querier = self
            .storage
            .querier(i64::MIN, i64::MAX)
            .expect("the reference store opens");
        let hints = SelectHints {
            min_ms: i64::MIN,
            max_ms: i64::MAX,
            step_ms: 0,
            function: String::new(),
            limit: 0,
            sorted: true,
        };
        let set = querier
            .select(&hints, &[Matcher::equal(METRIC_NAME, metric)])
            .expect("the reference store reads");
        set.map(|entry| {
            let entry = entry.expect("the reference store reads");
            let samples = entry.samples.map(|sample| {
                let sample = sample.expect("the reference store reads");
                let SampleValue::Float(v) = sample.value else {
                    panic!("a float was written")
                };
                (sample.timestamp_ms / 1000, v)
            });
            (entry.labels.to_string(), samples.collect())
        })
        .collect()
    }
}

#[test]
fn an_alert_waits_fires_is_resent_and_resolves() {
    let mut bench = Bench::new(0, vec![alerting("Hot", Span::seconds(30), Span::ZERO)]);
    assert_eq!(bench.state(), AlertState::Unknown);
    bench.answers(&[("a", 5.0)]);
    assert!(bench.tick(0).is_empty() && bench.state() == AlertState::Pending);
    assert!(bench.tick(15).is_empty());
    let sent = bench.tick(30);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].labels.to_string(),
        r#"{alertname="Hot", instance="a", severity="page"}"#
    );
    assert_eq!(sent[0].starts_at, WallTime::from_ms(30_000));
    assert_eq!(
        sent[0].ends_at,
        WallTime::from_ms(30_000 + 4 * 60_000),
        "four times the resend delay"
    );
    assert!(
        bench.tick(45).is_empty(),
        "not again before the resend delay"
    );
    assert_eq!(bench.tick(105).len(), 1, "again after it");
    bench.answers(&[]);
    let resolved = bench.tick(120);
    assert_eq!(
        (resolved.len(), resolved[0].ends_at),
        (1, WallTime::from_ms(120_000))
    );
    assert_eq!(bench.state(), AlertState::Inactive);
    bench.answers(&[("a", 5.0)]);
    bench.tick(135);
    assert_eq!(
        bench.state(),
        AlertState::Pending,
        "a new episode waits again"
    );
}

#[test]
fn alerts_series_end_with_a_staleness_marker() {
    let mut bench = Bench::new(0, vec![alerting("Hot", Span::seconds(15), Span::ZERO)]);
    bench.answers(&[("a", 5.0)]);
    bench.tick(0);
    bench.tick(15);
    bench.answers(&[]);
    bench.tick(30);
    let series = bench.series("ALERTS");
    let pending = &series[r#"{__name__="ALERTS", alertname="Hot", alertstate="pending", instance="a", severity="page"}"#];
    assert_eq!(pending[0], (0, 1.0));
    assert!(pending[1].0 == 15 && is_stale_nan(pending[1].1));
    let firing = &series[r#"{__name__="ALERTS", alertname="Hot", alertstate="firing", instance="a", severity="page"}"#];
    assert!(firing[0] == (15, 1.0) && is_stale_nan(firing[1].1));
    assert_eq!(
        bench
            .series("ALERTS_FOR_STATE")
            .values()
            .next()
            .map(|samples| samples[1]),
        Some((15, 0.0))
    );
}

#[test]
fn keep_firing_for_bridges_a_gap_and_a_failed_query_changes_nothing() {
    let mut bench = Bench::new(0, vec![alerting("Hot", Span::ZERO, Span::seconds(60))]);
    bench.answers(&[("a", 5.0)]);
    assert_eq!(bench.tick(0).len(), 1);
    bench.answers(&[]);
    bench.tick(15);
    assert_eq!(bench.state(), AlertState::Firing);
    *bench.results.borrow_mut() = Err(Error::Query("boom".to_owned()));
    assert!(bench.tick(30).is_empty());
    assert_eq!(bench.state(), AlertState::Firing);
    assert_eq!(bench.group.view().rules[0].last_error, "boom");
    bench.answers(&[]);
    bench.tick(74);
    assert_eq!(bench.state(), AlertState::Firing);
    assert_eq!(
        bench.tick(75).len(),
        1,
        "a minute after the condition ceased to hold"
    );
    assert_eq!(bench.state(), AlertState::Inactive);
}

#[test]
fn state_survives_a_restart_with_its_timers() {
    let rules = || vec![alerting("Hot", Span::seconds(60), Span::seconds(60))];
    let mut before = Bench::new(0, rules());
    before.answers(&[("a", 5.0)]);
    before.tick(0);
    before.tick(45);
    let record = serde_json::to_string(&before.group.record()).expect("a record is plain data");
    let mut after = Bench::new(0, rules());
    let state: GroupState = serde_json::from_str(&record).expect("what was written is read");
    after
        .group
        .restore(&state, Timestamp::from_secs(50), &RestoreOptions::default());
    after.answers(&[("a", 5.0)]);
    assert_eq!(
        after.tick(60).len(),
        1,
        "the time before the restart counts"
    );
    after.answers(&[]);
    after.tick(75);
    let record = after.group.record();
    let mut last = Bench::new(0, rules());
    last.group.restore(
        &record,
        Timestamp::from_secs(80),
        &RestoreOptions::default(),
    );
    last.answers(&[]);
    assert!(last.tick(115).is_empty());
    assert_eq!(
        last.tick(134)[0].ends_at,
        WallTime::from_ms(134_000 + 240_000),
        "a reminder that it fires"
    );
    assert_eq!(
        last.tick(135).len(),
        1,
        "keep_firing_for went on across the restart, then it resolved"
    );
}

#[test]
fn a_long_pause_shifts_or_forgets_pending_alerts() {
    let hold = Span::hours(2);
    let options = RestoreOptions::default();
    let mut before = Bench::new(0, vec![alerting("Hot", hold, Span::ZERO)]);
    before.answers(&[("a", 5.0)]);
    before.tick(0);
    before.tick(3600);
    let state = before.group.record();
    let restored = |at: i64| {
        let mut after = Bench::new(0, vec![alerting("Hot", hold, Span::ZERO)]);
        after
            .group
            .restore(&state, Timestamp::from_secs(at), &options);
        match after.group.rules().next() {
            Some(Rule::Alerting(rule)) => rule
                .alerts()
                .next()
                .map(|alert| alert.active_at.as_ms() / 1000),
            _ => None,
        }
    };
    assert_eq!(
        restored(3600 + 200),
        Some(0),
        "a pause like a gap in the data"
    );
    assert_eq!(
        restored(3600 + 1800),
        Some(1800),
        "the pause does not count"
    );
    assert_eq!(restored(3600 + 3601), None, "past the tolerance");
}

#[test]
fn limits_and_duplicates_are_errors_in_upstreams_words() {
    let mut bench = Bench::new(
        1,
        vec![alerting("Hot", Span::ZERO, Span::ZERO), recording("r")],
    );
    bench.answers(&[("a", 1.0), ("b", 2.0)]);
    assert!(bench.tick(0).is_empty());
    let view = bench.group.view();
    assert_eq!(
        view.rules[0].last_error,
        "exceeded limit of 1 with 2 alerts"
    );
    assert_eq!(
        view.rules[1].last_error,
        "exceeded limit of 1 with 2 series"
    );
    let mut bench = Bench::new(0, vec![recording("r")]);
    bench.answers(&[("a", 1.0), ("a", 2.0)]);
    bench.tick(0);
    assert_eq!(
        bench.group.view().rules[0].last_error,
        "vector contains metrics with the same labelset after applying rule labels"
    );
}

#[test]
fn a_reload_keeps_alerts_and_ends_series_of_removed_rules() {
    let mut old = Bench::new(
        0,
        vec![alerting("Hot", Span::ZERO, Span::ZERO), recording("gone")],
    );
    old.answers(&[("a", 5.0)]);
    old.tick(0);
    let mut new = Bench::new(0, vec![alerting("Hot", Span::ZERO, Span::ZERO)]);
    new.storage = old.storage;
    new.group.take_over(&old.group);
    new.answers(&[("a", 5.0)]);
    assert!(new.tick(15).is_empty(), "nothing is sent anew");
    let gone = new.series("gone");
    assert_eq!(gone.len(), 1);
    assert!(gone.values().all(|samples| is_stale_nan(samples[1].1)));
}

#[test]
fn evaluation_times_are_spread_and_stable() {
    let bench = Bench::new(0, Vec::new());
    let slot = bench.group.slot_before(Timestamp::from_secs(1_000_000));
    assert!(slot <= Timestamp::from_secs(1_000_000) && slot > Timestamp::from_secs(1_000_000 - 15));
    assert_eq!(bench.group.slot_before(slot), slot);
    assert_eq!(bench.group.slot_before(slot + Span::from_ms(14_999)), slot);
}
