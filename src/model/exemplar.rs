use super::Labels;

/// An example observation attached to a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Labels of the example, for instance a trace id.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// When it was observed, in milliseconds since the epoch; `None` when the target did not say.
    pub timestamp_ms: Option<i64>,
}
