use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tower::ServiceExt as _;

use super::Base;
use super::alertmanagers::{Alertmanagers, Known};
use super::live::{self, Live};
use super::measure;
use crate::daemon::alert_sender::{AlertSender, Bounds};
use crate::daemon::notify_loop::{self, NotifyLoop, NotifyOptions};
use crate::daemon::query_log::QueryLog;
use crate::daemon::rule_loop::{self, RuleLoopOptions, RuleLoops};
use crate::daemon::scrape_loop::Shared;
use crate::daemon::scrapes::{Lanes, Scrapes};
use crate::daemon::{Clock, Error, Options, storage_loop};
use crate::disk::Disk;
use crate::disk::os::OsDisk;
use crate::http::api_v2::Handle;
use crate::http::metrics::Registry;
use crate::http::notices::Notices;
use crate::http::state::{Limits, MemoryView, Parts, Readiness, State};
use crate::model::Alert;
use crate::promql::engine::{Engine, EngineOptions};
use crate::promql::parser::ParseOptions;
use crate::rules::RestoreOptions;
use crate::scrape::{Counters, Features, Places};
use crate::storage::Storage;
use crate::text::regex::Regex;
use crate::tsdb::{Db, Pressure, Progress};

type ReloadSender = mpsc::Sender<oneshot::Sender<Result<(), String>>>;

/// All running parts.
pub(super) struct App {
    pub(super) options: Arc<Options>,
    pub(super) live: Arc<Live>,
    pub(super) metrics: Registry,
    pub(super) db: Arc<Db>,
    pub(super) engine: Arc<Engine>,
    pub(super) syntax: ParseOptions,
    pub(super) scrapes: Scrapes,
    pub(super) rules: Arc<RuleLoops>,
    pub(super) sender: AlertSender,
    pub(super) notify: NotifyLoop,
    pub(super) known: Known,
    pub(super) alertmanagers: Option<Alertmanagers>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) external_url: String,
    pub(super) query_log: Arc<QueryLog>,
    pub(super) state: State,
}

/// Answers while the store opens, and hands over to the real router as soon as it is there.
pub(super) fn front(
    ready: Arc<OnceLock<Router>>,
    progress: Arc<Progress>,
    notices: Notices,
) -> Router {
    Router::new().fallback(move |request: Request| {
        let (ready, progress) = (Arc::clone(&ready), Arc::clone(&progress));
        let notices = notices.clone();
        async move {
            if let Some(router) = ready.get() {
                let Ok(response) = router.clone().oneshot(request).await;
                return response;
            }
            starting(&request, &progress, &notices)
        }
    })
}

fn starting(request: &Request, progress: &Progress, notices: &Notices) -> Response {
    let path = request.uri().path();
    if path.ends_with("/-/healthy") {
        return "Prometheus Server is Healthy.\n".into_response();
    }
    if path.ends_with("/api/v1/status/walreplay") {
        let (min, max, current) = progress.segments();
        let data = json!({ "min": min, "max": max, "current": current });
        return axum::Json(json!({ "status": "success", "data": data })).into_response();
    }
    if path.ends_with("/api/v1/notifications") {
        return crate::http::api_v1::notices(notices);
    }
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response();
    response
        .headers_mut()
        .insert("X-Prometheus-Stopping", HeaderValue::from_static("false"));
    response
}

impl App {
    pub(super) fn build(
        base: Base,
        notify: NotifyLoop,
        reload: ReloadSender,
        quit: mpsc::Sender<()>,
    ) -> Result<Self, Error> {
        let Base {
            options,
            metrics,
            live,
            db,
            port,
        } = base;
        let options = &options;
        measure::register(&metrics, options.clock, options.query_concurrency);
        storage_loop::register_metrics(&db, &metrics);
        let storage: Arc<dyn Storage> = Arc::clone(&db) as _;
        let engine = Arc::new(Engine::new(engine_options(options)));
        let syntax = syntax(options);
        let sender = AlertSender::new(
            Bounds {
                capacity: options.queue_capacity,
                batch: options.batch_size,
            },
            &metrics,
        );
        let scrapes = Scrapes::new(scrape_shared(options, &storage, &metrics));
        let sink = sink(sender.clone(), notify.handle().clone(), options.clock);
        let rules = Arc::new(RuleLoops::new(RuleLoopOptions {
            storage: Arc::clone(&storage),
            clock: options.clock,
            disk: disk(options)?,
            restore: RestoreOptions {
                outage_tolerance: options.outage_tolerance,
                grace_period: options.grace_period,
                unnoticed: options.lookback,
            },
            resend_delay: options.resend_delay,
            concurrent: options.concurrent_evals,
            metrics: metrics.clone(),
            sink,
        }));
        let readiness = Arc::new(Readiness::default());
        let known = Known::default();
        let external_url = external_url(options, port);
        let mut parts = Parts::new(storage, view(options.clock));
        parts.engine = Arc::clone(&engine);
        parts.syntax = syntax;
        parts.readiness = Arc::clone(&readiness);
        parts.reload = options.enable_lifecycle.then_some(reload);
        parts.quit = options.enable_lifecycle.then_some(quit);
        parts.metrics = metrics.clone();
        parts.external_url.clone_from(&external_url);
        parts.listen_port = port;
        parts.alerting = Some(notify.handle().clone());
        parts.lookback_ms = options.lookback.as_ms();
        parts.admin = options.enable_admin_api.then(|| Arc::clone(&db));
        let query_log = Arc::new(query_log(options, &metrics));
        parts.query_watch = Arc::clone(&query_log) as _;
        show_settings(&mut parts, options);
        show_parts(&mut parts, &scrapes, &rules, &known, &db);
        show_live(&mut parts, &live, options);
        Ok(Self {
            options: Arc::clone(options),
            live,
            metrics,
            db,
            engine,
            syntax,
            scrapes,
            rules,
            sender,
            notify,
            known,
            alertmanagers: None,
            readiness,
            external_url,
            query_log,
            state: State::new(parts),
        })
    }

    pub(super) fn router(&self) -> Router {
        crate::http::router(self.state.clone())
    }

    pub(super) fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}

/// Opens the router's state and starts it, away from the event loop.
pub(super) async fn router(base: &Base, loaded: notify_loop::Loaded) -> Result<NotifyLoop, Error> {
    let options = NotifyOptions {
        path: base.options.alerting_path.clone(),
        gc_interval: base.options.alerts_gc_interval,
        retention: base.options.alerting_retention,
        syntax: base.options.syntax(),
        silence_limits: base.options.silence_limits,
        alertname_limit: base.options.alertname_limit,
        clock: base.options.clock,
        external_url: external_url(&base.options, base.port),
        receiver_name_in_metrics: base.options.features.contains("receiver-name-in-metrics"),
    };
    let metrics = base.metrics.clone();
    let started =
        tokio::task::spawn_blocking(move || NotifyLoop::start(options, &loaded, &metrics)).await;
    match started {
        Ok(outcome) => outcome.map_err(|e| Error::Config(e.to_string())),
        Err(e) => Err(Error::Storage(e.to_string())),
    }
}

/// Hands the alerts of rules to the built-in router, where they are durable, and to external Alertmanagers.
fn sink(sender: AlertSender, handle: Handle, clock: Clock) -> rule_loop::Sink {
    Arc::new(move |alerts: Vec<Alert>| {
        let alerts = sender.dressed(&alerts);
        let now = clock.now();
        let refused = handle.with(|router| router.on_alerts(now, alerts.clone()));
        handle.wake();
        for error in refused {
            tracing::warn!(err = %error, "the router refused an alert");
        }
        sender.send(&alerts);
    })
}

/// Hears of queries. Each that may run has a place in the list: those of the API and one per rule group at work.
fn query_log(options: &Options, metrics: &Registry) -> QueryLog {
    QueryLog::open(
        options.storage_path.as_deref(),
        options.query_concurrency.max(1) + options.concurrent_evals.max(1),
        options.clock,
        metrics,
    )
}

/// Where the state of alerts is kept.
fn disk(options: &Options) -> Result<Option<Arc<dyn Disk>>, Error> {
    let Some(path) = &options.storage_path else {
        return Ok(None);
    };
    let disk = OsDisk::open(path).map_err(|e| Error::Storage(e.to_string()))?;
    Ok(Some(Arc::new(disk)))
}

fn engine_options(options: &Options) -> EngineOptions {
    let feature = |name: &str| options.features.contains(name);
    EngineOptions {
        lookback_ms: options.lookback.as_ms(),
        max_samples: options.query_max_samples,
        delayed_name_removal: feature("promql-delayed-name-removal"),
        type_and_unit_labels: feature("type-and-unit-labels"),
        use_start_timestamps: feature("use-start-timestamps"),
        ..EngineOptions::default()
    }
}

/// Which parts of the language `--enable-feature` switches on.
pub(super) fn syntax(options: &Options) -> ParseOptions {
    let feature = |name: &str| options.features.contains(name);
    ParseOptions {
        experimental_functions: feature("promql-experimental-functions"),
        extended_range_selectors: feature("promql-extended-range-selectors"),
        fill_modifiers: feature("promql-binop-fill-modifiers"),
        ..ParseOptions::default()
    }
}

fn scrape_shared(options: &Options, storage: &Arc<dyn Storage>, metrics: &Registry) -> Shared {
    let feature = |name: &str| options.features.contains(name);
    Shared {
        store: Arc::clone(storage),
        clock: options.clock,
        places: Arc::new(Places::new(seed())),
        features: Features {
            type_and_unit_labels: feature("type-and-unit-labels"),
            start_timestamps: feature("st-storage"),
            start_zero_samples: feature("created-timestamp-zero-ingestion"),
            metadata: feature("metadata-wal-records"),
        },
        counters: Arc::new(Counters::default()),
        lanes: Arc::new(Lanes::new(cores())),
        permits: Arc::new(Semaphore::new(workers())),
        metrics: metrics.clone(),
    }
}

fn show_settings(parts: &mut Parts, options: &Options) {
    parts.flags.clone_from(&options.flags);
    parts.features.clone_from(&options.features);
    parts.build = live::build_info();
    parts.accept_remote_write = options.enable_remote_write;
    parts.lookback_ms = options.lookback.as_ms();
    parts.per_step_stats = options.features.contains("promql-per-step-stats");
    parts.route_prefix = route_prefix(options, &parts.external_url);
    parts.cors_origin = Regex::anchored(&options.cors_origin)
        .ok()
        .filter(|_| options.cors_origin != ".*");
    parts.limits = Limits {
        queries: options.query_concurrency,
        query_timeout: options.query_timeout,
        ..Limits::default()
    };
    parts.query_permits = Arc::new(Semaphore::new(options.query_concurrency.max(1)));
}

fn show_parts(
    parts: &mut Parts,
    scrapes: &Scrapes,
    rules: &Arc<RuleLoops>,
    known: &Known,
    db: &Arc<Db>,
) {
    let shown = scrapes.clone();
    parts.targets = Arc::new(move || shown.views());
    let shown = scrapes.clone();
    parts.target_metadata = Arc::new(move || shown.metadata());
    let shown = scrapes.clone();
    parts.relabel_steps = Arc::new(move |job, labels| shown.relabel_steps(job, labels));
    let shown = Arc::clone(known);
    parts.alertmanagers = Arc::new(move || shown.lock().clone());
    let shown = Arc::clone(rules);
    parts.rules = Arc::new(move || shown.views().iter().map(|v| (**v).clone()).collect());
    let shown = Arc::clone(db);
    parts.stats = Arc::new(move |limit| shown.stats(limit));
    let pressed = Arc::clone(db);
    parts.sheds_queries = Arc::new(move || pressed.pressure() >= Pressure::Queries);
    let shown = Arc::clone(db);
    parts.memory = Arc::new(move |limit| {
        let status = shown.status();
        MemoryView {
            limit: status.memory_limit,
            used: status.memory_used,
            pressure: shown.pressure(),
            refused: status.series_refused,
            series: status.series,
            archived_series: status.archived_series,
            sample_bytes: shown.stats(0).sample_bytes,
            block_bytes: status.block_bytes,
            growth: shown.growth(limit),
            jobs: shown.jobs(limit),
        }
    });
}

fn show_live(parts: &mut Parts, live: &Arc<Live>, options: &Options) {
    let shown = Arc::clone(live);
    parts.config = Arc::new(move || shown.config.load().to_string());
    let (shown, retention) = (Arc::clone(live), options.retention.to_string());
    parts.runtime = Arc::new(move || shown.runtime(&retention));
    let shown = Arc::clone(live);
    parts.external_labels = Arc::new(move || (**shown.external_labels.load()).clone());
    parts.notices = live.notices.clone();
}

fn view(clock: Clock) -> crate::http::state::View<crate::time::WallTime> {
    Arc::new(move || clock.now())
}

/// How many pages are parsed at once.
fn workers() -> usize {
    cores() * 2
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Spreads this server's scrapes; the same after each restart.
fn seed() -> u64 {
    let name = rustix::system::uname();
    xxhash_rust::xxh64::xxh64(name.nodename().to_bytes(), 0)
}

/// `--web.external-url`, or what our host name and port make of it, without a trailing slash.
fn external_url(options: &Options, port: u16) -> String {
    if !options.external_url.is_empty() {
        return options.external_url.trim_end_matches('/').to_owned();
    }
    let name = rustix::system::uname();
    format!("http://{}:{port}", name.nodename().to_string_lossy())
}

/// `--web.route-prefix`, or the path of the external URL.
fn route_prefix(options: &Options, external_url: &str) -> String {
    let prefix = match &options.route_prefix {
        Some(prefix) => prefix.clone(),
        None => {
            url::Url::parse(external_url).map_or_else(|_| String::new(), |u| u.path().to_owned())
        }
    };
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        String::new()
    } else {
        format!("/{prefix}")
    }
}
