//! Evaluates a node over the steps of a query, subquery or single time.

use super::cleanup::merge_same_labelset;
use super::context::{Context, Matrix, Series, size};
use super::plan::{Kind, Node, Subquery};
use crate::model::histogram::CounterResetHint;
use crate::promql::{Error, PointValue};

/// Evaluates at `start`, `start + step`, ... up to `end`.
#[derive(Clone, Copy)]
pub(crate) struct Evaluator<'c, 'q> {
    pub(crate) context: &'c Context<'q>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// At least one.
    pub(crate) step: i64,
}

impl Evaluator<'_, '_> {
    /// The times of all steps.
    pub(crate) fn steps(&self) -> impl Iterator<Item = i64> + use<> {
        let (end, step) = (self.end, self.step);
        std::iter::successors(Some(self.start), move |t| t.checked_add(step))
            .take_while(move |t| *t <= end)
    }

    /// How many steps there are.
    pub(crate) fn step_count(&self) -> usize {
        if self.end < self.start {
            return 0;
        }
        (self.end.saturating_sub(self.start) / self.step.max(1)) as usize + 1
    }

    /// Whether there is a single time, as in an instant query.
    pub(crate) const fn is_instant(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn eval(&self, node: &Node) -> Result<Matrix, Error> {
        self.context.check()?;
        if self.end < self.start {
            return Ok(Matrix::new());
        }
        match &node.kind {
            Kind::Number(value) => self.number(*value),
            Kind::String(_) => Ok(Matrix::new()),
            Kind::Vector(selector) => self.vector_selector(selector, node.pos),
            Kind::Matrix(range) => self.matrix_selector(range, node.pos),
            Kind::Subquery(subquery) => {
                let (matrix, read) = self.subquery(subquery)?;
                self.context.read(self.end, read);
                Ok(matrix)
            }
            Kind::Call(call) => self.call(call),
            Kind::Binary(binary) => self.binary(binary, node.pos),
            Kind::Negate(inner) => self.negate(inner),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate, node.pos),
            Kind::StepInvariant(inner) => self.step_invariant(inner),
        }
    }

    fn number(&self, value: f64) -> Result<Matrix, Error> {
        let mut series = Series::default();
        for t in self.steps() {
            self.context.tick()?;
            self.context.hold(1)?;
            series.push(t, PointValue::Float(value));
        }
        Ok(vec![series])
    }

    fn negate(&self, inner: &Node) -> Result<Matrix, Error> {
        let mut matrix = self.eval(inner)?;
        for series in &mut matrix {
            series.labels = self.context.renamed(&series.labels);
            series.drop_name = true;
            for (_, v) in &mut series.floats {
                *v = -*v;
            }
            for (_, h) in &mut series.histograms {
                let mut negated = h.as_ref().clone();
                negated.mul(-1.0);
                *h = negated.into();
            }
        }
        if self.context.delayed_names() {
            Ok(matrix)
        } else {
            merge_same_labelset(matrix)
        }
    }

    /// Evaluates once and repeats the result at every step.
    fn step_invariant(&self, inner: &Node) -> Result<Matrix, Error> {
        let once = Self {
            end: self.start,
            ..*self
        };
        let (matrix, read) = self.context.uncounted(|| once.eval(inner));
        let mut matrix = matrix?;
        // compat: each step counts as if it had read for itself.
        self.context
            .read_at_each(self.steps(), self.step_count(), read);
        if matches!(inner.kind, Kind::Matrix(_) | Kind::Subquery(_)) {
            // Ranges have times of their own.
            return Ok(matrix);
        }
        for series in &mut matrix {
            let float = series.floats.first().copied();
            let histogram = series.histograms.first().cloned();
            for t in self.steps().skip(1) {
                self.context.tick()?;
                if let Some((_, v)) = float {
                    self.context.hold(1)?;
                    series.floats.push((t, v));
                } else if let Some((_, h)) = &histogram {
                    self.context.hold(h.size_in_samples())?;
                    series.histograms.push((t, h.clone()));
                }
            }
        }
        Ok(matrix)
    }

    /// The inner expression at the steps of a subquery that any of the own steps can see, and how many samples
    /// that read.
    fn subquery(&self, subquery: &Subquery) -> Result<(Matrix, usize), Error> {
        let last = self
            .start
            .saturating_add((self.step_count().saturating_sub(1) as i64).saturating_mul(self.step));
        let step = subquery.step_ms;
        let before = subquery
            .moment
            .reference(self.start)
            .saturating_sub(subquery.range_ms);
        // Aligned to multiples of the step; the range is open to the left.
        let mut start = step.saturating_mul(before / step);
        if start <= before {
            start = start.saturating_add(step);
        }
        let within = Self {
            start,
            end: subquery.moment.reference(last),
            step,
            ..*self
        };
        let (matrix, read) = self.context.uncounted(|| within.eval(&subquery.expr));
        Ok((matrix?, read))
    }

    /// A subquery as the source of a range function.
    pub(super) fn subquery_series(&self, subquery: &Subquery) -> Result<(Matrix, usize), Error> {
        let (mut matrix, _) = self.subquery(subquery)?;
        for series in &mut matrix {
            for (_, h) in &mut series.histograms {
                // The sample that a hint speaks of may not be among those of the subquery.
                if matches!(
                    h.counter_reset_hint,
                    CounterResetHint::Reset | CounterResetHint::NotReset
                ) {
                    std::sync::Arc::make_mut(h).counter_reset_hint = CounterResetHint::Unknown;
                }
            }
        }
        let weight = size(&matrix);
        Ok((matrix, weight))
    }
}
