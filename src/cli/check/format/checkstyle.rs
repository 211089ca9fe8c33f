//! Checkstyle XML, which many review tools read.

use std::fmt::Write as _;

use super::message;
use super::path;
use crate::check::Severity;
use crate::cli::check::outcome::Outcome;
use crate::text::xml::escape;

pub(super) fn document(outcome: &Outcome) -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n");
    for checked in &outcome.checked {
        let _ = writeln!(out, "  <file name=\"{}\">", escape(&path(&checked.name)));
        for finding in &checked.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Lint | Severity::Warning => "warning",
                Severity::Info => "info",
            };
            let (line, column) = match &finding.place {
                Some(place) => (place.line.max(1), place.column.max(1)),
                None => (1, 1),
            };
            let _ = writeln!(
                out,
                "    <error line=\"{line}\" column=\"{column}\" severity=\"{severity}\" message=\"{}\" source=\"watchfire.{}\"/>",
                escape(&message(finding)),
                finding.id(),
            );
        }
        out.push_str("  </file>\n");
    }
    out.push_str("</checkstyle>\n");
    out
}
