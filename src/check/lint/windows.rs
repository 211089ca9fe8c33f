use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::model::{MatchOp, Matcher};
use crate::promql::ast::{Expr, MatrixSelector};
use crate::time::Span;

use super::Page;
use super::subject::{Subject, World};

pub(super) static TOO_SHORT: Page = Page::new(
    "W016",
    "short-window",
    Severity::Warning,
    "A window holds fewer than two scrapes, but its function needs two samples.",
)
.pint("promql/rate")
.why("rate() and its like yield nothing for a window with fewer than two samples. With a window of less than two scrape intervals that happens now and then or always, and the alert has gaps or never fires. Four intervals survive a failed scrape. The interval is the job's in `prometheus.yml`, `lint: {scrape_interval: ...}` in `watchfire.yml`, or 15s when nobody tells.")
.example("expr: rate(errors_total[20s]) > 1", "expr: rate(errors_total[1m]) > 1");

pub(super) static BEYOND_RETENTION: Page = Page::new(
    "W027",
    "beyond-retention",
    Severity::Warning,
    "A range or an offset looks back further than samples are kept.",
)
.pint("promql/range_query")
.why("There is nothing to find there: an offset yields no result, a range covers less than it says. The retention is told by `lint: {retention: ...}` in `watchfire.yml`.")
.example("expr: errors > errors offset 30d # kept for 15d", "expr: errors > errors offset 7d");

/// The interval that is assumed when nobody tells.
const USUAL_INTERVAL: Span = Span::seconds(15);

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
    if let Some(retention) = world.options.retention {
        beyond(subject, retention, out);
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

fn beyond(subject: &Subject<'_>, retention: Span, out: &mut Vec<Finding>) {
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
            let message = format!(
                "it looks back {}, but samples are kept for {retention}",
                Span::from_ms(reach)
            );
            out.push(subject.on_expr(&BEYOND_RETENTION, at, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::lint::testing::{alert, assert_finds, assert_silent, file, findings_with};
    use crate::config::lint::LintOptions;

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
