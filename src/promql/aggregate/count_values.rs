//! `count_values`: how many series of a group have the same value.

use std::collections::HashMap;

use super::group_labels;
use crate::model::Labels;
use crate::promql::Error;
use crate::promql::PointValue;
use crate::promql::engine::context::{Matrix, Sample, Vector};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::{Aggregate, Kind};
use crate::text::gofmt::float_f;

pub(super) fn count_values(
    evaluator: &Evaluator<'_, '_>,
    aggregate: &Aggregate,
) -> Result<Matrix, Error> {
    let param = aggregate.param.as_deref().map(|node| &node.inner().kind);
    let Some(Kind::String(label)) = param else {
        return Ok(Matrix::new());
    };
    if label.value.is_empty() || label.bytes.is_some() {
        return Err(Error::execution(format!(
            "invalid label name {}",
            label.quoted()
        )));
    }
    let label = label.value.as_str();
    let mut grouping = aggregate.grouping.clone();
    if !aggregate.without {
        grouping.push(label.to_owned());
        grouping.sort_unstable();
    }
    evaluator.at_each_step(&[&aggregate.expr], None, |step| {
        let vector = step.vectors.first_mut().map(std::mem::take);
        let mut counts: Vec<(Sample, f64)> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        for sample in vector.unwrap_or_default() {
            let value = match &sample.value {
                PointValue::Float(v) => float_f(*v),
                PointValue::Histogram(h) => h.to_string(),
            };
            let labels = group_labels(
                &sample.labels.with(label, &value),
                &grouping,
                aggregate.without,
            );
            let free = counts.len();
            let at = *known.entry(labels.clone()).or_insert(free);
            match counts.get_mut(at) {
                Some((_, count)) => *count += 1.0,
                None => counts.push((Sample::new(labels, 0.0), 1.0)),
            }
        }
        Ok(counts
            .into_iter()
            .map(|(mut sample, count)| {
                sample.value = PointValue::Float(count);
                sample
            })
            .collect::<Vector>())
    })
}
