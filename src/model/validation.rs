use super::labels::{is_legacy_metric_name, is_legacy_name};

/// Which names of metrics and labels are allowed: `metric_name_validation_scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum ValidationScheme {
    /// Any UTF-8 text that is not empty; upstream's default since 3.0.
    #[default]
    Utf8,
    /// Letters, digits and `_` (and `:` in metric names), not beginning with a digit.
    Legacy,
}

impl ValidationScheme {
    /// The word in the configuration: `utf8` or `legacy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Legacy => "legacy",
        }
    }

    /// Whether a label may have this name.
    pub fn is_valid_label_name(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy_name(name),
        }
    }

    /// Whether a metric may have this name.
    pub fn is_valid_metric_name(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_legacy_metric_name(name),
        }
    }
}
