//! Plays a test group: loads its series, evaluates the rules tick by tick and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::compare;
use super::file::{AlertTest, ExprTest, TestGroup, UnitTestFile};
use super::load::{Input, load};
use crate::model::Labels;
use crate::promql::ast::Expr;
use crate::promql::engine::{Engine, QueryOptions};
use crate::promql::parser::{ParseOptions, parse};
use crate::rules::{AlertState, EvalContext, Expansion, Group, Rule, query};
use crate::storage::Storage;
use crate::storage::reference::ReferenceStorage;
use crate::text::yaml::Span as Place;
use crate::time::{Span, Timestamp};

/// Expands a template of a rule, with the external labels and URL of a test group, over a store.
pub type Expand<'a> =
    dyn Fn(&TestGroup, &dyn Storage, &Expansion<'_>) -> Result<String, String> + 'a;

/// What a run needs of its caller.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub struct Harness<'a> {
    /// Answers queries; its default subquery step must be the evaluation interval.
    pub engine: &'a Engine,
    /// Feature switches of the expression language.
    pub parse_options: &'a ParseOptions,
    /// Builds the groups of the rule files anew, with this interval for groups that name none.
    pub groups: &'a dyn Fn(Span) -> Vec<Group>,
    /// Expands a template of a rule, with the test's external labels and URL, over the storage.
    pub expand: &'a Expand<'a>,
}

/// Something that is not as the test expects it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Where the expectation stands in the test file.
    pub place: Place,
    /// What was expected and what was got, in promtool's words.
    pub message: String,
}

/// How a test group went.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupResult {
    /// The group's name; empty when it has none.
    pub name: String,
    /// What failed; nothing when all is well.
    pub failures: Vec<Failure>,
}

/// Plays every group of a file for which `wanted` says so.
pub fn run(
    file: &UnitTestFile,
    harness: &Harness<'_>,
    wanted: &dyn Fn(&TestGroup) -> bool,
) -> Vec<GroupResult> {
    let groups = file.tests.iter().filter(|group| wanted(group));
    groups
        .map(|group| GroupResult {
            name: group.name.clone(),
            failures: run_group(file, group, harness),
        })
        .collect()
}

fn run_group(file: &UnitTestFile, group: &TestGroup, harness: &Harness<'_>) -> Vec<Failure> {
    let mut input = match load(group) {
        Ok(input) => input,
        Err(failure) => return vec![failure],
    };
    let storage = ReferenceStorage::new();
    let mut failures = Vec::new();
    let mut play = Play {
        file,
        group,
        harness,
        storage: &storage,
        groups: ordered(file, (harness.groups)(group.interval)),
    };
    if !play.alerts(&mut input, &mut failures) {
        return failures;
    }
    input.feed(&storage, Timestamp::MAX);
    for test in &group.expr_tests {
        failures.extend(play.expression(test).err());
    }
    failures
}

/// Groups that the order does not name come first, as promtool has it; the order is otherwise stable.
fn ordered(file: &UnitTestFile, mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by_key(|group| {
        file.group_eval_order
            .iter()
            .position(|name| name == group.name())
            .unwrap_or(0)
    });
    groups
}

struct Play<'a> {
    file: &'a UnitTestFile,
    group: &'a TestGroup,
    harness: &'a Harness<'a>,
    storage: &'a ReferenceStorage,
    groups: Vec<Group>,
}

impl Play<'_> {
    /// Evaluates the rules from the start to the last time of interest. Gives whether it got to the end.
    fn alerts(&mut self, input: &mut Input, failures: &mut Vec<Failure>) -> bool {
        let step = self.file.evaluation_interval;
        let last = last_eval_time(self.group);
        let mut tests: BTreeMap<Span, Vec<&AlertTest>> = BTreeMap::new();
        for test in &self.group.alert_tests {
            tests.entry(test.eval_time).or_default().push(test);
        }
        let mut passed = Span::ZERO;
        while passed <= last {
            let now = self.group.start + passed;
            input.feed(self.storage, now);
            let errors = self.evaluate(now, passed);
            if !errors.is_empty() {
                failures.extend(errors);
                return false;
            }
            let next = Span::from_ms(passed.as_ms() + step.as_ms());
            // compat: a test between two evaluations looks at the earlier one.
            for (_, due) in tests.range(passed..next) {
                for test in due {
                    failures.extend(self.alert_test(test).err());
                }
            }
            passed = next;
        }
        true
    }

    fn evaluate(&mut self, now: Timestamp, passed: Span) -> Vec<Failure> {
        let (engine, storage, group, harness) =
            (self.harness.engine, self.storage, self.group, self.harness);
        let options = QueryOptions::default();
        let ask = |expr: &Expr, at: Timestamp| query::instant(engine, storage, expr, at, &options);
        let expand = |request: &Expansion<'_>| (harness.expand)(group, storage, request);
        let context = EvalContext {
            query: &ask,
            expand: &expand,
            storage,
            stopwatch: &|| Duration::ZERO,
        };
        let mut failures = Vec::new();
        for rules in &mut self.groups {
            for outcome in rules.evaluate(now, &context).rules {
                if let Some(error) = outcome.error {
                    let message =
                        format!("    rule: {}, time: {passed}, err: {error}", outcome.name);
                    failures.push(Failure {
                        place: group.place,
                        message,
                    });
                }
            }
        }
        failures
    }

    fn alert_test(&self, test: &AlertTest) -> Result<(), Failure> {
        let mut got = Vec::new();
        for rule in self.groups.iter().flat_map(Group::rules) {
            if let Rule::Alerting(rule) = rule
                && rule.name() == test.alertname
            {
                let firing = rule
                    .alerts()
                    .filter(|alert| alert.state == AlertState::Firing);
                got.extend(firing.map(|alert| (alert.labels.clone(), alert.annotations.clone())));
            }
        }
        compare::alerts(&self.group.name, test, got).map_err(|message| Failure {
            place: test.place,
            message,
        })
    }

    fn expression(&self, test: &ExprTest) -> Result<(), Failure> {
        let fail = |error: String| Failure {
            place: test.place,
            message: compare::expression_error(test, &error),
        };
        let expr = parse(&test.expr, self.harness.parse_options)
            .map_err(|errors| fail(errors.first().map_or_else(String::new, ToString::to_string)))?;
        let at = self.group.start + test.eval_time;
        let got = query::instant(
            self.harness.engine,
            self.storage,
            &expr,
            at,
            &QueryOptions::default(),
        )
        .map_err(|error| fail(error.to_string()))?;
        compare::samples(test, got, self.file.fuzzy_compare).map_err(|message| Failure {
            place: test.place,
            message,
        })
    }
}

fn last_eval_time(group: &TestGroup) -> Span {
    let alerts = group.alert_tests.iter().map(|test| test.eval_time);
    alerts
        .chain(group.expr_tests.iter().map(|test| test.eval_time))
        .max()
        .unwrap_or(Span::ZERO)
}

/// The alert names that a group's rules can produce; a test for another name is a slip of the pen.
pub fn alert_names(groups: &[Group]) -> BTreeSet<String> {
    let rules = groups.iter().flat_map(Group::rules);
    rules
        .filter(|rule| matches!(rule, Rule::Alerting(_)))
        .map(|rule| rule.name().to_owned())
        .collect()
}

/// Labels with their annotations.
pub(super) type GotAlert = (Labels, Labels);
