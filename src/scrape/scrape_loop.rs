use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::cache::SeriesCache;
use super::counters::Counters;
use super::limits::HistogramLimits;
use super::metadata::{Families, FamilyMetadata};
use super::page::{Context, PageOutcome, take_page};
use super::report::{Report, ReportSeries};
use super::target::Target;
use super::{Features, JobOptions};
use crate::model::{Sample, stale_nan};
use crate::storage::{AppendError, Appender, SeriesRef, Storage};
use crate::time::Timestamp;

/// A page as it was fetched, decompressed.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its bytes.
    pub body: &'a [u8],
    /// Its `Content-Type`; empty when the target did not say.
    pub content_type: &'a str,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It is larger than `body_size_limit`.
    BodyTooLarge,
    /// Anything else, in the words that `lastError` shows.
    Other(String),
}

impl Failure {
    /// What upstream says of a status that is not 200: `server returned HTTP status 503 Service Unavailable`.
    pub fn status(status: &str) -> Self {
        Self::Other(format!("server returned HTTP status {status}"))
    }

    fn text(&self) -> String {
        match self {
            Self::BodyTooLarge => "body size limit exceeded".to_owned(),
            Self::Other(text) => text.clone(),
        }
    }
}

/// What is kept of one target from scrape to scrape: its series, their ends, its metadata.
#[derive(Debug)]
pub struct ScrapeLoop {
    target: Arc<Target>,
    options: Arc<JobOptions>,
    features: Features,
    counters: Arc<Counters>,
    cache: SeriesCache,
    metadata: FamilyMetadata,
    reports: Vec<ReportSeries>,
    forced_error: Option<String>,
    scraped: bool,
    /// When the last page that was read was scraped.
    previous: Option<Timestamp>,
}

impl ScrapeLoop {
    /// Begins with nothing known of the target's series.
    pub fn new(
        target: Arc<Target>,
        options: Arc<JobOptions>,
        features: Features,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            cache: SeriesCache::new(),
            reports: ReportSeries::all(&target.labels, options.extra_scrape_metrics),
            metadata: FamilyMetadata::default(),
            forced_error: None,
            scraped: false,
            previous: None,
            target,
            options,
            features,
            counters,
        }
    }

    /// Goes on under new options if what is known of the series still holds under them. Otherwise nothing
    /// changes, and a new loop must take over while this one ends.
    pub fn reload(&mut self, options: &Arc<JobOptions>) -> bool {
        let same = Arc::ptr_eq(&self.options, options) || self.options.same_series_as(options);
        if same {
            self.options = Arc::clone(options);
        }
        same
    }

    /// The target.
    pub const fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The job's options.
    pub const fn options(&self) -> &Arc<JobOptions> {
        &self.options
    }

    /// Makes every scrape fail with this text, or no longer: the job has too many targets.
    pub fn set_forced_error(&mut self, error: Option<String>) {
        self.forced_error = error;
    }

    /// Why the target shall not even be fetched.
    pub fn forced_error(&self) -> Option<&str> {
        self.forced_error.as_deref()
    }

    /// What the target's pages declare, sorted by family.
    pub fn metadata(&mut self) -> Arc<Families> {
        self.metadata.list()
    }

    /// How many series, dropped ones among them, are remembered.
    pub fn cached_series(&self) -> usize {
        self.cache.len()
    }

    /// Takes what a fetch brought and stores it together with the report, as one batch.
    ///
    /// A fetch that failed, or a page that cannot be taken, ends every series of the page before. `elapsed`
    /// tells how long the scrape has taken so far.
    pub fn on_body(
        &mut self,
        at: Timestamp,
        fetched: Result<Page<'_>, &Failure>,
        elapsed: &dyn Fn() -> Duration,
        store: &dyn Storage,
    ) -> Report {
        self.scraped = true;
        let mut report = Report {
            at,
            ..Report::default()
        };
        let mut batch = self.batch(store);
        let failed = match (&self.forced_error, fetched) {
            (Some(error), _) => Some(error.clone()),
            (None, Err(failure)) => {
                if *failure == Failure::BodyTooLarge {
                    report.body_bytes = -1;
                    Counters::add(&self.counters.exceeded_body_size_limit);
                }
                Some(failure.text())
            }
            (None, Ok(page)) => {
                report.body_bytes = i64::try_from(page.body.len()).unwrap_or(i64::MAX);
                let (next, error) = self.on_page(at, page, batch, store, &mut report);
                batch = next;
                error
            }
        };
        if failed.is_some() {
            let gone = self.cache.all_previous();
            report.store_error = mark(&mut *batch, gone, at).err().map(|e| e.to_string());
            if self.cache.end_page(false) {
                Counters::add(&self.counters.cache_flush_forced);
            }
            self.metadata.end_page(false);
        }
        report.error = failed;
        // compat: the duration holds what it took to take the page, but not to make it visible.
        report.duration_seconds = elapsed().as_secs_f64();
        self.commit(batch, &mut report);
        report
    }

    /// Takes a page. The answer is the batch to go on with, a new one when the page was not taken, and
    /// why it was not.
    fn on_page<'s>(
        &mut self,
        at: Timestamp,
        page: Page<'_>,
        mut batch: Box<dyn Appender + 's>,
        store: &'s dyn Storage,
        report: &mut Report,
    ) -> (Box<dyn Appender + 's>, Option<String>) {
        if page.body.is_empty() {
            // compat: an empty page is no error, and says that nothing is there any more.
            let gone = self.cache.all_previous();
            report.store_error = mark(&mut *batch, gone, at).err().map(|e| e.to_string());
            self.cache.end_page(false);
            self.metadata.end_page(false);
            return (batch, None);
        }
        let mut context = Context {
            target: &self.target,
            options: &self.options,
            features: self.features,
            counters: &self.counters,
            limits: HistogramLimits::new(&self.options),
            cache: &mut self.cache,
            metadata: &mut self.metadata,
            at,
            previous: self.previous.replace(at),
        };
        let mut outcome = PageOutcome::default();
        let mut result = take_page(&mut context, page, &mut *batch, &mut outcome);
        report.scraped = outcome.scraped;
        report.post_relabeling = outcome.post_relabeling;
        report.series_added = outcome.series_added;
        report.warnings = outcome.warnings();
        if result.is_ok() {
            let gone = self.cache.gone();
            result = mark(&mut *batch, gone, at).map_err(super::Error::Append);
        }
        match result {
            Ok(()) => {
                self.cache.end_page(true);
                self.metadata.end_page(true);
                (batch, None)
            }
            Err(why) => {
                drop(batch);
                (self.batch(store), Some(why.to_string()))
            }
        }
    }

    fn batch<'s>(&self, store: &'s dyn Storage) -> Box<dyn Appender + 's> {
        let mut batch = store.appender();
        batch.set_stream(self.target.hash);
        batch
    }

    /// Adds the report series and makes the batch visible.
    fn commit(&mut self, mut batch: Box<dyn Appender + '_>, report: &mut Report) {
        let (timeout, limit) = (self.target.timeout, self.options.sample_limit);
        let at_ms = report.at.as_ms();
        let mut from = 0;
        while from < self.reports.len() {
            let reports = self.reports.iter().skip(from);
            let known = reports.map_while(|s| Some((s.series?, s.value(report, timeout, limit))));
            let row: SmallVec<[(SeriesRef, f64); 8]> = known.collect();
            let (added, refused) = batch.append_row(at_ms, &row);
            from += added + 1;
            // Of those that the store knows, it has taken all up to this one.
            let Some(series) = self.reports.get_mut(from - 1) else {
                break;
            };
            let fate = match refused {
                Some(why) if is_late(&why) => Ok(()),
                Some(why) => Err(why),
                None => {
                    let sample = Sample::float(at_ms, series.value(report, timeout, limit));
                    append_report(&mut *batch, series, sample, self.features.metadata)
                }
            };
            if let Err(why) = fate {
                report.store_error = Some(why.to_string());
                return;
            }
        }
        match batch.commit() {
            Ok(committed) => report.committed = committed.samples,
            Err(why) => report.store_error = Some(why.to_string()),
        }
    }

    /// Ends every series of the target, its reports too: nobody will scrape it any more. `at` is when the
    /// next scrape would have been. What was scraped by somebody else since is left alone.
    pub fn on_end(&mut self, at: Timestamp, store: &dyn Storage) -> Result<(), String> {
        if !self.scraped {
            return Ok(());
        }
        let mut batch = store.appender();
        mark(&mut *batch, self.cache.all_previous(), at).map_err(|e| e.to_string())?;
        self.cache.end_page(false);
        for series in &mut self.reports {
            let sample = Sample::float(at.as_ms(), stale_nan());
            append_report(&mut *batch, series, sample, false).map_err(|e| e.to_string())?;
        }
        batch.commit().map(|_| ()).map_err(|e| e.to_string())
    }
}

/// Marks the end of series.
///
/// compat: a series that has newer samples came back under another loop and is left alone.
fn mark(batch: &mut dyn Appender, gone: Vec<SeriesRef>, at: Timestamp) -> Result<(), AppendError> {
    let end = Sample::float(at.as_ms(), stale_nan());
    for series in gone {
        // A series that the store does not know any more has no end to mark.
        if let Err(why) = batch.append_known(series, &end)
            && !is_late(&why)
        {
            return Err(why);
        }
    }
    Ok(())
}

const fn is_late(why: &AppendError) -> bool {
    matches!(
        why,
        AppendError::OutOfOrder
            | AppendError::DuplicateTimestamp
            | AppendError::TooOld
            | AppendError::OutOfBounds
    )
}

fn append_report(
    batch: &mut dyn Appender,
    series: &mut ReportSeries,
    sample: Sample,
    metadata: bool,
) -> Result<(), AppendError> {
    match batch.append(series.series, series.labels(), sample) {
        Ok(name) => {
            if metadata && series.series.is_none() {
                // Metadata is a courtesy; its loss costs no sample.
                let _ = batch.update_metadata(name, series.metadata());
            }
            series.series = Some(name);
            Ok(())
        }
        Err(why) if is_late(&why) => Ok(()),
        Err(why) => Err(why),
    }
}
