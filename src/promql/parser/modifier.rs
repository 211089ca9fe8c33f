use crate::promql::ast::{At, DurationExpr, Expr, MatrixSelector, PosRange, SubqueryExpr};
use crate::promql::lexer::{Keyword, TokenKind};
use crate::text::gofmt;
use crate::time::{Span, Timestamp};

use super::duration::DurationValue;
use super::stream::{Node, Parsed, Parser, Unwind};

const EXPECTED_DURATION: &str = "number, duration, step(), or range()";

/// The parts of a selector or subquery that modifiers set.
struct Modified<'e> {
    offset: &'e mut Span,
    offset_expr: &'e mut Option<Box<DurationExpr>>,
    at: &'e mut Option<At>,
    end: &'e mut usize,
}

fn modified(expr: &mut Expr) -> Option<Modified<'_>> {
    Some(match expr {
        Expr::VectorSelector(s) => Modified {
            offset: &mut s.offset,
            offset_expr: &mut s.offset_expr,
            at: &mut s.at,
            end: &mut s.pos.end,
        },
        Expr::MatrixSelector(m) => Modified {
            offset: &mut m.selector.offset,
            offset_expr: &mut m.selector.offset_expr,
            at: &mut m.selector.at,
            end: &mut m.pos.end,
        },
        Expr::Subquery(s) => Modified {
            offset: &mut s.offset,
            offset_expr: &mut s.offset_expr,
            at: &mut s.at,
            end: &mut s.pos.end,
        },
        _ => return None,
    })
}

impl Parser<'_> {
    /// Ranges, `offset`, `@`, `anchored` and `smoothed` behind an operand.
    pub(super) fn parse_modifiers(&mut self, mut node: Node) -> Parsed<Node> {
        loop {
            match self.token.kind {
                TokenKind::LeftBracket => node = self.parse_brackets(node)?,
                TokenKind::Keyword(Keyword::Offset) => self.parse_offset(&mut node)?,
                TokenKind::At => self.parse_at(&mut node)?,
                TokenKind::Keyword(keyword @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    self.advance();
                    self.extend_range(&mut node, keyword);
                }
                _ => return Ok(node),
            }
        }
    }

    fn parse_offset(&mut self, node: &mut Node) -> Parsed<()> {
        self.advance();
        let value = match self.parse_offset_duration() {
            Ok(value) => value,
            Err(Unwind::Syntax) => {
                self.unexpected("offset", EXPECTED_DURATION);
                return Ok(());
            }
            Err(Unwind::Abort) => return Err(Unwind::Abort),
        };
        let end = self.prev_end;
        let pos = node.pos();
        if node.bad_range.is_some() {
            self.report(pos, "ranges only allowed for vector selectors");
            return Ok(());
        }
        let Some(target) = modified(&mut node.expr) else {
            self.report(
                pos,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            );
            return Ok(());
        };
        if !target.offset.is_zero() || target.offset_expr.is_some() {
            *target.end = end;
            self.report(pos, "offset may not be set multiple times");
            return Ok(());
        }
        let (offset, offset_expr) = value.split();
        *target.offset = offset;
        *target.offset_expr = offset_expr;
        *target.end = end;
        Ok(())
    }

    fn parse_at(&mut self, node: &mut Node) -> Parsed<()> {
        self.advance();
        match self.parse_at_value(node) {
            Ok(at) => {
                self.set_at(node, at);
                Ok(())
            }
            Err(Unwind::Syntax) => {
                self.unexpected("@", "timestamp");
                Ok(())
            }
            Err(Unwind::Abort) => Err(Unwind::Abort),
        }
    }

    fn parse_at_value(&mut self, node: &Node) -> Parsed<At> {
        if let TokenKind::Keyword(keyword @ (Keyword::Start | Keyword::End)) = self.token.kind {
            self.advance();
            self.expect(TokenKind::LeftParen)?;
            self.expect(TokenKind::RightParen)?;
            return Ok(if keyword == Keyword::Start {
                At::Start
            } else {
                At::End
            });
        }
        let seconds = self.parse_signed_number()?;
        if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
            let shown = if seconds.is_finite() {
                format!("{seconds:.6}")
            } else {
                gofmt::float_f(seconds)
            };
            self.report(
                node.pos(),
                format!("timestamp out of bounds for @ modifier: {shown}"),
            );
        }
        Ok(At::Time(Timestamp::from_ms(
            (seconds * 1000.0).round() as i64
        )))
    }

    fn set_at(&mut self, node: &mut Node, at: At) {
        let end = self.prev_end;
        let pos = node.pos();
        if node.bad_range.is_some() {
            self.report(pos, "ranges only allowed for vector selectors");
            return;
        }
        let Some(target) = modified(&mut node.expr) else {
            self.report(
                pos,
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            );
            return;
        };
        if target.at.is_some() {
            self.report(pos, "@ <timestamp> may not be set multiple times");
            return;
        }
        *target.at = Some(at);
        *target.end = end;
    }

    // compat: these two words do not belong to the selector's range of bytes.
    fn extend_range(&mut self, node: &mut Node, keyword: Keyword) {
        let pos = node.pos();
        let anchored = keyword == Keyword::Anchored;
        let word = if anchored { "anchored" } else { "smoothed" };
        if node.bad_range.is_some() {
            return;
        }
        if !self.options.extended_range_selectors {
            self.report(
                pos,
                format!(
                    "{word} modifier is experimental and not enabled (--enable-feature=promql-extended-range-selectors)"
                ),
            );
            return;
        }
        let selector = match &mut node.expr {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &mut matrix.selector,
            Expr::Subquery(_) => {
                self.report(
                    pos,
                    format!("{word} modifier is not supported for subqueries"),
                );
                return;
            }
            _ => {
                self.report(pos, format!("{word} modifier not implemented"));
                return;
            }
        };
        selector.anchored |= anchored;
        selector.smoothed |= !anchored;
        if selector.anchored && selector.smoothed {
            self.report(
                pos,
                "anchored and smoothed modifiers cannot be used together",
            );
        }
    }

    fn parse_brackets(&mut self, node: Node) -> Parsed<Node> {
        let open = self.advance();
        let range = match self.parse_positive_duration() {
            Ok(range) => range,
            Err(Unwind::Syntax) => {
                self.unexpected("subquery or range selector", EXPECTED_DURATION);
                return Ok(node);
            }
            Err(Unwind::Abort) => return Err(Unwind::Abort),
        };
        loop {
            match self.token.kind {
                TokenKind::RightBracket => {
                    let close = self.advance();
                    return Ok(self.matrix(node, range, PosRange::new(open.start, close.end)));
                }
                TokenKind::Colon => {
                    self.advance();
                    return self.parse_subquery(node, range);
                }
                _ => match self.reject() {
                    Ok(()) => {}
                    Err(Unwind::Syntax) => {
                        self.unexpected("subquery or range", "\":\" or \"]\"");
                        return Ok(node);
                    }
                    Err(Unwind::Abort) => return Err(Unwind::Abort),
                },
            }
        }
    }

    fn matrix(&mut self, node: Node, range: DurationValue, brackets: PosRange) -> Node {
        let pos = PosRange::new(node.pos().start, brackets.end);
        let problem = match &node.expr {
            Expr::VectorSelector(_) if node.bad_range.is_some() => {
                Some("ranges only allowed for vector selectors")
            }
            Expr::VectorSelector(s) if !s.offset.is_zero() || s.offset_expr.is_some() => {
                Some("no offset modifiers allowed before range")
            }
            Expr::VectorSelector(s) if s.at.is_some() => {
                Some("no @ modifiers allowed before range")
            }
            Expr::VectorSelector(_) => None,
            _ => Some("ranges only allowed for vector selectors"),
        };
        if let Some(problem) = problem {
            self.report(brackets, problem);
        }
        let (range, range_expr) = range.split();
        match node.expr {
            Expr::VectorSelector(selector) => Node::leaf(Expr::MatrixSelector(MatrixSelector {
                selector,
                range,
                range_expr,
                pos,
            })),
            expr => Node {
                expr,
                height: node.height,
                bad_range: Some(pos),
            },
        }
    }

    fn parse_subquery(&mut self, node: Node, range: DurationValue) -> Parsed<Node> {
        let mut step = DurationValue::Fixed(Span::ZERO);
        if !self.at(TokenKind::RightBracket) {
            step = match self.parse_positive_duration() {
                Ok(step) => step,
                Err(Unwind::Syntax) => {
                    self.unexpected(
                        "subquery selector",
                        "number, duration, step(), range(), or \"]\"",
                    );
                    return Ok(node);
                }
                Err(Unwind::Abort) => return Err(Unwind::Abort),
            };
        }
        match self.expect(TokenKind::RightBracket) {
            Ok(_) => {}
            Err(Unwind::Syntax) => {
                self.unexpected("subquery selector", "\"]\"");
                return Ok(node);
            }
            Err(Unwind::Abort) => return Err(Unwind::Abort),
        }
        let pos = PosRange::new(node.pos().start, self.prev_end);
        let height = self.height_over(node.height, pos)?;
        let (range, range_expr) = range.split();
        let (step, step_expr) = step.split();
        Ok(Node {
            expr: Expr::Subquery(SubqueryExpr {
                expr: Box::new(node.expr),
                range,
                range_expr,
                step,
                step_expr,
                offset: Span::ZERO,
                offset_expr: None,
                at: None,
                pos,
            }),
            height,
            bad_range: None,
        })
    }
}
