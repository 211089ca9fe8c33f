use std::cell::RefCell;

use serde_json::Value as Json;

use crate::text::duration;

use super::fields::Fields;
use super::keys::Keys;
use super::node::{Kind, Node, Span};
use super::problem::{Problem, ProblemKind};
use super::resolve::Resolved;

/// Whose rules hold for scalars and for the texts of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// go-yaml 2, which reads `prometheus.yml` and `alertmanager.yml`: YAML 1.1 booleans.
    V2,
    /// go-yaml 3, which reads rule files.
    V3,
}

/// Turns nodes into values and collects what is wrong with them.
///
/// A method that fails has reported it and answers `None` or an empty value, so decoding goes on and
/// finds the rest.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    problems: RefCell<Vec<Problem>>,
    notes: RefCell<Vec<Problem>>,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            problems: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    /// Whose rules hold.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reports a mistake.
    pub fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Reports a mistake about a stretch of text.
    pub fn fail(&self, span: Span, message: impl Into<String>) {
        self.report(Problem::new(span, message));
    }

    /// Takes note of what is no mistake and still worth knowing.
    pub fn note(&self, note: Problem) {
        self.notes.borrow_mut().push(note);
    }

    /// What was noted, in the order of the text.
    pub fn take_notes(&self) -> Vec<Problem> {
        let mut notes = self.notes.take();
        notes.sort_by_key(|note| note.offset);
        notes.dedup();
        notes
    }

    /// How many mistakes were reported: compare before and after to learn whether a part was good.
    pub fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// The mistakes in the order of the text; equal ones (an alias used twice) once.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.offset);
        let mut kept: Vec<Problem> = Vec::with_capacity(problems.len());
        for problem in problems {
            let same_place = kept.iter().rev().take_while(|p| p.offset == problem.offset);
            if !same_place.into_iter().any(|p| *p == problem) {
                kept.push(problem);
            }
        }
        kept
    }

    /// A mapping that stands for a struct. `type_name` is upstream's name of the type, as its
    /// messages show it. Null is a struct without fields.
    pub fn fields<'d, 'n>(&'d self, node: &'n Node, type_name: &'static str) -> Fields<'d, 'n> {
        Fields::new(self, node, type_name)
    }

    /// A mapping with free keys, in order. Keys that are no scalars and keys given twice are reported.
    pub fn map<'n>(&self, node: &'n Node, type_name: &str) -> Vec<(&'n Node, &'n Node)> {
        if node.is_null() {
            return Vec::new();
        }
        let Kind::Mapping(entries) = &node.kind else {
            self.wrong_type(node, type_name);
            return Vec::new();
        };
        let mut keys = Keys::new(entries);
        let mut out = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let Some(key) = entry.key.as_str() else {
                self.wrong_type(&entry.key, "string");
                continue;
            };
            if let Some(first) = keys.earlier(at, key) {
                let message = match self.dialect {
                    Dialect::V2 => format!("key \"{key}\" already set in map"),
                    Dialect::V3 => already_defined(key, first),
                };
                let problem =
                    Problem::new(entry.key.span, message).with_hint("keep one of the two");
                self.report(problem.of_kind(ProblemKind::DuplicateKey));
                continue;
            }
            out.push((&entry.key, &entry.value));
        }
        out
    }

    /// A mapping from text to text.
    pub fn string_map(&self, node: &Node) -> Vec<(String, String)> {
        self.map(node, "map[string]string")
            .into_iter()
            .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), self.string(value)?)))
            .collect()
    }

    /// A value of any shape. YAML's depth is bounded, so is the recursion.
    pub fn json(&self, node: &Node) -> Json {
        match &node.kind {
            Kind::Sequence(items) => items.iter().map(|item| self.json(item)).collect(),
            Kind::Mapping(_) => Json::Object(self.json_map(node)),
            Kind::Scalar { text, .. } => match node.resolve(self.dialect) {
                Some(Resolved::Null) => Json::Null,
                Some(Resolved::Bool(flag)) => flag.into(),
                Some(Resolved::Int(number)) => number.into(),
                Some(Resolved::Uint(number)) => number.into(),
                Some(Resolved::Float(number)) => number.into(),
                Some(Resolved::Text) | None => text.to_string().into(),
            },
        }
    }

    /// A mapping from text to values of any shape.
    pub fn json_map(&self, node: &Node) -> serde_json::Map<String, Json> {
        self.map(node, "map[string]interface {}")
            .into_iter()
            .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), self.json(value))))
            .collect()
    }

    /// The items of a list; null is the empty list.
    pub fn sequence<'n>(&self, node: &'n Node, type_name: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(items) => items,
            _ if node.is_null() => &[],
            _ => {
                self.wrong_type(node, type_name);
                &[]
            }
        }
    }

    /// A list of texts.
    pub fn strings(&self, node: &Node) -> Vec<String> {
        self.sequence(node, "[]string")
            .iter()
            .filter_map(|item| self.string(item))
            .collect()
    }

    /// A text. Any scalar will do, as it was written; null is the empty text.
    pub fn string(&self, node: &Node) -> Option<String> {
        let Some(text) = node.as_str() else {
            self.wrong_type(node, "string");
            return None;
        };
        if node.is_null() {
            return Some(String::new());
        }
        if let Some(bytes) = node.binary() {
            let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if decoded.is_none() {
                self.fail(node.span, "!!binary value contains invalid base64 data");
            }
            return decoded;
        }
        Some(text.to_owned())
    }

    /// A boolean; null is false.
    pub fn bool(&self, node: &Node) -> Option<bool> {
        match node.resolve(self.dialect) {
            Some(Resolved::Bool(value)) => return Some(value),
            Some(Resolved::Null) => return Some(false),
            // compat: go-yaml 3 takes these for a bool when a bool is wanted, quoted or not.
            Some(Resolved::Text) if self.dialect == Dialect::V3 => match node.as_str() {
                Some("y" | "Y" | "yes" | "on") => return Some(true),
                Some("n" | "N" | "no" | "off") => return Some(false),
                _ => {}
            },
            _ => {}
        }
        self.wrong_type(node, "bool");
        None
    }

    /// A whole number; floats lose their fraction, null is zero.
    pub fn int(&self, node: &Node) -> Option<i64> {
        match node.resolve(self.dialect) {
            Some(Resolved::Int(value)) => return Some(value),
            Some(Resolved::Null) => return Some(0),
            // compat: go-yaml lets a float through that fits.
            Some(Resolved::Float(value)) if value.abs() <= 9.2e18 => return Some(value as i64),
            _ => {}
        }
        self.wrong_type(node, "int");
        None
    }

    /// A whole number that is not negative; floats lose their fraction, null is zero.
    pub fn uint(&self, node: &Node, type_name: &str) -> Option<u64> {
        match node.resolve(self.dialect) {
            Some(Resolved::Int(value)) if value >= 0 => return Some(value as u64),
            Some(Resolved::Uint(value)) => return Some(value),
            Some(Resolved::Null) => return Some(0),
            Some(Resolved::Float(value)) if (0.0..=1.8e19).contains(&value) => {
                return Some(value as u64);
            }
            _ => {}
        }
        self.wrong_type(node, type_name);
        None
    }

    /// A float; whole numbers will do, null is zero.
    pub fn float(&self, node: &Node) -> Option<f64> {
        match node.resolve(self.dialect) {
            Some(Resolved::Float(value)) => return Some(value),
            Some(Resolved::Int(value)) => return Some(value as f64),
            Some(Resolved::Uint(value)) => return Some(value as f64),
            Some(Resolved::Null) => return Some(0.0),
            _ => {}
        }
        self.wrong_type(node, "float64");
        None
    }

    /// A Prometheus duration in milliseconds; null is zero.
    pub fn duration_ms(&self, node: &Node) -> Option<i64> {
        if node.is_null() {
            return Some(0);
        }
        let text = self.string(node)?;
        match duration::parse_ms(&text) {
            Ok(ms) => Some(ms),
            Err(error) => {
                let problem = Problem::new(node.span, error.to_string());
                self.report(problem.with_hint("write a duration such as `15s`, `5m` or `1h30m`"));
                None
            }
        }
    }

    /// Reports that a node is not what is wanted, in go-yaml's words.
    pub fn wrong_type(&self, node: &Node, wanted: &str) {
        let what = match &node.kind {
            Kind::Sequence(_) => "!!seq".to_owned(),
            Kind::Mapping(_) => "!!map".to_owned(),
            Kind::Scalar { text, .. } => {
                let resolved = node.resolve(self.dialect);
                let tag = resolved.as_ref().map_or("!!str", Resolved::tag);
                let tag = node.tag.as_deref().unwrap_or(tag);
                if text.len() > 10 {
                    let cut = text.floor_char_boundary(7);
                    format!("{tag} `{}...`", &text[..cut])
                } else {
                    format!("{tag} `{text}`")
                }
            }
        };
        let message = format!("cannot unmarshal {what} into {wanted}");
        self.report(Problem::new(node.span, message).of_kind(ProblemKind::WrongType));
    }
}

pub(super) fn already_defined(key: &str, first: &Node) -> String {
    let line = first.span.start.line;
    format!("mapping key \"{key}\" already defined at line {line}")
}
