use crate::text::yaml::{Document, Entry, Node, Problem, ProblemKind};

use super::lines::{column, end_of_entry, entry, is_flow, line_start, next_line, single_line};
use super::{Edit, Fix};

/// Fields that belong under another one, as copied rules have them.
const LABELS: [&str; 8] = [
    "severity",
    "priority",
    "team",
    "service",
    "owner",
    "tier",
    "env",
    "environment",
];
const ANNOTATIONS: [&str; 9] = [
    "summary",
    "description",
    "message",
    "runbook",
    "runbook_url",
    "dashboard",
    "dashboard_url",
    "title",
    "playbook",
];

/// Moves fields of rules that are no fields of rules to where they belong: one fix for each problem that
/// is about such a field, in the order of `problems`.
pub(in crate::check) fn of_misplaced_fields(
    document: &Document,
    problems: &[Problem],
) -> Vec<Option<Fix>> {
    let mut rules = RulesByOffset::new(&document.root);
    problems
        .iter()
        .map(|problem| {
            if problem.kind != ProblemKind::UnknownField {
                return None;
            }
            let (rule, field) = rules.find(problem.offset)?;
            move_fields(&document.source, rule, field)
        })
        .collect()
}

/// The rules of a document, found by the place of one of their keys.
struct RulesByOffset<'d> {
    keys: Vec<(usize, &'d Node, &'d Entry)>,
}

impl<'d> RulesByOffset<'d> {
    fn new(root: &'d Node) -> Self {
        let sequence = |node: &'d Node, key: &str| {
            node.entry(key)
                .and_then(Node::as_sequence)
                .unwrap_or_default()
        };
        let mut keys = Vec::new();
        for group in sequence(root, "groups") {
            for rule in sequence(group, "rules") {
                for entry in rule.as_mapping().unwrap_or_default() {
                    keys.push((entry.key.span.start.offset, rule, entry));
                }
            }
        }
        keys.sort_by_key(|(offset, _, _)| *offset);
        Self { keys }
    }

    fn find(&mut self, offset: usize) -> Option<(&'d Node, &'d str)> {
        let at = self
            .keys
            .binary_search_by_key(&offset, |(at, _, _)| *at)
            .ok()?;
        let (_, rule, entry) = self.keys.get(at)?;
        Some((rule, entry.key.as_str()?))
    }
}

/// Where a field belongs.
pub(super) fn home(field: &str) -> Option<(&'static str, &'static [&'static str])> {
    if LABELS.contains(&field) {
        Some(("labels", &LABELS))
    } else if ANNOTATIONS.contains(&field) {
        Some(("annotations", &ANNOTATIONS))
    } else {
        None
    }
}

/// Moves all fields of the rule that have the same home as `field`: they share one fix.
fn move_fields(source: &str, rule: &Node, field: &str) -> Option<Fix> {
    let (home, siblings) = home(field)?;
    let entries = rule.as_mapping()?;
    let moved: Vec<&Entry> = entries
        .iter()
        .filter(|entry| {
            entry
                .key
                .as_str()
                .is_some_and(|key| siblings.contains(&key))
        })
        .collect();
    let names: Vec<String> = moved
        .iter()
        .filter_map(|entry| Some(format!("`{}`", entry.key.as_str()?)))
        .collect();
    let title = format!("move {} under `{home}:`", names.join(" and "));
    let edits = if is_flow(source, rule) {
        within_braces(source, &moved, home, entry(rule, home))?
    } else {
        let texts: Vec<&str> = moved
            .iter()
            .map(|entry| single_line(source, entry).and_then(|bytes| source.get(bytes)))
            .collect::<Option<_>>()?;
        match entry(rule, home) {
            Some(target) => into_existing(source, &moved, &texts, target)?,
            None => into_new(source, &moved, &texts, home)?,
        }
    };
    Some(Fix { title, edits })
}

/// In `{alert: A, severity: page}`: the first field becomes the home with all of them in braces, or they
/// join those that are there.
fn within_braces(
    source: &str,
    moved: &[&Entry],
    home: &str,
    target: Option<&Entry>,
) -> Option<Vec<Edit>> {
    let bytes = |entry: &Entry| entry.key.span.start.offset..entry.value.span.end.offset;
    let texts: Vec<&str> = moved
        .iter()
        .map(|entry| {
            let is_text = entry.value.as_str().is_some() && !entry.merged;
            let text = source.get(bytes(entry)).filter(|_| is_text)?;
            (!text.contains(['\n', '#'])).then_some(text.trim_end())
        })
        .collect::<Option<_>>()?;
    let mut gone = moved.iter();
    let mut edits = if let Some(target) = target {
        vec![join(source, moved, &texts, target)?]
    } else {
        let start = gone.next()?.key.span.start.offset;
        vec![Edit {
            bytes: start..start + texts.first()?.len(),
            text: format!("{home}: {{{}}}", texts.join(", ")),
        }]
    };
    for entry in gone {
        let bytes = bytes(entry);
        let before = source.get(..bytes.start)?.trim_end();
        let behind = source.get(bytes.end..)?;
        edits.push(if before.ends_with(',') {
            let text = source.get(bytes.clone())?;
            Edit {
                bytes: before.len() - 1..bytes.start + text.trim_end().len(),
                text: String::new(),
            }
        } else {
            // The first of all takes the comma behind it along.
            let comma = behind.trim_start().strip_prefix(',')?;
            let end = source.len() - comma.trim_start_matches(' ').len();
            Edit {
                bytes: bytes.start..end,
                text: String::new(),
            }
        });
    }
    edits.sort_by_key(|edit| edit.bytes.start);
    Some(edits)
}

/// Fields that join the others between the braces of their home.
fn join(source: &str, moved: &[&Entry], texts: &[&str], target: &Entry) -> Option<Edit> {
    let known = target.value.as_mapping().unwrap_or_default();
    let has = |name: Option<&str>| known.iter().any(|entry| entry.key.as_str() == name);
    // Which of the two counts is for somebody else to say.
    if moved.iter().any(|entry| has(entry.key.as_str())) || !is_flow(source, &target.value) {
        return None;
    }
    let end = target.value.span.end.offset.checked_sub(1)?;
    source.get(end..)?.starts_with('}').then_some(())?;
    // A comment would swallow the brace.
    if texts.iter().any(|text| text.contains(" #")) {
        return None;
    }
    let sep = if known.is_empty() { "" } else { ", " };
    let at = source.get(..end)?.trim_end().len();
    Some(Edit {
        bytes: at..end,
        text: format!("{sep}{}", texts.join(", ")),
    })
}

/// The first field's line becomes the home's, with the fields below it.
fn into_new(source: &str, moved: &[&Entry], texts: &[&str], home: &str) -> Option<Vec<Edit>> {
    let (first, others) = moved.split_first()?;
    let bytes = single_line(source, first)?;
    let indent = " ".repeat(column(source, bytes.start));
    let mut lines = vec![format!("{home}:")];
    lines.extend(texts.iter().map(|line| format!("{indent}  {line}")));
    let text = lines.join("\n");
    let mut edits = vec![Edit { bytes, text }];
    for other in others {
        edits.push(without_line(source, other)?);
    }
    edits.sort_by_key(|edit| edit.bytes.start);
    Some(edits)
}

fn into_existing(
    source: &str,
    moved: &[&Entry],
    texts: &[&str],
    target: &Entry,
) -> Option<Vec<Edit>> {
    let known = target.value.as_mapping().unwrap_or_default();
    let has = |name: Option<&str>| known.iter().any(|entry| entry.key.as_str() == name);
    // Which of the two counts is for somebody else to say.
    if moved.iter().any(|entry| has(entry.key.as_str())) {
        return None;
    }
    let insert = if is_flow(source, &target.value) {
        join(source, moved, texts, target)?
    } else if let Some(first) = known.first() {
        let indent = " ".repeat(column(source, first.key.span.start.offset));
        let at = end_of_entry(source, target);
        let lines = texts.iter().map(|line| {
            format!(
                "{indent}{line}
"
            )
        });
        let mut text = lines.collect::<Vec<_>>().concat();
        if !source.get(..at)?.ends_with('\n') {
            text = format!("\n{}", text.trim_end());
        }
        Edit {
            bytes: at..at,
            text,
        }
    } else {
        return None;
    };
    let mut edits = vec![insert];
    for entry in moved {
        edits.push(without_line(source, entry)?);
    }
    edits.sort_by_key(|edit| edit.bytes.start);
    Some(edits)
}

/// Takes an entry's line away; not the first of a list item, whose dash stands on it.
fn without_line(source: &str, entry: &Entry) -> Option<Edit> {
    let start = line_start(source, entry.key.span.start.offset);
    let before = source.get(start..entry.key.span.start.offset)?;
    before.trim().is_empty().then(|| Edit {
        bytes: start
            ..next_line(
                source,
                entry.value.span.end.offset.max(entry.key.span.end.offset),
            ),
        text: String::new(),
    })
}
