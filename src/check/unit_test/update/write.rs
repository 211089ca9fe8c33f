//! Expectations as YAML.

use std::fmt::Write as _;

use crate::model::{Labels, METRIC_NAME, ValidationScheme};
use crate::rules::unit_test::{AlertSeen, SampleSeen, ValueSeen};
use crate::text::yaml::plain_means_text;

/// An item of a list of expectations, ready to be written.
pub(super) struct Fields(Vec<Field>);

enum Field {
    Scalar(&'static str, String),
    Map(&'static str, Vec<(String, String)>),
}

impl Fields {
    pub(super) fn block(&self, indent: usize, flow_maps: bool) -> String {
        let pad = " ".repeat(indent);
        let fields = self.0.iter().map(|field| match field {
            Field::Scalar(name, value) => format!("{name}: {value}"),
            Field::Map(name, entries) if flow_maps => format!("{name}: {}", flow_map(entries)),
            Field::Map(name, entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("\n{pad}  {key}: {value}"));
                format!("{name}:{}", entries.collect::<String>())
            }
        });
        let text = fields.collect::<Vec<_>>().join(&format!("\n{pad}"));
        if text.is_empty() {
            "{}".to_owned()
        } else {
            text
        }
    }

    pub(super) fn flow(&self) -> String {
        let fields = self.0.iter().map(|field| match field {
            Field::Scalar(name, value) => format!("{name}: {value}"),
            Field::Map(name, entries) => format!("{name}: {}", flow_map(entries)),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    }
}

pub(super) fn block_list(items: &[Fields], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let items = items
        .iter()
        .map(|item| format!("\n{pad}- {}", item.block(indent + 2, false)));
    items.collect()
}

fn flow_map(entries: &[(String, String)]) -> String {
    let entries = entries.iter().map(|(key, value)| format!("{key}: {value}"));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

pub(super) fn flow_list(items: &[Fields]) -> String {
    let items = items.iter().map(Fields::flow).collect::<Vec<_>>();
    format!("[{}]", items.join(", "))
}

pub(super) fn alert_fields(alert: &AlertSeen) -> Fields {
    let entries = |labels: &Labels| {
        let own = labels.iter().filter(|(name, _)| *name != "alertname");
        own.map(|(name, value)| (quoted(name), quoted(value)))
            .collect::<Vec<_>>()
    };
    let maps = [
        ("exp_labels", entries(&alert.labels)),
        ("exp_annotations", entries(&alert.annotations)),
    ];
    let given = maps.into_iter().filter(|(_, entries)| !entries.is_empty());
    Fields(
        given
            .map(|(name, entries)| Field::Map(name, entries))
            .collect(),
    )
}

pub(super) fn sample_fields(sample: &SampleSeen) -> Fields {
    let labels = Field::Scalar("labels", single_quoted(&metric(&sample.labels)));
    let value = match &sample.value {
        ValueSeen::Float(v) => Field::Scalar("value", number(*v)),
        ValueSeen::Histogram(text) => Field::Scalar("histogram", single_quoted(text)),
    };
    Fields(vec![labels, value])
}

/// A number as YAML writes it.
pub(super) fn number(v: f64) -> String {
    if v.is_nan() {
        return ".nan".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    if v != 0.0 && !(1e-5..1e15).contains(&v.abs()) {
        return format!("{v:e}");
    }
    v.to_string()
}

/// Labels as a selector: `up{job="a"}`.
fn metric(labels: &Labels) -> String {
    let name = labels.get(METRIC_NAME).unwrap_or_default();
    let plain = !name.is_empty() && ValidationScheme::Legacy.is_valid_metric_name(name);
    let rest = labels.filter(|label| !plain || label != METRIC_NAME);
    match (plain, rest.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name}{rest}"),
        (false, _) => rest.to_string(),
    }
}

/// A text, in quotes where it would mean something else without.
pub(super) fn quoted(text: &str) -> String {
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || " _-./%()".contains(c))
        && !text.starts_with(['-', ' ', '%'])
        && !text.ends_with(' ')
        && plain_means_text(text);
    if plain && !text.is_empty() {
        text.to_owned()
    } else if text.contains(|c: char| c.is_control()) {
        double_quoted(text)
    } else {
        single_quoted(text)
    }
}

pub(super) fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
