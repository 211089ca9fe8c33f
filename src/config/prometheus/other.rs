//! `storage`, `tracing`, `otlp`, `remote_write` and `remote_read`.

use std::collections::BTreeSet;

use crate::config::http_client;
use crate::config::relabel;
use crate::config::schema::{Record, Value};
use crate::model::ValidationScheme;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Fields, Node};
use crate::time::Span;

use super::sections::{OTLP, REMOTE_READ, REMOTE_WRITE, STORAGE, TRACING};

/// `storage`: what can be changed while running.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// `tsdb.out_of_order_time_window`; default none.
    pub out_of_order_time_window: Span,
    /// `tsdb.retention.time`; the flag holds when absent.
    pub retention_time: Option<Span>,
    /// `tsdb.retention.size` in bytes; the flag holds when absent.
    pub retention_size: Option<u64>,
    /// `tsdb.retention.percentage` of the disk; 0 is no limit.
    pub retention_percentage: f64,
    /// `exemplars.max_exemplars`; default 100000, zero or less keeps none.
    pub max_exemplars: i64,
}

/// Headers that we set ourselves.
const RESERVED_HEADERS: [&str; 16] = [
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

fn check_headers(decoder: &Decoder, record: &Record, on_authorization: &str) {
    for (name, _) in record.text_map("headers") {
        let lower = name.to_lowercase();
        if lower == "authorization" {
            record.fail(decoder, "headers", on_authorization);
        } else if RESERVED_HEADERS.contains(&lower.as_str()) {
            let text = format!("{name} is a reserved header. It must not be changed");
            record.fail(decoder, "headers", text);
        }
    }
}

pub(super) fn read_storage(decoder: &Decoder, node: Option<&Node>) -> Record {
    let Some(node) = node else {
        return Record::default_of(&STORAGE);
    };
    let mut record = Record::read(decoder, node, &STORAGE);
    let Some(tsdb) = record.record_mut("tsdb") else {
        return record;
    };
    let window = tsdb.int("out_of_order_time_window");
    tsdb.set("outofordertimewindow", Value::Int(window));
    if let Some(retention) = tsdb.record("retention") {
        if retention.int("size") < 0 {
            let text = "'storage.tsdb.retention.size' must be greater than or equal to 0";
            retention.fail(decoder, "size", text);
        }
        if !(0.0..=100.0).contains(&retention.float("percentage")) {
            let text = format!(
                "'storage.tsdb.retention.percentage' must be in the range [0, 100], got {}",
                retention.float("percentage")
            );
            retention.fail(decoder, "percentage", text);
        }
    }
    if let Some(encoding) = tsdb.record("chunk_encoding")
        && encoding.was_given("floats")
        && !matches!(encoding.text("floats"), "xor" | "xor2")
    {
        let text = format!(
            "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got {}",
            quote(encoding.text("floats"))
        );
        encoding.fail(decoder, "floats", text);
    }
    record
}

pub(super) fn storage_options(record: &Record) -> Storage {
    let tsdb = record.record("tsdb");
    let retention = tsdb.and_then(|tsdb| tsdb.record("retention"));
    let exemplars = record.record("exemplars");
    Storage {
        out_of_order_time_window: tsdb
            .map(|tsdb| tsdb.duration("out_of_order_time_window"))
            .unwrap_or_default(),
        retention_time: retention
            .filter(|retention| retention.was_given("time"))
            .map(|retention| retention.duration("time")),
        retention_size: retention
            .filter(|retention| retention.was_given("size"))
            .map(|retention| retention.uint("size")),
        retention_percentage: retention.map_or(0.0, |retention| retention.float("percentage")),
        max_exemplars: exemplars.map_or(100_000, |exemplars| exemplars.int("max_exemplars")),
    }
}

/// Reads `tracing`; absent when it is not there.
pub(super) fn read_tracing(decoder: &Decoder, node: Option<&Node>) -> Option<Record> {
    let node = node.filter(|node| !node.is_null())?;
    let before = decoder.count();
    let record = Record::read(decoder, node, &TRACING);
    if decoder.count() != before {
        return Some(record);
    }
    let client = record.text("client_type");
    if !matches!(client, "http" | "grpc") {
        let text =
            format!("expected tracing client type to be to be http or grpc, but got {client}");
        record.fail(decoder, "client_type", text);
    }
    let text = "custom authorization header configuration is not yet supported";
    check_headers(decoder, &record, text);
    if record.text("endpoint").is_empty() {
        record.fail(decoder, "endpoint", "tracing endpoint must be set");
    }
    let compression = record.text("compression");
    if !matches!(compression, "" | "gzip") {
        let text = format!("invalid compression type {compression} provided, valid options: gzip");
        record.fail(decoder, "compression", text);
    }
    if let Some(tls) = record.record("tls_config") {
        http_client::check_tls(decoder, tls);
    }
    Some(record)
}

pub(super) fn read_otlp(
    decoder: &Decoder,
    node: Option<&Node>,
    validation: ValidationScheme,
) -> Record {
    let Some(node) = node else {
        return Record::default_of(&OTLP);
    };
    let mut record = Record::read(decoder, node, &OTLP);
    let promoted = record.texts("promote_resource_attributes").to_vec();
    let ignored = record.texts("ignore_resource_attributes").to_vec();
    if record.bool("promote_all_resource_attributes") {
        if !promoted.is_empty() {
            let text = "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously";
            record.fail(decoder, "promote_resource_attributes", text);
        }
        clean_attributes(
            decoder,
            &mut record,
            "ignore_resource_attributes",
            "ignored",
        );
    } else {
        if !ignored.is_empty() {
            let text = "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true";
            record.fail(decoder, "ignore_resource_attributes", text);
        }
        clean_attributes(
            decoder,
            &mut record,
            "promote_resource_attributes",
            "promoted",
        );
    }
    let strategy = record.text("translation_strategy");
    match strategy {
        "" | "UnderscoreEscapingWithSuffixes" | "UnderscoreEscapingWithoutSuffixes" => {}
        "NoTranslation" | "NoUTF8EscapingWithSuffixes" => {
            if validation == ValidationScheme::Legacy {
                let text = format!(
                    "OTLP translation strategy {} is not allowed when UTF8 is disabled",
                    quote(strategy)
                );
                record.fail(decoder, "translation_strategy", text);
            }
        }
        other => {
            let text = format!("unsupported OTLP translation strategy {}", quote(other));
            record.fail(decoder, "translation_strategy", text);
        }
    }
    record
}

fn clean_attributes(decoder: &Decoder, record: &mut Record, field: &str, adjective: &str) {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut cleaned = Vec::new();
    for attribute in record.texts(field) {
        let attribute = attribute.trim();
        if attribute.is_empty() {
            wrong.push(format!("empty {adjective} OTel resource attribute"));
        } else if !seen.insert(attribute) {
            let shown = quote(attribute);
            wrong.push(format!(
                "duplicated {adjective} OTel resource attribute {shown}"
            ));
        }
        cleaned.push(attribute.to_owned());
    }
    if !wrong.is_empty() {
        let text = format!("invalid '{field}': {}", wrong.join("\n"));
        record.fail(decoder, field, text);
    }
    record.set(field, Value::Texts(cleaned));
}

/// Checks a `sigv4` section if there is one.
pub(super) fn check_sigv4(decoder: &Decoder, record: &Record) {
    if let Some(sigv4) = record.record("sigv4")
        && sigv4.text("access_key").is_empty() != sigv4.text("secret_key").is_empty()
    {
        let text = "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config";
        decoder.fail(sigv4.span, text);
    }
}

const ON_AUTHORIZATION: &str = "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter";

pub(super) fn read_remote_write(
    fields: &mut Fields<'_, '_>,
    validation: ValidationScheme,
) -> Vec<Record> {
    let decoder = fields.decoder();
    let mut names = BTreeSet::new();
    let mut records = Vec::new();
    for node in fields.sequence("remote_write", "[]*config.RemoteWriteConfig") {
        if node.is_null() {
            decoder.fail(node.span, "empty or null remote write config section");
            continue;
        }
        let before = decoder.count();
        let mut record = Record::read(decoder, node, &REMOTE_WRITE);
        if !record.was_given("enable_http2") {
            // compat: remote write alone does not ask for HTTP/2.
            record.set("enable_http2", Value::Bool(false));
        }
        if decoder.count() == before {
            check_remote_write(decoder, &mut record, validation);
        }
        let name = record.text("name").to_owned();
        if !name.is_empty() && !names.insert(name.clone()) {
            let text = format!(
                "found multiple remote write configs with job name {}",
                quote(&name)
            );
            record.fail(decoder, "name", text);
        }
        records.push(record);
    }
    records
}

fn check_remote_write(decoder: &Decoder, record: &mut Record, validation: ValidationScheme) {
    if record.text("url").is_empty() {
        record.fail(decoder, "url", "url for remote_write is empty");
    }
    check_headers(decoder, record, ON_AUTHORIZATION);
    let message = record.text("protobuf_message");
    if !matches!(
        message,
        "prometheus.WriteRequest" | "io.prometheus.write.v2.Request"
    ) {
        let text = format!(
            "invalid protobuf_message value: unknown type for remote write protobuf message {message}, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
        );
        record.fail(decoder, "protobuf_message", text);
    }
    http_client::check(decoder, record);
    check_sigv4(decoder, record);
    let configured: Vec<&str> = [
        "basic_auth",
        "authorization",
        "oauth2",
        "sigv4",
        "azuread",
        "google_iam",
    ]
    .into_iter()
    .filter(|field| record.record(field).is_some())
    .collect();
    if configured.len() > 1 {
        let text = format!(
            "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [{}]",
            configured.join(" ")
        );
        decoder.fail(record.span, text);
    }
    let message = "empty or null relabeling rule in remote write config";
    relabel::rules(
        decoder,
        record,
        "write_relabel_configs",
        message,
        validation,
    );
}

pub(super) fn read_remote_read(fields: &mut Fields<'_, '_>) -> Vec<Record> {
    let decoder = fields.decoder();
    let mut names = BTreeSet::new();
    let mut records = Vec::new();
    for node in fields.sequence("remote_read", "[]*config.RemoteReadConfig") {
        if node.is_null() {
            decoder.fail(node.span, "empty or null remote read config section");
            continue;
        }
        let before = decoder.count();
        let mut record = Record::read(decoder, node, &REMOTE_READ);
        if decoder.count() == before {
            if record.text("url").is_empty() {
                record.fail(decoder, "url", "url for remote_read is empty");
            }
            check_headers(decoder, &record, ON_AUTHORIZATION);
            http_client::check(decoder, &mut record);
        }
        let name = record.text("name").to_owned();
        if !name.is_empty() && !names.insert(name.clone()) {
            let text = format!(
                "found multiple remote read configs with job name {}",
                quote(&name)
            );
            record.fail(decoder, "name", text);
        }
        records.push(record);
    }
    records
}
