use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The files that a configuration speaks of.
pub trait Files {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that match a pattern as Go's `filepath.Glob` does, sorted. A pattern that matches
    /// nothing yields none; the error is the text for a malformed pattern.
    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String>;
}

/// Files that exist only in memory, for tests and for programs that embed the library.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.0.insert(path.into(), bytes.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let pattern = glob::Pattern::new(pattern).map_err(|error| error.to_string())?;
        Ok(self
            .0
            .keys()
            .filter(|path| pattern.matches_path_with(path, options))
            .cloned()
            .collect())
    }
}
