use crate::check::analysis::metric_name;
use crate::check::analysis::metrics::{self, MetricKind};
use crate::check::{Finding, Severity};
use crate::promql::ast::{AggregateOp, BinaryOp, Call, Expr};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static RATE_OF_GAUGE: Page = Page::new(
    "W014",
    "rate-of-gauge",
    Severity::Warning,
    "rate(), irate() or increase() of a metric that is no counter.",
)
.pint("promql/rate")
.why("These functions take every decrease for a restart of a counter and add the value once more. Of a gauge they yield large numbers that mean nothing. Use delta() or deriv().")
.example("expr: rate(node_memory_MemAvailable_bytes[5m]) > 0", "expr: deriv(node_memory_MemAvailable_bytes[5m]) > 0");

pub(super) static DELTA_OF_COUNTER: Page = Page::new(
    "W028",
    "delta-of-counter",
    Severity::Warning,
    "delta(), idelta(), deriv() or predict_linear() of a counter.",
)
.pint("promql/counter")
.why("These functions know nothing of restarts: when the process restarts the counter falls to 0, and the result is a large negative number. Use rate() or increase().")
.example("expr: delta(http_requests_total[5m]) > 100", "expr: increase(http_requests_total[5m]) > 100");

pub(super) static RATE_OF_SUM: Page = Page::new(
    "W015",
    "rate-of-sum",
    Severity::Warning,
    "rate(), irate() or increase() of a sum of counters.",
)
.pint("promql/rate")
.why("When one of the counters restarts the sum falls by its value, which rate() takes for a restart of the sum: it adds the whole sum once more. Take the rate first, then the sum.")
.example("expr: rate(sum(errors_total)[5m:]) > 1", "expr: sum(rate(errors_total[5m])) > 1");

pub(super) static RAW_COUNTER: Page = Page::new(
    "W017",
    "raw-counter",
    Severity::Warning,
    "An alert compares a counter itself with a number.",
)
.pint("promql/counter")
.why("A counter tells how much has happened since its process started. Once over the threshold it stays there until the next restart, however quiet it is; and before that it says nothing of when. Use rate() or increase().")
.example("expr: errors_total > 100", "expr: increase(errors_total[1h]) > 100");

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        if let Expr::Call(call) = expr {
            of_call(subject, call, out);
        }
    }
    if subject.is_alert() {
        raw_counter(subject, out);
    }
}

fn of_call(subject: &Subject<'_>, call: &Call, out: &mut Vec<Finding>) {
    let name = call.func.name;
    let counts = matches!(name, "rate" | "irate" | "increase");
    let differs = matches!(name, "delta" | "idelta" | "deriv" | "predict_linear");
    let Some(input) = call.args.first().filter(|_| counts || differs) else {
        return;
    };
    match input.unwrap_parens() {
        Expr::MatrixSelector(matrix) => {
            let Some(metric) = metric_name(&matrix.selector) else {
                return;
            };
            if counts && metrics::kind(metric) == MetricKind::Gauge {
                let message = format!(
                    "`{metric}` is no counter: {name}() takes every decrease for a restart"
                );
                let finding = subject.on_expr(&RATE_OF_GAUGE, call.pos, message);
                let instead = if name == "increase" { "delta" } else { "deriv" };
                out.push(finding.with_hint(format!("use {instead}()")));
            } else if differs && metric.ends_with("_total") {
                let message =
                    format!("`{metric}` is a counter: {name}() knows nothing of restarts");
                let finding = subject.on_expr(&DELTA_OF_COUNTER, call.pos, message);
                out.push(finding.with_hint("use rate() or increase()"));
            }
        }
        Expr::Subquery(subquery) if counts => {
            let Expr::Aggregate(aggregate) = subquery.expr.unwrap_parens() else {
                return;
            };
            let Expr::VectorSelector(selector) = path::core(&aggregate.expr) else {
                return;
            };
            let adds = matches!(
                aggregate.op,
                AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Min | AggregateOp::Max
            );
            if adds && metric_name(selector).is_some_and(metrics::is_surely_counter) {
                let message = format!(
                    "{name}() of {}() of counters: one restart looks like a restart of all",
                    aggregate.op
                );
                let finding = subject.on_expr(&RATE_OF_SUM, call.pos, message);
                out.push(finding.with_hint(format!("write {}({name}(...)) instead", aggregate.op)));
            }
        }
        _ => {}
    }
}

fn raw_counter(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for binary in path::deciding(subject.analysis.root()) {
        let Some((series, op, number)) = path::against_number(binary) else {
            continue;
        };
        let Expr::VectorSelector(selector) = path::core(series) else {
            continue;
        };
        let rises = matches!(op, BinaryOp::Greater | BinaryOp::GreaterEqual);
        let Some(metric) = metric_name(selector).filter(|name| {
            // Over 0 means that it ever happened, which may be meant.
            rises
                && number > 0.0
                && name.ends_with("_total")
                && metrics::kind(name) == MetricKind::Counter
        }) else {
            continue;
        };
        let message = format!(
            "`{metric}` is a counter: once over {number} it stays there until its process restarts"
        );
        let finding = subject.on_expr(&RAW_COUNTER, binary.pos(), message);
        out.push(finding.with_hint(format!(
            "compare `increase({metric}[1h])` or `rate({metric}[5m])`"
        )));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn rates_are_for_counters() {
        assert_finds(
            "W014",
            &[
                "rate(node_memory_MemAvailable_bytes[5m]) > 0",
                "sum(increase(up[1h])) > 1",
            ],
        );
        assert_silent(
            "W014",
            &[
                "rate(a_total[5m]) > 0",
                "rate(a[5m]) > 0",
                "deriv(node_memory_MemAvailable_bytes[5m]) > 0",
            ],
        );
        assert_finds(
            "W028",
            &[
                "delta(a_total[5m]) > 0",
                "predict_linear(a_total[1h], 3600) > 9",
            ],
        );
        assert_silent("W028", &["delta(a[5m]) > 0", "increase(a_total[5m]) > 1"]);
        assert_finds(
            "W015",
            &[
                "rate(sum(a_total)[5m:]) > 1",
                "increase(sum by (x) (a_total)[5m:1m]) > 1",
            ],
        );
        assert_silent(
            "W015",
            &[
                "rate(a_total[5m:]) > 1",
                "sum(rate(a_total[5m])) > 1",
                "max_over_time(sum(a_total)[5m:]) > 1",
            ],
        );
    }

    #[test]
    fn counters_are_not_compared_raw() {
        assert_finds("W017", &["a_total > 5", "sum by (x) (a_total) * 2 >= 5"]);
        assert_silent(
            "W017",
            &[
                "rate(a_total[5m]) > 5",
                "a > 5",
                "a_total == 0",
                "a_total > 0",
                "a_total > b_total",
                "a_total - a_total offset 5m > 3",
            ],
        );
    }
}
