//! GitLab's code quality report.

use serde_json::json;

use super::region::Region;
use super::{Fingerprints, message, path};
use crate::check::Severity;
use crate::cli::check::outcome::Outcome;

pub(super) fn document(outcome: &Outcome) -> String {
    let mut fingerprints = Fingerprints::default();
    let issues = outcome.findings().map(|(_, finding)| {
        let severity = match finding.severity {
            Severity::Error => "critical",
            Severity::Lint => "major",
            Severity::Warning => "minor",
            Severity::Info => "info",
        };
        let region = Region::of(finding);
        json!({
            "description": message(finding),
            "check_name": format!("{} {}", finding.id(), finding.page.name),
            "fingerprint": fingerprints.next(finding),
            "severity": severity,
            "location": {
                "path": path(&finding.file),
                "lines": {
                    "begin": region.map_or(1, |region| region.line),
                    "end": region.map_or(1, |region| region.end_line),
                },
            },
        })
    });
    let issues: Vec<_> = issues.collect();
    format!("{:#}\n", serde_json::Value::Array(issues))
}
