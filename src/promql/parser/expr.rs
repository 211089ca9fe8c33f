use crate::promql::ast::{
    AggregateExpr, AggregateOp, BinaryOp, Call, Expr, NumberLiteral, ParenExpr, PosRange,
    StringLiteral, UnaryExpr, UnaryOp, ValueType, VectorSelector,
};
use crate::promql::lexer::{Keyword, Token, TokenKind};
use crate::promql::signatures::{self, FunctionSig};

use crate::text::quote::unquote_bytes;

use super::binary::{SIGN_PRECEDENCE, operator};
use super::stream::{Node, Parsed, Parser, Unwind};

/// Stands in for a function that does not exist; the error is reported already.
static UNKNOWN: FunctionSig = FunctionSig {
    name: "",
    arg_types: &[],
    variadic: 0,
    return_type: ValueType::Vector,
    experimental: false,
};

impl Parser<'_> {
    /// A whole query. `None` when there was an error that no tree can come from.
    pub(crate) fn parse_query(&mut self) -> Option<Expr> {
        if self.at(TokenKind::Eof) {
            self.report(PosRange::default(), "no expression found in input");
            return None;
        }
        let parsed = self
            .parse_expr(0)
            .and_then(|node| self.expect(TokenKind::Eof).map(|_| node));
        match parsed {
            Ok(node) => Some(node.expr),
            Err(unwind) => {
                self.give_up(unwind);
                None
            }
        }
    }

    /// A selector and nothing else.
    pub(crate) fn parse_selector_only(&mut self) -> Option<VectorSelector> {
        let parsed = self
            .parse_selector()
            .and_then(|selector| self.expect(TokenKind::Eof).map(|_| selector));
        parsed.map_err(|unwind| self.give_up(unwind)).ok()
    }

    /// Reports what nothing below knew how to report.
    pub(crate) fn give_up(&mut self, unwind: Unwind) {
        if unwind == Unwind::Syntax {
            self.unexpected("", "");
        }
    }

    /// An expression whose operators bind at least that tightly.
    pub(super) fn parse_expr(&mut self, min_precedence: u8) -> Parsed<Node> {
        self.nested(|p| {
            let first = p.parse_operand()?;
            p.continue_binary(first, min_precedence)
        })
    }

    /// What stands between operators, with its modifiers.
    fn parse_operand(&mut self) -> Parsed<Node> {
        while !starts_operand(self.token.kind) {
            self.reject()?;
        }
        if matches!(
            self.token.kind,
            TokenKind::Op(BinaryOp::Add | BinaryOp::Sub)
        ) {
            return self.parse_sign();
        }
        let node = self.parse_primary()?;
        self.parse_modifiers(node)
    }

    fn parse_sign(&mut self) -> Parsed<Node> {
        let sign = self.advance();
        let mut node = self.parse_expr(SIGN_PRECEDENCE)?;
        let pos = sign.pos().to(node.pos());
        let op = if sign.kind == TokenKind::Op(BinaryOp::Sub) {
            UnaryOp::Minus
        } else {
            UnaryOp::Plus
        };
        if let Expr::Number(number) = &mut node.expr {
            if op == UnaryOp::Minus {
                number.value = -number.value;
            }
            number.pos = pos;
            return Ok(node);
        }
        let height = self.height_over(node.height, pos)?;
        Ok(Node {
            expr: Expr::Unary(UnaryExpr {
                op,
                expr: Box::new(node.expr),
                pos,
            }),
            height,
            bad_range: None,
        })
    }

    fn parse_primary(&mut self) -> Parsed<Node> {
        match self.token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let token = self.advance();
                let value = self.number_or_duration(token);
                Ok(Node::leaf(Expr::Number(NumberLiteral {
                    value,
                    is_duration: token.kind == TokenKind::Duration,
                    pos: token.pos(),
                })))
            }
            TokenKind::String => {
                let token = self.advance();
                let value = self.unquoted(token);
                let bytes = value
                    .contains(char::REPLACEMENT_CHARACTER)
                    .then(|| unquote_bytes(&self.text_of(token)))
                    .flatten()
                    .filter(|bytes| *bytes != value.as_bytes())
                    .map(Vec::into_boxed_slice);
                Ok(Node::leaf(Expr::String(StringLiteral {
                    value,
                    bytes,
                    pos: token.pos(),
                })))
            }
            TokenKind::LeftParen => self.parse_paren(),
            TokenKind::LeftBrace => {
                let selector = self.parse_matchers_selector(None)?;
                Ok(Node::leaf(Expr::VectorSelector(selector)))
            }
            _ => self.parse_named(),
        }
    }

    fn parse_paren(&mut self) -> Parsed<Node> {
        let open = self.advance();
        let inner = self.parse_expr(0)?;
        let close = self.expect(TokenKind::RightParen)?;
        let pos = open.pos().to(close.pos());
        let height = self.height_over(inner.height, pos)?;
        Ok(Node {
            expr: Expr::Paren(ParenExpr {
                expr: Box::new(inner.expr),
                pos,
            }),
            height,
            bad_range: None,
        })
    }

    /// An aggregation, a call or a selector, by what follows the name.
    fn parse_named(&mut self) -> Parsed<Node> {
        let name = self.advance();
        match (name.kind, self.token.kind) {
            (
                TokenKind::Aggregate(op),
                TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without),
            ) => self.parse_aggregate(op, name),
            (TokenKind::Identifier, TokenKind::LeftParen) => self.parse_call(name),
            (TokenKind::Keyword(keyword), TokenKind::LeftParen) if names_function(keyword) => {
                self.parse_call(name)
            }
            (_, TokenKind::LeftBrace) => {
                let selector = self.parse_matchers_selector(Some(name))?;
                Ok(Node::leaf(Expr::VectorSelector(selector)))
            }
            _ => Ok(Node::leaf(Expr::VectorSelector(self.bare_selector(name)))),
        }
    }

    fn parse_call(&mut self, name: Token) -> Parsed<Node> {
        let (mut args, height) = self.parse_args()?;
        // A list that grows begins with room for four, and most functions have one argument.
        args.shrink_to_fit();
        let pos = PosRange::new(name.start, self.prev_end);
        let text = self.text_of(name);
        let func = signatures::function(&text).unwrap_or_else(|| {
            self.report(
                name.pos(),
                format!(
                    "unknown function with name {}",
                    crate::text::quote::quote(&text)
                ),
            );
            &UNKNOWN
        });
        if func.experimental && !self.options.experimental_functions {
            self.report(
                name.pos(),
                format!(
                    "function \"{text}\" is not enabled (--enable-feature=promql-experimental-functions)"
                ),
            );
        }
        let height = self.height_over(height, pos)?;
        Ok(Node {
            expr: Expr::Call(Call { func, args, pos }),
            height,
            bad_range: None,
        })
    }

    /// Arguments in parentheses, and the height of the highest one.
    fn parse_args(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.expect(TokenKind::LeftParen)?;
        let mut args = Vec::new();
        let mut height = 0;
        if self.accept(TokenKind::RightParen) {
            return Ok((args, height));
        }
        loop {
            let arg = self.parse_expr(0)?;
            height = height.max(arg.height);
            args.push(arg.expr);
            loop {
                match self.token.kind {
                    TokenKind::RightParen => {
                        self.advance();
                        return Ok((args, height));
                    }
                    TokenKind::Comma => {
                        let comma = self.advance();
                        if starts_operand(self.token.kind) {
                            break;
                        }
                        self.report(
                            comma.pos(),
                            "trailing commas not allowed in function call args",
                        );
                    }
                    _ => self.reject()?,
                }
            }
        }
    }

    fn parse_aggregate(&mut self, op: AggregateOp, name: Token) -> Parsed<Node> {
        match self.parse_aggregate_parts() {
            Ok((args, grouping, without, height)) => {
                let pos = PosRange::new(name.start, self.prev_end);
                let mut aggregate = self.assemble_aggregate(op, args, pos);
                aggregate.grouping = grouping;
                aggregate.without = without;
                let height = self.height_over(height, pos)?;
                Ok(Node {
                    expr: Expr::Aggregate(aggregate),
                    height,
                    bad_range: None,
                })
            }
            Err(Unwind::Syntax) => {
                self.unexpected("aggregation", "");
                // compat: upstream builds an aggregation without arguments and reports that, too, from
                // its name to the last thing that closed.
                let pos = PosRange::new(name.start, self.last_closing());
                let aggregate = self.assemble_aggregate(op, Vec::new(), pos);
                Ok(Node::leaf(Expr::Aggregate(aggregate)))
            }
            Err(Unwind::Abort) => Err(Unwind::Abort),
        }
    }

    fn parse_aggregate_parts(&mut self) -> Parsed<(Vec<Expr>, Vec<String>, bool, usize)> {
        let modifier = |p: &mut Self| -> Parsed<Option<(Vec<String>, bool)>> {
            let without = match p.token.kind {
                TokenKind::Keyword(Keyword::By) => false,
                TokenKind::Keyword(Keyword::Without) => true,
                _ => return Ok(None),
            };
            p.advance();
            Ok(Some((p.parse_grouping_labels()?, without)))
        };
        let before = modifier(self)?;
        let (args, height) = self.parse_args()?;
        let (grouping, without) = match before {
            Some(found) => found,
            None => modifier(self)?.unwrap_or_default(),
        };
        Ok((args, grouping, without, height))
    }

    fn assemble_aggregate(
        &mut self,
        op: AggregateOp,
        args: Vec<Expr>,
        pos: PosRange,
    ) -> AggregateExpr {
        let found = args.len();
        let wanted = 1 + usize::from(op.has_param());
        if found == 0 {
            self.report(pos, "no arguments for aggregate expression provided");
        } else if op.is_experimental() && !self.options.experimental_functions {
            self.report(
                pos,
                format!(
                    "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
                ),
            );
        } else if found != wanted {
            self.report(
                pos,
                format!(
                    "wrong number of arguments for aggregate expression provided, expected {wanted}, got {found}"
                ),
            );
        }
        let mut args = args.into_iter();
        let param = if op.has_param() {
            args.next().map(Box::new)
        } else {
            None
        };
        let expr = args.next().unwrap_or(Expr::Number(NumberLiteral {
            value: 0.0,
            is_duration: false,
            pos,
        }));
        AggregateExpr {
            op,
            expr: Box::new(expr),
            param,
            grouping: Vec::new(),
            without: false,
            pos,
        }
    }
}

fn names_function(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::Start
            | Keyword::End
            | Keyword::Step
            | Keyword::Range
            | Keyword::MinOf
            | Keyword::MaxOf
    )
}

/// Whether a word may name a metric.
pub(super) fn names_metric(kind: TokenKind) -> bool {
    match kind {
        TokenKind::Identifier
        | TokenKind::MetricIdentifier
        | TokenKind::Aggregate(_)
        | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => true,
        TokenKind::Keyword(keyword) => !matches!(
            keyword,
            Keyword::Bool
                | Keyword::On
                | Keyword::Ignoring
                | Keyword::GroupLeft
                | Keyword::GroupRight
        ),
        _ => false,
    }
}

fn starts_operand(kind: TokenKind) -> bool {
    names_metric(kind)
        || matches!(
            kind,
            TokenKind::Number
                | TokenKind::Duration
                | TokenKind::String
                | TokenKind::LeftParen
                | TokenKind::LeftBrace
                | TokenKind::Op(BinaryOp::Add | BinaryOp::Sub)
        )
        || operator_is_name(kind)
}

/// Set operators double as metric names where an operand is due.
fn operator_is_name(kind: TokenKind) -> bool {
    operator(kind).is_some_and(|(op, ..)| op.is_set())
}
