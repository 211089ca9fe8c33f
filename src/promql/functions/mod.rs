//! The functions of PromQL, one file per family.
//!
//! [`range`] lists those over a window of samples, [`instant`] those over a vector at one step; the
//! rest work on whole series.

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp};
use crate::promql::engine::plan::{Kind, Node};

pub(crate) mod changes;
pub(crate) mod date;
pub(crate) mod extended;
pub(crate) mod histogram;
pub(crate) mod info;
pub(crate) mod instant;
pub(crate) mod labels;
pub(crate) mod math;
pub(crate) mod over_time;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod regression;
pub(crate) mod sort;

/// The labels of `absent`: those that the selector asks to be equal to something, once each.
pub(crate) fn absent_labels(arg: &Node) -> Labels {
    let matchers = match &arg.kind {
        Kind::Vector(selector) => &selector.matchers,
        Kind::Matrix(range) => &range.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut labels = LabelsBuilder::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers {
        if matcher.name == METRIC_NAME {
            continue;
        }
        if matcher.op == MatchOp::Equal && !seen.contains(&matcher.name.as_str()) {
            labels.set(&matcher.name, &matcher.value);
            seen.push(&matcher.name);
        } else {
            labels.remove(&matcher.name);
        }
    }
    labels.build()
}
