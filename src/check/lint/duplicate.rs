use std::collections::BTreeMap;

use crate::check::{Finding, RuleFile, Severity};
use crate::model::Labels;
use crate::rules::file::FileRule;
use crate::text::yaml::Problem;

use super::Page;

pub(in crate::check) static PAGE: Page = Page::new(
    "W001",
    "duplicate-rules",
    Severity::Lint,
    "Two rules of a file have the same name and the same labels.",
)
.pint("rule/duplicate")
.why("Two recording rules of one name write into the same series: which value wins is chance. Two alerts of one name and the same labels replace each other at the router.")
.example(
    "- record: job:up:sum\n  expr: sum by (job) (up)\n- record: job:up:sum\n  expr: count by (job) (up)",
    "- record: job:up:sum\n  expr: sum by (job) (up)\n- record: job:up:count\n  expr: count by (job) (up)",
);

/// compat: rules count as the same by their name and their own labels, whatever the group.
pub(in crate::check) fn find(file: &RuleFile) -> Vec<Finding> {
    let mut seen: BTreeMap<(&str, Labels), &FileRule> = BTreeMap::new();
    let mut findings = Vec::new();
    for group in &file.groups {
        for rule in &group.rules {
            let labels = Labels::from_pairs(rule.labels.iter().cloned());
            let Some(first) = seen.get(&(rule.name.as_str(), labels.clone())) else {
                seen.insert((&rule.name, labels), rule);
                continue;
            };
            let shown = if labels.is_empty() {
                "without labels".to_owned()
            } else {
                format!("with the labels {labels}")
            };
            let message = format!(
                "duplicate rule: {} {shown} stands in line {} already; might cause inconsistency while recording expressions",
                rule.name, first.place.start.line
            );
            let hint = "give one of them another name or a label of its own";
            let problem = Problem::at(rule.place.start, message).with_hint(hint);
            let finding = Finding::at(&PAGE, &file.name, &file.document.source, problem);
            findings.push(finding.with_rule(&group.name, &rule.name));
        }
    }
    findings
}
