//! Prints records the way go-yaml 2 marshals upstream's structs, secrets as `<secret>`.

use std::fmt::Write as _;

use crate::text::duration;
use crate::text::gofmt;
use crate::text::yaml::{Dialect, Kind as NodeKind, Node, plain_means_text};

use super::bytes::format_bytes;
use super::{Kind, Record, Slot, Value};
use crate::config::go_url;

/// Columns after which a long text is continued on the next line.
const WIDTH: usize = 80;

/// A tree to print.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Out {
    /// Printed as it is.
    Word(String),
    /// Quoted where needed.
    Text(String),
    List(Vec<Out>),
    /// In brackets.
    Flow(Vec<Out>),
    Map(Vec<(String, Out)>),
}

/// Prints a mapping as a document.
pub(crate) fn to_yaml(entries: &[(String, Out)]) -> String {
    let mut text = String::new();
    write_map(&mut text, entries, 0, false);
    if text.is_empty() {
        text.push_str("{}\n");
    }
    text
}

impl Record {
    /// The fields that upstream shows, in its order.
    pub(crate) fn to_out(&self) -> Vec<(String, Out)> {
        self.slots
            .iter()
            .filter(|slot| slot.field.kept || !is_zero(slot))
            .map(|slot| (slot.field.name.to_owned(), slot_out(slot)))
            .collect()
    }
}

fn is_zero(slot: &Slot) -> bool {
    match &slot.value {
        Value::Absent => true,
        Value::Text(text) => text.is_empty(),
        Value::Secret(secret) => secret.is_empty(),
        // A pointer to false is not empty.
        Value::Bool(value) => !value && !matches!(slot.field.kind, Kind::MaybeBool),
        Value::Int(value) | Value::Duration(value) | Value::Bytes(value) => *value == 0,
        Value::Uint(value) => *value == 0,
        Value::Float(value) => *value == 0.0,
        Value::Texts(items) => items.is_empty(),
        Value::Secrets(items) => items.is_empty(),
        Value::TextMap(map) => map.is_empty(),
        Value::TextsMap(map) => map.is_empty(),
        Value::SecretsMap(map) => map.is_empty(),
        Value::Record(record) => {
            matches!(slot.field.kind, Kind::Struct(_)) && record.slots.iter().all(is_zero)
        }
        Value::Records(records) => records.is_empty(),
        Value::RecordMap(map) => map.is_empty(),
        Value::Any(_) => false,
    }
}

fn slot_out(slot: &Slot) -> Out {
    let text = |text: &String| Out::Text(text.clone());
    let secret = || Out::Text("<secret>".to_owned());
    match &slot.value {
        Value::Absent => Out::Word("null".to_owned()),
        Value::Text(url) if matches!(slot.field.kind, Kind::Url) => match url.as_str() {
            "" => Out::Word("null".to_owned()),
            url => Out::Text(go_url::redacted(url)),
        },
        Value::Text(value) => text(value),
        Value::Secret(value) if value.is_empty() => Out::Word("null".to_owned()),
        Value::Secret(_) => secret(),
        Value::Bool(value) => Out::Word(value.to_string()),
        Value::Int(value) => Out::Word(value.to_string()),
        Value::Uint(value) => Out::Word(value.to_string()),
        Value::Float(value) => Out::Word(gofmt::float_g(*value)),
        Value::Duration(ms) => Out::Text(duration::format_ms(*ms)),
        Value::Bytes(bytes) => Out::Text(format_bytes(*bytes)),
        Value::Texts(items) if matches!(slot.field.kind, Kind::FlowTexts) => {
            Out::Flow(items.iter().map(text).collect())
        }
        Value::Texts(items) => Out::List(items.iter().map(text).collect()),
        Value::Secrets(items) => Out::List(items.iter().map(|_| secret()).collect()),
        Value::TextMap(map) => Out::Map(map.iter().map(|(k, v)| (k.clone(), text(v))).collect()),
        Value::TextsMap(map) => Out::Map(
            map.iter()
                .map(|(k, v)| (k.clone(), Out::List(v.iter().map(text).collect())))
                .collect(),
        ),
        Value::SecretsMap(map) => Out::Map(
            map.iter()
                .map(|(k, v)| (k.clone(), Out::List(v.iter().map(|_| secret()).collect())))
                .collect(),
        ),
        Value::Record(record) => Out::Map(record.to_out()),
        Value::Records(records) => Out::List(
            records
                .iter()
                .map(|record| match record {
                    Some(record) => Out::Map(record.to_out()),
                    None => Out::Word("null".to_owned()),
                })
                .collect(),
        ),
        Value::RecordMap(map) => Out::Map(
            map.iter()
                .map(|(k, v)| (k.clone(), Out::Map(v.to_out())))
                .collect(),
        ),
        Value::Any(node) => node_out(node),
    }
}

fn node_out(node: &Node) -> Out {
    match &node.kind {
        NodeKind::Scalar { text, .. } => match node.resolve(Dialect::V2) {
            Some(crate::text::yaml::Resolved::Text) => Out::Text(text.to_string()),
            _ => Out::Word(text.to_string()),
        },
        NodeKind::Sequence(items) => Out::List(items.iter().map(node_out).collect()),
        NodeKind::Mapping(entries) => Out::Map(
            entries
                .iter()
                .filter_map(|e| Some((e.key.as_str()?.to_owned(), node_out(&e.value))))
                .collect(),
        ),
    }
}

fn indent_line(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// `continued`: the first line follows something on the same line.
fn write_map(out: &mut String, entries: &[(String, Out)], indent: usize, continued: bool) {
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 || !continued {
            indent_line(out, indent);
        }
        write_text(out, key, indent, true);
        out.push(':');
        match value {
            Out::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                write_map(out, entries, indent + 2, false);
            }
            Out::List(items) if !items.is_empty() => {
                out.push('\n');
                write_list(out, items, indent, false);
            }
            value => {
                out.push(' ');
                write_scalar(out, value, indent + 2);
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Out], indent: usize, continued: bool) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !continued {
            indent_line(out, indent);
        }
        out.push_str("- ");
        match item {
            Out::Map(entries) if !entries.is_empty() => write_map(out, entries, indent + 2, true),
            Out::List(items) if !items.is_empty() => write_list(out, items, indent + 2, true),
            item => write_scalar(out, item, indent + 2),
        }
    }
}

fn write_scalar(out: &mut String, value: &Out, indent: usize) {
    match value {
        Out::Word(word) => out.push_str(word),
        Out::Text(text) => write_text(out, text, indent, false),
        Out::Flow(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                if let Out::Text(text) = item {
                    write_text(out, text, indent, true);
                }
            }
            out.push(']');
        }
        Out::List(_) => out.push_str("[]"),
        Out::Map(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// compat: go-yaml's choice of style. `tight`: a key or an item in brackets, where more characters
/// need quotes and lines are never broken.
fn write_text(out: &mut String, text: &str, indent: usize, tight: bool) {
    let printable = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if text.contains('\n')
        && !tight
        && text.chars().all(printable)
        && !text.starts_with([' ', '\n'])
    {
        write_literal(out, text, indent);
    } else if !plain_means_text(text) || !text.chars().all(|c| printable(c) && c != '\n') {
        write_double_quoted(out, text);
    } else if may_be_plain(text, tight) {
        write_folding(out, text, indent, tight);
    } else {
        out.push('\'');
        write_folding(out, &text.replace('\'', "''"), indent, tight);
        out.push('\'');
    }
}

fn write_literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent_line(out, indent);
            out.push_str(line);
        }
    }
}

fn write_double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Writes a text and breaks it at single spaces when the line is long.
fn write_folding(out: &mut String, text: &str, indent: usize, tight: bool) {
    let line_start = out.rfind('\n').map_or(0, |at| at + 1);
    let mut column = out[line_start..].chars().count();
    let mut chars = text.chars().peekable();
    let mut after_space = false;
    let mut first = true;
    while let Some(c) = chars.next() {
        let single = c == ' ' && !after_space && chars.peek().is_some_and(|next| *next != ' ');
        if single && !tight && !first && column > WIDTH {
            out.push('\n');
            indent_line(out, indent);
            column = indent;
        } else {
            out.push(c);
            column += 1;
        }
        after_space = c == ' ';
        first = false;
    }
}

/// Whether the characters allow a text without quotes.
fn may_be_plain(text: &str, tight: bool) -> bool {
    let followed_by_blank = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    if text.is_empty()
        || text.starts_with([' ', '\t'])
        || text.ends_with([' ', '\t'])
        || text.starts_with("---")
        || text.starts_with("...")
    {
        return false;
    }
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let special = if at == 0 {
            match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`' => true,
                '?' | ':' => tight || followed_by_blank(rest),
                '-' => followed_by_blank(rest),
                _ => false,
            }
        } else {
            match c {
                ',' | '?' | '[' | ']' | '{' | '}' => tight,
                ':' => tight || followed_by_blank(rest),
                '#' => before == ' ' || before == '\t',
                _ => false,
            }
        };
        if special {
            return false;
        }
        before = c;
    }
    true
}
