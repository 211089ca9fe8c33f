//! `label_replace` and `label_join`, which look at series and not at samples.

use crate::model::METRIC_NAME;
use crate::promql::Error;
use crate::promql::engine::cleanup::merge_same_labelset;
use crate::promql::engine::context::{Matrix, is_label_name};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::{Call, Node};
use crate::text::regex::Regex;

fn text(call: &Call, at: usize) -> &str {
    call.args.get(at).map(Node::text).unwrap_or_default()
}

fn input(evaluator: &Evaluator<'_, '_>, call: &Call) -> Result<Matrix, Error> {
    call.args
        .first()
        .map_or_else(|| Ok(Matrix::new()), |arg| evaluator.eval(arg))
}

pub(crate) fn label_replace(evaluator: &Evaluator<'_, '_>, call: &Call) -> Result<Matrix, Error> {
    let (target, replacement) = (text(call, 1), text(call, 2));
    let (source, pattern) = (text(call, 3), text(call, 4));
    let regex = Regex::anchored(pattern).map_err(|_| {
        Error::execution(format!(
            "invalid regular expression in label_replace(): {pattern}"
        ))
    })?;
    if !is_label_name(target) {
        return Err(Error::execution(format!(
            "invalid destination label name in label_replace(): {target}"
        )));
    }
    let mut matrix = input(evaluator, call)?;
    for series in &mut matrix {
        let value = series.labels.get(source).unwrap_or_default();
        if let Some(value) = regex.expand(value, replacement) {
            series.labels = series.labels.with(target, &value);
            if target == METRIC_NAME {
                series.drop_name = false;
            }
        }
    }
    merge_same_labelset(matrix)
}

pub(crate) fn label_join(evaluator: &Evaluator<'_, '_>, call: &Call) -> Result<Matrix, Error> {
    let (target, separator) = (text(call, 1), text(call, 2));
    let sources: Vec<&str> = call.args.iter().skip(3).map(Node::text).collect();
    if let Some(source) = sources.iter().find(|source| !is_label_name(source)) {
        return Err(Error::execution(format!(
            "invalid source label name in label_join(): {source}"
        )));
    }
    if !is_label_name(target) {
        return Err(Error::execution(format!(
            "invalid destination label name in label_join(): {target}"
        )));
    }
    let mut matrix = input(evaluator, call)?;
    for series in &mut matrix {
        let values: Vec<&str> = sources
            .iter()
            .map(|source| series.labels.get(source).unwrap_or_default())
            .collect();
        series.labels = series.labels.with(target, &values.join(separator));
        if target == METRIC_NAME {
            series.drop_name = false;
        }
    }
    merge_same_labelset(matrix)
}
