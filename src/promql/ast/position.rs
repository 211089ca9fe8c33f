use std::fmt;

/// A range of bytes of the query text, the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PosRange {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl PosRange {
    /// Takes both ends.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of `self` to the end of `last`.
    pub const fn to(self, last: Self) -> Self {
        Self {
            start: self.start,
            end: last.end,
        }
    }

    /// Line and column (both from 1, the column in bytes) of the range's start in `text`, as
    /// upstream's errors and annotations name them.
    pub fn line_column(self, text: &str) -> (usize, usize) {
        let start = self.start.min(text.len());
        let before = text.as_bytes().get(..start).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        (line, start - line_start + 1)
    }
}

/// `start:end` in bytes.
impl fmt::Display for PosRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.start, self.end)
    }
}
