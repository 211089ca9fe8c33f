//! Workflow commands of GitHub Actions: `::error file=...,line=...::message`.

use std::fmt::Write as _;

use super::region::Region;
use super::{message, path};
use crate::check::Severity;
use crate::cli::check::outcome::Outcome;

pub(super) fn document(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (_, finding) in outcome.findings() {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Lint | Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let _ = write!(out, "::{command} file={}", property(&path(&finding.file)));
        if let Some(region) = Region::of(finding) {
            let _ = write!(out, ",line={},endLine={}", region.line, region.end_line);
            // GitHub knows columns only within one line.
            if region.line == region.end_line {
                let _ = write!(
                    out,
                    ",col={},endColumn={}",
                    region.column, region.end_column
                );
            }
        }
        let title = format!("{} {}", finding.id(), finding.page.name);
        let _ = writeln!(
            out,
            ",title={}::{}",
            property(&title),
            data(&message(finding))
        );
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
