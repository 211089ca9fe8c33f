//! Native histograms: sparse, with exponential or custom buckets.
//!
//! [`Histogram`] counts in integers and is what targets expose; [`FloatHistogram`] counts in floats and
//! is what PromQL computes with. Start with [`FloatHistogram::add`] and [`FloatHistogram::buckets`].

mod bounds;
mod bucket;
mod cells;
mod combine;
mod compact;
mod float;
mod int;
mod kahan;
mod reset;
mod text;
mod trim;
mod validate;

pub use bounds::bound;
pub use bucket::Bucket;
pub use combine::Combined;
pub use float::FloatHistogram;
pub use int::Histogram;
pub use kahan::kahan_inc;
pub use validate::HistogramError;

/// The schema of histograms with custom bucket bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The lowest resolution of exponential buckets.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;

/// The highest resolution of exponential buckets.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;

/// Whether buckets have given bounds.
pub const fn is_custom_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA
}

/// Whether bucket bounds are powers of 2^(2^-schema).
pub const fn is_exponential_schema(schema: i32) -> bool {
    schema >= EXPONENTIAL_SCHEMA_MIN && schema <= EXPONENTIAL_SCHEMA_MAX
}

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BucketSpan {
    /// Gap to the previous span, or the index of the first bucket for the first span.
    pub offset: i32,
    /// How many buckets follow each other.
    pub length: u32,
}

/// What is known about a counter reset between a histogram and its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CounterResetHint {
    /// Nothing is known; it must be detected.
    #[default]
    Unknown,
    /// There was a reset.
    Reset,
    /// There was none.
    NotReset,
    /// A gauge, which has no resets.
    Gauge,
}

#[cfg(test)]
mod tests;
