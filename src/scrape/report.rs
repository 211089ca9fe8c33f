use crate::model::{Labels, LabelsBuilder, METRIC_NAME, Metadata, MetricType};
use crate::storage::SeriesRef;
use crate::time::{Span, Timestamp};

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// The last scrape went well.
    Up,
    /// The last scrape failed.
    Down,
}

impl Health {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// How a scrape went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The time of its samples.
    pub at: Timestamp,
    /// How long it took, in seconds.
    pub duration_seconds: f64,
    /// Why it failed; `None` when it did not. The text is what `lastError` shows.
    pub error: Option<String>,
    /// Samples on the page.
    pub scraped: usize,
    /// Samples that metric relabeling left.
    pub post_relabeling: usize,
    /// Series that the target did not have on the page before.
    pub series_added: usize,
    /// Size of the page after decompression in bytes; -1 when it was more than `body_size_limit`.
    pub body_bytes: i64,
    /// Samples that became visible, reports and markers among them.
    pub committed: usize,
    /// Why the store took nothing; the scrape itself may have gone well.
    pub store_error: Option<String>,
    /// Things worth a log line, in upstream's words, with how often they happened.
    pub warnings: Vec<(&'static str, usize)>,
}

impl Report {
    /// Whether the target is up.
    pub const fn health(&self) -> Health {
        if self.error.is_none() {
            Health::Up
        } else {
            Health::Down
        }
    }
}

/// A series that every scrape leaves beside those of the page.
#[derive(Debug)]
pub(super) struct ReportSeries {
    labels: Labels,
    kind: Kind,
    pub(super) series: Option<SeriesRef>,
}

/// What a report series tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Up,
    Duration,
    Scraped,
    PostRelabeling,
    SeriesAdded,
    Timeout,
    SampleLimit,
    BodySize,
}

const ALWAYS: [Kind; 5] = [
    Kind::Up,
    Kind::Duration,
    Kind::Scraped,
    Kind::PostRelabeling,
    Kind::SeriesAdded,
];
const EXTRA: [Kind; 3] = [Kind::Timeout, Kind::SampleLimit, Kind::BodySize];

impl Kind {
    const fn name_help_unit(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Up => (
                "up",
                "Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.",
                "targets",
            ),
            Self::Duration => (
                "scrape_duration_seconds",
                "Duration of the last scrape in seconds.",
                "seconds",
            ),
            Self::Scraped => (
                "scrape_samples_scraped",
                "Number of samples last scraped.",
                "samples",
            ),
            Self::PostRelabeling => (
                "scrape_samples_post_metric_relabeling",
                "Number of samples remaining after metric relabeling was applied.",
                "samples",
            ),
            Self::SeriesAdded => (
                "scrape_series_added",
                "Number of series in the last scrape.",
                "series",
            ),
            Self::Timeout => (
                "scrape_timeout_seconds",
                "The configured scrape timeout for a target.",
                "seconds",
            ),
            Self::SampleLimit => (
                "scrape_sample_limit",
                "The configured sample limit for a target. Returns zero if there is no limit configured.",
                "samples",
            ),
            Self::BodySize => (
                "scrape_body_size_bytes",
                "The uncompressed size of the last scrape response, if successful. Scrapes failing because \
                 body_size_limit is exceeded report -1, other scrape failures report 0.",
                "bytes",
            ),
        }
    }
}

impl ReportSeries {
    /// The series that a target's scrapes leave.
    pub(super) fn all(target: &Labels, extra: bool) -> Vec<Self> {
        let kinds = ALWAYS
            .into_iter()
            .chain(EXTRA.into_iter().filter(|_| extra));
        kinds
            .map(|kind| {
                let mut labels = LabelsBuilder::from(target);
                labels.set(METRIC_NAME, kind.name_help_unit().0);
                Self {
                    labels: labels.build(),
                    kind,
                    series: None,
                }
            })
            .collect()
    }

    pub(super) const fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (_, help, unit) = self.kind.name_help_unit();
        Metadata {
            metric_type: MetricType::Gauge,
            unit: unit.to_owned(),
            help: help.to_owned(),
        }
    }

    pub(super) fn value(&self, report: &Report, timeout: Span, sample_limit: u64) -> f64 {
        match self.kind {
            Kind::Up => f64::from(u8::from(report.error.is_none())),
            Kind::Duration => report.duration_seconds,
            Kind::Scraped => report.scraped as f64,
            Kind::PostRelabeling => report.post_relabeling as f64,
            Kind::SeriesAdded => report.series_added as f64,
            Kind::Timeout => timeout.as_secs_f64(),
            Kind::SampleLimit => sample_limit as f64,
            Kind::BodySize => report.body_bytes as f64,
        }
    }
}
