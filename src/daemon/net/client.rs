use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST,
    HeaderMap, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Method, StatusCode, Uri};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::auth::Credentials;
use super::connect::{self, Resting, Sender, protocol};
use super::dial::authority;
use super::error::io_text;
use super::proxy::{Proxies, is_socks};
use super::tls::{self, Tls};
use super::{BODY_LIMIT_DEFAULT, Error, body, gzip};
use crate::daemon::open_files::Seat;
use crate::model::http_client::ClientOptions;

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 10;
/// Idle connections that a pool keeps, over all hosts.
const IDLE_MAX: usize = 16;
/// How long an idle connection is kept; a little under the five minutes of upstream's scrapes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(290);

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
    /// An answer of this many bytes (unpacked) or more is an error; 0 for [`BODY_LIMIT_DEFAULT`].
    pub body_limit: u64,
    /// Whether an answer counts as soon as its head is there: of a body that is too large, too slow (it has
    /// half of the time that is left), torn or badly packed, what was read is taken.
    pub head_counts: bool,
    /// Whether gzip is offered. compat: an answer that is packed all the same is unpacked.
    pub gzip: bool,
    /// Whether an answer that came packed may be handed over packed, so that the caller can unpack it where and into
    /// what it likes; [`Response::packed`] tells.
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

    /// Reads the address.
    pub fn prepare(self) -> Result<Prepared, Error> {
        let url = Url::parse(&self.url).map_err(|e| Error::Url(format!("{:?}: {e}", self.url)))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::Url(format!(
                "unsupported protocol scheme {:?}",
                url.scheme()
            )));
        }
        Ok(Prepared { request: self, url })
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

/// A request whose address is known to be good.
#[derive(Debug, Clone)]
pub struct Prepared {
    request: Request,
    url: Url,
}

/// One answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status, which may be an error status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked unless [`Self::packed`].
    pub body: Bytes,
    /// Whether the body is gzip still; only where [`Request::keep_packed`]. [`Self::unpack`] unpacks it.
    pub packed: bool,
    /// The bytes of the body as they came over the wire, when the peer said.
    pub wire_bytes: Option<u64>,
    /// Whether the body is all of it; false only where [`Request::head_counts`].
    pub whole: bool,
}

impl Response {
    /// A header's value if it is text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
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

/// An HTTP client with one set of options. Clones share connections, TLS state and tokens.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    pool: Arc<Mutex<Vec<Idle>>>,
    /// It leaves files to others when targets are many.
    is_of_target: bool,
}

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    credentials: Credentials,
    proxies: Proxies,
    tls: Tls,
}

struct Idle {
    key: String,
    connection: Resting,
    since: Instant,
    seat: Seat,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Builds a client. Files are not read yet; they are when a request needs them.
    pub fn new(options: &ClientOptions) -> Result<Self, Error> {
        tls::install_provider();
        Ok(Self {
            shared: Arc::new(Shared {
                options: options.clone(),
                credentials: Credentials::new(options)?,
                proxies: Proxies::new(&options.proxy)?,
                tls: Tls::new(&options.tls, options.enable_http2),
            }),
            pool: Arc::default(),
            is_of_target: false,
        })
    }

    /// A client with connections of its own, for one scrape target; TLS and tokens stay shared.
    #[must_use]
    pub fn dedicated(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            pool: Arc::default(),
            is_of_target: true,
        }
    }

    /// Sends a request and reads the answer to its end.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.send_prepared(&request.prepare()?).await
    }

    /// [`Self::send`] of what is sent again and again.
    pub async fn send_prepared(&self, prepared: &Prepared) -> Result<Response, Error> {
        let deadline = Instant::now() + prepared.request.timeout;
        let sent = AtomicBool::new(false);
        let answer = self.follow(prepared, deadline, &sent);
        let outcome = match timeout_at(deadline, answer).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout),
        };
        outcome.map_err(|cause| match cause {
            // A body's size is the caller's business and has no address in upstream's text either.
            Error::BodyTooLarge => Error::BodyTooLarge,
            cause => Error::Exchange {
                method: go_method(&prepared.request.method),
                url: redacted(&prepared.url),
                cause: Box::new(cause),
                sent: sent.into_inner(),
            },
        })
    }

    async fn follow(
        &self,
        prepared: &Prepared,
        deadline: Instant,
        sent: &AtomicBool,
    ) -> Result<Response, Error> {
        let home = &prepared.url;
        let mut request = Cow::Borrowed(&prepared.request);
        let mut url = Cow::Borrowed(home);
        let mut at_home = true;
        for hop in 0..=REDIRECTS_MAX {
            // compat: who was sent away once gets no secrets any more, even when sent back.
            at_home = at_home && is_at_home(home, &url);
            if !at_home {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    request.to_mut().headers.remove(secret);
                }
            }
            let response = self
                .exchange(&request, &url, at_home, deadline, sent)
                .await?;
            let status = response.status();
            let next = redirect_target(&url, &response);
            let Some(next) = next.filter(|_| self.shared.options.follow_redirects) else {
                return self.read(&request, response, deadline).await;
            };
            if hop == REDIRECTS_MAX {
                break;
            }
            url = Cow::Owned(next?);
            if !matches!(
                status,
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            ) && request.method != Method::HEAD
                && request.method != Method::GET
            {
                let request = request.to_mut();
                request.method = Method::GET;
                request.body = Bytes::new();
                request.headers.remove(CONTENT_TYPE);
                request.headers.remove(CONTENT_ENCODING);
            }
        }
        Err(Error::Redirect(format!(
            "stopped after {REDIRECTS_MAX} redirects"
        )))
    }

    /// Sends one request over a kept or a new connection; a kept one that turns out dead is replaced once.
    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        at_home: bool,
        deadline: Instant,
        sent: &AtomicBool,
    ) -> Result<Answer, Error> {
        let proxy = self.shared.proxies.select(url);
        let secure = |url: &Url| url.scheme() == "https";
        let generation = if secure(url) || proxy.is_some_and(secure) {
            self.shared.tls.config().await?.1
        } else {
            0
        };
        let key = format!(
            "{}://{} {} {generation}",
            url.scheme(),
            authority(url),
            proxy.map_or("", Url::as_str)
        );
        let mut headers = request.headers.clone();
        let credentials = &self.shared.credentials;
        if at_home {
            credentials.apply(&mut headers, deadline).await?;
        }
        finish_headers(&mut headers, request, url, at_home);
        let absolute = url.scheme() == "http" && proxy.is_some_and(|proxy| !is_socks(proxy));
        if absolute && let Some(value) = proxy.and_then(connect::proxy_authorization) {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        let mut retry = true;
        loop {
            let (mut sender, seat, kept) = if let Some((sender, seat)) = self.take(&key).await {
                (sender, seat, true)
            } else {
                let seat = self.seat(url)?;
                let (options, tls) = (&self.shared.options.proxy, &self.shared.tls);
                // It is rare, and each target's task would hold the room for it all the time.
                let opening = Box::pin(connect::open(url, proxy, options, tls));
                (opening.await?, seat, false)
            };
            let message = message(request, url, headers.clone(), &sender, absolute)?;
            sent.store(true, Ordering::Relaxed);
            match sender.send(message).await {
                Ok(response) => {
                    if at_home && response.status() == StatusCode::UNAUTHORIZED {
                        credentials.refused(&headers).await;
                    }
                    let used = Used { sender, seat, key };
                    return Ok(Answer { response, used });
                }
                Err(e) => {
                    let replayable = e.is_canceled()
                        || matches!(request.method, Method::GET | Method::HEAD | Method::PUT);
                    if kept && retry && replayable {
                        retry = false;
                        continue;
                    }
                    return Err(protocol(&e));
                }
            }
        }
    }

    fn seat(&self, url: &Url) -> Result<Seat, Error> {
        if !self.is_of_target {
            return Ok(Seat::take());
        }
        Seat::take_for_target().map_err(|why| Error::Connect {
            address: authority(url),
            text: io_text(&why),
        })
    }

    async fn take(&self, key: &str) -> Option<(Sender, Seat)> {
        loop {
            let idle = {
                let mut pool = self.pool.lock();
                pool.retain(|idle| {
                    !idle.connection.is_closed() && idle.since.elapsed() < IDLE_TIMEOUT
                });
                let at = pool.iter().position(|idle| idle.key == key)?;
                pool.swap_remove(at)
            };
            if let Resting::Http2(h2) = &idle.connection {
                // One connection serves many requests at once.
                let h2 = Resting::Http2(h2.clone());
                self.put(idle.key, h2, Seat::take());
            }
            if let Some(sender) = idle.connection.wake().await {
                return Some((sender, idle.seat));
            }
        }
    }

    fn put(&self, key: String, connection: Resting, seat: Seat) {
        let mut pool = self.pool.lock();
        let is_there = pool.iter().any(|idle| idle.key == key);
        if matches!(connection, Resting::Http2(_)) && is_there {
            return;
        }
        if pool.len() >= IDLE_MAX {
            pool.remove(0);
        }
        pool.push(Idle {
            key,
            connection,
            since: Instant::now(),
            seat,
        });
    }

    /// Keeps the connection of an answer that was read, if it stays open.
    fn keep(&self, used: Used, head: &Parts) {
        if self.is_of_target && !used.seat.may_rest() {
            return;
        }
        if let Some(connection) = used.sender.rest(head) {
            self.put(used.key, connection, used.seat);
        }
    }

    async fn read(
        &self,
        request: &Request,
        answer: Answer,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let (parts, incoming) = answer.response.into_parts();
        let gzip = parts
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
        let limit = body_limit(request.body_limit);
        let wire_bytes = parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<u64>().ok());
        let guess = wire_bytes.map_or(0, |n| n.min(limit) as usize);
        let (mut whole, mut packed) = (true, false);
        let bytes = if request.head_counts {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = Instant::now() + left / 2;
            let bytes;
            (bytes, whole) = body::read_some(incoming, gzip, limit, patience).await;
            if whole {
                self.keep(answer.used, &parts);
            }
            bytes
        } else {
            let plan = body::Plan {
                gzip,
                keep_packed: request.keep_packed,
                limit,
                size_guess: guess,
            };
            let bytes;
            (bytes, packed) = body::read(incoming, plan).await?;
            self.keep(answer.used, &parts);
            bytes
        };
        Ok(Response {
            status: parts.status,
            headers: parts.headers,
            body: Bytes::from(bytes),
            packed,
            wire_bytes,
            whole,
        })
    }
}

const fn body_limit(wanted: u64) -> u64 {
    if wanted == 0 {
        BODY_LIMIT_DEFAULT
    } else {
        wanted
    }
}

/// An answer whose body is still on the wire.
struct Answer {
    response: hyper::Response<Incoming>,
    used: Used,
}

/// The connection that an answer comes over.
struct Used {
    sender: Sender,
    seat: Seat,
    key: String,
}

impl Answer {
    fn status(&self) -> StatusCode {
        self.response.status()
    }
}

/// Whether what is meant for `home` may go to `url`: the same host or one below it, whatever the port.
///
/// compat: Go's rule for redirects; beyond it, nothing that came over TLS goes out in the clear.
fn is_at_home(home: &Url, url: &Url) -> bool {
    let downgraded = home.scheme() == "https" && url.scheme() != "https";
    let (Some(home), Some(host)) = (home.host(), url.host()) else {
        return false;
    };
    let below = match (&home, &host) {
        (url::Host::Domain(home), url::Host::Domain(host)) => host
            .strip_suffix(home)
            .is_some_and(|rest| rest.ends_with('.')),
        _ => false,
    };
    !downgraded && (home == host || below)
}

fn finish_headers(headers: &mut HeaderMap, request: &Request, url: &Url, at_home: bool) {
    if !headers.contains_key(USER_AGENT) {
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("watchfire/", env!("CARGO_PKG_VERSION"))),
        );
    }
    if request.gzip && !headers.contains_key(ACCEPT_ENCODING) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if at_home && !url.username().is_empty() && !headers.contains_key(AUTHORIZATION) {
        let (name, password) = connect::user_info(url);
        if let Ok(value) = HeaderValue::from_str(&super::auth::basic(&name, &password)) {
            headers.insert(AUTHORIZATION, value);
        }
    }
}

fn message(
    request: &Request,
    url: &Url,
    mut headers: HeaderMap,
    sender: &Sender,
    absolute: bool,
) -> Result<hyper::Request<Full<Bytes>>, Error> {
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let path = if path.is_empty() { "/" } else { path };
    let http2 = matches!(sender, Sender::Http2(_));
    let uri: Uri = if http2 || absolute {
        format!("{}://{host}{path}", url.scheme())
    } else {
        path.to_owned()
    }
    .parse()
    .map_err(|e| Error::Url(format!("{path:?}: {e}")))?;
    if !http2 && !headers.contains_key(HOST) {
        let value = HeaderValue::from_str(&host).map_err(|e| Error::Url(e.to_string()))?;
        headers.insert(HOST, value);
    }
    let mut message = hyper::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    Ok(message)
}

/// Where a 3xx points; none when the answer is no redirect.
fn redirect_target(url: &Url, answer: &Answer) -> Option<Result<Url, Error>> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.response.headers().get(LOCATION)?;
    Some(
        location
            .to_str()
            .ok()
            .and_then(|text| url.join(text).ok())
            .filter(|next| matches!(next.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::Redirect(format!("failed to parse Location header {location:?}"))
            }),
    )
}

/// The method as Go's errors spell it.
fn go_method(method: &Method) -> String {
    let text = method.as_str();
    let (first, rest) = text.split_at_checked(1).unwrap_or((text, ""));
    format!("{first}{}", rest.to_lowercase())
}

/// The address with its password hidden.
fn redacted(url: &Url) -> String {
    if url.password().is_none() {
        return url.to_string();
    }
    let mut shown = url.clone();
    let _ = shown.set_password(Some("xxxxx"));
    shown.to_string()
}

#[cfg(test)]
mod tests;
