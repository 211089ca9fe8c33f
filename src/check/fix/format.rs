use crate::check::lint::Page;
use crate::check::{Finding, RuleFile, Severity};
use crate::promql::pretty;
use crate::rules::file::FileRule;
use crate::text::yaml::{Dialect, Entry, Node, Resolved, Style, parse_first};

use super::lines::{column, entry, next_line};
use super::{Edit, Fix};

pub(in crate::check) static PAGE: Page = Page::new(
    "W093",
    "unformatted-expression",
    Severity::Info,
    "An expression is not laid out as `promtool promql format` would.",
)
.on_demand()
.why("One layout for all expressions makes changes small and diffs readable. It is looked for with `--format-exprs`. Expressions with comments are left alone.")
.example("expr: sum(rate(errors_total[5m]))by(job)>1", "expr: sum by (job) (rate(errors_total[5m])) > 1");

/// Expressions whose layout differs from the usual one, with the fix.
pub fn unformatted(file: &RuleFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let groups = file
        .document
        .root
        .entry("groups")
        .and_then(Node::as_sequence);
    for (group, node) in file.groups.iter().zip(groups.unwrap_or_default()) {
        let nodes = node
            .entry("rules")
            .and_then(Node::as_sequence)
            .unwrap_or_default();
        let mut nodes = nodes.iter();
        for rule in &group.rules {
            let Some(expr) = nodes
                .by_ref()
                .find(|node| node.span == rule.place)
                .and_then(|node| entry(node, "expr"))
            else {
                break;
            };
            if let Some(fix) = reformat(file, rule, expr) {
                let message = "the expression is not laid out as usual";
                let finding =
                    Finding::on_node(&PAGE, &file.name, &file.document, &expr.value, message);
                findings.push(finding.with_rule(&group.name, &rule.name).with_fix(fix));
            }
        }
    }
    findings
}

fn reformat(file: &RuleFile, rule: &FileRule, expr: &Entry) -> Option<Fix> {
    let (source, node) = (&*file.document.source, &expr.value);
    let wanted = pretty(&rule.expr);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let style = node.style()?;
    // A folded text has no lines to lay out.
    let folds = style == Style::Folded && words(&rule.text) == words(&wanted);
    if rule.text.trim() == wanted.trim() || folds {
        return None;
    }
    let start = expr.key.span.end.offset;
    let end = match style {
        Style::Literal | Style::Folded => {
            let value = node.as_str()?;
            file.document
                .place_in_scalar(node, value.trim_end().len())
                .offset
        }
        _ => node.span.end.offset,
    };
    let before = source.get(start..node.span.start.offset)?;
    // Comments would be lost, and so would an anchor or a tag.
    if rule.text.contains('#') || before.contains(['#', '&', '!']) || node.tag.is_some() {
        return None;
    }
    let text = if wanted.contains('\n') {
        if !source.get(end..next_line(source, end))?.trim().is_empty() {
            return None;
        }
        let indent = " ".repeat(column(source, expr.key.span.start.offset) + 2);
        let lines: Vec<String> = wanted
            .lines()
            .map(|line| format!("{indent}{line}").trim_end().to_owned())
            .collect();
        // When the first line is indented the block must say by how much all are.
        let header = if wanted.starts_with(' ') { "|2" } else { "|" };
        format!(": {header}\n{}", lines.join("\n"))
    } else {
        format!(": {}", one_line(&wanted))
    };
    Some(Fix {
        title: format!("lay out the expression of {}", rule.name),
        edits: vec![Edit {
            bytes: start..end,
            text,
        }],
    })
}

/// A text as a YAML scalar on one line: plain where that means the text.
pub(super) fn one_line(text: &str) -> String {
    let plain = parse_first(&format!("- {text}")).ok().and_then(|document| {
        let item = document.root.as_sequence()?.first()?;
        Some(item.as_str() == Some(text) && item.resolve(Dialect::V2) == Some(Resolved::Text))
    });
    if plain == Some(true) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
