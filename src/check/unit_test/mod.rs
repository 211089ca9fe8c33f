//! `test rules`: loads unit-test files and the rule files that they name, and plays them.
//!
//! [`test_rules`] plays one file. [`Suite`] plays many: each rule file is read once, the test groups run in
//! parallel. What the rules did along the way is the [`coverage`];
//! [`pairing`] tells which of what was got belongs to which of what was expected, and [`update`] writes it
//! into the test file.
//!
//! ```
//! use std::path::Path;
//!
//! use watchfire::check::unit_test::{TestOptions, test_rules};
//! use watchfire::config::MemoryFiles;
//!
//! let mut files = MemoryFiles::new();
//! files.insert("r.yml", "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0}\n");
//! files.insert("t.yml", "rule_files: [r.yml]\ntests:\n- input_series: [{series: up, values: '1 0'}]\n  alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [{}]}]\n");
//! let report = test_rules(Path::new("t.yml"), &files, &TestOptions::default());
//! assert!(report.passed());
//! ```

pub mod coverage;
mod load;
pub mod pairing;
pub mod update;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Files;
use crate::parallel;
use crate::promql::engine::{Engine, EngineOptions};
use crate::promql::parser::ParseOptions;
use crate::rules::unit_test::{GroupResult, Harness, RuleGraph, run_group};
use crate::text::regex::Regex;

use super::Finding;
use coverage::CoveredRule;
use load::{Loaded, Loader};

/// How unit tests are run. The default is promtool's.
#[derive(Debug, Clone, Default)]
pub struct TestOptions {
    /// Feature switches of expressions.
    pub parse_options: ParseOptions,
    /// Whether queries drop names at their end (feature `promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Whether fields that nobody knows are let pass.
    pub ignore_unknown_fields: bool,
    /// Only groups whose name matches one of these are played; all when empty.
    pub run: Vec<Regex>,
    /// Whether rules that can neither decide nor fail a test group are evaluated all the same. The
    /// verdicts are equal; it takes longer.
    pub every_rule: bool,
    /// Whether results come with all series at the end, those of every rule among them.
    pub dump: bool,
}

/// How a unit-test file fared.
#[derive(Debug, Clone, Default)]
pub struct TestReport {
    /// The file.
    pub file: PathBuf,
    /// Why it could not be played.
    pub errors: Vec<Finding>,
    /// What is odd but no failure, for example a pattern that matches no file.
    pub warnings: Vec<String>,
    /// One entry per group that was played.
    pub groups: Vec<GroupResult>,
    /// Every rule of its rule files, and what it did.
    pub rules: Vec<CoveredRule>,
    /// The files that it was made of: itself and its rule files.
    pub read: Vec<PathBuf>,
}

impl TestReport {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.groups.iter().all(|group| group.failures.is_empty())
    }
}

/// Plays the unit-test file at `path`; rule files are found relative to it.
pub fn test_rules(path: &Path, files: &dyn Files, options: &TestOptions) -> TestReport {
    let suite = Suite::load(std::slice::from_ref(&path), files, options);
    suite.play(1, &|_| {}).pop().unwrap_or_default()
}

/// Unit-test files with everything that they need.
#[derive(Debug)]
pub struct Suite<'o> {
    files: Vec<Loaded>,
    options: &'o TestOptions,
}

/// A test group that is done.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// How many are done, this one included.
    pub done: usize,
    /// How many there are.
    pub total: usize,
    /// Its file.
    pub file: &'a Path,
    /// How it went.
    pub result: &'a GroupResult,
}

impl<'o> Suite<'o> {
    /// Reads test files and rule files, each rule file once.
    pub fn load<P: AsRef<Path>>(paths: &[P], files: &dyn Files, options: &'o TestOptions) -> Self {
        let mut loader = Loader::new(files, options);
        Self {
            files: paths
                .iter()
                .map(|path| loader.load(path.as_ref()))
                .collect(),
            options,
        }
    }

    /// How many groups there are to play.
    pub fn group_count(&self) -> usize {
        self.jobs().count()
    }

    /// The test groups that are wanted, by file and index.
    fn jobs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let wanted = |name: &str| {
            self.options.run.is_empty() || self.options.run.iter().any(|run| run.is_match(name))
        };
        self.files.iter().enumerate().flat_map(move |(at, file)| {
            let tests = file.playable().map(|tests| tests.tests.as_slice());
            let groups = tests.unwrap_or_default().iter().enumerate();
            groups
                .filter(move |(_, group)| wanted(&group.name))
                .map(move |(index, _)| (at, index))
        })
    }

    /// Plays every group, `workers` at a time. `progress` hears of each that is done, on any thread.
    pub fn play(
        &self,
        workers: usize,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Vec<TestReport> {
        let graphs: Vec<RuleGraph<'_>> = self
            .files
            .iter()
            .map(|file| RuleGraph::new(&file.groups))
            .collect();
        let engines: Vec<Engine> = self.files.iter().map(|file| self.engine(file)).collect();
        let jobs: Vec<(usize, usize)> = self.jobs().collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let mut results = Vec::new();
            while let Some((file, index)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(tests) = self.files[*file].playable() else {
                    continue;
                };
                let harness = Harness {
                    engine: &engines[*file],
                    parse_options: &self.options.parse_options,
                    groups: &self.files[*file].groups,
                    graph: &graphs[*file],
                    every_rule: self.options.every_rule || self.options.dump,
                    dump: self.options.dump,
                };
                let result = run_group(tests, &tests.tests[*index], &harness);
                progress(Progress {
                    done: done.fetch_add(1, Ordering::Relaxed) + 1,
                    total: jobs.len(),
                    file: &self.files[*file].path,
                    result: &result,
                });
                results.push(((*file, *index), result));
            }
            results
        };
        let workers = workers.clamp(1, jobs.len().max(1));
        let workers = vec![(); workers];
        let mut results: Vec<_> = parallel::map(&workers, |()| work())
            .into_iter()
            .flatten()
            .collect();
        results.sort_by_key(|(job, _)| *job);
        self.reports(&graphs, results)
    }

    fn engine(&self, file: &Loaded) -> Engine {
        let mut options = EngineOptions {
            delayed_name_removal: self.options.delayed_name_removal,
            ..EngineOptions::default()
        };
        if let Some(tests) = &file.tests {
            // compat: subqueries without a step take the evaluation interval.
            options.default_subquery_step_ms = tests.evaluation_interval.as_ms();
        }
        Engine::new(options)
    }

    fn reports(
        &self,
        graphs: &[RuleGraph<'_>],
        results: Vec<((usize, usize), GroupResult)>,
    ) -> Vec<TestReport> {
        let mut results = results.into_iter().peekable();
        let mut reports = Vec::with_capacity(self.files.len());
        for (at, (file, graph)) in self.files.iter().zip(graphs).enumerate() {
            let mut groups = Vec::new();
            while let Some((_, group)) = results.next_if(|((file, _), _)| *file == at) {
                groups.push(group);
            }
            reports.push(TestReport {
                file: file.path.clone(),
                errors: file.errors.clone(),
                warnings: file.warnings.clone(),
                rules: coverage::of_file(&file.groups, graph, &groups),
                groups,
                read: file.read.clone(),
            });
        }
        reports
    }
}

#[cfg(test)]
mod tests;
