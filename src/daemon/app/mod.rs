//! The daemon as a whole: build everything from the configuration, run, reload, stop.

mod alertmanagers;
mod apply;
mod asker;
mod files;
mod live;
mod load;
mod measure;
mod start;

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::{ConfigSource, Error, Options, open_files, program_text, server, storage_loop};
use crate::http::metrics::Registry;
use crate::tsdb::{self, Db, Progress};

pub use files::RealFiles;
use live::Live;
use load::Loaded;
use start::App;

/// So long after the server is ready, what only the start needed is over: loops have begun and files were read.
const START_OVER: Duration = Duration::from_secs(3);

/// Runs the daemon on `listeners` until `stop` comes, a signal or `/-/quit` asks for the end.
///
/// The configuration is read before anything starts: a wrong one is an error here. While the store
/// opens, `/-/healthy` answers and everything else says 503. SIGHUP reloads.
pub async fn run(
    options: Options,
    listeners: Vec<TcpListener>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    open_files::lift();
    let options = Arc::new(options);
    let metrics = Registry::default();
    let live = Arc::new(Live::new(
        options.clock,
        options.notice_subscribers,
        &metrics,
    ));
    let loaded = load::load(&options)?;
    loaded.say_warnings();
    let web = match &options.web_config_file {
        Some(path) => Some(Arc::new(server::Web::open(path).map_err(|e| {
            Error::Config(format!("web.config.file {}: {e}", path.display()))
        })?)),
        None => None,
    };
    let progress = Arc::new(Progress::default());
    let ready: Arc<OnceLock<Router>> = Arc::default();
    let (end, ended) = watch::channel(false);
    let bounds = server::Bounds {
        connections: Arc::new(Semaphore::new(options.max_connections.max(1))),
        read_timeout: options.read_timeout,
    };
    let port = listeners
        .first()
        .and_then(|l| l.local_addr().ok())
        .map_or(0, |a| a.port());
    let front = start::front(
        Arc::clone(&ready),
        Arc::clone(&progress),
        live.notices.clone(),
    );
    let servers: Vec<JoinHandle<()>> = listeners
        .into_iter()
        .map(|listener| {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "Listening on");
            }
            let front = front.clone();
            tokio::spawn(server::serve(
                listener,
                front,
                web.clone(),
                bounds.clone(),
                ended.clone(),
            ))
        })
        .collect();
    let began = std::time::Instant::now();
    let opened = storage_loop::open(
        options.storage_path.clone(),
        storage_options(&options, progress),
        &options.clock,
    );
    let outcome = match opened.await {
        Ok(db) => {
            metrics
                .gauge(
                    "prometheus_tsdb_data_replay_duration_seconds",
                    "Time taken to replay the data on disk.",
                )
                .set(began.elapsed().as_secs_f64());
            let base = Base {
                options,
                metrics,
                live,
                db,
                port,
            };
            live_on(base, loaded, &ready, stop).await
        }
        Err(e) => Err(Error::Storage(e.to_string())),
    };
    let _ = end.send(true);
    for server in servers {
        let _ = server.await;
    }
    outcome
}

fn storage_options(options: &Options, progress: Arc<Progress>) -> tsdb::Options {
    tsdb::Options {
        retention_ms: options.retention.as_ms(),
        progress: Some(progress),
        ..tsdb::Options::default()
    }
}

/// What the main loop waits for.
enum Event {
    Stop(&'static str),
    Reload(Option<oneshot::Sender<Result<(), String>>>),
    Look,
}

/// What is there before anything runs.
struct Base {
    options: Arc<Options>,
    metrics: Registry,
    live: Arc<Live>,
    db: Arc<Db>,
    /// The port of the first listener.
    port: u16,
}

async fn live_on(
    base: Base,
    loaded: Loaded,
    ready: &OnceLock<Router>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let options = Arc::clone(&base.options);
    let live = Arc::clone(&base.live);
    let (reload_sender, mut reloads) = mpsc::channel(8);
    let (quit_sender, mut quits) = mpsc::channel(1);
    let (close, closing) = watch::channel(false);
    let upkeep = tokio::spawn(storage_loop::run(
        Arc::clone(&base.db),
        options.clock,
        closing,
    ));
    let mut files = loaded.files.clone();
    let router = start::router(&base, loaded.router.clone()).await?;
    let mut app = App::build(base, router, reload_sender, quit_sender)?;
    app.apply(loaded).await?;
    let _ = ready.set(app.router());
    app.readiness().set_ready();
    live.ready();
    tracing::info!("Server is ready to receive web requests.");
    tokio::spawn(forget_the_start());
    let mut hangups = hangups();
    let mut seen = files::checksum(&files);
    let mut stop = std::pin::pin!(stop);
    loop {
        let event = tokio::select! {
            () = &mut stop => Event::Stop("asked to stop"),
            Some(()) = quits.recv() => Event::Stop("received termination request via web service"),
            Some(answer) = reloads.recv() => Event::Reload(Some(answer)),
            Some(()) = hangups.recv() => Event::Reload(None),
            () = look(&options) => Event::Look,
        };
        match event {
            Event::Stop(why) => {
                tracing::info!(reason = why, "exiting gracefully");
                break;
            }
            Event::Look => {
                let now = files::checksum(&files);
                if now != seen {
                    tracing::info!("configuration file change detected, reloading");
                    let _ = app.reload(&mut files).await;
                    seen = files::checksum(&files);
                }
            }
            Event::Reload(answer) => {
                let outcome = app.reload(&mut files).await;
                seen = files::checksum(&files);
                if let Some(answer) = answer {
                    let _ = answer.send(outcome);
                }
            }
        }
    }
    app.readiness().set_stopping();
    live.stopping();
    app.stop().await;
    let _ = close.send(true);
    let _ = upkeep.await;
    tracing::info!("See you next time!");
    Ok(())
}

/// When the start is over, gives back the code that it needed.
async fn forget_the_start() {
    tokio::time::sleep(START_OVER).await;
    let given = tokio::task::spawn_blocking(program_text::give_back).await;
    tracing::debug!(bytes = given.unwrap_or(0), "pages of code were given back");
}

/// SIGHUP as a channel; one that never speaks where the signal cannot be had.
fn hangups() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    if let Ok(mut signal) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        tokio::spawn(async move {
            while signal.recv().await.is_some() && sender.send(()).await.is_ok() {}
        });
    } else {
        // Kept open, so that waiting for it is not an end.
        std::mem::forget(sender);
    }
    receiver
}

/// Waits until files want to be looked at; for ever when they do not.
async fn look(options: &Options) {
    match options.auto_reload {
        Some(interval) => tokio::time::sleep(interval.to_std()).await,
        None => std::future::pending().await,
    }
}

/// Where a configuration is read from, if it is a file.
pub(super) fn path_of(source: &ConfigSource) -> Option<PathBuf> {
    match source {
        ConfigSource::File(path) => Some(path.clone()),
        ConfigSource::None | ConfigSource::Text(_) => None,
    }
}
