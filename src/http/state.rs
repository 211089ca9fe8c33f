//! What the HTTP APIs show and act on: handles and plain views, filled in by `daemon`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::api_v2::Handle;
use super::metrics::Registry;
use super::notices::Notices;
use super::query_log::{QueryWatch, Unwatched};
use super::remote_write::Memo;
use crate::model::{Labels, Metadata};
use crate::promql::engine::Engine;
use crate::promql::parser::ParseOptions;
use crate::relabel::{Rule, Step};
use crate::rules::GroupView;
use crate::storage::Storage;
use crate::text::regex::Regex;
use crate::time::WallTime;
use crate::tsdb::{Db, Growth, HeadStats, JobUse, Pressure};

/// The handles, shared by every request.
#[derive(Clone)]
pub struct State(Arc<Parts>);

impl State {
    /// Shares `parts`.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for State {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// A handle that gives a view when it is asked.
pub type View<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Relabels the labels of a target of a pool.
type RelabelSteps = dyn Fn(&str, &Labels) -> Option<Vec<(Rule, Step)>> + Send + Sync;

/// Everything that the APIs need. [`Parts::new`] gives quiet defaults for all but the store.
pub struct Parts {
    /// The samples.
    pub storage: Arc<dyn Storage>,
    /// Runs queries.
    pub engine: Arc<Engine>,
    /// Which parts of the language are switched on.
    pub syntax: ParseOptions,
    /// The real clock, or a test's.
    pub now: View<WallTime>,
    /// Scrape pools and their targets.
    pub targets: View<Vec<PoolView>>,
    /// What targets declare about their metrics.
    pub target_metadata: View<Vec<TargetMetadata>>,
    /// What the relabeling of a pool makes of discovered labels, rule by rule; none for an unknown pool.
    pub relabel_steps: Arc<RelabelSteps>,
    /// External Alertmanagers: those in use and those that relabeling dropped, as URLs.
    pub alertmanagers: View<(Vec<String>, Vec<String>)>,
    /// The configuration as it was read, secrets hidden.
    pub config: View<String>,
    /// What `--enable-feature` switches on.
    pub features: BTreeSet<String>,
    /// Flags and their values, sorted by name.
    pub flags: BTreeMap<String, String>,
    /// What was built, and how.
    pub build: BuildInfo,
    /// How the process is doing.
    pub runtime: View<RuntimeInfo>,
    /// What the user should know now, for example that a reload failed.
    pub notices: Notices,
    /// What the store says about itself; each list has at most so many entries.
    pub stats: Arc<dyn Fn(usize) -> HeadStats + Send + Sync>,
    /// `global.external_labels`.
    pub external_labels: View<Labels>,
    /// `--query.lookback-delta` in milliseconds.
    pub lookback_ms: i64,
    /// What `/api/v1/admin/tsdb` acts on; none when `--web.enable-admin-api` is off.
    pub admin: Option<Arc<Db>>,
    /// Rule groups.
    pub rules: View<Vec<GroupView>>,
    /// The router of alerts; none while there is none.
    pub alerting: Option<Handle>,
    /// Starting, ready, stopping.
    pub readiness: Arc<Readiness>,
    /// Asks for a reload and waits for its outcome; none when `--web.enable-lifecycle` is off.
    pub reload: Option<mpsc::Sender<oneshot::Sender<Result<(), String>>>>,
    /// Asks the daemon to stop; none when `--web.enable-lifecycle` is off.
    pub quit: Option<mpsc::Sender<()>>,
    /// Whether `/api/v1/write` takes samples (`--web.enable-remote-write-receiver`).
    pub accept_remote_write: bool,
    /// What is known of series that are pushed.
    pub pushed: Memo,
    /// The self-metrics.
    pub metrics: Registry,
    /// `--web.external-url`, without a trailing slash.
    pub external_url: String,
    /// The port of the first listener; what targets on it are, is us.
    pub listen_port: u16,
    /// `--web.route-prefix`; empty for the root.
    pub route_prefix: String,
    /// `--web.cors.origin`, anchored; none for every origin.
    pub cors_origin: Option<Regex>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// Whether queries are refused because memory is short.
    pub sheds_queries: Arc<dyn Fn() -> bool + Send + Sync>,
    /// How memory is used: the budget and the targets that grew most, at most so many.
    pub memory: Arc<dyn Fn(usize) -> MemoryView + Send + Sync>,
    /// Permits for queries that run at once (`--query.max-concurrency`).
    pub query_permits: Arc<Semaphore>,
    /// Hears of every query.
    pub query_watch: Arc<dyn QueryWatch>,
    /// Whether `stats=all` tells samples per step (feature `promql-per-step-stats`).
    pub per_step_stats: bool,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Parts {
    /// Handles that show nothing, over `storage`, with the clock `now`.
    pub fn new(storage: Arc<dyn Storage>, now: View<WallTime>) -> Self {
        let limits = Limits::default();
        Self {
            storage,
            engine: Arc::default(),
            syntax: ParseOptions::default(),
            now,
            targets: Arc::new(Vec::new),
            target_metadata: Arc::new(Vec::new),
            relabel_steps: Arc::new(|_, _| None),
            alertmanagers: Arc::new(|| (Vec::new(), Vec::new())),
            config: Arc::new(String::new),
            features: BTreeSet::new(),
            flags: BTreeMap::new(),
            build: BuildInfo::default(),
            runtime: Arc::new(RuntimeInfo::default),
            notices: Notices::new(16, &Registry::default()),
            stats: Arc::new(|_| HeadStats::default()),
            external_labels: Arc::new(Labels::empty),
            lookback_ms: 5 * 60 * 1000,
            admin: None,
            rules: Arc::new(Vec::new),
            accept_remote_write: false,
            pushed: Memo::default(),
            alerting: None,
            readiness: Arc::default(),
            reload: None,
            quit: None,
            metrics: Registry::default(),
            external_url: String::new(),
            listen_port: 0,
            route_prefix: String::new(),
            cors_origin: None,
            sheds_queries: Arc::new(|| false),
            memory: Arc::new(|_| MemoryView::default()),
            query_permits: Arc::new(Semaphore::new(limits.queries)),
            query_watch: Arc::new(Unwatched),
            per_step_stats: false,
            limits,
        }
    }
}

/// How memory is used.
#[derive(Debug, Clone, Default)]
pub struct MemoryView {
    /// Bytes of anonymous memory that the process may have; 0 for no limit.
    pub limit: u64,
    /// Bytes of anonymous memory that it has.
    pub used: u64,
    /// What is shed now.
    pub pressure: Pressure,
    /// New series that were refused since the start.
    pub refused: u64,
    /// Series whose labels are in memory.
    pub series: usize,
    /// Series that have ended, whose labels are on the disk alone.
    pub archived_series: u64,
    /// Bytes of the samples that are not in blocks yet.
    pub sample_bytes: usize,
    /// Bytes of the blocks on the disk.
    pub block_bytes: u64,
    /// Who brought most new series in the last ten minutes, the fastest first.
    pub growth: Vec<Growth>,
    /// What the series of each job use, those with most series first.
    pub jobs: Vec<JobUse>,
}

/// Bounds on what clients may ask for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a form body; 10 MiB, as Go reads at most.
    pub form_bytes: usize,
    /// Bytes of a pushed body after decompression; 32 MiB.
    pub push_bytes: usize,
    /// Queries that run at once; 20.
    pub queries: usize,
    /// How long a query may take, waiting included; 2m.
    pub query_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            form_bytes: 10 << 20,
            push_bytes: 32 << 20,
            queries: 20,
            query_timeout: Duration::from_mins(2),
        }
    }
}

/// Whether the daemon can answer. It begins as neither ready nor stopping.
#[derive(Debug, Default)]
pub struct Readiness(AtomicU8);

impl Readiness {
    const READY: u8 = 1;
    const STOPPING: u8 = 2;

    /// From now on queries are answered.
    pub fn set_ready(&self) {
        self.0.store(Self::READY, Ordering::Release);
    }

    /// From now on nobody should send more.
    pub fn set_stopping(&self) {
        self.0.store(Self::STOPPING, Ordering::Release);
    }

    /// Whether queries are answered.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::READY
    }

    /// Whether the daemon is going down.
    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::STOPPING
    }
}

/// A scrape pool as the API shows it.
#[derive(Debug, Clone, Default)]
pub struct PoolView {
    /// The job's name.
    pub name: String,
    /// Targets that are scraped.
    pub active: Vec<TargetView>,
    /// Targets that relabeling dropped, as far as they are remembered: their discovered labels.
    pub dropped: Vec<Labels>,
    /// How many were dropped, remembered or not.
    pub dropped_count: usize,
}

/// A target as the API shows it.
#[derive(Debug, Clone, Default)]
pub struct TargetView {
    /// Labels as they were discovered.
    pub discovered_labels: Labels,
    /// Labels of its series.
    pub labels: Labels,
    /// What is fetched.
    pub url: String,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// When the last scrape began; zero when there was none.
    pub last_scrape: Option<WallTime>,
    /// How long it took.
    pub last_duration: Duration,
    /// `up`, `down` or `unknown`.
    pub health: &'static str,
    /// How often it is scraped, as text.
    pub interval: String,
    /// How long a scrape may take, as text.
    pub timeout: String,
}

/// What one target declares about one metric family.
#[derive(Debug, Clone)]
pub struct TargetMetadata {
    /// The target's labels.
    pub target: Labels,
    /// The metric family.
    pub metric: String,
    /// What it declares.
    pub metadata: Metadata,
}

/// What was built. Where Prometheus's clients look, the version is Prometheus's.
#[derive(Debug, Clone, Default)]
pub struct BuildInfo {
    /// The version of Prometheus whose behaviour this is; a semantic version.
    pub version: String,
    /// The commit, or `watchfire-` and our version.
    pub revision: String,
    /// The branch; empty when not known.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When it was built.
    pub build_date: String,
    /// The compiler.
    pub go_version: String,
}

/// How the process is doing.
#[derive(Debug, Clone, Default)]
pub struct RuntimeInfo {
    /// When the process began.
    pub start_time: Option<WallTime>,
    /// The working folder.
    pub cwd: String,
    /// The machine's name.
    pub hostname: String,
    /// Whether the last reload succeeded.
    pub reload_success: bool,
    /// When the configuration was last read successfully.
    pub last_config_time: Option<WallTime>,
    /// Threads that work.
    pub threads: usize,
    /// Bytes the memory budget allows; 0 without one.
    pub memory_limit: u64,
    /// How long samples are kept, as text.
    pub storage_retention: String,
}
