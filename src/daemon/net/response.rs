//! What is answered.

use hyper::StatusCode;

use super::body::Body;
use super::http1::{Fields, text};
use super::{BODY_LIMIT_DEFAULT, Error, gzip};

/// One answer, read to its end.
#[derive(Debug)]
pub struct Response {
    /// The status, which may be an error status.
    pub status: StatusCode,
    /// The headers.
    pub headers: Fields,
    /// The body, unpacked unless [`Self::packed`].
    pub body: Body,
    /// Whether the body is gzip still; only where [`Request::keep_packed`](super::Request::keep_packed). [`Self::unpack`] unpacks it.
    pub packed: bool,
    /// Whether the body is all of it; false only where [`Request::head_counts`](super::Request::head_counts).
    pub whole: bool,
}

impl Response {
    /// A header's value if it is text; empty when absent. The name is in lower case.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(text).unwrap_or_default()
    }

    /// The body unpacked, if need be in the memory of `buffer`, whose content is of no account. An answer of `limit` bytes
    /// or more is an error; 0 for [`BODY_LIMIT_DEFAULT`].
    pub fn unpack<'b>(&'b self, limit: u64, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        if self.packed {
            gzip::unpack(&self.body, body_limit(limit), buffer)
        } else {
            Ok(&self.body)
        }
    }

    /// How large the body says that it is when it is unpacked.
    pub fn unpacked_bytes(&self) -> usize {
        let claimed = self.packed.then(|| gzip::claimed_bytes(&self.body));
        claimed.flatten().unwrap_or(self.body.len())
    }

    /// Status as Go prints it, `404 Not Found`.
    pub fn status_text(&self) -> String {
        format!(
            "{} {}",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default()
        )
        .trim_end()
        .to_owned()
    }
}

/// The limit of a body for which `wanted` was asked.
pub(super) const fn body_limit(wanted: u64) -> u64 {
    if wanted == 0 {
        BODY_LIMIT_DEFAULT
    } else {
        wanted
    }
}
