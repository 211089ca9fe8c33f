use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::RuleState;
use super::{ActiveAlert, AlertState, Error, EvalContext, Expansion, Point, table_link};
use crate::model::{Alert, Labels, LabelsBuilder, METRIC_NAME, SampleValue};
use crate::promql::ast::Expr;
use crate::time::{Span, Timestamp, WallTime};

/// How long a resolved alert is remembered, so that a router that was away hears of it.
const RESOLVED_RETENTION: Span = Span::minutes(15);

/// The label that holds the rule's name.
pub(super) const ALERT_NAME: &str = "alertname";

/// What an alerting rule is made of.
#[derive(Debug, Clone)]
pub struct AlertingRuleOptions {
    /// The alert's name.
    pub name: String,
    /// The condition.
    pub expr: Expr,
    /// The condition as it is shown.
    pub query: String,
    /// How long the condition must hold before the alert fires (`for`).
    pub hold: Span,
    /// How long the alert goes on firing after the condition ceased to hold.
    pub keep_firing_for: Span,
    /// Labels with their templates, the group's merged in already.
    pub labels: Vec<(String, String)>,
    /// Annotations with their templates.
    pub annotations: Vec<(String, String)>,
}

/// Turns each result of an expression into an alert that becomes pending, fires and resolves.
#[derive(Debug, Clone)]
pub struct AlertingRule {
    options: AlertingRuleOptions,
    rule_labels: Labels,
    /// By label set, so that order never depends on hashing.
    active: BTreeMap<Labels, ActiveAlert>,
    evaluated: bool,
}

impl AlertingRule {
    /// Takes checked options.
    pub fn new(options: AlertingRuleOptions) -> Self {
        let rule_labels = Labels::from_pairs(options.labels.iter().map(|(n, v)| (n, v)));
        Self {
            options,
            rule_labels,
            active: BTreeMap::new(),
            evaluated: false,
        }
    }

    /// The alert's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// What the rule is made of.
    pub const fn options(&self) -> &AlertingRuleOptions {
        &self.options
    }

    /// The rule's labels as templates, the group's included.
    pub const fn labels(&self) -> &Labels {
        &self.rule_labels
    }

    /// The rule's annotations as templates.
    pub fn annotations(&self) -> Labels {
        Labels::from_pairs(self.options.annotations.iter().map(|(n, v)| (n, v)))
    }

    /// The alerts that it remembers, resolved ones included, sorted by labels.
    pub fn alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.active.values()
    }

    /// The highest state among its alerts.
    pub fn state(&self) -> AlertState {
        if !self.evaluated {
            return AlertState::Unknown;
        }
        self.active
            .values()
            .map(|alert| alert.state)
            .max()
            .unwrap_or(AlertState::Inactive)
    }

    /// Evaluates the condition and moves every alert on; gives the `ALERTS` and `ALERTS_FOR_STATE` series to write.
    pub(super) fn evaluate(
        &mut self,
        now: Timestamp,
        query_time: Timestamp,
        limit: usize,
        context: &EvalContext<'_>,
    ) -> Result<Vec<Point>, Error> {
        let points = (context.query)(&self.options.expr, query_time)?;
        let mut found = self.found(now, points, context)?;
        self.evaluated = true;
        for (labels, alert) in &mut self.active {
            if let Some(new) = found
                .get(labels)
                .filter(|_| alert.state != AlertState::Inactive)
            {
                alert.value = new.value;
                alert.annotations = new.annotations.clone();
            } else if let Some(new) = found.get_mut(labels) {
                // compat: a resolved alert that comes back is a new alert, whatever was sent of the old one.
                *alert = new.clone();
            }
        }
        let mut series = Vec::new();
        let mut count = 0;
        let (hold, keep) = (self.options.hold, self.options.keep_firing_for);
        self.active
            .retain(|labels, alert| advance(alert, found.contains_key(labels), now, keep));
        for (labels, alert) in found {
            self.active.entry(labels).or_insert(alert);
        }
        for alert in self
            .active
            .values_mut()
            .filter(|alert| alert.state != AlertState::Inactive)
        {
            count += 1;
            if alert.state == AlertState::Pending && now.since(alert.active_at) >= hold {
                alert.state = AlertState::Firing;
                alert.fired_at = Some(now);
            }
            series.extend(alert_series(&self.rule_labels, &self.options.name, alert));
        }
        if limit > 0 && count > limit {
            self.active.clear();
            return Err(Error::TooManyAlerts { limit, count });
        }
        Ok(series)
    }

    /// The alerts that the expression's result stands for, with templates expanded.
    fn found(
        &self,
        now: Timestamp,
        points: Vec<Point>,
        context: &EvalContext<'_>,
    ) -> Result<BTreeMap<Labels, ActiveAlert>, Error> {
        let mut found = BTreeMap::new();
        for point in points {
            let expand = |text: &str| {
                let request = Expansion {
                    alert: &self.options.name,
                    text,
                    labels: &point.labels,
                    value: &point.value,
                    now,
                };
                (context.expand)(&request)
                    .unwrap_or_else(|error| format!("<error expanding template: {error}>"))
            };
            let mut labels = LabelsBuilder::from(&point.labels);
            labels.remove(METRIC_NAME);
            for (name, text) in &self.options.labels {
                labels.set(name, &expand(text));
            }
            labels.set(ALERT_NAME, &self.options.name);
            let labels = labels.build();
            let annotations = Labels::from_pairs(
                self.options
                    .annotations
                    .iter()
                    .map(|(name, text)| (name, expand(text))),
            );
            let alert = ActiveAlert {
                labels: labels.clone(),
                annotations,
                value: float_of(&point.value),
                state: AlertState::Pending,
                active_at: now,
                fired_at: None,
                resolved_at: None,
                last_sent_at: None,
                valid_until: None,
                keep_firing_since: None,
            };
            if found.insert(labels, alert).is_some() {
                return Err(Error::DuplicateAlert);
            }
        }
        Ok(found)
    }

    /// The alerts that the router should hear of now: newly fired or resolved ones at once, others again
    /// after `resend_delay`. They count as sent from here on.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        resend_delay: Span,
        interval: Span,
        external_url: &str,
    ) -> Vec<Alert> {
        let generator_url: Arc<str> =
            format!("{external_url}{}", table_link(&self.options.query)).into();
        let mut due = Vec::new();
        for alert in self.active.values_mut() {
            if !needs_sending(alert, now, resend_delay) {
                continue;
            }
            alert.last_sent_at = Some(now);
            // compat: room for two failed evaluations or deliveries before the router gives the alert up.
            let valid_until =
                now + Span::from_ms(resend_delay.max(interval).as_ms().saturating_mul(4));
            alert.valid_until = Some(valid_until);
            due.push(Alert {
                labels: alert.labels.clone(),
                annotations: alert.annotations.clone(),
                starts_at: alert.fired_at.map_or(WallTime::ZERO, WallTime::from),
                ends_at: WallTime::from(alert.resolved_at.unwrap_or(valid_until)),
                generator_url: Arc::clone(&generator_url),
                updated_at: WallTime::from(now),
                timeout: alert.resolved_at.is_none(),
            });
        }
        due
    }

    pub(super) fn record(&self) -> RuleState {
        RuleState::record(&self.options.name, &self.rule_labels, self.active.values())
    }

    /// Takes over alerts from a record or from the same rule before a reload; gives the series that they had written.
    pub(super) fn adopt(&mut self, alerts: impl IntoIterator<Item = ActiveAlert>) -> Vec<Labels> {
        let mut series = Vec::new();
        for alert in alerts {
            if alert.state != AlertState::Inactive {
                series.extend(
                    alert_series(&self.rule_labels, &self.options.name, &alert)
                        .map(|point| point.labels),
                );
            }
            self.evaluated = true;
            self.active.insert(alert.labels.clone(), alert);
        }
        series
    }
}

/// Moves an alert on; gives whether it is still remembered.
fn advance(alert: &mut ActiveAlert, holds: bool, now: Timestamp, keep_firing_for: Span) -> bool {
    if holds {
        alert.keep_firing_since = None;
        return true;
    }
    if alert.state == AlertState::Firing && keep_firing_for > Span::ZERO {
        let since = *alert.keep_firing_since.get_or_insert(now);
        if now.since(since) < keep_firing_for {
            return true;
        }
    }
    let forgotten = alert.state == AlertState::Pending
        || alert
            .resolved_at
            .is_some_and(|at| now.since(at) > RESOLVED_RETENTION);
    if alert.state != AlertState::Inactive {
        alert.state = AlertState::Inactive;
        alert.resolved_at = Some(now);
    }
    !forgotten
}

fn needs_sending(alert: &ActiveAlert, now: Timestamp, resend_delay: Span) -> bool {
    if alert.state == AlertState::Pending {
        return false;
    }
    match (alert.resolved_at, alert.last_sent_at) {
        (_, None) => true,
        (Some(resolved), Some(sent)) if resolved > sent => true,
        (_, Some(sent)) => sent + resend_delay < now,
    }
}

/// compat: upstream begins with the rule's own labels, so that a template that expanded to nothing shows as it was written.
fn alert_series(
    rule_labels: &Labels,
    name: &str,
    alert: &ActiveAlert,
) -> impl Iterator<Item = Point> + use<> {
    let mut labels = LabelsBuilder::from(rule_labels);
    for (name, value) in &alert.labels {
        labels.set(name, value);
    }
    labels.set(ALERT_NAME, name);
    labels.set(METRIC_NAME, "ALERTS_FOR_STATE");
    let since = (alert.active_at.as_ms().div_euclid(1000)) as f64;
    let for_state = Point {
        labels: labels.build(),
        value: SampleValue::Float(since),
    };
    labels.set(METRIC_NAME, "ALERTS");
    labels.set("alertstate", alert.state.as_str());
    let state = Point {
        labels: labels.build(),
        value: SampleValue::Float(1.0),
    };
    [state, for_state].into_iter()
}

/// compat: an alert on a histogram has the value 0.
const fn float_of(value: &SampleValue) -> f64 {
    match value {
        SampleValue::Float(v) => *v,
        SampleValue::Histogram(_) | SampleValue::FloatHistogram(_) => 0.0,
    }
}
