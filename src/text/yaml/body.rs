//! The text as the parser sees it, and the way back to the text as it was given.

use saphyr_parser::Marker;

use super::node::Place;
use super::pieces::Piece;
use super::place::CharOffsets;

/// The text without its byte order mark, some lines indented further, some tabs made blanks.
///
/// compat: go-yaml lets the lines of a quoted scalar stand at any indentation, and tabs between a colon and
/// its value; the parser does not. White space in these places means nothing, so that changes no value.
pub(super) struct Body<'t> {
    pub(super) text: std::borrow::Cow<'t, str>,
    offsets: CharOffsets,
    /// Bytes of the given text before this one.
    skipped: usize,
    /// Lines that were indented further, and by how much; in order.
    indented: Vec<(usize, usize)>,
    /// For a piece of a text: where its items begin in here, and what was left out before them.
    cut: Option<Cut>,
}

#[derive(Clone, Copy)]
struct Cut {
    at: usize,
    bytes: usize,
    lines: usize,
}

impl<'t> Body<'t> {
    pub(super) fn new(text: &'t str, skipped: usize) -> Self {
        Self {
            offsets: CharOffsets::new(text),
            text: text.into(),
            skipped,
            indented: Vec::new(),
            cut: None,
        }
    }

    /// Makes places those in the text that the piece is of.
    pub(super) fn stands_in(&mut self, piece: &Piece<'_>) {
        self.cut = Some(Cut {
            at: piece.head.len(),
            bytes: piece.bytes.start - piece.head.len(),
            lines: piece.lines,
        });
    }

    /// Where a place that the parser speaks of stands in the given text.
    pub(super) fn place(&self, given: &str, marker: Marker) -> Place {
        let line = marker.line().max(1);
        let before: usize = self
            .indented
            .iter()
            .take_while(|(at, _)| *at < line)
            .map(|(_, added)| added)
            .sum();
        let here = self
            .indented
            .iter()
            .find(|(at, _)| *at == line)
            .map_or(0, |(_, added)| (*added).min(marker.col()));
        let offset = self.offsets.byte(&self.text, marker.index());
        let offset = (self.skipped + offset).saturating_sub(before + here);
        let (bytes, lines) = match self.cut {
            Some(cut) if offset >= cut.at => (cut.bytes, cut.lines),
            _ => (0, 0),
        };
        Place {
            offset: (offset + bytes).min(given.len()),
            line: line + lines,
            column: marker.col() - here + 1,
        }
    }

    /// Indents the lines of the quoted scalar that begins at `start` to its quote. Answers whether that
    /// changed anything.
    pub(super) fn indent(&mut self, start: Marker) -> bool {
        let from = self.offsets.byte(&self.text, start.index());
        let Some(scalar) = self.text.get(from..) else {
            return false;
        };
        let scalar = &scalar[..end_of_quoted(scalar)];
        let mut out = String::with_capacity(scalar.len() + 64);
        let mut added = Vec::new();
        for (number, line) in scalar.split_inclusive('\n').enumerate() {
            let blanks = line.bytes().take_while(|b| *b == b' ').count();
            if number > 0 && blanks < start.col() && !line.trim().is_empty() {
                let missing = start.col() - blanks;
                out.extend(std::iter::repeat_n(' ', missing));
                added.push((start.line() + number, missing));
            }
            out.push_str(line);
        }
        if added.is_empty() {
            return false;
        }
        let end = from + scalar.len();
        let repaired = format!("{}{out}{}", &self.text[..from], &self.text[end..]);
        self.offsets = CharOffsets::new(&repaired);
        self.text = repaired.into();
        for (line, missing) in added {
            match self.indented.iter_mut().find(|(at, _)| *at == line) {
                Some((_, sum)) => *sum += missing,
                None => self.indented.push((line, missing)),
            }
        }
        self.indented.sort_unstable();
        true
    }
}

impl Body<'_> {
    /// Makes blanks of the tabs between a colon and what stands at `value`. Answers whether there were any.
    pub(super) fn untab(&mut self, value: Marker) -> bool {
        let end = self.offsets.byte(&self.text, value.index());
        let before = self.text.get(..end).unwrap_or_default();
        let start = before.trim_end_matches([' ', '\t']).len();
        if !before.ends_with(['\t', ' ']) || !before[start..].contains('\t') {
            return false;
        }
        let blanks = " ".repeat(end - start);
        self.text.to_mut().replace_range(start..end, &blanks);
        true
    }
}

/// The bytes of a quoted scalar at the beginning of `text`, quotes included.
pub(super) fn end_of_quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes.first().copied().unwrap_or(b'"');
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}
