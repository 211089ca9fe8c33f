use std::collections::BTreeSet;

use crate::alerting::matchers::Matcher;
use crate::check::Finding;
use crate::check::analysis::LabelFlow;
use crate::check::lint::subject::Subject;

/// What an alert brings to the router.
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) name: String,
    /// Labels that the rule sets; no value when a template makes it.
    pub(super) labels: Vec<(String, Option<String>)>,
    /// Labels of the expression's results.
    flow: LabelFlow,
}

/// The alerts of all rule files.
#[derive(Debug, Default)]
pub(in crate::check::lint) struct Alerts {
    pub(super) all: Vec<Alert>,
    /// Names of labels that rules set, with the first place of each and how often.
    pub(super) set: std::collections::BTreeMap<String, (usize, Finding)>,
}

impl Alerts {
    pub(in crate::check::lint) fn see(&mut self, subject: &Subject<'_>) {
        if !subject.is_alert() {
            return;
        }
        let group = subject
            .group
            .labels
            .iter()
            .filter(|(name, _)| !subject.rule.labels.iter().any(|(own, _)| own == name));
        let labels = subject.rule.labels.iter().chain(group);
        let labels: Vec<(String, Option<String>)> = labels
            .map(|(name, value)| {
                let fixed = (!value.contains("{{")).then(|| value.clone());
                (name.clone(), fixed)
            })
            .collect();
        for (name, _) in &subject.rule.labels {
            match self.set.get_mut(name) {
                Some((count, _)) => *count += 1,
                None => {
                    if let Some(entry) = subject.entry("labels", name) {
                        let finding = subject.on_node(&super::NOT_ROUTED, &entry.key, "");
                        self.set.insert(name.clone(), (1, finding));
                    }
                }
            }
        }
        self.all.push(Alert {
            name: subject.rule.name.clone(),
            labels,
            flow: subject.analysis.result().labels.clone(),
        });
    }

    /// Labels that somebody named: rules, or expressions on purpose.
    pub(super) fn known_labels(&self) -> BTreeSet<&str> {
        let mut known: BTreeSet<&str> = self.set.keys().map(String::as_str).collect();
        known.extend([
            "alertname",
            "severity",
            "job",
            "instance",
            "namespace",
            "cluster",
            "service",
            "pod",
        ]);
        for alert in &self.all {
            known.extend(alert.flow.expected.iter().map(String::as_str));
        }
        known
    }
}

impl Alert {
    /// Whether the alert may have the label, `external` being the labels that are added to all.
    pub(super) fn can_have(&self, label: &str, external: &External) -> bool {
        label == "alertname"
            || self.labels.iter().any(|(name, _)| name == label)
            || self.flow.can_have(label)
            || external.may_add(label)
    }

    /// Whether the alert may fulfil a matcher.
    pub(super) fn may_match(&self, matcher: &Matcher, external: &External) -> bool {
        let name = matcher.name.as_str();
        if name == "alertname" {
            return matcher.matches(&self.name);
        }
        if let Some((_, value)) = self.labels.iter().find(|(label, _)| label == name) {
            return value.as_ref().is_none_or(|value| matcher.matches(value));
        }
        if let Some(value) = self.flow.fixed.get(name) {
            return matcher.matches(value);
        }
        self.flow.can_have(name) || external.may_add(name) || matcher.matches("")
    }

    pub(super) fn may_match_all(&self, matchers: &[Matcher], external: &External) -> bool {
        matchers
            .iter()
            .all(|matcher| self.may_match(matcher, external))
    }
}

/// The external labels, as far as they are known.
#[derive(Debug)]
pub(super) enum External {
    /// A `prometheus.yml` tells.
    Known(BTreeSet<String>),
    /// Nobody tells: any label that no rule sets may be one.
    Unknown(BTreeSet<String>),
}

impl External {
    fn may_add(&self, label: &str) -> bool {
        match self {
            Self::Known(names) => names.contains(label),
            // What rules set themselves is not expected to come from outside as well.
            Self::Unknown(set_by_rules) => !set_by_rules.contains(label),
        }
    }
}
