//! Functions over the vectors of one step.

use std::sync::Arc;

use super::{absent_labels, date, histogram, math, sort};
use crate::model::{FloatHistogram, Labels};
use crate::promql::ast::PosRange;
use crate::promql::engine::call::scalar;
use crate::promql::engine::context::{Context, Sample, Vector};
use crate::promql::engine::plan::{Call, Node};
use crate::promql::engine::steps::Step;

/// A function over the arguments at one step.
pub(crate) type InstantFunction = fn(&mut CallInput<'_, '_>) -> Vector;

/// What such a function sees.
pub(crate) struct CallInput<'a, 'q> {
    pub(crate) call: &'a Call,
    pub(crate) step: &'a mut Step,
    pub(crate) context: &'a Context<'q>,
}

impl CallInput<'_, '_> {
    /// Takes the vector of an argument.
    pub(crate) fn vector(&mut self, at: usize) -> Vector {
        self.step
            .vectors
            .get_mut(at)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The value of a scalar argument.
    pub(crate) fn scalar(&self, at: usize) -> Option<f64> {
        self.step.vectors.get(at)?.first()?.value.float()
    }

    /// Where an argument stands.
    pub(crate) fn pos(&self, at: usize) -> PosRange {
        self.call.args.get(at).map_or(self.call.pos, |arg| arg.pos)
    }

    /// A sample whose value means something else now.
    pub(crate) fn changed(&self, sample: &Sample, value: f64) -> Sample {
        Sample::new(self.context.renamed(&sample.labels), value).dropping_name()
    }

    /// Applies `change` to all floats of an argument; histograms are left out.
    pub(crate) fn map_floats(&mut self, at: usize, change: impl Fn(f64) -> f64) -> Vector {
        let vector = self.vector(at);
        vector
            .iter()
            .filter_map(|sample| Some(self.changed(sample, change(sample.value.float()?))))
            .collect()
    }

    /// Applies `change` to all histograms of an argument; floats are left out.
    pub(crate) fn map_histograms(
        &mut self,
        at: usize,
        change: impl Fn(&Arc<FloatHistogram>) -> f64,
    ) -> Vector {
        let vector = self.vector(at);
        vector
            .iter()
            .filter_map(|sample| Some(self.changed(sample, change(sample.value.histogram()?))))
            .collect()
    }
}

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<InstantFunction> {
    if let Some(function) = math::function(name).or_else(|| date::function(name)) {
        return Some(function);
    }
    Some(match name {
        "time" => |input| scalar(input.step.t as f64 / 1000.0),
        "pi" => |_| scalar(std::f64::consts::PI),
        "vector" => |input| scalar(input.scalar(0).unwrap_or(f64::NAN)),
        "scalar" => to_scalar,
        "absent" => absent,
        "timestamp" => timestamp,
        // The samples of an expression have no start time any more.
        "start_timestamp" => |_| Vector::new(),
        "sort" => sort::ascending,
        "sort_desc" => sort::descending,
        "sort_by_label" => sort::by_label,
        "sort_by_label_desc" => sort::by_label_descending,
        "histogram_count" => |input| input.map_histograms(0, |h| h.count),
        "histogram_sum" => |input| input.map_histograms(0, |h| h.sum),
        "histogram_avg" => |input| input.map_histograms(0, |h| h.sum / h.count),
        "histogram_stdvar" => |input| input.map_histograms(0, |h| histogram::variance(h)),
        "histogram_stddev" => |input| input.map_histograms(0, |h| histogram::variance(h).sqrt()),
        "histogram_quantile" => histogram::quantile,
        "histogram_quantiles" => histogram::quantiles,
        "histogram_fraction" => histogram::fraction,
        _ => return None,
    })
}

/// The only float, or NaN.
fn to_scalar(input: &mut CallInput<'_, '_>) -> Vector {
    let vector = input.vector(0);
    let mut floats = vector.iter().filter_map(|sample| sample.value.float());
    scalar(match (floats.next(), floats.next()) {
        (Some(only), None) => only,
        _ => f64::NAN,
    })
}

fn absent(input: &mut CallInput<'_, '_>) -> Vector {
    if input.vector(0).is_empty() {
        let labels = input
            .call
            .args
            .first()
            .map_or_else(Labels::empty, |arg: &Node| absent_labels(arg));
        vec![Sample::new(labels, 1.0)]
    } else {
        Vector::new()
    }
}

/// Evaluated samples carry the time of the step.
fn timestamp(input: &mut CallInput<'_, '_>) -> Vector {
    let seconds = input.step.t as f64 / 1000.0;
    let vector = input.vector(0);
    vector
        .iter()
        .map(|sample| input.changed(sample, seconds))
        .collect()
}
