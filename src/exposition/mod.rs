//! Which samples does a page of metrics hold, and how do we ask for a page that we can read?
//!
//! [`detect`] finds the form of a page, [`Parser`] reads it entry by entry without copying: the classic
//! text form, OpenMetrics text and length-delimited protobuf. A [`Series`] is known by its raw bytes, so
//! that who reads the same target again and again need not build labels each time.

mod ahead;
mod buckets;
mod classic;
mod content_type;
mod error;
mod escaping;
mod family;
mod lines;
mod nhcb;
mod number;
mod openmetrics;
mod parser;
mod protobuf;
mod protocol;
mod series;
mod text;

#[cfg(test)]
mod tests;

pub use ahead::Ahead;
pub use classic::ClassicHistogram;
pub use content_type::{Format, detect};
pub use error::Error;
pub use escaping::{escape_name, unescape_name};
pub use parser::{Entry, Parser, ParserOptions};
pub use protocol::{EscapingScheme, ScrapeProtocol, accept_header};
pub use series::Series;
