//! Prose about how watchfire works, compiled as rustdoc so that links to code stay true.
//!
//! - [`architecture`]: the house and its rooms, and how a sample walks through them
//! - [`benchmarks`]: figures that were measured, as baselines
//! - [`dependencies`]: which library serves what, and why it was chosen
//! - [`compat`]: the compatibility ledger against Prometheus 3.14 and Alertmanager 0.34
//! - [`disk_format`]: the bytes on disk
//! - [`lint`]: the checks of rules and routes, and how precise they are

pub mod architecture;
pub mod benchmarks;
pub mod compat;
pub mod dependencies;
pub mod disk_format;
pub mod lint;
