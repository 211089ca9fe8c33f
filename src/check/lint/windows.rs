use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::model::{MatchOp, Matcher};
use crate::promql::ast::{BinaryOp, Expr, MatrixSelector};
use crate::time::Span;

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static TOO_SHORT: Page = Page::new(
    "W016",
    "short-window",
    Severity::Warning,
    "A window holds fewer than two scrapes, but its function needs two samples.",
)
.pint("promql/rate")
.why("rate() and its like yield nothing for a window with fewer than two samples. With a window of less than two scrape intervals that happens now and then or always, and the alert has gaps or never fires. Four intervals survive a failed scrape. The interval is the job's in `prometheus.yml`, `lint: {scrape_interval: ...}` in `watchfire.yml`, or 15s when nobody tells. Recorded metrics (names with a colon) come at the pace of their group and are not looked at.")
.example("expr: rate(errors_total[20s]) > 1", "expr: rate(errors_total[1m]) > 1");

pub(super) static BEYOND_RETENTION: Page = Page::new(
    "W027",
    "beyond-retention",
    Severity::Warning,
    "A range or an offset looks back further than samples are kept.",
)
.pint("promql/range_query")
.why("There is nothing to find there: an offset yields no result, a range covers less than it says. The retention is that of `prometheus.yml` when it is checked too, or told by `lint: {retention: ...}` in `watchfire.yml`; when nobody tells it is 15 days, as without configuration, and findings are for information.")
.example("expr: errors > errors offset 30d # kept for 15d", "expr: errors > errors offset 7d");

pub(super) static PREDICTION_ALONE: Page = Page::new(
    "W047",
    "prediction-alone",
    Severity::Info,
    "An alert fires for what predict_linear() says and for nothing else, however little it has seen.",
)
.why("Two samples are enough for predict_linear(): a series younger than its window is extrapolated from minutes, as after a restart, on a new disk, or with less data kept than the window is long. A file that is written at the start of a job fills a disk that is nearly empty. Ask as well that something is wrong today, or that there were samples enough.")
.example(
    "expr: predict_linear(node_filesystem_free_bytes{fstype=\"ext4\"}[6h], 4 * 3600) < 0",
    "expr: >\n  predict_linear(node_filesystem_free_bytes{fstype=\"ext4\"}[6h], 4 * 3600) < 0\n  and node_filesystem_free_bytes / node_filesystem_size_bytes < 0.4",
);

/// The interval that is assumed when nobody tells.
const USUAL_INTERVAL: Span = Span::seconds(15);

/// How long samples are kept when nobody tells.
const USUAL_RETENTION: Span = Span::hours(15 * 24);

pub(super) fn check(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        if let Expr::Call(call) = expr
            && let Some(Expr::MatrixSelector(matrix)) = call
                .args
                .iter()
                .map(Expr::unwrap_parens)
                .find(|arg| matches!(arg, Expr::MatrixSelector(_)))
        {
            short(world, subject, call.func.name, matrix, out);
        }
    }
    beyond(world, subject, out);
    if subject.is_alert() {
        prediction(subject, out);
    }
}

/// Looks along `or` only: behind `and` there is another condition.
fn prediction(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let mut open = vec![subject.analysis.root()];
    while let Some(expr) = open.pop() {
        let Expr::Binary(binary) = expr.unwrap_parens() else {
            continue;
        };
        if binary.op == BinaryOp::Or {
            open.extend([&*binary.rhs, &*binary.lhs]);
            continue;
        }
        if let Some((series, _, _)) = path::against_number(binary)
            && let Expr::Call(call) = path::core(series)
            && call.func.name == "predict_linear"
            && let Some(Expr::MatrixSelector(matrix)) = call.args.first().map(Expr::unwrap_parens)
        {
            let message = format!(
                "a series younger than {} is extrapolated from as little as two samples, and nothing else is asked",
                matrix.range
            );
            let finding = subject.on_expr(&PREDICTION_ALONE, call.pos, message);
            let window = subject.text(matrix.pos);
            out.push(finding.with_hint(format!(
                "add what must be true today, such as `and` little space left, or `and count_over_time({window})` over the samples of half the window"
            )));
        }
    }
}

fn short(
    world: &World<'_>,
    subject: &Subject<'_>,
    function: &str,
    matrix: &MatrixSelector,
    out: &mut Vec<Finding>,
) {
    let needs_two = matches!(
        function,
        "rate"
            | "irate"
            | "increase"
            | "delta"
            | "idelta"
            | "deriv"
            | "predict_linear"
            | "changes"
            | "resets"
    );
    // Recorded metrics come at the pace of their group.
    let recorded = metric_name(&matrix.selector).is_some_and(|name| name.contains(':'));
    if !needs_two || matrix.range_expr.is_some() || recorded {
        return;
    }
    let job = matrix.selector.matchers.iter().find_map(job_of);
    let interval = world.scrape_interval(job).unwrap_or(USUAL_INTERVAL);
    if matrix.range.as_ms() >= 2 * interval.as_ms() {
        return;
    }
    let message = format!(
        "the window of {} is shorter than two scrapes of {interval}: {function}() finds one sample or none",
        matrix.range
    );
    let finding = subject.on_expr(&TOO_SHORT, matrix.pos, message);
    let four = Span::from_ms(4 * interval.as_ms());
    out.push(finding.with_hint(format!("use a window of {four} or more")));
}

fn job_of(matcher: &Matcher) -> Option<&str> {
    (matcher.name == "job" && matcher.op == MatchOp::Equal).then_some(matcher.value.as_str())
}

fn beyond(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let told = world.retention();
    let retention = told.unwrap_or(USUAL_RETENTION);
    for expr in subject.analysis.nodes() {
        let (reach, at) = match expr {
            Expr::MatrixSelector(matrix) => (
                matrix
                    .range
                    .as_ms()
                    .saturating_add(matrix.selector.offset.as_ms()),
                matrix.pos,
            ),
            Expr::VectorSelector(selector) => (selector.offset.as_ms(), selector.pos),
            Expr::Subquery(subquery) => (
                subquery
                    .range
                    .as_ms()
                    .saturating_add(subquery.offset.as_ms()),
                subquery.pos,
            ),
            _ => continue,
        };
        if reach > retention.as_ms() {
            let reach = Span::from_ms(reach);
            let mut finding = subject.on_expr(&BEYOND_RETENTION, at, "");
            if told.is_some() {
                finding.message =
                    format!("it looks back {reach}, but samples are kept for {retention}");
            } else {
                finding.message = format!(
                    "it looks back {reach}, but unless it is configured otherwise samples are kept for {retention}"
                );
                finding.severity = Severity::Info;
                finding.hint = Some(format!(
                    "say `lint: {{retention: {reach}}}` in watchfire.yml when they are kept longer"
                ));
            }
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::lint::testing::{
        alert, assert_finds, assert_silent, file, findings, findings_with,
    };
    use crate::config::lint::LintOptions;

    #[test]
    fn retention_is_assumed_when_nobody_tells() {
        let found = findings(&file(&alert("a > a offset 30d", "")));
        assert_eq!((found[0].id(), found[0].severity), ("W027", Severity::Info));
        assert!(findings(&file(&alert("a > a offset 14d", ""))).is_empty());
    }

    #[test]
    fn predictions_are_not_alone() {
        let alone = "predict_linear(a{x=\"1\"}[6h], 3600) < 0";
        assert_finds("W047", &[alone, &format!("{alone} or b > 1")]);
        assert_silent(
            "W047",
            &[&format!("{alone} and b < 0.4"), "deriv(a[6h]) < 0"],
        );
    }

    #[test]
    fn windows_hold_two_scrapes() {
        assert_finds("W016", &["rate(a_total[20s]) > 1"]);
        assert_silent(
            "W016",
            &[
                "rate(a_total[30s]) > 1",
                "max_over_time(a[10s]) > 1",
                "rate(a:b[10s]) > 1",
            ],
        );
        let options = LintOptions {
            scrape_interval: Some(Span::minutes(1)),
            retention: Some(Span::hours(24)),
            ..LintOptions::default()
        };
        let found = |expr: &str| -> Vec<&str> {
            let text = file(&alert(expr, ""));
            let found = findings_with(&[&text], None, &options);
            found.iter().map(Finding::id).collect()
        };
        assert_eq!(found("rate(a_total[1m]) > 1"), ["W016"]);
        assert_eq!(found("a > a offset 2d"), ["W027"]);
        assert_eq!(found("avg_over_time(a[12h] offset 13h) > 1"), ["W027"]);
        assert!(found("a > a offset 1d").is_empty());
    }
}
