//! Units, as the names of metrics tell them: seconds are not added to bytes, and a share is no percentage.

use crate::check::analysis::metric_name;
use crate::check::{Finding, Severity};
use crate::promql::ast::{AggregateOp, BinaryExpr, BinaryOp, Expr};

use super::Page;
use super::path;
use super::subject::Subject;

pub(super) static PAGE: Page = Page::new(
    "W046",
    "unit-mismatch",
    Severity::Warning,
    "Values of different units are added, subtracted or compared, or a share is compared with a percentage.",
)
.why("The names of metrics end with their unit. Bytes minus seconds mean nothing, and milliseconds compared with seconds are off by a thousand. What is used divided by what there is, both in one unit, lies between 0 and 1: `> 90` is never true of it and `< 10` always, they were meant for percent.")
.example(
    "expr: db_disk_used_bytes / db_disk_size_bytes > 90",
    "expr: 100 * db_disk_used_bytes / db_disk_size_bytes > 90",
);

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
    Bytes,
    Celsius,
    /// A quotient of two values of one unit that are surely part and whole.
    Share,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Bytes => "bytes",
            Self::Celsius => "degrees",
            Self::Share => "a share between 0 and 1",
        }
    }
}

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        let Expr::Binary(binary) = expr else {
            continue;
        };
        let meets = binary.op.is_comparison() || matches!(binary.op, BinaryOp::Add | BinaryOp::Sub);
        if let Some((left, right)) = unit(&binary.lhs).zip(unit(&binary.rhs))
            && meets
            && left != right
        {
            let message = format!(
                "the left side is in {}, the right side in {}",
                left.name(),
                right.name()
            );
            out.push(subject.on_expr(&PAGE, binary.pos(), message));
        }
        percentage(subject, binary, out);
    }
}

/// A share against a number that only a percentage reaches.
fn percentage(subject: &Subject<'_>, binary: &BinaryExpr, out: &mut Vec<Finding>) {
    let Some((series, _, number)) = path::against_number(binary) else {
        return;
    };
    let ordered =
        binary.op.is_comparison() && !matches!(binary.op, BinaryOp::Equal | BinaryOp::NotEqual);
    if ordered && (2.0..=100.0).contains(&number) && unit(series) == Some(Unit::Share) {
        let message = format!("the quotient is a share between 0 and 1, and {number} a percentage");
        let finding = subject.on_expr(&PAGE, binary.pos(), message);
        out.push(finding.with_hint(format!(
            "multiply the quotient by 100, or compare with {}",
            number / 100.0
        )));
    }
}

/// The unit of an expression's values, when their metrics tell it. The parser bounds the height.
fn unit(expr: &Expr) -> Option<Unit> {
    match expr.unwrap_parens() {
        Expr::VectorSelector(selector) => metric_name(selector).and_then(of_metric),
        Expr::Aggregate(aggregate) if path::keeps_unit(aggregate.op) => {
            // Shares that are added up are no share any more.
            unit(&aggregate.expr)
                .filter(|unit| aggregate.op != AggregateOp::Sum || *unit != Unit::Share)
        }
        Expr::Call(call) => match call.func.name {
            "time" | "timestamp" => Some(Unit::Seconds),
            "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time" | "abs"
            | "ceil" | "floor" => match call.args.first()?.unwrap_parens() {
                Expr::MatrixSelector(matrix) => metric_name(&matrix.selector).and_then(of_metric),
                other => unit(other),
            },
            _ => None,
        },
        Expr::Binary(binary) => match binary.op {
            BinaryOp::Add | BinaryOp::Sub => {
                let (left, right) = (unit(&binary.lhs)?, unit(&binary.rhs)?);
                (left == right).then_some(left)
            }
            BinaryOp::Div if is_share(binary) => Some(Unit::Share),
            // A comparison lets values through as they are.
            op if op.is_comparison() && !binary.return_bool => unit(&binary.lhs),
            BinaryOp::And | BinaryOp::Unless => unit(&binary.lhs),
            _ => None,
        },
        _ => None,
    }
}

fn of_metric(name: &str) -> Option<Unit> {
    // What a total counts is no point in time.
    let ends = |end: &str| name.ends_with(end);
    if ends("_milliseconds") || ends("_ms") {
        Some(Unit::Milliseconds)
    } else if ends("_seconds") {
        Some(Unit::Seconds)
    } else if ends("_bytes") {
        Some(Unit::Bytes)
    } else if ends("_celsius") {
        Some(Unit::Celsius)
    } else {
        None
    }
}

/// Whether a quotient is one of part and whole: the same thing in the same unit, used (or free) of all.
fn is_share(binary: &BinaryExpr) -> bool {
    const PARTS: [&str; 9] = [
        "used",
        "usage",
        "free",
        "avail",
        "available",
        "open",
        "current",
        "working",
        "rss",
    ];
    const WHOLES: [&str; 6] = ["size", "total", "max", "limit", "capacity", "quota"];
    let name = |expr: &Expr| match path::core(expr) {
        Expr::VectorSelector(selector) => metric_name(selector).map(str::to_owned),
        _ => None,
    };
    let Some((part, whole)) = name(&binary.lhs).zip(name(&binary.rhs)) else {
        return false;
    };
    let scaled = |expr: &Expr| !std::ptr::eq(unscaled(expr), path::core(expr));
    let has = |name: &str, words: &[&str]| name.split('_').any(|word| words.contains(&word));
    let stem = |name: &str| {
        name.split('_')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let both_bytes =
        of_metric(&part) == Some(Unit::Bytes) && of_metric(&whole) == Some(Unit::Bytes);
    both_bytes
        && stem(&part) == stem(&whole)
        && has(&part, &PARTS)
        && !has(&part, &WHOLES)
        && has(&whole, &WHOLES)
        && !has(&whole, &PARTS)
        && !scaled(&binary.lhs)
        && !scaled(&binary.rhs)
}

/// Goes down through parentheses and aggregations, but not through arithmetic with numbers.
fn unscaled(mut expr: &Expr) -> &Expr {
    loop {
        expr = expr.unwrap_parens();
        match expr {
            Expr::Aggregate(aggregate) => expr = &aggregate.expr,
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn units_agree() {
        assert_finds(
            "W046",
            &[
                "a_seconds - b_bytes > 1",
                "time() - job_end_timestamp_milliseconds > 3600",
                "sum by (x) (a_bytes) > sum by (x) (b_seconds)",
                "max_over_time(a_ms[5m]) > b_seconds",
            ],
        );
        assert_silent(
            "W046",
            &[
                "time() - job_end_timestamp_seconds > 3600",
                "a_bytes / b_seconds > 1",
                "a_bytes - b_bytes > c_bytes",
                "a_milliseconds / 1000 > b_seconds",
                "rate(a_seconds_total[5m]) > b_bytes",
                "a_bytes > 1 and b_seconds > 1",
            ],
        );
    }

    #[test]
    fn shares_are_no_percentages() {
        assert_finds(
            "W046",
            &[
                "redis_memory_used_bytes / redis_memory_max_bytes > 90",
                "sum by (x) (db_disk_free_bytes) / sum by (x) (db_disk_size_bytes) < 10",
                "90 < redis_memory_used_bytes / redis_memory_max_bytes",
            ],
        );
        assert_silent(
            "W046",
            &[
                "100 * redis_memory_used_bytes / redis_memory_max_bytes > 90",
                "redis_memory_used_bytes / redis_memory_max_bytes * 100 > 90",
                "redis_memory_used_bytes / redis_memory_max_bytes > 0.9",
                "(redis_memory_used_bytes * 100) / redis_memory_max_bytes > 90",
                "redis_memory_used_bytes / db_disk_size_bytes > 90",
                "sum(redis_memory_used_bytes / redis_memory_max_bytes) > 9",
            ],
        );
    }
}
