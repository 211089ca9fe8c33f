use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Labels;
use crate::rules::file::{self, FileOptions, FileRule, RuleGroupFile};
use crate::text::yaml::{self, Problem};

use super::{Finding, Severity};

/// What is to say on a rule file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RulesReport {
    /// How many rules were found; zero when the file is refused.
    pub rules: usize,
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Checks a rule file. `lint_duplicates`: rules of the same name and labels are findings too.
pub fn rules(
    name: &str,
    bytes: &[u8],
    options: &FileOptions,
    lint_duplicates: bool,
) -> RulesReport {
    let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(bytes));
    let parsed = yaml::utf8(bytes)
        .map_err(|problem| vec![problem])
        .and_then(|text| file::parse(text, options));
    match parsed {
        Ok(file) => RulesReport {
            rules: file.groups.iter().map(|group| group.rules.len()).sum(),
            findings: if lint_duplicates {
                duplicates(name, &source, &file)
            } else {
                Vec::new()
            },
        },
        Err(problems) => RulesReport {
            rules: 0,
            findings: problems
                .into_iter()
                .map(|problem| Finding::at(Severity::Error, name, &source, problem))
                .collect(),
        },
    }
}

/// compat: rules count as the same by their name and their own labels, whatever the group.
fn duplicates(name: &str, source: &Arc<str>, file: &RuleGroupFile) -> Vec<Finding> {
    let mut seen: BTreeMap<(String, Labels), &FileRule> = BTreeMap::new();
    let mut findings = Vec::new();
    for rule in file.groups.iter().flat_map(|group| &group.rules) {
        let labels = Labels::from_pairs(rule.labels.iter().cloned());
        let Some(first) = seen.get(&(rule.name.clone(), labels.clone())) else {
            seen.insert((rule.name.clone(), labels), rule);
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
        findings.push(Finding::at(Severity::Lint, name, source, problem));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_lints_with_a_place() {
        let text = b"groups:\n- name: a\n  rules:\n  - record: x\n    expr: 1\n  - record: x\n    expr: 2\n  - record: x\n    expr: 2\n    labels: {a: b}\n";
        let report = rules("f.yml", text, &FileOptions::default(), true);
        assert_eq!(report.rules, 3);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].severity, Severity::Lint);
        assert!(
            report.findings[0]
                .to_string()
                .starts_with("f.yml:6:5: duplicate rule: x without labels stands in line 4"),
            "{}",
            report.findings[0]
        );
        let report = rules("f.yml", text, &FileOptions::default(), false);
        assert!(report.findings.is_empty());
    }
}
