//! What the API shows of the daemon itself, and the metrics that go with it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::daemon::Clock;
use crate::http::metrics::{Gauge, Registry};
use crate::http::notices::Notices;
use crate::http::state::{BuildInfo, RuntimeInfo};
use crate::model::Labels;
use crate::time::WallTime;

/// The Prometheus whose behaviour this is.
pub(super) const PROMETHEUS_VERSION: &str = "3.14.0";

/// compat: upstream's words, which its page and clients know.
const RELOAD_FAILED: &str = "Configuration reload has failed.";
const STARTING: &str = "Prometheus is starting and replaying the write-ahead log.";
const STOPPING: &str = "Prometheus is shutting down and gracefully stopping all operations.";

/// The outcome of the last reload and what was read.
#[derive(Debug)]
pub(super) struct Live {
    clock: Clock,
    /// What the user should know now.
    pub(super) notices: Notices,
    started: WallTime,
    pub(super) config: ArcSwap<String>,
    /// `global.external_labels` of the running configuration.
    pub(super) external_labels: ArcSwap<Labels>,
    state: Mutex<Reloads>,
    success: [Gauge; 2],
    success_time: [Gauge; 2],
}

#[derive(Debug)]
struct Reloads {
    ok: bool,
    last_success: Option<WallTime>,
}

impl Live {
    pub(super) fn new(clock: Clock, subscribers_max: usize, metrics: &Registry) -> Self {
        let notices = Notices::new(subscribers_max, metrics);
        notices.add(STARTING, clock.now());
        Self {
            clock,
            notices,
            started: clock.now(),
            config: ArcSwap::default(),
            external_labels: ArcSwap::default(),
            state: Mutex::new(Reloads {
                ok: false,
                last_success: None,
            }),
            // Both files are read and put in force together, so both names tell the same.
            success: [
                "prometheus_config_last_reload_successful",
                "alertmanager_config_last_reload_successful",
            ]
            .map(|name| {
                metrics.gauge(
                    name,
                    "Whether the last configuration reload attempt was successful.",
                )
            }),
            success_time: [
                "prometheus_config_last_reload_success_timestamp_seconds",
                "alertmanager_config_last_reload_success_timestamp_seconds",
            ]
            .map(|name| {
                metrics.gauge(
                    name,
                    "Timestamp of the last successful configuration reload.",
                )
            }),
        }
    }

    /// A configuration is running.
    pub(super) fn loaded(&self, config: String, external_labels: Labels) {
        self.config.store(Arc::new(config));
        self.external_labels.store(Arc::new(external_labels));
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.ok = true;
        state.last_success = Some(now);
        self.notices.remove(RELOAD_FAILED);
        for gauge in &self.success {
            gauge.set(1.0);
        }
        for gauge in &self.success_time {
            gauge.set(now.to_timestamp().as_secs_f64());
        }
    }

    /// A configuration was refused; the one before goes on.
    pub(super) fn refused(&self) {
        let mut state = self.state.lock();
        state.ok = false;
        self.notices.add(RELOAD_FAILED, self.clock.now());
        for gauge in &self.success {
            gauge.set(0.0);
        }
    }

    /// The program answers queries from now on.
    pub(super) fn ready(&self) {
        self.notices.remove(STARTING);
    }

    /// The program ends; nobody who listens for notices keeps it.
    pub(super) fn stopping(&self) {
        self.notices.add(STOPPING, self.clock.now());
        self.notices.end();
    }

    pub(super) fn runtime(&self, retention: &str) -> RuntimeInfo {
        let state = self.state.lock();
        let hostname = rustix::system::uname();
        RuntimeInfo {
            start_time: Some(self.started),
            cwd: std::env::current_dir()
                .map(|d| d.display().to_string())
                .unwrap_or_default(),
            hostname: hostname.nodename().to_string_lossy().into_owned(),
            reload_success: state.ok,
            // compat: whole seconds.
            last_config_time: state
                .last_success
                .map(|at| WallTime::from_ms(at.as_ms() / 1000 * 1000)),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_limit: 0,
            storage_retention: retention.to_owned(),
        }
    }
}

/// What `/api/v1/status/buildinfo` shows: clients decide by Prometheus's version what they may ask.
pub(super) fn build_info() -> BuildInfo {
    BuildInfo {
        version: PROMETHEUS_VERSION.to_owned(),
        revision: concat!("watchfire-", env!("CARGO_PKG_VERSION")).to_owned(),
        branch: "HEAD".to_owned(),
        build_user: "watchfire".to_owned(),
        build_date: String::new(),
        go_version: "rust".to_owned(),
    }
}
