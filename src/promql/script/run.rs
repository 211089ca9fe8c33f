//! Runs one `eval`.

use super::Runs;
use super::compare::{check_sorted, compare};
use super::expect::Eval;
use crate::promql::ast::{At, Expr};
use crate::promql::engine::{Answer, DEPEND_ON_TIME, Engine, QueryOptions};
use crate::promql::parser::{ParseOptions, parse};
use crate::promql::{Error, PointValue, Value, VectorSample};
use crate::storage::Storage;
use crate::text::quote::quote;
use crate::time::Timestamp;

/// A minute, by which range queries reach beyond the time in question.
const MINUTE_MS: i64 = 60_000;

pub(super) fn run(
    eval: &Eval,
    engine: &Engine,
    store: &dyn Storage,
    runs: Runs,
) -> Result<(), String> {
    let runner = Runner {
        eval,
        engine,
        store,
    };
    let expr = parse_query(&eval.expr)?;
    if eval.is_range {
        return match runs {
            Runs::AtOtherTimes => Ok(()),
            Runs::AsWritten | Runs::All => runner.range(&expr),
        };
    }
    if runs != Runs::AtOtherTimes {
        runner.instant(&eval.expr, &expr, eval.at_ms)?;
        if runs == Runs::AsWritten {
            return Ok(());
        }
    }
    if !eval.is_fail() {
        runner.as_range(&eval.expr, &expr, eval.at_ms)?;
    }
    for (text, t_ms) in with_at(&expr, eval.at_ms) {
        let expr = parse_query(&text)?;
        runner.instant(&text, &expr, t_ms)?;
        if !eval.is_fail() {
            runner.as_range(&text, &expr, t_ms)?;
        }
    }
    Ok(())
}

fn parse_query(text: &str) -> Result<Expr, String> {
    parse(text, &ParseOptions::all()).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        texts.join("; ")
    })
}

struct Runner<'a> {
    eval: &'a Eval,
    engine: &'a Engine,
    store: &'a dyn Storage,
}

impl Runner<'_> {
    /// Judges an answer or failure.
    fn judge(&self, text: &str, answer: Result<Answer, Error>) -> Result<Option<Value>, String> {
        let (shown, line) = (quote(text), self.eval.line);
        let answer = match answer {
            Ok(_) if self.eval.is_fail() => {
                return Err(format!(
                    "expected error evaluating query {shown} (line {line}) but got none"
                ));
            }
            Ok(answer) => answer,
            Err(error) if self.eval.is_fail() => {
                return self.eval.check_failure(&error).map(|()| None);
            }
            Err(error) => {
                return Err(format!(
                    "error evaluating query {shown} (line {line}): {error}"
                ));
            }
        };
        self.eval.check_annotations(text, &answer.annotations)?;
        compare(self.eval, &answer.value)
            .map_err(|why| format!("error in eval {text} (line {line}): {why}"))?;
        Ok(Some(answer.value))
    }

    fn range(&self, expr: &Expr) -> Result<(), String> {
        let answer = self.engine.range(
            self.store,
            expr,
            self.eval.start_ms,
            self.eval.end_ms,
            self.eval.step_ms,
            &QueryOptions::default(),
        );
        self.judge(&self.eval.expr, answer).map(|_| ())
    }

    fn instant(&self, text: &str, expr: &Expr, t_ms: i64) -> Result<(), String> {
        let answer = self
            .engine
            .instant(self.store, expr, t_ms, &QueryOptions::default());
        self.judge(text, answer).map(|_| ())
    }

    /// The middle step of a range query must be what an instant query gives.
    fn as_range(&self, text: &str, expr: &Expr, t_ms: i64) -> Result<(), String> {
        let depends_on_query = ["start()", "end()", "range()", "step()"]
            .iter()
            .any(|call| text.contains(call));
        if self.eval.not_as_range || depends_on_query {
            return Ok(());
        }
        let (shown, line) = (quote(text), self.eval.line);
        let answer = self
            .engine
            .range(
                self.store,
                expr,
                t_ms.saturating_sub(MINUTE_MS),
                t_ms.saturating_add(MINUTE_MS),
                MINUTE_MS,
                &QueryOptions::default(),
            )
            .map_err(|error| {
                format!("error evaluating query {shown} (line {line}) in range mode: {error}")
            })?;
        let Value::Matrix(matrix) = answer.value else {
            return Err(format!("range query {shown} (line {line}) gave no matrix"));
        };
        if self.eval.ordered {
            // Matrices have an order of their own.
            return Ok(());
        }
        check_sorted(&matrix)?;
        let mut vector = Vec::new();
        for series in matrix {
            let at = |t: i64| t == t_ms;
            if let Some((_, v)) = series.floats.iter().find(|(t, _)| at(*t)) {
                vector.push(VectorSample {
                    labels: series.labels.clone(),
                    t_ms,
                    value: PointValue::Float(*v),
                });
            }
            if let Some((_, h)) = series.histograms.iter().find(|(t, _)| at(*t)) {
                vector.push(VectorSample {
                    labels: series.labels,
                    t_ms,
                    value: PointValue::Histogram(h.clone()),
                });
            }
        }
        let scalar = self.eval.scalar.is_some()
            && expr.value_type() == crate::promql::ast::ValueType::Scalar;
        let value = match vector.first().and_then(|sample| sample.value.float()) {
            Some(v) if scalar => Value::Scalar { t_ms, v },
            _ => Value::Vector(vector),
        };
        compare(self.eval, &value)
            .map_err(|why| format!("error in eval {text} (line {line}) range mode: {why}"))
    }
}

/// The query with `@ t` on every selector that has none, and the times at which that must make no
/// difference.
fn with_at(expr: &Expr, t_ms: i64) -> Vec<(String, i64)> {
    let mut fixed = expr.clone();
    let at = Some(At::Time(Timestamp::from_ms(t_ms)));
    let mut open = vec![&mut fixed];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::VectorSelector(selector) if !has_time(selector.at) => selector.at = at,
            Expr::MatrixSelector(matrix) if !has_time(matrix.selector.at) => {
                matrix.selector.at = at;
            }
            Expr::Subquery(subquery) => {
                if !has_time(subquery.at) {
                    subquery.at = at;
                }
                // What is within a subquery with `@` is fixed by it.
                continue;
            }
            Expr::Call(call) if DEPEND_ON_TIME.contains(&call.func.name) => return Vec::new(),
            _ => {}
        }
        open.extend(expr.children_mut());
    }
    let text = fixed.to_string();
    let times = if t_ms == 0 {
        vec![-1000, 0, 1000]
    } else {
        vec![-10 * t_ms, 0, t_ms / 5, t_ms, 10 * t_ms]
    };
    times.into_iter().map(|t| (text.clone(), t)).collect()
}

const fn has_time(at: Option<At>) -> bool {
    matches!(at, Some(At::Time(_)))
}
