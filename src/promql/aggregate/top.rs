//! `topk`, `bottomk`, `limitk` and `limit_ratio`: some series of each group, unchanged.

use super::heap::{Heap, Less, greatest, least};
use super::{Groups, Param};
use crate::model::Labels;
use crate::promql::ast::{AggregateOp, PosRange};
use crate::promql::engine::context::{Matrix, Sample, Series};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::Aggregate;
use crate::promql::engine::steps::{Collector, Reader};
use crate::promql::{Error, PointValue};
use crate::text::gofmt::float_g;

/// The least and greatest number that fits into 64 bits with a sign, as upstream has them.
const INT_MIN: f64 = -9_223_372_036_854_775_808.0;
const INT_MAX: f64 = 9_223_372_036_854_774_784.0;

pub(super) fn top(
    evaluator: &Evaluator<'_, '_>,
    aggregate: &Aggregate,
    pos: PosRange,
    input: &Matrix,
    groups: &Groups,
    param: &mut Param,
) -> Result<Matrix, Error> {
    let context = evaluator.context;
    if !check(evaluator, aggregate.op, param)? {
        return Ok(Matrix::new());
    }
    let mut reader = Reader::new(input);
    let mut collector = Collector::new();
    let mut only = Matrix::new();
    for t in evaluator.steps() {
        context.tick()?;
        let value = param.advance();
        let choice = Choice::of(aggregate.op, value, input.len());
        let mut heaps: Vec<Heap> = vec![Heap::default(); groups.labels.len()];
        for (at, (series, group)) in input.iter().zip(&groups.of_series).enumerate() {
            let Some(value) = reader.value(at, t) else {
                continue;
            };
            let Some(heap) = heaps.get_mut(*group) else {
                continue;
            };
            let sample = Sample {
                labels: series.labels.clone(),
                value,
                drop_name: series.drop_name,
            };
            if !choice.offer(heap, sample) {
                context.note(|notes| notes.ignored_in_aggregation(aggregate.op.as_str(), pos));
            }
        }
        for heap in heaps {
            for sample in choice.result(heap) {
                context.hold(sample.value.size())?;
                if evaluator.is_instant() {
                    let mut series = Series {
                        labels: sample.labels,
                        drop_name: sample.drop_name,
                        ..Series::default()
                    };
                    series.push(t, sample.value);
                    only.push(series);
                } else {
                    collector.add(t, sample)?;
                }
            }
        }
    }
    Ok(if evaluator.is_instant() {
        only
    } else {
        collector.finish()
    })
}

/// Looks at the parameter; false when nothing is wanted at any step.
fn check(evaluator: &Evaluator<'_, '_>, op: AggregateOp, param: &Param) -> Result<bool, Error> {
    let (min, max) = (param.min(), param.max());
    if op == AggregateOp::LimitRatio {
        if max == 0.0 && min == 0.0 {
            return Ok(false);
        }
        if param.has_nan() {
            return Err(Error::execution("Ratio value is NaN"));
        }
        evaluator.context.note(|notes| {
            if max > 1.0 {
                notes.invalid_ratio(max, 1.0, param.pos);
            }
            if min < -1.0 {
                notes.invalid_ratio(min, -1.0, param.pos);
            }
        });
        return Ok(true);
    }
    if max < 1.0 {
        return Ok(false);
    }
    if param.has_nan() {
        return Err(Error::execution("Parameter value is NaN"));
    }
    if min <= INT_MIN {
        return Err(Error::execution(format!(
            "Scalar value {} underflows int64",
            float_g(min)
        )));
    }
    if max >= INT_MAX {
        return Err(Error::execution(format!(
            "Scalar value {} overflows int64",
            float_g(max)
        )));
    }
    Ok(true)
}

/// Which samples of a group are wanted at one step.
#[derive(Debug, Clone, Copy)]
enum Choice {
    /// So many at one end of the values.
    Extreme { count: usize, less: Less },
    /// The first so many.
    First { count: usize },
    /// A share of all series, the same at every step.
    Share { ratio: f64 },
}

impl Choice {
    fn of(op: AggregateOp, param: f64, series: usize) -> Self {
        let count = if param >= 1.0 {
            (param as usize).min(series)
        } else {
            0
        };
        match op {
            AggregateOp::Topk => Self::Extreme { count, less: least },
            AggregateOp::Bottomk => Self::Extreme {
                count,
                less: greatest,
            },
            AggregateOp::Limitk => Self::First { count },
            _ => Self::Share {
                ratio: param.clamp(-1.0, 1.0),
            },
        }
    }

    /// Takes the sample if it is wanted; false when it is of a kind that is never.
    fn offer(self, heap: &mut Heap, sample: Sample) -> bool {
        match self {
            Self::Extreme { count: 0, .. } | Self::First { count: 0 } => true,
            Self::Extreme { count, less } => {
                let PointValue::Float(v) = sample.value else {
                    return false;
                };
                if heap.len() < count {
                    heap.push(v, sample, less);
                } else if !v.is_nan() && heap.root().is_some_and(|root| less(root, v)) {
                    heap.replace_root(v, sample, less);
                }
                true
            }
            Self::First { count } => {
                if heap.len() < count {
                    heap.push(number(&sample), sample, least);
                }
                true
            }
            Self::Share { ratio } => {
                if ratio != 0.0 && within_share(&sample.labels, ratio) {
                    heap.push(number(&sample), sample, least);
                }
                true
            }
        }
    }

    fn result(self, heap: Heap) -> Vec<Sample> {
        match self {
            Self::Extreme { less, .. } => heap.sorted(less).collect(),
            Self::First { .. } | Self::Share { .. } => heap.unsorted().collect(),
        }
    }
}

/// The number that a heap orders by; histograms count as zero.
fn number(sample: &Sample) -> f64 {
    sample.value.float().unwrap_or(0.0)
}

/// Whether a series belongs to the share; the negative ratio `r - 1` selects what `r` leaves out.
fn within_share(labels: &Labels, ratio: f64) -> bool {
    let place = labels.hash64() as f64 / u64::MAX as f64;
    if ratio >= 0.0 {
        place < ratio
    } else {
        place >= 1.0 + ratio
    }
}
