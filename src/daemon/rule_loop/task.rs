use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{RuleEnvironment, Shared};
use crate::http::metrics::{Counter, Gauge, Summary};
use crate::http::query_log::QueryOrigin;
use crate::rules::{EvalContext, Evaluation, Group, GroupState, GroupView};
use crate::time::{Span, Timestamp};

/// State that did not change is written again after this long, so that the length of a pause is known.
const SAVE_AFTER: Span = Span::minutes(1);

/// The metrics of one group.
struct Numbers {
    evaluations: Counter,
    failures: Counter,
    missed: Counter,
    scheduled: Counter,
    last_duration: Gauge,
    last_evaluation: Gauge,
    last_samples: Gauge,
    last_rules: Gauge,
    rule_seconds: Summary,
    group_seconds: Summary,
}

/// One group's loop.
pub(super) struct Task {
    shared: Arc<Shared>,
    environment: RuleEnvironment,
    view: Arc<ArcSwap<GroupView>>,
    numbers: Arc<Numbers>,
}

/// What was last written of a group's state.
#[derive(Clone, Default)]
struct Saved {
    state: Option<GroupState>,
    /// Whether the last try failed: a full disk fails each time and is told when it begins and ends.
    failing: bool,
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        environment: RuleEnvironment,
        view: Arc<ArcSwap<GroupView>>,
        group: &Group,
    ) -> Self {
        let metrics = &shared.options.metrics;
        let key = format!("{};{}", group.file(), group.name());
        let labels = [("rule_group", key.as_str())];
        let counter = |name, help| metrics.counter_with(name, help, &labels);
        let gauge = |name, help| metrics.gauge_with(name, help, &labels);
        let numbers = Numbers {
            evaluations: counter(
                "prometheus_rule_evaluations_total",
                "The total number of rule evaluations.",
            ),
            failures: counter(
                "prometheus_rule_evaluation_failures_total",
                "The total number of rule evaluation failures.",
            ),
            missed: counter(
                "prometheus_rule_group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.",
            ),
            scheduled: counter(
                "prometheus_rule_group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.",
            ),
            last_duration: gauge(
                "prometheus_rule_group_last_duration_seconds",
                "The duration of the last rule group evaluation.",
            ),
            last_evaluation: gauge(
                "prometheus_rule_group_last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.",
            ),
            last_samples: gauge(
                "prometheus_rule_group_last_evaluation_samples",
                "The number of samples returned during the last rule group evaluation.",
            ),
            last_rules: gauge(
                "prometheus_rule_group_last_rule_duration_sum_seconds",
                "The sum of time in seconds it took to evaluate each rule in the group regardless of concurrency. This should be higher than the group duration if rules are evaluated concurrently.",
            ),
            rule_seconds: metrics.summary_with(
                "prometheus_rule_evaluation_duration_seconds",
                "The duration for a rule to execute.",
                Summary::QUANTILES,
                &[],
            ),
            group_seconds: metrics.summary_with(
                "prometheus_rule_group_duration_seconds",
                "The duration of rule group evaluations.",
                Summary::QUANTILES_WIDE,
                &[],
            ),
        };
        gauge("prometheus_rule_group_rules", "The number of rules.")
            .set(group.rules().count() as f64);
        gauge(
            "prometheus_rule_group_interval_seconds",
            "The interval of a rule group.",
        )
        .set(group.interval().as_secs_f64());
        Self {
            shared,
            environment,
            view,
            numbers: Arc::new(numbers),
        }
    }

    /// Evaluates until told to stop, then gives the group back with all that it knows.
    pub(super) async fn run(self, mut group: Group, mut stopped: watch::Receiver<bool>) -> Group {
        let clock = self.shared.options.clock;
        let interval = group.interval();
        let mut saved = Saved::default();
        // compat: the first evaluation waits for the group's next turn.
        let mut at = group.slot_before(clock.timestamp()) + interval;
        loop {
            tokio::select! {
                () = clock.sleep_until(at) => {}
                // The sender is dropped only together with the group's owner.
                _ = stopped.wait_for(|stop| *stop) => return group,
            }
            let Ok(_permit) = self.shared.permits.acquire().await else {
                return group;
            };
            let (shared, environment, view, numbers) = (
                Arc::clone(&self.shared),
                self.environment.clone(),
                Arc::clone(&self.view),
                Arc::clone(&self.numbers),
            );
            let evaluated = tokio::task::spawn_blocking(move || {
                // A bug in one evaluation must not cost the group its memory, nor the alerts after it.
                let attempt = AssertUnwindSafe(|| {
                    evaluate(&shared, &environment, &numbers, &mut group, &mut saved, at);
                });
                if catch_unwind(attempt).is_err() {
                    tracing::error!(
                        file = group.file(),
                        group = group.name(),
                        "an evaluation broke off; the next one goes on"
                    );
                }
                view.store(Arc::new(group.view()));
                (group, saved)
            });
            // It cannot fail: panics are caught inside, and a started closure is not cancelled.
            (group, saved) = evaluated.await.expect("an evaluation always comes back");
            at = self.next(at, interval, clock.timestamp());
        }
    }

    /// The next turn after `at`; turns that have passed by `now` count as missed.
    fn next(&self, at: Timestamp, interval: Span, now: Timestamp) -> Timestamp {
        let missed = (now.since(at).as_ms() / interval.as_ms().max(1))
            .saturating_sub(1)
            .max(0);
        self.numbers.missed.add(missed as f64);
        self.numbers.scheduled.add((missed + 1) as f64);
        at + Span::from_ms(interval.as_ms().saturating_mul(missed + 1))
    }
}

/// How the query log names a group.
pub(super) fn origin(group: &Group) -> QueryOrigin {
    QueryOrigin::RuleGroup {
        file: group.file().into(),
        name: group.name().into(),
    }
}

/// Runs `work` with what rules need of the world.
pub(super) fn with_context<T>(
    shared: &Shared,
    environment: &RuleEnvironment,
    origin: &QueryOrigin,
    work: impl FnOnce(&EvalContext<'_>) -> T,
) -> T {
    let started = Instant::now();
    work(&EvalContext {
        query: &|expr, at| (environment.query)(origin, expr, at),
        expand: &|expansion| (environment.expand)(origin, expansion),
        storage: &*shared.options.storage,
        stopwatch: &|| started.elapsed(),
    })
}

fn evaluate(
    shared: &Shared,
    environment: &RuleEnvironment,
    numbers: &Numbers,
    group: &mut Group,
    saved: &mut Saved,
    at: Timestamp,
) {
    let origin = origin(group);
    let evaluation = with_context(shared, environment, &origin, |context| {
        group.evaluate(at, context)
    });
    count(numbers, &evaluation, at);
    for rule in &evaluation.rules {
        if let Some(error) = &rule.error {
            tracing::warn!(file = group.file(), group = group.name(), rule = rule.name, %error, "evaluating the rule failed");
        }
        if rule.refused > 0 {
            tracing::warn!(
                file = group.file(),
                group = group.name(),
                rule = rule.name,
                samples = rule.refused,
                "results were out of order, too old or duplicate"
            );
        }
    }
    let due = group.due_alerts(at, shared.options.resend_delay, &environment.external_url);
    save(shared, group, saved);
    if !due.is_empty() {
        (shared.options.sink)(due);
    }
}

fn count(numbers: &Numbers, evaluation: &Evaluation, at: Timestamp) {
    numbers.evaluations.add(evaluation.rules.len() as f64);
    numbers.failures.add(
        evaluation
            .rules
            .iter()
            .filter(|rule| rule.error.is_some())
            .count() as f64,
    );
    let mut all = Duration::ZERO;
    for rule in &evaluation.rules {
        all += rule.took;
        numbers.rule_seconds.observe(rule.took.as_secs_f64());
    }
    numbers.last_rules.set(all.as_secs_f64());
    numbers.group_seconds.observe(evaluation.took.as_secs_f64());
    numbers.last_duration.set(evaluation.took.as_secs_f64());
    numbers.last_evaluation.set(at.as_secs_f64());
    numbers.last_samples.set(
        evaluation
            .rules
            .iter()
            .map(|rule| rule.samples)
            .sum::<usize>() as f64,
    );
}

/// Writes the state if it changed or has aged. A disk that fails must not keep alerts from leaving.
fn save(shared: &Shared, group: &Group, saved: &mut Saved) {
    let Some(file) = &shared.state else { return };
    let state = group.record();
    let same = saved.state.as_ref().is_some_and(|last| {
        last.rules == state.rules
            && state.evaluated_at_ms.saturating_sub(last.evaluated_at_ms) < SAVE_AFTER.as_ms()
    });
    if same {
        return;
    }
    match file.save(&state) {
        Ok(()) => {
            if std::mem::take(&mut saved.failing) {
                tracing::info!(
                    file = group.file(),
                    group = group.name(),
                    "the state of alerts is kept again"
                );
            }
            saved.state = Some(state);
        }
        Err(error) if std::mem::replace(&mut saved.failing, true) => {
            tracing::debug!(file = group.file(), group = group.name(), %error, "still cannot keep the state of alerts");
        }
        Err(error) => {
            tracing::error!(file = group.file(), group = group.name(), %error, "cannot keep the state of alerts; a restart would begin their timers anew");
        }
    }
}
