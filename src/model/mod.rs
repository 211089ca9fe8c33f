//! The words everyone shares: labels, matchers, samples, histograms, metadata, alerts.

mod alert;
mod exemplar;
pub mod histogram;
pub mod http_client;
pub mod labels;
mod matcher;
mod metadata;
mod sample;
mod secret;
mod validation;

pub use alert::Alert;
pub use exemplar::Exemplar;
pub use histogram::{FloatHistogram, Histogram};
pub use labels::{Labels, LabelsBuilder};
pub use matcher::{MatchOp, Matcher};
pub use metadata::{Metadata, MetricType};
pub use sample::{STALE_NAN_BITS, Sample, SampleValue, is_stale_nan, stale_nan};
pub use secret::Secret;
pub use validation::ValidationScheme;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";
