use std::fmt::Write as _;

use thiserror::Error as ThisError;

/// Why a page cannot be read. The texts begin with upstream's words and name the place.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A line is not of the form.
    #[error("{message} (line {line})")]
    Syntax {
        /// Upstream's text.
        message: String,
        /// The line, from 1.
        line: usize,
        /// Where in the page, in bytes.
        offset: usize,
    },
    /// A protobuf message is broken or holds what no metric can hold.
    #[error("{message} (at byte {offset})")]
    Protobuf {
        /// What is wrong.
        message: String,
        /// Where in the page, in bytes.
        offset: usize,
    },
    /// The `Content-Type` names no form that is known, and there is no fallback.
    #[error("{0}")]
    ContentType(String),
    /// A series names a label twice.
    #[error("label name {} is not unique: invalid sample", crate::text::quote::quote(.0))]
    RepeatedLabel(String),
}

impl Error {
    /// Upstream's text without the place.
    pub fn message(&self) -> String {
        match self {
            Self::Syntax { message, .. } | Self::Protobuf { message, .. } => message.clone(),
            Self::ContentType(_) | Self::RepeatedLabel(_) => self.to_string(),
        }
    }
}

/// The longest piece of a page that an error shows, in bytes.
const SHOWN_MAX: usize = 256;

/// Quotes bytes like Go's `%q`; what is no UTF-8 is shown in hexadecimal, what is long is cut.
pub(super) fn quote_bytes(bytes: &[u8]) -> String {
    let cut = bytes.len() > SHOWN_MAX;
    let bytes = bytes.get(..SHOWN_MAX).unwrap_or(bytes);
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let quoted = crate::text::quote::quote(chunk.valid());
        out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    if cut {
        out.push_str("...");
    }
    out
}
