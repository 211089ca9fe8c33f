//! `watchfire test rules`: promtool's unit tests of rules.

mod coverage;
mod diff;
mod junit;
mod show;
mod update;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::check::features;
use super::{Error, output};
use crate::check::unit_test::coverage::Coverage;
use crate::check::unit_test::{Suite, TestOptions, TestReport};
use crate::daemon::RealFiles;
use crate::text::regex::Regex;

pub(super) fn command() -> Command {
    Command::new("test")
        .about("Tests rule files")
        .after_help("Example:\n  watchfire test rules alert-rules/essential_test.yaml")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("junit")
                .long("junit")
                .value_name("FILE")
                .global(true)
                .value_parser(value_parser!(PathBuf))
                .help("Write the results as JUnit XML"),
        )
        .subcommand(rules_command())
}

fn rules_command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("rules")
        .about("Runs unit tests of rules, in promtool's format")
        .after_help("Examples:\n  watchfire test rules alert-rules/essential_test.yaml\n  watchfire test rules --run 'disk.*' --coverage tests/*.yml\n  watchfire test rules --update --yes tests/new.yml")
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("Unit-test files"),
        )
        .arg(
            Arg::new("run")
                .long("run")
                .value_name("REGEX")
                .action(ArgAction::Append)
                .help("Run only the test groups whose names match; may be given more than once"),
        )
        .arg(switch("debug", "Tell of every test group how it fared, and show all series at its end"))
        .arg(switch("diff", "Show only what differs, not what both sides share"))
        .arg(switch("coverage", "Tell which rules and which of their branches no test sees"))
        .arg(switch("update", "Write what was got into the test files, after showing it"))
        .arg(switch("yes", "Do not ask before --update writes").requires("update"))
        .arg(switch("watch", "Run again whenever a test or rule file changes, until interrupted").conflicts_with("update"))
        .arg(switch("ignore-unknown-fields", "Let fields pass that nobody knows, in test and rule files"))
        .arg(
            Arg::new("enable-feature")
                .long("enable-feature")
                .value_name("NAME")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Switch on features of the expression language, as for serve"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let Some(("rules", matches)) = matches.subcommand() else {
        return Err(Error::new("test what?").with_hint("watchfire test rules FILE..."));
    };
    let run = Run::new(matches)?;
    if matches.get_flag("watch") {
        watch::watch(&run)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut reports = run.once()?;
    if matches.get_flag("update") {
        update::update(&run, &mut reports, matches.get_flag("yes"))?;
    }
    Ok(if reports.iter().all(TestReport::passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the command line asks for.
struct Run {
    files: Vec<PathBuf>,
    options: TestOptions,
    debug: bool,
    diff: bool,
    coverage: bool,
    junit: Option<PathBuf>,
}

impl Run {
    fn new(matches: &ArgMatches) -> Result<Self, Error> {
        let texts = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
        let debug = matches.get_flag("debug");
        let (parse_options, delayed_name_removal) = features(matches);
        let mut options = TestOptions {
            ignore_unknown_fields: matches.get_flag("ignore-unknown-fields"),
            parse_options,
            delayed_name_removal,
            dump: debug,
            ..TestOptions::default()
        };
        for pattern in texts("run") {
            let wanted = Regex::unanchored(pattern)
                .map_err(|error| Error::new(format!("--run {pattern:?}: {error}")))?;
            options.run.push(wanted);
        }
        let files = matches.get_many::<PathBuf>("files");
        Ok(Self {
            files: files.into_iter().flatten().cloned().collect(),
            options,
            debug,
            diff: matches.get_flag("diff"),
            coverage: matches.get_flag("coverage"),
            junit: matches.get_one::<PathBuf>("junit").cloned(),
        })
    }

    /// Plays every file and shows how it went.
    fn once(&self) -> Result<Vec<TestReport>, Error> {
        let suite = Suite::load(&self.files, &RealFiles::default(), &self.options);
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let bar = progress_bar(suite.group_count());
        let reports = suite.play(workers, &|_| bar.inc(1));
        bar.finish_and_clear();
        for report in &reports {
            show::report(report, self.diff);
            if self.debug {
                show::debug(report);
            }
        }
        if self.coverage {
            coverage::show(&Coverage::of(&reports));
        }
        if let Some(path) = &self.junit {
            let text = junit::document(&reports, jiff::Timestamp::now());
            std::fs::write(path, text)
                .map_err(|error| Error::new(format!("--junit {}: {error}", path.display())))?;
        }
        Ok(reports)
    }
}

/// On standard error, and only when that is a terminal.
fn progress_bar(groups: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(groups as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} test groups") {
        bar.set_style(style);
    }
    bar
}

/// The names of a report's test groups; those without one are numbered, as promtool does.
fn group_names(report: &TestReport) -> impl Iterator<Item = String> + '_ {
    let named = report.groups.iter().enumerate();
    named.map(|(index, group)| match group.name.as_str() {
        "" => format!("unnamed#{index}"),
        name => name.to_owned(),
    })
}

/// A line of text about something that is over.
fn say(text: &str) {
    output::line(text);
}
