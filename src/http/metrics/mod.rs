//! The self-metrics: counters, gauges, histograms and summaries by name, and the page that shows them.
//!
//! A [`Registry`] is cheap to clone and shared by everything that counts. Metrics come to life when
//! they are first asked for; views over live state are added with [`Registry::collector`].

pub(super) mod page;
mod registry;
mod summary;

pub use page::Page;
pub use registry::{Counter, Gauge, Histogram, Registry};
pub use summary::Summary;

/// How long queries take, those of clients and of rules alike, by what they do (`slice`).
pub fn query_seconds(metrics: &Registry, slice: &str) -> Summary {
    metrics.summary_with(
        "prometheus_engine_query_duration_seconds",
        "Query timings",
        Summary::QUANTILES,
        &[("slice", slice)],
    )
}
