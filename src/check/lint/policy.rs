//! The house's own rules, told by `lint:` in `watchfire.yml`: without it nothing is looked at.

use crate::check::{Finding, Severity};
use crate::config::lint::ValuePolicy;
use crate::promql::ast::Expr;
use crate::text::quote::quote;
use crate::text::regex::Regex;
use crate::text::yaml::Document;

use super::Page;
use super::ignore::Ignores;
use super::subject::{Subject, Subjects, World};

pub(super) static NAME: Page = Page::new(
    "W050",
    "policy-name",
    Severity::Warning,
    "The name of a rule does not match what the house wants.",
)
.pint("rule/name")
.why("`lint: {alert_names: '[A-Z]\\w+', record_names: '\\w+:\\w+:\\w+'}` in `watchfire.yml` says how names look.")
.example("- alert: instance down", "- alert: InstanceDown");

pub(super) static LABEL: Page = Page::new(
    "W051",
    "policy-label",
    Severity::Warning,
    "An alert lacks a label that the house wants, or has a wrong value.",
)
.pint("rule/label")
.why("`lint: {labels: [{name: severity, pattern: critical|warning}]}` in `watchfire.yml` says which labels alerts have, so that every alert finds its way.")
.example("labels:\n  severity: hihg", "labels:\n  severity: critical");

pub(super) static FOR: Page = Page::new(
    "W052",
    "policy-for",
    Severity::Warning,
    "`for` is shorter or longer than the house wants.",
)
.pint("rule/for")
.why("`lint: {for: {min: 1m, max: 1d}}` in `watchfire.yml` bounds it.")
.example("for: 10d", "for: 1h");

pub(super) static AGGREGATION: Page = Page::new(
    "W053",
    "policy-aggregation",
    Severity::Warning,
    "An aggregation drops a label that the house keeps, or keeps one that it strips.",
)
.pint("promql/aggregate")
.why("`lint: {aggregations: [{metrics: 'cluster:.*', keep: [job], strip: [instance]}]}` in `watchfire.yml` says, by the names of rules, which labels their results have.")
.example("record: cluster:errors:sum\nexpr: sum(errors)", "record: cluster:errors:sum\nexpr: sum by (job) (errors)");

pub(super) static REJECT: Page = Page::new(
    "W054",
    "policy-reject",
    Severity::Warning,
    "A label or an annotation has a value that the house rejects.",
)
.pint("rule/reject")
.why("`lint: {reject: ['https?://wiki.old.example/.*']}` in `watchfire.yml` lists patterns that no value may match.")
.example("runbook_url: http://wiki.old.example/x", "runbook_url: https://runbooks.example/x");

pub(super) static ANNOTATION: Page = Page::new(
    "W055",
    "policy-annotation",
    Severity::Warning,
    "An alert lacks an annotation that the house wants, or has a wrong value.",
)
.pint("alerts/annotation")
.why("`lint: {annotations: [{name: runbook_url, pattern: 'https://.*'}]}` in `watchfire.yml` says what everybody who is called can rely on.")
.example("annotations:\n  summary: it is down", "annotations:\n  summary: it is down\n  runbook_url: https://runbooks.example/down");

pub(super) static SELECTOR: Page = Page::new(
    "W056",
    "policy-selector",
    Severity::Warning,
    "A selector lacks a matcher that the house wants.",
)
.pint("promql/selector")
.why("`lint: {selectors: [{metrics: 'node_.*', require: [cluster]}]}` in `watchfire.yml` says what must be told apart.")
.example("expr: node_load1 > 9", "expr: node_load1{cluster=\"a\"} > 9");

pub(super) static OWNER: Page = Page::new(
    "W057",
    "policy-owner",
    Severity::Warning,
    "No comment says who looks after a rule, or it names somebody whom the house does not know.",
)
.pint("rule/owner")
.why("`lint: {owners: 'team-.*'}` in `watchfire.yml` says what owners are called. The owner of a rule stands in a comment above or in it (`# watchfire owner team-db`), the owner of a whole file in one of these (`# watchfire file-owner team-db`); the comments of pint count as well.")
.example(
    "- alert: Down\n  expr: up == 0",
    "# watchfire owner team-db\n- alert: Down\n  expr: up == 0",
);

pub(super) static REPORT: Page = Page::new(
    "W058",
    "policy-report",
    Severity::Warning,
    "The house has something to say on rules of this name.",
)
.pint("rule/report")
.why("`lint: {reports: [{names: 'old:.*', comment: 'use new:* instead'}]}` in `watchfire.yml` lists patterns of names and what is told to whoever writes such a rule.")
.example("record: old:errors:sum\nexpr: sum(errors)", "record: new:errors:sum\nexpr: sum(errors)");

/// Looks for rules without an owner.
pub(super) fn owners(
    pattern: &Regex,
    subjects: &Subjects<'_>,
    comments: &[(&str, &Document, Ignores)],
    out: &mut Vec<Finding>,
) {
    for file in subjects.rules {
        let name = |(name, _, _): &(&str, _, _)| **name == *file.name;
        let ignores = comments.iter().find(|entry| name(entry));
        Subject::each(file, |subject| {
            let line = subject.rule.place.start.line;
            let owner = ignores.and_then(|(_, _, ignores)| ignores.owner(line));
            let message = match owner {
                None => "no comment says who looks after the rule".to_owned(),
                Some(owner) if !pattern.is_match(owner) => format!(
                    "the owner {} does not match {}",
                    quote(owner),
                    quote(pattern.pattern())
                ),
                Some(_) => return,
            };
            let finding = subject.on_rule(&OWNER, message);
            out.push(finding.with_hint("write `# watchfire owner NAME` above the rule"));
        });
    }
}

pub(super) fn check(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let options = world.options;
    let pattern = if subject.is_alert() {
        &options.alert_names
    } else {
        &options.record_names
    };
    if let Some(pattern) = pattern.as_ref().filter(|p| !p.is_match(&subject.rule.name)) {
        let message = format!(
            "the name {} does not match {}",
            quote(&subject.rule.name),
            quote(pattern.pattern())
        );
        out.push(subject.on_rule(&NAME, message));
    }
    if subject.is_alert() {
        values(subject, "labels", &LABEL, &options.labels, out);
        values(
            subject,
            "annotations",
            &ANNOTATION,
            &options.annotations,
            out,
        );
        hold(world, subject, out);
    }
    for policy in &options.reports {
        if policy.names.is_match(&subject.rule.name) {
            out.push(subject.on_rule(&REPORT, policy.comment.clone()));
        }
    }
    rejected(world, subject, out);
    aggregations(world, subject, out);
    selectors(world, subject, out);
}

fn values(
    subject: &Subject<'_>,
    field: &str,
    page: &'static Page,
    policies: &[ValuePolicy],
    out: &mut Vec<Finding>,
) {
    for ValuePolicy { name, pattern } in policies {
        let pairs = if field == "labels" {
            &subject.rule.labels
        } else {
            &subject.rule.annotations
        };
        let own = pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        let from_group = (field == "labels").then(|| subject.label(name)).flatten();
        match own.or(from_group) {
            None => {
                let message = format!("`{name}` is missing under `{field}`");
                out.push(subject.on_rule(page, message));
            }
            Some(value) if !pattern.is_match(value) && !value.contains("{{") => {
                let message = format!(
                    "`{name}` is {}, which does not match {}",
                    quote(value),
                    quote(pattern.pattern())
                );
                out.push(match subject.entry(field, name) {
                    Some(entry) => subject.on_node(page, &entry.value, message),
                    None => subject.on_rule(page, message),
                });
            }
            Some(_) => {}
        }
    }
}

fn hold(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let hold = subject.rule.hold;
    let short = world
        .options
        .for_min
        .filter(|min| hold.as_ms() < min.as_ms());
    let long = world
        .options
        .for_max
        .filter(|max| hold.as_ms() > max.as_ms());
    let message = match (short, long) {
        (Some(min), _) => format!("`for` is {hold}, less than {min}"),
        (_, Some(max)) => format!("`for` is {hold}, more than {max}"),
        _ => return,
    };
    out.push(match subject.field("for") {
        Some(entry) => subject.on_node(&FOR, &entry.value, message),
        None => subject.on_rule(&FOR, message),
    });
}

fn rejected(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if world.options.reject.is_empty() {
        return;
    }
    for (field, pairs) in [
        ("labels", &subject.rule.labels),
        ("annotations", &subject.rule.annotations),
    ] {
        for (name, value) in pairs {
            let hit = world
                .options
                .reject
                .iter()
                .find(|pattern| pattern.is_match(value));
            if let Some((pattern, entry)) = hit.zip(subject.entry(field, name)) {
                let message = format!(
                    "{} matches {}, which is rejected",
                    quote(value),
                    quote(pattern.pattern())
                );
                out.push(subject.on_node(&REJECT, &entry.value, message));
            }
        }
    }
}

fn aggregations(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let policies = world.options.aggregations.iter();
    for policy in policies.filter(|policy| policy.metrics.is_match(&subject.rule.name)) {
        let labels = &subject.analysis.result().labels;
        for label in policy.keep.iter().filter(|label| !labels.can_have(label)) {
            let at = labels
                .lost_at(label)
                .unwrap_or_else(|| subject.analysis.root().pos());
            let message = format!("`{label}` must be kept, but the results cannot have it");
            out.push(subject.on_expr(&AGGREGATION, at, message));
        }
        let aggregates = subject
            .analysis
            .nodes()
            .iter()
            .any(|expr| matches!(expr, Expr::Aggregate(_)));
        for label in policy
            .strip
            .iter()
            .filter(|label| aggregates && labels.can_have(label))
        {
            let at = subject.analysis.root().pos();
            let message = format!("`{label}` must be stripped, but the results can have it");
            out.push(subject.on_expr(&AGGREGATION, at, message));
        }
    }
}

fn selectors(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if world.options.selectors.is_empty() {
        return;
    }
    for selector in subject.analysis.selectors() {
        let policies = world.options.selectors.iter();
        for policy in policies.filter(|policy| policy.metrics.is_match(&selector.name)) {
            for label in &policy.require {
                if !selector.matchers.iter().any(|m| m.name == *label) {
                    let message = format!("a matcher for `{label}` is missing");
                    out.push(subject.on_expr(&SELECTOR, selector.pos, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::Finding;
    use crate::check::lint::testing::{file, findings_with};
    use crate::config::watchfire;

    #[test]
    fn policies_are_held() {
        let options = watchfire::parse_lint(b"lint:\n  alert_names: '[A-Z]\\w*'\n  record_names: '\\w+:\\w+'\n  labels: [{name: severity, pattern: a|b}]\n  annotations: [{name: url}]\n  for: {min: 1m, max: 1h}\n  reject: ['http:.*']\n  aggregations: [{metrics: 'c:.*', keep: [job], strip: [instance]}]\n  selectors: [{metrics: 'n_.*', require: [env]}]\n  owners: 'team-.*'\n  reports: [{names: 'old:.*', comment: gone}]\n").unwrap();
        let ids = |rules: &str| -> Vec<String> {
            let found = findings_with(&[&file(rules)], None, &options);
            found
                .iter()
                .map(Finding::id)
                .filter(|id| id.starts_with("W05"))
                .map(str::to_owned)
                .collect()
        };
        let good = "  # watchfire owner team-a\n  - {alert: A, expr: a > 1, for: 5m, labels: {severity: a}, annotations: {url: x}}\n";
        assert!(ids(good).is_empty());
        for (from, to, id) in [
            ("alert: A", "alert: a", "W050"),
            ("severity: a", "severity: c", "W051"),
            ("severity: a", "x: c", "W051"),
            ("5m", "5s", "W052"),
            ("5m", "5h", "W052"),
            ("url: x", "url: 'http:x'", "W054"),
            ("url: x", "x: x", "W055"),
            ("a > 1", "n_a > 1", "W056"),
            ("team-a", "b", "W057"),
            ("# watchfire owner team-a", "# a", "W057"),
        ] {
            assert_eq!(ids(&good.replace(from, to)), [id], "{to}");
        }
        assert_eq!(
            ids("  # pint rule/owner team-b\n  - {record: 'c:x', expr: sum(a)}\n"),
            ["W053"]
        );
        assert_eq!(
            ids(
                "  # watchfire owner team-b\n  - {record: 'c:x', expr: 'sum by (job, instance) (a)'}\n"
            ),
            ["W053"]
        );
        let owned = |rule: &str| ids(&format!("  # watchfire file-owner team-b\n  - {rule}\n"));
        assert!(owned("{record: 'c:x', expr: sum by (job) (a)}").is_empty());
        assert_eq!(owned("{record: x, expr: sum by (job) (a)}"), ["W050"]);
        assert_eq!(owned("{record: 'old:x', expr: a}"), ["W058"]);
    }
}
