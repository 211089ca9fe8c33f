use crate::text::yaml::{Node, parse_first};

use super::{Edit, Fix};

/// Quotes values that begin with a template: YAML takes `{{ x }}` for a mapping. Nothing when that does not
/// make the text readable.
pub(in crate::check) fn of_unquoted_templates(source: &str) -> Option<Fix> {
    let mut edits = Vec::new();
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        if let Some((start, value)) = unquoted(line) {
            let bytes = offset + start..offset + start + value.len();
            let text = format!("'{}'", value.replace('\'', "''"));
            edits.push((Edit { bytes, text }, value));
        }
        offset += line.len();
    }
    if edits.is_empty() {
        return None;
    }
    let values: Vec<&str> = edits.iter().map(|(_, value)| *value).collect();
    let fix = Fix {
        title: "quote the values that begin with a template".to_owned(),
        edits: edits.iter().map(|(edit, _)| edit.clone()).collect(),
    };
    let document = parse_first(&super::apply(source, &[&fix])?).ok()?;
    let mut texts = Vec::new();
    scalars(&document.root, &mut texts);
    values
        .iter()
        .all(|value| texts.contains(value))
        .then_some(fix)
}

/// A value of `key: {{ ... }} more` on one line: where it begins, and the value.
fn unquoted(line: &str) -> Option<(usize, &str)> {
    let content = line.trim_end();
    let key_start = content.len()
        - content
            .trim_start()
            .trim_start_matches("- ")
            .trim_start()
            .len();
    let colon = content.get(key_start..)?.find(": ")?;
    let key = content.get(key_start..key_start + colon)?;
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let after = key_start + colon + 2;
    let value = content.get(after..)?.trim_start();
    let start = content.len() - value.len();
    // What looks like a comment may be one or not: that is for somebody else to say.
    (is_key && value.starts_with("{{") && !value.contains(" #")).then_some((start, value))
}

fn scalars<'n>(root: &'n Node, texts: &mut Vec<&'n str>) {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        texts.extend(node.as_str());
        open.extend(node.as_sequence().unwrap_or_default());
        open.extend(
            node.as_mapping()
                .unwrap_or_default()
                .iter()
                .map(|entry| &entry.value),
        );
    }
}
