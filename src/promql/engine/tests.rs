use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::model::{Labels, Sample};
use crate::promql::parser::{ParseOptions, parse};
use crate::storage::reference::ReferenceStorage;

fn store(series: usize, samples: i64) -> ReferenceStorage {
    let store = ReferenceStorage::new();
    let mut batch = store.appender();
    for i in 0..series {
        let labels = Labels::from_pairs([("__name__", "m"), ("i", &i.to_string())]);
        for t in 0..samples {
            batch
                .append(None, &labels, Sample::float(t * 10_000, t as f64))
                .unwrap();
        }
    }
    batch.commit().unwrap();
    store
}

fn query(text: &str) -> Expr {
    parse(text, &ParseOptions::all()).unwrap()
}

fn instant(engine: &Engine, text: &str) -> Result<Answer, Error> {
    engine.instant(
        &store(3, 100),
        &query(text),
        500_000,
        &QueryOptions::default(),
    )
}

#[test]
fn a_query_may_not_hold_more_samples_than_allowed() {
    let engine = Engine::new(EngineOptions {
        max_samples: 50,
        ..EngineOptions::default()
    });
    assert!(instant(&engine, "sum(m)").is_ok());
    for text in [
        "rate(m[20m])",
        "m[20m]",
        "sum_over_time(vector(1)[1h:1s])",
        "vector(1)[1000d:1ms]",
    ] {
        let error = instant(&engine, text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "query processing would load too many samples into memory in query execution",
            "{text}"
        );
    }
}

#[test]
fn a_query_ends_when_it_is_told_to() {
    let engine = Engine::default();
    let asked = AtomicU32::new(0);
    let stop = || (asked.fetch_add(1, Ordering::Relaxed) > 5).then_some(Stop::TimedOut);
    let options = QueryOptions {
        stop: Some(&stop),
        ..QueryOptions::default()
    };
    // Without the store's series there is nothing to hold, only steps to walk.
    let error = engine
        .instant(
            &store(1, 5),
            &query("count_over_time((m > 100)[290y:1ms])"),
            0,
            &options,
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "query timed out in expression evaluation"
    );
}

#[test]
fn names_are_dropped_at_once_unless_told_otherwise() {
    let store = ReferenceStorage::new();
    let mut batch = store.appender();
    for name in ["a", "b"] {
        let labels = Labels::from_pairs([("__name__", name)]);
        batch.append(None, &labels, Sample::float(0, 1.0)).unwrap();
    }
    batch.commit().unwrap();
    let error = Engine::default()
        .instant(
            &store,
            &query("abs({__name__=~\"a|b\"})"),
            0,
            &QueryOptions::default(),
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn high_trees_do_not_overflow_the_stack() {
    let engine = Engine::default();
    let sum = vec!["m"; 400].join(" + ");
    assert!(instant(&engine, &sum).is_ok());
    let nested = format!("{}m{}", "abs(".repeat(90), ")".repeat(90));
    assert!(instant(&engine, &nested).is_ok());
}

#[test]
fn ranges_are_not_evaluated_over_ranges() {
    let error = Engine::default()
        .range(
            &store(1, 1),
            &query("m[1m]"),
            0,
            10,
            1,
            &QueryOptions::default(),
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
}

#[test]
fn hostile_queries_end_in_an_answer_or_an_error() {
    let engine = Engine::new(EngineOptions {
        max_samples: 100_000,
        ..EngineOptions::default()
    });
    let asked = AtomicU32::new(0);
    let stop = || (asked.fetch_add(1, Ordering::Relaxed) > 100_000).then_some(Stop::TimedOut);
    let options = QueryOptions {
        stop: Some(&stop),
        ..QueryOptions::default()
    };
    let store = store(3, 100);
    let terms = "m".to_owned() + &" + m".repeat(990);
    let subqueries = format!("{}m{}", "max_over_time(".repeat(20), "[1h:1s])".repeat(20));
    for text in [
        terms.as_str(),
        subqueries.as_str(),
        "sum_over_time(m[290y])",
        "m offset 290y",
        "m offset -290y",
        "max_over_time(vector(1)[290y:1ms])",
        "m @ 9e15",
        "m @ -9e15",
        "topk(9e18, m)",
        "bottomk(-9e18, m)",
        "quantile(NaN, m)",
        "label_replace(m, \"a\", \"$1\", \"i\", \"(((((((.*)*)*)*)*)*)*)\")",
        "count_values(\"i\", m ^ 1e300 * 0)",
        "m[1h:1ms] offset 100y",
        "predict_linear(m[1h], 1e300)",
        "round(m, 1e-320)",
        "histogram_quantile(0.5, m)",
        "absent_over_time(missing[290y])",
        "double_exponential_smoothing(m[1h], 0.0001, 0.9999)",
    ] {
        let Ok(expr) = parse(text, &ParseOptions::all()) else {
            continue;
        };
        for t in [0, 500_000, i64::MAX / 2, i64::MIN / 2, i64::MAX, i64::MIN] {
            asked.store(0, Ordering::Relaxed);
            let _ = engine.instant(&store, &expr, t, &options);
            asked.store(0, Ordering::Relaxed);
            let _ = engine.range(&store, &expr, t.saturating_sub(1000), t, 100, &options);
        }
    }
}

#[test]
fn statistics_count_steps_and_time() {
    let ticks = AtomicU32::new(0);
    let stopwatch = || Duration::from_secs(u64::from(ticks.fetch_add(1, Ordering::Relaxed)));
    let options = QueryOptions {
        stopwatch: Some(&stopwatch),
        per_step_stats: true,
        ..QueryOptions::default()
    };
    let range = |text: &str| {
        let (store, engine) = (store(3, 100), Engine::default());
        let answer = engine.range(&store, &query(text), 0, 60_000, 30_000, &options);
        answer.unwrap().stats
    };
    let stats = range("sum(m)");
    assert_eq!(stats.total_samples, 9);
    assert_eq!(stats.per_step, [(0, 3), (30_000, 3), (60_000, 3)]);
    let second = Duration::from_secs(1);
    assert_eq!(
        (stats.preparation, stats.evaluation, stats.sorting),
        (second, second, second)
    );
    // What a subquery reads counts once, as what the function sees of it.
    let stats = range("max_over_time(m[20s:10s])");
    assert_eq!(stats.per_step, [(0, 3), (30_000, 6), (60_000, 6)]);
    // What is evaluated once counts at every step.
    let stats = range("m @ 10");
    assert_eq!(stats.per_step, [(0, 3), (30_000, 3), (60_000, 3)]);
}
