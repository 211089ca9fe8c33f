//! The configuration as it may be shown: without comments, every secret replaced.

use std::collections::HashSet;

use crate::text::yaml::{Kind, Node, Span, Style};

/// Fields of HTTP clients and TLS that hold secrets, wherever they stand in such a section.
const SECRET_FIELDS: [&str; 6] = [
    "password",
    "credentials",
    "client_secret",
    "client_certificate_key",
    "bearer_token",
    "key",
];

/// Collects the places of the secrets in a section about HTTP or TLS.
pub(super) fn http_secrets(node: &Node, secrets: &mut Vec<Span>) {
    match &node.kind {
        Kind::Sequence(items) => {
            for item in items {
                http_secrets(item, secrets);
            }
        }
        Kind::Mapping(entries) => {
            for entry in entries {
                match entry.key.as_str() {
                    Some("secrets" | "proxy_connect_header") => all_scalars(&entry.value, secrets),
                    Some(name) if SECRET_FIELDS.contains(&name) => {
                        all_scalars(&entry.value, secrets);
                    }
                    Some("proxy_url") if entry.value.as_str().is_some_and(|u| u.contains('@')) => {
                        secrets.push(entry.value.span);
                    }
                    _ => http_secrets(&entry.value, secrets),
                }
            }
        }
        Kind::Scalar { .. } => {}
    }
}

fn all_scalars(node: &Node, secrets: &mut Vec<Span>) {
    match &node.kind {
        Kind::Scalar { .. } => secrets.push(node.span),
        Kind::Sequence(items) => items.iter().for_each(|item| all_scalars(item, secrets)),
        Kind::Mapping(entries) => {
            for entry in entries {
                all_scalars(&entry.value, secrets);
            }
        }
    }
}

/// Writes the tree as YAML with `<secret>` in place of the secrets.
pub(super) fn print(root: &Node, secrets: &[Span]) -> String {
    let hidden: HashSet<usize> = secrets.iter().map(|span| span.start.offset).collect();
    let mut out = String::new();
    if !root.is_null() {
        Printer {
            hidden,
            out: &mut out,
        }
        .block(root, 0);
    }
    out
}

struct Printer<'a> {
    hidden: HashSet<usize>,
    out: &'a mut String,
}

impl Printer<'_> {
    /// Writes a collection at an indentation, or a scalar on a line of its own.
    fn block(&mut self, node: &Node, indent: usize) {
        match &node.kind {
            Kind::Mapping(entries) => {
                for entry in entries {
                    self.pad(indent);
                    self.entry(&entry.key, &entry.value, indent);
                }
            }
            Kind::Sequence(items) => {
                for item in items {
                    self.pad(indent);
                    self.out.push_str("- ");
                    match &item.kind {
                        Kind::Mapping(entries) if !entries.is_empty() => {
                            for (i, entry) in entries.iter().enumerate() {
                                if i > 0 {
                                    self.pad(indent + 2);
                                }
                                self.entry(&entry.key, &entry.value, indent + 2);
                            }
                        }
                        Kind::Sequence(inner) if !inner.is_empty() => {
                            self.out.push('\n');
                            self.block(item, indent + 2);
                        }
                        _ => self.line(item),
                    }
                }
            }
            Kind::Scalar { .. } => self.line(node),
        }
    }

    fn entry(&mut self, key: &Node, value: &Node, indent: usize) {
        self.scalar(key);
        self.out.push(':');
        let nested = match &value.kind {
            Kind::Mapping(entries) => !entries.is_empty(),
            Kind::Sequence(items) => !items.is_empty(),
            Kind::Scalar { .. } => false,
        };
        if nested {
            self.out.push('\n');
            self.block(value, indent + 2);
        } else {
            self.out.push(' ');
            self.line(value);
        }
    }

    fn line(&mut self, node: &Node) {
        self.scalar(node);
        self.out.push('\n');
    }

    fn scalar(&mut self, node: &Node) {
        match &node.kind {
            Kind::Mapping(_) => self.out.push_str("{}"),
            Kind::Sequence(_) => self.out.push_str("[]"),
            Kind::Scalar { text, .. }
                if !text.is_empty() && self.hidden.contains(&node.span.start.offset) =>
            {
                self.out.push_str("<secret>");
            }
            Kind::Scalar { text, style } => {
                if *style == Style::Plain && !text.contains('\n') {
                    self.out.push_str(text);
                } else {
                    // A JSON string is a double-quoted YAML scalar.
                    self.out
                        .push_str(&serde_json::Value::from(&**text).to_string());
                }
            }
        }
    }

    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }
}
