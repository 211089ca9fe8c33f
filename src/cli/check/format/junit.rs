//! JUnit XML: a suite per file, a case per finding, one that passes when there is none.

use std::fmt::Write as _;

use super::message;
use crate::check::{Finding, Severity};
use crate::cli::check::outcome::{Checked, Outcome};
use crate::text::xml::escape;

pub(super) fn document(outcome: &Outcome) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"watchfire check\">\n",
    );
    for checked in &outcome.checked {
        suite(&mut out, checked);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, checked: &Checked) {
    let name = escape(&checked.name);
    let errors = checked
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    let errors = errors.count();
    let findings = checked.findings.len();
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"0\">",
        findings.max(1),
        findings - errors,
    );
    if checked.findings.is_empty() {
        let _ = writeln!(out, "    <testcase name=\"{name}\" classname=\"{name}\"/>");
    }
    for finding in &checked.findings {
        case(out, &name, finding);
    }
    out.push_str("  </testsuite>\n");
}

fn case(out: &mut String, class: &str, finding: &Finding) {
    let element = if finding.severity == Severity::Error {
        "error"
    } else {
        "failure"
    };
    let place = finding.place.as_ref().map_or_else(String::new, |place| {
        format!(" at {}:{}", place.line, place.column)
    });
    let name = escape(&format!("{} {}{place}", finding.id(), finding.page.name));
    let text = escape(&format!("{finding}\n{}", message(finding)));
    let _ = writeln!(
        out,
        "    <testcase name=\"{name}\" classname=\"{class}\"><{element} type=\"{}\" message=\"{}\">{text}</{element}></testcase>",
        finding.id(),
        escape(&finding.message),
    );
}
