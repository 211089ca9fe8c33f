//! The entries of `relabel_configs` and its siblings.

use crate::model::ValidationScheme;
use crate::relabel::{Action, Rule};
use crate::text::quote::quote;
use crate::text::yaml::Decoder;

use crate::config::schema::field::{flow_texts, text, uint};
use crate::config::schema::{Record, Section};

pub(crate) static RELABEL: Section = Section::new(
    "relabel.plain",
    &[
        flow_texts("source_labels"),
        text("separator").or_text(";"),
        text("regex").or_text("(.*)").keep(),
        uint("modulus"),
        text("target_label"),
        text("replacement").or_text("$1"),
        text("action").or_text("replace"),
    ],
);

/// Checks a list of rules and builds them. `null_message` is reported for null entries.
pub(crate) fn rules(
    decoder: &Decoder,
    section: &Record,
    field: &str,
    null_message: &str,
    validation: ValidationScheme,
) -> Vec<Rule> {
    section
        .records(field)
        .iter()
        .filter_map(|entry| {
            let Some(entry) = entry else {
                section.fail(decoder, field, null_message);
                return None;
            };
            rule(decoder, entry, validation)
        })
        .collect()
}

fn rule(decoder: &Decoder, entry: &Record, validation: ValidationScheme) -> Option<Rule> {
    for name in entry.texts("source_labels") {
        if name.is_empty() {
            let text = format!("{} is not a valid label name", quote(name));
            entry.fail(decoder, "source_labels", text);
        }
    }
    if entry.text("action").is_empty() {
        entry.fail(decoder, "action", "relabel action cannot be empty");
        return None;
    }
    let action = match Action::parse(entry.text("action")) {
        Ok(action) => action,
        Err(error) => {
            entry.fail(decoder, "action", error.to_string());
            return None;
        }
    };
    let regex = match Rule::regex(entry.text("regex")) {
        Ok(regex) => regex,
        Err(error) => {
            entry.fail(decoder, "regex", error.to_string());
            return None;
        }
    };
    let rule = Rule {
        source_labels: entry.texts("source_labels").to_vec(),
        separator: entry.text("separator").to_owned(),
        regex,
        modulus: entry.uint("modulus"),
        target_label: entry.text("target_label").to_owned(),
        replacement: entry.text("replacement").to_owned(),
        action,
        validation,
    };
    if let Err(error) = rule.validate() {
        decoder.fail(entry.span, error.to_string());
        return None;
    }
    Some(rule)
}
