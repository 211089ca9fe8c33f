//! All scrape jobs: they discover targets, keep a task for each, and can be asked how they are.

mod job;
mod metrics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::scrape_loop::Shared;
use crate::discovery;
use crate::http::metrics::Registry;
use crate::http::state::{PoolView, TargetMetadata};
use crate::model::{Labels, LabelsBuilder};
use crate::relabel::{self, Rule, Step};
use crate::scrape::JobOptions;
use job::Job;

/// One entry of `scrape_configs`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// How its targets are scraped.
    pub options: JobOptions,
    /// Where they come from.
    pub discovery: Vec<discovery::Options>,
}

/// The jobs. Clones share them.
#[derive(Debug, Clone)]
pub struct Scrapes {
    shared: Shared,
    jobs: Arc<Mutex<BTreeMap<String, Job>>>,
}

impl Scrapes {
    /// No jobs yet. What happens is counted in `metrics`.
    pub fn new(shared: Shared, metrics: &Registry) -> Self {
        let scrapes = Self {
            shared,
            jobs: Arc::default(),
        };
        let weak = Arc::downgrade(&scrapes.jobs);
        let counters = Arc::clone(&scrapes.shared.counters);
        metrics.collector(move |page| {
            metrics::counters(page, &counters);
            if let Some(jobs) = weak.upgrade() {
                metrics::jobs(page, &jobs.lock());
            }
        });
        scrapes
    }

    /// Makes the jobs be those of `configs`: new ones start, missing ones end, others go on under their new
    /// options. Must be called within the runtime. An error names the job whose client cannot be built;
    /// that job keeps its old options.
    pub fn apply(&self, configs: Vec<JobConfig>) -> Result<(), String> {
        let mut jobs = self.jobs.lock();
        let names: Vec<&str> = configs
            .iter()
            .map(|c| c.options.job_name.as_str())
            .collect();
        jobs.retain(|name, job| {
            let stays = names.contains(&name.as_str());
            if !stays {
                job.retire();
            }
            stays
        });
        let mut errors = Vec::new();
        for config in configs {
            let name = config.options.job_name.clone();
            let outcome = match jobs.get(&name) {
                Some(job) => job.reload(config),
                None => Job::start(config, self.shared.clone()).map(|job| {
                    jobs.insert(name.clone(), job);
                }),
            };
            if let Err(why) = outcome {
                errors.push(format!("error creating HTTP client for job {name}: {why}"));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.join("; "))
        }
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
        Some(rules.into_iter().zip(steps).collect())
    }
}
