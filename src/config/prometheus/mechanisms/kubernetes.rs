//! `kubernetes_sd_configs`.

use std::collections::BTreeSet;

use crate::config::http_client::{self, HTTP_CLIENT};
use crate::config::schema::field::{boolean, inline, list, path, structure, text, texts, url};
use crate::config::schema::{Record, Section};
use crate::text::quote::quote;
use crate::text::yaml::Decoder;

static NAMESPACES: Section = Section::new(
    "kubernetes.plain",
    &[boolean("own_namespace").keep(), texts("names").keep()],
);

static SELECTOR: Section = Section::new(
    "kubernetes.SelectorConfig",
    &[text("role"), text("label"), text("field")],
);

static ATTACH_METADATA: Section = Section::new(
    "kubernetes.plain",
    &[boolean("node").keep(), boolean("namespace").keep()],
);

pub(super) static KUBERNETES: Section = Section::new(
    "kubernetes.plain",
    &[
        url("api_server"),
        text("role").keep(),
        path("kubeconfig_file").keep(),
        inline(&HTTP_CLIENT),
        structure("namespaces", &NAMESPACES),
        list("selectors", &SELECTOR),
        structure("attach_metadata", &ATTACH_METADATA),
    ],
);

/// Which selectors each role takes.
const SELECTORS: [(&str, &[&str]); 6] = [
    ("pod", &["pod", "node"]),
    ("service", &["service"]),
    ("endpointslice", &["pod", "service", "endpointslice"]),
    ("endpoints", &["pod", "service", "endpoints"]),
    ("node", &["node"]),
    ("ingress", &["ingress"]),
];

pub(super) fn check(decoder: &Decoder, record: &mut Record) {
    check_role(decoder, record, "role");
    if record.text("role").is_empty() {
        let text = "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)";
        record.fail(decoder, "role", text);
    }
    let default_client = http_client::is_default(record);
    let api_server = !record.text("api_server").is_empty();
    let kubeconfig = !record.text("kubeconfig_file").is_empty();
    if api_server && kubeconfig {
        let text = "cannot use 'kubeconfig_file' and 'api_server' simultaneously";
        record.fail(decoder, "kubeconfig_file", text);
    }
    if kubeconfig && !default_client {
        let text = "cannot use a custom HTTP client configuration together with 'kubeconfig_file'";
        record.fail(decoder, "kubeconfig_file", text);
    }
    if !api_server && !kubeconfig && !default_client {
        let text = "to use custom HTTP client configuration please provide the 'api_server' URL explicitly";
        decoder.fail(record.span, text);
    }
    let own_namespace = record
        .record("namespaces")
        .is_some_and(|namespaces| namespaces.bool("own_namespace"));
    for (clash, with) in [(api_server, "api_server"), (kubeconfig, "kubeconfig_file")] {
        if clash && own_namespace {
            let text = format!("cannot use '{with}' and 'namespaces.own_namespace' simultaneously");
            record.fail(decoder, "namespaces", text);
        }
    }
    check_selectors(decoder, record);
}

fn check_role(decoder: &Decoder, record: &Record, field: &str) {
    let role = record.text(field);
    if !role.is_empty() && !SELECTORS.iter().any(|(known, _)| *known == role) {
        let text = format!("unknown Kubernetes SD role {}", quote(role));
        record.fail(decoder, field, text);
    }
}

fn check_selectors(decoder: &Decoder, record: &Record) {
    let role = record.text("role");
    let allowed = SELECTORS
        .iter()
        .find(|(known, _)| *known == role)
        .map(|(_, allowed)| *allowed);
    let mut seen = BTreeSet::new();
    for selector in record.records("selectors").iter().flatten() {
        check_role(decoder, selector, "role");
        let of = selector.text("role");
        if !seen.insert(of) {
            decoder.fail(selector.span, format!("duplicated selector role: {of}"));
        }
        if let Some(allowed) = allowed
            && !allowed.contains(&of)
        {
            let text = format!("{role} role supports only {} selectors", allowed.join(", "));
            decoder.fail(selector.span, text);
        }
        if let Err(message) = check_field_selector(selector.text("field")) {
            selector.fail(decoder, "field", message);
        }
        if let Err(message) = check_label_selector(selector.text("label")) {
            selector.fail(decoder, "label", message);
        }
    }
}

/// compat: terms `key=value`, `key==value` or `key!=value`, separated by commas; a backslash escapes.
fn check_field_selector(selector: &str) -> Result<(), String> {
    for term in split_terms(selector) {
        if !term.is_empty() && !term.contains('=') {
            return Err(format!(
                "invalid selector: '{selector}'; can't understand '{term}'"
            ));
        }
    }
    Ok(())
}

fn split_terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in selector.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

/// Looks for what can be no requirement at all; the finer grammar of `in (..)` is Kubernetes's.
fn check_label_selector(selector: &str) -> Result<(), String> {
    let mut depth = 0_i32;
    for c in selector.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if !(0..=1).contains(&depth) {
            break;
        }
    }
    if depth != 0 {
        return Err(format!(
            "unable to parse requirement: found '{selector}', expected: balanced parentheses"
        ));
    }
    Ok(())
}
