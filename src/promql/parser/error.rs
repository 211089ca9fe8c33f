use std::fmt;

use crate::promql::ast::PosRange;

/// Something wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The bytes that the error is about.
    pub pos: PosRange,
    /// The line it starts in, from 1.
    pub line: usize,
    /// The byte of the line it starts at, from 1.
    pub column: usize,
    /// What is wrong, in upstream's words.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(text: &[u8], pos: PosRange, message: impl Into<String>) -> Self {
        let before = text.get(..pos.start.min(text.len())).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Self {
            pos,
            line,
            column: before.len() - line_start + 1,
            message: message.into(),
        }
    }
}

/// `line:column: parse error: message`, as upstream shows it.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: parse error: {}",
            self.line, self.column, self.message
        )
    }
}

impl std::error::Error for ParseError {}
