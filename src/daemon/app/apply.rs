//! Puts a configuration in force, at the start and at each reload, and ends what runs.
//!
//! A reload is all or nothing: everything that can fail is done first ([`App::prepare`]) and changes
//! nothing; what is left ([`App::switch`]) cannot fail.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alertmanagers::{self, Alertmanagers};
use super::asker::Asker;
use super::load::{self, Loaded};
use super::start::App;
use crate::config::prometheus::Config;
use crate::daemon::alert_sender::Dressing;
use crate::daemon::notify_loop;
use crate::daemon::query_log::QueryLog;
use crate::daemon::scrapes::{self, JobConfig, Scrapes};
use crate::daemon::{Error, MemoryLimit, memory};
use crate::http::metrics::query_seconds;
use crate::model::Labels;

/// A configuration that is ready to take the place of the running one.
struct Prepared {
    loaded: Loaded,
    alertmanagers: Vec<alertmanagers::Prepared>,
    jobs: Vec<scrapes::Prepared>,
    router: notify_loop::Prepared,
    query_log: Option<File>,
}

impl App {
    /// Makes a configuration that was found right the running one, or changes nothing.
    pub(super) async fn apply(&mut self, loaded: Loaded) -> Result<(), Error> {
        let prepared = self.prepare(loaded)?;
        self.switch(prepared).await;
        Ok(())
    }

    fn prepare(&self, loaded: Loaded) -> Result<Prepared, Error> {
        let config = loaded.config.as_ref();
        let jobs = config
            .into_iter()
            .flat_map(|c| &c.jobs)
            .map(|job| JobConfig {
                options: job.options.clone(),
                discovery: job.discovery.clone(),
            })
            .collect();
        let alertmanagers = match config {
            Some(config) => Alertmanagers::prepare(&config.alerting)?,
            None => Vec::new(),
        };
        let router = self.notify.prepare(&loaded.router);
        let query_log = config.and_then(|c| c.global.query_log_file.as_deref());
        let opened = QueryLog::prepare(query_log).map_err(|e| {
            let path = query_log.unwrap_or_else(|| Path::new(""));
            Error::Config(format!("query_log_file {}: {e}", path.display()))
        });
        Ok(Prepared {
            alertmanagers,
            jobs: Scrapes::prepare(jobs).map_err(Error::Config)?,
            router: router.map_err(|e| Error::Config(e.to_string()))?,
            query_log: opened?,
            loaded,
        })
    }

    async fn switch(&mut self, prepared: Prepared) {
        let Prepared { loaded, .. } = prepared;
        let config = loaded.config.as_ref();
        if let Some(config) = config {
            self.switch_storage(config);
        }
        let external_labels =
            config.map_or_else(Labels::empty, |c| c.global.external_labels.clone());
        // The old follower goes before the new one sets endpoints.
        self.alertmanagers = None;
        self.alertmanagers = Some(Alertmanagers::follow(
            prepared.alertmanagers,
            self.sender.clone(),
            Arc::clone(&self.known),
            true,
            &self.metrics,
            self.options.clock,
        ));
        self.sender.dress(Dressing {
            external_labels: external_labels.clone(),
            relabel_rules: config
                .map(|c| c.alerting.relabel_rules.clone())
                .unwrap_or_default(),
        });
        self.query_log.switch(prepared.query_log);
        self.scrapes.switch(prepared.jobs);
        self.notify.switch(prepared.router).await;
        let asker = Asker {
            engine: Arc::clone(&self.engine),
            storage: Arc::clone(&self.db) as _,
            syntax: self.syntax,
            seconds: query_seconds(&self.metrics, "inner_eval"),
            watch: Arc::clone(&self.query_log) as _,
        };
        let environment = asker.environment(external_labels.clone(), self.external_url.clone());
        self.rules.apply(loaded.groups, environment).await;
        // The command line holds; what it leaves open the file says.
        let limit = match (self.options.memory_limit, loaded.memory_limit) {
            (MemoryLimit::Default, Some(bytes)) => MemoryLimit::Bytes(bytes),
            (limit, _) => limit,
        };
        self.db.set_memory_limit(memory::limit(limit));
        let shown = config.map(|c| c.to_yaml().to_owned()).unwrap_or_default();
        self.live.loaded(shown, external_labels);
    }

    fn switch_storage(&self, config: &Config) {
        let step = config.global.evaluation_interval.as_ms();
        self.engine.set_default_subquery_step(step);
        let storage = &config.storage;
        let retention = storage.retention_time.unwrap_or(self.options.retention);
        let size = storage
            .retention_size
            .unwrap_or(self.options.retention_size);
        self.db.set_retention(retention.as_ms(), size);
        let percentage = if storage.retention_percentage > 0.0 {
            storage.retention_percentage
        } else {
            self.options.retention_percentage
        };
        self.db.set_retention_percentage(percentage);
        self.db
            .set_out_of_order_window(storage.out_of_order_time_window.as_ms());
        // compat: exemplars are kept only with the feature.
        let exemplars = if self.options.features.contains("exemplar-storage") {
            usize::try_from(storage.max_exemplars).unwrap_or(0)
        } else {
            0
        };
        self.db.set_exemplars_max(exemplars);
    }

    /// Reads everything again; a mistake leaves the old configuration running.
    pub(super) async fn reload(&mut self, files: &mut Vec<PathBuf>) -> Result<(), String> {
        let options = Arc::clone(&self.options);
        let loaded = tokio::task::spawn_blocking(move || load::load(&options)).await;
        let outcome = match loaded {
            Ok(Ok(loaded)) => {
                loaded.say_warnings();
                files.clone_from(&loaded.files);
                self.apply(loaded).await
            }
            Ok(Err(e)) => Err(e),
            Err(e) => Err(Error::Config(e.to_string())),
        };
        match outcome {
            Ok(()) => {
                tracing::info!("completed loading of configuration");
                Ok(())
            }
            Err(e) => {
                self.live.refused();
                tracing::error!(err = %e, "reloading the configuration failed; the old one goes on");
                Err(e.to_string())
            }
        }
    }

    /// Stops in the order in which data flows, so that nothing is lost on the way.
    pub(super) async fn stop(self) {
        drop(self.alertmanagers);
        self.scrapes.stop().await;
        self.rules.stop().await;
        if self.options.drain_queue {
            self.sender.drain().await;
        }
        self.notify.stop().await;
    }
}
