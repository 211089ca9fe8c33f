//! Plays a test group: loads its series, evaluates the rules tick by tick and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compare::{self, AlertSeen, Difference, SampleSeen};
use super::coverage::{Observed, RuleCoverage};
use super::file::{AlertTest, ExprTest, TestGroup, UnitTestFile};
use super::graph::{LoadedGroup, RuleGraph};
use super::load::{Input, load};
use super::reach::{Reach, reach};
use crate::model::Labels;
use crate::promql::ast::Expr;
use crate::promql::engine::{Engine, QueryOptions};
use crate::promql::parser::{ParseOptions, parse};
use crate::rules::query::{self, TemplateScope};
use crate::rules::{AlertState, EvalContext, Expansion, Group, Rule};
use crate::storage::reference::ReferenceStorage;
use crate::text::yaml::Span as Place;
use crate::time::{Span, Timestamp};

/// What a run needs of its caller. Runs of several groups may share one.
#[derive(Debug, Clone, Copy)]
pub struct Harness<'a> {
    /// Answers queries; its default subquery step must be the evaluation interval.
    pub engine: &'a Engine,
    /// Feature switches of the expression language.
    pub parse_options: &'a ParseOptions,
    /// The groups of the rule files, in order.
    pub groups: &'a [LoadedGroup],
    /// Who feeds whom among them.
    pub graph: &'a RuleGraph<'a>,
    /// Whether rules that can neither decide nor fail the test group are evaluated all the same.
    pub every_rule: bool,
    /// Whether results come with all series at the end.
    pub dump: bool,
}

/// Something that is not as the test expects it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where the expectation stands in the test file.
    pub place: Place,
    /// What it is about, in short: `Down at 5m`.
    pub about: String,
    /// What was expected and what was got, in promtool's words.
    pub message: String,
    /// The same as data; none when something could not be evaluated.
    pub difference: Option<Box<Difference>>,
}

/// Something odd that is no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where it stands in the test file.
    pub place: Place,
    /// What is odd.
    pub message: String,
}

/// How a test group went.
#[derive(Debug, Clone, Default)]
pub struct GroupResult {
    /// The group's name; empty when it has none.
    pub name: String,
    /// Where the group stands in the file.
    pub place: Place,
    /// What failed; nothing when all is well.
    pub failures: Vec<Failure>,
    /// What is odd.
    pub remarks: Vec<Remark>,
    /// What the rules did that decide the group's tests.
    pub coverage: Vec<RuleCoverage>,
    /// All series at the end, if asked for.
    pub dump: Option<Dump>,
}

/// All series at a time.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The time after the start.
    pub at: Span,
    /// The series with their values there.
    pub series: Vec<SampleSeen>,
}

/// Plays one group of a file.
pub fn run_group(file: &UnitTestFile, group: &TestGroup, harness: &Harness<'_>) -> GroupResult {
    let mut result = GroupResult {
        name: group.name.clone(),
        place: group.place,
        ..GroupResult::default()
    };
    let mut input = match load(group) {
        Ok(input) => input,
        Err(failure) => {
            result.failures.push(failure);
            return result;
        }
    };
    result.remarks = input.ends_early(last_eval_time(group));
    result.remarks.extend(unknown_alerts(group, harness));
    let mut reach = reach(harness.graph, group, &input, *harness.parse_options);
    if harness.every_rule {
        reach.needed = (0..harness.graph.len()).collect();
    }
    let storage = ReferenceStorage::new();
    let mut play = Play {
        file,
        group,
        harness,
        storage: &storage,
        groups: build(file, group, harness, &reach),
        observed: Observed::of(reach.asked),
    };
    if play.alerts(&mut input, &mut result.failures) {
        input.feed(&storage, Timestamp::MAX);
        for test in &group.expr_tests {
            result.failures.extend(play.expression(test).err());
        }
    }
    if harness.dump {
        result.dump = Some(play.dump());
    }
    result.coverage = play.observed.finish();
    result
}

/// A test for an alert that no rule makes is most likely a slip of the pen.
fn unknown_alerts(group: &TestGroup, harness: &Harness<'_>) -> Vec<Remark> {
    let known = |name: &str| {
        let mut nodes = harness.graph.rules.iter();
        nodes.any(|node| {
            node.rule.kind == crate::rules::file::FileRuleKind::Alerting && node.rule.name == name
        })
    };
    let unknown = group
        .alert_tests
        .iter()
        .filter(|test| !known(&test.alertname));
    unknown
        .map(|test| Remark {
            place: test.place,
            message: format!("no rule makes an alert {}", test.alertname),
        })
        .collect()
}

/// A group of rules that is evaluated, and each rule's index in the graph.
struct Playing {
    group: Group,
    indexes: Vec<usize>,
}

/// The groups with the rules that are needed, in the order in which they are evaluated.
fn build(
    file: &UnitTestFile,
    group: &TestGroup,
    harness: &Harness<'_>,
    reach: &Reach,
) -> Vec<Playing> {
    let mut indexes: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for index in &reach.needed {
        if let Some(at) = harness.graph.place(*index) {
            indexes.entry(at.group).or_default().push((at.rule, *index));
        }
    }
    let mut playing: Vec<Playing> = indexes
        .into_iter()
        .filter_map(|(at, rules)| {
            let LoadedGroup {
                file,
                group: rule_group,
            } = harness.groups.get(at)?;
            let wanted = |rule: usize| {
                rules
                    .binary_search_by_key(&rule, |(known, _)| *known)
                    .is_ok()
            };
            let options = rule_group.options_of(file, group.interval, Span::ZERO, &wanted);
            Some(Playing {
                group: Group::new(options),
                indexes: rules.iter().map(|(_, index)| *index).collect(),
            })
        })
        .collect();
    // compat: groups that the order does not name come first; it is otherwise stable.
    playing.sort_by_key(|playing| {
        file.group_eval_order
            .iter()
            .position(|name| name == playing.group.name())
            .unwrap_or(0)
    });
    playing
}

struct Play<'a> {
    file: &'a UnitTestFile,
    group: &'a TestGroup,
    harness: &'a Harness<'a>,
    storage: &'a ReferenceStorage,
    groups: Vec<Playing>,
    observed: Observed,
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
            let next = Span::from_ms(passed.as_ms().saturating_add(step.as_ms()));
            // compat: a test between two evaluations looks at the earlier one.
            for (_, due) in tests.range(passed..next) {
                for test in due {
                    failures.extend(self.alert_test(test).err());
                }
            }
            if next <= passed {
                break;
            }
            passed = next;
        }
        true
    }

    fn evaluate(&mut self, now: Timestamp, passed: Span) -> Vec<Failure> {
        let (engine, storage, group) = (self.harness.engine, self.storage, self.group);
        let options = QueryOptions::default();
        let external_labels = Labels::from_pairs(group.external_labels.iter().map(|(n, v)| (n, v)));
        let scope = TemplateScope {
            engine,
            storage,
            parse_options: self.harness.parse_options,
            external_labels: &external_labels,
            external_url: &group.external_url,
        };
        let ask = |expr: &Expr, at: Timestamp| query::instant(engine, storage, expr, at, &options);
        let expand = |request: &Expansion<'_>| scope.expand(request);
        let context = EvalContext {
            query: &ask,
            expand: &expand,
            storage,
            stopwatch: &|| Duration::ZERO,
        };
        let mut failures = Vec::new();
        for playing in &mut self.groups {
            let evaluation = playing.group.evaluate(now, &context);
            let rules = playing.group.rules().zip(&playing.indexes);
            for (outcome, (rule, index)) in evaluation.rules.into_iter().zip(rules) {
                self.observed.evaluated(*index, rule, outcome.samples);
                if let Some(error) = outcome.error {
                    let message =
                        format!("    rule: {}, time: {passed}, err: {error}", outcome.name);
                    failures.push(Failure {
                        place: group.place,
                        about: format!("rule {} at {passed}", outcome.name),
                        message,
                        difference: None,
                    });
                }
            }
        }
        failures
    }

    fn alert_test(&mut self, test: &AlertTest) -> Result<(), Failure> {
        let mut got = Vec::new();
        for playing in &self.groups {
            for (rule, index) in playing.group.rules().zip(&playing.indexes) {
                let Rule::Alerting(rule) = rule else { continue };
                if rule.name() != test.alertname {
                    continue;
                }
                let before = got.len();
                let firing = rule
                    .alerts()
                    .filter(|alert| alert.state == AlertState::Firing);
                got.extend(firing.map(|alert| AlertSeen {
                    labels: alert.labels.clone(),
                    annotations: alert.annotations.clone(),
                }));
                self.observed.asked_about(*index, got.len() > before);
            }
        }
        match compare::alerts(test, got) {
            None => Ok(()),
            Some(difference) => Err(Failure {
                place: test.place,
                about: format!("{} at {}", test.alertname, test.eval_time),
                message: difference.of_alerts_in_words(&self.group.name, test),
                difference: Some(Box::new(difference)),
            }),
        }
    }

    /// What an instant query for everything gives at the last time of interest.
    fn dump(&self) -> Dump {
        let at = last_eval_time(self.group);
        let (engine, options) = (self.harness.engine, QueryOptions::default());
        let everything = parse("{__name__=~\".+\"}", self.harness.parse_options);
        let points = everything.map(|expr| {
            let now = self.group.start + at;
            query::instant(engine, self.storage, &expr, now, &options).unwrap_or_default()
        });
        let mut series: Vec<SampleSeen> = points
            .unwrap_or_default()
            .into_iter()
            .map(SampleSeen::from)
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Dump { at, series }
    }

    fn expression(&self, test: &ExprTest) -> Result<(), Failure> {
        let about = || format!("{} at {}", test.expr.trim(), test.eval_time);
        let fail = |message: String| Failure {
            place: test.place,
            about: about(),
            message,
            difference: None,
        };
        let failed = |error: String| fail(compare::expression_error(test, &error));
        let expr = parse(&test.expr, self.harness.parse_options).map_err(|errors| {
            failed(errors.first().map_or_else(String::new, ToString::to_string))
        })?;
        let at = self.group.start + test.eval_time;
        let got = query::instant(
            self.harness.engine,
            self.storage,
            &expr,
            at,
            &QueryOptions::default(),
        )
        .map_err(|error| failed(error.to_string()))?;
        match compare::samples(test, got, self.file.fuzzy_compare).map_err(fail)? {
            None => Ok(()),
            Some(difference) => Err(Failure {
                place: test.place,
                about: about(),
                message: difference.of_samples_in_words(test),
                difference: Some(Box::new(difference)),
            }),
        }
    }
}

fn last_eval_time(group: &TestGroup) -> Span {
    let alerts = group.alert_tests.iter().map(|test| test.eval_time);
    alerts
        .chain(group.expr_tests.iter().map(|test| test.eval_time))
        .max()
        .unwrap_or(Span::ZERO)
}
