//! Aggregations over series.

use std::collections::HashMap;

use crate::model::{Labels, METRIC_NAME};
use crate::promql::Error;
use crate::promql::ast::{AggregateOp, PosRange};
use crate::promql::engine::context::{Matrix, Series, size};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::{Aggregate, Kind, Node};

mod count_values;
mod fold;
mod heap;
mod top;

impl Evaluator<'_, '_> {
    pub(crate) fn aggregate(&self, aggregate: &Aggregate, pos: PosRange) -> Result<Matrix, Error> {
        if aggregate.op == AggregateOp::CountValues {
            return count_values::count_values(self, aggregate);
        }
        let samples_before = self.context.samples();
        let mut param = Param::of(self, aggregate.param.as_deref())?;
        let input = self.eval(&aggregate.expr)?;
        let groups = Groups::of(&input, aggregate);
        let result = match aggregate.op {
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => {
                top::top(self, aggregate, pos, &input, &groups, &mut param)?
            }
            _ => fold::fold(self, aggregate, &input, &groups, &mut param)?,
        };
        self.context
            .set_samples(samples_before.saturating_add(size(&result)));
        Ok(result)
    }
}

/// Which series belong together.
pub(super) struct Groups {
    /// The labels of each group.
    pub(super) labels: Vec<Labels>,
    /// The group of each series.
    pub(super) of_series: Vec<usize>,
}

impl Groups {
    fn of(input: &[Series], aggregate: &Aggregate) -> Self {
        let mut known: HashMap<Labels, usize> = HashMap::new();
        let mut labels = Vec::new();
        let of_series = input
            .iter()
            .map(|series| {
                let key = group_labels(&series.labels, &aggregate.grouping, aggregate.without);
                *known.entry(key).or_insert_with_key(|key| {
                    labels.push(key.clone());
                    labels.len() - 1
                })
            })
            .collect();
        Self { labels, of_series }
    }
}

/// The labels of the group that a series belongs to; `grouping` is sorted.
pub(super) fn group_labels(labels: &Labels, grouping: &[String], without: bool) -> Labels {
    let listed = |name: &str| {
        grouping
            .binary_search_by(|label| label.as_str().cmp(name))
            .is_ok()
    };
    if without {
        labels.filter(|name| name != METRIC_NAME && !listed(name))
    } else {
        labels.filter(listed)
    }
}

/// The parameter of an aggregation at each step.
pub(super) struct Param {
    values: Vec<f64>,
    next: usize,
    constant: bool,
    /// Where it stands.
    pub(super) pos: PosRange,
}

impl Param {
    fn of(evaluator: &Evaluator<'_, '_>, param: Option<&Node>) -> Result<Self, Error> {
        let Some(param) = param else {
            return Ok(Self {
                values: Vec::new(),
                next: 0,
                constant: true,
                pos: PosRange::default(),
            });
        };
        let matrix = evaluator.eval(param)?;
        Ok(Self {
            values: matrix
                .first()
                .map(|series| series.floats.iter().map(|(_, v)| *v).collect())
                .unwrap_or_default(),
            next: 0,
            constant: matches!(param.inner().kind, Kind::Number(_)),
            pos: param.pos,
        })
    }

    /// The value at the next step.
    pub(super) fn advance(&mut self) -> f64 {
        let at = if self.constant { 0 } else { self.next };
        self.next += 1;
        self.values.get(at).copied().unwrap_or(0.0)
    }

    pub(super) fn has_nan(&self) -> bool {
        self.values.iter().any(|v| v.is_nan())
    }

    /// The greatest value; NaN if there is one.
    pub(super) fn max(&self) -> f64 {
        self.extreme(f64::max, -f64::MAX)
    }

    /// The least value; NaN if there is one.
    pub(super) fn min(&self) -> f64 {
        self.extreme(f64::min, f64::MAX)
    }

    fn extreme(&self, better: fn(f64, f64) -> f64, start: f64) -> f64 {
        if self.values.is_empty() {
            0.0
        } else if self.has_nan() {
            f64::NAN
        } else {
            self.values.iter().fold(start, |best, v| better(best, *v))
        }
    }
}
