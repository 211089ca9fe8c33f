//! What an expression can give at most, known without evaluating it, and whether it can fail.
//!
//! A rule that nobody asks about may be left out of a unit test only when its evaluation cannot fail, as
//! an error fails the test. Everything here errs on the safe side: what is not known to be harmless may
//! fail, and is evaluated.

use std::collections::BTreeSet;

use crate::model::METRIC_NAME;
use crate::promql::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, BinaryOp, Call, Expr, ValueType,
    VectorMatchCardinality, VectorMatching, VectorSelector,
};

use super::graph::equal_name;

/// Functions that give a series for each series, without its name.
const PER_SERIES: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "exp",
    "floor",
    "hour",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "present_over_time",
    "predict_linear",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "timestamp",
    "year",
];

/// Functions of which only this is known: of nothing they make nothing, and do not fail at it.
const NOTHING_OF_NOTHING: &[&str] = &[
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantile",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
];

/// What can be said of the series of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A number or a text.
    Scalar,
    /// No series, whatever the time.
    Empty,
    /// Series, perhaps.
    Series(Series),
}

/// What can be said of series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Series {
    /// There is never more than one.
    pub(super) single: bool,
    /// They differ in more than the metric name.
    pub(super) differ_without_name: bool,
    /// The names of their labels but the metric name, no fewer; `None`: any.
    pub(super) labels: Option<BTreeSet<String>>,
}

impl Series {
    fn single() -> Self {
        Self {
            single: true,
            differ_without_name: true,
            labels: None,
        }
    }

    /// Whether they still differ when the metric name and these labels are set alike for all.
    pub(super) fn differ_without<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        self.single
            || self.differ_without_name
                && match &self.labels {
                    Some(labels) => names.all(|name| !labels.contains(name)),
                    None => names.next().is_none(),
                }
    }
}

/// What a selector can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// Series with these labels; any when `None`.
    Floats(Option<BTreeSet<String>>),
    /// Series with histograms, too.
    Histograms,
}

/// The shape of a result, or `None` when evaluating may fail.
pub(super) fn shape(expr: &Expr, find: &dyn Fn(&VectorSelector) -> Found) -> Option<Shape> {
    match expr {
        Expr::Number(_) | Expr::String(_) => Some(Shape::Scalar),
        Expr::VectorSelector(selector) => selected(selector, find),
        Expr::MatrixSelector(matrix) if matrix.range_expr.is_none() => {
            selected(&matrix.selector, find)
        }
        Expr::MatrixSelector(_) => None,
        // Over many steps even harmless results may exceed what a query may hold.
        Expr::Subquery(subquery) => {
            let plain = subquery.range_expr.is_none() && subquery.step_expr.is_none();
            let inner = shape(&subquery.expr, find)?;
            (plain && subquery.offset_expr.is_none() && inner == Shape::Empty).then_some(inner)
        }
        Expr::Paren(paren) => shape(&paren.expr, find),
        Expr::Unary(unary) => nameless(shape(&unary.expr, find)?),
        Expr::Call(call) => called(call, find),
        Expr::Aggregate(aggregate) => aggregated(aggregate, find),
        Expr::Binary(binary) => combined(binary, find),
    }
}

fn selected(selector: &VectorSelector, find: &dyn Fn(&VectorSelector) -> Found) -> Option<Shape> {
    if selector.offset_expr.is_some() || selector.anchored || selector.smoothed {
        return None;
    }
    match find(selector) {
        Found::Nothing => Some(Shape::Empty),
        Found::Histograms => None,
        Found::Floats(labels) => Some(Shape::Series(Series {
            single: false,
            differ_without_name: equal_name(&selector.matchers).is_some(),
            labels,
        })),
    }
}

/// Series that lose their names; that fails when they differ in nothing else.
fn nameless(shape: Shape) -> Option<Shape> {
    match &shape {
        Shape::Series(series) if !series.single && !series.differ_without_name => None,
        _ => Some(shape),
    }
}

fn called(call: &Call, find: &dyn Fn(&VectorSelector) -> Found) -> Option<Shape> {
    let mut vectors = Vec::new();
    for arg in &call.args {
        let shape = shape(arg, find)?;
        if arg.value_type() != ValueType::Scalar && arg.value_type() != ValueType::String {
            vectors.push(shape);
        }
    }
    match (call.func.name, vectors.pop()) {
        ("time" | "pi" | "scalar", _) => Some(Shape::Scalar),
        ("vector" | "absent" | "absent_over_time", _) => Some(Shape::Series(Series::single())),
        // Without an argument they tell of the time of evaluation.
        (name, None) if PER_SERIES.contains(&name) => Some(Shape::Series(Series::single())),
        (name, Some(shape)) if PER_SERIES.contains(&name) => nameless(shape),
        (name, Some(Shape::Empty)) if NOTHING_OF_NOTHING.contains(&name) => Some(Shape::Empty),
        _ => None,
    }
}

fn aggregated(aggregate: &AggregateExpr, find: &dyn Fn(&VectorSelector) -> Found) -> Option<Shape> {
    use AggregateOp as Op;
    let inner = shape(&aggregate.expr, find)?;
    let param_is_number =
        matches!(aggregate.param.as_deref(), Some(Expr::Number(n)) if n.value.abs() < 1e9);
    match aggregate.op {
        Op::Sum | Op::Avg | Op::Min | Op::Max | Op::Count | Op::Group | Op::Stddev | Op::Stdvar => {
        }
        Op::Quantile if param_is_number => {}
        Op::Topk | Op::Bottomk if param_is_number => return Some(inner),
        _ => return None,
    }
    let Shape::Series(series) = inner else {
        return Some(inner);
    };
    let named = aggregate.grouping.iter().any(|name| name == METRIC_NAME);
    let labels = if aggregate.without {
        series.labels
    } else {
        let grouping = aggregate.grouping.iter();
        Some(
            grouping
                .filter(|name| *name != METRIC_NAME)
                .cloned()
                .collect(),
        )
    };
    Some(Shape::Series(Series {
        single: series.single || (!named && labels.as_ref().is_some_and(BTreeSet::is_empty)),
        differ_without_name: aggregate.without || !named,
        labels,
    }))
}

fn combined(binary: &BinaryExpr, find: &dyn Fn(&VectorSelector) -> Found) -> Option<Shape> {
    let lhs = shape(&binary.lhs, find)?;
    let rhs = shape(&binary.rhs, find)?;
    let keeps_names = binary.op.is_comparison() && !binary.return_bool;
    match (lhs, rhs) {
        (Shape::Scalar, Shape::Scalar) => Some(Shape::Scalar),
        (Shape::Scalar, vector) | (vector, Shape::Scalar) => {
            if keeps_names {
                Some(vector)
            } else {
                nameless(vector)
            }
        }
        (lhs, rhs) if binary.op.is_set() => Some(set(binary.op, lhs, rhs)),
        (lhs, rhs) => {
            let matching = binary.matching.clone().unwrap_or_default();
            let filled = matching.fill.lhs.is_some() || matching.fill.rhs.is_some();
            match (lhs, rhs) {
                _ if filled => None,
                (Shape::Series(lhs), Shape::Series(rhs)) => matched(&matching, lhs, &rhs),
                _ => Some(Shape::Empty),
            }
        }
    }
}

fn set(op: BinaryOp, lhs: Shape, rhs: Shape) -> Shape {
    match (op, lhs, rhs) {
        (BinaryOp::And, _, Shape::Empty) | (BinaryOp::And, Shape::Empty, _) => Shape::Empty,
        (BinaryOp::Or, Shape::Empty, other) | (BinaryOp::Or, other, Shape::Empty) => other,
        // The two sides may have series that differ only in their names.
        (BinaryOp::Or, Shape::Series(lhs), Shape::Series(rhs)) => Shape::Series(Series {
            single: false,
            differ_without_name: false,
            labels: lhs.labels.zip(rhs.labels).map(|(a, b)| &a | &b),
        }),
        (_, lhs, _) => lhs,
    }
}

/// Series matched one to one, or many to one without labels taken over.
fn matched(matching: &VectorMatching, lhs: Series, rhs: &Series) -> Option<Shape> {
    let one_to_one = matching.card == VectorMatchCardinality::OneToOne;
    let safe = match matching.card {
        VectorMatchCardinality::OneToOne => is_unique(&lhs, matching) && is_unique(rhs, matching),
        VectorMatchCardinality::ManyToOne => {
            is_unique(rhs, matching)
                && matching.include.is_empty()
                && (lhs.single || lhs.differ_without_name)
        }
        VectorMatchCardinality::OneToMany | VectorMatchCardinality::ManyToMany => false,
    };
    safe.then_some(Shape::Series(Series {
        single: lhs.single || one_to_one && rhs.single,
        // One to one, the labels that decided are all there and differ.
        differ_without_name: one_to_one || lhs.differ_without_name,
        labels: if one_to_one && matching.on {
            Some(matching.labels.iter().cloned().collect())
        } else {
            lhs.labels
        },
    }))
}

/// Whether no two series of a side are alike in the labels that decide.
fn is_unique(side: &Series, matching: &VectorMatching) -> bool {
    if side.single {
        return true;
    }
    let names = || matching.labels.iter().map(String::as_str);
    if !matching.on {
        return side.differ_without(names());
    }
    side.differ_without_name
        && side
            .labels
            .as_ref()
            .is_some_and(|labels| labels.iter().all(|label| names().any(|name| name == label)))
}
