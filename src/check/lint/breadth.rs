use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::promql::ast::{AggregateExpr, AggregateOp, BinaryOp, Expr};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static AVERAGE_OF_ALL: Page = Page::new(
    "W038",
    "average-of-everything",
    Severity::Warning,
    "An alert on the average of all series: one hot one disappears among the idle.",
)
.why("avg() without `by` yields one number for everything. Ten containers of which one burns are at 10 %. And the alert has no labels: it says neither where nor whom to call.")
.example(
    "expr: avg(rate(node_cpu_seconds_total{mode!=\"idle\"}[5m])) > 0.8",
    "expr: avg by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m])) > 0.8",
);

pub(super) static RATIO_OF_ALL: Page = Page::new(
    "W039",
    "ratio-of-everything",
    Severity::Info,
    "An alert on the ratio of two sums over everything: no label is left to route by, and little traffic decides.",
)
.why("sum() without `by` drops every label, so the alert cannot say which service it is about and the router cannot send it to its team. While nothing happens the ratio is 0 / 0 = NaN and nothing fires; with two requests one failure is 50 %. Group by the label that you route by, and ask for some traffic. It is right for an objective of the whole system.")
.example(
    "expr: sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 0.05",
    "expr: >\n  sum by (service) (rate(errors_total[5m])) / sum by (service) (rate(requests_total[5m])) > 0.05\n  and sum by (service) (rate(requests_total[5m])) > 1",
);

pub(super) static CORES_AS_FRACTION: Page = Page::new(
    "W040",
    "cores-as-fraction",
    Severity::Warning,
    "CPU seconds per second are compared as if they were a fraction.",
)
.why("The rate of `container_cpu_usage_seconds_total` counts CPU cores in use, not a share: a container with a limit of 4 cores is at 0.8 when it uses a fifth of it, and one with a limit of 0.5 never gets there. Divide by the limit.")
.example(
    "expr: rate(container_cpu_usage_seconds_total[5m]) > 0.8",
    "expr: >\n  rate(container_cpu_usage_seconds_total[5m])\n  / on (namespace, pod, container) kube_pod_container_resource_limits{resource=\"cpu\"} > 0.8",
);

pub(super) static ALL_FILESYSTEMS: Page = Page::new(
    "W041",
    "all-filesystems",
    Severity::Info,
    "An alert on space looks at every file system, also those that are always full or not on disk.",
)
.why("Read-only images (squashfs, iso9660) are 100 % full by design, and tmpfs is memory. Exclude them by `fstype`, by `mountpoint`, or with `and node_filesystem_readonly == 0`.")
.example(
    "expr: node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1",
    "expr: node_filesystem_avail_bytes{fstype!~\"tmpfs|squashfs|iso9660\"} / node_filesystem_size_bytes < 0.1",
);

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if !subject.is_alert() {
        return;
    }
    for binary in path::deciding(subject.analysis.root()) {
        let Some((series, op, number)) = path::against_number(binary) else {
            continue;
        };
        match series.unwrap_parens() {
            Expr::Aggregate(aggregate) if averages_all(aggregate) && moves(&aggregate.expr) => {
                let message = "one number for everything: a single hot series is averaged away, and no label says where";
                let finding = subject.on_expr(&AVERAGE_OF_ALL, aggregate.pos, message);
                out.push(
                    finding.with_hint("add `by (...)` with the labels that tell the things apart"),
                );
            }
            Expr::Binary(ratio)
                if ratio.op == BinaryOp::Div && path::number(&ratio.rhs).is_none() =>
            {
                let bare = |expr: &Expr| {
                    matches!(path::core(expr), Expr::Call(_))
                        && matches!(expr.unwrap_parens(), Expr::Aggregate(sum) if sums_all(sum))
                };
                if bare(&ratio.lhs) && bare(&ratio.rhs) {
                    let message = "the ratio of two sums over everything has no labels: the alert cannot say which part fails, nor be routed by it, and little traffic decides";
                    let finding = subject.on_expr(&RATIO_OF_ALL, ratio.pos(), message);
                    out.push(finding.with_hint("group both sums by the label that you route by, and add a condition on the traffic"));
                }
            }
            _ => {}
        }
        cores(subject, series, op, number, out);
    }
    filesystems(subject, out);
}

fn averages_all(aggregate: &AggregateExpr) -> bool {
    aggregate.op == AggregateOp::Avg && !aggregate.without && aggregate.grouping.is_empty()
}

fn sums_all(aggregate: &AggregateExpr) -> bool {
    aggregate.op == AggregateOp::Sum && !aggregate.without && aggregate.grouping.is_empty()
}

/// Whether something happens per series: a rate.
fn moves(expr: &Expr) -> bool {
    matches!(path::core(expr), Expr::Call(call)
        if matches!(call.func.name, "rate" | "irate" | "increase"))
}

fn cores(subject: &Subject<'_>, series: &Expr, op: BinaryOp, number: f64, out: &mut Vec<Finding>) {
    let Expr::Call(call) = path::core(series) else {
        return;
    };
    let Some(Expr::MatrixSelector(matrix)) = call.args.first().map(Expr::unwrap_parens) else {
        return;
    };
    let over = matches!(op, BinaryOp::Greater | BinaryOp::GreaterEqual);
    let fraction = (0.4..=1.0).contains(&number) || (50.0..=100.0).contains(&number);
    if over
        && fraction
        && matches!(call.func.name, "rate" | "irate")
        && metric_name(&matrix.selector) == Some("container_cpu_usage_seconds_total")
    {
        let message = format!(
            "the rate of `container_cpu_usage_seconds_total` is a number of cores, not a share of what the container may use: {number} is no fraction of anything"
        );
        let finding = subject.on_expr(&CORES_AS_FRACTION, call.pos, message);
        out.push(finding.with_hint(
            "divide by the limit: `kube_pod_container_resource_limits{resource=\"cpu\"}`",
        ));
    }
}

fn filesystems(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    const SPACE: [&str; 2] = ["node_filesystem_avail_bytes", "node_filesystem_free_bytes"];
    const TELLING: [&str; 3] = ["fstype", "mountpoint", "device"];
    let selectors: Vec<_> = subject.analysis.selectors().collect();
    let told = selectors.iter().any(|selector| {
        metric_name(selector) == Some("node_filesystem_readonly")
            || (selector.name.starts_with("node_filesystem_")
                && selector
                    .matchers
                    .iter()
                    .any(|m| TELLING.contains(&m.name.as_str())))
    });
    let space = selectors
        .iter()
        .find(|selector| metric_name(selector).is_some_and(|name| SPACE.contains(&name)));
    if let Some(selector) = space.filter(|_| !told) {
        let message =
            "every file system counts, also read-only images that are always full and tmpfs";
        let finding = subject.on_expr(&ALL_FILESYSTEMS, selector.pos, message);
        out.push(finding.with_hint("add `{fstype!~\"tmpfs|squashfs|iso9660|overlay\"}`"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn averages_hide_the_one_that_burns() {
        assert_finds("W038", &["avg(rate(a_total[5m])) > 0.8"]);
        assert_silent(
            "W038",
            &[
                "avg by (x) (rate(a_total[5m])) > 0.8",
                "avg(a) > 1",
                "max(rate(a_total[5m])) > 1",
            ],
        );
        assert_finds(
            "W039",
            &["sum(rate(a_total[5m])) / sum(rate(b_total[5m])) > 0.1"],
        );
        assert_silent(
            "W039",
            &[
                "sum by (x) (rate(a_total[5m])) / sum by (x) (rate(b_total[5m])) > 0.1",
                "sum(a) / sum(b) > 1",
            ],
        );
    }

    #[test]
    fn known_metrics_are_used_for_what_they_are() {
        assert_finds(
            "W040",
            &[
                "avg(rate(container_cpu_usage_seconds_total[5m])) > 0.8",
                "sum by (pod) (rate(container_cpu_usage_seconds_total[5m])) * 100 > 80",
            ],
        );
        assert_silent(
            "W040",
            &[
                "rate(container_cpu_usage_seconds_total[5m]) > 4",
                "rate(container_cpu_usage_seconds_total[5m]) / b > 0.8",
                "rate(container_cpu_usage_seconds_total[5m]) < 0.8",
            ],
        );
        assert_finds(
            "W041",
            &["predict_linear(node_filesystem_free_bytes[6h], 3600) < 0"],
        );
        assert_silent(
            "W041",
            &[
                "node_filesystem_avail_bytes{fstype!=\"tmpfs\"} < 1",
                "node_filesystem_avail_bytes < 1 and node_filesystem_readonly == 0",
            ],
        );
    }
}
