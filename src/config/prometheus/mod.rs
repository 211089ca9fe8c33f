//! `prometheus.yml` of Prometheus 3.14: the whole of it, with upstream's defaults, checks and texts.

mod alerting;
mod diff;
mod discovery;
mod global;
mod load;
mod mechanisms;
mod other;
mod scrape;
mod sections;
#[cfg(test)]
mod tests;

pub use alerting::{Alerting, Alertmanager};
pub use diff::{Diff, diff};
pub use global::Global;
pub use load::{Config, LoadOptions, Unsupported, load, load_main_file};
pub use other::Storage;
pub use scrape::Job;

/// compat: at most one star, and no slash after it.
fn is_glob_of_upstream(pattern: &str) -> bool {
    pattern
        .split_once('*')
        .is_none_or(|(_, rest)| !rest.contains('/'))
}
