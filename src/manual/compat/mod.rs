//! The compatibility ledger, pinned to Prometheus 3.14 and Alertmanager 0.34. A difference that is
//! not listed here is a bug. Each page names the feature, its status and the test that proves it.

pub mod alerting;
pub mod cli;
pub mod config;
pub mod http;
pub mod promql;
pub mod rules;
pub mod scrape;
pub mod self_metrics;
pub mod storage;
pub mod template;
