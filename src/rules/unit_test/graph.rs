//! Which rules feed which: the selectors of every rule and the rules whose series they may select.
//!
//! The graph is made once for the rule files of a test file; what a test group needs of it is found in
//! [`super::reach`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{METRIC_NAME, MatchOp, Matcher};
use crate::promql::ast::{Expr, VectorSelector};
use crate::rules::file::{FileGroup, FileRule, FileRuleKind};

/// The series that every alerting rule writes.
const ALERT_SERIES: [&str; 2] = ["ALERTS", "ALERTS_FOR_STATE"];

/// A group of a rule file, with the file's name.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedGroup {
    /// The file, as it is named in messages.
    pub file: String,
    /// The group; test files may share it.
    pub group: Arc<FileGroup>,
}

/// A rule in the graph: which group, and which rule of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleAt {
    /// The group's index.
    pub group: usize,
    /// The rule's index in the group.
    pub rule: usize,
}

/// What a rule reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Reads {
    /// Nothing else than what these rules write, and input.
    Rules(BTreeSet<usize>),
    /// Who knows: its template asks queries of its own.
    #[default]
    Everything,
}

/// The rules of a test file and who feeds whom.
#[derive(Debug, Clone)]
pub struct RuleGraph<'r> {
    pub(super) rules: Vec<Node<'r>>,
    producers: Producers<'r>,
}

/// A rule, its place, and the rules that it reads.
#[derive(Debug, Clone)]
pub(super) struct Node<'r> {
    pub(super) at: RuleAt,
    pub(super) group: &'r FileGroup,
    pub(super) rule: &'r FileRule,
    pub(super) reads: Reads,
}

/// Rules by the names of the series that they write.
#[derive(Debug, Clone, Default)]
struct Producers<'r> {
    recording: BTreeMap<&'r str, Vec<usize>>,
    alerting: Vec<usize>,
}

impl<'r> RuleGraph<'r> {
    /// Looks at every rule of `groups`.
    pub fn new(groups: &'r [LoadedGroup]) -> Self {
        let mut graph = Self {
            rules: Vec::new(),
            producers: Producers::default(),
        };
        for (group_index, loaded) in groups.iter().enumerate() {
            for (rule_index, rule) in loaded.group.rules.iter().enumerate() {
                let index = graph.rules.len();
                match rule.kind {
                    FileRuleKind::Recording => graph
                        .producers
                        .recording
                        .entry(&rule.name)
                        .or_default()
                        .push(index),
                    FileRuleKind::Alerting => graph.producers.alerting.push(index),
                }
                graph.rules.push(Node {
                    at: RuleAt {
                        group: group_index,
                        rule: rule_index,
                    },
                    group: &loaded.group,
                    rule,
                    reads: Reads::Everything,
                });
            }
        }
        for index in 0..graph.rules.len() {
            let node = &graph.rules[index];
            graph.rules[index].reads = if asks_queries(node) {
                Reads::Everything
            } else {
                graph.reads(&node.rule.expr)
            };
        }
        graph
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The place of a rule.
    pub fn place(&self, index: usize) -> Option<RuleAt> {
        self.rules.get(index).map(|node| node.at)
    }

    /// The rules that an expression reads.
    pub(super) fn reads(&self, expr: &Expr) -> Reads {
        let mut fed_by = BTreeSet::new();
        let mut everything = false;
        expr.walk(|node| match node {
            Expr::VectorSelector(selector) => fed_by.extend(self.feeding(selector)),
            Expr::MatrixSelector(matrix) => fed_by.extend(self.feeding(&matrix.selector)),
            // It selects info metrics that the expression does not name.
            Expr::Call(call) if call.func.name == "info" => everything = true,
            _ => {}
        });
        if everything {
            Reads::Everything
        } else {
            Reads::Rules(fed_by)
        }
    }

    /// The rules whose series a selector may select.
    pub(super) fn feeding(&self, selector: &VectorSelector) -> Vec<usize> {
        let named = equal_name(&selector.matchers);
        let mut found = Vec::new();
        let mut add = |name: &str, rules: &[usize]| {
            if !matches_name(&selector.matchers, name) {
                return;
            }
            let fits = |index: &&usize| {
                let node = &self.rules[**index];
                may_write(node, name, &selector.matchers)
            };
            found.extend(rules.iter().filter(fits).copied());
        };
        match named {
            Some(name) => {
                if let Some(rules) = self.producers.recording.get(name) {
                    add(name, rules);
                }
            }
            None => {
                for (name, rules) in &self.producers.recording {
                    add(name, rules);
                }
            }
        }
        for name in ALERT_SERIES {
            add(name, &self.producers.alerting);
        }
        found
    }
}

/// The metric name that a selector asks for, when it asks for one.
pub(super) fn equal_name(matchers: &[Matcher]) -> Option<&str> {
    matchers
        .iter()
        .find(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal && !m.value.is_empty())
        .map(|m| m.value.as_str())
}

fn matches_name(matchers: &[Matcher], name: &str) -> bool {
    matchers
        .iter()
        .filter(|m| m.name == METRIC_NAME)
        .all(|m| m.matches(name))
}

/// Whether a rule may write a series of that name which fulfils the matchers. Labels that a rule sets
/// are known unless they are templates; any other label may have any value.
fn may_write(node: &Node<'_>, series: &str, matchers: &[Matcher]) -> bool {
    let alerting = node.rule.kind == FileRuleKind::Alerting;
    matchers.iter().all(|matcher| {
        if matcher.name == METRIC_NAME {
            return true;
        }
        if alerting && matcher.name == "alertname" {
            return matcher.matches(&node.rule.name);
        }
        if alerting && series == "ALERTS" && matcher.name == "alertstate" {
            return ["pending", "firing"].iter().any(|s| matcher.matches(s));
        }
        match label(node, &matcher.name) {
            Some(value) if !alerting || !value.contains("{{") => matcher.matches(value),
            _ => true,
        }
    })
}

/// The value that a rule or its group gives a label.
fn label<'r>(node: &Node<'r>, name: &str) -> Option<&'r str> {
    let of = |pairs: &'r [(String, String)]| {
        let pair = pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    };
    of(&node.rule.labels).or_else(|| of(&node.group.labels))
}

/// Whether a template of an alert may ask queries.
fn asks_queries(node: &Node<'_>) -> bool {
    let (rule, group) = (node.rule, node.group);
    rule.kind == FileRuleKind::Alerting
        && rule
            .labels
            .iter()
            .chain(&rule.annotations)
            .chain(&group.labels)
            .any(|(_, text)| text.contains("{{") && text.contains("query"))
}
