//! The loop around [`crate::alerting::Router`]: asks it what to do, sends, reports how it went.
//!
//! Each attempt is a task of its own, so a receiver that hangs delays nobody; each integration has a
//! bounded number of attempts under way, so one that hangs does not use up the machine either. The
//! router's work (and its journal) happens on threads for blocking work.

mod attempt;
mod mask;
mod meter;
mod metrics;
mod outfit;
mod sink;
#[cfg(test)]
mod tests;
pub mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use super::Clock;
use crate::alerting::decisions::DecisionLimits;
use crate::alerting::matchers::Syntax;
use crate::alerting::receivers::Outcome;
use crate::alerting::router::{RouterConfig, RouterOptions};
use crate::alerting::{self, Action, Notification, Router, SilenceLimits, Verdict};
use crate::config::alertmanager::{self, AlertmanagerConfig};
use crate::config::watchfire::{Sink, WatchfireOptions};
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use crate::disk::os::OsDisk;
use crate::http::api_v2::{Handle, ReceiverInfo, RouterInfo};
use crate::http::metrics::Registry;
use crate::model::Alert;
use crate::text::yaml::Problem;
use crate::time::Span;

use meter::Meter;
use outfit::Outfit;

/// The router of a program without a router file: everything goes to the log.
const LOG_ONLY: &str = "route: {receiver: log, group_by: [alertname]}\nreceivers: [{name: log}]\n";

/// News seldom comes alone: what comes within this time is written to the journal together.
const GATHER_TIME: Duration = Duration::from_millis(10);

/// How long attempts under way may take when the program ends.
const STOP_TIMEOUT: Duration = if cfg!(test) {
    Duration::from_millis(100)
} else {
    Duration::from_secs(5)
};

/// Why there is no router, or no other one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is wrong; each mistake with its place.
    #[error("{}", Self::list(.path, .problems))]
    Config {
        /// Which file.
        path: PathBuf,
        /// The mistakes.
        problems: Vec<Problem>,
    },
    /// A template file is wrong.
    #[error("template {name}: {why}")]
    Template {
        /// Which file or pattern.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A receiver's client cannot be made.
    #[error("receiver {receiver}: {why}")]
    Receiver {
        /// Which receiver.
        receiver: String,
        /// What is wrong.
        why: String,
    },
    /// The state could not be opened.
    #[error("failed to open the router's state: {0}")]
    State(#[from] alerting::Error),
}

impl Error {
    fn list(path: &Path, problems: &[Problem]) -> String {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}:{problem}", path.display()))
            .collect();
        lines.join("\n")
    }
}

/// A router file that was found right, with its templates.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: AlertmanagerConfig,
    /// Names and texts of its template files, in order.
    pub templates: Vec<(String, String)>,
    /// Whether there is no file, so that notifications are shown in the log.
    pub log_only: bool,
    /// `alertmanager_config_hash` of the file.
    pub hash: f64,
    /// Receivers whose notifications go to a sink instead of out.
    pub sinks: BTreeMap<String, Sink>,
    /// How much of the record of decisions is kept.
    pub decisions: DecisionLimits,
    /// Who is told when a receiver cannot be reached.
    pub fallbacks: BTreeMap<String, String>,
}

impl Loaded {
    /// What a program without a router file does.
    pub fn log_only() -> Self {
        Self {
            log_only: true,
            ..Self::from_text(LOG_ONLY).expect("the built-in router is right")
        }
    }

    /// Checks a text; relative paths begin at the working folder.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let path = Path::new("alertmanager.yml");
        Self::check(text, path, "", Syntax::default())
    }

    /// Reads and checks a file and its templates.
    pub fn from_file(path: &Path, syntax: Syntax) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().map(Path::to_string_lossy);
        Self::check(&text, path, folder.as_deref().unwrap_or_default(), syntax)
    }

    /// Tells the log what is no mistake and still worth knowing.
    pub fn say_warnings(&self) {
        for note in &self.config.warnings {
            let suggestion = note.hint.as_deref().unwrap_or_default();
            tracing::warn!(suggestion, "alertmanager.yml:{note}");
        }
    }

    fn check(text: &str, path: &Path, folder: &str, syntax: Syntax) -> Result<Self, Error> {
        let config =
            alertmanager::parse_in(text, syntax, folder).map_err(|problems| Error::Config {
                path: path.to_owned(),
                problems,
            })?;
        let mut templates = Vec::new();
        for pattern in &config.templates {
            let wrong = |why: String| Error::Template {
                name: pattern.clone(),
                why,
            };
            let found = glob::glob(pattern).map_err(|error| wrong(error.to_string()))?;
            for file in found {
                let file = file.map_err(|error| wrong(error.to_string()))?;
                let text =
                    std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
                templates.push((file.to_string_lossy().into_owned(), text));
            }
        }
        Ok(Self {
            config,
            templates,
            log_only: false,
            hash: metrics::hash(text.as_bytes()),
            sinks: BTreeMap::new(),
            decisions: DecisionLimits::DEFAULT,
            fallbacks: BTreeMap::new(),
        })
    }

    /// Adds what `watchfire.yml` says.
    #[must_use]
    pub fn with_watchfire(mut self, options: &WatchfireOptions) -> Self {
        self.sinks = options.sinks.iter().cloned().collect();
        self.decisions = options.decisions;
        self.fallbacks = options.fallback_receivers.iter().cloned().collect();
        self
    }

    /// The names of its receivers.
    pub fn receivers(&self) -> Vec<String> {
        let receivers = self.config.receivers.iter();
        receivers.map(|receiver| receiver.name.clone()).collect()
    }

    fn info(&self, outfit: &Outfit) -> RouterInfo {
        RouterInfo {
            templates: outfit.templates.clone(),
            external_url: outfit.external_url.clone(),
            original: self.config.original.clone(),
            receivers: self
                .config
                .receivers
                .iter()
                .map(|receiver| ReceiverInfo {
                    name: receiver.name.clone(),
                    labels: receiver.labels.clone(),
                })
                .collect(),
        }
    }
}

/// What the loop needs to know.
#[derive(Debug, Clone)]
pub struct NotifyOptions {
    /// Where the router's state is kept; none keeps it in memory alone.
    pub path: Option<PathBuf>,
    /// `--alerts.gc-interval`.
    pub gc_interval: Span,
    /// `--data.retention`.
    pub retention: Span,
    /// `--silences.max-silences` and `--silences.max-silence-size-bytes`.
    pub silence_limits: SilenceLimits,
    /// Which syntax of matchers is understood: `--enable-feature=classic-mode` or `utf8-strict-mode`.
    pub syntax: Syntax,
    /// `--alerts.per-alertname-limit`.
    pub alertname_limit: usize,
    /// The clock.
    pub clock: Clock,
    /// The address that notifications link to, without a slash at its end.
    pub external_url: String,
    /// `--enable-feature=receiver-name-in-metrics`.
    pub receiver_name_in_metrics: bool,
}

/// The running loop.
#[derive(Debug)]
pub struct NotifyLoop {
    handle: Handle,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    options: NotifyOptions,
    outfit: ArcSwap<Outfit>,
    metrics: Registry,
    meter: Meter,
    /// Attempts under way.
    running: Mutex<BTreeMap<u64, AbortHandle>>,
    /// Outcomes of attempts that the router has not been told of.
    outcomes: Mutex<Vec<(u64, Outcome)>>,
}

/// A configuration that is ready to take the place of the running one.
#[derive(Debug)]
pub struct Prepared {
    outfit: Outfit,
    config: RouterConfig,
    info: RouterInfo,
    loaded: Loaded,
}

impl NotifyLoop {
    /// Opens the router's state and begins to notify. Blocks while the journal is read: call it from a
    /// thread that may.
    pub fn start(
        options: NotifyOptions,
        loaded: &Loaded,
        metrics: &Registry,
    ) -> Result<Self, Error> {
        let outfit = Outfit::new(loaded, &options.external_url)?;
        let disk: Arc<dyn Disk> = match &options.path {
            Some(path) => Arc::new(OsDisk::open(path.clone()).map_err(alerting::Error::from)?),
            None => Arc::new(MemoryDisk::new()),
        };
        let router_options = RouterOptions {
            gc_interval: options.gc_interval,
            retention: options.retention,
            syntax: options.syntax,
            silence_limits: options.silence_limits,
            alertname_limit: options.alertname_limit,
            decisions: loaded.decisions,
            max_groups: 0,
            seed: fastrand::u64(..),
        };
        let now = options.clock.now();
        let config = outfit::router_config(loaded);
        let router = Router::open(disk, "alerting", router_options, config, now)?;
        let handle = Handle::new(router, loaded.info(&outfit), now);
        metrics::register(metrics, &handle, options.clock);
        metrics::loaded(metrics, loaded);
        let meter = Meter::new(metrics, options.receiver_name_in_metrics);
        meter.loaded(loaded);
        let shared = Arc::new(Shared {
            options,
            outfit: ArcSwap::from_pointee(outfit),
            metrics: metrics.clone(),
            meter,
            running: Mutex::default(),
            outcomes: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(handle.clone(), Arc::clone(&shared), stopped));
        Ok(Self {
            handle,
            shared,
            stop,
            task: Mutex::new(Some(task)),
        })
    }

    /// The router, for the API.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Takes alerts of our own rules; durable when this returns.
    pub async fn take(&self, alerts: Vec<Alert>) {
        let now = self.shared.options.clock.now();
        for error in self.handle.take(now, alerts).await {
            tracing::warn!(err = %error, "an alert was refused");
        }
    }

    /// Does what can fail of [`NotifyLoop::switch`] and changes nothing.
    pub fn prepare(&self, loaded: &Loaded) -> Result<Prepared, Error> {
        let outfit = Outfit::new(loaded, &self.shared.options.external_url)?;
        Ok(Prepared {
            config: outfit::router_config(loaded),
            info: loaded.info(&outfit),
            loaded: loaded.clone(),
            outfit,
        })
    }

    /// Puts another configuration in force; nothing is told twice because of it.
    pub async fn switch(&self, prepared: Prepared) {
        let now = self.shared.options.clock.now();
        self.handle.set_info(prepared.info);
        self.shared.outfit.store(Arc::new(prepared.outfit));
        metrics::loaded(&self.shared.metrics, &prepared.loaded);
        self.shared.meter.loaded(&prepared.loaded);
        self.handle
            .act(move |router| {
                router.set_decision_limits(now, prepared.loaded.decisions);
                router.reload(now, prepared.config);
            })
            .await;
        self.handle.wake();
    }

    /// Ends the loop. Attempts under way get a moment; what they leave open is sent after the next start.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
        let deadline = tokio::time::Instant::now() + STOP_TIMEOUT;
        while !self.shared.running.lock().is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for handle in std::mem::take(&mut *self.shared.running.lock()).values() {
            handle.abort();
        }
        let outcomes = std::mem::take(&mut *self.shared.outcomes.lock());
        let now = self.shared.options.clock.now();
        self.handle
            .act(move |router| router.on_deliveries(now, outcomes))
            .await;
    }
}

async fn run(handle: Handle, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let clock = shared.options.clock;
    loop {
        let outcomes = std::mem::take(&mut *shared.outcomes.lock());
        let due = handle
            .act(move |router| {
                let now = clock.now();
                if !outcomes.is_empty() {
                    router.on_deliveries(now, outcomes);
                }
                let mut actions = Vec::new();
                while let Some(action) = router.poll(now) {
                    actions.push(action);
                }
                (actions, router.next_wakeup())
            })
            .await;
        let Some((actions, next)) = due else {
            return;
        };
        for action in actions {
            act(action, &handle, &shared);
        }
        let wait = next.map_or(Duration::from_mins(1), |next| {
            clock.real_duration(next.since(clock.now())) + Duration::from_millis(1)
        });
        tokio::select! {
            () = handle.news() => tokio::time::sleep(GATHER_TIME).await,
            () = tokio::time::sleep(wait) => {}
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    return;
                }
            }
        }
    }
}

fn act(action: Action, handle: &Handle, shared: &Arc<Shared>) {
    match action {
        Action::Cancel { id } => {
            if let Some(running) = shared.running.lock().remove(&id) {
                running.abort();
            }
        }
        Action::Notify(notification) => {
            let id = notification.id;
            let (handle, shared_too) = (handle.clone(), Arc::clone(shared));
            // The lock is held until the attempt is known, so that its end finds it.
            let mut running = shared.running.lock();
            let task = tokio::spawn(async move {
                let outcome = tell(&shared_too, &notification).await;
                shared_too.outcomes.lock().push((id, outcome));
                shared_too.running.lock().remove(&id);
                handle.wake();
            });
            running.insert(id, task.abort_handle());
        }
    }
}

/// One attempt, with what is logged and counted about it.
async fn tell(shared: &Shared, notification: &Notification) -> Outcome {
    let outfit = shared.outfit.load_full();
    let given_up = |reason: &str| Outcome {
        verdict: Verdict::GiveUp {
            reason: reason.to_owned(),
        },
        keep: None,
        unanswered: false,
    };
    let Some(sender) = outfit.sender(notification) else {
        return given_up("the receiver is not configured any more");
    };
    let clock = shared.options.clock;
    let left = clock.real_duration(notification.deadline.since(clock.now()));
    let weight = outfit::weight(notification.alerts.len());
    let Ok(_permit) = sender.permits.acquire_many(weight).await else {
        return given_up("the program ends");
    };
    shared.meter.begins(&sender.kind, notification);
    let began = tokio::time::Instant::now();
    // Boxed, so that the thousands that wait for their turn are small.
    let attempt = attempt::run(&outfit, sender, notification, clock.now(), left, None);
    let (outcome, reason) = Box::pin(attempt).await;
    let took = began.elapsed();
    shared
        .meter
        .ends(&sender.kind, notification, took, &outcome.verdict, reason);
    log(notification, &sender.name, &outcome.verdict);
    outcome
}

fn log(notification: &Notification, integration: &str, verdict: &Verdict) {
    let (receiver, group) = (&notification.receiver, &notification.group_key);
    let attempt = notification.attempt;
    match verdict {
        Verdict::Delivered => {
            let alerts = notification.alerts.len();
            tracing::debug!(receiver, integration, group, alerts, attempt, "notified");
        }
        Verdict::Retry { reason, .. } => {
            tracing::warn!(receiver, integration, group, attempt, err = %reason, "notify attempt failed, will retry later");
        }
        Verdict::GiveUp { reason } => {
            tracing::error!(receiver, integration, group, attempt, err = %reason, "notify failed");
        }
    }
}
