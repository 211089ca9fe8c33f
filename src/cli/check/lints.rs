//! Which lints are wanted, and what they may know.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::check::lint::{self, Baseline, Page, Routing, Subjects};
use crate::check::{Finding, RuleFile, Severity};
use crate::cli::{Error, amtool, output};
use crate::config::alertmanager::AlertmanagerConfig;
use crate::config::lint::LintOptions;
use crate::config::prometheus::Config;
use crate::config::{Error as ConfigError, watchfire};
use crate::daemon::RealFiles;
use crate::model::ValidationScheme;
use crate::promql::parser::ParseOptions;
use crate::rules::file::FileOptions;

/// promtool's own lints.
pub(super) const DUPLICATES: &str = "duplicate-rules";
pub(super) const SCRAPE_INTERVAL: &str = "too-long-scrape-interval";

/// The arguments that say which lints are wanted.
pub(super) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("lint")
                .long("lint")
                .value_name("LINTS")
                .default_value(DUPLICATES)
                .help("Lints, separated by commas: all, none, or their names or ids (see watchfire explain)"),
        )
        .arg(
            Arg::new("lint-fatal")
                .long("lint-fatal")
                .action(ArgAction::SetTrue)
                .help("End with 3 when one of promtool's lints finds something; --fail-on is for all of them"),
        )
        .arg(
            Arg::new("ignore-unknown-fields")
                .long("ignore-unknown-fields")
                .action(ArgAction::SetTrue)
                .help("Let fields of rule files pass that nobody knows"),
        )
        .arg(
            Arg::new("watchfire-config")
                .long("watchfire.config.file")
                .value_name("FILE")
                .help("Take the severities and policies of its lint: section"),
        )
        .arg(
            Arg::new("alertmanager-config")
                .long("alertmanager.config.file")
                .value_name("FILE")
                .help("Lint routing and rules together with this configuration"),
        )
        .arg(
            Arg::new("baseline")
                .long("baseline")
                .value_name("FILE")
                .help("Leave out the findings that this file knows"),
        )
        .arg(
            Arg::new("write-baseline")
                .long("write-baseline")
                .value_name("FILE")
                .conflicts_with("baseline")
                .help("Write the findings of today to a file for --baseline"),
        )
}

/// What was asked for.
pub(super) struct Lints {
    wanted: Vec<String>,
    /// Whether `wanted` is what is done when nobody says anything.
    by_default: bool,
    options: LintOptions,
    routing: Option<Routing>,
    baseline: Option<Baseline>,
    /// What is wrong with the files that the arguments name.
    pub(super) findings: Vec<Finding>,
}

impl Lints {
    pub(super) fn new(matches: &ArgMatches) -> Result<Self, Error> {
        let given = matches.get_one::<String>("lint").map_or("", String::as_str);
        let mut lints = Self {
            wanted: given
                .split(',')
                .filter(|w| !w.is_empty())
                .map(str::to_owned)
                .collect(),
            by_default: matches.value_source("lint") == Some(ValueSource::DefaultValue),
            options: LintOptions::default(),
            routing: None,
            baseline: None,
            findings: Vec::new(),
        };
        for wanted in &lints.wanted {
            if !matches!(wanted.as_str(), "all" | "none") && lint::page(wanted).is_none() {
                output::warn(&format!("unknown lint option {wanted}"));
            }
        }
        if let Some(path) = matches.get_one::<String>("watchfire-config") {
            lints.read_options(path)?;
        }
        if let Some(path) = matches.get_one::<String>("alertmanager-config") {
            let text = read(path)?;
            let syntax = amtool::chosen_syntax(&amtool::texts(matches, "enable-feature"))?;
            lints.routing = Routing::parse(path, &text, syntax);
            if lints.routing.is_none() {
                lints
                    .findings
                    .extend(crate::check::alertmanager(path, text.as_bytes(), syntax));
            }
        }
        if let Some(path) = matches.get_one::<String>("baseline") {
            let baseline = Baseline::parse(&read(path)?)
                .map_err(|error| Error::new(format!("--baseline {path}: {error}")))?;
            lints.baseline = Some(baseline);
        }
        Ok(lints)
    }

    fn read_options(&mut self, path: &str) -> Result<(), Error> {
        match watchfire::load_lint(Path::new(path), &RealFiles::default()) {
            Ok(options) => {
                for (name, meant) in lint::unknown_checks(&options) {
                    let hint = meant.map(|meant| format!("; did you mean {meant}?"));
                    let hint = hint.unwrap_or_default();
                    output::warn(&format!("{path}: there is no check {name}{hint}"));
                }
                self.options = options;
                Ok(())
            }
            Err(ConfigError::Invalid(problems)) => {
                let text = problems.first().map_or_else(String::new, |first| {
                    format!(
                        "{path}:{}:{}: {}",
                        first.problem.line, first.problem.column, first.problem.message
                    )
                });
                Err(Error::new(text))
            }
            Err(error) => Err(Error::new(error.to_string())),
        }
    }

    /// Whether one of promtool's lints is wanted.
    pub(super) fn wants(&self, lint: &str) -> bool {
        let page = lint::page(lint);
        self.wanted
            .iter()
            .any(|wanted| wanted == "all" || page.is_some_and(|page| page.is_called(wanted)))
    }

    /// Whether nobody said which checks are wanted, so that only promtool's are made.
    pub(super) fn asks_nothing(&self) -> bool {
        self.by_default && !self.wants_ours()
    }

    /// Whether any check is wanted that promtool does not have.
    fn wants_ours(&self) -> bool {
        let promtools = |wanted: &str| {
            let pages = [lint::page(DUPLICATES), lint::page(SCRAPE_INTERVAL)];
            pages
                .into_iter()
                .flatten()
                .any(|page: &Page| page.is_called(wanted))
        };
        self.wanted
            .iter()
            .any(|wanted| wanted != "none" && !promtools(wanted))
    }

    /// What our own checks find in rules and, when they are known, the routes and the configuration.
    pub(super) fn find(&self, rules: &[RuleFile], config: Option<&Config>) -> Vec<Finding> {
        if !self.wants_ours() {
            return Vec::new();
        }
        let subjects = Subjects {
            rules,
            routing: self.routing.as_ref(),
            config,
        };
        let mut findings = lint::run(subjects, &self.options);
        let all = self.wanted.iter().any(|wanted| wanted == "all");
        findings.retain(|finding| {
            all || self
                .wanted
                .iter()
                .any(|wanted| finding.page.is_called(wanted))
        });
        findings
    }

    /// The routes that are linted together with the rules.
    pub(super) fn routing(&self) -> Option<(&str, &AlertmanagerConfig)> {
        let routing = self.routing.as_ref()?;
        Some((&routing.name, &routing.config))
    }

    /// Takes away what the baseline knows and gives how many that were; or writes it.
    pub(super) fn baseline(
        &self,
        findings: &mut Vec<Finding>,
        matches: &ArgMatches,
    ) -> Result<usize, Error> {
        lint::apply_severities(&self.options, findings);
        if let Some(path) = matches.get_one::<String>("write-baseline") {
            std::fs::write(path, Baseline::of(findings).to_json())
                .map_err(|error| Error::new(format!("--write-baseline {path}: {error}")))?;
            let before = findings.len();
            findings.retain(|finding| finding.page.severity == Severity::Error);
            return Ok(before - findings.len());
        }
        Ok(self
            .baseline
            .as_ref()
            .map_or(0, |baseline| baseline.filter(findings)))
    }
}

fn read(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::new(format!("open {path}: {error}")))
}

/// How rule files are to be read.
pub(super) fn rule_options(matches: &ArgMatches, validation: ValidationScheme) -> FileOptions {
    FileOptions {
        ignore_unknown_fields: matches.get_flag("ignore-unknown-fields"),
        validation,
        parser: features(matches).0,
        ..FileOptions::default()
    }
}

/// The switches of the expression language, and whether names are dropped late. As promtool, warns of
/// names that mean nothing here.
pub(in crate::cli) fn features(matches: &ArgMatches) -> (ParseOptions, bool) {
    let mut options = ParseOptions::default();
    let mut delayed_name_removal = false;
    for name in matches
        .get_many::<String>("enable-feature")
        .into_iter()
        .flatten()
    {
        match name.as_str() {
            "promql-experimental-functions" => options.experimental_functions = true,
            "promql-duration-expr" => options.duration_expressions = true,
            "promql-extended-range-selectors" => options.extended_range_selectors = true,
            "promql-binop-fill-modifiers" => options.fill_modifiers = true,
            "promql-delayed-name-removal" => delayed_name_removal = true,
            // How a router file that comes along is read.
            "" | "classic-mode" | "utf8-strict-mode" => {}
            other => output::warn(&format!("unknown feature {other} for --enable-feature")),
        }
    }
    (options, delayed_name_removal)
}
