//! Self-metrics, against `/metrics` of Prometheus 3.14 and Alertmanager 0.34.
//!
//! Every metric that the rules of the prometheus and alertmanager mixins and of kube-prometheus name is
//! there with the same labels, unless it stands below. Dashboards for both programs work on the one port.
//!
//! | metrics | status | proof |
//! |---|---|---|
//! | `prometheus_config_*`, `prometheus_notifications_*`, `prometheus_rule_*`, `prometheus_target_*`, `prometheus_tsdb_*`, `prometheus_engine_*` of the mixins | same | `tests/program.rs`, `daemon::scrapes` |
//! | `prometheus_sd_refresh_failures_total`, `prometheus_sd_refresh_duration_seconds` | labels `mechanism` and `config`, as since 3.8 | `daemon::sd` |
//! | `prometheus_sd_kubernetes_failures_total` | always 0 until that mechanism runs | |
//! | summaries | quantiles over the last ten minutes in steps of two; each is within a hundredth of the value, where upstream's is within a rank | `http::metrics` |
//! | `prometheus_engine_query_duration_seconds` | slices `inner_eval` and `queue_time`; preparing and sorting are part of `inner_eval` | |
//! | `alertmanager_config_hash`, `alertmanager_config_last_reload_*` | same hash; both files are put in force together, so success and time are those of `prometheus_config_*` | `daemon::notify_loop` |
//! | `alertmanager_cluster_members`, `_failed_peers` | 1 and 0: a cluster of one. Two instances make `AlertmanagerMembersInconsistent` fire, rightly: they both notify | |
//! | `alertmanager_notifications_total`, `_failed_total`, `_requests_*` | same labels; `receiver_name` with `--enable-feature=receiver-name-in-metrics`; those of configured integrations are there from the start, upstream shows those of all. A notification that is on its way counts as failed when a newer one takes its place | `daemon::notify_loop::meter` |
//! | `prometheus_notifications_alertmanagers_discovered` | counts the built-in router as one, so that nobody is told that none is there | |
//! | `prometheus_notifications_queue_length`, `_dropped_total` | without the label `alertmanager`, over all queues: the mixin's rule compares the length with the capacity, which has none | |
//!
//! Not there:
//!
//! | metrics | why |
//! |---|---|
//! | `prometheus_remote_storage_*` | remote write out is not part of watchfire yet; upstream shows most of them only when it is configured |
//! | `go_*`, `prometheus_treecache_*`, `net_conntrack_*`, `promhttp_*` | they speak of the Go runtime and of Go libraries |
//! | `prometheus_tsdb_compaction_*`, `_isolation_*`, `_mmap_*`, `_wal_page*`, `_wal_record*` and their like | they speak of the inside of another store; `watchfire_tsdb_*` speak of ours |
//! | `alertmanager_nflog_*`, `alertmanager_silences_*` but the number of silences | they speak of gossip, snapshots and indexes that are not there; `watchfire_router_*` speak of the journal |
//! | `alertmanager_http_*` | both APIs are one server: `prometheus_http_requests_total` and its kin count them all |
