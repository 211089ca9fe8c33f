//! Which rules and which of their branches did the unit tests see?

use std::collections::BTreeMap;

use crate::rules::file::FileRuleKind;
use crate::rules::unit_test::{GroupResult, LoadedGroup, RuleCoverage, RuleGraph};
use crate::time::Span;

use super::TestReport;

/// A rule, and what it did while tests asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredRule {
    /// Its file.
    pub file: String,
    /// Its group.
    pub group: String,
    /// The alert or the recorded metric.
    pub name: String,
    /// The line it begins in.
    pub line: usize,
    /// Whether it records or alerts.
    pub kind: FileRuleKind,
    /// `for`
    pub hold: Span,
    /// What it did; `None` when no test reaches it.
    pub seen: Option<RuleCoverage>,
}

/// Something that a rule can do and a test should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// What it is, after the rule's name: `fires`.
    pub name: &'static str,
    /// Whether it was seen.
    pub seen: bool,
}

impl CoveredRule {
    /// What the rule can do.
    pub fn branches(&self) -> Vec<Branch> {
        let seen = self.seen.unwrap_or_default();
        let branch = |name, seen| Branch { name, seen };
        if self.kind == FileRuleKind::Recording {
            return vec![branch("gives a result", seen.gave_result)];
        }
        let mut branches = vec![
            branch("fires", seen.fired),
            branch("is silent", seen.silent),
        ];
        if self.hold > Span::ZERO {
            branches.push(branch("`for` is reached", seen.hold_reached));
        }
        branches.push(branch("is resolved", seen.cleared));
        branches
    }
}

/// What all tests together saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Every rule once, by file, in the order of the files.
    pub rules: Vec<CoveredRule>,
}

impl Coverage {
    /// Adds up what the reports tell of the same rules.
    pub fn of(reports: &[TestReport]) -> Self {
        let mut index: BTreeMap<(&str, &str, usize), usize> = BTreeMap::new();
        let mut rules: Vec<CoveredRule> = Vec::new();
        for rule in reports.iter().flat_map(|report| &report.rules) {
            let key = (rule.file.as_str(), rule.group.as_str(), rule.line);
            let free = rules.len();
            let at = *index.entry(key).or_insert(free);
            match rules.get_mut(at) {
                None => rules.push(rule.clone()),
                Some(known) => match (&mut known.seen, &rule.seen) {
                    (Some(known), Some(more)) => known.merge(more),
                    (known @ None, more) => *known = *more,
                    (Some(_), None) => {}
                },
            }
        }
        Self { rules }
    }

    /// Rules that a test reaches, and all.
    pub fn rule_counts(&self) -> (usize, usize) {
        let reached = self.rules.iter().filter(|rule| rule.seen.is_some());
        (reached.count(), self.rules.len())
    }

    /// Branches that a test saw, and all.
    pub fn branch_counts(&self) -> (usize, usize) {
        let branches: Vec<Branch> = self.rules.iter().flat_map(CoveredRule::branches).collect();
        let seen = branches.iter().filter(|branch| branch.seen);
        (seen.count(), branches.len())
    }
}

/// The rules of a test file, with what its groups saw of them.
pub(super) fn of_file(
    groups: &[LoadedGroup],
    graph: &RuleGraph<'_>,
    results: &[GroupResult],
) -> Vec<CoveredRule> {
    let mut seen: BTreeMap<usize, RuleCoverage> = BTreeMap::new();
    for coverage in results.iter().flat_map(|result| &result.coverage) {
        seen.entry(coverage.rule)
            .or_insert(*coverage)
            .merge(coverage);
    }
    let rules = (0..graph.len()).filter_map(|index| {
        let at = graph.place(index)?;
        let loaded = groups.get(at.group)?;
        let rule = loaded.group.rules.get(at.rule)?;
        Some(CoveredRule {
            file: loaded.file.clone(),
            group: loaded.group.name.clone(),
            name: rule.name.clone(),
            line: rule.place.start.line,
            kind: rule.kind,
            hold: rule.hold,
            seen: seen.get(&index).copied(),
        })
    });
    rules.collect()
}
