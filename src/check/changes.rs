//! What a change of rule files and routes does: rules that come, go or change, alerts that reach others.

use std::collections::{BTreeMap, BTreeSet};

use crate::alerting::matchers::Matcher;
use crate::alerting::{RouteOptions, RouteTree};
use crate::config::alertmanager::AlertmanagerConfig;
use crate::model::{Labels, LabelsBuilder, MatchOp};
use crate::rules::file::{FileGroup, FileRule, FileRuleKind};

use super::RuleFile;

/// Label sets that are tried on two route trees at most.
const SAMPLES_MAX: usize = 5000;

/// A rule that a change touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRule {
    /// The file: the new one, or the old one of a rule that is gone.
    pub file: String,
    /// The group.
    pub group: String,
    /// Whether it records or alerts.
    pub kind: FileRuleKind,
    /// The alert or the recorded metric.
    pub name: String,
    /// The line in the new file; `None` when the rule is gone.
    pub line: Option<usize>,
    /// What happened to it.
    pub change: RuleChange,
}

/// What happened to a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// It was not there before.
    Added,
    /// It is gone.
    Removed,
    /// Some of its fields have other values.
    Changed(Vec<FieldChange>),
}

/// A field with its two values; none where it was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field: `expr`, `for`, `labels.severity`.
    pub field: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// Alerts that go to others than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedAlerts {
    /// Labels that such alerts have.
    pub labels: Labels,
    /// The receivers before.
    pub before: Vec<String>,
    /// The receivers now.
    pub after: Vec<String>,
}

/// A rule, its place and its group.
#[derive(Clone, Copy)]
struct Seen<'r> {
    file: &'r str,
    group: &'r FileGroup,
    rule: &'r FileRule,
}

/// Compares rules. They are the same by group and name, in their order where several share both.
pub fn rules(before: &[RuleFile], after: &[RuleFile]) -> Vec<ChangedRule> {
    let mut old = all(before);
    let mut changed = Vec::new();
    let mut added = Vec::new();
    for seen in all(after) {
        // With the same labels first: of two rules with one name, each has its own counterpart.
        let at = position(&old, seen, true).or_else(|| position(&old, seen, false));
        match at.map(|at| old.remove(at)) {
            None => added.push(seen),
            Some(from) => changed.extend(compare(from, seen)),
        }
    }
    // A rule that moved to another group, or whose group has a new name, is no new rule.
    for seen in added {
        let moved = old.iter().position(|other| {
            other.rule.kind == seen.rule.kind && other.rule.name == seen.rule.name
        });
        match moved.map(|at| old.remove(at)) {
            None => changed.push(describe(seen, true, RuleChange::Added)),
            Some(from) => changed.extend(compare(from, seen)),
        }
    }
    let removed = old.into_iter();
    changed.extend(removed.map(|seen| describe(seen, false, RuleChange::Removed)));
    changed
}

fn all(files: &[RuleFile]) -> Vec<Seen<'_>> {
    let groups = files
        .iter()
        .flat_map(|file| file.groups.iter().map(move |group| (file, group)));
    groups
        .flat_map(|(file, group)| {
            let rules = group.rules.iter();
            rules.map(move |rule| Seen {
                file: &file.name,
                group,
                rule,
            })
        })
        .collect()
}

fn position(old: &[Seen<'_>], seen: Seen<'_>, same_labels: bool) -> Option<usize> {
    old.iter().position(|other| {
        other.rule.kind == seen.rule.kind
            && other.rule.name == seen.rule.name
            && other.group.name == seen.group.name
            && (!same_labels || other.rule.labels == seen.rule.labels)
    })
}

fn describe(seen: Seen<'_>, is_there: bool, change: RuleChange) -> ChangedRule {
    ChangedRule {
        file: seen.file.to_owned(),
        group: seen.group.name.clone(),
        kind: seen.rule.kind,
        name: seen.rule.name.clone(),
        line: is_there.then_some(seen.rule.place.start.line),
        change,
    }
}

fn compare(before: Seen<'_>, after: Seen<'_>) -> Option<ChangedRule> {
    let (old, new) = (fields(before), fields(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    let changes: Vec<FieldChange> = changes
        .map(|name| FieldChange {
            field: name.clone(),
            before: old.get(name).cloned(),
            after: new.get(name).cloned(),
        })
        .collect();
    (!changes.is_empty()).then(|| describe(after, true, RuleChange::Changed(changes)))
}

/// What a rule does, by field; layout does not count.
fn fields(seen: Seen<'_>) -> BTreeMap<String, String> {
    let Seen { group, rule, .. } = seen;
    let mut fields = BTreeMap::from([
        ("expr".to_owned(), rule.expr.to_string()),
        ("group".to_owned(), group.name.clone()),
    ]);
    let spans = [
        ("for", rule.hold),
        ("keep_firing_for", rule.keep_firing_for),
        ("interval", group.interval),
    ];
    for (name, span) in spans {
        if !span.is_zero() {
            fields.insert(name.to_owned(), span.to_string());
        }
    }
    let maps = [
        ("labels", &group.labels),
        ("labels", &rule.labels),
        ("annotations", &rule.annotations),
    ];
    for (map, pairs) in maps {
        for (name, value) in pairs {
            fields.insert(format!("{map}.{name}"), value.clone());
        }
    }
    fields
}

/// Compares where alerts go: those of the rules, and such as the routes of both trees ask for.
pub fn routes(
    before: &AlertmanagerConfig,
    after: &AlertmanagerConfig,
    rules: &[RuleFile],
) -> Vec<MovedAlerts> {
    let (old, new) = (RouteTree::new(&before.route), RouteTree::new(&after.route));
    let mut samples = BTreeSet::from([Labels::empty()]);
    for seen in all(rules) {
        if seen.rule.kind == FileRuleKind::Alerting {
            let known = seen.group.labels.iter().chain(&seen.rule.labels);
            let mut labels = LabelsBuilder::default();
            for (name, value) in known.filter(|(_, value)| !value.contains("{{")) {
                labels.set(name, value);
            }
            labels.set("alertname", &seen.rule.name);
            samples.insert(labels.build());
        }
    }
    for root in [&before.route, &after.route] {
        asked_for(root, &Labels::empty(), &mut samples);
    }
    let receivers = |tree: &RouteTree, labels: &Labels| -> Vec<String> {
        let routes = tree.matches(labels).into_iter();
        routes
            .filter_map(|at| tree.get(at).map(|route| route.receiver.clone()))
            .collect()
    };
    let moved = samples.into_iter().filter_map(|labels| {
        let (before, after) = (receivers(&old, &labels), receivers(&new, &labels));
        (before != after).then_some(MovedAlerts {
            labels,
            before,
            after,
        })
    });
    moved.collect()
}

/// Labels that take an alert to each route, and past it.
fn asked_for(route: &RouteOptions, base: &Labels, samples: &mut BTreeSet<Labels>) {
    if samples.len() >= SAMPLES_MAX {
        return;
    }
    let mut labels = LabelsBuilder::from(base);
    for matcher in &route.matchers.0 {
        if let Some(value) = value_for(matcher) {
            labels.set(&matcher.name, &value);
        }
    }
    let labels = labels.build();
    samples.insert(labels.clone());
    for child in &route.routes {
        asked_for(child, &labels, samples);
    }
}

/// A value that a matcher takes; for regular expressions one of their plain alternatives.
fn value_for(matcher: &Matcher) -> Option<String> {
    match matcher.op {
        MatchOp::Equal => Some(matcher.value.clone()),
        MatchOp::NotEqual | MatchOp::NotRegex => {
            let other = "other".to_owned();
            matcher.matches(&other).then_some(other)
        }
        MatchOp::Regex => {
            let inner = matcher.value.trim_start_matches('^').trim_end_matches('$');
            let inner = inner
                .strip_prefix('(')
                .and_then(|i| i.strip_suffix(')'))
                .unwrap_or(inner);
            let parts = inner
                .split('|')
                .map(|part| part.replace(".*", "").replace(".+", "x"));
            parts.into_iter().find(|part| matcher.matches(part))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::Syntax;
    use crate::config::alertmanager;
    use crate::rules::file::FileOptions;

    fn file(text: &str) -> RuleFile {
        RuleFile::parse("r.yml", text.as_bytes(), &FileOptions::default())
            .0
            .unwrap()
    }

    #[test]
    fn rules_come_go_and_change() {
        let before = file(
            "groups:\n- name: g\n  rules:\n  - {record: a, expr: up}\n  - {alert: B, expr: up==0, for: 5m}\n  - {alert: C, expr: up, labels: {s: one}}\n  - {alert: C, expr: up, labels: {s: two}}\n- name: h\n  rules: [{alert: D, expr: up}]\n",
        );
        let after = file(
            "groups:\n- name: g\n  rules:\n  - {alert: B, expr: 'up  ==  0', for: 1m, labels: {x: y}}\n  - {alert: C, expr: up, labels: {s: two}}\n  - {alert: C, expr: up > 1, labels: {s: one}}\n- name: i\n  rules: [{alert: D, expr: up}, {alert: E, expr: up}]\n",
        );
        let found = rules(std::slice::from_ref(&before), &[after]);
        let shown: Vec<String> = found
            .iter()
            .map(|rule| match &rule.change {
                RuleChange::Added => format!("+{} {:?}", rule.name, rule.line),
                RuleChange::Removed => format!("-{}", rule.name),
                RuleChange::Changed(fields) => {
                    let fields: Vec<&str> =
                        fields.iter().map(|field| field.field.as_str()).collect();
                    format!("~{} {}", rule.name, fields.join(","))
                }
            })
            .collect();
        assert_eq!(
            shown,
            ["~B for,labels.x", "~C expr", "~D group", "+E Some(8)", "-a"]
        );
        assert!(rules(std::slice::from_ref(&before), std::slice::from_ref(&before)).is_empty());
    }

    #[test]
    fn alerts_that_go_elsewhere_are_named() {
        let config = |routes: &str| {
            let text = format!(
                "route: {{receiver: all, routes: [{routes}]}}\nreceivers: [{{name: all}}, {{name: pager}}]\n"
            );
            alertmanager::parse(&text, Syntax::default()).unwrap()
        };
        let before = config("{receiver: pager, matchers: ['severity=~\"page|critical\"']}");
        let after = config("{receiver: pager, matchers: ['severity=critical']}");
        let rules = file(
            "groups:\n- name: g\n  rules: [{alert: Down, expr: up, labels: {severity: page}}]\n",
        );
        let moved = routes(&before, &after, &[rules]);
        let shown: Vec<String> = moved
            .iter()
            .map(|moved| {
                format!(
                    "{} {} -> {}",
                    moved.labels,
                    moved.before.join(","),
                    moved.after.join(",")
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "{alertname=\"Down\", severity=\"page\"} pager -> all",
                "{severity=\"page\"} pager -> all"
            ]
        );
        assert!(routes(&before, &before, &[]).is_empty());
    }
}
