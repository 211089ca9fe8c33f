//! Places: characters to bytes, and offsets in a scalar's value to places in the text.

use super::node::{Kind, Node, Place, Style};

/// Characters between two remembered byte offsets.
const STEP: usize = 256;

/// Finds the byte where the n-th character of a text begins.
pub(super) struct CharOffsets {
    /// The byte of every `STEP`-th character; empty when the text is ASCII.
    marks: Vec<usize>,
    len: usize,
}

impl CharOffsets {
    pub(super) fn new(body: &str) -> Self {
        let marks = if body.is_ascii() {
            Vec::new()
        } else {
            body.char_indices()
                .step_by(STEP)
                .map(|(at, _)| at)
                .collect()
        };
        Self {
            marks,
            len: body.len(),
        }
    }

    /// The byte of the character at `index` of the text that this was made of.
    pub(super) fn byte(&self, text: &str, index: usize) -> usize {
        let Some(from) = self.marks.get(index / STEP) else {
            let ascii = self.marks.is_empty();
            return if ascii { index.min(self.len) } else { self.len };
        };
        text.get(*from..)
            .and_then(|rest| rest.char_indices().nth(index % STEP))
            .map_or(text.len(), |(at, _)| from + at)
    }
}

/// See [`super::Document::place_in_scalar`].
pub(super) fn in_scalar(source: &str, node: &Node, offset: usize) -> Place {
    let Kind::Scalar { text, style } = &node.kind else {
        return node.span.start;
    };
    let Some(raw) = source.get(node.span.start.offset..) else {
        return node.span.start;
    };
    let mut cursor = Cursor {
        rest: raw,
        place: node.span.start,
    };
    match style {
        Style::Plain => {}
        Style::SingleQuoted | Style::DoubleQuoted => cursor.skip_char(),
        Style::Literal | Style::Folded => {
            if raw.starts_with(['|', '>']) {
                cursor.skip_header();
            }
            // Leading blank lines and the indentation belong to no character of a first line that
            // has text.
            if !text.starts_with([' ', '\n']) {
                cursor.skip_white();
            }
        }
    }
    let value = text.get(..offset.min(text.len())).unwrap_or(text);
    let mut in_white = false;
    for c in value.chars() {
        cursor.skip_escaped_breaks(*style);
        if c.is_whitespace() && !cursor.at_escape(*style) {
            // A run of white space in the value stands for a run in the text, whatever its length.
            if !in_white {
                cursor.skip_white();
            }
            in_white = true;
            continue;
        }
        in_white = false;
        cursor.skip_value_char(*style);
    }
    cursor.skip_escaped_breaks(*style);
    cursor.place
}

struct Cursor<'t> {
    rest: &'t str,
    place: Place,
}

impl Cursor<'_> {
    fn skip_char(&mut self) {
        let Some(c) = self.rest.chars().next() else {
            return;
        };
        self.rest = &self.rest[c.len_utf8()..];
        self.place.offset += c.len_utf8();
        if c == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
    }

    fn skip_white(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.skip_char();
        }
    }

    /// Skips `|-`, `>2` and the like up to the first line of content.
    fn skip_header(&mut self) {
        while !self.rest.is_empty() {
            let end = self.rest.starts_with('\n');
            self.skip_char();
            if end {
                return;
            }
        }
    }

    fn at_escape(&self, style: Style) -> bool {
        style == Style::DoubleQuoted && self.rest.starts_with('\\')
    }

    /// Skips what stands for one character of the value.
    fn skip_value_char(&mut self, style: Style) {
        match style {
            Style::SingleQuoted if self.rest.starts_with("''") => {
                self.skip_char();
                self.skip_char();
            }
            Style::DoubleQuoted if self.rest.starts_with('\\') => {
                self.skip_char();
                let digits = match self.rest.chars().next() {
                    Some('x') => 2,
                    Some('u') => 4,
                    Some('U') => 8,
                    _ => 0,
                };
                for _ in 0..=digits {
                    self.skip_char();
                }
            }
            _ => self.skip_char(),
        }
    }

    /// Skips escaped line breaks, which stand for nothing.
    fn skip_escaped_breaks(&mut self, style: Style) {
        while style == Style::DoubleQuoted && self.rest.starts_with("\\\n") {
            self.skip_char();
            self.skip_white();
        }
    }
}
