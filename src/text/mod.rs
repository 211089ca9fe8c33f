//! Text that several cores read and write: Go's regular expressions, durations, numbers and quoting; and YAML
//! with places.
//!
//! Upstream is written in Go, and its users see Go's notations: `+Inf`, `1e+06`, `"quoted\n"`. They are
//! defined once here.

pub mod duration;
pub mod gofmt;
pub mod header;
pub mod quote;
pub mod regex;
pub mod suggest;
pub mod xml;
pub mod yaml;
