//! Functions over a window of samples of one series.

use std::sync::Arc;

use super::{changes, over_time, rate, regression};
use crate::model::{FloatHistogram, Labels};
use crate::promql::PointValue;
use crate::promql::annotations::Annotations;
use crate::promql::ast::PosRange;
use crate::promql::engine::context::{Context, metric_name};
use crate::promql::engine::plan::Extension;

/// A function over a range; `None` when there is no result at this step.
pub(crate) type RangeFunction = fn(&RangeInput<'_>) -> Option<PointValue>;

/// What a range function sees.
pub(crate) struct RangeInput<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) floats: &'a [(i64, f64)],
    pub(crate) histograms: &'a [(i64, Arc<FloatHistogram>)],
    /// Start times of `floats`; empty when they are not used.
    pub(crate) float_starts: &'a [i64],
    /// Start times of `histograms`; empty when they are not used.
    pub(crate) histogram_starts: &'a [i64],
    /// The range's start, excluded.
    pub(crate) start_ms: i64,
    /// The range's end, included.
    pub(crate) end_ms: i64,
    pub(crate) range_ms: i64,
    /// The time of the step.
    pub(crate) eval_ms: i64,
    pub(crate) extension: Extension,
    /// The scalar arguments in order.
    pub(crate) scalars: &'a [f64],
    /// The first argument, which remarks point to.
    pub(crate) pos: PosRange,
    pub(crate) context: &'a Context<'a>,
}

impl RangeInput<'_> {
    pub(crate) fn name(&self) -> &str {
        metric_name(self.labels)
    }

    pub(crate) fn note(&self, add: impl FnOnce(&mut Annotations, &str, PosRange)) {
        self.context.note(|notes| add(notes, self.name(), self.pos));
    }

    pub(crate) fn scalar(&self, at: usize) -> f64 {
        self.scalars.get(at).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn range_seconds(&self) -> f64 {
        self.range_ms as f64 / 1000.0
    }

    /// Remarks that histograms among floats were ignored.
    pub(crate) fn note_ignored_histograms(&self) {
        if !self.histograms.is_empty() {
            self.note(Annotations::ignored_in_mixed_range);
        }
    }
}

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "changes" => changes::changes,
        "resets" => changes::resets,
        "deriv" => regression::deriv,
        "predict_linear" => regression::predict_linear,
        "double_exponential_smoothing" => regression::double_exponential_smoothing,
        "avg_over_time" => over_time::avg,
        "sum_over_time" => over_time::sum,
        "count_over_time" => {
            |input| Some(((input.floats.len() + input.histograms.len()) as f64).into())
        }
        "min_over_time" => over_time::min,
        "max_over_time" => over_time::max,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "quantile_over_time" => over_time::quantile,
        "mad_over_time" => over_time::mad,
        "first_over_time" => over_time::first,
        "last_over_time" => over_time::last,
        "ts_of_first_over_time" => |input| Some(over_time::ts_of_first(input)),
        "ts_of_last_over_time" => |input| Some(over_time::ts_of_last(input)),
        "ts_of_min_over_time" => over_time::ts_of_min,
        "ts_of_max_over_time" => over_time::ts_of_max,
        "present_over_time" | "absent_over_time" => |_| Some(1.0.into()),
        _ => return None,
    })
}
