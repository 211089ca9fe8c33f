//! JSON bodies as Go's encoder writes them: fields in the order of the struct, empty ones left out where
//! upstream leaves them out, a line feed at the end.

use serde_json::{Map, Number, Value as Json};

use super::context::Render;
use super::exchange::{Error, HttpRequest, Outgoing};
use crate::template::write_json_string;
use crate::text::yaml::{Dialect, Kind, Node, Resolved, parse_first};

/// How deep a payload may be nested.
const DEPTH_MAX: usize = 64;
/// How many values a payload may hold.
const VALUES_MAX: usize = 100_000;

/// An object under construction.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Json>);

impl Object {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub(super) fn put(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a field unless it is empty, off or a list without elements: Go's `omitempty`.
    pub(super) fn put_some(self, name: &str, value: impl Into<Json>) -> Self {
        let value = value.into();
        let empty = match &value {
            Json::Null | Json::Bool(false) => true,
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            Json::Object(entries) => entries.is_empty(),
            _ => false,
        };
        if empty { self } else { self.put(name, value) }
    }

    pub(super) fn build(self) -> Json {
        Json::Object(self.0)
    }
}

/// An object with its keys sorted, as Go writes maps.
pub(super) fn sorted(pairs: impl IntoIterator<Item = (String, Json)>) -> Json {
    let pairs: std::collections::BTreeMap<String, Json> = pairs.into_iter().collect();
    Json::Object(pairs.into_iter().collect())
}

/// The text of a value as `json.Encoder` writes it.
pub(super) fn encode(value: &Json) -> Vec<u8> {
    let mut out = String::new();
    write(&mut out, value);
    out.push('\n');
    out.into_bytes()
}

fn write(out: &mut String, value: &Json) {
    match value {
        Json::String(text) => write_json_string(out, text),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write(out, item);
            }
            out.push('}');
        }
        Json::Number(n) if n.is_f64() => {
            out.push_str(&go_float(n.as_f64().unwrap_or_default()));
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A float as Go's encoder writes it.
fn go_float(v: f64) -> String {
    if v != 0.0 && !(1e-6..1e21).contains(&v.abs()) {
        return crate::text::gofmt::float_e(v).replace("e-0", "e-");
    }
    crate::text::gofmt::shortest(v)
}

/// A JSON request.
pub(super) fn request(method: &'static str, url: String, body: &Json) -> HttpRequest {
    HttpRequest {
        method,
        url,
        headers: vec![
            ("User-Agent".to_owned(), USER_AGENT.to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ],
        body: encode(body),
    }
}

/// A JSON request by POST.
pub(super) fn post(url: String, body: &Json) -> Outgoing {
    Outgoing::Http(request("POST", url, body))
}

/// How we name ourselves to receivers.
///
/// compat: as upstream does; some receivers look at it.
pub const USER_AGENT: &str = "Alertmanager/0.34.0";

/// Upstream's `DeepCopyWithTemplate`: expands every text in a value, and takes what comes out for YAML
/// when it is anything but a text.
pub(super) fn expand_deep(render: &Render<'_>, value: &Json) -> Result<Json, Error> {
    let mut budget = VALUES_MAX;
    deep(render, value, 0, &mut budget)
}

fn deep(
    render: &Render<'_>,
    value: &Json,
    depth: usize,
    budget: &mut usize,
) -> Result<Json, Error> {
    *budget = budget
        .checked_sub(1)
        .ok_or_else(|| Error::fatal("the payload holds too many values"))?;
    if depth > DEPTH_MAX {
        return Err(Error::fatal("the payload is nested too deep"));
    }
    match value {
        Json::String(template) => {
            let text = render.text(template)?;
            match inline(&text) {
                Some(value @ (Json::Array(_) | Json::Object(_))) => {
                    deep(render, &value, depth + 1, budget)
                }
                Some(value) => Ok(value),
                None => Ok(Json::String(text)),
            }
        }
        Json::Array(items) => {
            let items: Result<Vec<Json>, Error> = items
                .iter()
                .map(|item| deep(render, item, depth + 1, budget))
                .collect();
            items.map(Json::Array)
        }
        Json::Object(entries) => {
            let mut out = Vec::with_capacity(entries.len());
            for (key, item) in entries {
                out.push((render.text(key)?, deep(render, item, depth + 1, budget)?));
            }
            Ok(sorted(out))
        }
        other => Ok(other.clone()),
    }
}

/// What a text is as YAML, unless it is a text.
fn inline(text: &str) -> Option<Json> {
    let document = parse_first(text).ok()?;
    if let Kind::Scalar { .. } = document.root.kind {
        return match document.root.resolve(Dialect::V2)? {
            Resolved::Text => None,
            resolved => Some(scalar(&document.root, &resolved)),
        };
    }
    Some(node_to_json(&document.root, 0))
}

fn scalar(node: &Node, resolved: &Resolved) -> Json {
    match resolved {
        Resolved::Null => Json::Null,
        Resolved::Bool(v) => Json::Bool(*v),
        Resolved::Int(v) => Json::from(*v),
        Resolved::Uint(v) => Json::from(*v),
        Resolved::Float(v) => Number::from_f64(*v).map_or(Json::Null, Json::Number),
        Resolved::Text => Json::String(node.as_str().unwrap_or_default().to_owned()),
    }
}

fn node_to_json(node: &Node, depth: usize) -> Json {
    if depth > DEPTH_MAX {
        return Json::Null;
    }
    match &node.kind {
        Kind::Scalar { .. } => node
            .resolve(Dialect::V2)
            .map_or(Json::Null, |resolved| scalar(node, &resolved)),
        Kind::Sequence(items) => Json::Array(
            items
                .iter()
                .map(|item| node_to_json(item, depth + 1))
                .collect(),
        ),
        // compat: keys that are no texts are dropped.
        Kind::Mapping(entries) => Json::Object(
            entries
                .iter()
                .filter(|entry| entry.key.resolve(Dialect::V2) == Some(Resolved::Text))
                .filter_map(|entry| {
                    let key = entry.key.as_str()?.to_owned();
                    Some((key, node_to_json(&entry.value, depth + 1)))
                })
                .collect(),
        ),
    }
}
