//! Rule groups: what a recording or alerting rule does at each evaluation, and what it remembers.
//!
//! A [`Group`] holds its rules in order; [`Group::evaluate`] runs them one after the other, writes their
//! series through the seam [`crate::storage`] and returns the alerts that want to be sent. Nothing here
//! reads a clock: the evaluation time is an argument, and the same inputs give the same outputs.
//! State that must survive a restart leaves as [`GroupState`] and comes back by [`Group::restore`].

mod alerting;
mod context;
mod error;
pub mod file;
mod group;
mod link;
mod recording;
mod state;
#[cfg(test)]
mod tests;
pub mod unit_test;
mod view;

pub mod query;

pub use alerting::{AlertingRule, AlertingRuleOptions};
pub use context::{EvalContext, Expansion, Point, Query};
pub use error::Error;
pub use group::{Evaluation, Group, GroupOptions, Rule, RuleOutcome};
pub use link::table_link;
pub use recording::{RecordingRule, RecordingRuleOptions};
pub use state::{ActiveAlert, AlertState, GroupState, RestoreOptions, RuleState};
pub use view::{AlertView, GroupView, Health, RuleKind, RuleView};
