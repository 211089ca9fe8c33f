//! Our own JSON: everything that is known of a finding.

use serde_json::{Value, json};

use super::region::Region;
use crate::check::{Finding, Severity};
use crate::cli::check::outcome::{Checked, Outcome};

/// Grows when a field changes its meaning; new fields may come at any time.
const VERSION: u32 = 1;

pub(super) fn document(outcome: &Outcome) -> String {
    let files = outcome
        .checked
        .iter()
        .map(|checked| json!({"name": checked.name, "rules": checked.rules}));
    let findings = outcome
        .findings()
        .map(|(checked, finding)| one(checked, finding));
    let mut document = json!({
        "version": VERSION,
        "files": files.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "summary": {
            "error": outcome.count(Severity::Error),
            "lint": outcome.count(Severity::Lint),
            "warning": outcome.count(Severity::Warning),
            "info": outcome.count(Severity::Info),
            "known": outcome.known,
        },
    });
    if let (Some(changes), Value::Object(fields)) = (&outcome.changes, &mut document) {
        fields.insert("changes".to_owned(), super::changes::json(changes));
    }
    format!("{document:#}\n")
}

fn one(checked: &Checked, finding: &Finding) -> Value {
    let mut out = json!({
        "id": finding.id(),
        "name": finding.page.name,
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "meaning": finding.page.summary,
        "file": finding.file,
    });
    let mut add = |name: &str, value: Value| {
        if let Value::Object(fields) = &mut out {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some(region) = Region::of(finding) {
        add("line", json!(region.line));
        add("column", json!(region.column));
        add("endLine", json!(region.end_line));
        add("endColumn", json!(region.end_column));
    }
    if let Some(within) = &finding.within {
        add(
            "expression",
            json!({"line": within.line, "column": within.column}),
        );
    }
    if let Some(rule) = &finding.rule {
        add("group", json!(rule.group));
        add("rule", json!(rule.name));
    }
    if let Some(origin) = checked.origin_of(finding) {
        add("object", json!(origin.name));
    }
    if let Some(hint) = &finding.hint {
        add("hint", json!(hint));
    }
    if let Some(fix) = &finding.fix {
        let edits = fix.edits.iter().map(
            |edit| json!({"start": edit.bytes.start, "end": edit.bytes.end, "text": edit.text}),
        );
        add(
            "fix",
            json!({"title": fix.title, "edits": edits.collect::<Vec<_>>()}),
        );
    }
    out
}
