use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::promql::ast::{AggregateOp, Expr};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static LE_LOST: Page = Page::new(
    "W024",
    "quantile-without-le",
    Severity::Warning,
    "histogram_quantile() of classic buckets that have lost their label `le`.",
)
.pint("promql/impossible")
.why("`le` tells the buckets apart. Without it histogram_quantile() finds no histogram and yields nothing.")
.example(
    "expr: histogram_quantile(0.9, sum by (job) (rate(latency_bucket[5m]))) > 1",
    "expr: histogram_quantile(0.9, sum by (job, le) (rate(latency_bucket[5m]))) > 1",
);

pub(super) static OUT_OF_RANGE: Page = Page::new(
    "W025",
    "quantile-out-of-range",
    Severity::Warning,
    "A quantile that is not between 0 and 1.",
)
.why("Quantiles are fractions. Over 1 the result is +Inf, which every threshold is below; under 0 it is -Inf.")
.example("expr: histogram_quantile(95, rate(latency_bucket[5m])) > 1", "expr: histogram_quantile(0.95, rate(latency_bucket[5m])) > 1");

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        let quantile = match expr {
            Expr::Call(call)
                if matches!(call.func.name, "histogram_quantile" | "quantile_over_time") =>
            {
                if call.func.name == "histogram_quantile"
                    && let Some(buckets) = call.args.get(1)
                {
                    le(subject, buckets, out);
                }
                call.args.first()
            }
            Expr::Aggregate(aggregate) if aggregate.op == AggregateOp::Quantile => {
                aggregate.param.as_deref()
            }
            _ => None,
        };
        let Some((quantile, value)) = quantile.and_then(|q| Some((q, path::number(q)?))) else {
            continue;
        };
        if !(0.0..=1.0).contains(&value) {
            let message = format!("the quantile {value} is not between 0 and 1");
            let finding = subject.on_expr(&OUT_OF_RANGE, quantile.pos(), message);
            out.push(if value > 1.0 && value <= 100.0 {
                finding.with_hint(format!("write {}", value / 100.0))
            } else {
                finding
            });
        }
    }
}

fn le(subject: &Subject<'_>, buckets: &Expr, out: &mut Vec<Finding>) {
    let labels = &subject.analysis.of(buckets).labels;
    let mut classic = false;
    buckets.walk(|expr| {
        let selector = match expr {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &matrix.selector,
            _ => return,
        };
        classic |= metric_name(selector).is_some_and(|name| name.ends_with("_bucket"));
    });
    // VictoriaMetrics has buckets with `vmrange` instead.
    let other_buckets = labels.expected.contains("vmrange");
    if classic && !other_buckets && !labels.can_have("le") {
        let message =
            "the buckets have lost their label `le`, so histogram_quantile() yields nothing";
        let finding = subject.on_expr(
            &LE_LOST,
            labels.lost_at("le").unwrap_or_else(|| buckets.pos()),
            message,
        );
        out.push(finding.with_hint("add `le` to `by (...)`"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn quantiles_need_le_and_a_fraction() {
        assert_finds(
            "W024",
            &[
                "histogram_quantile(0.9, sum by (job) (rate(a_bucket[5m]))) > 1",
                "histogram_quantile(0.9, sum without (le) (rate(a_bucket[5m]))) > 1",
            ],
        );
        assert_silent(
            "W024",
            &[
                "histogram_quantile(0.9, sum by (job, le) (rate(a_bucket[5m]))) > 1",
                "histogram_quantile(0.9, sum(rate(a[5m]))) > 1",
                "histogram_quantile(0.9, rate(a_bucket[5m])) > 1",
            ],
        );
        assert_finds(
            "W025",
            &[
                "histogram_quantile(95, rate(a_bucket[5m])) > 1",
                "quantile(-1, a) > 1",
            ],
        );
        assert_silent(
            "W025",
            &[
                "histogram_quantile(0.95, rate(a_bucket[5m])) > 1",
                "quantile(1, a) > 1",
                "quantile_over_time(0, a[5m]) > 1",
            ],
        );
    }
}
