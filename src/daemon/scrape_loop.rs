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
    let mut now = orders.borrow_and_update().clone();
    let mut schedule = Schedule::new(shared.clock.now(), &place);
    let mut scraping = begin(&target, &now, &shared);
    let mut question = Question::new(&target, &now, &shared.clock);
    let intervals = shared.metrics.summary_with(
        "prometheus_target_interval_length_seconds",
        "Actual intervals between scrapes.",
        Summary::QUANTILES_WIDE,
        &[("interval", &target.interval.to_string())],
    );
    let mut last_began: Option<WallTime> = None;
    let mut is_news = false;
    loop {
        let is_new = std::mem::take(&mut is_news);
        if is_new {
            now = orders.borrow_and_update().clone();
        }
        match now.course {
            Course::On => {}
            Course::Abandon => return,
            Course::Retire => {
                retire(scraping, schedule, shared, orders).await;
                return;
            }
        }
        if is_new {
            if !scraping.reload(&now.options) {
                let old = std::mem::replace(&mut scraping, begin(&target, &now, &shared));
                // Series that exist under the old options alone end as if the target had gone.
                let ended = retire(old, schedule.clone(), shared.clone(), orders.clone());
                tokio::spawn(ended);
            }
            scraping.set_forced_error(now.forced_error.clone());
            question = Question::new(&target, &now, &shared.clock);
        }
        tokio::select! {
            biased;
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                is_news = true;
                continue;
            }
            () = sleep_until(&shared.clock, schedule.due()) => {}
        }
        let began = shared.clock.now();
        if let Some(last) = last_began.replace(began) {
            intervals.observe((began.as_ns() - last.as_ns()) as f64 / 1e9);
        }
        let turn = Turn {
            began,
            at: schedule.begin(began),
            question: &question,
        };
        // The daemon's end cuts a fetch short; a reload waits for it.
        let scraped = tokio::select! {
            biased;
            scraped = scrape(scraping, turn, &shared, &status) => scraped,
            () = abandoned(&mut orders, &mut is_news) => return,
        };
        scraping = scraped.unwrap_or_else(|| begin(&target, &now, &shared));
    }
}

/// The clocks of the timers and of the wall may be this far apart after a sleep, in nanoseconds.
const CLOCKS_APART_NS: i64 = 100_000_000;

/// It lies apart, so that it need not move whenever the task does.
fn begin(target: &Arc<Target>, orders: &Orders, shared: &Shared) -> Box<ScrapeLoop> {
    let mut scraping = Box::new(ScrapeLoop::new(
        Arc::clone(target),
        Arc::clone(&orders.options),
        shared.features,
        Arc::clone(&shared.counters),
    ));
    scraping.set_forced_error(orders.forced_error.clone());
    scraping
}

/// Waits for the daemon's end; other orders set `is_news`.
async fn abandoned(orders: &mut watch::Receiver<Orders>, is_news: &mut bool) {
    while orders.changed().await.is_ok() {
        *is_news = true;
        if orders.borrow().course == Course::Abandon {
            return;
        }
    }
    // Nobody gives orders any more, so nobody can stop what goes on.
    std::future::pending::<()>().await;
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

/// One scrape.
struct Turn<'t> {
    began: WallTime,
    at: Timestamp,
    question: &'t Question,
}

/// Fetches and hands over. `None` when the task that takes the page was lost.
async fn scrape(
    mut scraping: Box<ScrapeLoop>,
    turn: Turn<'_>,
    shared: &Shared,
    status: &Arc<Mutex<Status>>,
) -> Option<Box<ScrapeLoop>> {
    let started = Instant::now();
    let fetched = match scraping.forced_error() {
        Some(error) => Err(Failure::Other(error.to_owned())),
        None => turn.question.ask().await,
    };
    let bytes = fetched.as_ref().map_or(0, Response::unpacked_bytes);
    let (at, store) = (turn.at, Arc::clone(&shared.store));
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
        last_scrape: Some(turn.began),
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

/// What a target is asked, made anew when there are new orders.
struct Question {
    client: Client,
    asked: Result<Prepared, Failure>,
}

impl Question {
    fn new(target: &Target, orders: &Orders, clock: &Clock) -> Self {
        let options = &orders.options;
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
            asked: orders.client.prepare(request).map_err(|why| failure(&why)),
            client: orders.client.clone(),
        }
    }

    async fn ask(&self) -> Result<Response, Failure> {
        let asked = self.asked.as_ref().map_err(Clone::clone)?;
        match self.client.send_prepared(asked).await {
            Ok(answer) if answer.status == http::StatusCode::OK => Ok(answer),
            Ok(answer) => Err(Failure::status(&answer.status_text())),
            Err(why) => Err(failure(&why)),
        }
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
    mut scraping: Box<ScrapeLoop>,
    mut schedule: Schedule,
    shared: Shared,
    mut orders: watch::Receiver<Orders>,
) {
    let mut is_news = false;
    // What changed before is known.
    if orders.borrow_and_update().course == Course::Abandon {
        return;
    }
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
        () = abandoned(&mut orders, &mut is_news) => return,
    };
    let store = Arc::clone(&shared.store);
    let ended = tokio::task::spawn_blocking(move || scraping.on_end(at, &*store)).await;
    if let Ok(Err(why)) = ended {
        tracing::warn!(err = why, "Stale append failed");
    }
}
