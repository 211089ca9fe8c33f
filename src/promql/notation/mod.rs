//! Which series does a line of a test file describe? `metric{labels} v0 v1 ...` with repetitions, gaps
//! and histogram literals, as `.test` scripts and rule unit tests hold it.

mod histogram;
mod values;

use std::sync::Arc;

use crate::model::{FloatHistogram, Labels};
use crate::promql::lexer::Lexer;
use crate::promql::parser::{ParseError, ParseOptions, Parser};

/// One position of a series.
#[derive(Debug, Clone)]
pub enum SequenceValue {
    /// `_`: there is no sample.
    Omitted,
    /// A number; `stale` is the staleness marker.
    Float(f64),
    /// A histogram literal.
    Histogram(Arc<FloatHistogram>),
}

/// Parses a line into the series and its values, repetitions written out.
///
/// Errors: upstream's texts; also when the repetitions make more than two million values.
pub fn parse_series_line(text: &str) -> Result<(Labels, Vec<SequenceValue>), Vec<ParseError>> {
    let bytes = text.as_bytes();
    let mut parser = Parser::new(bytes, Lexer::for_series(bytes), ParseOptions::default());
    let parsed = parser.parse_series_description();
    let errors = parser.into_errors();
    match parsed {
        Some(found) if errors.is_empty() => Ok(found),
        _ => Err(errors),
    }
}

#[cfg(test)]
mod tests;
