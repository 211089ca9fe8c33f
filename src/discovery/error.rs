use thiserror::Error as ThisError;

use crate::text::quote::quote;

/// Why an answer of a discovery mechanism is of no use. The texts are upstream's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The payload is not well-formed or has another shape.
    #[error("{0}")]
    Malformed(String),
    /// An entry of the list is null.
    #[error("nil target group item found (index {0})")]
    NullGroup(usize),
    /// The file is neither JSON nor YAML by its name.
    #[error("unhandled file extension {}", quote(.0))]
    Extension(String),
    /// The server answered something else than JSON.
    #[error("unsupported content type {}", quote(.0))]
    ContentType(String),
    /// The server answered with an error.
    #[error("server returned HTTP status {0}")]
    Status(String),
}
