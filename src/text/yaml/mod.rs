//! YAML read once into a tree that knows where everything stands, and a decoder that reports every
//! mistake with its place instead of the first one only.
//!
//! [`parse`] reads all documents of a text, [`parse_first`] the one that upstream reads. A
//! [`Decoder`] turns nodes into values the way go-yaml does for a typed target: the *target* decides
//! what `yes`, `010` or `~` mean. [`Fields`] walks a mapping that stands for a struct and names
//! fields nobody asked for. [`Document::place_in_scalar`] maps an offset inside a scalar's value
//! (such as a query in a block scalar) back to the file.
//!
//! ```
//! use watchfire::text::yaml::{self, Decoder, Dialect};
//!
//! let document = yaml::parse_first("interval: 5m\nlabels: {team: db}\nintervall: 3m\n").unwrap();
//! let decoder = Decoder::new(Dialect::V2);
//! let mut fields = decoder.fields(&document.root, "example.Group");
//! assert_eq!(fields.duration_ms("interval", 0), 300_000);
//! assert_eq!(fields.string_map("labels"), [("team".to_owned(), "db".to_owned())]);
//! fields.finish();
//! let problems = decoder.into_problems();
//! assert_eq!(problems[0].message, "field intervall not found in type example.Group");
//! assert_eq!((problems[0].line, problems[0].column), (3, 1));
//! assert_eq!(problems[0].hint.as_deref(), Some("did you mean `interval`?"));
//! ```

mod body;
mod decode;
mod fields;
mod keys;
mod node;
mod parse;
mod pieces;
mod place;
mod problem;
mod resolve;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, Dialect};
pub use fields::Fields;
pub use node::{Document, Entry, Kind, Node, Place, Span, Style};
pub use parse::{DEPTH_MAX, parse, parse_first, utf8};
pub use problem::{Problem, ProblemKind, Within};
pub use resolve::{Resolved, plain_means_text};
