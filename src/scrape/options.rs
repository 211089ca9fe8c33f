use std::path::PathBuf;

use crate::exposition::{EscapingScheme, ScrapeProtocol};
use crate::model::ValidationScheme;
use crate::model::http_client::ClientOptions;
use crate::relabel::Rule;
use crate::time::Span;

/// What one entry of `scrape_configs` says, checked and with the global defaults filled in; all but
/// where its targets come from. [`JobOptions::default`] holds upstream's defaults; a limit of 0 is none.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOptions {
    /// `job_name`, the default of the `job` label.
    pub job_name: String,
    /// `scrape_interval`; default 1m.
    pub scrape_interval: Span,
    /// `scrape_timeout`; default 10s.
    pub scrape_timeout: Span,
    /// `scheme`; default `http`.
    pub scheme: String,
    /// `metrics_path`; default `/metrics`.
    pub metrics_path: String,
    /// `params`: query parameters, sorted by name.
    pub params: Vec<(String, Vec<String>)>,
    /// `honor_labels`: exposed labels win over the target's; default off.
    pub honor_labels: bool,
    /// `honor_timestamps`: exposed timestamps are taken; default on.
    pub honor_timestamps: bool,
    /// `track_timestamps_staleness`: series with exposed timestamps end with a marker too; default off.
    pub track_timestamps_staleness: bool,
    /// `enable_compression`: gzip is asked for; default on.
    pub enable_compression: bool,
    /// `scrape_protocols`, the first preferred.
    pub scrape_protocols: Vec<ScrapeProtocol>,
    /// `fallback_scrape_protocol`: how pages without a known `Content-Type` are read; default none.
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// `scrape_native_histograms`; default off.
    pub scrape_native_histograms: bool,
    /// `always_scrape_classic_histograms`: classic ones too where both are exposed; default off.
    pub always_scrape_classic_histograms: bool,
    /// `convert_classic_histograms_to_nhcb`; default off.
    pub convert_classic_histograms_to_nhcb: bool,
    /// `extra_scrape_metrics`: three more series per scrape; default off.
    pub extra_scrape_metrics: bool,
    /// `body_size_limit` in bytes after decompression.
    pub body_size_limit: u64,
    /// `sample_limit` per scrape, after relabeling.
    pub sample_limit: u64,
    /// `target_limit` of the job, after relabeling.
    pub target_limit: u64,
    /// `label_limit` per series, after relabeling.
    pub label_limit: u64,
    /// `label_name_length_limit` in bytes.
    pub label_name_length_limit: u64,
    /// `label_value_length_limit` in bytes.
    pub label_value_length_limit: u64,
    /// `native_histogram_bucket_limit`: finer histograms are made coarser to fit.
    pub native_histogram_bucket_limit: u64,
    /// `native_histogram_min_bucket_factor`: finer histograms are made coarser.
    pub native_histogram_min_bucket_factor: f64,
    /// `keep_dropped_targets`: how many dropped targets are remembered.
    pub keep_dropped_targets: u64,
    /// `metric_name_validation_scheme`; default UTF-8.
    pub validation: ValidationScheme,
    /// `metric_name_escaping_scheme`; default UTF-8.
    pub escaping: EscapingScheme,
    /// `scrape_failure_log_file`; default none.
    pub scrape_failure_log_file: Option<PathBuf>,
    /// `relabel_configs`, run over targets.
    pub relabel_rules: Vec<Rule>,
    /// `metric_relabel_configs`, run over series.
    pub metric_relabel_rules: Vec<Rule>,
    /// How to talk to the targets.
    pub client: ClientOptions,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            job_name: String::new(),
            scrape_interval: Span::minutes(1),
            scrape_timeout: Span::seconds(10),
            scheme: "http".to_owned(),
            metrics_path: "/metrics".to_owned(),
            params: Vec::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            enable_compression: true,
            scrape_protocols: ScrapeProtocol::DEFAULT.to_vec(),
            fallback_scrape_protocol: None,
            scrape_native_histograms: false,
            always_scrape_classic_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            extra_scrape_metrics: false,
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            keep_dropped_targets: 0,
            validation: ValidationScheme::Utf8,
            escaping: EscapingScheme::AllowUtf8,
            scrape_failure_log_file: None,
            relabel_rules: Vec::new(),
            metric_relabel_rules: Vec::new(),
            client: ClientOptions::default(),
        }
    }
}

impl JobOptions {
    /// Whether what was learnt of series under `self` still holds under `other`: everything that
    /// decides how a page turns into samples is the same.
    ///
    /// compat: interval, timeout, sample limit and the HTTP client do not count.
    pub fn same_series_as(&self, other: &Self) -> bool {
        let other = Self {
            scrape_interval: self.scrape_interval,
            scrape_timeout: self.scrape_timeout,
            sample_limit: self.sample_limit,
            client: self.client.clone(),
            ..other.clone()
        };
        *self == other
    }
}

/// What `--enable-feature` says about scrapes, the same for every job. Everything is off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `type-and-unit-labels`: adds `__type__` and `__unit__`.
    pub type_and_unit_labels: bool,
    /// `st-storage`: start timestamps are stored with their samples.
    pub start_timestamps: bool,
    /// `created-timestamp-zero-ingestion`: a start timestamp becomes a sample of value 0.
    pub start_zero_samples: bool,
    /// `metadata-wal-records`: what families declare goes to the store too.
    pub metadata: bool,
}

impl Features {
    /// Whether pages are asked when their series began; OpenMetrics `_created` series are no samples then.
    pub const fn reads_start_timestamps(self) -> bool {
        self.start_timestamps || self.start_zero_samples
    }
}
