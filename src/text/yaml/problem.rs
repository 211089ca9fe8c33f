use std::fmt;

use super::node::{Place, Span};

/// One mistake in a YAML text. Prints as `line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Byte where it begins.
    pub offset: usize,
    /// Byte where it ends; `offset` when unknown.
    pub end_offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: upstream's text where it has one.
    pub message: String,
    /// The way out, when we know it.
    pub hint: Option<String>,
}

impl Problem {
    /// A mistake about a stretch of text.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            offset: span.start.offset,
            end_offset: span.end.offset.max(span.start.offset),
            line: span.start.line,
            column: span.start.column,
            message: message.into(),
            hint: None,
        }
    }

    /// A mistake at a place.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self::new(
            Span {
                start: place,
                end: place,
            },
            message,
        )
    }

    /// Adds the way out.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Problem {}
