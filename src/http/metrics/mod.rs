//! The self-metrics: counters, gauges and histograms by name, and the page that shows them.
//!
//! A [`Registry`] is cheap to clone and shared by everything that counts. Metrics come to life when
//! they are first asked for; views over live state are added with [`Registry::collector`].

pub(super) mod page;
mod registry;

pub use page::Page;
pub use registry::{Counter, Gauge, Histogram, Registry};
