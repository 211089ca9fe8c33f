//! JUnit XML in promtool's shape, with the attributes that CI systems look for.

use std::fmt::Write as _;

use super::group_names;
use crate::check::unit_test::TestReport;
use crate::text::xml::escape;

/// The whole document.
pub(super) fn document(reports: &[TestReport], now: jiff::Timestamp) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        suite(&mut out, report, now);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, report: &TestReport, now: jiff::Timestamp) {
    let file = escape(&report.file.display().to_string());
    let failures: usize = report.groups.iter().map(|group| group.failures.len()).sum();
    let errors = report.errors.len();
    // A file that cannot be played is one case that ended in an error.
    let tests = report.groups.len() + usize::from(errors > 0);
    let _ = writeln!(
        out,
        "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" timestamp=\"{}\">",
        now.strftime("%Y-%m-%dT%H:%M:%S")
    );
    if errors > 0 {
        let _ = write!(out, "    <testcase name=\"{file}\" classname=\"{file}\">");
        for error in &report.errors {
            let _ = write!(out, "<error>{}</error>", escape(&error.to_string()));
        }
        out.push_str("</testcase>\n");
    }
    for (group, name) in report.groups.iter().zip(group_names(report)) {
        let name = escape(&name);
        let _ = write!(out, "    <testcase name=\"{name}\" classname=\"{file}\">");
        for failure in &group.failures {
            let text = escape(&failure.message);
            let about = escape(&failure.about);
            let _ = write!(out, "<failure message=\"{about}\">{text}</failure>");
        }
        out.push_str("</testcase>\n");
    }
    out.push_str("  </testsuite>\n");
}
