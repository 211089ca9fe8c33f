//! `--update`: shows what was got as a change of the test files, asks, and writes it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use super::{Run, say};
use crate::check::unit_test::update::updated;
use crate::check::unit_test::{TestReport, test_rules};
use crate::cli::{Error, output};
use crate::daemon::RealFiles;

/// Updates the files of reports that failed; those written are then reported as passed.
pub(super) fn update(run: &Run, reports: &mut [TestReport], yes: bool) -> Result<(), Error> {
    for report in reports.iter_mut().filter(|report| !report.passed()) {
        if !report.errors.is_empty() {
            output::warn(&format!(
                "{}: not updated, as it cannot be played",
                report.file.display()
            ));
            continue;
        }
        let text = std::fs::read_to_string(&report.file)
            .map_err(|error| Error::new(format!("{}: {error}", report.file.display())))?;
        let (new, left) = updated(&text, report);
        if new == text {
            output::warn(&format!(
                "{}: nothing to update: {left} tests failed with an error",
                report.file.display()
            ));
            continue;
        }
        let proof = proof(run, &report.file, &new);
        let failures: usize = proof.groups.iter().map(|group| group.failures.len()).sum();
        if !proof.errors.is_empty() || failures > left {
            let text = format!(
                "{}: the update would not make it pass, so it is not written; an alias or a list that is written in an unusual way may be the reason",
                report.file.display()
            );
            output::warn(&text);
            continue;
        }
        output::diff(&report.file.display().to_string(), &text, &new);
        if yes || asked(&report.file)? {
            write(&report.file, &new)?;
            say(&format!("Updated {}", report.file.display()));
            *report = proof;
        }
    }
    Ok(())
}

/// How the file would fare with its new text.
fn proof(run: &Run, path: &Path, text: &str) -> TestReport {
    let files = RealFiles {
        overlay: Some((path.to_owned(), text.to_owned())),
    };
    test_rules(path, &files, &run.options)
}

fn asked(path: &Path) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Error::new("--update asks before it writes, and nobody can answer here")
                .with_hint("add --yes to write without asking"),
        );
    }
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "Write {}? [y/N] ", path.display());
    let _ = out.flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Writes beside the file and renames, so that no half of it is ever there.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let path = std::fs::canonicalize(path).map_err(fail)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".watchfire-update");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text).map_err(fail)?;
    if let Ok(metadata) = std::fs::metadata(&path) {
        let _ = std::fs::set_permissions(&beside, metadata.permissions());
    }
    std::fs::rename(&beside, &path).map_err(fail)
}
