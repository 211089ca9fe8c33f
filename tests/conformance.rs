//! Runs the project against the tables in `../shared/conformance` (or `WATCHFIRE_CONFORMANCE`).
//!
//! Each group prints `group NAME: P passed, F failed, S skipped` and fails when its share of passed
//! cases falls under its floor in `tests/conformance/floors.tsv`. `WATCHFIRE_CONFORMANCE_VERBOSE=1`
//! prints every failure. Where the data is absent, groups say so and are skipped.
#![allow(clippy::unwrap_used, reason = "a broken table must stop the run")]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tables lie on the real disk and the folder's name in the environment"
)]

#[allow(dead_code, reason = "groups land one by one")]
#[path = "conformance/harness.rs"]
mod harness;

#[path = "conformance/alerting.rs"]
mod alerting;
#[path = "conformance/config.rs"]
mod config;
#[path = "conformance/exposition.rs"]
mod exposition;
#[path = "conformance/notify.rs"]
mod notify;
#[path = "conformance/promql_evals.rs"]
mod promql_evals;
#[path = "conformance/promql_syntax.rs"]
mod promql_syntax;
#[path = "conformance/relabel.rs"]
mod relabel;
#[path = "conformance/rules.rs"]
mod rules;
#[path = "conformance/templates.rs"]
mod templates;
