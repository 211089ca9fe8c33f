//! What the arguments name: files, folders, patterns, standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::check::Finding;
use crate::check::source::is_something_else;
use crate::config::Files as _;
use crate::daemon::RealFiles;

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 32;

/// Something to check.
pub(super) struct Input {
    /// Its name, as findings show it.
    pub(super) name: String,
    /// What is in it, or why it could not be read.
    pub(super) bytes: Result<Vec<u8>, Finding>,
}

impl Input {
    pub(super) fn read(name: &str) -> Self {
        let read = if name == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            RealFiles::default().read(Path::new(name))
        };
        let refused =
            |error: std::io::Error| Finding::unreadable(name, format!("open {name}: {error}"));
        Self {
            name: name.to_owned(),
            bytes: read.map_err(refused),
        }
    }
}

/// The inputs that the arguments name, standard input when there are none, and how many files of folders
/// were passed over as `not_wanted`.
pub(super) fn inputs(matches: &ArgMatches, not_wanted: fn(&[u8]) -> bool) -> (Vec<Input>, usize) {
    let given: Vec<&String> = matches
        .get_many::<String>("files")
        .map(Iterator::collect)
        .unwrap_or_default();
    if given.is_empty() {
        return (vec![Input::read("-")], 0);
    }
    let (mut inputs, mut skipped) = (Vec::new(), 0);
    for name in given {
        let path = Path::new(name);
        if name != "-" && path.is_dir() {
            let mut found = Vec::new();
            walk(path, 0, &mut found);
            if found.is_empty() {
                inputs.push(nothing(
                    name,
                    "the folder has no .yml, .yaml or .json file in it",
                ));
            }
            for path in found {
                let path = path.strip_prefix(".").unwrap_or(&path);
                let input = Input::read(&path.to_string_lossy());
                if input.bytes.as_ref().is_ok_and(|bytes| not_wanted(bytes)) {
                    skipped += 1;
                } else {
                    inputs.push(input);
                }
            }
        } else if name.contains(['*', '?', '[']) && !path.exists() {
            match RealFiles::default().glob(name) {
                Ok(found) if found.is_empty() => {
                    inputs.push(nothing(name, "the pattern matches no file"));
                }
                Ok(found) => {
                    inputs.extend(
                        found
                            .iter()
                            .map(|path| Input::read(&path.to_string_lossy())),
                    );
                }
                Err(reason) => inputs.push(nothing(name, &reason)),
            }
        } else {
            inputs.push(Input::read(name));
        }
    }
    (inputs, skipped)
}

/// Whether a file of a folder holds no rules.
pub(super) fn no_rules(bytes: &[u8]) -> bool {
    is_something_else(bytes)
}

/// Takes every file of a folder.
pub(super) fn takes_all(_: &[u8]) -> bool {
    false
}

fn nothing(name: &str, why: &str) -> Input {
    Input {
        name: name.to_owned(),
        bytes: Err(Finding::unreadable(name, why)),
    }
}

/// The YAML and JSON files below a folder, sorted; links to folders and hidden folders are not followed.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if depth < DEPTH_MAX && !path.is_symlink() && !name.starts_with('.') {
                walk(&path, depth + 1, found);
            }
        } else if [".yml", ".yaml", ".json"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            found.push(path);
        }
    }
}
