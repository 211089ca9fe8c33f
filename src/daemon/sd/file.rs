//! `file_sd_configs`: files are looked at often and read when they changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Finds;
use crate::daemon::Clock;
use crate::discovery::{FileOptions, TargetGroup, file};
use crate::http::metrics::Counter;
use crate::time::Span;

/// How often names, times and lengths of files are compared.
const LOOK: Span = Span::seconds(2);
/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 64 << 20;

/// What tells one state of a file from another.
type Stamp = (Option<SystemTime>, u64);

/// What is known of the files.
#[derive(Debug, Default)]
struct Files {
    stamps: BTreeMap<String, Stamp>,
    /// How many groups each file had when it could last be read.
    groups: BTreeMap<String, usize>,
}

/// Looks, reads and tells for ever.
pub(super) async fn run(owner: String, options: FileOptions, finds: Finds, clock: Clock) {
    let errors = finds.metrics.counter(
        "prometheus_sd_file_read_errors_total",
        "The number of File-SD read errors.",
    );
    let mut files = Files::default();
    let mut read_all = clock.timestamp();
    loop {
        let now = clock.timestamp();
        let due = now >= read_all;
        if due {
            read_all = now + options.refresh_interval;
        }
        let (owner, patterns, errors) = (owner.clone(), options.files.clone(), errors.clone());
        let look = move || {
            let groups = files.look(&owner, &patterns, due, &errors);
            (files, groups)
        };
        let Ok((back, groups)) = tokio::task::spawn_blocking(look).await else {
            return;
        };
        files = back;
        if !groups.is_empty() {
            finds.update(groups);
        }
        clock.sleep(LOOK).await;
    }
}

impl Files {
    /// Reads what changed, or everything, and returns the groups that are new or gone.
    fn look(
        &mut self,
        owner: &str,
        patterns: &[String],
        everything: bool,
        errors: &Counter,
    ) -> Vec<TargetGroup> {
        let mut present = BTreeMap::new();
        for path in patterns.iter().flat_map(|pattern| matching(pattern)) {
            if let Ok(meta) = std::fs::metadata(&path) {
                let stamp = (meta.modified().ok(), meta.len());
                present.insert(path.display().to_string(), stamp);
            }
        }
        let mut changed = Vec::new();
        for (path, stamp) in &present {
            if !everything && self.stamps.get(path) == Some(stamp) {
                continue;
            }
            match read(path, stamp.1) {
                Ok(groups) => {
                    self.forget(path, groups.len(), &mut changed);
                    self.groups.insert(path.clone(), groups.len());
                    changed.extend(groups);
                }
                // compat: what a file said before it broke stays.
                Err(why) => {
                    errors.inc();
                    tracing::error!(job = owner, file = path, "Error reading file: {why}");
                }
            }
        }
        let gone: Vec<String> = self
            .groups
            .keys()
            .filter(|path| !present.contains_key(*path))
            .cloned()
            .collect();
        for path in gone {
            self.forget(&path, 0, &mut changed);
            self.groups.remove(&path);
        }
        self.stamps = present;
        changed
    }

    /// Empties the groups of a file from number `kept` on.
    fn forget(&self, path: &str, kept: usize, changed: &mut Vec<TargetGroup>) {
        let known = self.groups.get(path).copied().unwrap_or(0);
        changed.extend((kept..known).map(|index| TargetGroup {
            source: file::source(path, index),
            ..TargetGroup::default()
        }));
    }
}

fn matching(pattern: &str) -> Vec<PathBuf> {
    glob::glob(pattern).map_or_else(|_| Vec::new(), |paths| paths.flatten().collect())
}

fn read(path: &str, length: u64) -> Result<Vec<TargetGroup>, String> {
    if length > FILE_MAX {
        return Err(format!("file is larger than {FILE_MAX} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    file::parse(path, &bytes).map_err(|e| e.to_string())
}
