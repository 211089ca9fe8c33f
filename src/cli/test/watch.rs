//! `--watch`: runs again whenever a file changes.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Run, say};
use crate::check::unit_test::TestReport;
use crate::cli::Error;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// What a file looked like: when it was written and how long it is; nothing when it is gone.
type Look = Option<(SystemTime, u64)>;

/// Runs again and again; comes back only when the tests cannot be run at all.
pub(super) fn watch(run: &Run) -> Result<(), Error> {
    loop {
        if std::io::stdout().is_terminal() {
            // Back to the top of an empty screen.
            let _ = write!(std::io::stdout().lock(), "\x1b[2J\x1b[H");
        }
        let before: Vec<(PathBuf, Look)> = looks(run.files.clone());
        let reports = run.once()?;
        let known = looks(watched(run, &reports));
        // A change while the tests ran counts, too.
        let changed_meanwhile = before.iter().any(|(path, look)| self::look(path) != *look);
        say("Waiting for a change of a test or rule file; interrupt to end.");
        while !changed_meanwhile && known.iter().all(|(path, look)| self::look(path) == *look) {
            std::thread::sleep(PERIOD);
        }
    }
}

/// The files that decide, and their folders, in which new files may appear.
fn watched(run: &Run, reports: &[TestReport]) -> Vec<PathBuf> {
    let read = reports.iter().flat_map(|report| &report.read);
    let mut paths: Vec<PathBuf> = run.files.iter().chain(read).cloned().collect();
    let folders: Vec<PathBuf> = paths
        .iter()
        .filter_map(|path| path.parent())
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_owned()
            }
        })
        .collect();
    paths.extend(folders);
    paths.sort();
    paths.dedup();
    paths
}

fn looks(paths: Vec<PathBuf>) -> Vec<(PathBuf, Look)> {
    let look = |path: PathBuf| {
        let look = look(&path);
        (path, look)
    };
    paths.into_iter().map(look).collect()
}

fn look(path: &Path) -> Look {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
