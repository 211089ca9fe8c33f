//! What the rules did during a test group: the branches that unit tests should have seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::{AlertState, Rule};
use crate::time::Span;

/// What a rule did while a test group asked about it, itself or through rules that it feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleCoverage {
    /// The rule's index in the graph.
    pub rule: usize,
    /// Whether it gave a result at least once.
    pub gave_result: bool,
    /// Whether a test looked while it fired.
    pub fired: bool,
    /// Whether a test looked while it did not fire.
    pub silent: bool,
    /// Whether an alert became firing after its `for`.
    pub hold_reached: bool,
    /// Whether an alert that fired was resolved.
    pub cleared: bool,
}

impl RuleCoverage {
    /// Both together.
    pub fn merge(&mut self, other: &Self) {
        self.gave_result |= other.gave_result;
        self.fired |= other.fired;
        self.silent |= other.silent;
        self.hold_reached |= other.hold_reached;
        self.cleared |= other.cleared;
    }
}

/// Collects what happens.
#[derive(Debug, Default)]
pub(super) struct Observed(BTreeMap<usize, RuleCoverage>);

impl Observed {
    /// Watches these rules.
    pub(super) fn of(rules: BTreeSet<usize>) -> Self {
        let start = |rule| {
            let coverage = RuleCoverage {
                rule,
                ..RuleCoverage::default()
            };
            (rule, coverage)
        };
        Self(rules.into_iter().map(start).collect())
    }

    pub(super) fn evaluated(&mut self, index: usize, rule: &Rule, samples: usize) {
        let Some(coverage) = self.0.get_mut(&index) else {
            return;
        };
        match rule {
            Rule::Recording(_) => coverage.gave_result |= samples > 0,
            Rule::Alerting(rule) => {
                for alert in rule.alerts() {
                    let firing = alert.state == AlertState::Firing;
                    coverage.gave_result |= alert.state != AlertState::Inactive;
                    coverage.hold_reached |= firing && rule.options().hold > Span::ZERO;
                    coverage.cleared |=
                        alert.state == AlertState::Inactive && alert.fired_at.is_some();
                }
            }
        }
    }

    /// A test looked at an alert.
    pub(super) fn asked_about(&mut self, index: usize, firing: bool) {
        if let Some(coverage) = self.0.get_mut(&index) {
            coverage.fired |= firing;
            coverage.silent |= !firing;
        }
    }

    pub(super) fn finish(self) -> Vec<RuleCoverage> {
        self.0.into_values().collect()
    }
}
