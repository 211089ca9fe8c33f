//! What a query answers.

use std::sync::Arc;

use crate::model::{FloatHistogram, Labels};

/// The answer of a query.
#[derive(Debug, Clone)]
pub enum Value {
    /// One number.
    Scalar {
        /// The evaluation time in milliseconds.
        t_ms: i64,
        /// The number.
        v: f64,
    },
    /// One text.
    String {
        /// The evaluation time in milliseconds.
        t_ms: i64,
        /// The text.
        v: String,
    },
    /// One sample per series, ordered only when the query sorts.
    Vector(Vec<VectorSample>),
    /// Several samples per series, sorted by labels.
    Matrix(Vec<SeriesPoints>),
}

/// A sample of an instant vector.
#[derive(Debug, Clone)]
pub struct VectorSample {
    /// The series.
    pub labels: Labels,
    /// The evaluation time in milliseconds.
    pub t_ms: i64,
    /// The value.
    pub value: PointValue,
}

/// A float or a native histogram.
#[derive(Debug, Clone)]
pub enum PointValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// The samples of one series, oldest first.
#[derive(Debug, Clone)]
pub struct SeriesPoints {
    /// The series.
    pub labels: Labels,
    /// Times in milliseconds and numbers.
    pub floats: Vec<(i64, f64)>,
    /// Times in milliseconds and histograms.
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
}

impl Value {
    /// The word of the HTTP API: `scalar`, `string`, `vector`, `matrix`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "scalar",
            Self::String { .. } => "string",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
        }
    }
}

impl PointValue {
    /// The number, unless it is a histogram.
    pub const fn float(&self) -> Option<f64> {
        match self {
            Self::Float(v) => Some(*v),
            Self::Histogram(_) => None,
        }
    }

    /// The histogram, if it is one.
    pub const fn histogram(&self) -> Option<&Arc<FloatHistogram>> {
        match self {
            Self::Float(_) => None,
            Self::Histogram(h) => Some(h),
        }
    }

    /// How many float samples it weighs against the sample limit.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Float(_) => 1,
            Self::Histogram(h) => h.size_in_samples(),
        }
    }
}

impl From<f64> for PointValue {
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}

impl From<FloatHistogram> for PointValue {
    fn from(h: FloatHistogram) -> Self {
        Self::Histogram(Arc::new(h))
    }
}
