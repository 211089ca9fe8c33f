use std::collections::BTreeSet;

use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::model::MatchOp;
use crate::promql::ast::{AggregateOp, Expr};
use crate::time::Span;

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static NO_ANNOTATIONS: Page = Page::new(
    "W030",
    "no-annotations",
    Severity::Info,
    "An alert has no annotation: whoever is called learns nothing but its name.",
)
.pint("alerts/annotation")
.why("A summary says what is wrong, a description where and what to do. Without them the person who is paged at night begins with the expression. Which annotations must be there, and what they must look like, is told by `lint: {annotations: [...]}`.")
.example("- alert: Down\n  expr: up == 0", "- alert: Down\n  expr: up == 0\n  annotations:\n    summary: \"{{ $labels.instance }} does not answer\"");

pub(super) static SHORT_FOR: Page = Page::new(
    "W031",
    "for-under-interval",
    Severity::Warning,
    "`for` is shorter than the interval at which the rule is evaluated.",
)
.why("An alert is pending from one evaluation to the next at least, so a shorter `for` waits a whole interval anyway: it promises more than it keeps. The interval is the group's, that of `prometheus.yml` when it is checked too, or `lint: {evaluation_interval: ...}` in `watchfire.yml`; where nobody tells nothing is looked at.")
.example("interval: 1m\nrules:\n- alert: Down\n  expr: up == 0\n  for: 30s", "interval: 30s\nrules:\n- alert: Down\n  expr: up == 0\n  for: 30s");

pub(super) static USELESS_FOR: Page = Page::new(
    "W032",
    "useless-for",
    Severity::Info,
    "`for` or `keep_firing_for` is written and zero, which is the default.",
)
.on_demand()
.pint("alerts/for")
.why("It changes nothing. Some write it to show that they thought of it, so the check is off unless `lint: {severities: {useless-for: info}}` switches it on.")
.example("for: 0m", "# no `for`");

pub(super) static ABSENT_WITHOUT_FOR: Page = Page::new(
    "W023",
    "absent-without-for",
    Severity::Warning,
    "An alert on absent() fires at the first evaluation without the series.",
)
.pint("alerts/absent")
.why("After a restart of the monitoring nothing has been scraped yet, and one failed scrape ends a series: absent() is true at once. A `for` of two scrape intervals or more waits until it is really gone. absent_over_time() has its own window.")
.example("- alert: ApiGone\n  expr: absent(up{job=\"api\"})", "- alert: ApiGone\n  expr: absent(up{job=\"api\"})\n  for: 5m");

pub(super) static SAMPLED: Page = Page::new(
    "W021",
    "alert-on-topk",
    Severity::Warning,
    "An alert fires for the results of topk(), bottomk() or their like.",
)
.pint("promql/fragile")
.why("Which series are among the first changes from evaluation to evaluation. Each change resolves an alert and begins another, and with `for` none may ever fire. Alert on all series over a threshold instead.")
.example("expr: topk(5, rate(errors_total[5m])) > 1", "expr: rate(errors_total[5m]) > 1");

pub(super) static TWO_JOBS: Page = Page::new(
    "W045",
    "two-jobs-without-for",
    Severity::Warning,
    "An alert without `for` compares sums over the targets of two jobs.",
)
.pint("promql/fragile")
.why("After a restart of the monitoring targets are scraped one by one over a whole interval. Until all are, the sum on the one side counts more of its targets than the sum on the other, and their quotient is anything: the alert fires for a moment and resolves. A `for` of two scrape intervals outlasts that. Jobs are told by matchers, and by the beginnings of names that well-known exporters use.")
.example(
    "- alert: Ratio\n  expr: sum(errors{job=\"api\"}) / sum(requests{job=\"proxy\"}) > 0.1",
    "- alert: Ratio\n  expr: sum(errors{job=\"api\"}) / sum(requests{job=\"proxy\"}) > 0.1\n  for: 2m",
);

pub(super) fn check(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if !subject.is_alert() {
        return;
    }
    if subject.rule.annotations.is_empty() {
        let message = format!("the alert {} has no annotations", subject.rule.name);
        let finding = subject.on_rule(&NO_ANNOTATIONS, message);
        out.push(finding.with_hint("add a `summary`: what is wrong, and where"));
    }
    hold(world, subject, out);
    absent(world, subject, out);
    sampled(subject, out);
    if subject.rule.hold.is_zero() {
        two_jobs(subject, out);
    }
}

fn two_jobs(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        let Expr::Binary(binary) = expr else {
            continue;
        };
        if binary.op.is_set() {
            continue;
        }
        let sides = jobs_of_sums(&binary.lhs).zip(jobs_of_sums(&binary.rhs));
        if let Some((left, right)) = sides.filter(|(left, right)| left.is_disjoint(right)) {
            let named = |jobs: &BTreeSet<&str>| jobs.iter().copied().collect::<Vec<_>>().join(", ");
            let message = format!(
                "sums over the targets of {} and of {} are compared at once: after a restart one of them counts fewer of its targets for a while",
                named(&left),
                named(&right)
            );
            let finding = subject.on_expr(&TWO_JOBS, binary.pos(), message);
            out.push(finding.with_hint("add `for: 2m`, or two scrape intervals"));
            return;
        }
    }
}

/// The jobs whose series an expression aggregates; nothing when it does not, or may look at any job.
fn jobs_of_sums(expr: &Expr) -> Option<BTreeSet<&str>> {
    let mut jobs = BTreeSet::new();
    let (mut aggregates, mut any) = (false, false);
    expr.walk(|expr| {
        let selector = match expr {
            Expr::Aggregate(_) => {
                aggregates = true;
                return;
            }
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &matrix.selector,
            _ => return,
        };
        let named = selector
            .matchers
            .iter()
            .find(|m| m.name == "job" && m.op == MatchOp::Equal)
            .map(|m| m.value.as_str());
        match named.or_else(|| metric_name(selector).and_then(exporter)) {
            Some(job) => {
                jobs.insert(job);
            }
            None => any = true,
        }
    });
    (aggregates && !any && !jobs.is_empty()).then_some(jobs)
}

/// The exporter that a metric surely comes from.
fn exporter(metric: &str) -> Option<&'static str> {
    let known = [
        ("kube_", "kube-state-metrics"),
        ("node_", "the node exporter"),
        ("container_", "the kubelet"),
        ("etcd_", "etcd"),
    ];
    let found = known.iter().find(|(start, _)| metric.starts_with(start));
    found.map(|(_, job)| *job)
}

fn hold(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let interval = world.evaluation_interval(subject.group);
    for (field, value) in [
        ("for", subject.rule.hold),
        ("keep_firing_for", subject.rule.keep_firing_for),
    ] {
        let Some(entry) = subject.field(field) else {
            continue;
        };
        if value.is_zero() {
            let message = format!("`{field}` is 0, which is the default");
            out.push(subject.on_node(&USELESS_FOR, &entry.value, message));
        } else if let Some(interval) = interval.filter(|interval| value.as_ms() < interval.as_ms())
        {
            let message =
                format!("`{field}` is {value}, but the rule is evaluated every {interval} only");
            out.push(subject.on_node(&SHORT_FOR, &entry.value, message));
        }
    }
}

fn absent(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let root = subject.analysis.root();
    let mut open = vec![root];
    while let Some(expr) = open.pop() {
        match expr.unwrap_parens() {
            Expr::Binary(binary) if binary.op == crate::promql::ast::BinaryOp::Or => {
                open.extend([&*binary.rhs, &*binary.lhs]);
            }
            Expr::Binary(binary) => {
                if let Some((series, _, _)) = path::against_number(binary) {
                    open.push(series);
                }
            }
            Expr::Call(call) if call.func.name == "absent" => {
                let least = world
                    .scrape_interval(None)
                    .map_or(1, |interval| 2 * interval.as_ms());
                let hold = subject.rule.hold;
                if hold.as_ms() < least {
                    let message = if hold.is_zero() {
                        "absent() without `for` fires at the first failed scrape, and after every restart of the monitoring".to_owned()
                    } else {
                        format!("absent() with `for: {hold}` fires before two scrapes have failed")
                    };
                    let finding = subject.on_expr(&ABSENT_WITHOUT_FOR, call.pos, message);
                    let wait = Span::from_ms(least.max(300_000));
                    out.push(finding.with_hint(format!("add `for: {wait}`")));
                }
            }
            _ => {}
        }
    }
}

fn sampled(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let mut open = vec![subject.analysis.root()];
    while let Some(expr) = open.pop() {
        match expr.unwrap_parens() {
            Expr::Binary(binary) if binary.op == crate::promql::ast::BinaryOp::Or => {
                open.extend([&*binary.rhs, &*binary.lhs]);
            }
            Expr::Binary(binary) => {
                if let Some((series, _, _)) = path::against_number(binary) {
                    open.push(series);
                }
            }
            Expr::Aggregate(aggregate)
                if matches!(
                    aggregate.op,
                    AggregateOp::Topk
                        | AggregateOp::Bottomk
                        | AggregateOp::Limitk
                        | AggregateOp::LimitRatio
                ) =>
            {
                let message = format!(
                    "{}() picks other series at every evaluation: alerts resolve and begin anew",
                    aggregate.op
                );
                let finding = subject.on_expr(&SAMPLED, aggregate.pos, message);
                out.push(finding.with_hint("alert on every series over the threshold"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{
        alert, assert_finds, assert_silent, count, file, findings_with,
    };
    use crate::config::lint::{LintLevel, LintOptions};

    #[test]
    fn alerts_say_something() {
        assert_eq!(count("W030", "  - {alert: A, expr: up == 0}\n"), 1);
        assert_eq!(
            count(
                "W030",
                "  - {alert: A, expr: up == 0, annotations: {summary: s}}\n"
            ),
            0
        );
        assert_eq!(count("W030", "  - {record: a, expr: up}\n"), 0);
    }

    #[test]
    fn for_is_no_shorter_than_the_interval() {
        let text = format!(
            "groups:\n- name: g\n  interval: 1m\n  rules:\n{}",
            alert("up > 0", "    for: 30s\n")
        );
        let ids = |text: &str, options: &LintOptions| -> Vec<String> {
            let found = findings_with(&[text], None, options);
            found.iter().map(|f| f.id().to_owned()).collect()
        };
        let default = LintOptions::default();
        assert_eq!(ids(&text, &default), ["W031"]);
        assert!(ids(&text.replace("30s", "1m"), &default).is_empty());
        let zero = file(&alert("up > 0", "    for: 0s\n"));
        assert!(ids(&zero, &default).is_empty());
        let asked = LintOptions {
            severities: vec![("useless-for".to_owned(), LintLevel::Info)],
            ..LintOptions::default()
        };
        assert_eq!(ids(&zero, &asked), ["W032"]);
    }

    #[test]
    fn sums_over_two_jobs_wait() {
        assert_finds(
            "W045",
            &[
                "sum(a{job=\"x\"}) / sum(b{job=\"y\"}) > 1",
                "sum by (node) (kube_pod_info) / sum by (node) (rate(node_cpu_seconds_total[5m])) > 1",
            ],
        );
        assert_silent(
            "W045",
            &[
                "sum(a{job=\"x\"}) / sum(b{job=\"x\"}) > 1",
                "a{job=\"x\"} / b{job=\"y\"} > 1",
                "sum(a{job=\"x\"}) / sum(b) > 1",
                "sum(a{job=\"x\"}) > 1 and sum(b{job=\"y\"}) > 1",
            ],
        );
        let waits = alert("sum(a{job=\"x\"}) / sum(b{job=\"y\"}) > 1", "    for: 2m\n");
        assert_eq!(count("W045", &waits), 0);
    }

    #[test]
    fn absent_waits() {
        assert_finds(
            "W023",
            &["absent(a)", "absent(a) == 1", "up == 0 or absent(a)"],
        );
        assert_silent(
            "W023",
            &["absent_over_time(a[5m])", "up == 0 and on () absent(a)"],
        );
        assert_eq!(count("W023", &alert("absent(a)", "    for: 5m\n")), 0);
    }

    #[test]
    fn alerts_are_not_on_samples() {
        assert_finds("W021", &["topk(5, a) > 1", "2 < bottomk by (x) (3, a)"]);
        assert_silent(
            "W021",
            &[
                "sum(topk(5, a)) > 1",
                "a / on (x) group_left () topk by (x) (1, b) > 1",
            ],
        );
    }
}
