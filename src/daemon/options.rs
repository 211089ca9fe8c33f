use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::Clock;
use crate::alerting::SilenceLimits;
use crate::alerting::matchers::Syntax;
use crate::time::Span;

/// Where `prometheus.yml` comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ConfigSource {
    /// There is none: nothing is scraped and no rule runs.
    #[default]
    None,
    /// A file, read again at each reload.
    File(PathBuf),
    /// A text that never changes: the built-in default, the demo, a test. Relative paths in it start
    /// at the working folder.
    Text(String),
}

/// `--memory.limit`: how much anonymous memory the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum MemoryLimit {
    /// 70 % of the container's limit; none outside a container.
    #[default]
    Default,
    /// So many bytes; 0 for no limit.
    Bytes(u64),
    /// A share of the container's limit, or of the machine's memory outside of one.
    Percent(f64),
}

/// Everything that a command line says about the daemon. The default is that of `watchfire serve`.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--config.file`.
    pub config: ConfigSource,
    /// Rule files that are loaded beside those of the configuration: name and text.
    pub built_in_rules: Vec<(String, String)>,
    /// `--alertmanager.config.file`; without it notifications are shown in the log.
    pub router: ConfigSource,
    /// `--watchfire.config.file`: our own keys.
    pub watchfire: Option<PathBuf>,
    /// `--web.config.file`.
    pub web_config_file: Option<PathBuf>,
    /// `--storage.tsdb.path`; none keeps samples in memory alone.
    pub storage_path: Option<PathBuf>,
    /// `--storage.path`: alerts, silences, notification log; none keeps them in memory alone.
    pub alerting_path: Option<PathBuf>,
    /// `--storage.tsdb.retention.time`; 15 days.
    pub retention: Span,
    /// `--storage.tsdb.retention.size`; 0 for no limit.
    pub retention_size: u64,
    /// `--storage.tsdb.retention.percentage` of the disk; 0 for no limit.
    pub retention_percentage: f64,
    /// `--memory.limit`.
    pub memory_limit: MemoryLimit,
    /// `--data.retention`; 5 days.
    pub alerting_retention: Span,
    /// `--alerts.gc-interval`; 30m.
    pub alerts_gc_interval: Span,
    /// `--silences.max-silences` and `--silences.max-silence-size-bytes`; none.
    pub silence_limits: SilenceLimits,
    /// `--alerts.per-alertname-limit`; 0 for none.
    pub alertname_limit: usize,
    /// How often files are looked at, when they are.
    pub auto_reload: Option<Span>,
    /// `--web.external-url`; empty: made from host name and port.
    pub external_url: String,
    /// `--web.route-prefix`; none: the path of the external URL.
    pub route_prefix: Option<String>,
    /// `--web.enable-lifecycle`.
    pub enable_lifecycle: bool,
    /// `--web.enable-admin-api`.
    pub enable_admin_api: bool,
    /// `--web.enable-remote-write-receiver`.
    pub enable_remote_write: bool,
    /// `--web.cors.origin`; `.*`.
    pub cors_origin: String,
    /// `--web.max-notifications-subscribers`; 16.
    pub notice_subscribers: usize,
    /// `--web.read-timeout`; 5m. How long the head of a request, and its body, may take; also how long a
    /// connection may be idle.
    pub read_timeout: Duration,
    /// `--web.max-connections`; 512.
    pub max_connections: usize,
    /// `--rules.alert.for-outage-tolerance`; 1h.
    pub outage_tolerance: Span,
    /// `--rules.alert.for-grace-period`; 10m.
    pub grace_period: Span,
    /// `--rules.alert.resend-delay`; 1m.
    pub resend_delay: Span,
    /// `--rules.max-concurrent-evals`; 4.
    pub concurrent_evals: usize,
    /// `--alertmanager.notification-queue-capacity`; 10000.
    pub queue_capacity: usize,
    /// `--alertmanager.notification-batch-size`; 256.
    pub batch_size: usize,
    /// `--alertmanager.drain-notification-queue-on-shutdown`; true.
    pub drain_queue: bool,
    /// `--query.lookback-delta`; 5m.
    pub lookback: Span,
    /// `--query.timeout`; 2m.
    pub query_timeout: Duration,
    /// `--query.max-concurrency`; 20.
    pub query_concurrency: usize,
    /// `--query.max-samples`; 50 million.
    pub query_max_samples: usize,
    /// `--enable-feature`.
    pub features: BTreeSet<String>,
    /// What `/api/v1/status/flags` shows.
    pub flags: BTreeMap<String, String>,
    /// The clock that every loop asks.
    pub clock: Clock,
}

impl Options {
    /// Which syntax of matchers the router understands.
    pub fn syntax(&self) -> Syntax {
        Syntax::of_features(|name| self.features.contains(name))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: ConfigSource::None,
            built_in_rules: Vec::new(),
            router: ConfigSource::None,
            watchfire: None,
            web_config_file: None,
            storage_path: None,
            alerting_path: None,
            retention: Span::hours(15 * 24),
            retention_size: 0,
            retention_percentage: 0.0,
            memory_limit: MemoryLimit::Default,
            alerting_retention: Span::hours(120),
            alerts_gc_interval: Span::minutes(30),
            silence_limits: SilenceLimits::default(),
            alertname_limit: 0,
            auto_reload: None,
            external_url: String::new(),
            route_prefix: None,
            enable_lifecycle: false,
            enable_remote_write: false,
            enable_admin_api: false,
            cors_origin: ".*".to_owned(),
            notice_subscribers: 16,
            read_timeout: Duration::from_mins(5),
            max_connections: 512,
            outage_tolerance: Span::hours(1),
            grace_period: Span::minutes(10),
            resend_delay: Span::minutes(1),
            concurrent_evals: 4,
            queue_capacity: 10_000,
            batch_size: 256,
            drain_queue: true,
            lookback: Span::minutes(5),
            query_timeout: Duration::from_mins(2),
            query_concurrency: 20,
            query_max_samples: 50_000_000,
            features: BTreeSet::new(),
            flags: BTreeMap::new(),
            clock: Clock::real(),
        }
    }
}
