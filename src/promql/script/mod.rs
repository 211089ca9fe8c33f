//! Runs `.test` scripts: loads series, evaluates queries and compares.
//!
//! The language is that of upstream's `promqltest`:
//!
//! ```text
//! load 1m
//!   up{job="a"}  1 1 0
//!
//! eval instant at 2m sum(up)
//!   {} 0
//! ```
//!
//! Start with [`Script::parse`] and [`Script::run`].

use crate::promql::engine::{Engine, EngineOptions};
use crate::storage::Storage;
use crate::storage::reference::ReferenceStorage;

mod compare;
mod expect;
mod load;
mod nhcb;
mod number;
mod parse;
mod run;
mod start_times;

pub use start_times::{StartTime, parse_start_times};

/// A parsed script.
#[derive(Debug)]
pub struct Script {
    commands: Vec<Command>,
}

#[derive(Debug)]
enum Command {
    Clear,
    Load(load::Load),
    Eval(Box<expect::Eval>),
}

/// Which evaluations of a query are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// The query as it is written.
    AsWritten,
    /// Instant queries with `@` on every selector at several times, and each as a range query.
    AtOtherTimes,
    /// All of them, as upstream does.
    All,
}

/// What became of one `eval`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalReport {
    /// The line of the command, from 1.
    pub line: usize,
    /// The query.
    pub expr: String,
    /// Whether it is a range query, which [`Runs::AtOtherTimes`] leaves out.
    pub is_range: bool,
    /// The first difference, in upstream's words.
    pub result: Result<(), String>,
}

impl Script {
    /// Parses a script.
    ///
    /// # Errors
    /// The first mistake, in upstream's words where it has some.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::parse(text).map(|commands| Self { commands })
    }

    /// The engine that scripts are written for.
    pub fn engine() -> Engine {
        Engine::new(EngineOptions {
            lookback_ms: 300_000,
            max_samples: 10_000,
            default_subquery_step_ms: 60_000,
            delayed_name_removal: true,
            use_start_timestamps: true,
            type_and_unit_labels: false,
        })
    }

    /// Runs all commands over the reference implementation of storage and reports on every `eval`.
    ///
    /// # Errors
    /// When series cannot be loaded; nothing after that is run.
    pub fn run(
        &self,
        engine: &Engine,
        runs: Runs,
        report: impl FnMut(EvalReport),
    ) -> Result<(), String> {
        self.run_over(engine, runs, ReferenceStorage::new, report)
    }

    /// [`Self::run`] over stores that `new_store` makes: empty, and with room for samples in any order.
    ///
    /// # Errors
    /// When series cannot be loaded; nothing after that is run.
    pub fn run_over<S: Storage>(
        &self,
        engine: &Engine,
        runs: Runs,
        new_store: impl Fn() -> S,
        mut report: impl FnMut(EvalReport),
    ) -> Result<(), String> {
        let mut store = new_store();
        for command in &self.commands {
            match command {
                Command::Clear => store = new_store(),
                Command::Load(load) => load.append(&store)?,
                Command::Eval(eval) => {
                    let result = run::run(eval, engine, &store, runs);
                    report(EvalReport {
                        line: eval.line,
                        expr: eval.expr.clone(),
                        is_range: eval.is_range,
                        result,
                    });
                }
            }
        }
        Ok(())
    }

    /// Runs all commands up to the first that fails.
    ///
    /// # Errors
    /// The first difference, in upstream's words.
    pub fn run_to_first_failure(&self, engine: &Engine) -> Result<(), String> {
        let mut first = Ok(());
        let loaded = self.run(engine, Runs::All, |report| {
            if first.is_ok() {
                first = report.result;
            }
        });
        first.and(loaded)
    }
}

#[cfg(test)]
mod tests;
