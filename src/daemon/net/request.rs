//! What is asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;

use super::Error;
use super::client::Shared;
use super::http1::Opening;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address, with scheme http or https. Credentials in it are used as basic authentication.
    pub url: String,
    /// Headers; `User-Agent` is filled in when absent.
    pub headers: HeaderMap,
    /// The body, sent with its length.
    pub body: Bytes,
    /// From now until the last byte of the body, redirects and tokens included.
    pub timeout: Duration,
    /// An answer of this many bytes (unpacked) or more is an error; 0 for `BODY_LIMIT_DEFAULT`.
    pub body_limit: u64,
    /// Whether an answer counts as soon as its head is there: of a body that is too large, too slow (it has
    /// half of the time that is left), torn or badly packed, what was read is taken.
    pub head_counts: bool,
    /// Whether gzip is offered. compat: an answer that is packed all the same is unpacked.
    pub gzip: bool,
    /// Whether an answer that came packed may be handed over packed, so that the caller can unpack it where and into
    /// what it likes; [`Response::packed`](super::Response::packed) tells.
    pub keep_packed: bool,
}

impl Request {
    /// A GET without body and headers.
    pub fn get(url: impl Into<String>, timeout: Duration) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout,
            body_limit: 0,
            head_counts: false,
            gzip: false,
            keep_packed: false,
        }
    }

    /// A POST of `body`.
    pub fn post(
        url: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
        timeout: Duration,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            method: Method::POST,
            headers,
            body: body.into(),
            ..Self::get(url, timeout)
        }
    }
}

/// A request that is sent again and again, made by [`Client::prepare`](super::Client::prepare).
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) request: Request,
    pub(super) url: Url,
    pub(super) fixed: Option<Fixed>,
}

impl Prepared {
    /// Reads the address, which must be one of HTTP.
    pub(super) fn new(mut request: Request) -> Result<Self, Error> {
        // It is kept once.
        let text = std::mem::take(&mut request.url);
        let url = Url::parse(&text).map_err(|e| Error::Url(format!("{text:?}: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::Url(format!(
                "unsupported protocol scheme {:?}",
                url.scheme()
            )));
        }
        Ok(Self {
            request,
            url,
            fixed: None,
        })
    }
}

/// What of a request is the same each time, because no file and nobody must be asked for what it says.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    /// Whose options it was made with.
    pub(super) owner: Arc<Shared>,
    /// See [`Way::to`](super::pool::Way::to).
    pub(super) to: Arc<str>,
    pub(super) opening: Opening,
}
