use crate::check::analysis::{is_part_of, metric_name, metrics, same};
use crate::check::{Finding, Severity};
use crate::promql::ast::{AggregateOp, BinaryExpr, BinaryOp, Expr, VectorSelector};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static BY_ZERO: Page = Page::new(
    "W013",
    "division-by-zero",
    Severity::Warning,
    "Something is divided by a metric that is 0 where there is no limit, or by the number 0.",
)
.pint("promql/nan")
.why("`x / 0` is +Inf, which is greater than every threshold: the alert fires for everything that has no limit. Take the zeros away first. A ratio of a part to its whole is not reported, since 0 / 0 is NaN and fires nothing, and neither is `<`, which infinity is not. The metrics are those of containers without limits or reservations, machines without swap, workloads scaled to nothing and their like, known by name.")
.example(
    "expr: container_memory_working_set_bytes / container_spec_memory_limit_bytes > 0.9",
    "expr: container_memory_working_set_bytes / (container_spec_memory_limit_bytes > 0) > 0.9",
);

pub(super) static NAN_IN_AGGREGATION: Page = Page::new(
    "W026",
    "nan-in-aggregation",
    Severity::Warning,
    "A quotient whose divisor may be 0 is summed or averaged.",
)
.pint("promql/nan")
.why("A rate is 0 while nothing happens, and 0 / 0 is NaN. One NaN makes the whole sum or average NaN, which no comparison is true for: the alert goes silent because one series is idle. Divide the sums instead of summing the quotients, or take the zeros away.")
.example(
    "expr: avg(rate(errors_total[5m]) / rate(requests_total[5m])) > 0.1",
    "expr: sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 0.1",
);

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        match expr {
            Expr::Binary(binary) if matches!(binary.op, BinaryOp::Div | BinaryOp::Mod) => {
                by_zero(subject, binary, out);
            }
            Expr::Aggregate(aggregate)
                if matches!(aggregate.op, AggregateOp::Sum | AggregateOp::Avg) =>
            {
                in_aggregation(subject, &aggregate.expr, aggregate.op, out);
            }
            _ => {}
        }
    }
}

fn by_zero(subject: &Subject<'_>, binary: &BinaryExpr, out: &mut Vec<Finding>) {
    if path::number(&binary.rhs) == Some(0.0) {
        let message = "division by the number 0";
        out.push(subject.on_expr(&BY_ZERO, binary.rhs.pos(), message));
        return;
    }
    let divisor = path::core(&binary.rhs);
    let Expr::VectorSelector(selector) = divisor else {
        return;
    };
    let Some((name, what)) = metric_name(selector).and_then(|name| {
        let what = metrics::zero_means(name)?;
        Some((name, what))
    }) else {
        return;
    };
    // A part of nothing is NaN, and so is what is filtered elsewhere in the expression.
    let guarded = rest_or_part(&binary.lhs, &binary.rhs) || is_guarded(subject, selector);
    if guarded || is_low_bound(subject, binary) {
        return;
    }
    let message = format!(
        "`{name}` is 0 for {what}: the quotient is +Inf there, which is over every threshold"
    );
    let finding = subject.on_expr(&BY_ZERO, binary.rhs.pos(), message);
    let text = subject.text(binary.rhs.pos());
    out.push(finding.with_hint(format!("divide by `({text} > 0)`")));
}

fn rest_or_part(above: &Expr, below: &Expr) -> bool {
    match above.unwrap_parens() {
        Expr::Binary(minus) if minus.op == BinaryOp::Sub => {
            same(&minus.lhs, below) && is_part_of(&minus.rhs, below)
        }
        above => is_part_of(above, below),
    }
}

/// Whether the quotient is compared with `<` only, which infinity is not.
fn is_low_bound(subject: &Subject<'_>, quotient: &BinaryExpr) -> bool {
    let (start, end) = (quotient.pos().start, quotient.pos().end);
    let deciding = path::deciding(subject.analysis.root());
    let around = deciding
        .into_iter()
        .find(|binary| binary.pos().start <= start && end <= binary.pos().end);
    let compared = around.and_then(path::against_number);
    compared.is_some_and(|(_, op, _)| {
        matches!(op, BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Equal)
    })
}

/// Whether the expression compares the metric anywhere: `x / y > 1 and y != 0`.
fn is_guarded(subject: &Subject<'_>, divisor: &VectorSelector) -> bool {
    subject.analysis.nodes().iter().any(|expr| match expr {
        Expr::Binary(binary) => match path::against_number(binary) {
            Some((series, op, _)) if op.is_comparison() => {
                matches!(path::core(series), Expr::VectorSelector(other)
                    if metric_name(other) == metric_name(divisor))
            }
            _ => false,
        },
        _ => false,
    })
}

fn in_aggregation(subject: &Subject<'_>, inner: &Expr, op: AggregateOp, out: &mut Vec<Finding>) {
    let Expr::Binary(binary) = inner.unwrap_parens() else {
        return;
    };
    if binary.op != BinaryOp::Div || path::number(&binary.rhs).is_some() {
        return;
    }
    let divisor = subject.analysis.of(&binary.rhs);
    let idles = matches!(path::core(&binary.rhs), Expr::Call(call)
        if matches!(call.func.name, "rate" | "irate" | "increase"));
    if !idles || divisor.filters || !divisor.range.has_zero() {
        return;
    }
    let message = format!(
        "`{}` is 0 while nothing happens; 0 / 0 is NaN, and one NaN makes the whole {op}() NaN",
        subject.text(binary.rhs.pos())
    );
    let finding = subject.on_expr(&NAN_IN_AGGREGATION, binary.pos(), message);
    out.push(finding.with_hint("divide the sums instead of aggregating the quotients"));
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn divisors_that_are_zero_where_there_is_no_limit() {
        assert_finds(
            "W013",
            &[
                "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.9",
                "sum by (x) (a) / sum by (x) (container_spec_memory_limit_bytes) > 0.9",
                "a / 0 > 1",
            ],
        );
        assert_silent(
            "W013",
            &[
                "a / (container_spec_memory_limit_bytes > 0) > 0.9",
                "a / container_spec_memory_limit_bytes > 0.9 and container_spec_memory_limit_bytes != 0",
                "(1 - node_memory_SwapFree_bytes / node_memory_SwapTotal_bytes) * 100 > 80",
                "a / b > 1",
            ],
        );
    }

    #[test]
    fn quotients_of_rates_are_not_summed() {
        assert_finds("W026", &["avg(rate(a_total[5m]) / rate(b_total[5m])) > 1"]);
        assert_silent(
            "W026",
            &[
                "sum(rate(a_total[5m])) / sum(rate(b_total[5m])) > 1",
                "avg(rate(a_total[5m]) / (rate(b_total[5m]) > 0)) > 1",
                "max(rate(a_total[5m]) / rate(b_total[5m])) > 1",
            ],
        );
    }
}
