//! From the syntax tree to the plan.

use super::plan::{
    Aggregate, Binary, Call, Extension, Kind, Moment, Node, RangeSelector, Selector, Subquery,
};
use crate::promql::ast::{
    AggregateExpr, At, BinaryExpr, Expr, MatrixSelector, PosRange, SubqueryExpr, UnaryOp,
    ValueType, VectorSelector,
};
use crate::promql::{Error, ast};
use crate::storage::SelectHints;
use crate::time::Span;

/// Functions that depend on the evaluation time even if their arguments do not.
pub(in crate::promql) const DEPEND_ON_TIME: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
];

/// Stands for a subquery among what is around a node.
const SUBQUERY: &str = "[:]";

/// The times of a query in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) start: i64,
    pub(super) end: i64,
    /// 0 for instant queries.
    pub(super) step: i64,
}

/// A query ready to be evaluated.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) root: Node,
    /// The first and last time that any selector looks at.
    pub(super) min_ms: i64,
    pub(super) max_ms: i64,
}

pub(super) fn plan(
    expr: &Expr,
    times: Times,
    lookback_ms: i64,
    subquery_step_ms: i64,
) -> Result<Plan, Error> {
    let mut builder = Builder {
        times,
        lookback_ms,
        subquery_step_ms,
        path: Vec::new(),
        bounds: None,
        around: Vec::new(),
    };
    let built = builder.node(expr)?;
    let (min_ms, max_ms) = builder.bounds.unwrap_or((0, 0));
    Ok(Plan {
        root: built.wrapped(),
        min_ms,
        max_ms,
    })
}

/// A node and what is known about its dependence on the step.
struct Built {
    node: Node,
    invariant: bool,
    /// Literals and range selectors need no wrapping though they are invariant.
    wrap: bool,
}

impl Built {
    fn wrapped(self) -> Node {
        let pos = self.node.pos;
        self.wrapped_at(pos)
    }

    /// compat: what is wrapped keeps the parentheses around it, which notes then point at.
    fn wrapped_at(self, pos: PosRange) -> Node {
        if self.wrap {
            Node {
                pos,
                ..step_invariant(self.node)
            }
        } else {
            self.node
        }
    }
}

fn step_invariant(node: Node) -> Node {
    Node {
        pos: node.pos,
        value_type: node.value_type,
        kind: Kind::StepInvariant(Box::new(node)),
    }
}

/// A subquery around the node that is being built.
struct Around {
    moment: Moment,
    range_ms: i64,
    step_ms: i64,
}

struct Builder {
    times: Times,
    lookback_ms: i64,
    subquery_step_ms: i64,
    path: Vec<Around>,
    bounds: Option<(i64, i64)>,
    /// The functions, aggregations and operators around the node, from the outside.
    around: Vec<&'static str>,
}

impl Builder {
    fn node(&mut self, expr: &Expr) -> Result<Built, Error> {
        let (pos, value_type) = (expr.pos(), expr.value_type());
        let (kind, invariant, wrap) = match expr {
            Expr::Paren(paren) => return self.node(&paren.expr),
            Expr::Number(number) => (Kind::Number(number.value), true, false),
            Expr::String(text) => (Kind::String(text.clone()), true, false),
            Expr::VectorSelector(selector) => {
                let selector = self.selector(selector, 0)?;
                let fixed = selector.moment.at_ms.is_some();
                (Kind::Vector(selector), fixed, fixed)
            }
            Expr::MatrixSelector(matrix) => {
                let range = self.range_selector(matrix)?;
                let fixed = range.selector.moment.at_ms.is_some();
                (Kind::Matrix(range), fixed, false)
            }
            Expr::Subquery(subquery) => {
                let subquery = self.subquery(subquery)?;
                let fixed = subquery.moment.at_ms.is_some();
                (Kind::Subquery(subquery), fixed, fixed)
            }
            Expr::Unary(unary) => {
                let inner = self.node(&unary.expr)?;
                if unary.op == UnaryOp::Plus {
                    return Ok(inner);
                }
                let (invariant, wrap) = (inner.invariant, inner.wrap);
                (Kind::Negate(Box::new(inner.node)), invariant, wrap)
            }
            Expr::Call(call) => return self.call(call),
            Expr::Binary(binary) => return self.binary(binary),
            Expr::Aggregate(aggregate) => return self.aggregate(aggregate),
        };
        Ok(Built {
            node: Node {
                kind,
                pos,
                value_type,
            },
            invariant,
            wrap,
        })
    }

    fn call(&mut self, call: &ast::Call) -> Result<Built, Error> {
        let name = call.func.name;
        let seconds = |ms: i64| ms as f64 / 1000.0;
        // compat: these are folded into numbers before anything else.
        let folded = match name {
            "start" => Some(seconds(self.times.start)),
            "end" => Some(seconds(self.times.end)),
            "step" => Some(seconds(self.times.step)),
            "range" => Some(seconds(self.times.end.saturating_sub(self.times.start))),
            _ => None,
        };
        if let Some(value) = folded {
            return Ok(Built {
                node: Node {
                    kind: Kind::Number(value),
                    pos: call.pos,
                    value_type: ValueType::Scalar,
                },
                invariant: true,
                wrap: false,
            });
        }
        self.around.push(name);
        let args: Result<Vec<(Built, PosRange)>, Error> = call
            .args
            .iter()
            .map(|arg| Ok((self.node(arg.unwrap_parens())?, arg.pos())))
            .collect();
        self.around.pop();
        let args = args?;
        let invariant =
            !DEPEND_ON_TIME.contains(&name) && args.iter().all(|(arg, _)| arg.invariant);
        let args = args
            .into_iter()
            .map(|(arg, pos)| {
                if invariant {
                    arg.node
                } else {
                    arg.wrapped_at(pos)
                }
            })
            .collect();
        Ok(Built {
            node: Node {
                kind: Kind::Call(Call {
                    name,
                    args,
                    pos: call.pos,
                }),
                pos: call.pos,
                value_type: call.func.return_type,
            },
            invariant,
            wrap: invariant,
        })
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Result<Built, Error> {
        self.around.push(binary.op.as_str());
        let sides = self
            .node(&binary.lhs)
            .and_then(|lhs| Ok((lhs, self.node(&binary.rhs)?)));
        self.around.pop();
        let (lhs, rhs) = sides?;
        let invariant = lhs.invariant && rhs.invariant;
        let side = |side: Built| Box::new(if invariant { side.node } else { side.wrapped() });
        let kind = Kind::Binary(Binary {
            op: binary.op,
            lhs: side(lhs),
            rhs: side(rhs),
            matching: binary.matching.clone(),
            return_bool: binary.return_bool,
        });
        Ok(Built {
            node: Node {
                kind,
                pos: binary.pos(),
                value_type: binary.value_type(),
            },
            invariant,
            wrap: invariant,
        })
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Result<Built, Error> {
        self.around.push(aggregate.op.as_str());
        let parts = self.node(aggregate.expr.unwrap_parens()).and_then(|expr| {
            let param = match aggregate.param.as_deref() {
                Some(param) => Some((self.node(param.unwrap_parens())?, param.pos())),
                None => None,
            };
            Ok((expr, param))
        });
        self.around.pop();
        let (expr, param) = parts?;
        // compat: the parameter does not matter for step invariance.
        let (invariant, wrap) = (expr.invariant, expr.wrap);
        let mut grouping = aggregate.grouping.clone();
        grouping.sort_unstable();
        Ok(Built {
            node: Node {
                kind: Kind::Aggregate(Aggregate {
                    op: aggregate.op,
                    expr: Box::new(expr.node),
                    expr_pos: aggregate.expr.pos(),
                    param: param.map(|(param, pos)| Box::new(param.wrapped_at(pos))),
                    grouping,
                    without: aggregate.without,
                }),
                pos: aggregate.pos,
                value_type: ValueType::Vector,
            },
            invariant,
            wrap,
        })
    }

    fn range_selector(&mut self, matrix: &MatrixSelector) -> Result<RangeSelector, Error> {
        let range_ms = match &matrix.range_expr {
            Some(expr) => self.duration(expr, false)?,
            None => matrix.range.as_ms(),
        };
        Ok(RangeSelector {
            selector: self.selector(&matrix.selector, range_ms)?,
            range_ms,
        })
    }

    fn subquery(&mut self, subquery: &SubqueryExpr) -> Result<Subquery, Error> {
        let offset_ms = match &subquery.offset_expr {
            Some(expr) => self.duration(expr, true)?,
            None => subquery.offset.as_ms(),
        };
        let step_ms = match &subquery.step_expr {
            Some(expr) => self.duration(expr, false)?,
            None => subquery.step.as_ms(),
        };
        let range_ms = match &subquery.range_expr {
            Some(expr) => self.duration(expr, false)?,
            None => subquery.range.as_ms(),
        };
        let step_ms = if step_ms == 0 {
            self.subquery_step_ms
        } else {
            step_ms
        };
        let at_ms = self.at(subquery.at);
        self.path.push(Around {
            moment: Moment { offset_ms, at_ms },
            range_ms,
            step_ms,
        });
        self.around.push(SUBQUERY);
        let inner = self.node(subquery.expr.unwrap_parens());
        self.around.pop();
        self.path.pop();
        let inner = inner?;
        // compat: the inside is wrapped whenever it is invariant, `@` on the subquery or not.
        let expr = if inner.invariant {
            step_invariant(inner.node)
        } else {
            inner.node
        };
        Ok(Subquery {
            expr: Box::new(expr),
            range_ms,
            step_ms: step_ms.max(1),
            moment: Moment { offset_ms, at_ms },
        })
    }

    fn selector(&mut self, selector: &VectorSelector, range_ms: i64) -> Result<Selector, Error> {
        let offset_ms = match &selector.offset_expr {
            Some(expr) => self.duration(expr, true)?,
            None => selector.offset.as_ms(),
        };
        let moment = Moment {
            offset_ms,
            at_ms: self.at(selector.at),
        };
        let extension = if selector.anchored {
            Extension::Anchored
        } else if selector.smoothed {
            Extension::Smoothed
        } else {
            Extension::Plain
        };
        let (min_ms, max_ms) = self.selected(moment, extension, range_ms);
        let (low, high) = self.bounds.unwrap_or((min_ms, max_ms));
        self.bounds = Some((low.min(min_ms), high.max(max_ms)));
        Ok(Selector {
            matchers: selector.matchers.clone(),
            moment,
            extension,
            hints: SelectHints {
                min_ms,
                max_ms,
                step_ms: self
                    .path
                    .last()
                    .map_or(self.times.step, |around| around.step_ms),
                function: self.function().to_owned(),
                limit: 0,
                sorted: false,
            },
            stats_only: self.stats_only(),
        })
    }

    /// The function that a selector is an argument of; empty if it is an operand.
    fn function(&self) -> &'static str {
        self.around
            .last()
            .copied()
            .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
            .filter(|name| !["and", "or", "unless", "atan2"].contains(name))
            .unwrap_or_default()
    }

    /// Whether something around asks for the count or the sum of histograms and nothing further out,
    /// nor in between, needs buckets.
    fn stats_only(&self) -> bool {
        let mut stats_only = false;
        for name in self.around.iter().rev() {
            match *name {
                "histogram_count" | "histogram_sum" | "histogram_avg" => stats_only = true,
                SUBQUERY
                | "histogram_quantile"
                | "histogram_quantiles"
                | "histogram_fraction"
                | "</"
                | ">/" => return false,
                _ => {}
            }
        }
        stats_only
    }

    /// The times that a selector looks at, from the first to the last step.
    fn selected(&self, moment: Moment, extension: Extension, range_ms: i64) -> (i64, i64) {
        let (mut start, mut end) = (self.times.start, self.times.end);
        let (mut offset, mut range) = (0i64, 0i64);
        for around in &self.path {
            if let Some(at) = around.moment.at_ms {
                // An `@` makes whatever lies further out irrelevant.
                (offset, range) = (0, 0);
                (start, end) = (at, at);
            }
            offset = offset.saturating_add(around.moment.offset_ms);
            range = range.saturating_add(around.range_ms);
        }
        if let Some(at) = moment.at_ms {
            (start, end) = (at, at);
        } else {
            start = start.saturating_sub(offset).saturating_sub(range);
            end = end.saturating_sub(offset);
        }
        // The interval is open to the left, hence one less.
        let back = if range_ms == 0 {
            self.lookback_ms
        } else if extension == Extension::Plain {
            range_ms
        } else {
            range_ms.saturating_add(self.lookback_ms)
        };
        start = start.saturating_sub(back.saturating_sub(1));
        if extension == Extension::Smoothed {
            end = end.saturating_add(self.lookback_ms);
            if range_ms == 0 {
                // Looking ahead from the first step is covered; looking back is the lookback.
                start = start.min(end);
            }
        }
        (
            start.saturating_sub(moment.offset_ms),
            end.saturating_sub(moment.offset_ms),
        )
    }

    fn at(&self, at: Option<At>) -> Option<i64> {
        at.map(|at| match at {
            At::Time(t) => t.as_ms(),
            At::Start => self.times.start,
            At::End => self.times.end,
        })
    }

    fn duration(&self, expr: &ast::DurationExpr, negative: bool) -> Result<i64, Error> {
        let step = Span::from_ms(self.times.step);
        let range = Span::from_ms(self.times.end.saturating_sub(self.times.start));
        let duration = if negative {
            expr.signed(step, range)
        } else {
            expr.positive(step, range)
        };
        duration
            .map(Span::as_ms)
            .map_err(|error| Error::Invalid(error.to_string()))
    }
}
