use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::JobConfig;
use crate::daemon::net::Client;
use crate::daemon::scrape_loop::{self, Course, Orders, Shared, Status};
use crate::daemon::sd::Discovery;
use crate::discovery::{self, TargetGroup};
use crate::http::metrics::Summary;
use crate::http::state::{PoolView, TargetMetadata, TargetView};
use crate::model::Metadata;
use crate::scrape::{Counters, JobOptions, Pool, Target};
use crate::time::Span;

/// The shortest time between two syncs, so that a flapping source cannot keep a core busy.
const PAUSE: Span = Span::seconds(5);

/// How long it takes to make targets be what discovery says.
const SYNC_LENGTH: &str = "prometheus_target_sync_length_seconds";

/// A running job.
#[derive(Debug)]
pub(super) struct Job {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    shared: Shared,
    pool: Pool,
    client: Client,
    mechanisms: Vec<discovery::Options>,
    discovery: Discovery,
    /// Waits for news of the discovery.
    syncer: Option<JoinHandle<()>>,
    /// What the last sync was made from.
    synced: Arc<Vec<TargetGroup>>,
    targets: BTreeMap<u64, Running>,
    syncs: u64,
    failed: u64,
}

/// A target's task.
#[derive(Debug)]
struct Running {
    orders: watch::Sender<Orders>,
    status: Arc<Mutex<Status>>,
    task: JoinHandle<()>,
}

/// Numbers for the self-metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) targets: usize,
    pub(super) target_limit: u64,
    pub(super) syncs: u64,
    pub(super) failed: u64,
    pub(super) discovered: usize,
    pub(super) metadata_entries: usize,
    pub(super) metadata_bytes: usize,
}

impl Job {
    pub(super) fn start(config: JobConfig, client: Client, shared: Shared) -> Self {
        let name = config.options.job_name.clone();
        let discovery = Discovery::start(&name, &config.discovery, shared.clock, &shared.metrics);
        let state = Arc::new(Mutex::new(State {
            pool: Pool::new(Arc::new(config.options)),
            client,
            mechanisms: config.discovery,
            discovery,
            syncer: None,
            synced: Arc::default(),
            targets: BTreeMap::new(),
            syncs: 0,
            failed: 0,
            shared,
        }));
        state.lock().sync();
        watch_discovery(&state);
        Self { state }
    }

    /// Goes on under new options. Discovery starts anew when its options changed; `client` is used
    /// only if its options changed, so that connections and tokens live on otherwise.
    pub(super) fn reload(&self, config: JobConfig, client: Client) {
        let mut state = self.state.lock();
        if config.options.client != state.pool.options().client {
            state.client = client;
        }
        let name = config.options.job_name.clone();
        state.pool.reload(Arc::new(config.options));
        if config.discovery == state.mechanisms {
            state.sync();
        } else {
            let shared = state.shared.clone();
            state.discovery =
                Discovery::start(&name, &config.discovery, shared.clock, &shared.metrics);
            state.mechanisms = config.discovery;
            // Targets stay until the new mechanisms have told of theirs, unless all is told already.
            if !state.discovery.groups().is_empty() || state.mechanisms.iter().all(is_static) {
                state.sync();
            }
            drop(state);
            watch_discovery(&self.state);
            return;
        }
        let orders = state.orders();
        for running in state.targets.values() {
            running.orders.send_replace(orders.for_target());
        }
    }

    pub(super) fn options(&self) -> Arc<JobOptions> {
        Arc::clone(self.state.lock().pool.options())
    }

    /// The job is gone: its targets' series end.
    pub(super) fn retire(&self) {
        let mut state = self.state.lock();
        state.stop_syncer();
        let job = [("scrape_job", state.pool.options().job_name.as_str())];
        state.shared.metrics.forget(SYNC_LENGTH, &job);
        for running in std::mem::take(&mut state.targets).into_values() {
            running.course(Course::Retire);
        }
    }

    /// The daemon stops.
    pub(super) fn abandon(self) -> Vec<JoinHandle<()>> {
        let mut state = self.state.lock();
        state.stop_syncer();
        let targets = std::mem::take(&mut state.targets);
        targets
            .into_values()
            .map(|running| {
                running.course(Course::Abandon);
                running.task
            })
            .collect()
    }

    pub(super) fn view(&self, name: &str) -> PoolView {
        let state = self.state.lock();
        let mut active: Vec<TargetView> = state
            .pool
            .active()
            .map(|target| target_view(target, state.targets.get(&target.hash)))
            .collect();
        active.sort_by(|a, b| a.url.cmp(&b.url));
        PoolView {
            name: name.to_owned(),
            active,
            dropped: state.pool.dropped().to_vec(),
            dropped_count: state.pool.dropped_count(),
        }
    }

    pub(super) fn metadata(&self) -> Vec<TargetMetadata> {
        let state = self.state.lock();
        let mut out = Vec::new();
        for target in state.pool.active() {
            let Some(running) = state.targets.get(&target.hash) else {
                continue;
            };
            let declared = Arc::clone(&running.status.lock().metadata);
            out.extend(declared.iter().map(|(metric, metadata)| TargetMetadata {
                target: target.labels.clone(),
                metric: metric.to_string(),
                metadata: Metadata::clone(metadata),
            }));
        }
        out
    }

    pub(super) fn numbers(&self) -> Numbers {
        let state = self.state.lock();
        let mut numbers = Numbers {
            targets: state.targets.len(),
            target_limit: state.pool.options().target_limit,
            syncs: state.syncs,
            failed: state.failed,
            discovered: state
                .discovery
                .groups()
                .iter()
                .map(|g| g.targets.len())
                .sum(),
            metadata_entries: 0,
            metadata_bytes: 0,
        };
        for running in state.targets.values() {
            let declared = Arc::clone(&running.status.lock().metadata);
            numbers.metadata_entries += declared.len();
            numbers.metadata_bytes += declared
                .iter()
                .map(|(_, m)| m.help.len() + m.unit.len() + m.metric_type.as_str().len())
                .sum::<usize>();
        }
        numbers
    }
}

const fn is_static(options: &discovery::Options) -> bool {
    matches!(options, discovery::Options::Static(_))
}

/// Starts the task that waits for news of the present discovery.
fn watch_discovery(state: &Arc<Mutex<State>>) {
    let mut locked = state.lock();
    locked.stop_syncer();
    let mut news = locked.discovery.watch();
    // What the last sync knew is no news; what came since is.
    news.mark_unchanged();
    if !Arc::ptr_eq(&locked.discovery.groups(), &locked.synced) {
        news.mark_changed();
    }
    let clock = locked.shared.clock;
    let weak = Arc::downgrade(state);
    locked.syncer = Some(tokio::spawn(async move {
        // Mechanisms that find nothing tell nothing; targets of earlier ones must go all the same.
        let first = clock.real_duration(PAUSE);
        let _ = tokio::time::timeout(first, news.changed()).await;
        news.mark_changed();
        while news.changed().await.is_ok() {
            let Some(state) = weak.upgrade() else { return };
            state.lock().sync();
            drop(state);
            clock.sleep(PAUSE).await;
        }
    }));
}

impl State {
    fn stop_syncer(&mut self) {
        if let Some(task) = self.syncer.take() {
            task.abort();
        }
    }

    fn orders(&self) -> Orders {
        Orders {
            options: Arc::clone(self.pool.options()),
            client: self.client.clone(),
            forced_error: self.pool.target_limit_error(),
            course: Course::On,
        }
    }

    /// Makes the targets be what discovery says.
    fn sync(&mut self) {
        let groups = self.discovery.groups();
        let began = Instant::now();
        let outcome = self.pool.sync(groups.iter());
        self.synced = groups;
        self.syncs += 1;
        self.failed += outcome.failures.len() as u64;
        let job = self.pool.options().job_name.clone();
        let lengths = self.shared.metrics.summary_with(
            SYNC_LENGTH,
            "Actual interval to sync the scrape pool.",
            Summary::QUANTILES_WIDE,
            &[("scrape_job", &job)],
        );
        lengths.observe(began.elapsed().as_secs_f64());
        for why in &outcome.failures {
            tracing::error!(scrape_pool = job, err = why, "Creating target failed");
        }
        for hash in outcome.stopped {
            if let Some(running) = self.targets.remove(&hash) {
                running.course(Course::Retire);
            }
        }
        let orders = self.orders();
        if orders.forced_error.is_some() {
            Counters::add(&self.shared.counters.exceeded_target_limit);
        }
        for running in self.targets.values() {
            running.orders.send_if_modified(|told| {
                let news = told.forced_error != orders.forced_error;
                told.forced_error.clone_from(&orders.forced_error);
                news
            });
        }
        for target in outcome.started {
            let hash = target.hash;
            let running = Running::start(target, orders.for_target(), self.shared.clone());
            self.targets.insert(hash, running);
        }
    }
}

impl Orders {
    /// The same orders over a connection of the target's own.
    fn for_target(&self) -> Self {
        Self {
            client: self.client.dedicated(),
            ..self.clone()
        }
    }
}

impl Running {
    fn start(target: Arc<Target>, orders: Orders, shared: Shared) -> Self {
        let (orders, told) = watch::channel(orders);
        let status = Arc::default();
        let place = shared.places.take(target.interval, target.hash);
        let (lane, lanes) = (place.lane(), Arc::clone(&shared.lanes));
        let scraping = scrape_loop::run(target, place, shared, told, Arc::clone(&status));
        let task = lanes.spawn(lane, scraping);
        Self {
            orders,
            status,
            task,
        }
    }

    fn course(&self, course: Course) {
        self.orders.send_modify(|orders| orders.course = course);
    }
}

fn target_view(target: &Target, running: Option<&Running>) -> TargetView {
    let status = running.map(|r| r.status.lock().clone()).unwrap_or_default();
    TargetView {
        discovered_labels: target.discovered.clone(),
        labels: target.labels.clone(),
        url: target.url.clone(),
        last_error: status.last_error,
        last_scrape: status.last_scrape,
        last_duration: status.last_duration,
        health: status.health.as_str(),
        interval: target.interval.to_string(),
        timeout: target.timeout.to_string(),
    }
}
