use std::collections::{BTreeMap, BTreeSet};

use crate::model::{MatchOp, Matcher};
use crate::promql::ast::PosRange;

/// Which labels the results of an expression carry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelFlow {
    /// Labels that every result has.
    pub guaranteed: BTreeSet<String>,
    /// Labels that somebody named on purpose (`by`, `on`, a matcher): whoever wrote the expression
    /// expects them. Contains the guaranteed ones.
    pub expected: BTreeSet<String>,
    /// Only these can be there; any when absent.
    pub only: Option<BTreeSet<String>>,
    /// Labels that no result has although others may, and where in the expression they went.
    pub excluded: BTreeMap<String, PosRange>,
    /// Where all labels but `only` went.
    pub closed_at: Option<PosRange>,
    /// Labels with the one value that they can have.
    pub fixed: BTreeMap<String, String>,
}

impl LabelFlow {
    /// Results without any label.
    pub fn none(at: PosRange) -> Self {
        Self {
            only: Some(BTreeSet::new()),
            closed_at: Some(at),
            ..Self::default()
        }
    }

    /// The labels of selected series.
    pub fn selected(matchers: &[Matcher], at: PosRange) -> Self {
        let mut flow = Self::default();
        for matcher in matchers.iter().filter(|m| m.name != "__name__") {
            if !matcher.matches_empty() {
                flow.guaranteed.insert(matcher.name.clone());
                flow.expected.insert(matcher.name.clone());
            }
            match matcher.op {
                MatchOp::Equal if matcher.value.is_empty() => {
                    flow.excluded.insert(matcher.name.clone(), at);
                }
                MatchOp::Equal => {
                    flow.fixed
                        .insert(matcher.name.clone(), matcher.value.clone());
                }
                _ => {}
            }
        }
        flow
    }

    /// Whether a result can have the label.
    pub fn can_have(&self, label: &str) -> bool {
        !self.excluded.contains_key(label)
            && self.only.as_ref().is_none_or(|only| only.contains(label))
    }

    /// Where in the expression the label went, when no result can have it.
    pub fn lost_at(&self, label: &str) -> Option<PosRange> {
        if self.can_have(label) {
            return None;
        }
        self.excluded.get(label).copied().or(self.closed_at)
    }

    /// Whether results have no label at all.
    pub fn is_bare(&self) -> bool {
        self.only.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Keeps nothing but these labels.
    pub fn keep(&mut self, labels: &[String], at: PosRange) {
        let kept: BTreeSet<String> = labels
            .iter()
            .filter(|label| self.can_have(label))
            .cloned()
            .collect();
        for label in labels.iter().filter(|label| !kept.contains(*label)) {
            let lost = self.lost_at(label).unwrap_or(at);
            self.excluded.insert(label.clone(), lost);
        }
        self.guaranteed.retain(|label| kept.contains(label));
        self.fixed.retain(|label, _| kept.contains(label));
        self.expected.clone_from(&kept);
        self.excluded.retain(|label, _| labels.contains(label));
        // Whoever asks where a label went wants the first place that dropped all the others.
        if self.only.is_none() || self.closed_at.is_none() {
            self.closed_at = Some(at);
        }
        self.only = Some(kept);
    }

    /// Drops these labels.
    pub fn drop_all(&mut self, labels: &[String], at: PosRange) {
        for label in labels {
            self.drop_one(label, at);
        }
    }

    /// Drops a label.
    pub fn drop_one(&mut self, label: &str, at: PosRange) {
        self.guaranteed.remove(label);
        self.expected.remove(label);
        self.fixed.remove(label);
        let was_possible = self.can_have(label);
        if let Some(only) = &mut self.only {
            only.remove(label);
        }
        if was_possible {
            self.excluded.insert(label.to_owned(), at);
        }
    }

    /// Makes a label possible; `sure` when every result has it then.
    pub fn add(&mut self, label: &str, sure: bool) {
        self.excluded.remove(label);
        self.fixed.remove(label);
        if let Some(only) = &mut self.only {
            only.insert(label.to_owned());
        }
        self.expected.insert(label.to_owned());
        if sure {
            self.guaranteed.insert(label.to_owned());
        }
    }

    /// The labels of `a or b`.
    pub fn either(&self, other: &Self) -> Self {
        let both =
            |a: &BTreeSet<String>, b: &BTreeSet<String>| a.intersection(b).cloned().collect();
        let only = match (&self.only, &other.only) {
            (Some(a), Some(b)) => Some(a.union(b).cloned().collect()),
            _ => None,
        };
        Self {
            guaranteed: both(&self.guaranteed, &other.guaranteed),
            expected: both(&self.expected, &other.expected),
            only,
            excluded: self
                .excluded
                .iter()
                .filter(|(label, _)| !other.can_have(label))
                .map(|(label, at)| (label.clone(), *at))
                .collect(),
            closed_at: self.closed_at.or(other.closed_at),
            fixed: self
                .fixed
                .iter()
                .filter(|(label, value)| other.fixed.get(*label) == Some(value))
                .map(|(label, value)| (label.clone(), value.clone()))
                .collect(),
        }
    }

    /// Takes over what another side of a match on `labels` (all when `None`) knows: both have the same.
    pub fn agree(&mut self, other: &Self, shared: impl Fn(&str) -> bool) {
        for label in other.guaranteed.iter().filter(|label| shared(label)) {
            self.guaranteed.insert(label.clone());
            self.expected.insert(label.clone());
        }
        for (label, value) in other.fixed.iter().filter(|(label, _)| shared(label)) {
            self.fixed
                .entry(label.clone())
                .or_insert_with(|| value.clone());
        }
        for (label, at) in other.excluded.iter().filter(|(label, _)| shared(label)) {
            if self.can_have(label) && !self.guaranteed.contains(label) {
                self.drop_one(label, *at);
            }
        }
        let Some(theirs) = &other.only else {
            return;
        };
        let at = other.closed_at.unwrap_or_default();
        match &self.only {
            Some(ours) => {
                let gone: Vec<String> = ours
                    .iter()
                    .filter(|label| shared(label) && !theirs.contains(*label))
                    .cloned()
                    .collect();
                self.drop_all(&gone, at);
            }
            // What is not shared stays possible, so nothing can be said for an open set unless all is.
            None if shared("") => {
                self.guaranteed.retain(|label| theirs.contains(label));
                self.expected.retain(|label| theirs.contains(label));
                self.fixed.retain(|label, _| theirs.contains(label));
                self.only = Some(theirs.clone());
                self.closed_at = Some(at);
            }
            None => {}
        }
    }
}
