use std::ops::Range;
use std::sync::Arc;

use crate::rules::file::{self, FileGroup, FileOptions};
use crate::text::yaml::{self, Document, Node};

use super::lint::{duplicate, errors};
use super::{Finding, RuleName, fix};

/// What is to say on a rule file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RulesReport {
    /// How many rules were found; zero when the file is refused.
    pub rules: usize,
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
}

/// A rule file as the checks see it: the tree it was written as, and the rules that are right.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// The file's name as it was given.
    pub name: String,
    /// The text of the whole file, and the node that holds `groups`: the file's root, or the `spec` of a
    /// Kubernetes object.
    pub document: Document,
    /// The groups with the rules that are right.
    pub groups: Vec<FileGroup>,
}

impl RuleFile {
    /// Reads the groups of a document; what is wrong with the others comes as findings.
    pub fn new(name: &str, document: Document, options: &FileOptions) -> (Self, Vec<Finding>) {
        let (read, problems) = file::read(&document, &document.root, options);
        let moves = fix::of_misplaced_fields(&document, &problems);
        let doubles = fix::of_duplicate_keys(&document, &problems);
        let places = if problems.is_empty() {
            RulePlaces::default()
        } else {
            RulePlaces::new(&document.root)
        };
        let findings = problems
            .into_iter()
            .zip(moves.into_iter().zip(doubles))
            .map(|(problem, (moved, double))| {
                let rule = places.rule_at(problem.offset);
                let mut finding = Finding::refused(&errors::RULE, name, &document.source, problem);
                finding.rule = rule;
                match moved.or(double) {
                    Some(fix) => finding.with_fix(fix),
                    None => finding,
                }
            })
            .collect();
        let file = Self {
            name: name.to_owned(),
            document,
            groups: read.groups,
        };
        (file, findings)
    }

    /// Reads the first document of a text. There is no file when the text is no YAML.
    pub fn parse(name: &str, bytes: &[u8], options: &FileOptions) -> (Option<Self>, Vec<Finding>) {
        match yaml::utf8(bytes).and_then(yaml::parse_first) {
            Ok(document) => {
                let (file, findings) = Self::new(name, document, options);
                (Some(file), findings)
            }
            Err(problem) => {
                let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(bytes));
                let finding = Finding::refused(&errors::RULE, name, &source, problem);
                let finding = match fix::of_unquoted_templates(&source) {
                    Some(fix) => finding.with_fix(fix),
                    None => finding,
                };
                (None, vec![finding])
            }
        }
    }

    /// How many rules are right.
    pub fn rule_count(&self) -> usize {
        self.groups.iter().map(|group| group.rules.len()).sum()
    }
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    let items = node.entry(key).and_then(Node::as_sequence);
    items.unwrap_or_default()
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.entry(key)?.as_str()
}

/// Where the rules of a document stand, those that are wrong too.
#[derive(Default)]
struct RulePlaces(Vec<(Range<usize>, RuleName)>);

impl RulePlaces {
    fn new(root: &Node) -> Self {
        let mut places = Vec::new();
        for group in items(root, "groups") {
            for rule in items(group, "rules") {
                let name = text(rule, "alert").or_else(|| text(rule, "record"));
                let name = RuleName {
                    group: text(group, "name").unwrap_or_default().to_owned(),
                    name: name.unwrap_or_default().to_owned(),
                };
                places.push((rule.span.start.offset..rule.span.end.offset, name));
            }
        }
        places.sort_by_key(|(bytes, _)| bytes.start);
        Self(places)
    }

    fn rule_at(&self, offset: usize) -> Option<RuleName> {
        let after = self.0.partition_point(|(bytes, _)| bytes.start <= offset);
        let (bytes, name) = self.0.get(after.checked_sub(1)?)?;
        (offset <= bytes.end && !name.name.is_empty()).then(|| name.clone())
    }
}

/// Checks a rule file. `lint_duplicates`: rules of the same name and labels are findings too.
pub fn rules(
    name: &str,
    bytes: &[u8],
    options: &FileOptions,
    lint_duplicates: bool,
) -> RulesReport {
    match RuleFile::parse(name, bytes, options) {
        (Some(file), findings) if findings.is_empty() => RulesReport {
            rules: file.rule_count(),
            findings: if lint_duplicates {
                duplicate::find(&file)
            } else {
                Vec::new()
            },
        },
        (_, findings) => RulesReport { rules: 0, findings },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    #[test]
    fn duplicates_are_lints_with_a_place() {
        let text = b"groups:\n- name: a\n  rules:\n  - record: x\n    expr: 1\n  - record: x\n    expr: 2\n  - record: x\n    expr: 2\n    labels: {a: b}\n";
        let report = rules("f.yml", text, &FileOptions::default(), true);
        assert_eq!(report.rules, 3);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].severity, Severity::Lint);
        assert_eq!(report.findings[0].id(), "W001");
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

    #[test]
    fn mistakes_carry_their_ids() {
        for (rule, id) in [
            ("- alert: A\n    expr: up\n    severity: x", "E002"),
            ("- alert: A\n    expr: up\n    expr: up", "E003"),
            ("- alert: A\n    expr: [up]", "E004"),
            ("- alert: A\n    expr: up{", "E005"),
            (
                "- alert: A\n    expr: up\n    labels: {a: '{{ $x }}'}",
                "E006",
            ),
            ("- alert: A\n    record: b\n    expr: up", "E007"),
            ("- alert: {{ a", "E001"),
        ] {
            let text = format!("groups:\n- name: a\n  rules:\n  {rule}\n");
            let report = rules("f.yml", text.as_bytes(), &FileOptions::default(), true);
            assert_eq!(report.findings[0].id(), id, "{rule}");
            let named = report.findings[0].rule.as_ref();
            let wanted = (id != "E001").then_some("A");
            assert_eq!(named.map(|rule| rule.name.as_str()), wanted, "{rule}");
        }
    }

    #[test]
    fn a_mistake_in_a_block_scalar_is_told_in_both() {
        let text =
            b"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: |\n      sum(up)\n      + foo bar\n";
        let report = rules("f.yml", text, &FileOptions::default(), true);
        let finding = &report.findings[0];
        let place = finding.place.as_ref().unwrap();
        assert_eq!((place.line, place.column), (7, 13));
        let within = finding.within.as_ref().unwrap();
        assert_eq!((within.line, within.column), (2, 7));
    }
}
