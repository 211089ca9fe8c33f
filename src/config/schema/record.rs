use std::path::PathBuf;

use crate::model::Secret;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Fields, Node, Span};
use crate::time;

use super::{Default, Field, Kind, Section, parse_bytes};
use crate::config::go_url;
use crate::config::label_names;

/// What a section says, with defaults filled in: one slot per field of its table.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Where it stands; nowhere when it was not given.
    pub(crate) span: Span,
    pub(crate) slots: Vec<Slot>,
}

/// A field and its value.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) field: &'static Field,
    pub(crate) value: Value,
    /// Where the value stands, if it was given.
    pub(crate) span: Option<Span>,
}

/// A value of any kind of field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// An absent optional value.
    Absent,
    Text(String),
    Secret(Secret),
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Milliseconds.
    Duration(i64),
    Bytes(i64),
    Texts(Vec<String>),
    Secrets(Vec<Secret>),
    TextMap(Vec<(String, String)>),
    TextsMap(Vec<(String, Vec<String>)>),
    SecretsMap(Vec<(String, Vec<Secret>)>),
    Record(Box<Record>),
    /// `None` stands for a null item.
    Records(Vec<Option<Record>>),
    RecordMap(Vec<(String, Record)>),
    Any(Node),
}

impl PartialEq for Record {
    /// Places do not count.
    fn eq(&self, other: &Self) -> bool {
        self.slots.len() == other.slots.len()
            && self
                .slots
                .iter()
                .zip(&other.slots)
                .all(|(a, b)| a.field.name == b.field.name && a.value == b.value)
    }
}

impl Record {
    /// The section as it is when it was not given at all.
    pub(crate) fn default_of(section: &'static Section) -> Self {
        let mut slots = Vec::new();
        push_defaults(section, &mut slots);
        Self {
            span: Span::default(),
            slots,
        }
    }

    /// Reads a section and reports unknown fields.
    pub(crate) fn read(decoder: &Decoder, node: &Node, section: &'static Section) -> Self {
        let mut fields = decoder.fields(node, section.name);
        let record = Self::read_fields(&mut fields, section);
        fields.finish();
        record
    }

    /// Reads a section of which other fields are read elsewhere.
    pub(crate) fn read_fields(fields: &mut Fields<'_, '_>, section: &'static Section) -> Self {
        let mut record = Self::default_of(section);
        record.span = fields.span();
        let decoder = fields.decoder();
        for slot in &mut record.slots {
            let Some(node) = fields.node(slot.field.name) else {
                continue;
            };
            slot.span = Some(node.span);
            if node.is_null() {
                // compat: go-yaml sets a field that is null to the zero of its type.
                slot.value = zero_of(slot.field.kind);
                if matches!(slot.field.kind, Kind::Texts) {
                    slot.span = None;
                }
            } else if let Some(value) = read_value(decoder, node, slot.field.kind) {
                slot.value = value;
            }
        }
        record
    }

    fn slot(&self, name: &str) -> &Slot {
        self.slots
            .iter()
            .find(|slot| slot.field.name == name)
            .expect("sections are asked for fields of their own table")
    }

    /// The value of a field. Asking for a name that is not in the table is a mistake of ours.
    pub(crate) fn value(&self, name: &str) -> &Value {
        &self.slot(name).value
    }

    /// Replaces the value of a field, as checks do that fill in defaults from elsewhere.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.field.name == name) {
            slot.value = value;
        }
    }

    /// Where a field's value stands, or the section when it was not given.
    pub(crate) fn span_of(&self, name: &str) -> Span {
        self.slot(name).span.unwrap_or(self.span)
    }

    /// Whether a field was given.
    pub(crate) fn was_given(&self, name: &str) -> bool {
        self.slot(name).span.is_some()
    }

    /// Reports a mistake about a field.
    pub(crate) fn fail(&self, decoder: &Decoder, name: &str, message: impl Into<String>) {
        decoder.fail(self.span_of(name), message);
    }

    /// A text, secret or not; empty when it is something else.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            Value::Secret(secret) => secret.expose(),
            _ => "",
        }
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Bool(true))
    }

    /// A boolean that may not have been given.
    pub(crate) fn maybe_bool(&self, name: &str) -> Option<bool> {
        match self.value(name) {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Int(value) | Value::Duration(value) | Value::Bytes(value) => *value,
            Value::Uint(value) => i64::try_from(*value).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    pub(crate) fn uint(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Uint(value) => *value,
            _ => u64::try_from(self.int(name)).unwrap_or(0),
        }
    }

    pub(crate) fn float(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Float(value) => *value,
            _ => 0.0,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> time::Span {
        time::Span::from_ms(self.int(name))
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.text(name))
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }

    pub(crate) fn texts(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::Texts(texts) => texts,
            _ => &[],
        }
    }

    pub(crate) fn text_map(&self, name: &str) -> &[(String, String)] {
        match self.value(name) {
            Value::TextMap(map) => map,
            _ => &[],
        }
    }

    /// A struct inside, if it is there.
    pub(crate) fn record(&self, name: &str) -> Option<&Self> {
        match self.value(name) {
            Value::Record(record) => Some(record),
            _ => None,
        }
    }

    /// As [`Record::record`], to change.
    pub(crate) fn record_mut(&mut self, name: &str) -> Option<&mut Self> {
        let slot = self.slots.iter_mut().find(|slot| slot.field.name == name)?;
        match &mut slot.value {
            Value::Record(record) => Some(record),
            _ => None,
        }
    }

    /// A list of structs.
    pub(crate) fn records(&self, name: &str) -> &[Option<Self>] {
        match self.value(name) {
            Value::Records(records) => records,
            _ => &[],
        }
    }

    /// Joins relative file names to a folder.
    pub(crate) fn set_directory(&mut self, folder: &str) {
        for slot in &mut self.slots {
            match (&mut slot.value, slot.field.kind) {
                (Value::Text(path), Kind::Path) => join(folder, path),
                (Value::Texts(paths), Kind::Paths) => {
                    for path in paths {
                        join(folder, path);
                    }
                }
                (Value::Record(record), _) => record.set_directory(folder),
                (Value::Records(records), _) => {
                    for record in records.iter_mut().flatten() {
                        record.set_directory(folder);
                    }
                }
                (Value::RecordMap(records), _) => {
                    for (_, record) in records {
                        record.set_directory(folder);
                    }
                }
                _ => {}
            }
        }
    }
}

/// compat: Go's `filepath.Join`, which also cleans; empty and absolute names stay.
pub(crate) fn join(folder: &str, path: &mut String) {
    if path.is_empty() || path.starts_with('/') || folder.is_empty() {
        return;
    }
    let absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    *path = if absolute {
        format!("/{joined}")
    } else {
        joined
    };
}

fn push_defaults(section: &'static Section, slots: &mut Vec<Slot>) {
    for field in section.fields {
        if let Kind::Inline(inner) = field.kind {
            push_defaults(inner, slots);
            continue;
        }
        let value = match field.default {
            Default::Zero => match field.kind {
                Kind::Struct(inner) => Value::Record(Box::new(Record::default_of(inner))),
                kind => zero_of(kind),
            },
            Default::Text(text) => Value::Text(text.to_owned()),
            Default::True => Value::Bool(true),
            Default::Int(value) => match field.kind {
                Kind::Uint => Value::Uint(value as u64),
                _ => Value::Int(value),
            },
            Default::Ms(ms) => Value::Duration(ms),
        };
        slots.push(Slot {
            field,
            value,
            span: None,
        });
    }
}

fn zero_of(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path | Kind::Url => Value::Text(String::new()),
        Kind::Secret => Value::Secret(Secret::default()),
        Kind::Bool => Value::Bool(false),
        Kind::Int => Value::Int(0),
        Kind::Uint => Value::Uint(0),
        Kind::Float => Value::Float(0.0),
        Kind::Duration => Value::Duration(0),
        Kind::Bytes => Value::Bytes(0),
        Kind::Texts | Kind::FlowTexts | Kind::Paths => Value::Texts(Vec::new()),
        Kind::Secrets => Value::Secrets(Vec::new()),
        Kind::TextMap | Kind::Labels => Value::TextMap(Vec::new()),
        Kind::TextsMap => Value::TextsMap(Vec::new()),
        Kind::SecretsMap => Value::SecretsMap(Vec::new()),
        Kind::List(_) => Value::Records(Vec::new()),
        Kind::StructMap(_) => Value::RecordMap(Vec::new()),
        Kind::Struct(inner) => Value::Record(Box::new(zeroed(inner))),
        Kind::MaybeBool | Kind::Pointer(_) | Kind::Inline(_) | Kind::Any => Value::Absent,
    }
}

/// A struct without even its defaults.
fn zeroed(section: &'static Section) -> Record {
    let mut record = Record::default_of(section);
    for slot in &mut record.slots {
        slot.value = zero_of(slot.field.kind);
    }
    record
}

fn read_value(decoder: &Decoder, node: &Node, kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Text | Kind::Path => Value::Text(decoder.string(node)?),
        Kind::Secret => Value::Secret(Secret::new(decoder.string(node)?)),
        Kind::Bool | Kind::MaybeBool => Value::Bool(decoder.bool(node)?),
        Kind::Int => Value::Int(decoder.int(node)?),
        Kind::Uint => Value::Uint(decoder.uint(node, "uint")?),
        Kind::Float => Value::Float(decoder.float(node)?),
        Kind::Duration => Value::Duration(decoder.duration_ms(node)?),
        Kind::Bytes => match parse_bytes(&decoder.string(node)?) {
            Ok(bytes) => Value::Bytes(bytes),
            Err(message) => {
                decoder.fail(node.span, message);
                return None;
            }
        },
        Kind::Url => {
            let text = decoder.string(node)?;
            if let Err(message) = go_url::parse(&text) {
                let shown = quote(&go_url::redacted(&text));
                decoder.fail(node.span, format!("parse {shown}: {message}"));
                return None;
            }
            Value::Text(text)
        }
        Kind::Texts | Kind::FlowTexts | Kind::Paths => Value::Texts(decoder.strings(node)),
        Kind::Secrets => Value::Secrets(secrets(decoder, node)),
        Kind::TextMap => Value::TextMap(sorted(decoder.string_map(node))),
        Kind::TextsMap => Value::TextsMap(sorted(lists(decoder, node, Decoder::strings))),
        Kind::SecretsMap => Value::SecretsMap(sorted(lists(decoder, node, secrets))),
        Kind::Labels => Value::TextMap(sorted(label_names::read_labels(decoder, node))),
        Kind::Struct(inner) | Kind::Pointer(inner) => {
            Value::Record(Box::new(Record::read(decoder, node, inner)))
        }
        Kind::List(inner) => Value::Records(
            decoder
                .sequence(node, inner.name)
                .iter()
                .map(|item| (!item.is_null()).then(|| Record::read(decoder, item, inner)))
                .collect(),
        ),
        Kind::StructMap(inner) => Value::RecordMap(sorted(
            decoder
                .map(node, inner.name)
                .into_iter()
                .filter_map(|(key, item)| {
                    Some((key.as_str()?.to_owned(), Record::read(decoder, item, inner)))
                })
                .collect(),
        )),
        Kind::Any => Value::Any(node.clone()),
        Kind::Inline(_) => return None,
    })
}

fn secrets(decoder: &Decoder, node: &Node) -> Vec<Secret> {
    decoder.strings(node).into_iter().map(Secret::new).collect()
}

fn lists<T>(
    decoder: &Decoder,
    node: &Node,
    read: impl Fn(&Decoder, &Node) -> Vec<T>,
) -> Vec<(String, Vec<T>)> {
    decoder
        .map(node, "map[string][]string")
        .into_iter()
        .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), read(decoder, value))))
        .collect()
}

fn sorted<T>(mut map: Vec<(String, T)>) -> Vec<(String, T)> {
    map.sort_by(|a, b| a.0.cmp(&b.0));
    map
}
