//! Mappings in block style as lines of a text.

use std::ops::Range;

use crate::text::yaml::{Entry, Node};

/// The start of the line that a byte stands in.
pub(super) fn line_start(source: &str, at: usize) -> usize {
    source
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1)
}

/// The start of the line after the one that a byte stands in.
pub(super) fn next_line(source: &str, at: usize) -> usize {
    source
        .get(at..)
        .and_then(|rest| rest.find('\n'))
        .map_or(source.len(), |found| at + found + 1)
}

/// The column of a byte, from 0, in bytes.
pub(super) fn column(source: &str, at: usize) -> usize {
    at - line_start(source, at)
}

/// The bytes of an entry that stands on one line of its own: from its key to the end of the line, the line
/// break left out. Nothing when more stands there, or when the value goes on below.
pub(super) fn single_line(source: &str, entry: &Entry) -> Option<Range<usize>> {
    let start = entry.key.span.start.offset;
    let end = entry.value.span.end.offset;
    let line_end = source[start..]
        .find('\n')
        .map_or(source.len(), |at| start + at);
    let line_end = line_end - usize::from(source[..line_end].ends_with('\r'));
    let scalar = entry.value.as_str().is_some() && !entry.merged;
    let rest = source.get(end..line_end)?.trim();
    let alone = rest.is_empty() || rest.starts_with('#');
    (scalar && end <= line_end && alone).then_some(start..line_end)
}

/// Whether a mapping is written in braces.
pub(super) fn is_flow(source: &str, node: &Node) -> bool {
    source
        .get(node.span.start.offset..)
        .is_some_and(|rest| rest.starts_with('{'))
}

/// The entry of a mapping with this key.
pub(super) fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    node.as_mapping()?
        .iter()
        .find(|entry| entry.key.as_str() == Some(key) && !entry.merged)
}

/// The end of an entry's last line with something on it, after its line break.
pub(super) fn end_of_entry(source: &str, entry: &Entry) -> usize {
    let end = last_byte(source, &entry.value).max(entry.key.span.end.offset);
    next_line(source, end)
}

/// The last byte of a node that is no white space.
fn last_byte(source: &str, node: &Node) -> usize {
    let (start, end) = (node.span.start.offset, node.span.end.offset);
    match node.as_mapping() {
        // The end of a block mapping lies at the next token, which may stand behind comments.
        Some(entries) if !is_flow(source, node) => {
            let ends = entries
                .iter()
                .map(|e| last_byte(source, &e.value).max(e.key.span.end.offset));
            ends.max().unwrap_or(start)
        }
        _ => {
            let text = source.get(start..end).unwrap_or_default().trim_end();
            start + text.len().saturating_sub(1)
        }
    }
}
