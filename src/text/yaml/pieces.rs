//! Long texts read in pieces, on several threads.
//!
//! Rule files, the longest texts that people write, are a mapping whose last value is a list. Each piece is
//! read as a text of its own: what stands before the list, some items, and the dash of the item behind them,
//! so that every token and every place in it is the one that the whole text gives. What is not so plain
//! (anchors, a second document, quotes or keys across a seam, any mistake) makes [`parse_first`] answer
//! nothing, and the text is read at a stretch.

use std::ops::Range;
use std::sync::Arc;

use crate::parallel;

use super::node::{Document, Kind, Node};
use super::parse::Reader;

/// Bytes that are worth a thread.
const PIECE_MIN: usize = 96 * 1024;

/// Bytes before the list: each piece repeats them.
const HEAD_MAX: usize = 16 * 1024;

/// What [`super::parse_first`] answers for a text that is long, good and of the plain shape; nothing for
/// others.
pub(super) fn parse_first(text: &str) -> Option<Document> {
    parse_in(text, parallel::parts(text.len(), PIECE_MIN))
}

/// As [`parse_first`], in so many pieces if there are seams for them, whatever the length.
pub(super) fn parse_in(text: &str, pieces: usize) -> Option<Document> {
    let pieces = cut(text, pieces)?;
    let mut read = parallel::map(&pieces, Piece::read).into_iter();
    let mut root = read.next()??;
    let width = root.as_mapping()?.len();
    for piece in read {
        let mut piece = piece?;
        if piece.as_mapping()?.len() != width {
            return None;
        }
        root.span.end = piece.span.end;
        let (list, more) = (list_of(&mut root)?, list_of(&mut piece)?);
        list.span.end = more.span.end;
        let (Kind::Sequence(items), Kind::Sequence(more)) = (&mut list.kind, &mut more.kind) else {
            return None;
        };
        items.append(more);
    }
    Some(Document {
        root,
        source: Arc::from(text),
    })
}

/// A part of a text that is read as if it stood right behind the head.
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// What every piece begins with, up to the first item.
    pub(super) head: &'t str,
    /// The items, without the head.
    pub(super) bytes: Range<usize>,
    /// The dash of the next item with the blanks before it; empty for the last piece.
    pub(super) next: &'t str,
    /// Line breaks between the head and the items.
    pub(super) lines: usize,
}

impl Piece<'_> {
    /// The root that the piece alone gives, with the items of this piece only.
    fn read(&self) -> Option<Node> {
        let items = &self.text[self.bytes.clone()];
        let joined = [self.head, items, self.next].concat();
        let mut root = Reader::of_piece(&joined, self)?.only_document()?;
        let list = list_of(&mut root)?;
        let Kind::Sequence(items) = &mut list.kind else {
            return None;
        };
        if !self.next.is_empty() {
            let next = items.pop()?;
            if !next.is_null() || next.span.start.offset < self.bytes.end {
                return None;
            }
        }
        (!items.is_empty()).then_some(root)
    }
}

/// The value of the last entry.
fn list_of(root: &mut Node) -> Option<&mut Node> {
    match &mut root.kind {
        Kind::Mapping(entries) => {
            let last = entries.last_mut()?;
            (!last.merged).then_some(&mut last.value)
        }
        _ => None,
    }
}

/// Two pieces or more; nothing when the text has no seam.
fn cut(text: &str, pieces: usize) -> Option<Vec<Piece<'_>>> {
    // A carriage return can be the end of a line, too.
    if pieces < 2 || memchr::memchr(b'\r', text.as_bytes()).is_some() {
        return None;
    }
    let (head, blanks) = head(text)?;
    let dash = &text[head..=head + blanks];
    let seam = ["\n", dash, " "].concat();
    let mut starts = vec![head];
    for piece in 1..pieces {
        let wanted = head + (text.len() - head) / pieces * piece;
        let from = starts.last().map_or(wanted, |last| wanted.max(*last));
        let found = memchr::memmem::find(&text.as_bytes()[from..], seam.as_bytes());
        starts.extend(found.map(|at| from + at + 1));
    }
    let mut cut = Vec::with_capacity(starts.len());
    let (mut lines, mut counted) = (0, head);
    for (at, start) in starts.iter().enumerate() {
        lines += memchr::memchr_iter(b'\n', &text.as_bytes()[counted..*start]).count();
        counted = *start;
        let end = starts.get(at + 1).copied();
        cut.push(Piece {
            text,
            head: &text[..head],
            bytes: *start..end.unwrap_or(text.len()),
            next: if end.is_some() { dash } else { "" },
            lines,
        });
    }
    (cut.len() > 1).then_some(cut)
}

/// Where the line of the first item begins, and the blanks before its dash.
fn head(text: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let item = line.trim_start_matches(' ');
        if item.starts_with("- ") {
            return (start > 0).then_some((start, line.len() - item.len()));
        }
        start += line.len();
        if start > HEAD_MAX {
            break;
        }
    }
    None
}
