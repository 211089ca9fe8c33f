use super::{metric_name, metrics};
use crate::promql::ast::{AggregateOp, Expr, VectorSelector};

/// Whether two expressions are the same but for layout and parentheses around them.
pub fn same(a: &Expr, b: &Expr) -> bool {
    let (a, b) = (a.unwrap_parens(), b.unwrap_parens());
    std::mem::discriminant(a) == std::mem::discriminant(b) && a.to_string() == b.to_string()
}

/// Whether `part` is a part of `whole`: the same sum of fewer series, or a metric that is known to be a
/// part of another. Then `part / whole` lies between 0 and 1.
pub fn is_part_of(part: &Expr, whole: &Expr) -> bool {
    match (part.unwrap_parens(), whole.unwrap_parens()) {
        (Expr::VectorSelector(part), Expr::VectorSelector(whole)) => {
            // Without an aggregation only equal series are divided by each other.
            selects_part(part, whole) || is_known_part(part, whole)
        }
        (Expr::MatrixSelector(part), Expr::MatrixSelector(whole)) => {
            part.range == whole.range
                && part.range_expr == whole.range_expr
                && selects_part(&part.selector, &whole.selector)
        }
        (Expr::Call(part), Expr::Call(whole)) => {
            let grows_with_series = matches!(
                part.func.name,
                "rate" | "increase" | "irate" | "sum_over_time" | "count_over_time"
            );
            let pair = part.args.first().zip(whole.args.first());
            grows_with_series
                && part.func.name == whole.func.name
                && part.args.len() == 1
                && pair.is_some_and(|(part, whole)| is_part_of(part, whole))
        }
        (Expr::Aggregate(part), Expr::Aggregate(whole)) => {
            let adds = matches!(part.op, AggregateOp::Sum | AggregateOp::Count);
            let alike = |a: &[String], b: &[String]| {
                let sorted = |labels: &[String]| {
                    let mut labels = labels.to_vec();
                    labels.sort();
                    labels
                };
                sorted(a) == sorted(b)
            };
            adds && part.op == whole.op
                && part.without == whole.without
                && alike(&part.grouping, &whole.grouping)
                && is_not_negative_part(&part.expr, &whole.expr)
        }
        _ => false,
    }
}

/// A sum of fewer series is the smaller one only when no series is negative.
fn is_not_negative_part(part: &Expr, whole: &Expr) -> bool {
    let counted = |selector: &VectorSelector| {
        metric_name(selector).is_some_and(|name| metrics::range(name).low >= 0.0)
    };
    match whole.unwrap_parens() {
        Expr::VectorSelector(selector) => counted(selector) && is_part_of(part, whole),
        _ => is_part_of(part, whole),
    }
}

fn selects_part(part: &VectorSelector, whole: &VectorSelector) -> bool {
    let alike = part.name == whole.name
        && metric_name(part).is_some()
        && metric_name(part) == metric_name(whole)
        && part.offset == whole.offset
        && part.offset_expr == whole.offset_expr
        && part.at == whole.at;
    alike && whole.matchers.iter().all(|m| part.matchers.contains(m))
}

fn is_known_part(part: &VectorSelector, whole: &VectorSelector) -> bool {
    let names = metric_name(part).zip(metric_name(whole));
    part.offset == whole.offset
        && part.at == whole.at
        && names.is_some_and(|(part, whole)| metrics::is_part(part, whole))
}
