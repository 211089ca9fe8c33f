use crate::text::yaml::{Document, Kind, Node, Problem, ProblemKind};

use super::lines::{end_of_entry, is_flow, line_start};
use super::{Edit, Fix};

/// Takes keys away that are given twice with the same value: one fix for each problem that is about one, in
/// the order of `problems`.
pub(in crate::check) fn of_duplicate_keys(
    document: &Document,
    problems: &[Problem],
) -> Vec<Option<Fix>> {
    let any = problems.iter().any(|p| p.kind == ProblemKind::DuplicateKey);
    let mut fixes: Vec<(usize, Fix)> = Vec::new();
    if any {
        let mut open = vec![&document.root];
        while let Some(node) = open.pop() {
            match &node.kind {
                Kind::Scalar { .. } => {}
                Kind::Sequence(items) => open.extend(items),
                Kind::Mapping(entries) => {
                    of_mapping(&document.source, node, &mut fixes);
                    open.extend(entries.iter().map(|entry| &entry.value));
                }
            }
        }
        fixes.sort_by_key(|(at, _)| *at);
    }
    problems
        .iter()
        .map(|problem| {
            let wanted = problem.kind == ProblemKind::DuplicateKey;
            let at = fixes
                .binary_search_by_key(&problem.offset, |(at, _)| *at)
                .ok()?;
            fixes.get(at).filter(|_| wanted).map(|(_, fix)| fix.clone())
        })
        .collect()
}

fn of_mapping(source: &str, node: &Node, fixes: &mut Vec<(usize, Fix)>) {
    if is_flow(source, node) {
        return;
    }
    let entries = node.as_mapping().unwrap_or_default();
    let mut seen: std::collections::BTreeMap<&str, &Node> = std::collections::BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.merged) {
        let Some(key) = entry.key.as_str() else {
            continue;
        };
        let Some(first) = seen.get(key) else {
            seen.insert(key, &entry.value);
            continue;
        };
        let start = line_start(source, entry.key.span.start.offset);
        let alone = source
            .get(start..entry.key.span.start.offset)
            .is_some_and(|before| before.trim().is_empty());
        if alone && same_value(first, &entry.value) {
            let edit = Edit {
                bytes: start..end_of_entry(source, entry),
                text: String::new(),
            };
            let fix = Fix {
                title: format!("take the second `{key}` away"),
                edits: vec![edit],
            };
            fixes.push((entry.key.span.start.offset, fix));
        }
    }
}

/// Whether two nodes say the same; places do not count. YAML's depth bounds the recursion.
fn same_value(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Scalar { text: a, .. }, Kind::Scalar { text: b, .. }) => a == b,
        (Kind::Sequence(a), Kind::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Kind::Mapping(a), Kind::Mapping(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| same_value(&a.key, &b.key) && same_value(&a.value, &b.value))
        }
        _ => false,
    }
}
