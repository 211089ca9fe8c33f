use std::time::Duration;

use super::Error;
use crate::model::{Labels, SampleValue};
use crate::promql::ast::Expr;
use crate::storage::Storage;
use crate::time::Timestamp;

/// One element of a query's result.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: SampleValue,
}

/// A template of a rule that wants to be expanded.
#[derive(Debug, Clone, Copy)]
pub struct Expansion<'a> {
    /// The alert's name; it appears in errors.
    pub alert: &'a str,
    /// The template.
    pub text: &'a str,
    /// The labels of the query's result, name included.
    pub labels: &'a Labels,
    /// The value of the query's result.
    pub value: &'a SampleValue,
    /// The evaluation time.
    pub now: Timestamp,
}

/// Answers an instant query.
pub type Query<'a> = dyn Fn(&Expr, Timestamp) -> Result<Vec<Point>, Error> + 'a;

/// What a rule needs of the world while it is evaluated.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub struct EvalContext<'a> {
    /// Answers an instant query; scalars come as one element without labels.
    pub query: &'a Query<'a>,
    /// Expands a template; the error's text ends up in the label or annotation, as upstream does it.
    pub expand: &'a dyn Fn(&Expansion<'_>) -> Result<String, String>,
    /// Where results are written.
    pub storage: &'a dyn Storage,
    /// A stopwatch's reading, to tell how long rules take.
    pub stopwatch: &'a dyn Fn() -> Duration,
}
