//! Which rules a test group needs: those that it asks about, those that feed them, and those whose
//! evaluation might fail, as an error fails the test whoever caused it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Labels, METRIC_NAME};
use crate::promql::ast::{Expr, ValueType, VectorSelector};
use crate::promql::parser::{ParseOptions, parse};
use crate::rules::file::FileRuleKind;

use super::file::TestGroup;
use super::graph::{Node, Reads, RuleGraph, equal_name};
use super::load::Input;
use super::shape::{Found, Shape, shape};

/// Inputs larger than this might exceed what a query may hold, so that any rule might fail.
const HARMLESS_SAMPLES: usize = 1_000_000;

/// The rules that a test group needs, by their index in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reach {
    /// Those that decide what the group asks about.
    pub(super) asked: BTreeSet<usize>,
    /// Those that are to be evaluated: the same and those that might fail, with what feeds them.
    pub(super) needed: BTreeSet<usize>,
}

/// Finds what a test group needs.
pub(super) fn reach(
    graph: &RuleGraph<'_>,
    group: &TestGroup,
    input: &Input,
    options: ParseOptions,
) -> Reach {
    let asked = asked(graph, group, options);
    let world = World::new(graph, input);
    let may_fail = (0..graph.rules.len()).filter(|rule| world.may_fail(*rule));
    let needed = closure(graph, asked.iter().copied().chain(may_fail));
    Reach { asked, needed }
}

fn asked(graph: &RuleGraph<'_>, group: &TestGroup, options: ParseOptions) -> BTreeSet<usize> {
    let names: BTreeSet<&str> = group
        .alert_tests
        .iter()
        .map(|test| &*test.alertname)
        .collect();
    let alerts = graph.rules.iter().enumerate().filter(|(_, node)| {
        node.rule.kind == FileRuleKind::Alerting && names.contains(&*node.rule.name)
    });
    let mut roots: Vec<usize> = alerts.map(|(index, _)| index).collect();
    for test in &group.expr_tests {
        // What does not parse fails later, at its place.
        let Ok(expr) = parse(&test.expr, &options) else {
            continue;
        };
        match graph.reads(&expr) {
            Reads::Rules(rules) => roots.extend(rules),
            Reads::Everything => roots.extend(0..graph.rules.len()),
        }
    }
    closure(graph, roots.into_iter())
}

/// The rules themselves and all that feed them.
fn closure(graph: &RuleGraph<'_>, roots: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<usize> = roots.collect();
    while let Some(index) = open.pop() {
        if !reached.insert(index) {
            continue;
        }
        match &graph.rules[index].reads {
            Reads::Rules(rules) => open.extend(rules),
            Reads::Everything => return (0..graph.rules.len()).collect(),
        }
    }
    reached
}

/// The series that there may be in a test group.
struct World<'a, 'r> {
    graph: &'a RuleGraph<'r>,
    by_name: BTreeMap<&'a str, Vec<(&'a Labels, bool)>>,
    /// Rules that may write something.
    live: BTreeSet<usize>,
    too_large: bool,
    /// Whether rules might hand histograms on.
    histograms: bool,
    /// What selectors find, by where the selector lies in memory: rules are asked again and again.
    found: RefCell<BTreeMap<usize, Found>>,
}

impl<'a, 'r> World<'a, 'r> {
    fn new(graph: &'a RuleGraph<'r>, input: &'a Input) -> Self {
        let mut by_name: BTreeMap<&str, Vec<(&Labels, bool)>> = BTreeMap::new();
        for (labels, histograms) in input.series() {
            let name = labels.get(METRIC_NAME).unwrap_or_default();
            by_name.entry(name).or_default().push((labels, histograms));
        }
        let mut world = Self {
            graph,
            by_name,
            live: BTreeSet::new(),
            too_large: input.len() > HARMLESS_SAMPLES,
            histograms: input.series().any(|(_, histograms)| histograms),
            found: RefCell::default(),
        };
        world.find_live();
        world
    }

    /// Rules may come alive through rules after them: until nothing changes.
    fn find_live(&mut self) {
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, node) in self.graph.rules.iter().enumerate() {
            let mut fed_by = BTreeSet::new();
            selectors(&node.rule.expr, &mut |selector| {
                fed_by.extend(self.graph.feeding(selector));
            });
            for feeder in fed_by {
                readers.entry(feeder).or_default().push(index);
            }
        }
        let mut open: Vec<usize> = (0..self.graph.rules.len()).rev().collect();
        while let Some(index) = open.pop() {
            if !self.live.contains(&index) && self.may_give(&self.graph.rules[index].rule.expr) {
                self.live.insert(index);
                open.extend(readers.get(&index).into_iter().flatten());
            }
        }
    }

    /// Whether an expression may have a result.
    fn may_give(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Number(_) | Expr::String(_) => true,
            Expr::VectorSelector(selector) => self.may_find(selector),
            Expr::MatrixSelector(matrix) => self.may_find(&matrix.selector),
            Expr::Subquery(subquery) => self.may_give(&subquery.expr),
            Expr::Paren(paren) => self.may_give(&paren.expr),
            Expr::Unary(unary) => self.may_give(&unary.expr),
            Expr::Aggregate(aggregate) => self.may_give(&aggregate.expr),
            Expr::Call(call) => {
                let of_nothing = ["absent", "absent_over_time", "scalar", "vector"];
                let mut vectors = call.args.iter().filter(|arg| {
                    matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix)
                });
                of_nothing.contains(&call.func.name)
                    || vectors.clone().next().is_none()
                    || vectors.any(|arg| self.may_give(arg))
            }
            Expr::Binary(binary) => {
                use crate::promql::ast::BinaryOp as Op;
                let filled = binary
                    .matching
                    .as_ref()
                    .is_some_and(|m| m.fill.lhs.is_some() || m.fill.rhs.is_some());
                let lhs = || self.may_give(&binary.lhs);
                let rhs = || self.may_give(&binary.rhs);
                match binary.op {
                    Op::Or => lhs() || rhs(),
                    Op::Unless => lhs(),
                    _ if filled => lhs() || rhs(),
                    _ => lhs() && rhs(),
                }
            }
        }
    }

    fn may_find(&self, selector: &VectorSelector) -> bool {
        self.inputs(selector).next().is_some()
            || self
                .graph
                .feeding(selector)
                .iter()
                .any(|rule| self.live.contains(rule))
    }

    /// The input series that a selector selects, and whether each holds histograms.
    fn inputs<'s>(
        &'s self,
        selector: &'s VectorSelector,
    ) -> impl Iterator<Item = (&'a Labels, bool)> + 's {
        let candidates: Box<dyn Iterator<Item = &(&'a Labels, bool)>> =
            match equal_name(&selector.matchers) {
                Some(name) => Box::new(self.by_name.get(name).into_iter().flatten()),
                None => Box::new(self.by_name.values().flatten()),
            };
        candidates.copied().filter(|(labels, _)| {
            selector
                .matchers
                .iter()
                .all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
        })
    }

    fn find(&self, selector: &VectorSelector) -> Found {
        let key = std::ptr::from_ref(selector).addr();
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let found = self.look(selector);
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    fn look(&self, selector: &VectorSelector) -> Found {
        let fed = self.graph.feeding(selector);
        let fed = fed.iter().any(|rule| self.live.contains(rule));
        let mut names = BTreeSet::new();
        let mut any = false;
        for (labels, histograms) in self.inputs(selector) {
            if histograms {
                return Found::Histograms;
            }
            any = true;
            let labels = labels.iter().map(|(name, _)| name);
            names.extend(
                labels
                    .filter(|name| *name != METRIC_NAME)
                    .map(str::to_owned),
            );
        }
        match (any, fed) {
            (false, false) => Found::Nothing,
            (_, true) if self.histograms => Found::Histograms,
            (_, true) => Found::Floats(None),
            (true, false) => Found::Floats(Some(names)),
        }
    }

    /// Whether evaluating a rule may fail.
    fn may_fail(&self, index: usize) -> bool {
        let node = &self.graph.rules[index];
        if self.too_large && self.live.contains(&index) {
            return true;
        }
        let Some(shape) = shape(&node.rule.expr, &|selector| self.find(selector)) else {
            return true;
        };
        match shape {
            // A text is no result of a rule.
            Shape::Scalar => node.rule.expr.value_type() != ValueType::Scalar,
            Shape::Empty => node.rule.expr.value_type() == ValueType::Matrix,
            Shape::Series(series) => {
                node.rule.expr.value_type() == ValueType::Matrix
                    || node.group.limit > 0 && !series.single
                    || !series.differ_without(label_names(node))
            }
        }
    }
}

/// The labels that a rule and its group set.
fn label_names<'r>(node: &Node<'r>) -> impl Iterator<Item = &'r str> + use<'r> {
    let pairs = node.rule.labels.iter().chain(&node.group.labels);
    let alertname = (node.rule.kind == FileRuleKind::Alerting).then_some("alertname");
    pairs.map(|(name, _)| name.as_str()).chain(alertname)
}

fn selectors<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e VectorSelector)) {
    expr.walk(|node| match node {
        Expr::VectorSelector(selector) => see(selector),
        Expr::MatrixSelector(matrix) => see(&matrix.selector),
        _ => {}
    });
}
