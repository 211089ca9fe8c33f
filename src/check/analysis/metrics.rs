//! What is known of metrics by their names: conventions, and a few exporters that everybody runs.

use super::ValueRange;

/// How a metric's values move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows, until its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// The name does not tell.
    Unknown,
}

/// Gauges by their whole names.
const GAUGES: &[&str] = &[
    "up",
    "probe_success",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "go_goroutines",
    "go_threads",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "kube_deployment_status_replicas",
    "kube_deployment_spec_replicas",
    "kube_pod_status_phase",
    "kube_pod_status_ready",
    "kube_node_status_condition",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_used_bytes",
    "machine_cpu_cores",
    "machine_memory_bytes",
    "node_load1",
    "node_load5",
    "node_load15",
    "node_procs_running",
    "node_procs_blocked",
    "node_boot_time_seconds",
    "node_time_seconds",
];

/// Gauges by the beginning of their names, unless these end as counters do.
const GAUGE_PREFIXES: &[&str] = &[
    "node_memory_",
    "node_filesystem_",
    "node_hwmon_",
    "container_memory_",
    "container_spec_",
    "kube_pod_container_resource_",
    "kube_node_status_",
    "kubelet_volume_stats_",
    "go_memstats_heap_",
];

/// Gauges by the end of their names.
const GAUGE_SUFFIXES: &[&str] = &["_info", "_timestamp_seconds", "_celsius"];

/// Metrics that are 0 or 1.
const SWITCHES: &[&str] = &[
    "up",
    "probe_success",
    "kube_pod_status_phase",
    "kube_pod_status_ready",
    "kube_pod_status_scheduled",
    "kube_node_status_condition",
    "kube_pod_container_status_ready",
    "kube_pod_container_status_running",
    "kube_pod_container_status_terminated",
    "kube_pod_container_status_waiting",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_container_status_last_terminated_reason",
    "kube_node_spec_unschedulable",
    "kube_persistentvolume_status_phase",
    "node_filesystem_readonly",
    "node_filesystem_device_error",
    "etcd_server_has_leader",
    "prometheus_config_last_reload_successful",
    "alertmanager_config_last_reload_successful",
    "mysql_up",
    "pg_up",
    "redis_up",
    "mongodb_up",
    "nginx_up",
];

/// Metrics and what they are a part of: the quotient lies between 0 and 1.
const PARTS: &[(&str, &str)] = &[
    ("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
    ("node_filesystem_free_bytes", "node_filesystem_size_bytes"),
    ("node_filesystem_avail_bytes", "node_filesystem_free_bytes"),
    ("node_filesystem_files_free", "node_filesystem_files"),
    (
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
    ),
    ("node_memory_MemFree_bytes", "node_memory_MemTotal_bytes"),
    ("node_memory_SwapFree_bytes", "node_memory_SwapTotal_bytes"),
    (
        "kubelet_volume_stats_available_bytes",
        "kubelet_volume_stats_capacity_bytes",
    ),
    (
        "kubelet_volume_stats_used_bytes",
        "kubelet_volume_stats_capacity_bytes",
    ),
    (
        "kubelet_volume_stats_inodes_free",
        "kubelet_volume_stats_inodes",
    ),
    (
        "kubelet_volume_stats_inodes_used",
        "kubelet_volume_stats_inodes",
    ),
];

/// Metrics that are 0 where something is not limited or not there.
const ZERO_MEANS_NONE: &[(&str, &str)] = &[
    (
        "container_spec_memory_limit_bytes",
        "containers without a memory limit",
    ),
    (
        "container_spec_memory_swap_limit_bytes",
        "containers without a swap limit",
    ),
    (
        "container_spec_memory_reservation_limit_bytes",
        "containers without a reservation",
    ),
    ("container_spec_cpu_quota", "containers without a CPU quota"),
    (
        "kube_deployment_spec_replicas",
        "deployments that are scaled to nothing",
    ),
    (
        "kube_statefulset_replicas",
        "stateful sets that are scaled to nothing",
    ),
    (
        "kube_daemonset_status_desired_number_scheduled",
        "daemon sets that no node takes",
    ),
    (
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "workloads that are scaled to nothing",
    ),
    ("node_memory_SwapTotal_bytes", "machines without swap"),
    ("redis_memory_max_bytes", "a Redis without maxmemory"),
    ("redis_config_maxmemory", "a Redis without maxmemory"),
    (
        "go_memstats_gc_limit_bytes",
        "programs without a memory limit",
    ),
];

/// What is known of a metric by its name.
pub fn kind(name: &str) -> MetricKind {
    if ["_total", "_bucket", "_count", "_sum"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return MetricKind::Counter;
    }
    let gauge = GAUGES.contains(&name)
        || SWITCHES.contains(&name)
        || GAUGE_PREFIXES.iter().any(|start| name.starts_with(start))
        || GAUGE_SUFFIXES.iter().any(|end| name.ends_with(end));
    if gauge {
        MetricKind::Gauge
    } else {
        MetricKind::Unknown
    }
}

/// Whether the name is one that only counters have: `_count` and `_sum` are gauges' names too.
pub fn is_surely_counter(name: &str) -> bool {
    name.ends_with("_total") || name.ends_with("_bucket")
}

/// Between which bounds a metric's values lie.
pub fn range(name: &str) -> ValueRange {
    if SWITCHES.contains(&name) {
        return ValueRange::between(0.0, 1.0).whole();
    }
    if is_surely_counter(name) || name.ends_with("_count") || name.ends_with("_bytes") {
        return ValueRange::not_negative();
    }
    ValueRange::ANY
}

/// Whether one metric is a part of another.
pub fn is_part(part: &str, all: &str) -> bool {
    PARTS.contains(&(part, all))
}

/// What has the value 0 of a metric that is 0 where there is no limit.
pub fn zero_means(name: &str) -> Option<&'static str> {
    ZERO_MEANS_NONE
        .iter()
        .find(|(metric, _)| *metric == name)
        .map(|(_, what)| *what)
}

/// How much a counter can grow within `seconds`, for counters whose pace something bounds.
pub fn most_increase(name: &str, seconds: f64) -> Option<(f64, &'static str)> {
    match name {
        // kubelet waits 10 s, 20 s, 40 s, ... up to 5 min between restarts of a container.
        "kube_pod_container_status_restarts_total" => {
            let (mut restarts, mut wait, mut passed) = (1.0, 10.0, 0.0);
            while passed + wait <= seconds && restarts < 1e6 {
                passed += wait;
                restarts += 1.0;
                wait = f64::min(wait * 2.0, 300.0);
            }
            // One more for what happened just before, one for extrapolation.
            Some((
                restarts + 2.0,
                "kubelet's back-off (10s, 20s, 40s, ... 5m) lets a container restart no faster",
            ))
        }
        // A second has no more than a second, but for the jitter of scrapes.
        "node_cpu_seconds_total" => Some((
            seconds * 1.1,
            "one CPU spends no more than one second per second in a mode",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_bounded_by_the_back_off() {
        let most = |seconds| most_increase("kube_pod_container_status_restarts_total", seconds);
        // At 0, 10, 30, 70, 150, 310, 610 s.
        assert_eq!(most(900.0).map(|(most, _)| most), Some(9.0));
        assert_eq!(most(60.0).map(|(most, _)| most), Some(5.0));
        assert_eq!(most_increase("http_requests_total", 60.0), None);
    }

    #[test]
    fn names_tell_kinds() {
        assert_eq!(kind("http_requests_total"), MetricKind::Counter);
        assert_eq!(kind("node_memory_MemFree_bytes"), MetricKind::Gauge);
        assert_eq!(kind("node_vmstat_oom_kill"), MetricKind::Unknown);
    }
}
