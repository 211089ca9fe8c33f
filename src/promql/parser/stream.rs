use crate::promql::ast::{Expr, MAX_HEIGHT, PosRange};
use crate::promql::lexer::{Lexer, Token, TokenKind, describe_token};

use super::{MAX_NESTING, ParseError, ParseOptions};

/// More errors than this in one text help nobody.
const MAX_ERRORS: usize = 100;

/// How many tokens after an error must be read before another one is believed.
const RECOVERY_TOKENS: u8 = 3;

/// Why parsing of a construct stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwind {
    /// The current token does not fit; whoever knows how to go on reports it.
    Syntax,
    /// All is said already.
    Abort,
}

/// The result of parsing a construct.
pub(crate) type Parsed<T> = Result<T, Unwind>;

/// A parsed expression with what only the parser needs to know about it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) expr: Expr,
    /// How high the tree under it is.
    pub(super) height: usize,
    /// Where a range stands that belongs to no selector (reported already).
    pub(super) bad_range: Option<PosRange>,
}

impl Node {
    pub(super) fn leaf(expr: Expr) -> Self {
        Self {
            expr,
            height: 1,
            bad_range: None,
        }
    }

    pub(super) fn pos(&self) -> PosRange {
        self.bad_range.unwrap_or_else(|| self.expr.pos())
    }
}

/// A text with one token of lookahead, and the errors found so far.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    pub(super) text: &'a [u8],
    lexer: Lexer<'a>,
    pub(crate) token: Token,
    /// The end of the token before the current one.
    pub(super) prev_end: usize,
    pub(super) options: ParseOptions,
    nesting: usize,
    recovering: u8,
    last_closing: usize,
    errors: Vec<ParseError>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a [u8], lexer: Lexer<'a>, options: ParseOptions) -> Self {
        let mut parser = Self {
            text,
            lexer,
            token: Token {
                kind: TokenKind::Eof,
                start: 0,
                end: 0,
            },
            prev_end: 0,
            options,
            nesting: 0,
            recovering: 0,
            last_closing: 0,
            errors: Vec::new(),
        };
        parser.read();
        parser
    }

    pub(crate) fn into_errors(self) -> Vec<ParseError> {
        self.errors
    }

    /// The token after the current one takes its place.
    fn read(&mut self) {
        self.token = self.lexer.next_token();
        match self.token.kind {
            TokenKind::Error => {
                let message = self.lexer.take_error();
                self.report(self.token.pos(), message);
            }
            TokenKind::RightBrace
            | TokenKind::RightParen
            | TokenKind::RightBracket
            | TokenKind::Duration
            | TokenKind::Number => self.last_closing = self.token.end,
            _ => {}
        }
    }

    /// The end of the last token read, the lookahead included, that can end an expression.
    pub(super) fn last_closing(&self) -> usize {
        self.last_closing
    }

    /// Consumes the current token.
    pub(crate) fn advance(&mut self) -> Token {
        let token = self.token;
        self.prev_end = token.end;
        self.recovering = self.recovering.saturating_sub(1);
        self.read();
        token
    }

    pub(crate) fn at(&self, kind: TokenKind) -> bool {
        self.token.kind == kind
    }

    pub(crate) fn accept(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn expect(&mut self, kind: TokenKind) -> Parsed<Token> {
        while !self.at(kind) {
            self.reject()?;
        }
        Ok(self.advance())
    }

    /// Says that the current token does not fit. Shortly after an error the token is dropped, so that
    /// the caller can try the next one.
    pub(super) fn reject(&mut self) -> Parsed<()> {
        if self.recovering < RECOVERY_TOKENS {
            return Err(Unwind::Syntax);
        }
        if matches!(self.token.kind, TokenKind::Eof | TokenKind::Error) {
            return Err(Unwind::Abort);
        }
        self.read();
        Ok(())
    }

    /// The text of a token.
    pub(crate) fn text_of(&self, token: Token) -> String {
        String::from_utf8_lossy(self.text.get(token.start..token.end).unwrap_or_default())
            .into_owned()
    }

    pub(crate) fn report(&mut self, pos: PosRange, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ParseError::new(self.text, pos, message));
        }
    }

    /// Reports the current token and begins to recover. What the lexer reported is not said twice.
    pub(crate) fn unexpected(&mut self, context: &str, expected: &str) {
        self.recovering = RECOVERY_TOKENS;
        if self.token.kind == TokenKind::Error {
            return;
        }
        self.complain(context, expected);
    }

    /// Reports the current token without recovering.
    pub(super) fn complain(&mut self, context: &str, expected: &str) {
        let mut message = format!(
            "unexpected {}",
            describe_token(self.token.kind, &self.text_of(self.token))
        );
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.report(self.token.pos(), message);
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            self.report(
                self.token.pos(),
                format!("expression is nested more than {MAX_NESTING} levels deep"),
            );
            return Err(Unwind::Abort);
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// The height of a node over children of these heights, if that is not too much.
    pub(super) fn height_over(&mut self, children: usize, pos: PosRange) -> Parsed<usize> {
        if children >= MAX_HEIGHT {
            self.report(
                pos,
                format!("expression holds a chain of more than {MAX_HEIGHT} operations"),
            );
            return Err(Unwind::Abort);
        }
        Ok(children + 1)
    }
}
