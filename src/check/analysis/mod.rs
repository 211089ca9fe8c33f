//! What can the results of an expression look like? Which labels, between which bounds the values, and
//! whether there is a result at all: worked out from the expression alone, for every node of it.
//!
//! [`Analysis::new`] walks an expression once, from the leaves up; [`Analysis::of`] answers for a node.
//! Everything said holds for all data: where nothing is certain the answer is "anything".

mod binary;
mod call;
mod labels;
pub mod metrics;
mod part;
mod range;
pub mod well_known;

use hashbrown::HashMap;

use crate::promql::ast::{AggregateExpr, AggregateOp, Expr, VectorSelector};

pub use labels::LabelFlow;
pub use part::{is_part_of, same};
pub use range::{ValueRange, Verdict};

/// What is known of the results of an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Their labels.
    pub labels: LabelFlow,
    /// Their values.
    pub range: ValueRange,
    /// Why the values have the bounds that they have.
    pub because: Option<&'static str>,
    /// Whether a condition may take results away: a comparison, `and`, `unless`, `absent`.
    pub filters: bool,
    /// Whether there is a result whatever the data is.
    pub always: bool,
}

impl Shape {
    fn scalar(range: ValueRange, expr: &Expr) -> Self {
        Self {
            labels: LabelFlow::none(expr.pos()),
            range,
            because: None,
            filters: false,
            always: true,
        }
    }

    fn with_range(self, range: ValueRange, because: Option<&'static str>) -> Self {
        Self {
            range,
            because,
            ..self
        }
    }
}

/// The shapes of all nodes of an expression.
#[derive(Debug)]
pub struct Analysis<'e> {
    root: &'e Expr,
    nodes: Vec<&'e Expr>,
    shapes: HashMap<*const Expr, Shape>,
    unknown: Shape,
}

impl<'e> Analysis<'e> {
    /// Works out the shapes.
    pub fn new(root: &'e Expr) -> Self {
        let mut nodes = Vec::new();
        root.walk(|expr| nodes.push(expr));
        let mut analysis = Self {
            root,
            shapes: HashMap::with_capacity(nodes.len()),
            unknown: Shape {
                labels: LabelFlow::default(),
                range: ValueRange::ANY,
                because: None,
                filters: true,
                always: false,
            },
            nodes: Vec::new(),
        };
        // Parents come before their children, so from behind every child is known before its parent.
        for expr in nodes.iter().rev() {
            let shape = analysis.shape(expr);
            analysis.shapes.insert(std::ptr::from_ref(*expr), shape);
        }
        analysis.nodes = nodes;
        analysis
    }

    /// The whole expression.
    pub fn root(&self) -> &'e Expr {
        self.root
    }

    /// The shape of the whole expression.
    pub fn result(&self) -> &Shape {
        self.of(self.root)
    }

    /// Every node, parents before children.
    pub fn nodes(&self) -> &[&'e Expr] {
        &self.nodes
    }

    /// Every selector of series, those of ranges too.
    pub fn selectors(&self) -> impl Iterator<Item = &'e VectorSelector> {
        self.nodes.iter().filter_map(|expr| match expr {
            Expr::VectorSelector(selector) => Some(selector),
            Expr::MatrixSelector(matrix) => Some(&matrix.selector),
            _ => None,
        })
    }

    /// The shape of a node of the expression.
    pub fn of(&self, expr: &Expr) -> &Shape {
        self.shapes
            .get(&std::ptr::from_ref(expr))
            .unwrap_or(&self.unknown)
    }

    fn shape(&self, expr: &Expr) -> Shape {
        match expr {
            Expr::Number(number) => Shape::scalar(ValueRange::exactly(number.value), expr),
            Expr::String(_) => Shape::scalar(ValueRange::ANY, expr),
            Expr::VectorSelector(selector) => series(selector),
            Expr::MatrixSelector(matrix) => series(&matrix.selector),
            Expr::Subquery(subquery) => self.of(&subquery.expr).clone(),
            Expr::Paren(paren) => self.of(&paren.expr).clone(),
            Expr::Unary(unary) => {
                let inner = self.of(&unary.expr).clone();
                let range = match unary.op {
                    crate::promql::ast::UnaryOp::Plus => inner.range,
                    crate::promql::ast::UnaryOp::Minus => inner.range.negated(),
                };
                let because = inner.because;
                inner.with_range(range, because)
            }
            Expr::Aggregate(aggregate) => aggregation(aggregate, self.of(&aggregate.expr)),
            Expr::Call(call) => call::shape(self, call, expr),
            Expr::Binary(binary) => {
                binary::shape(binary, self.of(&binary.lhs), self.of(&binary.rhs))
            }
        }
    }
}

fn series(selector: &VectorSelector) -> Shape {
    let name = metric_name(selector);
    let range = name.map_or(ValueRange::ANY, metrics::range);
    Shape {
        labels: LabelFlow::selected(&selector.matchers, selector.pos),
        range,
        because: name.filter(|_| range.is_bounded()).map(|name| {
            if range.high == 1.0 {
                "the metric is 0 or 1"
            } else if metrics::is_surely_counter(name) {
                "a counter is never negative"
            } else {
                "the metric is never negative"
            }
        }),
        filters: false,
        always: false,
    }
}

/// The name of the metric that a selector selects, when it is one.
pub fn metric_name(selector: &VectorSelector) -> Option<&str> {
    if !selector.name.is_empty() {
        return Some(&selector.name);
    }
    selector
        .matchers
        .iter()
        .find(|m| m.name == "__name__" && m.op == crate::model::MatchOp::Equal)
        .map(|m| m.value.as_str())
}

fn aggregation(aggregate: &AggregateExpr, inner: &Shape) -> Shape {
    let mut labels = inner.labels.clone();
    let keeps_series = matches!(
        aggregate.op,
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
    );
    if !keeps_series {
        if aggregate.without {
            labels.drop_all(&aggregate.grouping, aggregate.pos);
        } else {
            labels.keep(&aggregate.grouping, aggregate.pos);
        }
    }
    if aggregate.op == AggregateOp::CountValues
        && let Some(Expr::String(label)) = aggregate.param.as_deref().map(Expr::unwrap_parens)
    {
        labels.add(&label.value, true);
    }
    let (range, because) = aggregated_range(aggregate.op, inner);
    Shape {
        labels,
        range,
        because,
        filters: inner.filters,
        always: inner.always && aggregate.grouping.is_empty(),
    }
}

fn aggregated_range(op: AggregateOp, inner: &Shape) -> (ValueRange, Option<&'static str>) {
    let range = inner.range;
    match op {
        AggregateOp::Sum => {
            let low = if range.low >= 0.0 {
                range.low
            } else {
                f64::NEG_INFINITY
            };
            let high = if range.high <= 0.0 {
                range.high
            } else {
                f64::INFINITY
            };
            let sum = ValueRange {
                whole: range.whole,
                nan: range.nan,
                above_low: range.above_low,
                below_high: range.below_high,
                ..ValueRange::between(low, high)
            };
            (sum, inner.because)
        }
        AggregateOp::Count | AggregateOp::CountValues => (
            ValueRange::between(1.0, f64::INFINITY).whole(),
            Some("the count of no series is no result, not 0"),
        ),
        AggregateOp::Group => (ValueRange::exactly(1.0), Some("group() yields 1")),
        AggregateOp::Stddev | AggregateOp::Stdvar => (
            ValueRange::not_negative().or_nan(),
            Some("a deviation is never negative"),
        ),
        AggregateOp::Avg | AggregateOp::Quantile => (range.fractional(), inner.because),
        AggregateOp::Min
        | AggregateOp::Max
        | AggregateOp::Topk
        | AggregateOp::Bottomk
        | AggregateOp::Limitk
        | AggregateOp::LimitRatio => (range, inner.because),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{ParseOptions, parse};

    fn with<T>(text: &str, see: impl FnOnce(&Shape) -> T) -> T {
        let expr = parse(text, &ParseOptions::default()).unwrap();
        see(Analysis::new(&expr).result())
    }

    #[test]
    fn labels_follow_the_expression() {
        for (text, can, cannot, sure) in [
            ("up{job=\"a\"}", "job instance x", "", "job"),
            ("up{job=\"\"}", "x", "job", ""),
            ("sum by (job) (up)", "job", "instance", ""),
            ("sum by (job) (up{job=~\"a|b\"})", "job", "x", "job"),
            ("sum(up)", "", "job", ""),
            ("sum without (job) (up)", "x", "job", ""),
            ("sum by (job) (sum without (job) (up))", "", "job", ""),
            ("topk(3, up)", "job", "", ""),
            ("count_values(\"v\", up)", "v", "job", "v"),
            ("a * on (x) group_left (y) b", "x y z", "", ""),
            ("a * on (x) b", "x", "y", ""),
            ("a * ignoring (x) b", "y", "x", ""),
            ("sum by (x) (a) or sum by (y) (b)", "x y", "z", ""),
            ("a and on (x) b{x=\"1\"}", "x y", "", "x"),
            ("sum by (x) (a) * on (x) group_left (y) b", "x y", "z", ""),
            ("absent(up{job=\"a\", x=~\"b\"})", "job", "x", "job"),
            (
                "histogram_quantile(0.9, sum by (le, job) (a))",
                "job",
                "le",
                "",
            ),
            (
                "label_replace(sum(up), \"a\", \"b\", \"\", \"\")",
                "a",
                "job",
                "a",
            ),
            ("vector(1)", "", "job", ""),
            ("rate(a{x=\"1\"}[5m])", "x y", "", "x"),
        ] {
            with(text, |shape| {
                let words = |text: &'static str| text.split_whitespace();
                for label in words(can) {
                    assert!(shape.labels.can_have(label), "{text} has {label}");
                }
                for label in words(cannot) {
                    assert!(!shape.labels.can_have(label), "{text} has no {label}");
                    assert!(shape.labels.lost_at(label).is_some(), "{text} {label}");
                }
                let guaranteed: Vec<&str> =
                    shape.labels.guaranteed.iter().map(String::as_str).collect();
                assert_eq!(guaranteed.join(" "), sure, "{text}");
            });
        }
    }

    #[test]
    fn values_lie_between_their_bounds() {
        for (text, low, high) in [
            ("up", 0.0, 1.0),
            ("1 - up", 0.0, 1.0),
            ("count(a)", 1.0, f64::INFINITY),
            ("rate(a_total[5m])", 0.0, f64::INFINITY),
            (
                "sum(rate(a_total{x=\"1\"}[5m])) / sum(rate(a_total[5m]))",
                0.0,
                1.0,
            ),
            (
                "100 * (1 - sum by (j) (rate(a_total{x=\"1\"}[5m])) / sum by (j) (rate(a_total[5m])))",
                0.0,
                100.0,
            ),
            (
                "(node_filesystem_size_bytes - node_filesystem_avail_bytes) / node_filesystem_size_bytes",
                0.0,
                1.0,
            ),
            (
                "rate(kube_pod_container_status_restarts_total[15m]) * 900",
                0.0,
                9.0,
            ),
            ("absent(a)", 1.0, 1.0),
            ("a > 3", 3.0, f64::INFINITY),
            ("a > bool 3", 0.0, 1.0),
            ("clamp_max(abs(a), 7)", 0.0, 7.0),
            ("a or vector(0)", f64::NEG_INFINITY, f64::INFINITY),
            ("up or vector(3)", 0.0, 3.0),
            ("deriv(a_total[5m])", f64::NEG_INFINITY, f64::INFINITY),
        ] {
            with(text, |shape| {
                let near = |a: f64, b: f64| a == b || (a - b).abs() < 1e-9;
                assert!(
                    near(shape.range.low, low) && near(shape.range.high, high),
                    "{text}: {:?}",
                    shape.range
                );
            });
        }
    }

    #[test]
    fn tall_expressions_are_walked() {
        let text = vec!["up"; 900].join(" / ");
        with(&text, |shape| assert!(shape.range.low >= 0.0));
    }
}
