//! What a change does, for people and as JSON.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::check::changes::{ChangedRule, RuleChange};
use crate::cli::check::since::Changes;
use crate::cli::output;
use crate::rules::file::FileRuleKind;

fn kind(rule: &ChangedRule) -> &'static str {
    match rule.kind {
        FileRuleKind::Recording => "record",
        FileRuleKind::Alerting => "alert",
    }
}

fn painted(sign: char, text: &str) -> String {
    let colour = match sign {
        '+' => AnsiColor::Green,
        '-' => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{sign} {text}{style:#}")
}

pub(super) fn show(changes: &Changes) {
    let Changes {
        revision,
        rules,
        moved,
    } = changes;
    if rules.is_empty() && moved.is_empty() {
        output::line(&format!("No rule and no route changed since {revision}"));
        return;
    }
    output::line(&format!("Changes since {revision}:"));
    for rule in rules {
        show_rule(rule);
    }
    for moved in moved {
        let text = format!(
            "alerts with {} go to {} instead of {}",
            moved.labels,
            moved.after.join(", "),
            moved.before.join(", ")
        );
        output::line(&format!("  {}", painted('~', &text)));
    }
}

fn show_rule(rule: &ChangedRule) {
    let (sign, fields) = match &rule.change {
        RuleChange::Added => ('+', &[][..]),
        RuleChange::Removed => ('-', &[][..]),
        RuleChange::Changed(fields) => ('~', fields.as_slice()),
    };
    let place = match rule.line {
        Some(line) => format!("{}:{line}", rule.file),
        None => rule.file.clone(),
    };
    let text = format!(
        "{} {} ({place}, group {})",
        kind(rule),
        rule.name,
        rule.group
    );
    output::line(&format!("  {}", painted(sign, &text)));
    for field in fields {
        output::line(&format!("      {}", field.field));
        let sides = [('-', &field.before), ('+', &field.after)];
        for (sign, value) in sides {
            for line in value.iter().flat_map(|value| value.lines()) {
                output::line(&format!("      {}", painted(sign, line)));
            }
        }
    }
}

pub(super) fn json(changes: &Changes) -> Value {
    let rules = changes.rules.iter().map(|rule| {
        let (change, fields) = match &rule.change {
            RuleChange::Added => ("added", &[][..]),
            RuleChange::Removed => ("removed", &[][..]),
            RuleChange::Changed(fields) => ("changed", fields.as_slice()),
        };
        let fields = fields.iter().map(
            |field| json!({"field": field.field, "before": field.before, "after": field.after}),
        );
        json!({
            "change": change,
            "kind": kind(rule),
            "name": rule.name,
            "group": rule.group,
            "file": rule.file,
            "line": rule.line,
            "fields": fields.collect::<Vec<_>>(),
        })
    });
    let moved = changes.moved.iter().map(|moved| {
        let labels = moved
            .labels
            .iter()
            .map(|(name, value)| (name.to_owned(), json!(value)));
        json!({
            "labels": labels.collect::<serde_json::Map<_, _>>(),
            "before": moved.before,
            "after": moved.after,
        })
    });
    json!({
        "since": changes.revision,
        "rules": rules.collect::<Vec<_>>(),
        "moved": moved.collect::<Vec<_>>(),
    })
}
