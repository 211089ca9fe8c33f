//! Which expression does a text mean, or what is wrong with it?
//!
//! [`parse`] reads a query, checks its types and returns a tree or every error found. The parser is
//! written by hand: operators by precedence, everything else by descent, with depth bounds. It goes on
//! after an error where upstream does.
//!
//! // compat: error texts and positions are upstream's. Its parser is generated and recovers from errors
//! by tables; the first error of a text is the same here, further ones may differ.

mod binary;
mod duration;
mod error;
mod expr;
mod literal;
mod modifier;
mod selector;
mod series;
mod stream;

pub use error::ParseError;
pub(crate) use stream::{Parser, Unwind};

use crate::model::{Labels, Matcher};
use crate::promql::ast::{Expr, PosRange};
use crate::promql::lexer::{Lexer, TokenKind};
use crate::promql::typecheck;

/// How deep parentheses, calls and signs may nest.
pub(crate) const MAX_NESTING: usize = 100;

/// The feature switches of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOptions {
    /// Experimental functions and aggregations. Off by default.
    pub experimental_functions: bool,
    /// Calculations in ranges, steps and offsets (`[5m * 2]`). On by default.
    pub duration_expressions: bool,
    /// `anchored` and `smoothed`. Off by default.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left` and `fill_right`. Off by default.
    pub fill_modifiers: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            experimental_functions: false,
            duration_expressions: true,
            extended_range_selectors: false,
            fill_modifiers: false,
        }
    }
}

impl ParseOptions {
    /// Every switch on.
    pub const fn all() -> Self {
        Self {
            experimental_functions: true,
            duration_expressions: true,
            extended_range_selectors: true,
            fill_modifiers: true,
        }
    }
}

/// Parses a query and checks its types.
///
/// Errors: at least one, in the order in which they were found.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, Vec<ParseError>> {
    parse_bytes(text.as_bytes(), options)
}

/// The same for text that may not be UTF-8, which is then an error.
pub fn parse_bytes(text: &[u8], options: &ParseOptions) -> Result<Expr, Vec<ParseError>> {
    let mut parser = Parser::new(text, Lexer::new(text), *options);
    let parsed = parser.parse_query();
    let errors = parser.into_errors();
    match parsed {
        Some(mut expr) if errors.is_empty() => {
            let errors = typecheck::check(&mut expr, text);
            if errors.is_empty() {
                Ok(expr)
            } else {
                Err(errors)
            }
        }
        _ => Err(errors),
    }
}

/// Where the tokens of a query stand, for a highlighter; blanks and comments lie between them. A text that is
/// no query ends with the token that cannot be one, which reaches to its end.
pub fn tokens(text: &[u8]) -> Vec<PosRange> {
    let mut lexer = Lexer::new(text);
    let mut found = Vec::new();
    loop {
        let token = lexer.next_token();
        if token.kind == TokenKind::Eof {
            return found;
        }
        found.push(token.pos());
    }
}

/// Parses a series selector (`up{job="x"}`) into its matchers, as the `match[]` parameters of the HTTP
/// API hold it. It may match the empty string.
pub fn parse_metric_selector(text: &str) -> Result<Vec<Matcher>, Vec<ParseError>> {
    let bytes = text.as_bytes();
    let mut parser = Parser::new(bytes, Lexer::new(bytes), ParseOptions::default());
    let parsed = parser.parse_selector_only();
    let errors = parser.into_errors();
    match parsed {
        Some(selector) if errors.is_empty() => Ok(selector.matchers),
        _ => Err(errors),
    }
}

/// Parses a series (`up{job="x"}`) into its labels.
pub fn parse_metric(text: &str) -> Result<Labels, Vec<ParseError>> {
    let bytes = text.as_bytes();
    let mut parser = Parser::new(bytes, Lexer::new(bytes), ParseOptions::default());
    let parsed = parser.parse_metric_only();
    let errors = parser.into_errors();
    match parsed {
        Some(labels) if errors.is_empty() => Ok(labels),
        _ => Err(errors),
    }
}

#[cfg(test)]
mod tests;
