//! All scrape jobs: they discover targets, keep a task for each, and can be asked how they are.

mod job;
mod lanes;
mod metrics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::net::Client;
use super::scrape_loop::Shared;
use crate::discovery;
use crate::http::state::{PoolView, TargetMetadata};
use crate::model::{Labels, LabelsBuilder};
use crate::relabel::{self, Rule, Step};
use crate::scrape::JobOptions;
use job::Job;

pub use lanes::Lanes;

/// One entry of `scrape_configs`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// How its targets are scraped.
    pub options: JobOptions,
    /// Where they come from.
    pub discovery: Vec<discovery::Options>,
}

/// A job that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    config: JobConfig,
    client: Client,
}

/// The jobs. Clones share them.
#[derive(Debug, Clone)]
pub struct Scrapes {
    shared: Shared,
    jobs: Arc<Mutex<BTreeMap<String, Job>>>,
}

impl Scrapes {
    /// No jobs yet. What happens is counted in the metrics of `shared`.
    pub fn new(shared: Shared) -> Self {
        let scrapes = Self {
            shared,
            jobs: Arc::default(),
        };
        let weak = Arc::downgrade(&scrapes.jobs);
        let counters = Arc::clone(&scrapes.shared.counters);
        scrapes.shared.metrics.collector(move |page| {
            metrics::counters(page, &counters);
            if let Some(jobs) = weak.upgrade() {
                metrics::jobs(page, &jobs.lock());
            }
        });
        scrapes
    }

    /// Does what can fail of [`Scrapes::switch`] and changes nothing. An error names the jobs whose client
    /// cannot be built.
    pub fn prepare(configs: Vec<JobConfig>) -> Result<Vec<Prepared>, String> {
        let mut prepared = Vec::with_capacity(configs.len());
        let mut errors = Vec::new();
        for config in configs {
            match Client::new(&config.options.client) {
                Ok(client) => prepared.push(Prepared { config, client }),
                Err(why) => errors.push(format!(
                    "error creating HTTP client for job {}: {why}",
                    config.options.job_name
                )),
            }
        }
        if errors.is_empty() {
            Ok(prepared)
        } else {
            Err(errors.join("; "))
        }
    }

    /// Makes the jobs be those that were prepared: new ones start, missing ones end, others go on under
    /// their new options. Must be called within the runtime.
    pub fn switch(&self, prepared: Vec<Prepared>) {
        let mut jobs = self.jobs.lock();
        let names: Vec<&str> = prepared
            .iter()
            .map(|p| p.config.options.job_name.as_str())
            .collect();
        jobs.retain(|name, job| {
            let stays = names.contains(&name.as_str());
            if !stays {
                job.retire();
            }
            stays
        });
        for Prepared { config, client } in prepared {
            let name = config.options.job_name.clone();
            match jobs.get(&name) {
                Some(job) => job.reload(config, client),
                None => {
                    jobs.insert(name, Job::start(config, client, self.shared.clone()));
                }
            }
        }
    }

    /// [`Scrapes::prepare`] and [`Scrapes::switch`].
    pub fn apply(&self, configs: Vec<JobConfig>) -> Result<(), String> {
        self.switch(Self::prepare(configs)?);
        Ok(())
    }

    /// Ends every job; nothing more is written, no markers either: the daemon comes back.
    pub async fn stop(&self) {
        let jobs = std::mem::take(&mut *self.jobs.lock());
        let tasks: Vec<_> = jobs.into_values().flat_map(Job::abandon).collect();
        for task in tasks {
            // A task that panicked has nothing left to stop.
            let _ = task.await;
        }
    }

    /// Jobs and targets as the API shows them, sorted by job and by URL.
    pub fn views(&self) -> Vec<PoolView> {
        self.jobs
            .lock()
            .iter()
            .map(|(name, job)| job.view(name))
            .collect()
    }

    /// What targets declare, target by target.
    pub fn metadata(&self) -> Vec<TargetMetadata> {
        self.jobs.lock().values().flat_map(Job::metadata).collect()
    }

    /// What the `relabel_configs` of a job make of discovered labels, rule by rule. `None` when there is no
    /// such job.
    pub fn relabel_steps(&self, job: &str, discovered: &Labels) -> Option<Vec<(Rule, Step)>> {
        let jobs = self.jobs.lock();
        let rules = jobs.get(job)?.options().relabel_rules.clone();
        let labels = LabelsBuilder::from(discovered).build();
        let steps = relabel::trace(&labels, &rules);
        // compat: rules after the one that drops are told as well.
        let after = std::iter::repeat(Step {
            kept: false,
            output: Labels::empty(),
        });
        Some(
            rules
                .into_iter()
                .zip(steps.into_iter().chain(after))
                .collect(),
        )
    }
}
