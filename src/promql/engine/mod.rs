//! Evaluates queries: the plain evaluator that follows upstream operation by operation.
//!
//! It is synchronous, reads no clock and keeps no state between queries, so that one [`Engine`] serves
//! rules, the HTTP API and tests. A query is a syntax tree, a store and times; the rest is in
//! [`EngineOptions`] and [`QueryOptions`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use build::{Times, plan};
use cleanup::drop_names;
use context::{Context, Matrix};
use eval::Evaluator;
use plan::{Kind, Node};

use super::annotations::Annotations;
use super::ast::{Expr, ValueType};
use super::{Error, SeriesPoints, Value, VectorSample};
use crate::promql::PointValue;
use crate::storage::Storage;

mod binary;
mod build;
pub(crate) mod call;
pub(crate) mod cleanup;
pub(crate) mod context;
mod elements;
pub(crate) mod eval;
pub(crate) mod plan;
mod range_call;
pub(crate) mod select;
pub(crate) mod steps;
mod window;

pub(super) use build::DEPEND_ON_TIME;

/// How queries are evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How old the latest sample of a series may be, in milliseconds. Default: 5 minutes.
    pub lookback_ms: i64,
    /// How many samples a query may hold at once. Default: 50 million.
    pub max_samples: usize,
    /// The step of subqueries that name none, in milliseconds; upstream uses the global evaluation
    /// interval. Default: 1 minute. See [`Engine::set_default_subquery_step`].
    pub default_subquery_step_ms: i64,
    /// Whether names are dropped at the end of a query (feature `promql-delayed-name-removal`) rather
    /// than by each function. Default: no.
    pub delayed_name_removal: bool,
    /// Whether start times of samples tell of counter resets (feature `use-start-timestamps`).
    /// Default: no.
    pub use_start_timestamps: bool,
    /// Whether `__type__` rather than the name's end tells if a metric is a counter (feature
    /// `type-and-unit-labels`). Default: no.
    pub type_and_unit_labels: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            max_samples: 50_000_000,
            default_subquery_step_ms: 60_000,
            delayed_name_removal: false,
            use_start_timestamps: false,
            type_and_unit_labels: false,
        }
    }
}

/// Why a query is to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody gave up.
    Canceled,
    /// Its time is over.
    TimedOut,
}

/// What one query asks for beyond its expression and times.
#[derive(Clone, Copy, Default)]
pub struct QueryOptions<'a> {
    /// Another lookback than the engine's, in milliseconds.
    pub lookback_ms: Option<i64>,
    /// Is asked regularly whether to end the query.
    pub stop: Option<&'a (dyn Fn() -> Option<Stop> + Sync)>,
    /// Reads a stopwatch; without one [`Stats`] tells no durations.
    pub stopwatch: Option<&'a (dyn Fn() -> Duration + Sync)>,
    /// Whether [`Stats::per_step`] is wanted. Costs a number per step.
    pub per_step_stats: bool,
}

impl std::fmt::Debug for QueryOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryOptions")
            .field("lookback_ms", &self.lookback_ms)
            .finish_non_exhaustive()
    }
}

/// How much a query read, and how long its parts took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples read over all steps.
    pub total_samples: u64,
    /// Most samples held at once.
    pub peak_samples: usize,
    /// Samples read at each step, by time; empty unless asked for.
    pub per_step: Vec<(i64, u64)>,
    /// Planning the query and opening the store.
    pub preparation: Duration,
    /// Evaluating.
    pub evaluation: Duration,
    /// Sorting the result.
    pub sorting: Duration,
}

/// The answer of a query.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What it evaluates to.
    pub value: Value,
    /// Warnings and infos.
    pub annotations: Annotations,
    /// How much it read.
    pub stats: Stats,
}

/// A query that failed, with what was remarked before.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// Warnings and infos so far.
    pub annotations: Annotations,
    /// How much it read until then.
    pub stats: Box<Stats>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            annotations: Annotations::default(),
            stats: Box::default(),
        }
    }
}

/// Evaluates queries.
#[derive(Debug, Default)]
pub struct Engine {
    options: EngineOptions,
    /// Newer than that in the options once it was set.
    subquery_step_ms: AtomicI64,
}

/// Trees higher than this are evaluated on a thread with a stack to match.
const HEIGHT_ON_OWN_STACK: usize = 40;
/// Stack for each level of such a tree.
const STACK_PER_LEVEL: usize = 32 << 10;

impl Engine {
    /// Prepares an engine.
    pub const fn new(options: EngineOptions) -> Self {
        Self {
            subquery_step_ms: AtomicI64::new(options.default_subquery_step_ms),
            options,
        }
    }

    /// How queries are evaluated.
    pub const fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Changes the step of subqueries that name none, as a reload of the configuration does.
    pub fn set_default_subquery_step(&self, step_ms: i64) {
        self.subquery_step_ms.store(step_ms, Ordering::Relaxed);
    }

    /// Evaluates at one time.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn instant(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        t_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<Answer, Error> {
        self.try_instant(storage, expr, t_ms, options)
            .map_err(|failure| failure.error)
    }

    /// As [`instant`](Self::instant); a failure tells what was remarked before.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn try_instant(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        t_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<Answer, Failure> {
        let times = Times {
            start: t_ms,
            end: t_ms,
            step: 0,
        };
        on_high_enough_stack(expr, || self.run(storage, expr, times, options))
    }

    /// Evaluates at `start_ms`, `start_ms + step_ms`, ... up to `end_ms`.
    ///
    /// # Errors
    /// See [`Error`]; range vectors and strings have no range and are [`Error::Invalid`].
    pub fn range(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<Answer, Error> {
        self.try_range(storage, expr, start_ms, end_ms, step_ms, options)
            .map_err(|failure| failure.error)
    }

    /// As [`range`](Self::range); a failure tells what was remarked before.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn try_range(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<Answer, Failure> {
        let value_type = expr.value_type();
        if !matches!(value_type, ValueType::Vector | ValueType::Scalar) {
            return Err(Error::Invalid(format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                value_type.documented()
            ))
            .into());
        }
        if step_ms <= 0 {
            return Err(Error::Invalid(
                "zero or negative query resolution step widths are not accepted. Try a positive integer"
                    .to_owned(),
            )
            .into());
        }
        let times = Times {
            start: start_ms,
            end: end_ms,
            step: step_ms,
        };
        on_high_enough_stack(expr, || self.run(storage, expr, times, options))
    }

    fn run(
        &self,
        storage: &dyn Storage,
        expr: &Expr,
        times: Times,
        options: &QueryOptions<'_>,
    ) -> Result<Answer, Failure> {
        let lookback_ms = options
            .lookback_ms
            .filter(|lookback| *lookback > 0)
            .unwrap_or(self.options.lookback_ms);
        let subquery_step_ms = self.subquery_step_ms.load(Ordering::Relaxed);
        let stopwatch = || options.stopwatch.map_or(Duration::ZERO, |read| read());
        let began = stopwatch();
        let plan = plan(expr, times, lookback_ms, subquery_step_ms)?;
        let querier = storage
            .querier(plan.min_ms, plan.max_ms)
            .map_err(Error::from)?;
        let prepared = stopwatch();
        let context = Context::new(&*querier, &self.options, lookback_ms, options);
        let evaluator = Evaluator {
            context: &context,
            start: times.start,
            end: times.end,
            step: times.step.max(1),
        };
        let matrix = context
            .check_at("query execution")
            .and_then(|()| evaluate(&evaluator, &plan.root));
        let evaluated = stopwatch();
        let value = matrix.map(|matrix| in_shape(matrix, &plan.root, times));
        let annotations = context.take_notes();
        let mut stats = context.stats(evaluator.steps());
        stats.preparation = prepared.saturating_sub(began);
        stats.evaluation = evaluated.saturating_sub(prepared);
        stats.sorting = stopwatch().saturating_sub(evaluated);
        match value {
            Ok(value) => Ok(Answer {
                value,
                annotations,
                stats,
            }),
            Err(error) => Err(Failure {
                error,
                annotations,
                stats: Box::new(stats),
            }),
        }
    }
}

fn evaluate(evaluator: &Evaluator<'_, '_>, root: &Node) -> Result<Matrix, Error> {
    if matches!(root.inner().kind, Kind::String(_)) {
        return Ok(Matrix::new());
    }
    let matrix = evaluator.eval(root)?;
    if evaluator.context.delayed_names() {
        drop_names(matrix)
    } else {
        Ok(matrix)
    }
}

/// Makes the kind of answer that the expression promises.
fn in_shape(matrix: Matrix, root: &Node, times: Times) -> Value {
    if let Kind::String(text) = &root.inner().kind {
        return Value::String {
            t_ms: times.start,
            v: text.value.clone(),
        };
    }
    if times.step != 0 {
        return Value::Matrix(sorted(matrix));
    }
    match root.value_type {
        ValueType::Scalar => Value::Scalar {
            t_ms: times.start,
            v: matrix
                .first()
                .and_then(|series| series.floats.first())
                .map_or(f64::NAN, |(_, v)| *v),
        },
        ValueType::Vector => Value::Vector(
            matrix
                .into_iter()
                .filter_map(|series| {
                    let value = match series.histograms.into_iter().next() {
                        Some((_, h)) => PointValue::Histogram(h),
                        None => PointValue::Float(series.floats.first()?.1),
                    };
                    Some(VectorSample {
                        labels: series.labels,
                        t_ms: times.start,
                        value,
                    })
                })
                .collect(),
        ),
        ValueType::Matrix | ValueType::String => Value::Matrix(sorted(matrix)),
    }
}

fn sorted(mut matrix: Matrix) -> Vec<SeriesPoints> {
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    matrix
        .into_iter()
        .map(|series| SeriesPoints {
            labels: series.labels,
            floats: series.floats,
            histograms: series.histograms,
        })
        .collect()
}

/// Runs `evaluate` where recursion over the tree has room.
fn on_high_enough_stack<T: Send>(
    expr: &Expr,
    evaluate: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let height = height(expr);
    if height <= HEIGHT_ON_OWN_STACK {
        return evaluate();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("promql".to_owned())
            .stack_size((height + HEIGHT_ON_OWN_STACK) * STACK_PER_LEVEL)
            .spawn_scoped(scope, evaluate)
            .map_err(|error| Error::Execution(format!("no thread for the query: {error}")))?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// How high a tree is, found without recursion.
fn height(expr: &Expr) -> usize {
    let mut open = vec![(expr, 1)];
    let mut height = 0;
    while let Some((expr, depth)) = open.pop() {
        height = height.max(depth);
        open.extend(expr.children().into_iter().map(|child| (child, depth + 1)));
    }
    height
}

#[cfg(test)]
mod tests;
