//! The self-metrics of scrapes, under upstream's names.

use std::collections::BTreeMap;

use super::job::{Job, Numbers};
use crate::http::metrics::Page;
use crate::scrape::Counters;

pub(super) fn counters(page: &mut Page, counters: &Counters) {
    for (name, help, value) in counters.read() {
        page.counter(name, help.trim(), &[], value as f64);
    }
}

pub(super) fn jobs(page: &mut Page, jobs: &BTreeMap<String, Job>) {
    let numbers: Vec<(&str, Numbers)> = jobs
        .iter()
        .map(|(name, job)| (name.as_str(), job.numbers()))
        .collect();
    let mut gauge = |name: &str, help: &str, value: fn(&Numbers) -> f64| {
        for (job, numbers) in &numbers {
            page.gauge(name, help, &[("scrape_job", job)], value(numbers));
        }
    };
    gauge(
        "prometheus_target_scrape_pool_targets",
        "Current number of targets in this scrape pool.",
        |n| n.targets as f64,
    );
    gauge(
        "prometheus_target_scrape_pool_target_limit",
        "Maximum number of targets allowed in this scrape pool.",
        |n| n.target_limit as f64,
    );
    gauge(
        "prometheus_target_metadata_cache_entries",
        "Total number of metric metadata entries in the cache",
        |n| n.metadata_entries as f64,
    );
    gauge(
        "prometheus_target_metadata_cache_bytes",
        "The number of bytes that are currently used for storing metric metadata in the cache",
        |n| n.metadata_bytes as f64,
    );
    for (job, numbers) in &numbers {
        let labels = [("scrape_job", *job)];
        page.counter(
            "prometheus_target_scrape_pool_sync_total",
            "Total number of syncs that were executed on a scrape pool.",
            &labels,
            numbers.syncs as f64,
        );
        page.counter(
            "prometheus_target_sync_failed_total",
            "Total number of target sync failures.",
            &labels,
            numbers.failed as f64,
        );
        page.gauge(
            "prometheus_sd_discovered_targets",
            "Current number of discovered targets.",
            &[("name", "scrape"), ("config", job)],
            numbers.discovered as f64,
        );
    }
}
