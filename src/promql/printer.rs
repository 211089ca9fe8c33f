//! How does a tree read as a text? One line, in upstream's form, which parses to the same tree again.

use std::fmt::{self, Write as _};

use crate::model::labels::is_legacy_name;
use crate::model::{METRIC_NAME, MatchOp};
use crate::promql::ast::{
    AggregateExpr, At, BinaryExpr, BinaryOp, DurationExpr, DurationKind, Expr, MatrixSelector,
    NumberLiteral, SubqueryExpr, VectorMatchCardinality, VectorMatching, VectorSelector,
};
use crate::text::{duration, gofmt, quote::quote};
use crate::time::Span;

/// The query in one line, as upstream prints it.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(&print_number(number)),
            Self::String(string) => f.write_str(&readable(string.quoted())),
            Self::VectorSelector(selector) => {
                write_series(f, selector)?;
                write_at(f, selector.at)?;
                write_extension(f, selector)?;
                write_offset(f, selector.offset, selector.offset_expr.as_deref())
            }
            Self::MatrixSelector(matrix) => write_matrix(f, matrix),
            Self::Subquery(subquery) => {
                write!(f, "{}{}", subquery.expr, subquery_suffix(subquery))
            }
            Self::Call(call) => {
                write!(f, "{}(", call.func.name)?;
                for (at, arg) in call.args.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{arg}")?;
                }
                f.write_char(')')
            }
            Self::Binary(binary) => {
                let operator = operator_with_modifiers(binary);
                if would_go_on(binary) {
                    write!(f, "({}) {operator} {}", binary.lhs, binary.rhs)
                } else {
                    write!(f, "{} {operator} {}", binary.lhs, binary.rhs)
                }
            }
            Self::Unary(unary) => write!(f, "{}{}", unary.op, unary.expr),
            Self::Paren(paren) => write!(f, "({})", paren.expr),
            Self::Aggregate(aggregate) => {
                write!(f, "{}(", aggregate_head(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
        }
    }
}

/// The aggregation's name and grouping.
pub(super) fn aggregate_head(aggregate: &AggregateExpr) -> String {
    let mut head = aggregate.op.to_string();
    if aggregate.without {
        let _ = write!(head, " without ({}) ", join_labels(&aggregate.grouping));
    } else if !aggregate.grouping.is_empty() {
        let _ = write!(head, " by ({}) ", join_labels(&aggregate.grouping));
    }
    head
}

/// The operator with `bool` and its matching.
pub(super) fn operator_with_modifiers(binary: &BinaryExpr) -> String {
    let mut out = binary.op.to_string();
    if binary.return_bool {
        out.push_str(" bool");
    }
    if let Some(matching) = &binary.matching {
        write_matching(&mut out, matching);
    }
    out
}

/// Whether the operator would be read as part of the calculation that the left side ends in, as in
/// `a @ 1 offset (5m) + b`. It can be written the other way round, which no printed form keeps.
pub(super) fn would_go_on(binary: &BinaryExpr) -> bool {
    // compat: after `offset` only what begins like this goes on with an operator.
    fn open(calculation: Option<&DurationExpr>) -> bool {
        let text = calculation.map(ToString::to_string).unwrap_or_default();
        ["(", "--", "-+", "+-", "++"]
            .iter()
            .any(|begin| text.starts_with(begin))
    }
    fn ends_open(expr: &Expr) -> bool {
        match expr {
            Expr::VectorSelector(s) => open(s.offset_expr.as_deref()),
            Expr::MatrixSelector(m) => open(m.selector.offset_expr.as_deref()),
            Expr::Subquery(s) => open(s.offset_expr.as_deref()),
            Expr::Binary(binary) => ends_open(&binary.rhs),
            Expr::Unary(unary) => ends_open(&unary.expr),
            _ => false,
        }
    }
    matches!(
        binary.op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
    ) && ends_open(&binary.lhs)
}

fn write_matching(out: &mut String, matching: &VectorMatching) {
    let group = match matching.card {
        VectorMatchCardinality::ManyToOne => Some("left"),
        VectorMatchCardinality::OneToMany => Some("right"),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => None,
    };
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        let word = if matching.on { "on" } else { "ignoring" };
        let _ = write!(out, " {word} ({})", join_labels(&matching.labels));
    }
    if let Some(side) = group {
        let _ = write!(out, " group_{side} ({})", join_labels(&matching.include));
    }
    let fill = |out: &mut String, word: &str, value: f64| {
        let _ = write!(out, " {word} ({})", gofmt::float_g(value));
    };
    match (matching.fill.lhs, matching.fill.rhs) {
        (Some(lhs), Some(rhs)) if lhs.to_bits() == rhs.to_bits() => fill(out, "fill", lhs),
        (lhs, rhs) => {
            if let Some(value) = lhs {
                fill(out, "fill_left", value);
            }
            if let Some(value) = rhs {
                fill(out, "fill_right", value);
            }
        }
    }
}

fn join_labels(labels: &[String]) -> String {
    let quoted: Vec<String> = labels
        .iter()
        .map(|label| {
            if is_legacy_name(label) {
                label.clone()
            } else {
                readable(quote(label))
            }
        })
        .collect();
    quoted.join(", ")
}

fn print_number(number: &NumberLiteral) -> String {
    if !number.is_duration {
        return gofmt::float_f(number.value);
    }
    let ms = (number.value.abs() * 1000.0).round() as i64;
    let sign = if number.value < 0.0 { "-" } else { "" };
    format!("{sign}{}", duration::format_ms(ms))
}

/// Escapes U+FFFD, which the lexer refuses as broken UTF-8.
// compat: upstream prints it as it is, and cannot read its own text then.
fn readable(quoted: String) -> String {
    if quoted.contains(char::REPLACEMENT_CHARACTER) {
        quoted.replace(char::REPLACEMENT_CHARACTER, "\\ufffd")
    } else {
        quoted
    }
}

/// The name and the matchers.
fn write_series(f: &mut fmt::Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    f.write_str(&selector.name)?;
    let mut matchers: Vec<String> = selector
        .matchers
        .iter()
        .filter(|m| {
            let is_name = m.name == METRIC_NAME && m.op == MatchOp::Equal;
            !(is_name && m.value == selector.name && !m.value.is_empty())
        })
        .map(|m| readable(m.to_string()))
        .collect();
    if matchers.is_empty() && !selector.name.is_empty() {
        return Ok(());
    }
    // compat: sorted by their text.
    matchers.sort();
    write!(f, "{{{}}}", matchers.join(","))
}

fn write_extension(f: &mut fmt::Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    f.write_str(match (selector.anchored, selector.smoothed) {
        (true, _) => " anchored",
        (_, true) => " smoothed",
        (false, false) => "",
    })
}

fn write_at(f: &mut impl fmt::Write, at: Option<At>) -> fmt::Result {
    match at {
        Some(At::Time(time)) => write!(f, " @ {:.3}", time.as_ms() as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(f: &mut impl fmt::Write, offset: Span, expr: Option<&DurationExpr>) -> fmt::Result {
    match expr {
        Some(expr) => write!(f, " offset {expr}"),
        None if offset.is_zero() => Ok(()),
        None => write!(f, " offset {offset}"),
    }
}

fn print_range(range: Span, expr: Option<&DurationExpr>) -> String {
    expr.map_or_else(|| range.to_string(), ToString::to_string)
}

fn write_matrix(f: &mut fmt::Formatter<'_>, matrix: &MatrixSelector) -> fmt::Result {
    write_series(f, &matrix.selector)?;
    write!(
        f,
        "[{}]",
        print_range(matrix.range, matrix.range_expr.as_deref())
    )?;
    write_extension(f, &matrix.selector)?;
    write_at(f, matrix.selector.at)?;
    write_offset(
        f,
        matrix.selector.offset,
        matrix.selector.offset_expr.as_deref(),
    )
}

/// The brackets and modifiers of a subquery.
pub(super) fn subquery_suffix(subquery: &SubqueryExpr) -> String {
    let step = match &subquery.step_expr {
        Some(expr) => expr.to_string(),
        None if subquery.step.is_zero() => String::new(),
        None => subquery.step.to_string(),
    };
    let range = print_range(subquery.range, subquery.range_expr.as_deref());
    let mut out = format!("[{range}:{step}]");
    let _ = write_at(&mut out, subquery.at);
    let _ = write_offset(&mut out, subquery.offset, subquery.offset_expr.as_deref());
    out
}

/// The calculation as upstream prints it.
impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wrapped {
            f.write_char('(')?;
        }
        match &self.kind {
            DurationKind::Number {
                seconds,
                is_duration,
            } => f.write_str(&print_number(&NumberLiteral {
                value: *seconds,
                is_duration: *is_duration,
                pos: self.pos,
            }))?,
            DurationKind::Step => f.write_str("step()")?,
            DurationKind::Range => f.write_str("range()")?,
            DurationKind::Negate(inner) => write!(f, "-{inner}")?,
            DurationKind::Binary { op, lhs, rhs } => {
                write!(f, "{lhs} {} {rhs}", op.as_str())?;
            }
            DurationKind::MinOf(a, b) => write!(f, "min_of({a}, {b})")?,
            DurationKind::MaxOf(a, b) => write!(f, "max_of({a}, {b})")?,
        }
        if self.wrapped {
            f.write_char(')')?;
        }
        Ok(())
    }
}
