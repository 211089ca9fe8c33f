//! Simulations: days of work with crashes in seconds. Every run has a seed, which a failure names;
//! `WATCHFIRE_SIM_SEEDS=N` runs N seeds instead of the few of the default, `WATCHFIRE_SIM_FIRST=S` begins at S.
#![expect(
    clippy::disallowed_methods,
    reason = "the number of seeds comes from the environment"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test binary; its helpers are no test functions"
)]

#[path = "sim/simulated_day.rs"]
mod simulated_day;
#[path = "sim/slow_disk.rs"]
mod slow_disk;
#[path = "sim/storage_crash.rs"]
mod storage_crash;
#[path = "sim/storage_model.rs"]
mod storage_model;

/// The seeds of this run.
fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let first = number("WATCHFIRE_SIM_FIRST").unwrap_or(0);
    first..first + number("WATCHFIRE_SIM_SEEDS").unwrap_or(default)
}
