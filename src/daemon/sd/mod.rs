//! Service discovery at work: tasks that poll files, servers and resolvers, and what they found so far.

mod dns;
mod file;
mod http;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Clock;
use crate::discovery::{Options, TargetGroup};
use crate::http::metrics::{Counter, Registry, Summary};

/// The mechanisms of one job, or of one section of Alertmanagers, and their groups together. Dropping it
/// ends them.
#[derive(Debug)]
pub struct Discovery {
    found: watch::Receiver<Found>,
    tasks: Vec<JoinHandle<()>>,
}

/// All groups, in the order of mechanisms and sources.
type Found = Arc<Vec<TargetGroup>>;

/// Where one mechanism puts what it finds.
#[derive(Debug, Clone)]
struct Finds {
    mechanism: usize,
    metrics: Registry,
    all: Arc<Mutex<BTreeMap<(usize, String), TargetGroup>>>,
    told: Arc<watch::Sender<Found>>,
}

impl Finds {
    /// Replaces groups of the same sources; groups without targets are forgotten.
    fn update(&self, groups: Vec<TargetGroup>) {
        let mut all = self.all.lock();
        for group in groups {
            let key = (self.mechanism, group.source.clone());
            if group.targets.is_empty() {
                all.remove(&key);
            } else {
                all.insert(key, group);
            }
        }
        let found: Vec<TargetGroup> = all.values().cloned().collect();
        // The lock is held so that a slower teller cannot bring back what a faster one replaced.
        self.told.send_if_modified(|told| {
            let news = **told != found;
            if news {
                *told = Arc::new(found);
            }
            news
        });
    }
}

/// How the refreshes of one mechanism of one job go.
#[derive(Debug)]
struct Refreshes {
    failures: Counter,
    seconds: Summary,
}

impl Refreshes {
    fn new(metrics: &Registry, mechanism: &str, owner: &str) -> Self {
        let labels = [("mechanism", mechanism), ("config", owner)];
        Self {
            failures: metrics.counter_with(
                "prometheus_sd_refresh_failures_total",
                "Number of refresh failures for the given SD mechanism.",
                &labels,
            ),
            seconds: metrics.summary_with(
                "prometheus_sd_refresh_duration_seconds",
                "The duration of a refresh in seconds for the given SD mechanism.",
                Summary::QUANTILES,
                &labels,
            ),
        }
    }
}

impl Discovery {
    /// Starts a task for each mechanism that needs one. `owner` names the job in log lines.
    pub fn start(owner: &str, mechanisms: &[Options], clock: Clock, metrics: &Registry) -> Self {
        let (told, found) = watch::channel(Found::default());
        let told = Arc::new(told);
        let all = Arc::default();
        let mut tasks = Vec::new();
        for (mechanism, options) in mechanisms.iter().enumerate() {
            let finds = Finds {
                mechanism,
                metrics: metrics.clone(),
                all: Arc::clone(&all),
                told: Arc::clone(&told),
            };
            let owner = owner.to_owned();
            match options {
                Options::Static(groups) => {
                    // Two entries of static_configs may lack a source of their own.
                    let numbered = groups.iter().enumerate().map(|(i, group)| TargetGroup {
                        source: i.to_string(),
                        ..group.clone()
                    });
                    finds.update(numbered.collect());
                }
                Options::File(options) => {
                    tasks.push(tokio::spawn(file::run(
                        owner,
                        options.clone(),
                        finds,
                        clock,
                    )));
                }
                Options::Http(options) => {
                    tasks.push(tokio::spawn(http::run(
                        owner,
                        (**options).clone(),
                        finds,
                        clock,
                    )));
                }
                Options::Dns(options) => {
                    tasks.push(tokio::spawn(dns::run(owner, options.clone(), finds, clock)));
                }
                Options::Unsupported { kind } => {
                    tracing::warn!(
                        job = owner,
                        mechanism = kind,
                        "service discovery cannot run yet"
                    );
                }
            }
        }
        Self { found, tasks }
    }

    /// What was found so far.
    pub fn groups(&self) -> Arc<Vec<TargetGroup>> {
        Arc::clone(&self.found.borrow())
    }

    /// News, for a task that waits for them.
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<TargetGroup>>> {
        self.found.clone()
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
