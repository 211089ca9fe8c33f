//! SARIF 2.1.0, for code scanning.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::region::Region;
use super::{Fingerprints, message, path};
use crate::check::lint::Page;
use crate::check::{Finding, Severity};
use crate::cli::check::outcome::{Checked, Outcome};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn document(outcome: &Outcome) -> String {
    let mut pages: BTreeMap<&str, &Page> = BTreeMap::new();
    for (_, finding) in outcome.findings() {
        pages.insert(finding.page.id, finding.page);
    }
    let index: BTreeMap<&str, usize> = pages.keys().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut fingerprints = Fingerprints::default();
    let results = outcome.findings().map(|(checked, finding)| {
        let fingerprint = fingerprints.next(finding);
        let index = index.get(finding.page.id).copied().unwrap_or(0);
        result(checked, finding, index, &fingerprint)
    });
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "watchfire",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": pages.values().map(|page| rule(page)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Lint | Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(page: &Page) -> Value {
    let text = page.text();
    json!({
        "id": page.id,
        "name": page.name,
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": page.why},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": level(page.severity)},
    })
}

fn result(checked: &Checked, finding: &Finding, index: usize, fingerprint: &str) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(&finding.file)}});
    if let Value::Object(fields) = &mut physical {
        // What is about a whole file is shown at its first line.
        let region = Region::of(finding).map_or_else(|| json!({"startLine": 1}), json_region);
        fields.insert("region".to_owned(), region);
    }
    let mut location = json!({"physicalLocation": physical});
    let mut logical = Vec::new();
    if let Some(origin) = checked.origin_of(finding) {
        logical.push(json!({"name": origin.name, "kind": "resource"}));
    }
    if let Some(rule) = &finding.rule {
        logical.push(json!({
            "name": rule.name,
            "fullyQualifiedName": format!("{}/{}", rule.group, rule.name),
            "kind": "member",
        }));
    }
    if let (false, Value::Object(fields)) = (logical.is_empty(), &mut location) {
        fields.insert("logicalLocations".to_owned(), Value::Array(logical));
    }
    let mut result = json!({
        "ruleId": finding.id(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": message(finding)},
        "locations": [location],
        "partialFingerprints": {"watchfire/v1": fingerprint},
    });
    if let (Some(fix), Value::Object(fields)) = (fix(finding), &mut result) {
        fields.insert("fixes".to_owned(), Value::Array(vec![fix]));
    }
    result
}

fn fix(finding: &Finding) -> Option<Value> {
    let (fix, place) = (finding.fix.as_ref()?, finding.place.as_ref()?);
    let replacements = fix.edits.iter().map(|edit| {
        json!({
            "deletedRegion": json_region(Region::of_bytes(&place.source, &edit.bytes)),
            "insertedContent": {"text": edit.text},
        })
    });
    Some(json!({
        "description": {"text": fix.title},
        "artifactChanges": [{
            "artifactLocation": {"uri": uri(&finding.file)},
            "replacements": replacements.collect::<Vec<_>>(),
        }],
    }))
}

fn json_region(region: Region) -> Value {
    json!({
        "startLine": region.line,
        "startColumn": region.column,
        "endLine": region.end_line,
        "endColumn": region.end_column,
    })
}

/// A relative reference, or the address of a file by its whole path; bytes that mean something in one are
/// escaped.
fn uri(name: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const ESCAPED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'%')
        .add(b'#')
        .add(b'?')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}')
        .add(b':');
    let path = path(name);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(&path, ESCAPED))
}
