use crate::promql::ast::{BinaryOp, DurationExpr, DurationKind, DurationOp, PosRange};
use crate::promql::lexer::{Keyword, Token, TokenKind};
use crate::time::Span;

use super::stream::{Parsed, Parser};

/// The longest duration in seconds: 64 bits of nanoseconds.
const MAX_SECONDS: f64 = 9_223_372_036.854_775;

/// A duration where it stands: a number, or a calculation to be done per query.
#[derive(Debug)]
pub(super) enum DurationValue {
    Fixed(Span),
    Expr(DurationExpr),
}

impl DurationValue {
    /// The length as far as it is known, and the calculation.
    pub(super) fn split(self) -> (Span, Option<Box<DurationExpr>>) {
        match self {
            Self::Fixed(span) => (span, None),
            Self::Expr(expr) => (Span::ZERO, Some(Box::new(expr))),
        }
    }
}

/// A step of a calculation.
struct Part {
    expr: DurationExpr,
    height: usize,
}

impl Part {
    fn number(&self) -> Option<f64> {
        match self.expr.kind {
            DurationKind::Number { seconds, .. } if !self.expr.wrapped => Some(seconds),
            _ => None,
        }
    }

    /// The value of a number, parentheses or not.
    fn any_number(&self) -> Option<f64> {
        match self.expr.kind {
            DurationKind::Number { seconds, .. } => Some(seconds),
            _ => None,
        }
    }

    fn into_value(self) -> DurationValue {
        match self.number() {
            Some(seconds) => DurationValue::Fixed(span(seconds)),
            None => DurationValue::Expr(self.expr),
        }
    }
}

impl Parser<'_> {
    /// A range or a step.
    pub(super) fn parse_positive_duration(&mut self) -> Parsed<DurationValue> {
        let part = self.parse_duration_expr(0)?;
        if let Some(seconds) = part.any_number()
            && (seconds <= 0.0 || seconds.is_nan())
        {
            self.report(part.expr.pos, "duration must be greater than 0");
        }
        Ok(part.into_value())
    }

    /// What stands behind `offset`.
    // compat: only what starts with a parenthesis may go on with an operator; in `x offset 5m + 3` the
    // sum is one of values.
    pub(super) fn parse_offset_duration(&mut self) -> Parsed<DurationValue> {
        let part = match self.token.kind {
            TokenKind::LeftParen => self.parse_duration_expr(0)?,
            TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) => {
                let sign = self.advance();
                if matches!(
                    self.token.kind,
                    TokenKind::Op(BinaryOp::Add | BinaryOp::Sub)
                ) {
                    let operand = self.parse_duration_expr(SIGN_PRECEDENCE)?;
                    let signed = self.signed(sign, operand)?;
                    self.continue_duration(signed, 0)?
                } else {
                    let operand = self.parse_duration_atom()?;
                    self.signed(sign, operand)?
                }
            }
            _ => self.parse_duration_atom()?,
        };
        Ok(part.into_value())
    }

    fn parse_duration_expr(&mut self, min_precedence: u8) -> Parsed<Part> {
        self.nested(|p| {
            let first = match p.token.kind {
                TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) => {
                    let sign = p.advance();
                    let operand = p.parse_duration_expr(SIGN_PRECEDENCE)?;
                    p.signed(sign, operand)?
                }
                _ => p.parse_duration_atom()?,
            };
            p.continue_duration(first, min_precedence)
        })
    }

    fn continue_duration(&mut self, first: Part, min_precedence: u8) -> Parsed<Part> {
        let mut lhs = first;
        while let Some((op, precedence, right_binds)) = operator(self.token.kind) {
            if precedence < min_precedence {
                break;
            }
            let token = self.advance();
            let next = if right_binds {
                precedence
            } else {
                precedence + 1
            };
            let rhs = self.parse_duration_expr(next)?;
            lhs = self.combine(lhs, op, token, rhs)?;
        }
        Ok(lhs)
    }

    fn combine(&mut self, lhs: Part, op: DurationOp, token: Token, rhs: Part) -> Parsed<Part> {
        self.require_duration_expressions(lhs.expr.pos);
        let by_zero = match op {
            DurationOp::Div => Some("division by zero"),
            DurationOp::Mod => Some("modulo by zero"),
            _ => None,
        };
        if let Some(message) = by_zero
            && rhs.any_number() == Some(0.0)
        {
            self.report(token.pos(), message);
            // compat: the calculation becomes a zero without a place.
            return Ok(zero(PosRange::default()));
        }
        let pos = lhs.expr.pos.to(rhs.expr.pos);
        let height = self.height_over(lhs.height.max(rhs.height), pos)?;
        Ok(Part {
            expr: DurationExpr {
                kind: DurationKind::Binary {
                    op,
                    lhs: Box::new(lhs.expr),
                    rhs: Box::new(rhs.expr),
                },
                wrapped: false,
                pos,
            },
            height,
        })
    }

    fn signed(&mut self, sign: Token, operand: Part) -> Parsed<Part> {
        let negative = sign.kind == TokenKind::Op(BinaryOp::Sub);
        let pos = sign.pos().to(operand.expr.pos);
        if operand.number().is_some() {
            let mut operand = operand;
            if let DurationKind::Number { seconds, .. } = &mut operand.expr.kind
                && negative
            {
                *seconds = -*seconds;
            }
            operand.expr.pos = pos;
            return Ok(operand);
        }
        if !negative {
            return Ok(operand);
        }
        let height = self.height_over(operand.height, pos)?;
        Ok(Part {
            expr: DurationExpr {
                kind: DurationKind::Negate(Box::new(operand.expr)),
                wrapped: false,
                pos,
            },
            height,
        })
    }

    fn parse_duration_atom(&mut self) -> Parsed<Part> {
        while !starts_atom(self.token.kind) {
            self.reject()?;
        }
        match self.token.kind {
            TokenKind::Number | TokenKind::Duration => Ok(self.parse_duration_number()),
            TokenKind::Keyword(keyword @ (Keyword::Step | Keyword::Range)) => {
                let start = self.advance();
                self.expect(TokenKind::LeftParen)?;
                let end = self.expect(TokenKind::RightParen)?;
                let kind = if keyword == Keyword::Step {
                    DurationKind::Step
                } else {
                    DurationKind::Range
                };
                Ok(leaf(kind, start.pos().to(end.pos())))
            }
            TokenKind::Keyword(keyword @ (Keyword::MinOf | Keyword::MaxOf)) => {
                self.parse_extreme(keyword)
            }
            _ => {
                self.expect(TokenKind::LeftParen)?;
                let mut inner = self.parse_duration_expr(0)?;
                self.expect(TokenKind::RightParen)?;
                self.require_duration_expressions(inner.expr.pos);
                inner.expr.wrapped = true;
                Ok(inner)
            }
        }
    }

    fn parse_duration_number(&mut self) -> Part {
        let token = self.advance();
        let seconds = self.number_or_duration(token);
        // compat: NaN is not out of range.
        if seconds.abs() > MAX_SECONDS {
            self.report(token.pos(), "duration out of range");
            return zero(token.pos());
        }
        leaf(
            DurationKind::Number {
                seconds,
                is_duration: token.kind == TokenKind::Duration,
            },
            token.pos(),
        )
    }

    fn parse_extreme(&mut self, keyword: Keyword) -> Parsed<Part> {
        let start = self.advance();
        self.expect(TokenKind::LeftParen)?;
        let lhs = self.parse_duration_expr(0)?;
        self.expect(TokenKind::Comma)?;
        let rhs = self.parse_duration_expr(0)?;
        let end = self.expect(TokenKind::RightParen)?;
        let pos = start.pos().to(end.pos());
        let height = self.height_over(lhs.height.max(rhs.height), pos)?;
        let (lhs, rhs) = (Box::new(lhs.expr), Box::new(rhs.expr));
        let kind = if keyword == Keyword::MinOf {
            DurationKind::MinOf(lhs, rhs)
        } else {
            DurationKind::MaxOf(lhs, rhs)
        };
        Ok(Part {
            expr: DurationExpr {
                kind,
                wrapped: false,
                pos,
            },
            height,
        })
    }

    fn require_duration_expressions(&mut self, pos: PosRange) {
        if !self.options.duration_expressions {
            self.report(
                pos,
                "experimental duration expression is not enabled (--enable-feature=promql-duration-expr)",
            );
        }
    }
}

/// Signs bind as tightly as `*`.
const SIGN_PRECEDENCE: u8 = 3;

fn starts_atom(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Number
            | TokenKind::Duration
            | TokenKind::LeftParen
            | TokenKind::Keyword(Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf)
    )
}

/// The operator, its precedence, and whether it groups from the right.
fn operator(kind: TokenKind) -> Option<(DurationOp, u8, bool)> {
    Some(match kind {
        TokenKind::Op(BinaryOp::Add) => (DurationOp::Add, 1, false),
        TokenKind::Op(BinaryOp::Sub) => (DurationOp::Sub, 1, false),
        TokenKind::Op(BinaryOp::Mul) => (DurationOp::Mul, 2, false),
        TokenKind::Op(BinaryOp::Div) => (DurationOp::Div, 2, false),
        TokenKind::Op(BinaryOp::Mod) => (DurationOp::Mod, 2, false),
        TokenKind::Op(BinaryOp::Pow) => (DurationOp::Pow, 3, true),
        _ => return None,
    })
}

fn leaf(kind: DurationKind, pos: PosRange) -> Part {
    Part {
        expr: DurationExpr {
            kind,
            wrapped: false,
            pos,
        },
        height: 1,
    }
}

fn zero(pos: PosRange) -> Part {
    leaf(
        DurationKind::Number {
            seconds: 0.0,
            is_duration: false,
        },
        pos,
    )
}

/// Seconds as a span.
// compat: rounded to nanoseconds and then cut to milliseconds.
fn span(seconds: f64) -> Span {
    Span::from_ms(((seconds * 1e9).round() / 1e6).trunc() as i64)
}
