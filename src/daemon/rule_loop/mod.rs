//! Evaluates rule groups, one task per group, each at its own evenly spaced times.
//!
//! After an evaluation the state that must survive a restart is on the disk before any alert leaves.
//! A reload hands each group's memory to its successor; a group that is gone ends its series.

mod state_file;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::Clock;
use crate::disk::Disk;
use crate::http::metrics::Registry;
use crate::http::query_log::QueryOrigin;
use crate::model::Alert;
use crate::promql::ast::Expr;
use crate::rules::{Error, Expansion, Group, GroupView, Point, RestoreOptions};
use crate::storage::Storage;
use crate::time::{Span, Timestamp};
use state_file::StateFile;
use task::Task;

/// Answers an instant query of a rule.
pub type Query =
    Arc<dyn Fn(&QueryOrigin, &Expr, Timestamp) -> Result<Vec<Point>, Error> + Send + Sync>;

/// Expands a template of a rule.
pub type Expand = Arc<dyn Fn(&QueryOrigin, &Expansion<'_>) -> Result<String, String> + Send + Sync>;

/// Takes the alerts that are due, after their state is on the disk.
pub type Sink = Arc<dyn Fn(Vec<Alert>) + Send + Sync>;

/// What stays the same while the daemon runs.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub struct RuleLoopOptions {
    /// Where results are written.
    pub storage: Arc<dyn Storage>,
    /// The clock that spaces evaluations.
    pub clock: Clock,
    /// Where the state of alerts is kept; none forgets it at a restart.
    pub disk: Option<Arc<dyn Disk>>,
    /// How much of it is believed after a pause.
    pub restore: RestoreOptions,
    /// `--rules.alert.resend-delay`.
    pub resend_delay: Span,
    /// How many groups are evaluated at once.
    pub concurrent: usize,
    /// The self-metrics.
    pub metrics: Registry,
    /// Where alerts go.
    pub sink: Sink,
}

/// What a reload may change for every group.
#[derive(Clone)]
pub struct RuleEnvironment {
    /// Answers queries.
    pub query: Query,
    /// Expands templates, with the external labels and URL of the configuration.
    pub expand: Expand,
    /// The external URL that alerts link to.
    pub external_url: String,
}

impl std::fmt::Debug for RuleEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleEnvironment")
            .field("external_url", &self.external_url)
            .finish_non_exhaustive()
    }
}

/// What tasks share.
struct Shared {
    options: RuleLoopOptions,
    state: Option<StateFile>,
    permits: Semaphore,
}

/// The running groups.
pub struct RuleLoops {
    shared: Arc<Shared>,
    /// By file and name.
    running: Mutex<BTreeMap<(String, String), Running>>,
}

impl std::fmt::Debug for RuleLoops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleLoops")
            .field("groups", &self.running.lock().len())
            .finish_non_exhaustive()
    }
}

struct Running {
    view: Arc<ArcSwap<GroupView>>,
    stop: watch::Sender<bool>,
    handle: JoinHandle<Group>,
    environment: RuleEnvironment,
}

impl RuleLoops {
    /// Nothing runs until [`RuleLoops::apply`].
    pub fn new(options: RuleLoopOptions) -> Self {
        let permits = Semaphore::new(options.concurrent.max(1));
        let state = options.disk.clone().map(StateFile::new);
        Self {
            shared: Arc::new(Shared {
                options,
                state,
                permits,
            }),
            running: Mutex::default(),
        }
    }

    /// Runs `groups` from now on. Groups of the same file and name keep what they know; new ones continue from the
    /// disk; groups that are gone end their series. Evaluations that run are waited for.
    pub async fn apply(&self, groups: Vec<Group>, environment: RuleEnvironment) {
        let mut old = std::mem::take(&mut *self.running.lock());
        for running in old.values() {
            // The task may have ended by itself only when the runtime is going down.
            let _ = running.stop.send(true);
        }
        let now = self.shared.options.clock.timestamp();
        let mut running = BTreeMap::new();
        for mut group in groups {
            let key = (group.file().to_owned(), group.name().to_owned());
            match old.remove(&key) {
                Some(before) => {
                    if let Ok(before) = before.handle.await {
                        group.take_over(&before);
                    }
                }
                None => self.restore(&mut group, now),
            }
            running.insert(key, self.start(group, environment.clone()));
        }
        for (_, gone) in old {
            if let Ok(group) = gone.handle.await {
                self.end(group, gone.environment).await;
            }
        }
        *self.running.lock() = running;
    }

    /// What the API shows, sorted by file and name.
    pub fn views(&self) -> Vec<Arc<GroupView>> {
        self.running
            .lock()
            .values()
            .map(|running| running.view.load_full())
            .collect()
    }

    /// Ends all tasks after the evaluations that run. Series go on at the next start and are not ended.
    pub async fn stop(&self) {
        let old = std::mem::take(&mut *self.running.lock());
        for running in old.values() {
            let _ = running.stop.send(true);
        }
        for (_, running) in old {
            let _ = running.handle.await;
        }
    }

    fn restore(&self, group: &mut Group, now: Timestamp) {
        let Some(state) = self.shared.state.as_ref() else {
            return;
        };
        match state.load(group.file(), group.name()) {
            Ok(Some(record)) => group.restore(&record, now, &self.shared.options.restore),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(file = group.file(), group = group.name(), %error, "cannot read the state of alerts; their timers begin anew");
            }
        }
    }

    fn start(&self, group: Group, environment: RuleEnvironment) -> Running {
        let view = Arc::new(ArcSwap::from_pointee(group.view()));
        let (stop, stopped) = watch::channel(false);
        let task = Task::new(
            Arc::clone(&self.shared),
            environment.clone(),
            Arc::clone(&view),
            &group,
        );
        Running {
            view,
            stop,
            handle: tokio::spawn(task.run(group, stopped)),
            environment,
        }
    }

    async fn end(&self, mut group: Group, environment: RuleEnvironment) {
        let shared = Arc::clone(&self.shared);
        // Writing may wait for the disk, so it is kept off the runtime's threads.
        let _ = tokio::task::spawn_blocking(move || {
            let now = shared.options.clock.timestamp();
            let origin = task::origin(&group);
            task::with_context(&shared, &environment, &origin, |context| {
                group.end(now, context)
            });
            if let Some(state) = &shared.state {
                state.forget(group.file(), group.name());
            }
        })
        .await;
    }
}
