//! The command line: one file per verb.
//!
//! A verb is a pair of functions: `command()` describes its arguments, `run()` does the work. To add
//! one, write its file and add a line to `VERBS`.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads files, the environment and the real clock"
)]

mod alert;
mod amtool;
mod check;
mod completions;
mod config;
mod dead_letters;
mod demo;
mod error;
mod explain;
mod healthcheck;
mod inbox;
mod output;
mod peer_flags;
mod promql;
mod query;
mod receivers;
mod routes;
mod serve;
mod silence;
mod template;
mod test;
mod tsdb;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

pub use error::Error;

/// One verb of the program.
struct Verb {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Result<ExitCode, Error>,
}

/// Every verb, in the order of `--help`.
const VERBS: &[Verb] = &[
    Verb {
        command: serve::command,
        run: serve::run,
    },
    Verb {
        command: check::command,
        run: check::run,
    },
    Verb {
        command: explain::command,
        run: explain::run,
    },
    Verb {
        command: query::command,
        run: query::run,
    },
    Verb {
        command: promql::command,
        run: promql::run,
    },
    Verb {
        command: why::command,
        run: why::run,
    },
    Verb {
        command: alert::command,
        run: alert::run,
    },
    Verb {
        command: silence::command,
        run: silence::run,
    },
    Verb {
        command: routes::command,
        run: routes::run,
    },
    Verb {
        command: receivers::command,
        run: receivers::run,
    },
    Verb {
        command: template::command,
        run: template::run,
    },
    Verb {
        command: config::command,
        run: config::run,
    },
    Verb {
        command: dead_letters::command,
        run: dead_letters::run,
    },
    Verb {
        command: demo::command,
        run: demo::run,
    },
    Verb {
        command: test::command,
        run: test::run,
    },
    Verb {
        command: tsdb::command,
        run: tsdb::run,
    },
    Verb {
        command: inbox::command,
        run: inbox::run,
    },
    Verb {
        command: healthcheck::command,
        run: healthcheck::run,
    },
    Verb {
        command: completions::command,
        run: completions::run,
    },
];

/// What a wrong command line ends with, as promtool.
const USAGE_EXIT: u8 = 2;

/// Runs the program with `args` (the first is the program's name) and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command()
        .try_get_matches_from(peer_flags::behind_the_verb(args.into_iter().collect()))
    {
        Ok(matches) => matches,
        Err(e) => return usage(&e),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return ExitCode::from(USAGE_EXIT);
    };
    let Some(verb) = VERBS.iter().find(|v| (v.command)().get_name() == name) else {
        return ExitCode::from(USAGE_EXIT);
    };
    match (verb.run)(matches) {
        Ok(code) => code,
        Err(e) => {
            output::complain(&e);
            e.exit_code()
        }
    }
}

/// The whole command line.
fn command() -> Command {
    let mut command = Command::new("watchfire")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Scrapes Prometheus metrics, evaluates alerting rules and calls the right person")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(110);
    for verb in VERBS {
        command = command.subcommand((verb.command)());
    }
    command
}

/// Shows what is wrong with the command line, or the help that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let shown = error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            let _ = error.print();
            return ExitCode::from(if shown { 0 } else { USAGE_EXIT });
        }
        _ => {}
    }
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let similar = given(ContextKind::SuggestedArg)
        .or_else(|| given(ContextKind::SuggestedSubcommand))
        .or_else(|| given(ContextKind::SuggestedValue));
    let text = error.render().to_string();
    let text = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("  tip:"))
        .collect::<Vec<_>>()
        .join("\n");
    let text = text.trim().trim_start_matches("error: ").to_owned();
    let hint = match similar {
        Some(similar) => format!("did you mean {similar}?"),
        None => "run it with --help to see what it takes".to_owned(),
    };
    output::complain(&Error::new(text).with_hint(hint));
    ExitCode::from(USAGE_EXIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in VERBS {
            let mut command = (verb.command)();
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
            // What a pipeline runs most is shown whole.
            let is_check = command.get_name() == "check";
            let below = command.get_subcommands_mut();
            for inner in below.filter(|inner| is_check && inner.get_name() != "help") {
                let help = inner.render_long_help().to_string();
                assert!(help.contains("Example"), "check {}", inner.get_name());
            }
        }
    }
}
