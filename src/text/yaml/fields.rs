use crate::text::suggest;

use super::decode::{Decoder, Dialect, already_defined};
use super::keys::Keys;
use super::node::{Kind, Node, Span};
use super::problem::{Problem, ProblemKind};

/// A mapping that stands for a struct: fields are asked for by name, and [`Fields::finish`] reports
/// those that nobody asked for.
///
/// Absent fields answer the default that is handed in; a field that is null answers zero, as go-yaml
/// does.
#[derive(Debug)]
pub struct Fields<'d, 'n> {
    decoder: &'d Decoder,
    type_name: &'static str,
    span: Span,
    /// Whether the struct was null or no mapping at all.
    empty: bool,
    entries: Vec<Field<'n>>,
    asked: Vec<&'static str>,
}

#[derive(Debug)]
struct Field<'n> {
    key: &'n Node,
    name: &'n str,
    value: &'n Node,
    taken: bool,
}

impl<'d, 'n> Fields<'d, 'n> {
    pub(super) fn new(decoder: &'d Decoder, node: &'n Node, type_name: &'static str) -> Self {
        let mut fields = Self {
            decoder,
            type_name,
            span: node.span,
            empty: true,
            entries: Vec::new(),
            asked: Vec::new(),
        };
        if node.is_null() {
            return fields;
        }
        let Kind::Mapping(entries) = &node.kind else {
            decoder.wrong_type(node, type_name);
            return fields;
        };
        fields.empty = false;
        let mut keys = Keys::new(entries);
        fields.entries.reserve_exact(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let Some(name) = entry.key.as_str() else {
                decoder.wrong_type(&entry.key, "string");
                continue;
            };
            if let Some(first) = keys.earlier(at, name) {
                let message = match decoder.dialect() {
                    Dialect::V2 => format!("field {name} already set in type {type_name}"),
                    Dialect::V3 => already_defined(name, first),
                };
                let problem =
                    Problem::new(entry.key.span, message).with_hint("keep one of the two");
                decoder.report(problem.of_kind(ProblemKind::DuplicateKey));
                continue;
            }
            fields.entries.push(Field {
                key: &entry.key,
                name,
                value: &entry.value,
                taken: false,
            });
        }
        fields
    }

    /// The decoder that collects the mistakes.
    pub fn decoder(&self) -> &'d Decoder {
        self.decoder
    }

    /// Where the mapping stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether there was no mapping (null, or a wrong type that has been reported).
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// Reports a mistake about the whole mapping.
    pub fn fail(&self, message: impl Into<String>) {
        self.decoder.fail(self.span, message);
    }

    /// Reports a mistake about a field: at its value, or at the mapping when it is absent.
    pub fn fail_at(&self, name: &str, message: impl Into<String>) {
        let span = self.peek(name).map_or(self.span, |node| node.span);
        self.decoder.fail(span, message);
    }

    /// The node of a field.
    pub fn node(&mut self, name: &'static str) -> Option<&'n Node> {
        self.asked.push(name);
        let field = self.entries.iter_mut().find(|field| field.name == name)?;
        field.taken = true;
        Some(field.value)
    }

    /// The node of a field, without counting as asked for.
    pub fn peek(&self, name: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value)
    }

    /// Whether a field is there, null or not.
    pub fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    /// Where a field's key stands; the mapping's place when it is absent.
    pub fn key_span(&self, name: &str) -> Span {
        self.entries
            .iter()
            .find(|field| field.name == name)
            .map_or(self.span, |field| field.key.span)
    }

    /// A text; empty when absent.
    pub fn string(&mut self, name: &'static str) -> String {
        self.optional_string(name).unwrap_or_default()
    }

    /// A text, or `default` when absent.
    pub fn string_or(&mut self, name: &'static str, default: &str) -> String {
        self.optional_string(name)
            .unwrap_or_else(|| default.to_owned())
    }

    /// A text, if given.
    pub fn optional_string(&mut self, name: &'static str) -> Option<String> {
        let decoder = self.decoder;
        self.node(name).and_then(|node| decoder.string(node))
    }

    /// A text that must be there and not be empty; `message` is reported otherwise.
    pub fn required_string(&mut self, name: &'static str, message: &str) -> String {
        let before = self.decoder.count();
        let text = self.string(name);
        if text.is_empty() && self.decoder.count() == before {
            self.fail_at(name, message);
        }
        text
    }

    /// A list of texts; empty when absent.
    pub fn strings(&mut self, name: &'static str) -> Vec<String> {
        let decoder = self.decoder;
        self.node(name)
            .map(|node| decoder.strings(node))
            .unwrap_or_default()
    }

    /// The items of a list; none when absent. `type_name` is upstream's, such as `[]*config.Route`.
    pub fn sequence(&mut self, name: &'static str, type_name: &str) -> &'n [Node] {
        let decoder = self.decoder;
        self.node(name)
            .map(|node| decoder.sequence(node, type_name))
            .unwrap_or_default()
    }

    /// A mapping from text to text; empty when absent.
    pub fn string_map(&mut self, name: &'static str) -> Vec<(String, String)> {
        let decoder = self.decoder;
        self.node(name)
            .map(|node| decoder.string_map(node))
            .unwrap_or_default()
    }

    /// A boolean, or `default`.
    pub fn bool(&mut self, name: &'static str, default: bool) -> bool {
        self.optional_bool(name).unwrap_or(default)
    }

    /// A boolean, if given and not null.
    pub fn optional_bool(&mut self, name: &'static str) -> Option<bool> {
        let decoder = self.decoder;
        self.node(name).and_then(|node| decoder.bool(node))
    }

    /// A whole number, or `default`.
    pub fn int(&mut self, name: &'static str, default: i64) -> i64 {
        let decoder = self.decoder;
        self.node(name)
            .and_then(|node| decoder.int(node))
            .unwrap_or(default)
    }

    /// A whole number that is not negative, or `default`.
    pub fn uint(&mut self, name: &'static str, default: u64) -> u64 {
        let decoder = self.decoder;
        self.node(name)
            .and_then(|node| decoder.uint(node, "uint"))
            .unwrap_or(default)
    }

    /// A float, or `default`.
    pub fn float(&mut self, name: &'static str, default: f64) -> f64 {
        let decoder = self.decoder;
        self.node(name)
            .and_then(|node| decoder.float(node))
            .unwrap_or(default)
    }

    /// A Prometheus duration in milliseconds, or `default`.
    pub fn duration_ms(&mut self, name: &'static str, default: i64) -> i64 {
        self.optional_duration_ms(name).unwrap_or(default)
    }

    /// A Prometheus duration in milliseconds, if given.
    pub fn optional_duration_ms(&mut self, name: &'static str) -> Option<i64> {
        let decoder = self.decoder;
        self.node(name).and_then(|node| decoder.duration_ms(node))
    }

    /// A struct inside: `read` gets its node when the field is there and not null.
    pub fn nested<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'d Decoder, &'n Node) -> T,
    ) -> Option<T> {
        let decoder = self.decoder;
        self.node(name)
            .filter(|node| !node.is_null())
            .map(|node| read(decoder, node))
    }

    /// A list of structs; `read` gets each node, null ones too.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        type_name: &str,
        mut read: impl FnMut(&'d Decoder, &'n Node) -> T,
    ) -> Vec<T> {
        let decoder = self.decoder;
        self.sequence(name, type_name)
            .iter()
            .map(|node| read(decoder, node))
            .collect()
    }

    /// Reports every field that nobody asked for.
    pub fn finish(self) {
        self.finish_with(|_| None);
    }

    /// As [`Fields::finish`]; `hint` may know better than the spelling what an unknown field wants.
    pub fn finish_with(self, hint: impl Fn(&str) -> Option<String>) {
        for field in self.entries.iter().filter(|field| !field.taken) {
            let name = field.name;
            let message = format!("field {name} not found in type {}", self.type_name);
            let mut problem =
                Problem::new(field.key.span, message).of_kind(ProblemKind::UnknownField);
            problem.hint = hint(name).or_else(|| {
                suggest::closest(name, self.asked.iter().copied())
                    .map(|known| format!("did you mean `{known}`?"))
            });
            self.decoder.report(problem);
        }
    }
}
