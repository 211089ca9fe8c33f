//! What the functions make of labels and values.

use super::{Analysis, LabelFlow, Shape, ValueRange, metric_name, metrics};
use crate::model::MatchOp;
use crate::promql::ast::{Call, Expr, ValueType};

const NEVER_NEGATIVE: &str = "the rate of a counter is never negative";

pub(super) fn shape(analysis: &Analysis<'_>, call: &Call, expr: &Expr) -> Shape {
    let input = call
        .args
        .iter()
        .find(|arg| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix));
    let Some(input) = input else {
        return without_series(analysis, call, expr);
    };
    let inner = analysis.of(input);
    let (range, because) = values(analysis, call, input, inner);
    let mut shape = Shape {
        labels: inner.labels.clone(),
        range,
        because,
        filters: inner.filters,
        always: inner.always,
    };
    labels(call, input, &mut shape, expr);
    shape
}

/// Functions that are called without a vector: of time, of numbers, `vector()`.
fn without_series(analysis: &Analysis<'_>, call: &Call, expr: &Expr) -> Shape {
    let range = match call.func.name {
        "vector" => call
            .args
            .first()
            .map_or(ValueRange::ANY, |arg| analysis.of(arg).range),
        "pi" => ValueRange::exactly(std::f64::consts::PI),
        "time" => ValueRange::not_negative(),
        name => date(name).unwrap_or(ValueRange::ANY),
    };
    Shape {
        because: date(call.func.name).map(|_| "of the calendar"),
        ..Shape::scalar(range, expr)
    }
}

fn date(name: &str) -> Option<ValueRange> {
    let (low, high) = match name {
        "minute" => (0.0, 59.0),
        "hour" => (0.0, 23.0),
        "day_of_week" => (0.0, 6.0),
        "day_of_month" => (1.0, 31.0),
        "days_in_month" => (28.0, 31.0),
        "day_of_year" => (1.0, 366.0),
        "month" => (1.0, 12.0),
        _ => return None,
    };
    Some(ValueRange::between(low, high).whole())
}

fn values(
    analysis: &Analysis<'_>,
    call: &Call,
    input: &Expr,
    inner: &Shape,
) -> (ValueRange, Option<&'static str>) {
    let name = call.func.name;
    let range = inner.range;
    let bound = |at: usize| call.args.get(at).map(|arg| analysis.of(arg).range);
    if let Some(range) = date(name) {
        return (range, Some("of the calendar"));
    }
    match name {
        "rate" | "irate" | "increase" => rate(name, input),
        "changes" | "resets" => (
            ValueRange::not_negative().whole(),
            Some("a count is never negative"),
        ),
        "absent" | "absent_over_time" | "present_over_time" => {
            (ValueRange::exactly(1.0), Some("it yields 1 or nothing"))
        }
        "count_over_time" => (
            ValueRange::between(1.0, f64::INFINITY).whole(),
            Some("the count of no samples is no result, not 0"),
        ),
        "stddev_over_time" | "stdvar_over_time" | "mad_over_time" => (
            ValueRange::not_negative().or_nan(),
            Some("a deviation is never negative"),
        ),
        "abs" | "exp" => (
            ValueRange {
                nan: range.nan,
                ..ValueRange::not_negative()
            },
            Some("it is never negative"),
        ),
        "sqrt" => (
            ValueRange::not_negative().or_nan(),
            Some("it is never negative"),
        ),
        "sgn" => (
            ValueRange {
                nan: range.nan,
                ..ValueRange::between(-1.0, 1.0).whole()
            },
            Some("it yields -1, 0 or 1"),
        ),
        "sin" | "cos" => (ValueRange::between(-1.0, 1.0).or_nan(), None),
        "ceil" | "floor" | "round" => (rounded(name, call, range), inner.because),
        "clamp_min" => (
            bound(1).map_or(ValueRange::ANY, |by| range.at_least(by.low)),
            Some("it is clamped"),
        ),
        "clamp_max" => (
            bound(1).map_or(ValueRange::ANY, |by| range.at_most(by.high)),
            Some("it is clamped"),
        ),
        "clamp" => {
            let low = bound(1).map_or(f64::NEG_INFINITY, |by| by.low);
            let high = bound(2).map_or(f64::INFINITY, |by| by.high);
            (range.at_least(low).at_most(high), Some("it is clamped"))
        }
        "histogram_fraction" => (
            ValueRange::between(0.0, 1.0).or_nan(),
            Some("a fraction lies between 0 and 1"),
        ),
        "timestamp" => (ValueRange::not_negative(), Some("a time is never negative")),
        "sum_over_time" => {
            let low = if range.low >= 0.0 {
                0.0
            } else {
                f64::NEG_INFINITY
            };
            (
                ValueRange {
                    whole: range.whole,
                    nan: range.nan,
                    ..ValueRange::between(low, f64::INFINITY)
                },
                inner.because,
            )
        }
        "avg_over_time" | "quantile_over_time" => (range.fractional(), inner.because),
        "min_over_time" | "max_over_time" | "last_over_time" | "first_over_time" | "sort"
        | "sort_desc" | "sort_by_label" | "sort_by_label_desc" | "label_replace" | "label_join"
        | "info" => (range, inner.because),
        // Of no series or of many it is NaN.
        "scalar" => (range.or_nan(), inner.because),
        _ => (ValueRange::ANY, None),
    }
}

fn rounded(name: &str, call: &Call, range: ValueRange) -> ValueRange {
    let up = if name == "floor" {
        f64::floor
    } else {
        f64::ceil
    };
    let down = if name == "ceil" {
        f64::ceil
    } else {
        f64::floor
    };
    if name == "round" && call.args.len() > 1 {
        // To a multiple of anything: the bounds may move by half of it.
        return ValueRange {
            nan: range.nan,
            ..if range.low >= 0.0 {
                ValueRange::not_negative()
            } else {
                ValueRange::ANY
            }
        };
    }
    ValueRange {
        nan: range.nan,
        ..ValueRange::between(down(range.low), up(range.high)).whole()
    }
}

fn rate(name: &str, input: &Expr) -> (ValueRange, Option<&'static str>) {
    let plain = (ValueRange::not_negative(), Some(NEVER_NEGATIVE));
    let Expr::MatrixSelector(matrix) = input.unwrap_parens() else {
        return plain;
    };
    let seconds = matrix.range.as_secs_f64();
    // The last two samples of `irate` may lie close together: nothing is known but the sign.
    if name == "irate" || matrix.range_expr.is_some() || seconds <= 0.0 {
        return plain;
    }
    let known =
        metric_name(&matrix.selector).and_then(|metric| metrics::most_increase(metric, seconds));
    match known {
        Some((most, why)) => {
            let high = if name == "rate" { most / seconds } else { most };
            (ValueRange::between(0.0, high), Some(why))
        }
        None => plain,
    }
}

fn labels(call: &Call, input: &Expr, shape: &mut Shape, expr: &Expr) {
    let text = |at: usize| match call.args.get(at).map(Expr::unwrap_parens) {
        Some(Expr::String(text)) => text.value.as_str(),
        _ => "",
    };
    match call.func.name {
        "absent" | "absent_over_time" => {
            shape.labels = absent(input, expr);
            shape.filters = true;
            shape.always = false;
        }
        "scalar" => {
            shape.labels = LabelFlow::none(expr.pos());
            shape.always = true;
            shape.filters = false;
        }
        "histogram_quantile" | "histogram_fraction" => shape.labels.drop_one("le", expr.pos()),
        "histogram_quantiles" => {
            shape.labels.drop_one("le", expr.pos());
            shape.labels.add(text(1), true);
        }
        "label_replace" => {
            let (target, replacement, pattern) = (text(1), text(2), text(4));
            // It surely matches, and surely does not write an empty value.
            let matches_all = matches!(pattern, ".*" | "(.*)")
                || (pattern.is_empty() && !shape.labels.can_have(text(3)));
            let sure = matches_all && !replacement.is_empty() && !replacement.contains('$');
            let removes = replacement.is_empty();
            if !removes {
                let had = shape.labels.guaranteed.contains(target);
                shape.labels.add(target, sure || had);
            }
        }
        "label_join" => shape.labels.add(text(1), false),
        "info" => {
            // Data labels of any name may come.
            shape.labels.only = None;
            shape.labels.excluded.clear();
        }
        _ => {}
    }
}

/// compat: the result of `absent` has the labels of the selector's equality matchers, those matched
/// twice left out; none for any other expression.
fn absent(input: &Expr, expr: &Expr) -> LabelFlow {
    let mut flow = LabelFlow::none(expr.pos());
    let selector = match input.unwrap_parens() {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.selector,
        _ => return flow,
    };
    for matcher in &selector.matchers {
        let alone = selector
            .matchers
            .iter()
            .filter(|other| other.name == matcher.name)
            .count()
            == 1;
        if matcher.name != "__name__"
            && matcher.op == MatchOp::Equal
            && !matcher.value.is_empty()
            && alone
        {
            flow.add(&matcher.name, true);
            flow.fixed
                .insert(matcher.name.clone(), matcher.value.clone());
        }
    }
    flow
}
