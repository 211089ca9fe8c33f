use std::collections::HashSet;

use super::{Error, EvalContext, Point};
use crate::model::{Labels, LabelsBuilder, METRIC_NAME};
use crate::promql::ast::Expr;
use crate::time::Timestamp;

/// What a recording rule is made of.
#[derive(Debug, Clone)]
pub struct RecordingRuleOptions {
    /// The metric that is written.
    pub name: String,
    /// The expression.
    pub expr: Expr,
    /// The expression as it is shown.
    pub query: String,
    /// Labels that are added or, when empty, removed; the group's labels are merged in already.
    pub labels: Vec<(String, String)>,
}

/// Writes the result of an expression under a new name.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    options: RecordingRuleOptions,
}

impl RecordingRule {
    /// Takes checked options.
    pub const fn new(options: RecordingRuleOptions) -> Self {
        Self { options }
    }

    /// The metric that is written.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// What the rule is made of.
    pub const fn options(&self) -> &RecordingRuleOptions {
        &self.options
    }

    /// The rule's labels, the group's included.
    pub fn labels(&self) -> Labels {
        Labels::from_pairs(self.options.labels.iter().map(|(n, v)| (n, v)))
    }

    /// Evaluates the expression at `query_time` and gives the series to write.
    pub(super) fn evaluate(
        &self,
        query_time: Timestamp,
        limit: usize,
        context: &EvalContext<'_>,
    ) -> Result<Vec<Point>, Error> {
        let mut points = (context.query)(&self.options.expr, query_time)?;
        let mut seen = HashSet::with_capacity(points.len());
        for point in &mut points {
            let mut labels = LabelsBuilder::from(&point.labels);
            labels.set(METRIC_NAME, &self.options.name);
            for (name, value) in &self.options.labels {
                labels.set(name, value);
            }
            point.labels = labels.build();
            if !seen.insert(point.labels.clone()) {
                return Err(Error::DuplicateSeries);
            }
        }
        if limit > 0 && points.len() > limit {
            return Err(Error::TooManySeries {
                limit,
                count: points.len(),
            });
        }
        Ok(points)
    }
}
