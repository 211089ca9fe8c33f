//! The tables of `prometheus.yml`, service discovery apart.

use crate::config::http_client::{HTTP_CLIENT, TLS};
use crate::config::relabel::RELABEL;
use crate::config::schema::Section;
use crate::config::schema::field::{
    any, boolean, bytes, duration, float, inline, int, labels, list, maybe_bool, path, pointer,
    secret, structure, text, text_map, texts, texts_map, uint, url,
};

/// Limits that `global` and `scrape_configs` share.
static LIMITS: Section = Section::new(
    "config.ScrapeConfig",
    &[
        bytes("body_size_limit"),
        uint("sample_limit"),
        uint("target_limit"),
        uint("label_limit"),
        uint("label_name_length_limit"),
        uint("label_value_length_limit"),
    ],
);

/// compat: no defaults here; they hold only when the section is absent or a field is zero.
pub(super) static GLOBAL: Section = Section::new(
    "config.plain",
    &[
        duration("scrape_interval"),
        duration("scrape_timeout"),
        texts("scrape_protocols"),
        duration("evaluation_interval"),
        duration("rule_query_offset"),
        path("query_log_file"),
        path("scrape_failure_log_file"),
        labels("external_labels"),
        inline(&LIMITS),
        uint("keep_dropped_targets"),
        text("metric_name_validation_scheme"),
        text("metric_name_escaping_scheme"),
        maybe_bool("scrape_native_histograms"),
        boolean("convert_classic_histograms_to_nhcb"),
        boolean("always_scrape_classic_histograms"),
        boolean("extra_scrape_metrics"),
    ],
);

pub(super) static RUNTIME: Section =
    Section::new("config.RuntimeConfig", &[int("gogc").or_int(75)]);

pub(super) static SCRAPE: Section = Section::new(
    "config.ScrapeConfig",
    &[
        text("job_name").keep(),
        boolean("honor_labels"),
        boolean("honor_timestamps").or_true().keep(),
        boolean("track_timestamps_staleness").keep(),
        texts_map("params"),
        duration("scrape_interval"),
        duration("scrape_timeout"),
        texts("scrape_protocols"),
        text("fallback_scrape_protocol"),
        maybe_bool("scrape_native_histograms"),
        maybe_bool("always_scrape_classic_histograms"),
        maybe_bool("convert_classic_histograms_to_nhcb"),
        path("scrape_failure_log_file"),
        text("metrics_path").or_text("/metrics"),
        text("scheme").or_text("http"),
        boolean("enable_compression").or_true().keep(),
        inline(&LIMITS),
        uint("native_histogram_bucket_limit"),
        float("native_histogram_min_bucket_factor"),
        uint("keep_dropped_targets"),
        text("metric_name_validation_scheme"),
        text("metric_name_escaping_scheme"),
        maybe_bool("extra_scrape_metrics"),
        inline(&HTTP_CLIENT),
        list("relabel_configs", &RELABEL),
        list("metric_relabel_configs", &RELABEL),
    ],
);

static SIGV4: Section = Section::new(
    "sigv4.plain",
    &[
        text("region"),
        text("access_key"),
        secret("secret_key"),
        text("profile"),
        text("role_arn"),
        text("external_id"),
        boolean("use_fips_sts_endpoint"),
        text("service_name"),
    ],
);

pub(super) static ALERTMANAGER: Section = Section::new(
    "config.AlertmanagerConfig",
    &[
        inline(&HTTP_CLIENT),
        pointer("sigv4", &SIGV4),
        text("scheme").or_text("http"),
        text("path_prefix"),
        duration("timeout").or_secs(10),
        text("api_version").or_text("v2").keep(),
        list("relabel_configs", &RELABEL),
        list("alert_relabel_configs", &RELABEL),
    ],
);

/// `alerting` without its `alertmanagers`.
pub(super) static ALERTING: Section =
    Section::new("config.plain", &[list("alert_relabel_configs", &RELABEL)]);

static RETENTION: Section = Section::new(
    "config.TSDBRetentionConfig",
    &[duration("time"), bytes("size"), float("percentage")],
);

static CHUNK_ENCODING: Section = Section::new("config.TSDBChunkEncodingConfig", &[text("floats")]);

static TSDB: Section = Section::new(
    "config.plain",
    &[
        int("outofordertimewindow").keep(),
        duration("out_of_order_time_window"),
        float("stale_series_compaction_threshold"),
        pointer("retention", &RETENTION),
        pointer("chunk_encoding", &CHUNK_ENCODING),
    ],
);

static EXEMPLARS: Section = Section::new("config.ExemplarsConfig", &[int("max_exemplars")]);

pub(super) static STORAGE: Section = Section::new(
    "config.StorageConfig",
    &[pointer("tsdb", &TSDB), pointer("exemplars", &EXEMPLARS)],
);

pub(super) static TRACING: Section = Section::new(
    "config.plain",
    &[
        text("client_type").or_text("grpc"),
        text("endpoint"),
        float("sampling_fraction"),
        boolean("insecure"),
        structure("tls_config", &TLS),
        text_map("headers"),
        text("compression"),
        duration("timeout"),
    ],
);

pub(super) static OTLP: Section = Section::new(
    "config.plain",
    &[
        boolean("promote_all_resource_attributes"),
        texts("promote_resource_attributes"),
        texts("ignore_resource_attributes"),
        text("translation_strategy").or_text("UnderscoreEscapingWithSuffixes"),
        boolean("keep_identifying_resource_attributes"),
        boolean("convert_histograms_to_nhcb"),
        boolean("promote_scope_metadata"),
        boolean("label_name_underscore_sanitization").or_true(),
        boolean("label_name_preserve_multiple_underscores").or_true(),
    ],
);

static QUEUE: Section = Section::new(
    "config.QueueConfig",
    &[
        int("capacity").or_int(10000),
        int("max_shards").or_int(50),
        int("min_shards").or_int(1),
        int("max_samples_per_send").or_int(2000),
        duration("batch_send_deadline").or_secs(5),
        duration("min_backoff").or_ms(30),
        duration("max_backoff").or_secs(5),
        boolean("retry_on_http_429"),
        duration("sample_age_limit"),
    ],
);

static METADATA: Section = Section::new(
    "config.MetadataConfig",
    &[
        boolean("send").or_true().keep(),
        duration("send_interval").or_secs(60).keep(),
        int("max_samples_per_send").or_int(2000),
    ],
);

static AZUREAD: Section = Section::new(
    "azuread.plain",
    &[
        any("managed_identity"),
        any("workload_identity"),
        any("oauth"),
        any("certificate"),
        any("sdk"),
        text("cloud").or_text("AzurePublic"),
        text("scope"),
    ],
);

static GOOGLE_IAM: Section = Section::new("googleiam.Config", &[path("credentials_file")]);

pub(super) static REMOTE_WRITE: Section = Section::new(
    "config.plain",
    &[
        url("url").keep(),
        duration("remote_timeout").or_secs(30),
        text_map("headers"),
        list("write_relabel_configs", &RELABEL),
        text("name"),
        boolean("send_exemplars"),
        boolean("send_native_histograms"),
        boolean("round_robin_dns"),
        text("protobuf_message").or_text("prometheus.WriteRequest"),
        inline(&HTTP_CLIENT),
        structure("queue_config", &QUEUE),
        structure("metadata_config", &METADATA),
        pointer("sigv4", &SIGV4),
        pointer("azuread", &AZUREAD),
        pointer("google_iam", &GOOGLE_IAM),
    ],
);

pub(super) static REMOTE_READ: Section = Section::new(
    "config.plain",
    &[
        url("url").keep(),
        duration("remote_timeout").or_secs(60),
        uint("chunked_read_limit").or_int(50_000_000),
        text_map("headers"),
        boolean("read_recent"),
        text("name"),
        inline(&HTTP_CLIENT),
        labels("required_matchers"),
        boolean("filter_external_labels").or_true(),
    ],
);
