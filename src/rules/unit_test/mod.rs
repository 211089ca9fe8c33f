//! promtool's unit tests of rules: the file format, the run, the comparison.
//!
//! [`file::parse`] reads a file, [`run_group`] plays one of its groups against rule groups over a store
//! in memory. A [`RuleGraph`] tells which rules a group can reach, so that the others, as long as they
//! cannot fail, are left alone; the verdicts are those of a run of all rules.

mod compare;
mod coverage;
pub mod file;
mod graph;
mod load;
mod reach;
mod run;
mod shape;
#[cfg(test)]
mod tests;

pub use compare::{AlertSeen, Difference, SampleSeen, ValueSeen};
pub use coverage::RuleCoverage;
pub use graph::{LoadedGroup, RuleAt, RuleGraph};
pub use run::{Dump, Failure, GroupResult, Harness, Remark, run_group};
