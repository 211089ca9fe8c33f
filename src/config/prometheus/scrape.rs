use crate::config::http_client;
use crate::config::relabel;
use crate::config::schema::{Out, Record, Value};
use crate::discovery::Options;
use crate::exposition::{EscapingScheme, ScrapeProtocol};
use crate::model::ValidationScheme;
use crate::relabel::Rule;
use crate::scrape::JobOptions;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Node};

use super::discovery::{self, Sources};
use super::global::{
    check_protocol, check_protocols, check_validation_scheme, names_of, validation_of,
};
use super::sections::SCRAPE;

/// One entry of `scrape_configs`: how to scrape, and where the targets come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// How to scrape.
    pub options: JobOptions,
    /// Where targets come from.
    pub discovery: Vec<Options>,
}

/// An entry that was read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) sources: Sources,
    relabel_rules: Vec<Rule>,
    metric_relabel_rules: Vec<Rule>,
}

/// Reads an entry and checks it against `global`, from which it takes its defaults.
pub(super) fn read(decoder: &Decoder, node: &Node, global: &Record) -> Option<Entry> {
    if node.is_null() {
        decoder.fail(node.span, "empty or null scrape config section");
        return None;
    }
    let before = decoder.count();
    let mut fields = decoder.fields(node, SCRAPE.name);
    let mut record = Record::read_fields(&mut fields, &SCRAPE);
    let sources = discovery::read(&mut fields);
    let mut entry = Entry {
        record: record.clone(),
        sources,
        relabel_rules: Vec::new(),
        metric_relabel_rules: Vec::new(),
    };
    if decoder.count() == before {
        if record.text("job_name").is_empty() {
            record.fail(decoder, "job_name", "job_name is empty");
        }
        http_client::check(decoder, &mut record);
        if record.records("relabel_configs").is_empty() {
            entry.sources.check_addresses(decoder, &fields);
        }
        fill_from_global(decoder, &mut record, global);
        let validation = check_names(decoder, &mut record, global);
        let message = "empty or null target relabeling rule in scrape config";
        entry.relabel_rules =
            relabel::rules(decoder, &record, "relabel_configs", message, validation);
        let message = "empty or null metric relabeling rule in scrape config";
        entry.metric_relabel_rules = relabel::rules(
            decoder,
            &record,
            "metric_relabel_configs",
            message,
            validation,
        );
    }
    fields.finish();
    entry.record = record;
    Some(entry)
}

fn fill_from_global(decoder: &Decoder, record: &mut Record, global: &Record) {
    let job = quote(record.text("job_name"));
    let is_zero = |record: &Record, field: &str| record.int(field) == 0;
    if is_zero(record, "scrape_interval") {
        record.set("scrape_interval", global.value("scrape_interval").clone());
    }
    let interval = record.int("scrape_interval");
    if record.int("scrape_timeout") > interval {
        let text = format!(
            "scrape timeout greater than scrape interval for scrape config with job name {job}"
        );
        record.fail(decoder, "scrape_timeout", text);
    }
    if is_zero(record, "scrape_timeout") {
        let timeout = global.int("scrape_timeout").min(interval);
        record.set("scrape_timeout", Value::Duration(timeout));
    }
    for field in [
        "body_size_limit",
        "sample_limit",
        "target_limit",
        "label_limit",
        "label_name_length_limit",
        "label_value_length_limit",
        "keep_dropped_targets",
    ] {
        if is_zero(record, field) {
            record.set(field, global.value(field).clone());
        }
    }
    if record.text("scrape_failure_log_file").is_empty() {
        let file = global.value("scrape_failure_log_file").clone();
        record.set("scrape_failure_log_file", file);
    }
    for field in [
        "scrape_native_histograms",
        "extra_scrape_metrics",
        "convert_classic_histograms_to_nhcb",
        "always_scrape_classic_histograms",
    ] {
        if record.maybe_bool(field).is_none() {
            record.set(field, Value::Bool(global.bool(field)));
        }
    }
    if !record.was_given("scrape_protocols") {
        let protocols = match global.texts("scrape_protocols") {
            [] if record.bool("scrape_native_histograms") => {
                names_of(&ScrapeProtocol::DEFAULT_PROTO_FIRST)
            }
            [] => names_of(&ScrapeProtocol::DEFAULT),
            given => Value::Texts(given.to_vec()),
        };
        record.set("scrape_protocols", protocols);
    }
    if let Err(message) = check_protocols(record.texts("scrape_protocols")) {
        let text = format!("{message} for scrape config with job name {job}");
        record.fail(decoder, "scrape_protocols", text);
    }
    let fallback = record.text("fallback_scrape_protocol");
    if !fallback.is_empty()
        && let Err(message) = check_protocol(fallback)
    {
        let text = format!(
            "invalid fallback_scrape_protocol for scrape config with job name {job}: {message}"
        );
        record.fail(decoder, "fallback_scrape_protocol", text);
    }
}

/// Checks and completes the schemes of names.
fn check_names(decoder: &Decoder, record: &mut Record, global: &Record) -> ValidationScheme {
    let given = check_validation_scheme(decoder, record);
    let validation = given.unwrap_or_else(|| validation_of(global));
    record.set(
        "metric_name_validation_scheme",
        Value::Text(validation.as_str().to_owned()),
    );
    let natural = |scheme: ValidationScheme| match scheme {
        ValidationScheme::Legacy => EscapingScheme::Underscores,
        ValidationScheme::Utf8 => EscapingScheme::AllowUtf8,
    };
    let methods = "must be one of 'allow-utf-8', 'underscores', 'dots', or 'values'";
    let of_global = match global.text("metric_name_escaping_scheme") {
        "" => natural(validation_of(global)),
        word => EscapingScheme::parse(word).unwrap_or_else(|| {
            let text = format!(
                "unknown global name escaping method specified, {methods}, got {}",
                quote(word)
            );
            global.fail(decoder, "metric_name_escaping_scheme", text);
            EscapingScheme::AllowUtf8
        }),
    };
    let escaping = match record.text("metric_name_escaping_scheme") {
        "" if given.is_none() => of_global,
        "" => natural(validation),
        word => EscapingScheme::parse(word).unwrap_or_else(|| {
            let text = format!(
                "unknown scrape config name escaping method specified, {methods}, got {}",
                quote(word)
            );
            record.fail(decoder, "metric_name_escaping_scheme", text);
            natural(validation)
        }),
    };
    if escaping == EscapingScheme::AllowUtf8 && validation != ValidationScheme::Utf8 {
        let text = "utf8 metric names requested but validation scheme is not set to UTF8";
        record.fail(decoder, "metric_name_escaping_scheme", text);
    }
    record.set(
        "metric_name_escaping_scheme",
        Value::Text(escaping.as_str().to_owned()),
    );
    validation
}

impl Entry {
    pub(super) fn set_directory(&mut self, folder: &str) {
        self.record.set_directory(folder);
        self.sources.set_directory(folder);
    }

    pub(super) fn to_out(&self) -> Out {
        let mut out = self.record.to_out();
        self.sources.push_out(&mut out);
        Out::Map(out)
    }

    /// The job of a checked entry.
    pub(super) fn job(&self) -> Job {
        let record = &self.record;
        let options = JobOptions {
            job_name: record.text("job_name").to_owned(),
            scrape_interval: record.duration("scrape_interval"),
            scrape_timeout: record.duration("scrape_timeout"),
            scheme: record.text("scheme").to_owned(),
            metrics_path: record.text("metrics_path").to_owned(),
            params: match record.value("params") {
                Value::TextsMap(params) => params.clone(),
                _ => Vec::new(),
            },
            honor_labels: record.bool("honor_labels"),
            honor_timestamps: record.bool("honor_timestamps"),
            track_timestamps_staleness: record.bool("track_timestamps_staleness"),
            enable_compression: record.bool("enable_compression"),
            scrape_protocols: record
                .texts("scrape_protocols")
                .iter()
                .filter_map(|name| ScrapeProtocol::parse(name))
                .collect(),
            fallback_scrape_protocol: ScrapeProtocol::parse(
                record.text("fallback_scrape_protocol"),
            ),
            scrape_native_histograms: record.bool("scrape_native_histograms"),
            always_scrape_classic_histograms: record.bool("always_scrape_classic_histograms"),
            convert_classic_histograms_to_nhcb: record.bool("convert_classic_histograms_to_nhcb"),
            extra_scrape_metrics: record.bool("extra_scrape_metrics"),
            body_size_limit: record.uint("body_size_limit"),
            sample_limit: record.uint("sample_limit"),
            target_limit: record.uint("target_limit"),
            label_limit: record.uint("label_limit"),
            label_name_length_limit: record.uint("label_name_length_limit"),
            label_value_length_limit: record.uint("label_value_length_limit"),
            native_histogram_bucket_limit: record.uint("native_histogram_bucket_limit"),
            native_histogram_min_bucket_factor: record.float("native_histogram_min_bucket_factor"),
            keep_dropped_targets: record.uint("keep_dropped_targets"),
            validation: validation_of(record),
            escaping: EscapingScheme::parse(record.text("metric_name_escaping_scheme"))
                .unwrap_or_default(),
            scrape_failure_log_file: record.path("scrape_failure_log_file"),
            relabel_rules: self.relabel_rules.clone(),
            metric_relabel_rules: self.metric_relabel_rules.clone(),
            client: http_client::options(record),
        };
        Job {
            options,
            discovery: self.sources.options(),
        }
    }
}
