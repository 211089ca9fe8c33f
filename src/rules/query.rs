//! The bridge from rules to the query engine and the template engine.

use super::{Error, Expansion, Point};
use crate::model::{FloatHistogram, Labels, SampleValue};
use crate::promql::ast::Expr;
use crate::promql::engine::{Engine, QueryOptions};
use crate::promql::parser::{ParseOptions, parse};
use crate::promql::{PointValue, Value};
use crate::storage::Storage;
use crate::template::rules::{Expander, QuerySample, SampleText};
use crate::time::Timestamp;

/// Answers an instant query the way rules want it: a scalar becomes one element without labels.
pub fn instant(
    engine: &Engine,
    storage: &dyn Storage,
    expr: &Expr,
    at: Timestamp,
    options: &QueryOptions<'_>,
) -> Result<Vec<Point>, Error> {
    let answer = engine
        .instant(storage, expr, at.as_ms(), options)
        .map_err(|error| Error::Query(error.to_string()))?;
    points(answer.value)
}

/// The answer of an instant query the way rules want it.
pub fn points(value: Value) -> Result<Vec<Point>, Error> {
    match value {
        Value::Vector(samples) => Ok(samples
            .into_iter()
            .map(|sample| Point {
                labels: sample.labels,
                value: sample_value(sample.value),
            })
            .collect()),
        Value::Scalar { v, .. } => Ok(vec![Point {
            labels: Labels::empty(),
            value: SampleValue::Float(v),
        }]),
        Value::String { .. } | Value::Matrix(_) => Err(Error::WrongType),
    }
}

fn sample_value(value: PointValue) -> SampleValue {
    match value {
        PointValue::Float(v) => SampleValue::Float(v),
        PointValue::Histogram(h) => SampleValue::FloatHistogram(h),
    }
}

/// What templates of rules see beside the alert itself.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a store has no short form")]
pub struct TemplateScope<'a> {
    /// Answers the `query` function.
    pub engine: &'a Engine,
    /// What it reads.
    pub storage: &'a dyn Storage,
    /// Feature switches for its expressions.
    pub parse_options: &'a ParseOptions,
    /// `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`.
    pub external_url: &'a str,
}

impl TemplateScope<'_> {
    /// Expands a label or annotation of an alert.
    pub fn expand(&self, request: &Expansion<'_>) -> Result<String, String> {
        let query = |text: &str, at: Timestamp| self.query(text, at);
        let expander = Expander {
            name: &format!("__alert_{}", request.alert),
            external_labels: self.external_labels,
            external_url: self.external_url,
            now: request.now,
            query: &query,
        };
        expander
            .expand(request.text, request.labels, &shown(request.value))
            .map_err(|error| error.to_string())
    }

    fn query(&self, text: &str, at: Timestamp) -> Result<Vec<QuerySample>, String> {
        let first = |errors: Vec<crate::promql::parser::ParseError>| {
            errors.first().map_or_else(String::new, ToString::to_string)
        };
        let expr = parse(text, self.parse_options).map_err(first)?;
        let points = instant(
            self.engine,
            self.storage,
            &expr,
            at,
            &QueryOptions::default(),
        )
        .map_err(|error| error.to_string())?;
        Ok(points
            .into_iter()
            .map(|point| QuerySample {
                value: shown(&point.value),
                labels: point.labels,
            })
            .collect())
    }
}

/// A value as templates see it; histograms as PromQL prints them.
fn shown(value: &SampleValue) -> SampleText {
    let text = |h: &FloatHistogram| SampleText::Histogram(h.to_string());
    match value {
        SampleValue::Float(v) => SampleText::Float(*v),
        SampleValue::FloatHistogram(h) => text(h),
        SampleValue::Histogram(h) => text(&h.to_float()),
    }
}
