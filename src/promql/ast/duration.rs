use thiserror::Error;

use crate::math;
use crate::time::Span;

use super::PosRange;

/// An operator between two durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DurationOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
}

impl DurationOp {
    /// The operator as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
        }
    }
}

/// A calculation with durations, as a range, a step or an offset may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationExpr {
    /// What is calculated.
    pub kind: DurationKind,
    /// Whether parentheses stand around it.
    pub wrapped: bool,
    /// Where it stands.
    pub pos: PosRange,
}

/// The kinds of calculation.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationKind {
    /// `5m` or a plain number of seconds.
    Number {
        /// The length in seconds.
        seconds: f64,
        /// Whether it was written with units.
        is_duration: bool,
    },
    /// `step()`
    Step,
    /// `range()`
    Range,
    /// `-5m`
    Negate(Box<DurationExpr>),
    /// `5m + 1m`
    Binary {
        /// The operator.
        op: DurationOp,
        /// The left side.
        lhs: Box<DurationExpr>,
        /// The right side.
        rhs: Box<DurationExpr>,
    },
    /// `min_of(a, b)`
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
}

/// Why a calculation gives no usable duration. The texts are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DurationError {
    /// A range or step that is zero or negative.
    #[error("duration must be greater than 0")]
    NotPositive,
    /// The result does not fit.
    #[error("duration is out of range")]
    OutOfRange,
    /// `x / 0`
    #[error("division by zero")]
    DivisionByZero,
    /// `x % 0`
    #[error("modulo by zero")]
    ModuloByZero,
}

impl DurationExpr {
    /// Calculates the duration of a range or a step, which must be positive. `step` and `range` are
    /// the query's own (the range is its end minus its start; both zero for an instant query).
    pub fn positive(&self, step: Span, range: Span) -> Result<Span, DurationError> {
        let seconds = self.seconds(step, range)?;
        // compat: a NaN is not refused by this comparison upstream.
        if seconds <= 0.0 {
            return Err(DurationError::NotPositive);
        }
        to_span(seconds)
    }

    /// Calculates the duration of an offset, which may be negative.
    pub fn signed(&self, step: Span, range: Span) -> Result<Span, DurationError> {
        to_span(self.seconds(step, range)?)
    }

    fn seconds(&self, step: Span, range: Span) -> Result<f64, DurationError> {
        let of = |expr: &Self| expr.seconds(step, range);
        Ok(match &self.kind {
            DurationKind::Number { seconds, .. } => *seconds,
            DurationKind::Step => step.as_secs_f64(),
            DurationKind::Range => range.as_secs_f64(),
            DurationKind::Negate(inner) => -of(inner)?,
            DurationKind::MinOf(a, b) => math::min(of(a)?, of(b)?),
            DurationKind::MaxOf(a, b) => math::max(of(a)?, of(b)?),
            DurationKind::Binary { op, lhs, rhs } => {
                let (lhs, rhs) = (of(lhs)?, of(rhs)?);
                match op {
                    DurationOp::Add => lhs + rhs,
                    DurationOp::Sub => lhs - rhs,
                    DurationOp::Mul => lhs * rhs,
                    DurationOp::Div if rhs == 0.0 => return Err(DurationError::DivisionByZero),
                    DurationOp::Div => lhs / rhs,
                    DurationOp::Mod if rhs == 0.0 => return Err(DurationError::ModuloByZero),
                    DurationOp::Mod => lhs % rhs,
                    DurationOp::Pow => math::pow(lhs, rhs),
                }
            }
        })
    }
}

fn to_span(seconds: f64) -> Result<Span, DurationError> {
    let ms = seconds * 1000.0;
    // compat: upstream counts nanoseconds in 64 bits.
    if ms.abs() > (i64::MAX / 1_000_000) as f64 || ms.is_nan() {
        return Err(DurationError::OutOfRange);
    }
    Ok(Span::from_ms(ms as i64))
}
