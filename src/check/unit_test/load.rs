//! Reads unit-test files and the rule files that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::check::lint::errors;
use crate::check::source::rule_source;
use crate::check::{Finding, Severity};
use crate::config::Files;
use crate::rules::file::FileOptions;
use crate::rules::unit_test::LoadedGroup;
use crate::rules::unit_test::file::{UnitTestFile, parse};
use crate::text::yaml::{Problem, utf8};

use super::TestOptions;

/// A unit-test file as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    pub(super) tests: Option<UnitTestFile>,
    pub(super) groups: Vec<LoadedGroup>,
    pub(super) errors: Vec<Finding>,
    pub(super) warnings: Vec<String>,
    pub(super) read: Vec<PathBuf>,
}

impl Loaded {
    /// The tests, when nothing is wrong with them or their rules.
    pub(super) fn playable(&self) -> Option<&UnitTestFile> {
        self.tests.as_ref().filter(|_| self.errors.is_empty())
    }
}

/// A rule file: its groups, or what is wrong with it.
type Rules = Arc<(Vec<LoadedGroup>, Vec<Finding>)>;

/// Reads files and remembers the rule files among them.
pub(super) struct Loader<'a> {
    files: &'a dyn Files,
    options: &'a TestOptions,
    rules: BTreeMap<PathBuf, Rules>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(files: &'a dyn Files, options: &'a TestOptions) -> Self {
        Self {
            files,
            options,
            rules: BTreeMap::new(),
        }
    }

    pub(super) fn load(&mut self, path: &Path) -> Loaded {
        let mut loaded = Loaded {
            path: path.to_owned(),
            read: vec![path.to_owned()],
            ..Loaded::default()
        };
        match self.tests(path) {
            Ok(tests) => {
                self.rule_files(&tests, &mut loaded);
                loaded.tests = Some(tests);
            }
            Err(findings) => loaded.errors = findings,
        }
        loaded
    }

    fn tests(&self, path: &Path) -> Result<UnitTestFile, Vec<Finding>> {
        let name = path.display().to_string();
        let bytes = self
            .files
            .read(path)
            .map_err(|error| vec![Finding::unreadable(&name, error.to_string())])?;
        let refused = |problems: Vec<Problem>| {
            let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(&bytes));
            let problems = problems.into_iter();
            problems
                .map(|problem| Finding::refused(&errors::CONFIG, &name, &source, problem))
                .collect()
        };
        let text = utf8(&bytes).map_err(|problem| refused(vec![problem]))?;
        parse(text, self.options.ignore_unknown_fields).map_err(refused)
    }

    fn rule_files(&mut self, tests: &UnitTestFile, loaded: &mut Loaded) {
        let base = loaded.path.parent().map(Path::to_owned).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for pattern in &tests.rule_files {
            let full = base.join(pattern);
            let found = match self.files.glob(&full.to_string_lossy()) {
                Ok(found) => found,
                Err(error) => {
                    let name = loaded.path.display().to_string();
                    let text = format!("rule_files: {pattern}: {error}");
                    loaded.errors.push(Finding::unreadable(&name, text));
                    continue;
                }
            };
            if found.is_empty() {
                loaded
                    .warnings
                    .push(format!("no file match pattern {}", full.display()));
            }
            for path in found {
                // compat: a file that several patterns find is one file.
                if !seen.insert(plain(&path)) {
                    continue;
                }
                let rules = self.rules(&path);
                loaded.groups.extend(rules.0.iter().cloned());
                loaded.errors.extend(rules.1.iter().cloned());
                loaded.read.push(path);
            }
        }
    }

    fn rules(&mut self, path: &Path) -> Rules {
        if let Some(rules) = self.rules.get(path) {
            return Arc::clone(rules);
        }
        let name = path.display().to_string();
        let options = FileOptions {
            ignore_unknown_fields: self.options.ignore_unknown_fields,
            parser: self.options.parse_options,
            ..FileOptions::default()
        };
        let (groups, findings) = match self.files.read(path) {
            Ok(bytes) => {
                let mut source = rule_source(&name, &bytes, &options);
                source
                    .findings
                    .retain(|finding| finding.severity == Severity::Error);
                let files = source.files.into_iter();
                (
                    files.flat_map(|file| file.groups).collect(),
                    source.findings,
                )
            }
            Err(error) => {
                let finding = Finding::unreadable(&name, error.to_string());
                (Vec::new(), vec![finding])
            }
        };
        let groups = groups.into_iter().map(|group| LoadedGroup {
            file: name.clone(),
            group: Arc::new(group),
        });
        let rules = Arc::new((groups.collect(), findings));
        self.rules.insert(path.to_owned(), Arc::clone(&rules));
        rules
    }
}

/// A path without `./`.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}
