//! How a test file fared, on the terminal.

use anstyle::{AnsiColor, Style};

use super::{diff, group_names, say};
use crate::check::unit_test::TestReport;
use crate::cli::{check, output};

/// Shows verdict, mistakes, failures and what is odd.
pub(super) fn report(report: &TestReport, only_differences: bool) {
    let (green, red) = (
        Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
        Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
    );
    let file = report.file.display();
    say(&format!("Unit Testing:  {file}"));
    for warning in &report.warnings {
        output::warn(warning);
    }
    for remark in report.groups.iter().flat_map(|group| &group.remarks) {
        let at = remark.place.start;
        output::warn(&format!(
            "{file}:{}:{}: {}",
            at.line, at.column, remark.message
        ));
    }
    if report.passed() {
        say(&format!("  {green}SUCCESS{green:#}\n"));
        return;
    }
    say(&format!("  {red}FAILED:{red:#}"));
    report.errors.iter().for_each(check::show_finding);
    for (group, name) in report.groups.iter().zip(group_names(report)) {
        for failure in &group.failures {
            let at = failure.place.start;
            let place = format!("  {file}:{}:{}: in test {name}", at.line, at.column);
            match &failure.difference {
                Some(difference) => {
                    say(&format!("{place}: {}", failure.about));
                    say(&diff::draw(difference, only_differences));
                }
                None => say(&format!("{place}:\n{}\n", failure.message)),
            }
        }
    }
}

/// Every test group that was played, and its series at the end.
pub(super) fn debug(report: &TestReport) {
    for (group, name) in report.groups.iter().zip(group_names(report)) {
        let failures = group.failures.len();
        say(&format!("DEBUG: test group {name}: {failures} failures"));
        let Some(dump) = &group.dump else { continue };
        say(&format!("DEBUG: all series at {}:", dump.at));
        for series in &dump.series {
            say(&format!("  {} {}", series.labels, series.value));
        }
    }
}
