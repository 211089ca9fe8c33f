use std::fmt;

/// The type that a metric family declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum MetricType {
    /// Only goes up, but for resets.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, count and sum.
    Histogram,
    /// Buckets, count and sum of a gauge.
    GaugeHistogram,
    /// Quantiles, count and sum.
    Summary,
    /// Constant 1 with information in labels.
    Info,
    /// One of several states is 1.
    StateSet,
    /// Not declared.
    #[default]
    Unknown,
}

impl MetricType {
    /// The word used in TYPE lines and in the metadata API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What HELP, TYPE and UNIT say of a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Metadata {
    /// The declared type.
    pub metric_type: MetricType,
    /// The declared unit; empty when none.
    pub unit: String,
    /// The help text, unescaped; empty when none.
    pub help: String,
}
