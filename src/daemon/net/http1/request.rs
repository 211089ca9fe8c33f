//! Writes the head of a request.

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};

/// The head of a request, ready to be sent.
#[derive(Debug, Clone)]
pub(in crate::daemon::net) struct Opening {
    pub(super) bytes: Bytes,
    /// Whether it says that no other request follows.
    pub(super) closes: bool,
}

/// The head of a request for `target`, which is a path or, for a proxy, an address, to `host`, with a body of so many
/// bytes. Neither may hold white space or control characters, which addresses that were parsed never do.
pub(in crate::daemon::net) fn encode(
    method: &Method,
    target: &str,
    host: &str,
    headers: &HeaderMap,
    body_bytes: usize,
) -> Opening {
    let fields = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    let length = body_bytes.to_string();
    let mut out = Vec::with_capacity(
        method.as_str().len()
            + target.len()
            + host.len()
            + fields.sum::<usize>()
            + length.len()
            + 64,
    );
    for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    };
    // compat: how the body is marked off is not the user's to say; Go leaves these out as well.
    let ours = [CONTENT_LENGTH, TRANSFER_ENCODING];
    for (name, value) in headers.iter().filter(|(name, _)| !ours.contains(name)) {
        field(name.as_str(), value.as_bytes());
    }
    if !headers.contains_key(HOST) {
        field(HOST.as_str(), host.as_bytes());
    }
    if body_bytes > 0 {
        field(CONTENT_LENGTH.as_str(), length.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.shrink_to_fit();
    let options = headers.get_all(CONNECTION).into_iter();
    let mut options = options
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    Opening {
        bytes: Bytes::from(out),
        closes: options.any(|option| option.trim().eq_ignore_ascii_case("close")),
    }
}
