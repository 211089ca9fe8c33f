use crate::promql::ast::{
    BinaryExpr, BinaryOp, Expr, PosRange, VectorMatchCardinality, VectorMatching,
};
use crate::promql::lexer::{Keyword, TokenKind};

use super::stream::{Node, Parsed, Parser};

/// Signs bind like `*`, so `^` binds more tightly than they do.
pub(super) const SIGN_PRECEDENCE: u8 = 6;

/// The operator, its precedence, and whether it groups from the right.
pub(super) fn operator(kind: TokenKind) -> Option<(BinaryOp, u8, bool)> {
    let TokenKind::Op(op) = kind else {
        return None;
    };
    let precedence = match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Greater
        | BinaryOp::Less
        | BinaryOp::GreaterEqual
        | BinaryOp::LessEqual
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    };
    Some((op, precedence, op == BinaryOp::Pow))
}

impl Parser<'_> {
    /// Reads operators and their right sides for as long as they bind tightly enough.
    pub(super) fn continue_binary(&mut self, first: Node, min_precedence: u8) -> Parsed<Node> {
        let mut lhs = first;
        while let Some((op, precedence, right_binds)) = operator(self.token.kind) {
            if precedence < min_precedence {
                break;
            }
            let start = self.advance();
            let (matching, return_bool) = self.parse_matching()?;
            let op_pos = PosRange::new(start.start, self.prev_end);
            let next = if right_binds {
                precedence
            } else {
                precedence + 1
            };
            let rhs = self.parse_expr(next)?;
            let pos = lhs.pos().to(rhs.pos());
            let has_fill = matching.fill.lhs.is_some() || matching.fill.rhs.is_some();
            if has_fill && !self.options.fill_modifiers {
                self.report(
                    pos,
                    "binop fill modifiers are experimental and not enabled (--enable-feature=promql-binop-fill-modifiers)",
                );
            }
            let height = self.height_over(lhs.height.max(rhs.height), start.pos())?;
            lhs = Node {
                expr: Expr::Binary(BinaryExpr {
                    op,
                    lhs: Box::new(lhs.expr),
                    rhs: Box::new(rhs.expr),
                    matching: Some(matching),
                    return_bool,
                    op_pos,
                }),
                height,
                bad_range: None,
            };
        }
        Ok(lhs)
    }

    /// `bool`, `on`, `ignoring`, `group_left`, `group_right` and `fill` behind an operator.
    fn parse_matching(&mut self) -> Parsed<(VectorMatching, bool)> {
        let mut matching = VectorMatching::default();
        let return_bool = self.accept(TokenKind::Keyword(Keyword::Bool));
        if let TokenKind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.token.kind {
            self.advance();
            matching.on = keyword == Keyword::On;
            matching.labels = self.parse_grouping_labels()?;
            let card = match self.token.kind {
                TokenKind::Keyword(Keyword::GroupLeft) => Some(VectorMatchCardinality::ManyToOne),
                TokenKind::Keyword(Keyword::GroupRight) => Some(VectorMatchCardinality::OneToMany),
                _ => None,
            };
            if let Some(card) = card {
                self.advance();
                matching.card = card;
                if self.at(TokenKind::LeftParen) {
                    matching.include = self.parse_grouping_labels()?;
                }
            }
        }
        self.parse_fill(&mut matching)?;
        Ok((matching, return_bool))
    }

    fn parse_fill(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        loop {
            let fill = &mut matching.fill;
            match self.token.kind {
                TokenKind::Keyword(Keyword::Fill) if fill.lhs.is_none() && fill.rhs.is_none() => {
                    let value = Some(self.parse_fill_value()?);
                    matching.fill.lhs = value;
                    matching.fill.rhs = value;
                }
                TokenKind::Keyword(Keyword::FillLeft) if fill.lhs.is_none() => {
                    matching.fill.lhs = Some(self.parse_fill_value()?);
                }
                TokenKind::Keyword(Keyword::FillRight) if fill.rhs.is_none() => {
                    matching.fill.rhs = Some(self.parse_fill_value()?);
                }
                _ => return Ok(()),
            }
        }
    }

    fn parse_fill_value(&mut self) -> Parsed<f64> {
        self.advance();
        self.expect(TokenKind::LeftParen)?;
        let value = self.parse_signed_number()?;
        self.expect(TokenKind::RightParen)?;
        Ok(value)
    }

    /// A number or duration with at most one sign.
    pub(crate) fn parse_signed_number(&mut self) -> Parsed<f64> {
        let negative = self.at(TokenKind::Op(BinaryOp::Sub));
        if negative || self.at(TokenKind::Op(BinaryOp::Add)) {
            self.advance();
        }
        while !matches!(self.token.kind, TokenKind::Number | TokenKind::Duration) {
            self.reject()?;
        }
        let token = self.advance();
        let value = self.number_or_duration(token);
        Ok(if negative { -value } else { value })
    }
}
