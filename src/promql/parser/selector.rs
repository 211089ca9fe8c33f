use crate::model::{METRIC_NAME, MatchOp, Matcher};
use crate::promql::ast::{BinaryOp, PosRange, VectorSelector};
use crate::promql::lexer::{Token, TokenKind};
use crate::text::quote::quote;
use crate::time::Span;

use super::expr::names_metric;
use super::stream::{Parsed, Parser, Unwind};

impl Parser<'_> {
    /// A selector where nothing else may stand.
    pub(super) fn parse_selector(&mut self) -> Parsed<VectorSelector> {
        while !names_metric(self.token.kind) && !self.at(TokenKind::LeftBrace) {
            self.reject()?;
        }
        if self.at(TokenKind::LeftBrace) {
            return self.parse_matchers_selector(None);
        }
        let name = self.advance();
        if self.at(TokenKind::LeftBrace) {
            return self.parse_matchers_selector(Some(name));
        }
        Ok(self.bare_selector(name))
    }

    /// A metric name without braces.
    pub(super) fn bare_selector(&self, name: Token) -> VectorSelector {
        selector(self.text_of(name), Vec::new(), name.pos())
    }

    /// The braces of a selector, with the name before them.
    pub(super) fn parse_matchers_selector(
        &mut self,
        name: Option<Token>,
    ) -> Parsed<VectorSelector> {
        let open = self.advance();
        let matchers = self.parse_matchers()?;
        let start = name.map_or(open.start, |name| name.start);
        let name = name.map(|name| self.text_of(name)).unwrap_or_default();
        Ok(selector(
            name,
            matchers,
            PosRange::new(start, self.prev_end),
        ))
    }

    /// Matchers to the closing brace.
    fn parse_matchers(&mut self) -> Parsed<Vec<Matcher>> {
        let mut matchers = Vec::new();
        if self.accept(TokenKind::RightBrace) {
            return Ok(matchers);
        }
        loop {
            matchers.extend(self.parse_matcher());
            loop {
                match self.token.kind {
                    TokenKind::RightBrace => {
                        self.advance();
                        return Ok(matchers);
                    }
                    TokenKind::Comma => {
                        self.advance();
                        if self.accept(TokenKind::RightBrace) {
                            return Ok(matchers);
                        }
                        break;
                    }
                    _ => self.reject_in("label matching", "\",\" or \"}\"")?,
                }
            }
        }
    }

    /// Like [`Parser::reject`], for a place that knows how to go on.
    fn reject_in(&mut self, context: &str, expected: &str) -> Parsed<()> {
        match self.reject() {
            Err(Unwind::Syntax) => {
                self.unexpected(context, expected);
                Ok(())
            }
            other => other,
        }
    }

    /// One matcher; `None` where it is broken.
    fn parse_matcher(&mut self) -> Option<Matcher> {
        let name_token = self.token;
        let quoted = match name_token.kind {
            TokenKind::Identifier => false,
            TokenKind::String => true,
            _ => {
                self.unexpected("label matching", "identifier or \"}\"");
                return None;
            }
        };
        self.advance();
        let name = if quoted {
            self.unquoted(name_token)
        } else {
            self.text_of(name_token)
        };
        let op = match self.token.kind {
            TokenKind::Eql => MatchOp::Equal,
            TokenKind::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::EqlRegex => MatchOp::Regex,
            TokenKind::NeqRegex => MatchOp::NotRegex,
            _ if quoted => return Some(Matcher::equal(METRIC_NAME, name)),
            _ => {
                self.unexpected("label matching", "label matching operator");
                return None;
            }
        };
        self.advance();
        if !self.at(TokenKind::String) {
            self.unexpected("label matching", "string");
            return None;
        }
        let value_token = self.advance();
        let value = self.unquoted(value_token);
        match Matcher::new(op, name, value) {
            Ok(matcher) => Some(matcher),
            Err(e) => {
                self.report(name_token.pos().to(value_token.pos()), e.to_string());
                None
            }
        }
    }

    /// The labels of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub(super) fn parse_grouping_labels(&mut self) -> Parsed<Vec<String>> {
        let mut labels = Vec::new();
        if !self.at(TokenKind::LeftParen) {
            self.unexpected("grouping opts", "\"(\"");
            return Ok(labels);
        }
        self.advance();
        if self.accept(TokenKind::RightParen) {
            return Ok(labels);
        }
        loop {
            labels.extend(self.parse_grouping_label());
            loop {
                match self.token.kind {
                    TokenKind::RightParen => {
                        self.advance();
                        return Ok(labels);
                    }
                    TokenKind::Comma => {
                        self.advance();
                        if self.accept(TokenKind::RightParen) {
                            return Ok(labels);
                        }
                        break;
                    }
                    _ => self.reject_in("grouping opts", "\",\" or \")\"")?,
                }
            }
        }
    }

    fn parse_grouping_label(&mut self) -> Option<String> {
        let token = self.token;
        let name = match token.kind {
            TokenKind::String => {
                self.advance();
                self.unquoted(token)
            }
            TokenKind::Identifier
            | TokenKind::MetricIdentifier
            | TokenKind::Aggregate(_)
            | TokenKind::Keyword(_)
            | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => {
                self.advance();
                self.text_of(token)
            }
            _ => {
                self.unexpected("grouping opts", "label");
                return None;
            }
        };
        if name.is_empty() {
            self.report(
                token.pos(),
                format!("invalid label name for grouping: {}", quote(&name)),
            );
        }
        Some(name)
    }
}

fn selector(name: String, mut matchers: Vec<Matcher>, pos: PosRange) -> VectorSelector {
    if !name.is_empty() {
        matchers.reserve_exact(1);
        matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
    }
    matchers.shrink_to_fit();
    VectorSelector {
        name,
        matchers,
        offset: Span::ZERO,
        offset_expr: None,
        at: None,
        anchored: false,
        smoothed: false,
        may_match_empty: false,
        pos,
    }
}
