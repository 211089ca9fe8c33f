use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::node::{Kind, Node, Place, Span};

/// What sort of mistake it is, for readers that sort them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ProblemKind {
    /// The text is no YAML.
    Syntax,
    /// A field that nobody knows.
    UnknownField,
    /// A key given twice.
    DuplicateKey,
    /// A value of another type than wanted.
    WrongType,
    /// A query within a scalar does not parse.
    Expression,
    /// A template within a scalar does not parse.
    Template,
    /// Anything else: the value is right YAML and means nothing good.
    #[default]
    Meaning,
}

/// A part of a scalar's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The whole value.
    pub value: Arc<str>,
    /// The bytes of the value.
    pub bytes: Range<usize>,
}

/// One mistake in a YAML text. Prints as `line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What sort of mistake it is.
    pub kind: ProblemKind,
    /// The part of a scalar's value that it is about, when it is about a language within a scalar.
    pub within: Option<Within>,
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
            kind: ProblemKind::Meaning,
            within: None,
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

    /// Tells what sort of mistake it is.
    pub fn of_kind(mut self, kind: ProblemKind) -> Self {
        self.kind = kind;
        self
    }

    /// Tells which bytes of a scalar's value it is about; nothing for other nodes.
    pub fn within(mut self, node: &Node, bytes: Range<usize>) -> Self {
        if let Kind::Scalar { text, .. } = &node.kind {
            let value = Arc::from(text.as_str());
            self.within = Some(Within { value, bytes });
        }
        self
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
