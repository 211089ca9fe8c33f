//! Go's templates: what do the texts in annotations and notification templates say for these data?
//!
//! The language is Go's `text/template`, and `html/template` for e-mail bodies, byte for byte: actions,
//! pipelines, number formats, error texts. [`Template`] parses and executes; [`Value`] is what templates
//! see; [`rules`] holds what alerting rules add, [`notify`] what notifications add.
//!
//! Nothing here reads a clock or runs a query by itself: both come in as arguments. Templates come from
//! users, so every execution has budgets for steps, output and depth ([`Limits`]), and the parser
//! bounds nesting.
//!
//! Start reading at `exec`, which walks the tree that `parser` builds from the tokens of `lexer`.

mod ast;
mod builtins;
mod error;
mod exec;
mod function;
pub mod gotime;
mod html;
mod humanize;
mod json;
mod lexer;
pub mod notify;
mod number;
mod parser;
mod printf;
pub mod rules;
mod set;
mod uses;
mod value;

pub(crate) use builtins::escape_query;
pub use error::Error;
pub use exec::Limits;
pub use function::{Function, FunctionSet, Kind, Type};
pub(crate) use json::string as write_json_string;
pub use json::to_json;
pub use printf::{sprint, sprintf};
pub use set::Template;
pub use uses::{PlacedUse, Use};
pub use value::{List, ListType, Map, MapType, Object, SafeKind, Value};
