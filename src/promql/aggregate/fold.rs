//! Aggregations that make one value of each group.

use super::{Groups, Param};
use crate::model::FloatHistogram;
use crate::model::histogram::kahan_inc;
use crate::promql::ast::AggregateOp;
use crate::promql::engine::context::{Matrix, Series, metric_name};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::Aggregate;
use crate::promql::engine::steps::Reader;
use crate::promql::functions::over_time::{HistogramMean, Mean, Seen};
use crate::promql::functions::quantile::quantile;
use crate::promql::{Error, PointValue};

pub(super) fn fold(
    evaluator: &Evaluator<'_, '_>,
    aggregate: &Aggregate,
    input: &Matrix,
    groups: &Groups,
    param: &mut Param,
) -> Result<Matrix, Error> {
    let context = evaluator.context;
    if aggregate.op == AggregateOp::Quantile {
        note_quantile(evaluator, param);
    }
    let mut out: Matrix = groups
        .labels
        .iter()
        .map(|labels| Series {
            labels: labels.clone(),
            ..Series::default()
        })
        .collect();
    let mut reader = Reader::new(input);
    for t in evaluator.steps() {
        context.tick()?;
        let q = param.advance();
        let mut sums: Vec<Option<Group>> = vec![None; out.len()];
        for (at, (series, group)) in input.iter().zip(&groups.of_series).enumerate() {
            let Some(value) = reader.value(at, t) else {
                continue;
            };
            let Some(sum) = sums.get_mut(*group) else {
                continue;
            };
            if is_ignored(aggregate.op, &value) {
                context.note(|notes| {
                    notes.ignored_in_aggregation(aggregate.op.as_str(), aggregate.expr_pos);
                });
                continue;
            }
            let sum = sum.get_or_insert_with(|| Group::new(aggregate.op));
            if sum.failed {
                continue;
            }
            sum.drop_name |= series.drop_name;
            let mut seen = Seen::default();
            if sum.add(&value, &mut seen).is_err() {
                sum.failed = true;
                let name = metric_name(&series.labels);
                context.note(|notes| notes.mixed_exponential_custom(name, aggregate.expr_pos));
            }
            if seen.reconciled {
                context.note(|notes| notes.bounds_reconciled("aggregation", aggregate.expr_pos));
            }
        }
        for (sum, series) in sums.into_iter().zip(&mut out) {
            let Some(sum) = sum else {
                continue;
            };
            let collided = sum.seen.reset && sum.seen.not_reset;
            let drop_name = sum.drop_name;
            if sum.mixed() {
                context.note(|notes| notes.mixed_in_aggregation(aggregate.expr_pos));
                continue;
            }
            if let Some(value) = sum.finish(q) {
                if collided {
                    context.note(|notes| notes.resets_collide("aggregation", aggregate.expr_pos));
                }
                context.hold(value.size())?;
                series.push(t, value);
                series.drop_name = drop_name;
            }
        }
    }
    out.retain(|series| !series.is_empty());
    Ok(out)
}

fn note_quantile(evaluator: &Evaluator<'_, '_>, param: &Param) {
    evaluator.context.note(|notes| {
        if param.has_nan() {
            notes.invalid_quantile(f64::NAN, param.pos);
        }
        if param.max() > 1.0 {
            notes.invalid_quantile(param.max(), param.pos);
        }
        if param.min() < 0.0 {
            notes.invalid_quantile(param.min(), param.pos);
        }
    });
}

/// Whether the aggregation leaves histograms out.
const fn is_ignored(op: AggregateOp, value: &PointValue) -> bool {
    matches!(value, PointValue::Histogram(_))
        && matches!(
            op,
            AggregateOp::Min
                | AggregateOp::Max
                | AggregateOp::Stddev
                | AggregateOp::Stdvar
                | AggregateOp::Quantile
        )
}

/// One group at one step.
#[derive(Debug, Clone)]
struct Group {
    sum: Sum,
    has_float: bool,
    has_histogram: bool,
    /// Histograms did not fit together.
    failed: bool,
    drop_name: bool,
    seen: Seen,
}

#[derive(Debug, Clone)]
enum Sum {
    Total {
        float: f64,
        c: f64,
        histogram: Option<Box<FloatHistogram>>,
        comp: Option<FloatHistogram>,
    },
    Avg {
        float: Mean,
        histogram: Box<HistogramMean>,
    },
    Count(f64),
    Group,
    Min(Option<f64>),
    Max(Option<f64>),
    /// Welford's variance.
    Deviation {
        root: bool,
        count: f64,
        mean: f64,
        squares: f64,
    },
    Quantile(Vec<f64>),
}

impl Group {
    fn new(op: AggregateOp) -> Self {
        let sum = match op {
            AggregateOp::Sum => Sum::Total {
                float: 0.0,
                c: 0.0,
                histogram: None,
                comp: None,
            },
            AggregateOp::Avg => Sum::Avg {
                float: Mean::default(),
                histogram: Box::default(),
            },
            AggregateOp::Count => Sum::Count(0.0),
            AggregateOp::Min => Sum::Min(None),
            AggregateOp::Max => Sum::Max(None),
            AggregateOp::Stddev | AggregateOp::Stdvar => Sum::Deviation {
                root: op == AggregateOp::Stddev,
                count: 0.0,
                mean: 0.0,
                squares: 0.0,
            },
            AggregateOp::Quantile => Sum::Quantile(Vec::new()),
            _ => Sum::Group,
        };
        Self {
            sum,
            has_float: false,
            has_histogram: false,
            failed: false,
            drop_name: false,
            seen: Seen::default(),
        }
    }

    /// Whether it saw both kinds where they do not mix.
    const fn mixed(&self) -> bool {
        self.has_float
            && self.has_histogram
            && matches!(self.sum, Sum::Total { .. } | Sum::Avg { .. })
    }

    fn add(
        &mut self,
        value: &PointValue,
        seen: &mut Seen,
    ) -> Result<(), crate::model::histogram::HistogramError> {
        let first_of_all = !self.has_float && !self.has_histogram;
        match value {
            PointValue::Histogram(h) => {
                // compat: histograms after floats are not even looked at.
                let skip = self.has_float && !self.has_histogram;
                self.has_histogram = true;
                if matches!(self.sum, Sum::Total { .. } | Sum::Avg { .. }) && !skip {
                    self.seen.hint(h);
                }
                match &mut self.sum {
                    Sum::Total {
                        histogram, comp, ..
                    } if !skip => match histogram {
                        Some(sum) => seen.reconciled |= sum.kahan_add(h, comp)?.bounds_reconciled,
                        None => *histogram = Some(Box::new(h.as_ref().clone())),
                    },
                    Sum::Avg { histogram, .. } if !skip => histogram.add(h, seen)?,
                    Sum::Count(count) => *count += 1.0,
                    _ => {}
                }
            }
            PointValue::Float(v) => {
                self.has_float = true;
                self.add_float(*v, first_of_all);
            }
        }
        Ok(())
    }

    fn add_float(&mut self, v: f64, first: bool) {
        match &mut self.sum {
            Sum::Total { float, c, .. } => {
                if first {
                    *float = v;
                } else {
                    (*float, *c) = kahan_inc(v, *float, *c);
                }
            }
            Sum::Avg { float, .. } => float.add(v),
            Sum::Count(count) => *count += 1.0,
            Sum::Group => {}
            Sum::Min(min) => {
                if min.is_none_or(|min| min > v || min.is_nan()) {
                    *min = Some(v);
                }
            }
            Sum::Max(max) => {
                if max.is_none_or(|max| max < v || max.is_nan()) {
                    *max = Some(v);
                }
            }
            Sum::Deviation {
                count,
                mean,
                squares,
                ..
            } => {
                *count += 1.0;
                if *count == 1.0 {
                    *mean = v;
                    *squares = if v.is_finite() { 0.0 } else { f64::NAN };
                } else {
                    let delta = v - *mean;
                    *mean += delta / *count;
                    *squares += delta * (v - *mean);
                }
            }
            Sum::Quantile(values) => values.push(v),
        }
    }

    fn finish(self, q: f64) -> Option<PointValue> {
        if self.failed {
            return None;
        }
        let value = match self.sum {
            Sum::Total {
                histogram: Some(mut sum),
                comp,
                ..
            } => {
                if let Some(comp) = comp {
                    sum.add(&comp).ok()?;
                }
                sum.compact();
                return Some((*sum).into());
            }
            Sum::Avg { histogram, .. } if self.has_histogram => {
                let mut mean = histogram.value().ok()??;
                mean.compact();
                return Some(mean.into());
            }
            Sum::Total { float, c, .. } => {
                if float.is_infinite() {
                    float
                } else {
                    float + c
                }
            }
            Sum::Avg { float, .. } => float.value(),
            Sum::Count(count) => count,
            Sum::Group => 1.0,
            Sum::Min(v) | Sum::Max(v) => v?,
            Sum::Deviation {
                root,
                count,
                squares,
                ..
            } => {
                let variance = squares / count;
                if root { variance.sqrt() } else { variance }
            }
            Sum::Quantile(values) => quantile(q, values.into_iter()),
        };
        Some(PointValue::Float(value))
    }
}
