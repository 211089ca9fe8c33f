use crate::check::lint::Page;
use crate::check::{Finding, RuleFile, Severity};
use crate::text::yaml::{Entry, Node};

use super::lines::{column, end_of_entry, is_flow, line_start};
use super::{Edit, Fix};

pub(in crate::check) static PAGE: Page = Page::new(
    "W092",
    "key-order",
    Severity::Info,
    "The keys of a rule stand in another order than in nearly all rules of the file.",
)
.why("A reader looks for the expression where it always is. A file keeps the order of the documentation (alert, expr, for, labels, annotations) or the alphabet; a rule that differs is reported when at least nine in ten others agree.")
.example("- expr: up == 0\n  alert: Down", "- alert: Down\n  expr: up == 0");

/// The order of the documentation.
const USUAL: [&str; 7] = [
    "record",
    "alert",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
];

/// Rules that must agree before an order counts as the file's.
const AGREEING_MIN: usize = 4;

/// Where a key stands in an order; unknown ones come first, and are no order.
type Rank = fn(&str) -> (Option<usize>, &str);

fn usual(key: &str) -> (Option<usize>, &str) {
    (USUAL.iter().position(|known| *known == key), "")
}

fn alphabetical(key: &str) -> (Option<usize>, &str) {
    (None, key)
}

/// Rules whose keys stand in another order than those of the file's other rules, with the fix.
pub(in crate::check) fn unordered_keys(file: &RuleFile) -> Vec<Finding> {
    let root = &file.document.root;
    let groups = root
        .entry("groups")
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    let rules: Vec<&Node> = groups
        .iter()
        .filter_map(|group| group.entry("rules").and_then(Node::as_sequence))
        .flatten()
        .filter(|rule| rule.as_mapping().is_some_and(|entries| entries.len() > 1))
        .collect();
    let sorted = |rule: &Node, rank: Rank| {
        let keys = rule.as_mapping().unwrap_or_default().iter();
        keys.filter_map(|entry| entry.key.as_str())
            .is_sorted_by_key(rank)
    };
    let follows = |rank: Rank| rules.iter().filter(|rule| sorted(rule, rank)).count();
    let ranks: [Rank; 2] = [usual, alphabetical];
    let Some((rank, agreeing)) = ranks
        .into_iter()
        .map(|rank| (rank, follows(rank)))
        .max_by_key(|(_, agreeing)| *agreeing)
    else {
        return Vec::new();
    };
    let others = rules.len() - agreeing;
    if agreeing < AGREEING_MIN || others * 10 > rules.len() {
        return Vec::new();
    }
    rules
        .into_iter()
        .filter(|rule| !sorted(rule, rank))
        .map(|rule| {
            let message = format!(
                "the keys of this rule stand in another order than in {agreeing} others of the file"
            );
            let name = ["alert", "record"]
                .iter()
                .find_map(|key| rule.entry(key)?.as_str());
            let place = rule
                .as_mapping()
                .and_then(|entries| entries.first())
                .map_or(rule, |entry| &entry.key);
            let finding = Finding::on_node(&PAGE, &file.name, &file.document, place, message);
            let finding = finding.with_rule("", name.unwrap_or_default());
            match reorder(&file.document.source, rule, rank) {
                Some(fix) => finding.with_fix(fix),
                None => finding,
            }
        })
        .collect()
}

fn reorder(source: &str, rule: &Node, rank: Rank) -> Option<Fix> {
    let entries = rule.as_mapping()?;
    if is_flow(source, rule) || entries.iter().any(|entry| entry.merged) {
        return None;
    }
    let segments = segments(source, entries)?;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|at| entries.get(*at).and_then(|e| e.key.as_str()).map(rank));
    let indent = " ".repeat(column(source, entries.first()?.key.span.start.offset));
    let mut text = String::new();
    for (position, at) in order.iter().enumerate() {
        let segment = *segments.get(*at)?;
        // A comment above a key cannot move behind the dash.
        if position == 0 && segment.trim_start().starts_with('#') {
            return None;
        }
        if position > 0 && *at == 0 {
            text.push_str(&indent);
        }
        text.push_str(if position == 0 {
            segment.trim_start()
        } else {
            segment
        });
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    let start = entries.first()?.key.span.start.offset;
    let end = start + segments.iter().map(|segment| segment.len()).sum::<usize>();
    Some(Fix {
        title: format!(
            "put the keys of the rule in line {} in order",
            rule.span.start.line
        ),
        edits: vec![Edit {
            bytes: start..end,
            text,
        }],
    })
}

/// The text of each entry with the comments above it; the first begins at its key.
fn segments<'s>(source: &'s str, entries: &[Entry]) -> Option<Vec<&'s str>> {
    let mut starts = vec![entries.first()?.key.span.start.offset];
    for entry in entries.iter().skip(1) {
        let key = entry.key.span.start.offset;
        let mut start = line_start(source, key);
        if !source.get(start..key)?.trim().is_empty() {
            return None;
        }
        while start > 0 {
            let above = line_start(source, start - 1);
            let is_comment = source.get(above..start)?.trim_start().starts_with('#');
            if !is_comment || above <= *starts.last()? {
                break;
            }
            start = above;
        }
        starts.push(start);
    }
    starts.push(end_of_entry(source, entries.last()?));
    starts
        .windows(2)
        .map(|pair| source.get(pair[0]..pair[1]))
        .collect()
}
