//! The `lint` section of `watchfire.yml`: how bad findings are, what the checks assume, and the house's
//! own policies.

use crate::config::schema::field::{duration, list, structure, text, text_map, texts};
use crate::config::schema::{Record, Section};
use crate::text::quote::quote;
use crate::text::regex::Regex;
use crate::text::yaml::Decoder;
use crate::time::Span;

static VALUE_POLICY: Section = Section::new(
    "watchfire.LintValue",
    &[text("name"), text("pattern").or_text(".+")],
);

static FOR_POLICY: Section = Section::new("watchfire.LintFor", &[duration("min"), duration("max")]);

static METRIC_POLICY: Section = Section::new(
    "watchfire.LintMetrics",
    &[
        text("metrics").or_text(".*"),
        texts("keep"),
        texts("strip"),
        texts("require"),
    ],
);

static REPORT_POLICY: Section = Section::new(
    "watchfire.LintReport",
    &[text("names").or_text(".*"), text("comment")],
);

pub(super) static LINT: Section = Section::new(
    "watchfire.Lint",
    &[
        text_map("severities"),
        duration("scrape_interval"),
        duration("evaluation_interval"),
        duration("retention"),
        list("annotations", &VALUE_POLICY),
        list("labels", &VALUE_POLICY),
        text("alert_names"),
        text("record_names"),
        structure("for", &FOR_POLICY),
        list("aggregations", &METRIC_POLICY),
        list("selectors", &METRIC_POLICY),
        texts("reject"),
        text("owners"),
        list("reports", &REPORT_POLICY),
    ],
);

/// How bad the findings of a check are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LintLevel {
    /// The check is not run.
    Off,
    /// Worth knowing.
    Info,
    /// Probably not what is wanted.
    Warning,
    /// As bad as a file that does not load.
    Error,
}

/// A label or annotation that rules must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePolicy {
    /// Its name.
    pub name: String,
    /// What its value must match; default anything but nothing.
    pub pattern: Regex,
}

/// What expressions must do with the labels of some metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricPolicy {
    /// Which metrics (for aggregations: which rules by the name of the rule).
    pub metrics: Regex,
    /// Labels that aggregations must keep.
    pub keep: Vec<String>,
    /// Labels that aggregations must take away.
    pub strip: Vec<String>,
    /// Labels that selectors must have a matcher for.
    pub require: Vec<String>,
}

/// Something to tell whoever writes a rule of some name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPolicy {
    /// Which rules.
    pub names: Regex,
    /// What is told.
    pub comment: String,
}

/// What the section says. The default assumes little and has no policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LintOptions {
    /// Check (by id or name) and level.
    pub severities: Vec<(String, LintLevel)>,
    /// How often targets are scraped, where no `prometheus.yml` tells.
    pub scrape_interval: Option<Span>,
    /// How often rules are evaluated, where neither group nor `prometheus.yml` tells.
    pub evaluation_interval: Option<Span>,
    /// How long samples are kept.
    pub retention: Option<Span>,
    /// Annotations that every alert must have.
    pub annotations: Vec<ValuePolicy>,
    /// Labels that every alert must have.
    pub labels: Vec<ValuePolicy>,
    /// What names of alerts must match.
    pub alert_names: Option<Regex>,
    /// What names of recording rules must match.
    pub record_names: Option<Regex>,
    /// The shortest `for`.
    pub for_min: Option<Span>,
    /// The longest `for`.
    pub for_max: Option<Span>,
    /// What aggregations must keep and strip.
    pub aggregations: Vec<MetricPolicy>,
    /// What selectors must have matchers for.
    pub selectors: Vec<MetricPolicy>,
    /// What no value of a label or an annotation may match.
    pub reject: Vec<Regex>,
    /// What owners of rules are called; every rule must have one when it is given.
    pub owners: Option<Regex>,
    /// What is told on rules of some names.
    pub reports: Vec<ReportPolicy>,
}

/// Checks the section.
pub(super) fn read(decoder: &Decoder, record: &Record) -> LintOptions {
    let span = |record: &Record, name: &str| Some(record.duration(name)).filter(|s| !s.is_zero());
    let hold = record.record("for");
    LintOptions {
        severities: severities(decoder, record),
        scrape_interval: span(record, "scrape_interval"),
        evaluation_interval: span(record, "evaluation_interval"),
        retention: span(record, "retention"),
        annotations: values(decoder, record, "annotations"),
        labels: values(decoder, record, "labels"),
        alert_names: optional_pattern(decoder, record, "alert_names"),
        record_names: optional_pattern(decoder, record, "record_names"),
        for_min: hold.and_then(|hold| span(hold, "min")),
        for_max: hold.and_then(|hold| span(hold, "max")),
        aggregations: metrics(decoder, record, "aggregations"),
        selectors: metrics(decoder, record, "selectors"),
        reject: record
            .texts("reject")
            .iter()
            .filter_map(|text| pattern(decoder, record, "reject", text))
            .collect(),
        owners: optional_pattern(decoder, record, "owners"),
        reports: reports(decoder, record),
    }
}

fn severities(decoder: &Decoder, record: &Record) -> Vec<(String, LintLevel)> {
    record
        .text_map("severities")
        .iter()
        .filter_map(|(check, level)| {
            let level = match level.as_str() {
                // YAML 1.1 readers take a plain `off` for a boolean, so its spelling may vary.
                "off" | "Off" | "OFF" | "false" => LintLevel::Off,
                "info" => LintLevel::Info,
                "warning" => LintLevel::Warning,
                "error" => LintLevel::Error,
                other => {
                    let text = format!(
                        "the severity of {check} is {}, but can be off, info, warning or error",
                        quote(other)
                    );
                    record.fail(decoder, "severities", text);
                    return None;
                }
            };
            Some((check.clone(), level))
        })
        .collect()
}

fn pattern(decoder: &Decoder, record: &Record, field: &str, text: &str) -> Option<Regex> {
    match Regex::anchored(text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            record.fail(decoder, field, error.to_string());
            None
        }
    }
}

fn optional_pattern(decoder: &Decoder, record: &Record, field: &str) -> Option<Regex> {
    let text = record.text(field);
    if text.is_empty() {
        return None;
    }
    pattern(decoder, record, field, text)
}

fn values(decoder: &Decoder, record: &Record, field: &str) -> Vec<ValuePolicy> {
    let entries = record.records(field).iter().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.text("name");
            if name.is_empty() {
                decoder.fail(entry.span, "an entry needs a `name`");
                return None;
            }
            Some(ValuePolicy {
                name: name.to_owned(),
                pattern: pattern(decoder, entry, "pattern", entry.text("pattern"))?,
            })
        })
        .collect()
}

fn metrics(decoder: &Decoder, record: &Record, field: &str) -> Vec<MetricPolicy> {
    let entries = record.records(field).iter().flatten();
    entries
        .filter_map(|entry| {
            Some(MetricPolicy {
                metrics: pattern(decoder, entry, "metrics", entry.text("metrics"))?,
                keep: entry.texts("keep").to_vec(),
                strip: entry.texts("strip").to_vec(),
                require: entry.texts("require").to_vec(),
            })
        })
        .collect()
}

fn reports(decoder: &Decoder, record: &Record) -> Vec<ReportPolicy> {
    let entries = record.records("reports").iter().flatten();
    entries
        .filter_map(|entry| {
            let comment = entry.text("comment");
            if comment.is_empty() {
                decoder.fail(entry.span, "an entry needs a `comment`");
                return None;
            }
            Some(ReportPolicy {
                names: pattern(decoder, entry, "names", entry.text("names"))?,
                comment: comment.to_owned(),
            })
        })
        .collect()
}
