use std::collections::BTreeMap;

use crate::check::analysis::{metric_name, metrics};
use crate::check::{Finding, RuleFile, Severity};
use crate::promql::ast::{AggregateOp, Expr, PosRange};
use crate::rules::file::{FileGroup, FileRuleKind};
use crate::text::yaml::Node;
use crate::time::Span;

use super::Page;
use super::path;
use super::subject::{Site, Subject};

pub(super) static LONG_INTERVAL: Page = Page::new(
    "W061",
    "long-interval",
    Severity::Warning,
    "A group with recording rules is evaluated more rarely than queries look back.",
)
.pint("group/interval")
.why("A query takes the newest sample of the last 5 minutes. A series that is recorded every 10 minutes is gone half of the time: graphs have gaps, and alerts on it resolve.")
.example("- name: slow\n  interval: 10m", "- name: slow\n  interval: 2m");

pub(super) static ORDER: Page = Page::new(
    "W062",
    "recorded-later",
    Severity::Info,
    "A rule uses a metric that a later rule of the same group records.",
)
.pint("rule/dependency")
.why("The rules of a group are evaluated in order, so this one sees the value of the evaluation before: it lags one interval behind. Put the recording rule first.")
.example(
    "- alert: Errors\n  expr: job:errors:rate5m > 1\n- record: job:errors:rate5m\n  expr: sum by (job) (rate(errors_total[5m]))",
    "- record: job:errors:rate5m\n  expr: sum by (job) (rate(errors_total[5m]))\n- alert: Errors\n  expr: job:errors:rate5m > 1",
);

pub(super) static RECORDS_ITSELF: Page = Page::new(
    "W067",
    "records-itself",
    Severity::Warning,
    "A recording rule writes the metric that it reads.",
)
.why("Its own result is among its input at the next evaluation: sums grow without end, and series come back that are long gone.")
.example("record: errors_total\nexpr: sum by (job) (errors_total)", "record: job:errors:sum\nexpr: sum by (job) (errors_total)");

pub(super) static OVERWRITES: Page = Page::new(
    "W065",
    "label-overwritten",
    Severity::Warning,
    "A rule sets a label that its expression keeps on purpose: all results get the same value.",
)
.pint("rule/label")
.why("The label of the rule wins. Results that differed in it only become the same series, and the evaluation fails with \"vector contains metrics with the same labelset\", or the one thing that told them apart is lost.")
.example("expr: sum by (instance) (a) > 1\nlabels:\n  instance: all", "expr: sum(a) > 1\nlabels:\n  instance: all");

pub(super) static REMOVED: Page = Page::new(
    "W064",
    "recording-removed",
    Severity::Warning,
    "A recording rule was removed, but its metric is still used.",
)
.pint("rule/dependency")
.why("Nobody records the metric any more: rules and dashboards that use it find nothing, and alerts on it never fire again.")
.example("expr: job:errors:rate5m > 1 # no rule records it any more", "expr: sum by (job) (rate(errors_total[5m])) > 1");

const LOOKBACK: Span = Span::minutes(5);

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let result = subject.analysis.result();
    for (name, value) in &subject.rule.labels {
        let kept = result.labels.expected.contains(name)
            && !result.labels.fixed.contains_key(name)
            && !value.contains("{{");
        if kept && let Some(entry) = subject.entry("labels", name) {
            let message = format!(
                "the expression keeps the label `{name}`, but the rule sets it to {value:?} for every result"
            );
            let finding = subject.on_node(&OVERWRITES, &entry.key, message);
            out.push(finding.with_hint(format!(
                "take `{name}` out of the expression, or name the label otherwise"
            )));
        }
    }
    if subject.is_alert() {
        return;
    }
    let reads_itself = subject
        .analysis
        .selectors()
        .find(|selector| metric_name(selector) == Some(subject.rule.name.as_str()));
    // With an offset it may be meant: a running total.
    if let Some(selector) = reads_itself.filter(|selector| selector.offset.is_zero()) {
        let message = format!(
            "the rule reads `{}`, which it records itself",
            subject.rule.name
        );
        out.push(subject.on_expr(&RECORDS_ITSELF, selector.pos, message));
    }
}

/// What is to say on the groups of a file as wholes.
pub(super) fn of_file(file: &RuleFile, out: &mut Vec<Finding>) {
    let nodes = file
        .document
        .root
        .entry("groups")
        .and_then(Node::as_sequence);
    for (group, node) in file.groups.iter().zip(nodes.unwrap_or_default()) {
        let records = group
            .rules
            .iter()
            .any(|rule| rule.kind == FileRuleKind::Recording);
        if records
            && group.interval.as_ms() > LOOKBACK.as_ms()
            && let Some(interval) = node.entry("interval")
        {
            let message = format!(
                "the group is evaluated every {}, but queries look back {LOOKBACK}: its series have gaps",
                group.interval
            );
            let finding = Finding::on_node(
                &LONG_INTERVAL,
                &file.name,
                &file.document,
                interval,
                message,
            );
            out.push(finding.with_rule(&group.name, ""));
        }
    }
}

/// What rules say of each other.
#[derive(Debug, Default)]
pub(super) struct Recorded<'a> {
    /// Metrics recorded as the plain sum of counters.
    sums: BTreeMap<&'a str, AggregateOp>,
    /// Rates of recorded metrics, and the places.
    rates: Vec<(&'a str, Site<'a>, PosRange)>,
    /// Uses of a metric before its recording rule, in the group at hand.
    group: Option<&'a FileGroup>,
    used: BTreeMap<&'a str, Vec<(Site<'a>, PosRange)>>,
}

impl<'a> Recorded<'a> {
    pub(super) fn see(&mut self, subject: &Subject<'a>, out: &mut Vec<Finding>) {
        if !self
            .group
            .is_some_and(|group| std::ptr::eq(group, subject.group))
        {
            self.group = Some(subject.group);
            self.used.clear();
        }
        for selector in subject.analysis.selectors() {
            if let Some(name) = metric_name(selector).filter(|_| selector.offset.is_zero()) {
                let place = (subject.site(), selector.pos);
                self.used.entry(name).or_default().push(place);
            }
        }
        for expr in subject.analysis.nodes() {
            if let Expr::Call(call) = expr
                && matches!(call.func.name, "rate" | "irate" | "increase")
                && let Some(Expr::MatrixSelector(matrix)) =
                    call.args.first().map(Expr::unwrap_parens)
                && matrix.selector.name.contains(':')
            {
                let name = &matrix.selector.name;
                self.rates.push((name, subject.site(), call.pos));
            }
        }
        if subject.is_alert() {
            return;
        }
        let name = subject.rule.name.as_str();
        for (site, at) in self.used.remove(name).unwrap_or_default() {
            let line = subject.rule.place.start.line;
            // Its own use is another check's business.
            if site.rule_name() == name {
                continue;
            }
            let message = format!(
                "`{name}` is recorded by a later rule of the group, in line {line}: this one lags an interval behind"
            );
            let finding = site.on_expr(&ORDER, at, message);
            out.push(finding.with_hint("put the recording rule first"));
        }
        if let Some(op) = plain_sum(subject.analysis.root()) {
            self.sums.insert(name, op);
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Finding>) {
        for (name, site, at) in self.rates {
            if let Some(op) = self.sums.get(name) {
                let message = format!(
                    "`{name}` is recorded as {op}() of counters: one restart looks like a restart of all"
                );
                let finding = site.on_expr(&super::counters::RATE_OF_SUM, at, message);
                out.push(finding.with_hint("record the rate of each counter, then aggregate"));
            }
        }
    }
}

/// The aggregation of a rule that adds counters up without a rate.
fn plain_sum(expr: &Expr) -> Option<AggregateOp> {
    let Expr::Aggregate(aggregate) = expr.unwrap_parens() else {
        return None;
    };
    let Expr::VectorSelector(selector) = path::core(&aggregate.expr) else {
        return None;
    };
    let adds = matches!(aggregate.op, AggregateOp::Sum | AggregateOp::Avg);
    (adds && metric_name(selector).is_some_and(metrics::is_surely_counter)).then_some(aggregate.op)
}

/// Uses of metrics that `before` recorded and `after` does not record any more.
pub fn removed_recordings(before: &[RuleFile], after: &[RuleFile]) -> Vec<Finding> {
    let recorded = |files: &[RuleFile]| -> BTreeMap<String, String> {
        let rules = files
            .iter()
            .flat_map(|file| file.groups.iter().map(move |group| (file, group)));
        rules
            .flat_map(|(file, group)| group.rules.iter().map(move |rule| (file, rule)))
            .filter(|(_, rule)| rule.kind == FileRuleKind::Recording)
            .map(|(file, rule)| (rule.name.clone(), file.name.clone()))
            .collect()
    };
    let (old, new) = (recorded(before), recorded(after));
    let mut findings = Vec::new();
    for file in after {
        Subject::each(file, |subject| {
            for selector in subject.analysis.selectors() {
                let Some(name) = metric_name(selector) else {
                    continue;
                };
                if let Some(from) = old.get(name).filter(|_| !new.contains_key(name)) {
                    let message = format!(
                        "`{name}` is still used here, but {from} does not record it any more"
                    );
                    findings.push(subject.on_expr(&REMOVED, selector.pos, message));
                }
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::lint::testing::{alert, count, file, findings};
    use crate::rules::file::FileOptions;

    #[test]
    fn groups_are_evaluated_often_enough() {
        let text =
            "groups:\n- name: g\n  interval: 10m\n  rules:\n  - {record: a:b, expr: sum(x)}\n";
        assert_eq!(findings(text)[0].id(), "W061");
        assert!(findings(&text.replace("10m", "5m")).is_empty());
    }

    #[test]
    fn recording_rules_come_first() {
        let record = "  - {record: 'a:b', expr: sum(x)}\n";
        assert_eq!(
            count("W062", &format!("{}{record}", alert("a:b > 1", ""))),
            1
        );
        assert_eq!(
            count("W062", &format!("{record}{}", alert("a:b > 1", ""))),
            0
        );
    }

    #[test]
    fn rules_do_not_feed_themselves() {
        assert_eq!(count("W067", "  - {record: x, expr: sum(x)}\n"), 1);
        assert_eq!(count("W067", "  - {record: y, expr: sum(x)}\n"), 0);
        assert_eq!(
            count("W067", "  - {record: x, expr: sum(y) + x offset 1m}\n"),
            0
        );
    }

    #[test]
    fn labels_of_rules_do_not_hide_those_of_results() {
        let rule = |expr: &str, label: &str| {
            format!(
                "  - alert: A\n    expr: {expr}\n    labels: {{instance: '{label}'}}\n    annotations: {{s: t}}\n"
            )
        };
        assert_eq!(count("W065", &rule("sum by (instance) (a) > 1", "all")), 1);
        assert_eq!(
            count(
                "W065",
                &rule("sum by (instance) (a) > 1", "{{ $labels.instance }}")
            ),
            0
        );
        assert_eq!(count("W065", &rule("sum(a) > 1", "all")), 0);
        assert_eq!(count("W065", &rule("a > 1", "all")), 0);
    }

    #[test]
    fn rates_of_recorded_sums() {
        let record = "  - {record: 'a:sum', expr: sum by (x) (a_total)}\n  - {record: 'a:rate', expr: 'sum(rate(a_total[5m]))'}\n";
        assert_eq!(
            count(
                "W015",
                &format!("{record}{}", alert("rate(a:sum[5m]) > 1", ""))
            ),
            1
        );
        assert_eq!(
            count(
                "W015",
                &format!("{record}{}", alert("rate(a:rate[5m]) > 1", ""))
            ),
            0
        );
    }

    #[test]
    fn removed_recordings_are_missed() {
        let read = |text: &str| {
            RuleFile::parse("r.yml", text.as_bytes(), &FileOptions::default())
                .0
                .unwrap()
        };
        let record = "  - {record: 'a:b', expr: sum(x)}\n";
        let before = read(&file(&format!("{record}{}", alert("a:b > 1", ""))));
        let after = read(&file(&alert("a:b > 1", "")));
        assert_eq!(
            removed_recordings(std::slice::from_ref(&before), &[after]).len(),
            1
        );
        assert!(
            removed_recordings(std::slice::from_ref(&before), std::slice::from_ref(&before))
                .is_empty()
        );
    }
}
