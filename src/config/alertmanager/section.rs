//! Sections read by their schema: values by field name, absent ones absent.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::schema::{Schema, Type};
use crate::config::http_client;
use crate::config::schema::{Out, Record};
use crate::model::Secret;
use crate::model::http_client::{ClientOptions, TlsOptions};
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Fields, Kind, Node, Resolved, Span};

/// A value as the file gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A text or an address.
    Text(String),
    /// A text or an address that must not be shown.
    Secret(Secret),
    /// A whole number.
    Int(i64),
    /// A length of time in nanoseconds.
    Nanoseconds(i64),
    /// Texts.
    Texts(Vec<String>),
    /// Texts by name, in order.
    Map(Vec<(String, String)>),
    /// Anything.
    Any(Json),
    /// Options of an HTTP client.
    Http(Box<ClientOptions>),
    /// Options of TLS.
    Tls(Box<TlsOptions>),
    /// A section inside.
    Section(Section),
    /// Sections inside.
    Sections(Vec<Section>),
}

/// The fields that a section gives. A field that is there but null or empty is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    values: BTreeMap<&'static str, Value>,
    /// How options of HTTP clients and TLS are shown.
    shown: BTreeMap<&'static str, Vec<(String, Out)>>,
    /// Where it stands.
    pub span: Span,
    /// Whether it was null: upstream takes that for a missing one.
    pub is_null: bool,
}

impl Section {
    /// A field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Hands each secret that is given in place to `tell`, those of HTTP clients among them.
    pub fn secrets(&self, tell: &mut dyn FnMut(&str)) {
        for value in self.values.values() {
            match value {
                Value::Secret(secret) => tell(secret.expose()),
                Value::Http(options) => options.secrets(tell),
                Value::Tls(options) => options.secrets(tell),
                Value::Section(section) => section.secrets(tell),
                Value::Sections(sections) => {
                    for section in sections {
                        section.secrets(tell);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether a field is there.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A text, if the field is there and holds one; secrets are not shown this way.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A secret, if the field is there and is not empty.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        match self.values.get(name) {
            Some(Value::Secret(secret)) if !secret.is_empty() => Some(secret),
            _ => None,
        }
    }

    /// Yes or no, if the field is there.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A whole number, if the field is there.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// A length of time in nanoseconds, if the field is there.
    pub fn nanoseconds(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some(Value::Nanoseconds(ns)) => Some(*ns),
            _ => None,
        }
    }

    /// Texts by name; none when absent.
    pub fn map(&self, name: &str) -> &[(String, String)] {
        match self.values.get(name) {
            Some(Value::Map(pairs)) => pairs,
            _ => &[],
        }
    }

    /// Texts; none when absent.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Anything, if the field is there.
    pub fn any(&self, name: &str) -> Option<&Json> {
        match self.values.get(name) {
            Some(Value::Any(value)) => Some(value),
            _ => None,
        }
    }

    /// Options of an HTTP client, if the field is there.
    pub fn http(&self, name: &str) -> Option<&ClientOptions> {
        match self.values.get(name) {
            Some(Value::Http(options)) => Some(options),
            _ => None,
        }
    }

    /// Options of TLS, if the field is there.
    pub fn tls(&self, name: &str) -> Option<&TlsOptions> {
        match self.values.get(name) {
            Some(Value::Tls(options)) => Some(options),
            _ => None,
        }
    }

    /// A section inside.
    pub fn section(&self, name: &str) -> Option<&Self> {
        match self.values.get(name) {
            Some(Value::Section(section)) => Some(section),
            _ => None,
        }
    }

    /// Sections inside; none when absent.
    pub fn sections(&self, name: &str) -> &[Self] {
        match self.values.get(name) {
            Some(Value::Sections(sections)) => sections,
            _ => &[],
        }
    }

    /// How a field with options of an HTTP client or of TLS is shown.
    pub(super) fn shown(&self, name: &str) -> Option<&[(String, Out)]> {
        self.shown.get(name).map(Vec::as_slice)
    }

    /// Whether a field is there and says something: upstream's test against the empty value.
    pub fn is_given(&self, name: &str) -> bool {
        match self.values.get(name) {
            None => false,
            Some(Value::Text(text)) => !text.is_empty(),
            Some(Value::Secret(secret)) => !secret.is_empty(),
            Some(_) => true,
        }
    }

    /// Takes a field over from the global section unless the section gives it.
    pub(super) fn inherit(&mut self, name: &'static str, global: &Self, global_name: &str) {
        if !self.is_given(name)
            && let Some(value) = global.values.get(global_name)
        {
            self.values.insert(name, value.clone());
            if let Some(shown) = global.shown.get(global_name) {
                self.shown.insert(name, shown.clone());
            }
        }
    }

    /// Sets options of an HTTP client unless the section has some.
    pub(super) fn default_http(&mut self, name: &'static str) {
        if !self.has(name) {
            let record = Record::default_of(&http_client::HTTP_CLIENT);
            let options = Box::new(http_client::options(&record));
            self.values.insert(name, Value::Http(options));
            self.shown.insert(name, record.to_out());
        }
    }

    /// Sets options of TLS unless the section has some.
    pub(super) fn default_tls(&mut self, name: &'static str) {
        if !self.has(name) {
            let record = Record::default_of(&http_client::TLS);
            let options = Box::new(http_client::tls_options(&record));
            self.values.insert(name, Value::Tls(options));
            self.shown.insert(name, record.to_out());
        }
    }

    /// Sets a field unless it says something.
    pub(super) fn default_text(&mut self, name: &'static str, default: &str) {
        if !self.is_given(name) {
            self.values.insert(name, Value::Text(default.to_owned()));
        }
    }

    /// Replaces a field.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        self.values.insert(name, value);
    }
}

/// What reading a file needs beside the decoder.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    /// Where relative paths begin.
    pub(super) folder: &'a str,
    /// How the options just read are shown.
    pub(super) shown: Option<Vec<(String, Out)>>,
}

/// Reads a section; mistakes are reported to the decoder, secrets' places to the context.
pub(super) fn read(
    decoder: &Decoder,
    node: &Node,
    schema: &'static Schema,
    context: &mut Context<'_>,
) -> Section {
    let mut section = Section {
        values: BTreeMap::new(),
        shown: BTreeMap::new(),
        span: node.span,
        is_null: node.is_null(),
    };
    let mut fields: Fields<'_, '_> = decoder.fields(node, schema.type_name);
    for (name, kind) in schema.fields {
        if let Some(node) = fields.node(name)
            && let Some(value) = value(decoder, node, *kind, context)
        {
            section.values.insert(name, value);
            if let Some(shown) = context.shown.take() {
                section.shown.insert(name, shown);
            }
        }
    }
    fields.finish();
    section
}

fn value(decoder: &Decoder, node: &Node, kind: Type, context: &mut Context<'_>) -> Option<Value> {
    // A pointer that is null is not there.
    let absent = matches!(
        kind,
        Type::Url | Type::SecretUrl | Type::Http | Type::Tls | Type::Section(_)
    );
    if absent && node.is_null() {
        return None;
    }
    Some(match kind {
        Type::Bool => Value::Bool(decoder.bool(node)?),
        Type::Text => Value::Text(decoder.string(node)?),
        Type::Secret => Value::Secret(Secret::new(decoder.string(node)?)),
        Type::Url => Value::Text(url(decoder, node)?),
        Type::SecretUrl | Type::TemplateUrl => {
            let text = decoder.string(node)?;
            let template = matches!(kind, Type::TemplateUrl);
            let free = text == "<secret>" || (template && (text.is_empty() || text.contains("{{")));
            if !free && let Err(why) = check_url(&text) {
                // The address is the secret.
                let why = why.replace(&quote(&text), "\"<secret>\"");
                let why = if template {
                    format!("invalid URL: {why}")
                } else {
                    why
                };
                decoder.fail(node.span, why);
                return None;
            }
            Value::Secret(Secret::new(text))
        }
        Type::Int => Value::Int(decoder.int(node)?),
        Type::Uint => Value::Int(i64::try_from(decoder.uint(node, "uint64")?).unwrap_or(i64::MAX)),
        Type::Span => Value::Nanoseconds(decoder.duration_ms(node)?.saturating_mul(1_000_000)),
        Type::GoSpan => Value::Nanoseconds(go_span(decoder, node)?),
        Type::HostPort => Value::Text(host_port(decoder, node)?),
        Type::Texts => Value::Texts(decoder.strings(node)),
        Type::Map => Value::Map(decoder.string_map(node)),
        Type::AnyMap => Value::Any(Json::Object(decoder.json_map(node))),
        Type::Any => Value::Any(decoder.json(node)),
        Type::Http => {
            let mut record = Record::read(decoder, node, &http_client::HTTP_CLIENT);
            http_client::check(decoder, &mut record);
            record.set_directory(context.folder);
            context.shown = Some(record.to_out());
            Value::Http(Box::new(http_client::options(&record)))
        }
        Type::Tls => {
            let mut record = Record::read(decoder, node, &http_client::TLS);
            http_client::check_tls(decoder, &record);
            record.set_directory(context.folder);
            context.shown = Some(record.to_out());
            Value::Tls(Box::new(http_client::tls_options(&record)))
        }
        Type::Section(schema) => Value::Section(read(decoder, node, schema, context)),
        Type::Sections(schema) => Value::Sections(
            decoder
                .sequence(node, schema.type_name)
                .iter()
                .map(|item| read(decoder, item, schema, context))
                .collect(),
        ),
        Type::TextOr(field, schema) => Value::Section(match &node.kind {
            Kind::Scalar { .. } => short_form(node, field, Value::Text(decoder.string(node)?)),
            _ => read(decoder, node, schema, context),
        }),
        Type::TextsOr(field, schema) => Value::Section(match &node.kind {
            Kind::Mapping(_) => read(decoder, node, schema, context),
            _ => short_form(node, field, Value::Texts(decoder.strings(node))),
        }),
    })
}

fn short_form(node: &Node, field: &'static str, value: Value) -> Section {
    Section {
        values: BTreeMap::from([(field, value)]),
        shown: BTreeMap::new(),
        span: node.span,
        is_null: false,
    }
}

fn url(decoder: &Decoder, node: &Node) -> Option<String> {
    let text = decoder.string(node)?;
    match check_url(&text) {
        Ok(()) => Some(text),
        Err(why) => {
            decoder.fail(node.span, why);
            None
        }
    }
}

/// compat: http and https addresses with a host.
pub(super) fn check_url(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err(format!(
            "parse {}: net/url: invalid control character in URL",
            quote(text)
        ));
    }
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
        {
            (scheme.to_ascii_lowercase(), rest)
        }
        Some(("", _)) => return Err(format!("parse {}: missing protocol scheme", quote(text))),
        _ => (String::new(), text),
    };
    if scheme != "http" && scheme != "https" {
        return Err(format!("unsupported scheme {} for URL", quote(&scheme)));
    }
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let host = authority.get(..end).unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.is_empty() {
        return Err("missing host for URL".to_owned());
    }
    if host.contains(' ') {
        return Err(format!(
            "parse {}: invalid character \" \" in host name",
            quote(text)
        ));
    }
    Ok(())
}

fn host_port(decoder: &Decoder, node: &Node) -> Option<String> {
    let text = decoder.string(node)?;
    if text.is_empty() {
        return Some(text);
    }
    let refuse = |why: &str| {
        decoder.fail(node.span, format!("address {text}: {why}"));
    };
    let Some((host, port)) = text.rsplit_once(':') else {
        refuse("missing port in address");
        return None;
    };
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        refuse("too many colons in address");
        return None;
    }
    if port.is_empty() {
        decoder.fail(
            node.span,
            format!("address {}: port cannot be empty", quote(&text)),
        );
        return None;
    }
    Some(text)
}

fn go_span(decoder: &Decoder, node: &Node) -> Option<i64> {
    if node.is_null() {
        return Some(0);
    }
    if let Some(Resolved::Int(ns)) = node.resolve(decoder.dialect()) {
        return Some(ns);
    }
    let parsed = node.as_str().and_then(parse_go_span);
    if parsed.is_none() {
        decoder.wrong_type(node, "time.Duration");
    }
    parsed
}

/// Reads Go's notation of durations (`1h30m`, `1.5s`, `-3ms`) into nanoseconds.
pub fn parse_go_span(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: f64 = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * factor;
        rest = tail;
    }
    let total = if negative { -total } else { total };
    (total.abs() < 9.2e18).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_as_upstream_does() {
        for good in [
            "http://a",
            "HTTPS://a:1/x?y",
            "http://u:p@h/",
            "http://[::1]:80/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        let why = |text| check_url(text).expect_err("refused");
        assert_eq!(why("ftp://a"), "unsupported scheme \"ftp\" for URL");
        assert_eq!(why("foo"), "unsupported scheme \"\" for URL");
        assert_eq!(why("http://"), "missing host for URL");
        assert_eq!(why("http:/x"), "missing host for URL");
    }

    #[test]
    fn go_spans_read() {
        assert_eq!(parse_go_span("1h1.5s"), Some(3_601_500_000_000));
        assert_eq!(parse_go_span("-3ms"), Some(-3_000_000));
        assert_eq!(parse_go_span("1d"), None);
        assert_eq!(parse_go_span("5"), None);
    }
}
