use serde_json::Value;

use crate::model::Labels;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Node};

use super::Error;

/// The label that holds a target's address.
const ADDRESS: &str = "__address__";

/// Targets that come from one place and share labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetGroup {
    /// Identifies the group within its mechanism: a new group of the same source replaces the old one.
    pub source: String,
    /// Labels that all targets share; a target's own labels win.
    pub labels: Labels,
    /// The labels of each target, with its address in `__address__`.
    pub targets: Vec<Labels>,
}

impl TargetGroup {
    /// Reads `{targets: [..], labels: {..}}` and reports what is wrong to the decoder. Label names
    /// must not be empty.
    pub fn from_yaml(decoder: &Decoder, node: &Node) -> Self {
        let mut fields = decoder.fields(node, "struct { Targets []string; Labels model.LabelSet }");
        let targets = fields.strings("targets");
        let mut labels = Vec::new();
        if let Some(node) = fields.node("labels") {
            for (key, value) in decoder.map(node, "model.LabelSet") {
                if let Some(name) = label_name(decoder, key)
                    && let Some(value) = decoder.string(value)
                {
                    labels.push((name, value));
                }
            }
        }
        fields.finish();
        Self {
            source: String::new(),
            labels: Labels::from_pairs(labels),
            targets: targets.iter().map(|address| target(address)).collect(),
        }
    }

    /// Reads the JSON form. Unknown fields and other types are errors.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Malformed(format!("json: {what}"));
        let object = value
            .as_object()
            .ok_or_else(|| wrong("a target group must be an object"))?;
        let mut group = Self::default();
        for (key, value) in object {
            // compat: Go's decoder does not tell the case of field names.
            match key.to_ascii_lowercase().as_str() {
                _ if value.is_null() => {}
                "targets" => {
                    for address in value
                        .as_array()
                        .ok_or_else(|| wrong("targets must be a list of strings"))?
                    {
                        let address = address
                            .as_str()
                            .ok_or_else(|| wrong("targets must be a list of strings"))?;
                        group.targets.push(target(address));
                    }
                }
                "labels" => {
                    let labels = value
                        .as_object()
                        .ok_or_else(|| wrong("labels must be an object"))?;
                    let mut pairs = Vec::with_capacity(labels.len());
                    for (name, value) in labels {
                        if name.is_empty() {
                            return Err(Error::Malformed(not_a_label_name(name)));
                        }
                        let value = value
                            .as_str()
                            .ok_or_else(|| wrong("label values must be strings"))?;
                        pairs.push((name, value));
                    }
                    group.labels = Labels::from_pairs(pairs);
                }
                _ => return Err(wrong(&format!("unknown field {}", quote(key)))),
            }
        }
        Ok(group)
    }
}

/// A target that is nothing but an address.
fn target(address: &str) -> Labels {
    Labels::from_pairs([(ADDRESS, address)])
}

fn label_name(decoder: &Decoder, key: &Node) -> Option<String> {
    let name = decoder.string(key)?;
    if name.is_empty() {
        decoder.fail(key.span, not_a_label_name(&name));
        return None;
    }
    Some(name)
}

fn not_a_label_name(name: &str) -> String {
    format!("{} is not a valid label name", quote(name))
}

/// Reads a JSON list of groups; `mark` gets the index and completes each.
pub(super) fn list_from_json(
    bytes: &[u8],
    mark: impl Fn(usize, &mut TargetGroup),
) -> Result<Vec<TargetGroup>, Error> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Error::Malformed(error.to_string()))?;
    let items = match &value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        _ => {
            return Err(Error::Malformed(
                "json: target groups must be a list".to_owned(),
            ));
        }
    };
    let mut groups = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if item.is_null() {
            return Err(Error::NullGroup(index));
        }
        let mut group = TargetGroup::from_json(item)?;
        mark(index, &mut group);
        groups.push(group);
    }
    Ok(groups)
}
