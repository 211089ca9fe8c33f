//! The query with every time resolved: what the evaluator walks.

use crate::model::Matcher;
use crate::promql::ast::{
    AggregateOp, BinaryOp, PosRange, StringLiteral, ValueType, VectorMatching,
};
use crate::storage::SelectHints;

/// An expression whose times are resolved and whose parentheses are gone.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where it stands in the query, without parentheses around it.
    pub(crate) pos: PosRange,
    pub(crate) value_type: ValueType,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Number(f64),
    String(StringLiteral),
    Vector(Selector),
    Matrix(RangeSelector),
    Subquery(Subquery),
    Call(Call),
    Binary(Binary),
    Negate(Box<Node>),
    Aggregate(Aggregate),
    /// The same at every step, so it is evaluated once.
    StepInvariant(Box<Node>),
}

/// The place in time that a selector or subquery looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) offset_ms: i64,
    /// The time of the `@` modifier.
    pub(crate) at_ms: Option<i64>,
}

impl Moment {
    /// Where to look at step `t`.
    pub(crate) const fn reference(self, t: i64) -> i64 {
        match self.at_ms {
            Some(at) => at.saturating_sub(self.offset_ms),
            None => t.saturating_sub(self.offset_ms),
        }
    }
}

/// How samples outside of a range take part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    Plain,
    Anchored,
    Smoothed,
}

#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) moment: Moment,
    pub(crate) extension: Extension,
    pub(crate) hints: SelectHints,
    /// Whether only the count and the sum of histograms matter.
    pub(crate) stats_only: bool,
}

#[derive(Debug)]
pub(crate) struct RangeSelector {
    pub(crate) selector: Selector,
    pub(crate) range_ms: i64,
}

#[derive(Debug)]
pub(crate) struct Subquery {
    pub(crate) expr: Box<Node>,
    pub(crate) range_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) moment: Moment,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<Node>,
    pub(crate) pos: PosRange,
}

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) lhs: Box<Node>,
    pub(crate) rhs: Box<Node>,
    pub(crate) matching: Option<VectorMatching>,
    pub(crate) return_bool: bool,
}

#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) expr: Box<Node>,
    /// Where `expr` stands, with parentheses around it.
    pub(crate) expr_pos: PosRange,
    pub(crate) param: Option<Box<Node>>,
    /// Sorted.
    pub(crate) grouping: Vec<String>,
    pub(crate) without: bool,
}

impl Node {
    /// The node within a step-invariant one.
    pub(crate) fn inner(&self) -> &Self {
        match &self.kind {
            Kind::StepInvariant(inner) => inner,
            _ => self,
        }
    }

    /// The text of a string argument.
    pub(crate) fn text(&self) -> &str {
        match &self.inner().kind {
            Kind::String(text) => &text.value,
            _ => "",
        }
    }
}
