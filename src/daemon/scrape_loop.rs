//! One task per target: wait for its turn, fetch, hand over to the core, tell how it went.

use std::cell::Cell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use super::Clock;
use super::net::{Client, Error, Prepared, Request, Response};
use super::scrapes::Lanes;
use crate::exposition::accept_header;
use crate::http::metrics::{Registry, Summary};
use crate::scrape::{Counters, Target};
use crate::scrape::{
    Failure, Families, Features, Health, JobOptions, Page, Place, Places, Report, Schedule,
    ScrapeLoop,
};
use crate::storage::Storage;
use crate::time::{Span, Timestamp, WallTime};

/// What all targets of the daemon share.
#[derive(Clone)]
pub struct Shared {
    /// Where samples go.
    pub store: Arc<dyn Storage>,
    /// The clock.
    pub clock: Clock,
    /// Where in their intervals targets are scraped.
    pub places: Arc<Places>,
    /// What `--enable-feature` says.
    pub features: Features,
    /// What happened in all scrapes.
    pub counters: Arc<Counters>,
    /// Where scrapes run.
    pub lanes: Arc<Lanes>,
    /// How many pages are taken at once beside the lanes.
    pub permits: Arc<Semaphore>,
    /// The self-metrics.
    pub metrics: Registry,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// What a target's task shall do.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The job's options.
    pub options: Arc<JobOptions>,
    /// The connection to the target.
    pub client: Client,
    /// Why it must not be scraped although it is there.
    pub forced_error: Option<String>,
    /// Whether it goes on.
    pub course: Course,
}

/// Whether a target's task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It does.
    On,
    /// The target is gone: its series end, once it is clear that nobody else scrapes it.
    Retire,
    /// The daemon stops: nothing more is written.
    Abandon,
}

/// How a target is, for those who ask.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Up, down or not known yet.
    pub health: Health,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// When the last scrape began.
    pub last_scrape: Option<WallTime>,
    /// How long it took.
    pub last_duration: Duration,
    /// What its pages declare.
    pub metadata: Arc<Families>,
}

/// Scrapes one target, at its place, until it is told to stop.
pub async fn run(
    target: Arc<Target>,
    place: Place,
    shared: Shared,
    mut orders: watch::Receiver<Orders>,
    status: Arc<Mutex<Status>>,
) {
    let options = Arc::clone(&orders.borrow_and_update().options);
    let mut schedule = Schedule::new(shared.clock.now(), &place);
    let mut scraping = begin(&target, &options, &shared);
    let mut question = Question::new(&target, &options, &shared.clock);
    let intervals = shared.metrics.summary_with(
        "prometheus_target_interval_length_seconds",
        "Actual intervals between scrapes.",
        Summary::QUANTILES_WIDE,
        &[("interval", &target.interval.to_string())],
    );
    let mut last_began: Option<WallTime> = None;
    loop {
        let now = orders.borrow_and_update().clone();
        match now.course {
            Course::On => {}
            Course::Abandon => return,
            Course::Retire => {
                retire(scraping, schedule, shared, orders).await;
                return;
            }
        }
        if !scraping.reload(&now.options) {
            let old = std::mem::replace(&mut scraping, begin(&target, &now.options, &shared));
            // Series that exist under the old options alone end as if the target had gone.
            let ended = retire(old, schedule.clone(), shared.clone(), orders.clone());
            tokio::spawn(ended);
        }
        if !Arc::ptr_eq(&question.options, &now.options) {
            question = Question::new(&target, &now.options, &shared.clock);
        }
        scraping.set_forced_error(now.forced_error.clone());
        tokio::select! {
            biased;
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
            () = sleep_until(&shared.clock, schedule.due()) => {}
        }
        let began = shared.clock.now();
        if let Some(last) = last_began.replace(began) {
            intervals.observe((began.as_ns() - last.as_ns()) as f64 / 1e9);
        }
        let at = schedule.begin(began);
        // The daemon's end cuts a fetch short; a reload waits for it.
        let scraped = tokio::select! {
            scraped = scrape(scraping, at, &question, &now, &shared, &status) => scraped,
            () = abandoned(orders.clone()) => return,
        };
        scraping = scraped.unwrap_or_else(|| begin(&target, &now.options, &shared));
    }
}

/// The clocks of the timers and of the wall may be this far apart after a sleep, in nanoseconds.
const CLOCKS_APART_NS: i64 = 100_000_000;

fn begin(target: &Arc<Target>, options: &Arc<JobOptions>, shared: &Shared) -> ScrapeLoop {
    ScrapeLoop::new(
        Arc::clone(target),
        Arc::clone(options),
        shared.features,
        Arc::clone(&shared.counters),
    )
}

async fn abandoned(mut orders: watch::Receiver<Orders>) {
    let gone = |orders: &Orders| orders.course == Course::Abandon;
    if orders.wait_for(gone).await.is_err() {
        // Nobody gives orders any more, so nobody can stop what goes on.
        std::future::pending::<()>().await;
    }
}

/// Sleeps until `due`, or just after, so that the scrape lies within its slot.
async fn sleep_until(clock: &Clock, due: WallTime) {
    let left = || due.as_ns().saturating_sub(clock.now().as_ns());
    clock.sleep_ns(left()).await;
    // The clock on the wall may go a little slower than that of the timers. If it was put back, nobody waits for it.
    let rest = left();
    if rest < CLOCKS_APART_NS {
        clock.sleep_ns(rest).await;
    }
}

/// Fetches and hands over. `None` when the task that takes the page was lost.
async fn scrape(
    mut scraping: ScrapeLoop,
    at: Timestamp,
    question: &Question,
    orders: &Orders,
    shared: &Shared,
    status: &Arc<Mutex<Status>>,
) -> Option<ScrapeLoop> {
    let began = shared.clock.now();
    let started = Instant::now();
    let fetched = match scraping.forced_error() {
        Some(error) => Err(Failure::Other(error.to_owned())),
        None => fetch(question, &orders.client).await,
    };
    let bytes = fetched.as_ref().map_or(0, Response::unpacked_bytes);
    let store = Arc::clone(&shared.store);
    let take = move || {
        let report = take(&mut scraping, at, &fetched, started, &*store);
        (scraping, report)
    };
    let taken = if shared.lanes.takes(bytes) {
        let began = Instant::now();
        let taken = catch_unwind(AssertUnwindSafe(take)).map_err(|_| "it panicked".to_owned());
        shared.lanes.took(began.elapsed());
        taken
    } else {
        let permit = Arc::clone(&shared.permits).acquire_owned().await.ok()?;
        let take = move || {
            let _permit = permit;
            take()
        };
        tokio::task::spawn_blocking(take)
            .await
            .map_err(|why| why.to_string())
    };
    // A page that breaks the core costs this scrape and what was known of the series.
    let (mut scraping, report) = match taken {
        Ok(taken) => taken,
        Err(why) => {
            tracing::error!("a scrape was lost: {why}");
            return None;
        }
    };
    tell(&scraping, &report);
    let metadata = scraping.metadata();
    *status.lock() = Status {
        health: report.health(),
        last_error: report.error.unwrap_or_default(),
        last_scrape: Some(began),
        last_duration: started.elapsed(),
        metadata,
    };
    Some(scraping)
}

thread_local! {
    /// Where pages are unpacked.
    static UNPACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The memory of [`UNPACKED`] is kept up to this size.
const UNPACKED_BYTES_KEPT: usize = 1 << 20;

/// Unpacks what was fetched and hands it to the core.
fn take(
    scraping: &mut ScrapeLoop,
    at: Timestamp,
    fetched: &Result<Response, Failure>,
    started: Instant,
    store: &dyn Storage,
) -> Report {
    let mut buffer = UNPACKED.take();
    let limit = scraping.options().body_size_limit;
    let failed;
    let page = match fetched {
        Ok(answer) => match answer.unpack(limit, &mut buffer) {
            Ok(body) => Ok(Page {
                body,
                content_type: answer.header("content-type"),
            }),
            Err(why) => {
                failed = failure(&why);
                Err(&failed)
            }
        },
        Err(why) => Err(why),
    };
    let report = scraping.on_body(at, page, &|| started.elapsed(), store);
    if buffer.capacity() <= UNPACKED_BYTES_KEPT {
        UNPACKED.set(buffer);
    }
    report
}

fn failure(why: &Error) -> Failure {
    match why {
        Error::BodyTooLarge => Failure::BodyTooLarge,
        other => Failure::Other(other.to_string()),
    }
}

/// What a target is asked, made anew when its options change.
struct Question {
    options: Arc<JobOptions>,
    asked: Result<Prepared, Failure>,
}

impl Question {
    fn new(target: &Target, options: &Arc<JobOptions>, clock: &Clock) -> Self {
        let mut request = Request::get(&target.url, clock.real_duration(target.timeout));
        request.body_limit = options.body_size_limit;
        request.gzip = options.enable_compression;
        request.keep_packed = true;
        let accept = accept_header(&options.scrape_protocols, options.escaping);
        let timeout = target.timeout.as_secs_f64().to_string();
        let headers = [
            (ACCEPT.as_str(), accept.as_str()),
            ("X-Prometheus-Scrape-Timeout-Seconds", &timeout),
        ];
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (
                http::HeaderName::try_from(name),
                HeaderValue::from_str(value),
            ) {
                request.headers.insert(name, value);
            }
        }
        if !options.enable_compression {
            request
                .headers
                .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Self {
            options: Arc::clone(options),
            asked: request.prepare().map_err(|why| failure(&why)),
        }
    }
}

async fn fetch(question: &Question, client: &Client) -> Result<Response, Failure> {
    let asked = question.asked.as_ref().map_err(Clone::clone)?;
    match client.send_prepared(asked).await {
        Ok(answer) if answer.status == http::StatusCode::OK => Ok(answer),
        Ok(answer) => Err(Failure::status(&answer.status_text())),
        Err(why) => Err(failure(&why)),
    }
}

/// Says what is worth a line in the log.
fn tell(scraping: &ScrapeLoop, report: &Report) {
    let (target, options) = (scraping.target(), scraping.options());
    let (job, url) = (options.job_name.as_str(), target.url.as_str());
    for (warning, count) in &report.warnings {
        tracing::warn!(
            scrape_pool = job,
            target = url,
            num_dropped = count,
            "{warning}"
        );
    }
    if let Some(why) = &report.store_error {
        tracing::error!(
            scrape_pool = job,
            target = url,
            err = why,
            "Scrape commit failed"
        );
    }
    let Some(error) = &report.error else {
        return;
    };
    tracing::debug!(
        scrape_pool = job,
        target = url,
        err = error,
        "Scrape failed"
    );
    if let Some(path) = &options.scrape_failure_log_file {
        let line = json!({
            "time": WallTime::from_ms(report.at.as_ms()).to_string(),
            "level": "ERROR",
            "msg": error,
            "job_name": job,
            "target": url,
        });
        let path = path.clone();
        tokio::task::spawn_blocking(move || append_line(&path, &line.to_string()));
    }
}

fn append_line(path: &Path, line: &str) {
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| writeln!(file, "{line}"));
    if let Err(why) = written {
        tracing::warn!(file = %path.display(), "Error writing scrape failure log: {why}");
    }
}

/// Ends the series of a target that is gone, unless the daemon stops first.
///
/// compat: the markers carry the time of the scrape that would have been next and are written two
/// intervals and a tenth later, when a target that only moved has been scraped elsewhere.
async fn retire(
    mut scraping: ScrapeLoop,
    mut schedule: Schedule,
    shared: Shared,
    orders: watch::Receiver<Orders>,
) {
    let interval = scraping.target().interval;
    let wait = async {
        sleep_until(&shared.clock, schedule.due()).await;
        let at = schedule.begin(shared.clock.now());
        sleep_until(&shared.clock, schedule.due()).await;
        shared
            .clock
            .sleep(Span::from_ms(interval.as_ms() / 10))
            .await;
        at
    };
    let at = tokio::select! {
        at = wait => at,
        () = abandoned(orders) => return,
    };
    let store = Arc::clone(&shared.store);
    let ended = tokio::task::spawn_blocking(move || scraping.on_end(at, &*store)).await;
    if let Ok(Err(why)) = ended {
        tracing::warn!(err = why, "Stale append failed");
    }
}
