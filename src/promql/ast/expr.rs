use crate::model::Matcher;
use crate::promql::signatures::FunctionSig;
use crate::text::quote::{quote, quote_bytes};
use crate::time::{Span, Timestamp};

use super::{AggregateOp, BinaryOp, DurationExpr, PosRange, UnaryOp, ValueType};

/// A PromQL expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `42`, `0x2a`, `5m`
    Number(NumberLiteral),
    /// `"text"`
    String(StringLiteral),
    /// `up{job="x"} offset 5m`
    VectorSelector(VectorSelector),
    /// `up[5m]`
    MatrixSelector(MatrixSelector),
    /// `rate(up[5m])[1h:1m]`
    Subquery(SubqueryExpr),
    /// `rate(up[5m])`
    Call(Call),
    /// `a + b`
    Binary(BinaryExpr),
    /// `-a`
    Unary(UnaryExpr),
    /// `(a)`
    Paren(ParenExpr),
    /// `sum by (job) (up)`
    Aggregate(AggregateExpr),
}

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberLiteral {
    /// Its value; durations are seconds.
    pub value: f64,
    /// Whether it was written as a duration (`5m`), and so is printed.
    pub is_duration: bool,
    /// Where it stands.
    pub pos: PosRange,
}

/// A string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// Its text, unquoted, with U+FFFD for what is not UTF-8.
    pub value: String,
    /// Its bytes if they are not UTF-8.
    pub bytes: Option<Box<[u8]>>,
    /// Where it stands.
    pub pos: PosRange,
}

impl StringLiteral {
    /// The literal as Go quotes it.
    pub fn quoted(&self) -> String {
        match &self.bytes {
            Some(bytes) => quote_bytes(bytes),
            None => quote(&self.value),
        }
    }
}

/// The time of an `@` modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// `@ 1609746000`
    Time(Timestamp),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// A selection of series.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// The metric name before the braces or as a quoted string in them; empty when there is none.
    pub name: String,
    /// All matchers; the one for `name` comes last.
    pub matchers: Vec<Matcher>,
    /// The offset as written. Zero while `offset_expr` is to be evaluated first.
    pub offset: Span,
    /// The offset where it is more than a number.
    pub offset_expr: Option<Box<DurationExpr>>,
    /// The `@` modifier.
    pub at: Option<At>,
    /// Whether `anchored` was written.
    pub anchored: bool,
    /// Whether `smoothed` was written.
    pub smoothed: bool,
    /// Whether all matchers may match the empty string, as for the second argument of `info`.
    pub may_match_empty: bool,
    /// Where it stands, modifiers included.
    pub pos: PosRange,
}

/// A range of samples of each selected series.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// The series, with the modifiers that follow the range.
    pub selector: VectorSelector,
    /// The range as written. Zero while `range_expr` is to be evaluated first.
    pub range: Span,
    /// The range where it is more than a number.
    pub range_expr: Option<Box<DurationExpr>>,
    /// Where it stands, modifiers included.
    pub pos: PosRange,
}

/// An expression evaluated over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct SubqueryExpr {
    /// What is evaluated.
    pub expr: Box<Expr>,
    /// The range as written. Zero while `range_expr` is to be evaluated first.
    pub range: Span,
    /// The range where it is more than a number.
    pub range_expr: Option<Box<DurationExpr>>,
    /// The step; zero means the default one.
    pub step: Span,
    /// The step where it is more than a number.
    pub step_expr: Option<Box<DurationExpr>>,
    /// The offset as written. Zero while `offset_expr` is to be evaluated first.
    pub offset: Span,
    /// The offset where it is more than a number.
    pub offset_expr: Option<Box<DurationExpr>>,
    /// The `@` modifier.
    pub at: Option<At>,
    /// Where it stands, modifiers included.
    pub pos: PosRange,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub func: &'static FunctionSig,
    /// Its arguments; the type check has counted and typed them.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub pos: PosRange,
}

/// How many series of each side may match each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VectorMatchCardinality {
    /// One with one.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// The set operators.
    ManyToMany,
}

impl VectorMatchCardinality {
    /// Upstream's words: `one-to-one`, `many-to-one`, `one-to-many`, `many-to-many`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// The values that stand in for a missing series of a side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FillValues {
    /// `fill_left`
    pub lhs: Option<f64>,
    /// `fill_right`
    pub rhs: Option<f64>,
}

/// How series of both sides find each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorMatching {
    /// How many may match.
    pub card: VectorMatchCardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether `labels` are the ones that decide (`on`), rather than those left out.
    pub on: bool,
    /// The labels taken over from the side of lower cardinality.
    pub include: Vec<String>,
    /// `fill` modifiers.
    pub fill: FillValues,
}

/// An operation on two expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    /// The operator.
    pub op: BinaryOp,
    /// The left side.
    pub lhs: Box<Expr>,
    /// The right side.
    pub rhs: Box<Expr>,
    /// How series match; `None` unless both sides are instant vectors.
    pub matching: Option<VectorMatching>,
    /// Whether a comparison returns 0 or 1 rather than filtering.
    pub return_bool: bool,
    /// Where the operator stands.
    pub op_pos: PosRange,
}

/// A sign before an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct UnaryExpr {
    /// The sign.
    pub op: UnaryOp,
    /// What it stands before.
    pub expr: Box<Expr>,
    /// Where both stand.
    pub pos: PosRange,
}

/// An expression in parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct ParenExpr {
    /// What they hold.
    pub expr: Box<Expr>,
    /// Where they stand.
    pub pos: PosRange,
}

/// An aggregation over series.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateExpr {
    /// The aggregation.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Box<Expr>,
    /// The parameter of `topk` and its like.
    pub param: Option<Box<Expr>>,
    /// The labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether the labels are dropped rather than kept.
    pub without: bool,
    /// Where it stands.
    pub pos: PosRange,
}

impl Expr {
    /// What the expression evaluates to.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::VectorSelector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::MatrixSelector(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Call(call) => call.func.return_type,
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Paren(paren) => paren.expr.value_type(),
            Self::Binary(binary) => binary.value_type(),
        }
    }

    /// The bytes that the expression came from.
    pub fn pos(&self) -> PosRange {
        match self {
            Self::Number(n) => n.pos,
            Self::String(s) => s.pos,
            Self::VectorSelector(v) => v.pos,
            Self::MatrixSelector(m) => m.pos,
            Self::Subquery(s) => s.pos,
            Self::Call(c) => c.pos,
            Self::Binary(b) => b.pos(),
            Self::Unary(u) => u.pos,
            Self::Paren(p) => p.pos,
            Self::Aggregate(a) => a.pos,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unwrap_parens(&self) -> &Self {
        let mut expr = self;
        while let Self::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }
}

impl BinaryExpr {
    /// From the start of the left side to the end of the right one.
    pub fn pos(&self) -> PosRange {
        // Left-nested chains are walked in a loop: asking for every node's start stays cheap to stack.
        let mut first = &*self.lhs;
        while let Expr::Binary(binary) = first {
            first = &binary.lhs;
        }
        first.pos().to(self.rhs.pos())
    }

    /// A scalar when both sides are, else a vector.
    pub fn value_type(&self) -> ValueType {
        // The kind of a long chain is decided by any operand that is no scalar.
        let mut binary = self;
        loop {
            if binary.rhs.value_type() != ValueType::Scalar {
                return ValueType::Vector;
            }
            match &*binary.lhs {
                Expr::Binary(lhs) => binary = lhs,
                lhs if lhs.value_type() == ValueType::Scalar => return ValueType::Scalar,
                _ => return ValueType::Vector,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands of rules keep their expressions in memory.
    #[test]
    fn an_expression_is_small() {
        assert!(size_of::<Expr>() <= 152, "{}", size_of::<Expr>());
    }
}
