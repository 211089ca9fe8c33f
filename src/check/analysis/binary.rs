use super::{LabelFlow, Shape, ValueRange, is_part_of, same};
use crate::promql::ast::{
    BinaryExpr, BinaryOp, Expr, PosRange, ValueType, VectorMatchCardinality, VectorMatching,
};

pub(super) fn shape(binary: &BinaryExpr, lhs: &Shape, rhs: &Shape) -> Shape {
    let is_scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
    let (left_scalar, right_scalar) = (is_scalar(&binary.lhs), is_scalar(&binary.rhs));
    let (labels, always) = match (&binary.matching, left_scalar, right_scalar) {
        (Some(matching), _, _) => (
            matched_labels(binary, matching, lhs, rhs),
            binary.op == BinaryOp::Or && (lhs.always || rhs.always),
        ),
        (None, true, false) => (rhs.labels.clone(), rhs.always),
        (None, _, _) => (lhs.labels.clone(), lhs.always),
    };
    let compares = binary.op.is_comparison();
    let filters = match binary.op {
        BinaryOp::Or => lhs.filters && rhs.filters,
        BinaryOp::And | BinaryOp::Unless => true,
        _ => lhs.filters || rhs.filters || (compares && !binary.return_bool),
    };
    let (range, because) = values(binary, lhs, rhs, left_scalar && !right_scalar);
    Shape {
        labels,
        range,
        because,
        filters,
        always: always && (!compares || binary.return_bool),
    }
}

fn values(
    binary: &BinaryExpr,
    lhs: &Shape,
    rhs: &Shape,
    number_first: bool,
) -> (ValueRange, Option<&'static str>) {
    let op = binary.op;
    if op.is_comparison() {
        if binary.return_bool {
            let why = "a comparison with bool yields 0 or 1";
            return (ValueRange::between(0.0, 1.0).whole(), Some(why));
        }
        return if number_first {
            (rhs.range.filtered(mirrored(op), lhs.range), rhs.because)
        } else {
            (lhs.range.filtered(op, rhs.range), lhs.because)
        };
    }
    match op {
        BinaryOp::And | BinaryOp::Unless => (lhs.range, lhs.because),
        BinaryOp::Or => (lhs.range.or(rhs.range), lhs.because.or(rhs.because)),
        BinaryOp::Div => ratio(binary).unwrap_or_else(|| {
            (
                lhs.range.calculate(op, rhs.range),
                lhs.because.or(rhs.because),
            )
        }),
        BinaryOp::TrimLower | BinaryOp::TrimUpper => (ValueRange::ANY, None),
        _ => (
            lhs.range.calculate(op, rhs.range),
            lhs.because.or(rhs.because),
        ),
    }
}

/// The comparison with its sides swapped.
pub(super) fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// `part / whole` and `(whole - part) / whole` lie between 0 and 1; NaN where the whole is 0.
fn ratio(binary: &BinaryExpr) -> Option<(ValueRange, Option<&'static str>)> {
    let (above, below) = (binary.lhs.unwrap_parens(), binary.rhs.unwrap_parens());
    let rest_of_whole = || match above {
        Expr::Binary(minus) if minus.op == BinaryOp::Sub => {
            let (whole, part) = (minus.lhs.unwrap_parens(), minus.rhs.unwrap_parens());
            same(whole, below) && is_part_of(part, whole)
        }
        _ => false,
    };
    (is_part_of(above, below) || rest_of_whole()).then_some((
        ValueRange::between(0.0, 1.0).or_nan(),
        Some("a part divided by its whole lies between 0 and 1"),
    ))
}

fn matched_labels(
    binary: &BinaryExpr,
    matching: &VectorMatching,
    lhs: &Shape,
    rhs: &Shape,
) -> LabelFlow {
    let at = binary.pos();
    let shared = |label: &str| {
        if label.is_empty() {
            return !matching.on && matching.labels.is_empty();
        }
        matching.labels.iter().any(|named| named == label) == matching.on
    };
    match (binary.op, matching.card) {
        (BinaryOp::Or, _) => lhs.labels.either(&rhs.labels),
        (BinaryOp::Unless, _) => lhs.labels.clone(),
        (BinaryOp::And, _) => {
            let mut labels = lhs.labels.clone();
            labels.agree(&rhs.labels, shared);
            labels
        }
        (_, VectorMatchCardinality::ManyToOne) => {
            many(&lhs.labels, &rhs.labels, matching, at, shared)
        }
        (_, VectorMatchCardinality::OneToMany) => {
            many(&rhs.labels, &lhs.labels, matching, at, shared)
        }
        _ => {
            let mut labels = lhs.labels.clone();
            labels.agree(&rhs.labels, shared);
            if matching.on {
                labels.keep(&matching.labels, at);
            } else {
                labels.drop_all(&matching.labels, at);
            }
            labels
        }
    }
}

/// The labels of the side of higher cardinality, with what is taken over from the other.
fn many(
    many: &LabelFlow,
    one: &LabelFlow,
    matching: &VectorMatching,
    at: PosRange,
    shared: impl Fn(&str) -> bool,
) -> LabelFlow {
    let mut labels = many.clone();
    labels.agree(one, shared);
    for label in &matching.include {
        if one.can_have(label) {
            labels.add(label, one.guaranteed.contains(label));
            if let Some(value) = one.fixed.get(label) {
                labels.fixed.insert(label.clone(), value.clone());
            }
        } else {
            // compat: a label that the one side lacks is taken away.
            labels.drop_one(label, one.lost_at(label).unwrap_or(at));
        }
    }
    labels
}
