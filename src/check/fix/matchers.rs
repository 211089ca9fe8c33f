use crate::check::lint::{Page, Routing};
use crate::check::{Finding, Severity};
use crate::text::yaml::{Entry, Node};

use super::format::one_line;
use super::lines::{column, end_of_entry, entry, is_flow, line_start};
use super::{Edit, Fix};

pub(in crate::check) static PAGE: Page = Page::new(
    "W082",
    "deprecated-matchers",
    Severity::Info,
    "match, match_re and their like are deprecated: `matchers` says the same.",
)
.why("Alertmanager deprecated them in 0.22 and will take them away. `matchers` is a list of conditions with `=`, `!=`, `=~` and `!~`.")
.example("match:\n  severity: critical", "matchers:\n- severity=\"critical\"");

/// Deprecated fields, the pattern ones second, and what replaces them.
const FIELDS: [([&str; 2], &str); 3] = [
    (["match", "match_re"], "matchers"),
    (["source_match", "source_match_re"], "source_matchers"),
    (["target_match", "target_match_re"], "target_matchers"),
];

/// Deprecated matchers of routes and inhibition rules, with the fix.
pub fn deprecated_matchers(routing: &Routing) -> Vec<Finding> {
    let root = &routing.document.root;
    let mut findings = Vec::new();
    let mut open: Vec<&Node> = root.entry("route").into_iter().collect();
    let rules = root.entry("inhibit_rules").and_then(Node::as_sequence);
    open.extend(rules.unwrap_or_default());
    while let Some(node) = open.pop() {
        for (old, new) in FIELDS {
            let found: Vec<&Entry> = old.iter().filter_map(|field| entry(node, field)).collect();
            let Some(first) = found.first() else {
                continue;
            };
            let names: Vec<&str> = found
                .iter()
                .filter_map(|entry| entry.key.as_str())
                .collect();
            let message = format!("{} is deprecated", names.join(" and "));
            let Routing { name, document, .. } = routing;
            let finding = Finding::on_node(&PAGE, name, document, &first.key, message)
                .with_hint(format!("write `{new}:`"));
            findings.push(match replace(&document.source, node, &found, old[1], new) {
                Some(fix) => finding.with_fix(fix),
                None => finding,
            });
        }
        let children = node.entry("routes").and_then(Node::as_sequence);
        open.extend(children.unwrap_or_default());
    }
    findings
}

fn replace(source: &str, node: &Node, found: &[&Entry], pattern: &str, new: &str) -> Option<Fix> {
    if is_flow(source, node) || entry(node, new).is_some() {
        return None;
    }
    let mut items = Vec::new();
    for entry in found {
        let is_pattern = entry.key.as_str() == Some(pattern);
        for matcher in entry.value.as_mapping()? {
            let (name, value) = (matcher.key.as_str()?, matcher.value.as_str()?);
            let operator = if is_pattern { "=~" } else { "=" };
            items.push(one_line(&format!("{name}{operator}{}", quoted(value))));
        }
    }
    let mut edits = Vec::new();
    for (at, entry) in found.iter().enumerate() {
        let start = entry.key.span.start.offset;
        let end = end_of_entry(source, entry);
        // Comments would be lost.
        if source.get(start..end)?.contains('#') {
            return None;
        }
        let indent = " ".repeat(column(source, start));
        edits.push(if at == 0 {
            let lines: Vec<String> = items
                .iter()
                .map(|item| {
                    format!(
                        "{indent}- {item}
"
                    )
                })
                .collect();
            Edit {
                bytes: start..end,
                text: format!("{new}:\n{}", lines.concat()),
            }
        } else {
            let line = line_start(source, start);
            source.get(line..start)?.trim().is_empty().then_some(())?;
            Edit {
                bytes: line..end,
                text: String::new(),
            }
        });
    }
    edits.sort_by_key(|edit| edit.bytes.start);
    Some(Fix {
        title: format!(
            "write `{new}` instead of {}",
            found
                .iter()
                .filter_map(|e| e.key.as_str())
                .collect::<Vec<_>>()
                .join(" and ")
        ),
        edits,
    })
}

/// A value as matchers quote it.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
