//! promtool's unit tests of rules: the file format, the run, the comparison.
//!
//! [`file::parse`] reads a file, [`run::run`] plays it against rule groups over a store in memory.

mod compare;
pub mod file;
mod load;
mod run;

pub use run::{Expand, Failure, GroupResult, Harness, alert_names, run};
