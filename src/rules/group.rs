use std::collections::BTreeSet;
use std::time::Duration;

use super::state::{GroupState, RestoreOptions};
use super::view::{AlertView, GroupView, Health, RuleKind, RuleView};
use super::{ActiveAlert, AlertState, AlertingRule, Error, EvalContext, Point, RecordingRule};
use crate::model::{Alert, Labels, Sample, SampleValue, stale_nan};
use crate::storage::{AppendError, SeriesRef};
use crate::time::{Span, Timestamp};

/// A rule of either kind.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Writes a result under a new name.
    Recording(RecordingRule),
    /// Turns results into alerts.
    Alerting(AlertingRule),
}

impl Rule {
    /// The metric or the alert.
    pub fn name(&self) -> &str {
        match self {
            Self::Recording(rule) => rule.name(),
            Self::Alerting(rule) => rule.name(),
        }
    }

    /// The rule's labels, the group's included.
    pub fn labels(&self) -> Labels {
        match self {
            Self::Recording(rule) => rule.labels(),
            Self::Alerting(rule) => rule.labels().clone(),
        }
    }
}

/// What a group is made of.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// The group's name; unique in its file.
    pub name: String,
    /// The file it comes from.
    pub file: String,
    /// How often it is evaluated.
    pub interval: Span,
    /// How far back queries look, so that late data is there.
    pub query_offset: Span,
    /// How many results a rule may have; 0 for any number.
    pub limit: usize,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// A rule and how it fared.
#[derive(Debug, Clone)]
struct Slot {
    rule: Rule,
    /// What it wrote last time; what is missing next time gets a staleness marker.
    previous: BTreeSet<Labels>,
    health: Health,
    last_error: String,
    evaluation_time: Duration,
    last_evaluation: Option<Timestamp>,
}

/// What one rule did in one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The metric or the alert.
    pub name: String,
    /// Why it failed, if it did.
    pub error: Option<Error>,
    /// How many samples it wrote.
    pub samples: usize,
    /// How many samples the store refused as out of order, too old or duplicate.
    pub refused: usize,
    /// How long it took.
    pub took: Duration,
}

/// What one evaluation of a group did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// One entry per rule.
    pub rules: Vec<RuleOutcome>,
    /// How long it took.
    pub took: Duration,
}

/// Rules that are evaluated together, in order; a rule sees what those before it wrote.
#[derive(Debug, Clone)]
pub struct Group {
    name: String,
    file: String,
    interval: Span,
    query_offset: Span,
    limit: usize,
    slots: Vec<Slot>,
    /// Series of rules that are gone since a reload; they get a staleness marker at the next evaluation.
    orphans: BTreeSet<Labels>,
    evaluation_time: Duration,
    last_evaluation: Option<Timestamp>,
}

impl Group {
    /// Takes checked options.
    pub fn new(options: GroupOptions) -> Self {
        let slot = |rule| Slot {
            rule,
            previous: BTreeSet::new(),
            health: Health::Unknown,
            last_error: String::new(),
            evaluation_time: Duration::ZERO,
            last_evaluation: None,
        };
        Self {
            name: options.name,
            file: options.file,
            interval: options.interval,
            query_offset: options.query_offset,
            limit: options.limit,
            slots: options.rules.into_iter().map(slot).collect(),
            orphans: BTreeSet::new(),
            evaluation_time: Duration::ZERO,
            last_evaluation: None,
        }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file it comes from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How often it is evaluated.
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// Its rules in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.slots.iter().map(|slot| &slot.rule)
    }

    /// The latest evaluation time at or before `now`: multiples of the interval, shifted by a hash of file and
    /// name so that groups do not all run at once, and always the same for a group.
    pub fn slot_before(&self, now: Timestamp) -> Timestamp {
        let interval = self.interval.as_ms().max(1);
        let hash = Labels::from_pairs([("name", &self.name), ("file", &self.file)]).hash64();
        let offset = (hash % (interval.unsigned_abs() * 1_000_000) / 1_000_000).cast_signed();
        Timestamp::from_ms((now.as_ms() - offset).div_euclid(interval) * interval + offset)
    }

    /// Evaluates every rule at `now`. A rule that fails leaves the others alone.
    pub fn evaluate(&mut self, now: Timestamp, context: &EvalContext<'_>) -> Evaluation {
        let started = (context.stopwatch)();
        let query_time = now - self.query_offset;
        let mut evaluation = Evaluation::default();
        for slot in &mut self.slots {
            let rule_started = (context.stopwatch)();
            let result = match &mut slot.rule {
                Rule::Recording(rule) => rule.evaluate(query_time, self.limit, context),
                Rule::Alerting(rule) => rule.evaluate(now, query_time, self.limit, context),
            };
            let mut outcome = RuleOutcome {
                name: slot.rule.name().to_owned(),
                error: None,
                samples: 0,
                refused: 0,
                took: Duration::ZERO,
            };
            let written =
                result.and_then(|points| write(slot, &points, query_time, context, &mut outcome));
            slot.health = if written.is_ok() {
                Health::Ok
            } else {
                Health::Err
            };
            slot.last_error = written
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default();
            outcome.error = written.err();
            outcome.took = (context.stopwatch)().saturating_sub(rule_started);
            slot.evaluation_time = outcome.took;
            slot.last_evaluation = Some(now);
            evaluation.rules.push(outcome);
        }
        self.end_orphans(query_time, context);
        evaluation.took = (context.stopwatch)().saturating_sub(started);
        self.evaluation_time = evaluation.took;
        self.last_evaluation = Some(now);
        evaluation
    }

    /// The alerts that the router should hear of now; they count as sent from here on.
    ///
    /// `resend_delay` is `--rules.alert.resend-delay`, 1m.
    pub fn due_alerts(
        &mut self,
        now: Timestamp,
        resend_delay: Span,
        external_url: &str,
    ) -> Vec<Alert> {
        let interval = self.interval;
        let rules = self
            .slots
            .iter_mut()
            .filter_map(|slot| match &mut slot.rule {
                // compat: a rule that failed keeps its alerts and sends nothing of them this time.
                Rule::Alerting(rule) if slot.health != Health::Err => Some(rule),
                Rule::Alerting(_) | Rule::Recording(_) => None,
            });
        rules
            .flat_map(|rule| rule.due(now, resend_delay, interval, external_url))
            .collect()
    }

    /// Takes over what the same group knew before a reload. Rules are matched by name and labels, duplicates in order.
    pub fn take_over(&mut self, from: &Self) {
        self.evaluation_time = from.evaluation_time;
        self.last_evaluation = from.last_evaluation;
        self.orphans.clone_from(&from.orphans);
        let mut taken = vec![false; from.slots.len()];
        for slot in &mut self.slots {
            let same = |(at, old): &(usize, &Slot)| {
                !taken[*at]
                    && old.rule.name() == slot.rule.name()
                    && old.rule.labels() == slot.rule.labels()
            };
            let Some((at, old)) = from.slots.iter().enumerate().find(same) else {
                continue;
            };
            taken[at] = true;
            slot.previous.clone_from(&old.previous);
            if let (Rule::Alerting(new), Rule::Alerting(old)) = (&mut slot.rule, &old.rule) {
                new.adopt(old.alerts().cloned());
            }
        }
        for (old, taken) in from.slots.iter().zip(taken) {
            if !taken {
                self.orphans.extend(old.previous.iter().cloned());
            }
        }
    }

    /// Ends the series of a group that a reload removed.
    pub fn end(&mut self, now: Timestamp, context: &EvalContext<'_>) {
        for slot in &mut self.slots {
            self.orphans.append(&mut slot.previous);
        }
        self.end_orphans(now - self.query_offset, context);
    }

    /// What must survive a restart.
    pub fn record(&self) -> GroupState {
        let rules = self.slots.iter().filter_map(|slot| match &slot.rule {
            Rule::Alerting(rule) => Some(rule.record()),
            Rule::Recording(_) => None,
        });
        GroupState {
            file: self.file.clone(),
            name: self.name.clone(),
            evaluated_at_ms: self.last_evaluation.map_or(i64::MIN, Timestamp::as_ms),
            rules: rules.collect(),
        }
    }

    /// Continues from a record. Alerts keep their `for` and `keep_firing_for` timers across a pause that
    /// `options` allow; rules are matched by name and labels.
    pub fn restore(&mut self, state: &GroupState, now: Timestamp, options: &RestoreOptions) {
        let evaluated_at = Timestamp::from_ms(state.evaluated_at_ms);
        let mut taken = vec![false; state.rules.len()];
        for slot in &mut self.slots {
            let Rule::Alerting(rule) = &mut slot.rule else {
                continue;
            };
            let same =
                |at: &usize| !taken[*at] && state.rules[*at].belongs_to(rule.name(), rule.labels());
            let Some(at) = (0..state.rules.len()).find(same) else {
                continue;
            };
            taken[at] = true;
            let alerts = state.rules[at].alerts(rule.options().hold, evaluated_at, now, options);
            slot.previous.extend(rule.adopt(alerts));
        }
    }

    /// What the API shows.
    pub fn view(&self) -> GroupView {
        GroupView {
            name: self.name.clone(),
            file: self.file.clone(),
            interval: self.interval,
            limit: self.limit,
            rules: self.slots.iter().map(view_of).collect(),
            evaluation_time: self.evaluation_time,
            last_evaluation: self.last_evaluation,
        }
    }

    fn end_orphans(&mut self, at: Timestamp, context: &EvalContext<'_>) {
        if self.orphans.is_empty() {
            return;
        }
        let mut batch = context.storage.appender();
        for labels in &self.orphans {
            // A newer sample means that somebody else writes the series now; it lives on.
            let _ = batch.append(None, labels, Sample::float(at.as_ms(), stale_nan()));
        }
        if batch.commit().is_ok() {
            self.orphans.clear();
        }
    }
}

/// Writes a rule's results and ends the series that it no longer has.
fn write(
    slot: &mut Slot,
    points: &[Point],
    at: Timestamp,
    context: &EvalContext<'_>,
    outcome: &mut RuleOutcome,
) -> Result<(), Error> {
    let mut batch = context.storage.appender();
    let mut current = BTreeSet::new();
    let mut count = |result: Result<SeriesRef, AppendError>| match result {
        Ok(_) => {
            outcome.samples += 1;
            Ok(())
        }
        Err(
            AppendError::OutOfOrder
            | AppendError::TooOld
            | AppendError::DuplicateTimestamp
            | AppendError::OutOfBounds,
        ) => {
            outcome.refused += 1;
            Ok(())
        }
        Err(error) => Err(Error::Storage(error.to_string())),
    };
    let mut first_error = Ok(());
    for point in points {
        let sample = Sample {
            timestamp_ms: at.as_ms(),
            start_timestamp_ms: 0,
            value: point.value.clone(),
        };
        let appended = count(batch.append(None, &point.labels, sample));
        first_error = first_error.and(appended);
        current.insert(point.labels.clone());
    }
    for gone in slot.previous.difference(&current) {
        let marker = Sample {
            timestamp_ms: at.as_ms(),
            start_timestamp_ms: 0,
            value: SampleValue::Float(stale_nan()),
        };
        let appended = count(batch.append(None, gone, marker));
        first_error = first_error.and(appended);
    }
    batch
        .commit()
        .map_err(|error| Error::Storage(error.to_string()))?;
    slot.previous = current;
    first_error
}

fn view_of(slot: &Slot) -> RuleView {
    let (query, kind) = match &slot.rule {
        Rule::Recording(rule) => (rule.options().query.clone(), RuleKind::Recording),
        Rule::Alerting(rule) => {
            let kind = RuleKind::Alerting {
                state: rule.state(),
                hold: rule.options().hold,
                keep_firing_for: rule.options().keep_firing_for,
                annotations: rule.annotations(),
                alerts: rule
                    .alerts()
                    .filter(|alert| alert.state != AlertState::Inactive)
                    .map(alert_view)
                    .collect(),
            };
            (rule.options().query.clone(), kind)
        }
    };
    RuleView {
        name: slot.rule.name().to_owned(),
        query,
        labels: slot.rule.labels(),
        kind,
        health: slot.health,
        last_error: slot.last_error.clone(),
        evaluation_time: slot.evaluation_time,
        last_evaluation: slot.last_evaluation,
    }
}

fn alert_view(alert: &ActiveAlert) -> AlertView {
    AlertView {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state: alert.state,
        active_at: alert.active_at,
        keep_firing_since: alert.keep_firing_since,
        value: alert.value,
    }
}
