//! PromQL: lexer, parser, printer, type check, the plain evaluator and the `.test` script runner.
//!
//! Start with [`ast`], the tree that everything here shares, and [`signatures`], the table of
//! functions. Nothing here reads a clock.

mod aggregate;
pub mod annotations;
pub mod ast;
pub mod engine;
mod error;
pub mod explain;
mod functions;
mod go_sort;
mod lexer;
pub mod notation;
pub mod parser;
mod pretty;
mod printer;
pub mod script;
pub mod signatures;
mod typecheck;
mod value;

pub use error::Error;
pub use pretty::pretty;
pub use value::{PointValue, SeriesPoints, Value, VectorSample};
