//! `test rules`: loads a unit-test file and the rule files that it names, and plays it.

use std::path::{Path, PathBuf};

use crate::config::Files;
use crate::model::Labels;
use crate::promql::engine::{Engine, EngineOptions};
use crate::promql::parser::ParseOptions;
use crate::rules::Group;
use crate::rules::file::{self, FileGroup, FileOptions};
use crate::rules::query::TemplateScope;
use crate::rules::unit_test::file::{TestGroup, UnitTestFile, parse};
use crate::rules::unit_test::{GroupResult, Harness, run};
use crate::text::regex::Regex;
use crate::text::yaml::{Problem, utf8};
use crate::time::Span;

/// How unit tests are run. The default is promtool's.
#[derive(Debug, Clone, Default)]
pub struct TestOptions {
    /// Feature switches of expressions.
    pub parse_options: ParseOptions,
    /// Whether fields that nobody knows are let pass.
    pub ignore_unknown_fields: bool,
    /// Only groups whose name matches one of these are played; all when empty.
    pub run: Vec<Regex>,
}

/// How a unit-test file fared.
#[derive(Debug, Clone, Default)]
pub struct TestReport {
    /// The file.
    pub file: PathBuf,
    /// Why it could not be played: `FILE:LINE:COLUMN: what`.
    pub errors: Vec<String>,
    /// What is odd but no failure, for example a pattern that matches no file.
    pub warnings: Vec<String>,
    /// One entry per group that was played.
    pub groups: Vec<GroupResult>,
}

impl TestReport {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.groups.iter().all(|group| group.failures.is_empty())
    }
}

/// Plays the unit-test file at `path`; rule files are found relative to it.
pub fn test_rules(path: &Path, files: &dyn Files, options: &TestOptions) -> TestReport {
    let mut report = TestReport {
        file: path.to_owned(),
        ..TestReport::default()
    };
    let Some(test_file) = load_tests(path, files, options, &mut report) else {
        return report;
    };
    let rules = load_rules(path, &test_file, files, options, &mut report);
    if report.errors.is_empty() {
        report.groups = play(&test_file, &rules, options);
    }
    report
}

fn load_tests(
    path: &Path,
    files: &dyn Files,
    options: &TestOptions,
    report: &mut TestReport,
) -> Option<UnitTestFile> {
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            report.errors.push(format!("{}: {error}", path.display()));
            return None;
        }
    };
    let parsed = utf8(&bytes)
        .map_err(|problem| vec![problem])
        .and_then(|text| parse(text, options.ignore_unknown_fields));
    parsed
        .map_err(|problems| {
            report
                .errors
                .extend(problems.iter().map(|problem| at(path, problem)))
        })
        .ok()
}

/// The groups of all rule files, with the name of their file.
fn load_rules(
    path: &Path,
    test_file: &UnitTestFile,
    files: &dyn Files,
    options: &TestOptions,
    report: &mut TestReport,
) -> Vec<(String, FileGroup)> {
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let file_options = FileOptions {
        ignore_unknown_fields: options.ignore_unknown_fields,
        parser: options.parse_options,
        ..FileOptions::default()
    };
    let mut groups = Vec::new();
    for pattern in &test_file.rule_files {
        let full = base.join(pattern);
        let found = match files.glob(&full.to_string_lossy()) {
            Ok(found) => found,
            Err(error) => {
                report.errors.push(format!("{pattern}: {error}"));
                continue;
            }
        };
        if found.is_empty() {
            report
                .warnings
                .push(format!("no file match pattern {}", full.display()));
        }
        for rule_file in found {
            match files.read(&rule_file) {
                Ok(bytes) => match utf8(&bytes)
                    .map_err(|problem| vec![problem])
                    .and_then(|text| file::parse(text, &file_options))
                {
                    Ok(parsed) => groups.extend(
                        parsed
                            .groups
                            .into_iter()
                            .map(|group| (rule_file.display().to_string(), group)),
                    ),
                    Err(problems) => report
                        .errors
                        .extend(problems.iter().map(|problem| at(&rule_file, problem))),
                },
                Err(error) => report
                    .errors
                    .push(format!("{}: {error}", rule_file.display())),
            }
        }
    }
    groups
}

fn at(path: &Path, problem: &Problem) -> String {
    let hint = problem
        .hint
        .as_ref()
        .map(|hint| format!(" (hint: {hint})"))
        .unwrap_or_default();
    format!(
        "{}:{}:{}: {}{hint}",
        path.display(),
        problem.line,
        problem.column,
        problem.message
    )
}

fn play(
    test_file: &UnitTestFile,
    rules: &[(String, FileGroup)],
    options: &TestOptions,
) -> Vec<GroupResult> {
    let engine = Engine::new(EngineOptions {
        // compat: subqueries without a step take the evaluation interval.
        default_subquery_step_ms: test_file.evaluation_interval.as_ms(),
        ..EngineOptions::default()
    });
    let harness = Harness {
        engine: &engine,
        parse_options: &options.parse_options,
        groups: &|interval| {
            rules
                .iter()
                .map(|(file, group)| Group::new(group.options(file, interval, Span::ZERO)))
                .collect()
        },
        expand: &|group: &TestGroup, storage, request| {
            let scope = TemplateScope {
                engine: &engine,
                storage,
                parse_options: &options.parse_options,
                external_labels: &Labels::from_pairs(
                    group.external_labels.iter().map(|(n, v)| (n, v)),
                ),
                external_url: &group.external_url,
            };
            scope.expand(request)
        },
    };
    run(test_file, &harness, &|group| {
        options.run.is_empty()
            || options
                .run
                .iter()
                .any(|wanted| wanted.is_match(&group.name))
    })
}
