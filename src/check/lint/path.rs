//! Walks down an expression along what decides on its results.

use crate::promql::ast::{AggregateOp, BinaryExpr, BinaryOp, Expr, ValueType};

/// The comparisons that decide whether an alert fires: at the top, and at the top of each side of `or`.
/// With `and` and `unless` the left side decides which results there are, so it is followed too.
pub(super) fn deciding(expr: &Expr) -> Vec<&BinaryExpr> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        let Expr::Binary(binary) = expr.unwrap_parens() else {
            continue;
        };
        match binary.op {
            BinaryOp::Or => open.extend([&*binary.rhs, &*binary.lhs]),
            BinaryOp::And | BinaryOp::Unless => open.push(&binary.lhs),
            op if op.is_comparison() && !binary.return_bool => found.push(binary),
            _ => {}
        }
    }
    found
}

/// The vector, the operator and the number of `vector op number` or `number op vector`, the operator
/// turned so that the vector stands left.
pub(super) fn against_number(binary: &BinaryExpr) -> Option<(&Expr, BinaryOp, f64)> {
    if let Some(number) = number(&binary.rhs) {
        return (binary.lhs.value_type() == ValueType::Vector).then_some((
            &*binary.lhs,
            binary.op,
            number,
        ));
    }
    let number = number(&binary.lhs)?;
    let op = match binary.op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    };
    (binary.rhs.value_type() == ValueType::Vector).then_some((&*binary.rhs, op, number))
}

/// The value of an expression of numbers only. Bounded in height by the parser.
pub(super) fn number(expr: &Expr) -> Option<f64> {
    match expr.unwrap_parens() {
        Expr::Number(literal) => Some(literal.value),
        Expr::Unary(unary) => number(&unary.expr).map(|value| match unary.op {
            crate::promql::ast::UnaryOp::Plus => value,
            crate::promql::ast::UnaryOp::Minus => -value,
        }),
        Expr::Binary(binary) if binary.value_type() == ValueType::Scalar => {
            let (lhs, rhs) = (number(&binary.lhs)?, number(&binary.rhs)?);
            match binary.op {
                BinaryOp::Add => Some(lhs + rhs),
                BinaryOp::Sub => Some(lhs - rhs),
                BinaryOp::Mul => Some(lhs * rhs),
                BinaryOp::Div => Some(lhs / rhs),
                BinaryOp::Pow => Some(lhs.powf(rhs)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether an aggregation has the unit of what it aggregates.
pub(super) const fn keeps_unit(op: AggregateOp) -> bool {
    matches!(
        op,
        AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Topk
            | AggregateOp::Bottomk
    )
}

/// Goes down through parentheses, arithmetic with numbers, and aggregations that keep the unit.
pub(super) fn core(mut expr: &Expr) -> &Expr {
    loop {
        expr = expr.unwrap_parens();
        expr = match expr {
            Expr::Aggregate(aggregate) if keeps_unit(aggregate.op) => &aggregate.expr,
            Expr::Binary(binary) if matches!(binary.op, BinaryOp::Mul | BinaryOp::Div) => {
                if number(&binary.rhs).is_some() {
                    &binary.lhs
                } else if number(&binary.lhs).is_some() && binary.op == BinaryOp::Mul {
                    &binary.rhs
                } else {
                    return expr;
                }
            }
            other => return other,
        };
    }
}
