use crate::check::{Finding, Severity};
use crate::model::Labels;
use crate::promql::ast::Expr;
use crate::promql::parser;
use crate::template::Use;
use crate::template::rules::{Expander, PROLOGUE_BYTES, QuerySample, SampleText, uses};
use crate::text::quote::quote;
use crate::text::yaml::Node;
use crate::time::Timestamp;

use super::Page;
use super::subject::{Subject, World};

pub(super) static LABEL_LOST: Page = Page::new(
    "W033",
    "template-label-lost",
    Severity::Warning,
    "A template prints a label that the results of the expression cannot have.",
)
.pint("alerts/template")
.why("`$labels` holds the labels of the expression's result: what an aggregation did not keep is gone, and labels that the rule itself sets (its severity) or that come later (alertname) are not in it. The template prints nothing there, at night.")
.example(
    "expr: sum(rate(errors_total[5m])) > 1\nannotations:\n  summary: 'errors on {{ $labels.instance }}'",
    "expr: sum by (instance) (rate(errors_total[5m])) > 1\nannotations:\n  summary: 'errors on {{ $labels.instance }}'",
);

pub(super) static FAILS: Page = Page::new(
    "W034",
    "template-fails",
    Severity::Warning,
    "A template fails whatever labels and value the alert has.",
)
.pint("alerts/template")
.why("It parses, so every program loads it, but when the alert fires its text becomes an error message. It was tried with label sets that the expression can produce.")
.example("summary: 'at {{ $value | toUpper }}'", "summary: 'at {{ $value | humanize }}'");

pub(super) static VALUE_IN_LABEL: Page = Page::new(
    "W035",
    "value-in-label",
    Severity::Warning,
    "A label of an alert contains the value.",
)
.pint("alerts/template")
.why("Labels are the identity of an alert. When one changes with the value every change is a new alert: the old one resolves, `for` begins anew and may never pass, and notifications multiply. Values belong into annotations.")
.example("labels:\n  usage: '{{ $value }}'", "annotations:\n  usage: '{{ $value }}'");

pub(super) static BAD_QUERY: Page = Page::new(
    "W036",
    "template-query",
    Severity::Warning,
    "The query in a template is no PromQL.",
)
.pint("alerts/template")
.why("It is run when the alert fires, and fails then.")
.example(
    "description: '{{ query \"up{\" | len }}'",
    "description: '{{ query \"up\" | len }}'",
);

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if !subject.is_alert() {
        return;
    }
    for (field, pairs) in [
        ("labels", &subject.rule.labels),
        ("annotations", &subject.rule.annotations),
    ] {
        for (name, text) in pairs.iter().filter(|(_, text)| text.contains("{{")) {
            let Some(entry) = subject.entry(field, name) else {
                continue;
            };
            of_text(subject, field, text, &entry.value, out);
            if !is_plain(text) {
                renders(subject, text, &entry.value, out);
            }
        }
    }
}

fn of_text(subject: &Subject<'_>, field: &str, text: &str, node: &Node, out: &mut Vec<Finding>) {
    let mut seen: Vec<Use> = Vec::new();
    for used in uses(text) {
        if seen.contains(&used.what) {
            continue;
        }
        let at = used.offset..used.offset;
        match &used.what {
            Use::Label(label) => {
                if let Some((message, hint)) = lost(subject, label) {
                    let at = around(text, used.offset, label);
                    let finding = subject.in_scalar(&LABEL_LOST, node, at, message);
                    out.push(finding.with_hint(hint));
                }
            }
            Use::Value if field == "labels" => {
                let message = "the value in a label makes every change of it a new alert";
                let finding = subject.in_scalar(&VALUE_IN_LABEL, node, at, message);
                out.push(finding.with_hint("move it to the annotations"));
            }
            Use::Query(query) => {
                // Formats of printf are filled in later.
                if let Some(error) = parser::parse(query, &parser::ParseOptions::default())
                    .err()
                    .filter(|_| !query.contains('%'))
                    .and_then(|errors| errors.into_iter().next())
                {
                    let message = format!("the query {} is no PromQL: {error}", quote(query));
                    out.push(subject.in_scalar(&BAD_QUERY, node, at, message));
                }
            }
            _ => {}
        }
        seen.push(used.what);
    }
}

/// The bytes of a label's name at or after an offset.
fn around(text: &str, offset: usize, label: &str) -> std::ops::Range<usize> {
    let from = text.floor_char_boundary(offset.saturating_sub(label.len() + 8));
    match text[from..].find(label) {
        Some(at) => from + at..from + at + label.len(),
        None => offset..offset,
    }
}

fn lost(subject: &Subject<'_>, label: &str) -> Option<(String, String)> {
    let labels = &subject.analysis.result().labels;
    if label == "alertname" {
        let from_alerts = subject.analysis.selectors().any(|selector| {
            // What evaluates alerts counts them by name.
            selector.name.starts_with("ALERTS")
                || selector.name.starts_with("vmalert_")
                || selector.name.contains(':')
                || selector.matchers.iter().any(|m| m.name == "alertname")
        });
        return (!from_alerts && !labels.expected.contains(label)).then(|| {
            (
                "`alertname` is no label of the expression's result, so this prints nothing"
                    .to_owned(),
                format!("write the name itself: {}", subject.rule.name),
            )
        });
    }
    if labels.can_have(label) {
        // compat: `$labels` are the result's; those of the rule are added after the templates ran.
        let set_here = subject.label(label).is_some() && !mentioned(subject, label);
        let own = label == "severity" && set_here;
        return own.then(|| {
            (
                format!("`{label}` is set by the rule itself, and templates do not see the rule's labels"),
                "write the text itself".to_owned(),
            )
        });
    }
    let why = match labels.lost_at(label) {
        Some(at) if at.end > at.start => {
            let text = subject.text(at);
            let line = text.lines().next().unwrap_or_default();
            let cut = line.floor_char_boundary(60);
            let dots = if cut < text.len() { "..." } else { "" };
            format!(": `{}{dots}` takes it away", &line[..cut])
        }
        _ => String::new(),
    };
    Some((
        format!("the expression's results have no label `{label}`{why}, so this prints nothing"),
        format!("keep `{label}` in the expression, for example with `by ({label})`"),
    ))
}

fn mentioned(subject: &Subject<'_>, label: &str) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name == label);
    subject.analysis.nodes().iter().any(|expr| match expr {
        Expr::Aggregate(aggregate) => named(&aggregate.grouping),
        Expr::Binary(binary) => binary
            .matching
            .as_ref()
            .is_some_and(|matching| named(&matching.labels) || named(&matching.include)),
        Expr::Call(call) => call.func.name.starts_with("label_"),
        Expr::VectorSelector(selector) => selector.matchers.iter().any(|m| m.name == label),
        Expr::MatrixSelector(matrix) => matrix.selector.matchers.iter().any(|m| m.name == label),
        _ => false,
    })
}

/// Whether a text has nothing but labels, and values through functions that take any number.
fn is_plain(text: &str) -> bool {
    text.split("{{").skip(1).all(|part| {
        let action = part.split("}}").next().unwrap_or(part);
        let action = action.trim_matches('-').trim();
        let mut steps = action.split('|').map(str::trim);
        let first = steps.next().unwrap_or_default();
        let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let label = first
            .strip_prefix("$labels.")
            .or_else(|| first.strip_prefix(".Labels."));
        if label.is_some_and(is_word) {
            return steps.next().is_none();
        }
        matches!(first, "$value" | ".Value") && steps.all(|step| step.starts_with("humanize"))
    })
}

fn renders(subject: &Subject<'_>, text: &str, node: &Node, out: &mut Vec<Finding>) {
    let flow = &subject.analysis.result().labels;
    let mut last_error = None;
    for (value, label) in [
        (1.5, "a1"),
        (0.0, "12"),
        (1.7e9, "10.0.0.1:9100"),
        (1.5, ""),
    ] {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let known = flow.expected.iter().chain(flow.only.iter().flatten());
        for name in known {
            let fixed = flow.fixed.get(name).map_or(label, String::as_str);
            pairs.push((name.clone(), fixed.to_owned()));
        }
        if flow.only.is_none() {
            for used in uses(text) {
                if let Use::Label(name) = used.what
                    && flow.can_have(&name)
                {
                    pairs.push((name, label.to_owned()));
                }
            }
        }
        pairs.sort();
        pairs.dedup_by(|a, b| a.0 == b.0);
        let labels = Labels::from_pairs(pairs);
        let sample = QuerySample {
            labels: labels.clone(),
            value: SampleText::Float(value),
        };
        let query = |_: &str, _: Timestamp| Ok(vec![sample.clone()]);
        let external = Labels::empty();
        let expander = Expander {
            name: &subject.rule.name,
            external_labels: &external,
            external_url: "http://localhost:9090",
            now: Timestamp::from_secs(1_700_000_000),
            query: &query,
        };
        match expander.expand(text, &labels, &SampleText::Float(value)) {
            Ok(_) => return,
            Err(error) => last_error = Some(error),
        }
    }
    if let Some(error) = last_error {
        let offset = error
            .offset()
            .map_or(0, |at| at.saturating_sub(PROLOGUE_BYTES));
        let message = format!("the template fails whatever the labels are: {error}");
        out.push(subject.in_scalar(&FAILS, node, offset..offset, message));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::count;

    fn found(id: &str, expr: &str, text: &str) -> bool {
        let rule = format!(
            "  - alert: A\n    expr: '{expr}'\n    labels: {{severity: page}}\n    annotations:\n      summary: '{text}'\n"
        );
        count(id, &rule) > 0
    }

    #[test]
    fn labels_must_be_there() {
        for (expr, text, wrong) in [
            ("sum(a) > 1", "{{ $labels.instance }}", true),
            ("sum by (instance) (a) > 1", "{{ $labels.instance }}", false),
            ("a > 1", "{{ $labels.instance }}", false),
            ("a > 1", "{{ $labels.alertname }}", true),
            (
                "vmalert_alerting_rules_errors_total > 1",
                "{{ $labels.alertname }}",
                false,
            ),
            ("a > 1", "{{ $labels.severity }}", true),
            ("sum by (severity) (a) > 1", "{{ $labels.severity }}", false),
            ("sum without (pod) (a) > 1", "{{ .Labels.pod }}", true),
            (
                "sum(a) > 1",
                "{{ range query \"up\" }}{{ .Labels.instance }}{{ end }}",
                false,
            ),
            ("absent(up{job=\"a\"})", "{{ $labels.job }}", false),
            ("absent(up{job=\"a\"})", "{{ $labels.instance }}", true),
            ("sum(a) > 1 or b > 1", "{{ $labels.x }}", false),
        ] {
            assert_eq!(found("W033", expr, text), wrong, "{expr}: {text}");
        }
    }

    #[test]
    fn templates_must_work_when_the_alert_fires() {
        for (text, wrong) in [
            ("{{ $value | toUpper }}", true),
            ("{{ $labels.x | toTime }}", false),
            ("{{ $value | humanizePercentage }}", false),
            ("{{ printf \"%.2f\" $value }}", false),
            (
                "{{ with query \"up\" }}{{ . | first | value }}{{ end }}",
                false,
            ),
            ("{{ reReplaceAll \"(\" \"\" $labels.x }}", true),
            ("{{ $labels.x | humanize }}", false),
            ("{{ index $labels 1 }}", true),
        ] {
            assert_eq!(found("W034", "a > 1", text), wrong, "{text}");
        }
        assert!(found("W036", "a > 1", "{{ query \"up{\" }}"));
        assert!(!found("W036", "a > 1", "{{ query \"up\" }}"));
    }

    #[test]
    fn values_are_no_labels() {
        let rule = |label: &str| {
            format!(
                "  - alert: A\n    expr: a > 1\n    labels: {{x: '{label}'}}\n    annotations: {{v: '{{{{ $value }}}}'}}\n"
            )
        };
        assert_eq!(count("W035", &rule("{{ $value }}")), 1);
        assert_eq!(
            count("W035", &rule("{{ if gt $value 5.0 }}a{{ else }}b{{ end }}")),
            0
        );
        assert_eq!(count("W035", &rule("a")), 0);
    }
}
