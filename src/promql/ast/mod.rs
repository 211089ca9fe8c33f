//! What does a parsed query look like? One [`Expr`] per node, each with the bytes it came from.
//!
//! The parser bounds the height of the tree ([`MAX_HEIGHT`]), so that plain recursion over it is safe.

mod duration;
mod expr;
mod operator;
mod position;
mod walk;

pub use duration::{DurationError, DurationExpr, DurationKind, DurationOp};
pub use expr::{
    AggregateExpr, At, BinaryExpr, Call, Expr, FillValues, MatrixSelector, NumberLiteral,
    ParenExpr, StringLiteral, SubqueryExpr, UnaryExpr, VectorMatchCardinality, VectorMatching,
    VectorSelector,
};
pub use operator::{AggregateOp, BinaryOp, UnaryOp, ValueType};
pub use position::PosRange;

/// How high a tree may grow; a sum of more terms than this is refused by the parser.
pub const MAX_HEIGHT: usize = 1000;
