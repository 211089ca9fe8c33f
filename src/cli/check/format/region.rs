//! Where a stretch of text begins and ends, in lines and characters.

use std::ops::Range;

use crate::check::Finding;

/// Lines and columns from 1, columns in characters; the end is the place after the last character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl Region {
    /// Where a finding is; the first line when it is about the whole file.
    pub(super) fn of(finding: &Finding) -> Option<Self> {
        let place = finding.place.as_ref()?;
        // A text that begins at no line is one that could not be read.
        let (line, column) = (place.line.max(1), place.column.max(1));
        let end = place.bytes.end.min(place.source.len());
        let covered = place
            .source
            .get(place.bytes.start.min(end)..end)
            .unwrap_or_default();
        Some(Self::from(line, column, covered))
    }

    fn from(line: usize, column: usize, covered: &str) -> Self {
        let lines = covered.bytes().filter(|b| *b == b'\n').count();
        let last = covered.rfind('\n').map_or(covered, |at| &covered[at + 1..]);
        let start = if lines == 0 { column } else { 1 };
        Self {
            line,
            column,
            end_line: line + lines,
            end_column: start + last.chars().count(),
        }
    }

    /// The region of some bytes of a text.
    pub(super) fn of_bytes(source: &str, bytes: &Range<usize>) -> Self {
        let start = source.floor_char_boundary(bytes.start.min(source.len()));
        let end = source.floor_char_boundary(bytes.end.clamp(start, source.len()));
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Self::from(line, column, &source[start..end])
    }
}
