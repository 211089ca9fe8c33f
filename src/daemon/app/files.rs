//! Configuration files on the real disk, with texts that exist only in memory laid over them.

use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh64::Xxh64;

use crate::config::Files;

/// The disk, and perhaps one text under a name of its own.
#[derive(Debug, Clone, Default)]
pub struct RealFiles {
    /// A name, and the text that stands there whatever the disk says.
    pub overlay: Option<(PathBuf, String)>,
}

impl Files for RealFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.overlay {
            Some((name, text)) if name == path => Ok(text.as_bytes().to_vec()),
            _ => std::fs::read(path).map_err(|e| {
                // Go's words, which upstream's users know.
                io::Error::new(e.kind(), crate::daemon::net::io_text(&e))
            }),
        }
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let mut found: Vec<PathBuf> = glob::glob_with(pattern, options)
            .map_err(|e| e.to_string())?
            .filter_map(Result::ok)
            .collect();
        found.sort();
        Ok(found)
    }
}

/// A checksum over files; one that cannot be read counts as its error.
pub(super) fn checksum(paths: &[PathBuf]) -> u64 {
    let mut hash = Xxh64::new(0);
    for path in paths {
        hash.update(path.to_string_lossy().as_bytes());
        match std::fs::read(path) {
            Ok(bytes) => hash.update(&bytes),
            Err(e) => hash.update(e.kind().to_string().as_bytes()),
        }
        hash.update(&[0]);
    }
    hash.digest()
}
