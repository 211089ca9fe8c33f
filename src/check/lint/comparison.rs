use crate::check::analysis::{Analysis, Shape, Verdict};
use crate::check::{Finding, Severity};
use crate::promql::ast::{BinaryExpr, BinaryOp, Expr, ValueType};

use super::Page;
use super::path;
use super::subject::{Subject, World};

pub(super) static NO_CONDITION: Page = Page::new(
    "W010",
    "no-condition",
    Severity::Warning,
    "The expression of an alert has no condition: it fires for every series that exists.",
)
.pint("alerts/comparison")
.why("An alert fires for every result of its expression, whatever the value. Without a comparison (or with one that has `bool`, which yields 0 or 1 instead of filtering) that is every series, all the time. It is right for an alert that must always fire, such as a watchdog on `vector(1)`, which is not reported, and for metrics that exist only while something is wrong.")
.example("expr: rate(errors_total[5m])", "expr: rate(errors_total[5m]) > 0.5");

pub(super) static ALWAYS_TRUE: Page = Page::new(
    "W011",
    "always-true",
    Severity::Warning,
    "The comparison of an alert holds for every value that the expression can have.",
)
.why("The values of the expression lie within bounds that are known: ratios of a part to its whole between 0 and 1, rates of counters at 0 or more, `up` at 0 or 1. The threshold lies outside, so the alert fires for every series that exists. Usually a percentage is compared with a fraction, or the operator points the wrong way.")
.example(
    "expr: sum(rate(errors_total[5m])) >= 0",
    "expr: sum(rate(errors_total[5m])) > 0",
);

pub(super) static NEVER_TRUE: Page = Page::new(
    "W012",
    "never-true",
    Severity::Warning,
    "The comparison holds for no value that the expression can have: this part never fires.",
)
.pint("promql/impossible")
.why("The values of the expression lie within bounds that are known: ratios of a part to its whole between 0 and 1, rates of counters at 0 or more, `up` at 0 or 1, `count()` at 1 or more (of nothing it yields no result, not 0), restarts of a container no faster than kubelet's back-off. The threshold lies outside. An alert that cannot fire looks exactly like one that is fine.")
.example(
    "expr: rate(kube_pod_container_status_restarts_total[15m]) > 0.1 # 90 restarts in 15 minutes",
    "expr: increase(kube_pod_container_status_restarts_total[15m]) > 3",
);

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if subject.is_alert() {
        condition(subject, out);
        always(subject, out);
    }
    for expr in subject.analysis.nodes() {
        if let Expr::Binary(binary) = expr {
            never(subject, binary, out);
        }
    }
}

fn condition(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let analysis = &subject.analysis;
    let result = analysis.result();
    // A watchdog, or an expression of the calendar.
    if result.filters || analysis.selectors().next().is_none() {
        return;
    }
    if is_chosen_by_labels(analysis.root()) {
        return;
    }
    let bool_comparison = analysis.nodes().iter().find_map(|expr| match expr {
        Expr::Binary(binary) if binary.op.is_comparison() && binary.return_bool => Some(binary),
        _ => None,
    });
    let finding = match bool_comparison {
        Some(binary) => subject
            .on_expr(
                &NO_CONDITION,
                binary.op_pos,
                "a comparison with bool yields 0 or 1 and never takes a series away, so the alert fires all the time",
            )
            .with_hint("take `bool` away, or compare the result with `== 1`"),
        None => subject
            .on_expr(
                &NO_CONDITION,
                analysis.root().pos(),
                "the alert has no condition: it fires for every series that the expression finds",
            )
            .with_hint("compare with a threshold, such as `> 0`"),
    };
    out.push(finding);
}

/// Whether matchers are the condition: `kube_pod_status_reason{reason="Evicted"}` exists while something
/// is wrong. Labels that only say where do not count.
fn is_chosen_by_labels(expr: &Expr) -> bool {
    const PLACES: [&str; 6] = ["__name__", "job", "instance", "cluster", "namespace", "env"];
    let expr = match expr.unwrap_parens() {
        Expr::Aggregate(aggregate) => aggregate.expr.unwrap_parens(),
        other => other,
    };
    match expr {
        Expr::VectorSelector(selector) => selector
            .matchers
            .iter()
            .any(|m| !PLACES.contains(&m.name.as_str())),
        _ => false,
    }
}

fn always(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let analysis = &subject.analysis;
    for binary in path::deciding(analysis.root()) {
        let series = if binary.lhs.value_type() == ValueType::Vector {
            analysis.of(&binary.lhs)
        } else {
            analysis.of(&binary.rhs)
        };
        // `count(x > 5) > 0` and `absent(x) == 1` say nothing new, but another condition decides.
        if series.filters || verdict(analysis, binary) != Some(Verdict::Always) {
            continue;
        }
        if analysis.selectors().next().is_none() {
            continue;
        }
        let message = format!(
            "`{}` is always true{}: the alert fires for every series",
            subject.text(binary.pos()),
            reason(series),
        );
        let finding = subject.on_expr(&ALWAYS_TRUE, binary.pos(), message);
        out.push(
            finding.with_hint("compare with a value that the expression can be on both sides of"),
        );
    }
}

fn never(subject: &Subject<'_>, binary: &BinaryExpr, out: &mut Vec<Finding>) {
    let analysis = &subject.analysis;
    if verdict(analysis, binary) != Some(Verdict::Never) {
        return;
    }
    let (series, other) = (analysis.of(&binary.lhs), analysis.of(&binary.rhs));
    let series = if series.because.is_some() || binary.lhs.value_type() == ValueType::Vector {
        series
    } else {
        other
    };
    let text = subject.text(binary.pos());
    let what = if binary.return_bool {
        "is always 0"
    } else {
        "can never be true"
    };
    let message = format!("`{text}` {what}{}", reason(series));
    let finding = subject.on_expr(&NEVER_TRUE, binary.pos(), message);
    out.push(finding.with_hint(hint(binary, series)));
}

fn hint(binary: &BinaryExpr, series: &Shape) -> String {
    if series
        .because
        .is_some_and(|why| why.starts_with("the count of no"))
    {
        return "use `absent()` to find that there is nothing, or add `or vector(0)`".to_owned();
    }
    if series.because.is_some_and(|why| why.starts_with("kubelet")) {
        return format!(
            "the value is at most {}; `increase(...[15m]) > 3` counts restarts",
            shown(series.range.high)
        );
    }
    let number = path::number(&binary.rhs).or_else(|| path::number(&binary.lhs));
    if series.range.whole && series.range.low == 0.0 && series.range.high == 1.0 {
        return "the value is 0 or 1 and nothing else: compare with one of them".to_owned();
    }
    if series.range.high == 1.0 && number.is_some_and(|n| n > 1.0 && n <= 100.0) {
        return "the value is a fraction between 0 and 1: compare with a fraction, or multiply by 100"
            .to_owned();
    }
    "compare with a value that the expression can reach".to_owned()
}

fn reason(series: &Shape) -> String {
    let range = series.range;
    let bounds = match (range.low.is_finite(), range.high.is_finite()) {
        (true, true) if range.low == range.high => format!("the value is {}", shown(range.low)),
        (true, true) => format!(
            "the value lies between {} and {}",
            shown(range.low),
            shown(range.high)
        ),
        (true, false) => format!("the value is at least {}", shown(range.low)),
        (false, true) => format!("the value is at most {}", shown(range.high)),
        (false, false) => return String::new(),
    };
    match series.because {
        Some(because) => format!(", because {bounds} ({because})"),
        None => format!(", because {bounds}"),
    }
}

/// At most four digits that matter.
fn shown(value: f64) -> String {
    if value == 0.0 || value.fract() == 0.0 {
        return format!("{value}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn verdict(analysis: &Analysis<'_>, binary: &BinaryExpr) -> Option<Verdict> {
    if !binary.op.is_comparison() {
        return None;
    }
    // Two numbers are compared by whoever wants an alert that is on or off.
    let scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
    if scalar(&binary.lhs) && scalar(&binary.rhs) {
        return None;
    }
    let (lhs, rhs) = (analysis.of(&binary.lhs), analysis.of(&binary.rhs));
    // `x == x`: NaN apart, and nobody means it.
    if binary.op == BinaryOp::NotEqual && binary.return_bool {
        return None;
    }
    Some(lhs.range.compare(binary.op, rhs.range))
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn alerts_need_a_condition() {
        assert_finds(
            "W010",
            &[
                "up",
                "sum(rate(a_total[5m]))",
                "a > bool 1",
                "a > 1 or b",
                "a + on (x) b",
                "up{job=\"a\"}",
            ],
        );
        assert_silent(
            "W010",
            &[
                "up == 0",
                "vector(1)",
                "absent(a)",
                "a and b",
                "a unless b",
                "count(a > 1)",
                "1",
                "hour() > 5",
                "a{reason=\"x\"}",
                "count by (y) (a{reason=\"x\"})",
            ],
        );
    }

    #[test]
    fn comparisons_that_always_hold() {
        assert_finds(
            "W011",
            &[
                "rate(a_total[5m]) >= 0",
                "up < 2",
                "a > 3 or up <= 1",
                "0 <= node_filesystem_avail_bytes",
            ],
        );
        assert_silent(
            "W011",
            &[
                "up == 0",
                "absent(a) == 1",
                "count(a > 5) > 0",
                "rate(a_total[5m]) > 0",
                "a >= 0",
                "vector(1) > 0",
            ],
        );
    }

    #[test]
    fn comparisons_that_never_hold() {
        assert_finds(
            "W012",
            &[
                "up == 2",
                "count(a) == 0",
                "count by (x) (a) < 1",
                "rate(a_total[5m]) < 0",
                "sum(rate(a_total{x=\"1\"}[5m])) / sum(rate(a_total[5m])) > 5",
                "1 - avg by (x) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) > 80",
                "rate(kube_pod_container_status_restarts_total[15m]) > 0.1",
                "absent(a) == 0",
                "a > 1 or up > 1",
                "hour() > 24",
            ],
        );
        assert_silent(
            "W012",
            &[
                "up == 0",
                "count(a) == 1",
                "100 * sum(rate(a_total{x=\"1\"}[5m])) / sum(rate(a_total[5m])) > 5",
                "sum(rate(a_total[5m])) / sum(rate(b_total[5m])) > 5",
                "increase(kube_pod_container_status_restarts_total[15m]) > 3",
                "sum(increase(kube_pod_container_status_restarts_total[15m])) > 300",
                "deriv(a[5m]) < 0",
                "predict_linear(node_filesystem_avail_bytes[6h], 3600) < 0",
                "(count(a) or vector(0)) == 0",
            ],
        );
    }
}
