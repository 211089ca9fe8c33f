//! `watchfire test rules`: promtool's unit tests of rules.

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Error, output};
use crate::check::unit_test::{TestOptions, TestReport, test_rules};
use crate::daemon::RealFiles;
use crate::promql::parser::ParseOptions;
use crate::text::regex::Regex;

pub(super) fn command() -> Command {
    Command::new("test").about("Tests rule files").after_help("Example:\n  watchfire test rules alert-rules/essential_test.yaml").subcommand_required(true).arg_required_else_help(true).subcommand(
        Command::new("rules")
            .about("Runs unit tests of rules, in promtool's format")
            .after_help("Examples:\n  watchfire test rules alert-rules/essential_test.yaml\n  watchfire test rules --run 'disk.*' tests/*.yml")
            .arg(Arg::new("files").value_name("FILE").required(true).num_args(1..).value_parser(value_parser!(PathBuf)).help("Unit-test files"))
            .arg(
                Arg::new("run")
                    .long("run")
                    .value_name("REGEX")
                    .action(ArgAction::Append)
                    .help("Run only the test groups whose names match; may be given more than once"),
            )
            .arg(
                Arg::new("debug")
                    .long("debug")
                    .action(ArgAction::SetTrue)
                    .help("Tell of every test group how it fared"),
            )
            .arg(
                Arg::new("ignore-unknown-fields")
                    .long("ignore-unknown-fields")
                    .action(ArgAction::SetTrue)
                    .help("Let fields pass that nobody knows, in test and rule files"),
            )
            .arg(
                Arg::new("enable-feature")
                    .long("enable-feature")
                    .value_name("NAME")
                    .action(ArgAction::Append)
                    .value_delimiter(',')
                    .help("Switch on features of the expression language, as for serve"),
            ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some(("rules", matches)) = matches.subcommand() else {
        return Err(Error::new("test what?").with_hint("watchfire test rules FILE..."));
    };
    let texts = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
    let mut options = TestOptions {
        ignore_unknown_fields: matches.get_flag("ignore-unknown-fields"),
        ..TestOptions::default()
    };
    for pattern in texts("run") {
        options.run.push(
            Regex::unanchored(pattern)
                .map_err(|e| Error::new(format!("--run {pattern:?}: {e}")))?,
        );
    }
    options.parse_options = features(texts("enable-feature"))?;
    let mut failed = 0;
    let files: Vec<&PathBuf> = matches
        .get_many::<PathBuf>("files")
        .into_iter()
        .flatten()
        .collect();
    for file in &files {
        let report = test_rules(file, &RealFiles::default(), &options);
        show(&report);
        if matches.get_flag("debug") {
            show_groups(&report);
        }
        failed += usize::from(!report.passed());
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The switches that concern expressions; others are refused by name.
fn features<'a>(names: impl Iterator<Item = &'a String>) -> Result<ParseOptions, Error> {
    let mut options = ParseOptions::default();
    for name in names {
        match name.as_str() {
            "promql-experimental-functions" => options.experimental_functions = true,
            "promql-duration-expr" => options.duration_expressions = true,
            "promql-extended-range-selectors" => options.extended_range_selectors = true,
            "promql-binop-fill-modifiers" => options.fill_modifiers = true,
            "" => {}
            other => {
                return Err(Error::new(format!("--enable-feature={other}: not a feature that unit tests know")).with_hint(
                    "known: promql-experimental-functions, promql-duration-expr, promql-extended-range-selectors, promql-binop-fill-modifiers",
                ));
            }
        }
    }
    Ok(options)
}

/// Every test group that was played, by name or number.
fn show_groups(report: &TestReport) {
    for (index, group) in report.groups.iter().enumerate() {
        let name = match group.name.as_str() {
            "" => format!("number {}", index + 1),
            name => name.to_owned(),
        };
        let failures = group.failures.len();
        output::line(&format!("DEBUG: test group {name}: {failures} failures"));
    }
}

fn show(report: &TestReport) {
    let (green, red) = (
        Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
        Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
    );
    output::line(&format!("Unit Testing:  {}", report.file.display()));
    for warning in &report.warnings {
        output::warn(warning);
    }
    if report.passed() {
        output::line(&format!("  {green}SUCCESS{green:#}\n"));
        return;
    }
    output::line(&format!("  {red}FAILED:{red:#}"));
    for error in &report.errors {
        output::line(error);
    }
    for failure in report.groups.iter().flat_map(|group| &group.failures) {
        let start = failure.place.start;
        output::line(&format!(
            "  {}:{}:{}:\n{}\n",
            report.file.display(),
            start.line,
            start.column,
            failure.message
        ));
    }
}
