use std::path::PathBuf;

use crate::config::schema::{Record, Value};
use crate::exposition::ScrapeProtocol;
use crate::model::{Labels, ValidationScheme};
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Node};
use crate::time::Span;

use super::LoadOptions;
use super::sections::GLOBAL;

const SCRAPE_INTERVAL_MS: i64 = 60_000;
const SCRAPE_TIMEOUT_MS: i64 = 10_000;
const EVALUATION_INTERVAL_MS: i64 = 60_000;

/// `global`, as far as others than scrapes act on it: jobs have taken their defaults from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    /// `scrape_interval`; default 1m.
    pub scrape_interval: Span,
    /// `evaluation_interval`; default 1m.
    pub evaluation_interval: Span,
    /// `rule_query_offset`; default none.
    pub rule_query_offset: Span,
    /// `external_labels`, environment variables expanded.
    pub external_labels: Labels,
    /// `query_log_file`; default none.
    pub query_log_file: Option<PathBuf>,
    /// `metric_name_validation_scheme`; default UTF-8.
    pub validation: ValidationScheme,
}

/// Reads and checks the section; `None` when it is absent.
pub(super) fn read(decoder: &Decoder, node: Option<&Node>, options: LoadOptions) -> Record {
    // compat: an open but empty block is as good as none.
    let given = node
        .filter(|node| !node.is_null())
        .map(|node| Record::read(decoder, node, &GLOBAL))
        .filter(|record| record.slots.iter().any(|slot| slot.span.is_some()));
    let mut record = match given {
        Some(mut record) => {
            check(decoder, &mut record, options.proto_first);
            record
        }
        None => absent(options.proto_first),
    };
    if options.extra_scrape_metrics && !record.was_given("extra_scrape_metrics") {
        record.set("extra_scrape_metrics", Value::Bool(true));
    }
    record
}

fn absent(proto_first: bool) -> Record {
    let mut record = Record::default_of(&GLOBAL);
    for (field, ms) in [
        ("scrape_interval", SCRAPE_INTERVAL_MS),
        ("scrape_timeout", SCRAPE_TIMEOUT_MS),
        ("evaluation_interval", EVALUATION_INTERVAL_MS),
    ] {
        record.set(field, Value::Duration(ms));
    }
    record.set("scrape_native_histograms", Value::Bool(false));
    let text = |text: &str| Value::Text(text.to_owned());
    record.set("metric_name_validation_scheme", text("utf8"));
    record.set("metric_name_escaping_scheme", text("allow-utf-8"));
    if proto_first {
        record.set("scrape_protocols", proto_first_protocols());
    }
    record
}

pub(super) fn proto_first_protocols() -> Value {
    names_of(&ScrapeProtocol::DEFAULT_PROTO_FIRST)
}

pub(super) fn names_of(protocols: &[ScrapeProtocol]) -> Value {
    Value::Texts(protocols.iter().map(ToString::to_string).collect())
}

fn check(decoder: &Decoder, record: &mut Record, proto_first: bool) {
    let validation = check_validation_scheme(decoder, record);
    let scheme = validation.unwrap_or_default();
    let text = Value::Text(scheme.as_str().to_owned());
    record.set("metric_name_validation_scheme", text);
    for (name, _) in record.text_map("external_labels") {
        if !scheme.is_valid_label_name(name) {
            let text = format!("{} is not a valid label name", quote(name));
            record.fail(decoder, "external_labels", text);
        }
    }
    if record.int("scrape_interval") == 0 {
        record.set("scrape_interval", Value::Duration(SCRAPE_INTERVAL_MS));
    }
    let interval = record.int("scrape_interval");
    if record.int("scrape_timeout") > interval {
        let text = "global scrape timeout greater than scrape interval";
        record.fail(decoder, "scrape_timeout", text);
    }
    if record.int("scrape_timeout") == 0 {
        let timeout = SCRAPE_TIMEOUT_MS.min(interval);
        record.set("scrape_timeout", Value::Duration(timeout));
    }
    if record.int("evaluation_interval") == 0 {
        record.set(
            "evaluation_interval",
            Value::Duration(EVALUATION_INTERVAL_MS),
        );
    }
    if record.maybe_bool("scrape_native_histograms").is_none() {
        record.set("scrape_native_histograms", Value::Bool(false));
    }
    if !record.was_given("scrape_protocols") {
        if proto_first {
            record.set("scrape_protocols", proto_first_protocols());
        }
    } else if let Err(message) = check_protocols(record.texts("scrape_protocols")) {
        let text = format!("{message} for global config");
        record.fail(decoder, "scrape_protocols", text);
    }
}

/// The scheme that a section asks for; none when it says nothing.
pub(super) fn check_validation_scheme(
    decoder: &Decoder,
    record: &Record,
) -> Option<ValidationScheme> {
    match record.text("metric_name_validation_scheme") {
        "" => None,
        "utf8" => Some(ValidationScheme::Utf8),
        "legacy" => Some(ValidationScheme::Legacy),
        other => {
            let text = format!("unrecognized ValidationScheme: {}", quote(other));
            record.fail(decoder, "metric_name_validation_scheme", text);
            None
        }
    }
}

/// Checks `scrape_protocols`. A list that was given must not be empty.
pub(super) fn check_protocols(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("scrape_protocols cannot be empty".to_owned());
    }
    for (index, name) in names.iter().enumerate() {
        let seen = &names[..index];
        if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            let all = names.join(" ");
            return Err(format!(
                "duplicated protocol in scrape_protocols, got [{all}]"
            ));
        }
        check_protocol(name).map_err(|message| format!("scrape_protocols: {message}"))?;
    }
    Ok(())
}

pub(super) fn check_protocol(name: &str) -> Result<ScrapeProtocol, String> {
    ScrapeProtocol::parse(name).ok_or_else(|| {
        let mut known: Vec<&str> = ScrapeProtocol::ALL.iter().map(|p| p.as_str()).collect();
        known.sort_unstable();
        let known = known.join(" ");
        format!("unknown scrape protocol {name}, supported: [{known}]")
    })
}

pub(super) fn options(record: &Record) -> Global {
    Global {
        scrape_interval: record.duration("scrape_interval"),
        evaluation_interval: record.duration("evaluation_interval"),
        rule_query_offset: record.duration("rule_query_offset"),
        external_labels: Labels::from_pairs(record.text_map("external_labels").iter().cloned()),
        query_log_file: record.path("query_log_file"),
        validation: validation_of(record),
    }
}

/// The scheme of a checked section.
pub(super) fn validation_of(record: &Record) -> ValidationScheme {
    match record.text("metric_name_validation_scheme") {
        "legacy" => ValidationScheme::Legacy,
        _ => ValidationScheme::Utf8,
    }
}

/// Expands `$NAME` and `${NAME}` in the values of external labels. Variables that are empty are
/// reported by name.
///
/// compat: Go's `os.Expand`; `$$` is a dollar sign.
pub(super) fn expand_external_labels(
    record: &mut Record,
    environment: &dyn Fn(&str) -> Option<String>,
    empty: &mut Vec<String>,
) {
    let labels = record
        .text_map("external_labels")
        .iter()
        .map(|(name, value)| {
            let value = expand(value, |variable| {
                let found = environment(variable).unwrap_or_default();
                if found.is_empty() {
                    empty.push(variable.to_owned());
                }
                found
            });
            (name.clone(), value)
        })
        .collect();
    record.set("external_labels", Value::TextMap(labels));
}

fn expand(text: &str, mut variable: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, consumed) = variable_name(after);
        match name {
            "" if consumed == 0 => out.push('$'),
            "" => {}
            "$" => out.push('$'),
            name => out.push_str(&variable(name)),
        }
        rest = &after[consumed..];
    }
    out.push_str(rest);
    out
}

/// The name that follows a dollar sign, and how many bytes it takes up.
fn variable_name(after: &str) -> (&str, usize) {
    if let Some(inner) = after.strip_prefix('{') {
        return match inner.find('}') {
            // `${}` is eaten.
            Some(end) => (&inner[..end], end + 2),
            None => ("", 1),
        };
    }
    let is_special =
        |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-') || c.is_ascii_digit();
    if after.starts_with(is_special) {
        return (&after[..1], 1);
    }
    let end = after
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(after.len());
    (&after[..end], end)
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn variables_are_expanded_as_go_does() {
        for (text, wanted) in [
            ("bar$TEST", "barvalue"),
            ("${TEST}x", "valuex"),
            ("$$x", "$x"),
            ("a$ b", "a$ b"),
            ("${}x", "x"),
            ("$", "$"),
        ] {
            let out = expand(text, |name| {
                assert_eq!(name, "TEST");
                "value".to_owned()
            });
            assert_eq!(out, wanted, "{text}");
        }
    }
}
