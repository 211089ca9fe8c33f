//! Self-metrics of the process, under upstream's names.

use crate::daemon::Clock;
use crate::http::metrics::{Page, Registry, query_seconds};

/// The Alertmanager whose behaviour this is.
const ALERTMANAGER_VERSION: &str = "0.34.0";

/// Adds what is the same for every daemon.
pub(super) fn register(metrics: &Registry, clock: Clock, concurrency: usize) {
    let started = clock.now().to_timestamp().as_secs_f64();
    metrics
        .gauge_with(
            "prometheus_build_info",
            "A metric with a constant '1' value labeled by version, revision, branch, goversion from which prometheus was built, and the goos and goarch for the build.",
            &[
                ("version", super::live::PROMETHEUS_VERSION),
                ("revision", concat!("watchfire-", env!("CARGO_PKG_VERSION"))),
                ("branch", "HEAD"),
                ("goversion", "rust"),
                ("goos", std::env::consts::OS),
                ("goarch", go_arch()),
                ("tags", ""),
            ],
        )
        .set(1.0);
    metrics
        .gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        )
        .set(started);
    metrics
        .gauge(
            "prometheus_engine_queries_concurrent_max",
            "The max number of concurrent queries.",
        )
        .set(concurrency as f64);
    metrics.gauge(
        "prometheus_engine_queries",
        "The current number of queries being executed or waiting.",
    );
    for slice in ["inner_eval", "queue_time"] {
        query_seconds(metrics, slice);
    }
    router(metrics);
    // Nothing here asks Kubernetes yet, so nothing fails; alerts on it want the series.
    metrics.counter(
        "prometheus_sd_kubernetes_failures_total",
        "The number of failed WATCH/LIST requests.",
    );
    metrics.collector(process);
}

/// What Alertmanager shows of itself that never changes here.
fn router(metrics: &Registry) {
    metrics
        .gauge_with(
            "alertmanager_build_info",
            "A metric with a constant '1' value labeled by version, revision, branch, goversion from which alertmanager was built, and the goos and goarch for the build.",
            &[
                ("version", ALERTMANAGER_VERSION),
                ("revision", concat!("watchfire-", env!("CARGO_PKG_VERSION"))),
                ("branch", "HEAD"),
                ("goversion", "rust"),
                ("goos", std::env::consts::OS),
                ("goarch", go_arch()),
                ("tags", ""),
            ],
        )
        .set(1.0);
    // A cluster of one: alerts about clusters compare these with the number of instances.
    for (name, help, value) in [
        (
            "alertmanager_cluster_enabled",
            "Indicates whether the clustering is enabled or not.",
            0.0,
        ),
        (
            "alertmanager_cluster_members",
            "Number indicating current number of members in cluster.",
            1.0,
        ),
        (
            "alertmanager_cluster_failed_peers",
            "Number indicating the current number of failed peers in the cluster.",
            0.0,
        ),
    ] {
        metrics.gauge(name, help).set(value);
    }
}

/// The machine as Go names it.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What `/proc/self` tells; nothing where there is none.
fn process(page: &mut Page) {
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        // The name in parentheses may hold anything.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        let number = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok());
        if let (Some(user), Some(system)) = (number(11), number(12)) {
            let ticks = rustix::param::clock_ticks_per_second() as f64;
            page.counter(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
                &[],
                (user + system) / ticks,
            );
        }
        if let Some(bytes) = number(20) {
            page.gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                &[],
                bytes,
            );
        }
        if let Some(pages) = number(21) {
            page.gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                &[],
                pages * rustix::param::page_size() as f64,
            );
        }
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.gauge(
            "process_open_fds",
            "Number of open file descriptors.",
            &[],
            files.count() as f64,
        );
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(max) = limit.current {
        page.gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            &[],
            max as f64,
        );
    }
}
