//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::selection;
use crate::http::metrics::query_seconds;
use crate::http::params::parse_duration_ms;
use crate::http::query_log::{FinishedQuery, QueryOrigin, stats_json};
use crate::http::{ErrorKind, Failure, Params, Reply, State, json, wrap};
use crate::promql::ast::Expr;
use crate::promql::engine::{self, Answer, QueryOptions, Stats, Stop};
use crate::promql::{Error, Value};
use crate::text::gofmt;

/// The most steps of a range, the last point not counted.
const STEPS_MAX: i64 = 11_000;
/// How many warnings and infos an answer shows.
const NOTES_MAX: usize = 10;

/// What an instant and a range have in common.
struct Asked {
    text: String,
    expr: Expr,
    limit: usize,
    timeout: Duration,
    lookback_ms: Option<i64>,
    /// Any text asks for statistics, `all` for those of each step.
    stats: String,
    origin: QueryOrigin,
}

/// When to evaluate.
#[derive(Clone, Copy)]
enum At {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

pub(super) async fn instant(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = params.limit()?;
    let at = params
        .time_ms("time")?
        .unwrap_or_else(|| (state.now)().as_ms());
    let asked = asked(&state, &params, limit)?;
    evaluate(state, asked, At::Instant(at)).await
}

pub(super) async fn range(state: State, params: Params) -> Result<Reply, Failure> {
    let limit = params.limit()?;
    let start = params.required_time_ms("start")?;
    let end = params.required_time_ms("end")?;
    if end < start {
        return Err(Failure::invalid(
            "end",
            "end timestamp must not be before start time",
        ));
    }
    let step = parse_duration_ms(params.get("step")).map_err(|e| Failure::invalid("step", e))?;
    if step <= 0 {
        return Err(Failure::invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end.saturating_sub(start) / step > STEPS_MAX {
        return Err(Failure::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let asked = asked(&state, &params, limit)?;
    evaluate(state, asked, At::Range { start, end, step }).await
}

fn asked(state: &State, params: &Params, limit: usize) -> Result<Asked, Failure> {
    let timeout = params
        .duration_ms("timeout")?
        .map_or(state.limits.query_timeout, |ms| {
            Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(state.limits.query_timeout)
        });
    let lookback_ms = match params.get("lookback_delta") {
        "" => None,
        text => Some(parse_duration_ms(text).map_err(|e| {
            Failure::bad_data(format!("error parsing lookback delta duration: {e}"))
        })?),
    };
    let text = params.get("query").to_owned();
    let expr = selection::expression(state, &text).map_err(|e| Failure::invalid("query", e))?;
    Ok(Asked {
        text,
        expr,
        limit,
        timeout,
        lookback_ms,
        stats: params.get("stats").to_owned(),
        origin: params.origin(),
    })
}

/// Tells the query that its client has gone.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn evaluate(state: State, asked: Asked, at: At) -> Result<Reply, Failure> {
    wrap::check_memory(&state)?;
    let queued = Instant::now();
    let deadline = queued + asked.timeout;
    let running = state.metrics.gauge(
        "prometheus_engine_queries",
        "The current number of queries being executed or waiting.",
    );
    running.add(1.0);
    let _running = OnDrop(move || running.add(-1.0));
    let waited =
        tokio::time::timeout_at(deadline, Arc::clone(&state.query_permits).acquire_owned()).await;
    let permit = match waited {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) => {
            return Err(Failure::new(
                ErrorKind::Unavailable,
                "watchfire is stopping",
            ));
        }
        Err(_) => {
            let why = "query timed out in query queue";
            let finished = finished(&asked, at, queued.elapsed(), Some(why), &Stats::default());
            let watch = Arc::clone(&state.query_watch);
            let _ = tokio::task::spawn_blocking(move || watch.ended(&finished)).await;
            return Err(Failure::new(ErrorKind::Timeout, why));
        }
    };
    let abandoned = Arc::new(AtomicBool::new(false));
    let _abandon = Abandon(Arc::clone(&abandoned));
    let work = move || {
        let _permit = permit;
        let waited = queued.elapsed();
        let stop = || {
            if abandoned.load(Ordering::Relaxed) {
                Some(Stop::Canceled)
            } else {
                (Instant::now() >= deadline).then_some(Stop::TimedOut)
            }
        };
        run(&state, &asked, at, waited, &stop)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        // The evaluator broke; the process goes on.
        Err(e) => Err(Failure::new(ErrorKind::Internal, e.to_string())),
    }
}

/// Evaluates and tells those who watch.
fn run(
    state: &State,
    asked: &Asked,
    at: At,
    waited: Duration,
    stop: &(dyn Fn() -> Option<Stop> + Sync),
) -> Result<Reply, Failure> {
    let _active = state.query_watch.began(&asked.text);
    let started = Instant::now();
    let options = QueryOptions {
        lookback_ms: asked.lookback_ms,
        stop: Some(stop),
        stopwatch: Some(&|| started.elapsed()),
        per_step_stats: state.per_step_stats && asked.stats == "all",
    };
    let (storage, expr) = (&*state.storage, &asked.expr);
    let outcome = match at {
        At::Instant(t) => state.engine.try_instant(storage, expr, t, &options),
        At::Range { start, end, step } => state
            .engine
            .try_range(storage, expr, start, end, step, &options),
    };
    let (stats, error) = match &outcome {
        Ok(answer) => (&answer.stats, None),
        Err(failure) => (&*failure.stats, Some(failure.error.to_string())),
    };
    state
        .metrics
        .histogram_with(
            "prometheus_engine_query_duration_histogram_seconds",
            "The duration of query evaluation by stage.",
            &[0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0],
            &[("slice", "inner_eval")],
        )
        .observe(stats.evaluation.as_secs_f64());
    query_seconds(&state.metrics, "queue_time").observe(waited.as_secs_f64());
    query_seconds(&state.metrics, "inner_eval").observe(stats.evaluation.as_secs_f64());
    state
        .query_watch
        .ended(&finished(asked, at, waited, error.as_deref(), stats));
    match outcome {
        Ok(answer) => Ok(reply(asked, answer, waited)),
        Err(failure) => Err(refusal(asked, &failure)),
    }
}

fn finished(
    asked: &Asked,
    at: At,
    queued: Duration,
    error: Option<&str>,
    stats: &Stats,
) -> FinishedQuery {
    let (start_ms, end_ms, step_ms) = match at {
        At::Instant(t) => (t, t, 0),
        At::Range { start, end, step } => (start, end, step),
    };
    FinishedQuery {
        query: asked.text.clone(),
        start_ms,
        end_ms,
        step_ms,
        error: error.map(str::to_owned),
        stats: stats.clone(),
        queued,
        origin: asked.origin.clone(),
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn refusal(asked: &Asked, failure: &engine::Failure) -> Failure {
    let (warnings, _) = failure.annotations.texts(&asked.text, NOTES_MAX, NOTES_MAX);
    let text = failure.error.to_string();
    let refusal = match &failure.error {
        Error::Invalid(_) => Failure::invalid("query", text),
        Error::Canceled(_) => Failure::new(ErrorKind::Canceled, text),
        Error::TimedOut(_) => Failure::new(ErrorKind::Timeout, text),
        Error::Storage(_) => Failure::new(ErrorKind::Internal, text),
        _ => Failure::new(ErrorKind::Execution, text),
    };
    refusal.with_warnings(warnings)
}

fn reply(asked: &Asked, mut answer: Answer, waited: Duration) -> Reply {
    let (mut warnings, infos) = answer.annotations.texts(&asked.text, NOTES_MAX, NOTES_MAX);
    if asked.limit > 0 && truncate(&mut answer.value, asked.limit) {
        warnings.push("results truncated due to limit".to_owned());
    }
    let mut out = String::new();
    out.push_str("{\"resultType\":\"");
    out.push_str(answer.value.type_name());
    out.push_str("\",\"result\":");
    push_value(&mut out, &answer.value);
    if !asked.stats.is_empty() {
        out.push_str(",\"stats\":");
        out.push_str(&stats_json(&answer.stats, waited).to_string());
    }
    out.push('}');
    Reply::raw(out).with_notes(warnings, infos)
}

fn truncate(value: &mut Value, limit: usize) -> bool {
    match value {
        Value::Vector(list) if list.len() > limit => list.truncate(limit),
        Value::Matrix(list) if list.len() > limit => list.truncate(limit),
        _ => return false,
    }
    true
}

/// Appends a value as the API writes it.
fn push_value(out: &mut String, value: &Value) {
    match value {
        // compat: scalars and strings have forms of their own, for the time and for the number.
        Value::Scalar { t_ms, v } => push_plain(out, *t_ms, &gofmt::float_f(*v)),
        Value::String { t_ms, v } => push_plain(out, *t_ms, v),
        Value::Vector(samples) => push_list(out, samples, |out, sample| {
            out.push_str("{\"metric\":");
            json::push_labels(out, &sample.labels);
            match (sample.value.float(), sample.value.histogram()) {
                (Some(v), _) => {
                    out.push_str(",\"value\":");
                    push_point(out, sample.t_ms, v);
                }
                (None, Some(h)) => {
                    out.push_str(",\"histogram\":");
                    json::push_histogram_point(out, sample.t_ms, h);
                }
                (None, None) => {}
            }
            out.push('}');
        }),
        Value::Matrix(series) => push_list(out, series, |out, series| {
            out.push_str("{\"metric\":");
            json::push_labels(out, &series.labels);
            if !series.floats.is_empty() {
                out.push_str(",\"values\":");
                push_list(out, &series.floats, |out, (t, v)| push_point(out, *t, *v));
            }
            if !series.histograms.is_empty() {
                out.push_str(",\"histograms\":");
                push_list(out, &series.histograms, |out, (t, h)| {
                    json::push_histogram_point(out, *t, h);
                });
            }
            out.push('}');
        }),
    }
}

fn push_list<T>(out: &mut String, items: &[T], push: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}

/// A time in as few digits as it takes, and a text.
fn push_plain(out: &mut String, t_ms: i64, text: &str) {
    out.push('[');
    out.push_str(&json::float_text(t_ms as f64 / 1000.0));
    out.push(',');
    out.push_str(&json::html_free(text));
    out.push(']');
}

fn push_point(out: &mut String, t_ms: i64, v: f64) {
    out.push('[');
    json::push_time(out, t_ms);
    out.push(',');
    json::push_float(out, v);
    out.push(']');
}
