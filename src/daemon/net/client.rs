//! Sends requests and follows where they lead.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Method, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

use super::Error;
use super::auth::Credentials;
use super::body::{self, Incoming};
use super::connect::{self, Connection, Http2, protocol};
use super::dial::authority;
use super::error::io_text;
use super::http1::{self, Failure, Fields, Message, Opening};
use super::pool::{Pool, Way};
use super::proxy::{Proxies, is_socks};
use super::request::{Fixed, Prepared, Request};
use super::response::{Response, body_limit};
use super::tls::{self, Tls};
use crate::daemon::open_files::Seat;
use crate::model::http_client::ClientOptions;

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 10;

/// An HTTP client with one set of options. Clones share connections, TLS state and tokens.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    /// It leaves files to others when targets are many.
    is_of_target: bool,
}

/// What clients with the same options share.
#[derive(Debug)]
pub(super) struct Shared {
    options: ClientOptions,
    credentials: Credentials,
    proxies: Proxies,
    tls: Tls,
}

/// One request to one host, which may be a step of a longer way.
#[derive(Clone, Copy)]
struct Step<'s> {
    request: &'s Request,
    url: &'s Url,
    /// Whether the host is the one that the options are meant for.
    at_home: bool,
    fixed: Option<&'s Fixed>,
    deadline: Instant,
    /// Is told when the request goes out.
    sent: &'s AtomicBool,
}

/// An answer whose body is still on the wire.
struct Answer {
    status: StatusCode,
    fields: Fields,
    incoming: Incoming,
    used: Used,
}

/// The connection that an answer comes over.
struct Used {
    way: Way,
    seat: Seat,
    http2: Option<Http2>,
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
        self.send_prepared(&Prepared::new(request)?).await
    }

    /// Makes ready what [`Self::send_prepared`] sends again and again.
    pub fn prepare(&self, request: Request) -> Result<Prepared, Error> {
        let mut prepared = Prepared::new(request)?;
        prepared.fixed = self.shared.fixed(&prepared);
        Ok(prepared)
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
        let fixed = prepared.fixed.as_ref();
        let step = Step {
            request: &prepared.request,
            url: &prepared.url,
            at_home: true,
            fixed: fixed.filter(|fixed| Arc::ptr_eq(&fixed.owner, &self.shared)),
            deadline,
            sent,
        };
        let answer = self.exchange(step).await?;
        match self.redirect_target(&prepared.url, &answer) {
            None => self.read(&prepared.request, answer, deadline).await,
            // It is rare, and each target's task would hold the room for it all the time.
            Some(next) => Box::pin(self.redirected(step, answer, next?)).await,
        }
    }

    /// Goes on where the `answer` to the first step points.
    async fn redirected(
        &self,
        first: Step<'_>,
        mut answer: Answer,
        mut url: Url,
    ) -> Result<Response, Error> {
        let mut request = Cow::Borrowed(first.request);
        let mut at_home = true;
        for _ in 0..REDIRECTS_MAX {
            if !matches!(
                answer.status,
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
            // compat: who was sent away once gets no secrets any more, even when sent back.
            at_home = at_home && is_at_home(first.url, &url);
            if !at_home {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    request.to_mut().headers.remove(secret);
                }
            }
            let step = Step {
                request: &request,
                url: &url,
                at_home,
                fixed: None,
                ..first
            };
            answer = self.exchange(step).await?;
            let Some(next) = self.redirect_target(&url, &answer) else {
                return self.read(&request, answer, first.deadline).await;
            };
            url = next?;
        }
        Err(Error::Redirect(format!(
            "stopped after {REDIRECTS_MAX} redirects"
        )))
    }

    /// Where an answer sends us; none when it is no redirect, or none are followed.
    fn redirect_target(&self, url: &Url, answer: &Answer) -> Option<Result<Url, Error>> {
        let sends_on = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        if !sends_on || !self.shared.options.follow_redirects {
            return None;
        }
        let location = answer.fields.get("location")?;
        let next = http1::text(location).and_then(|text| url.join(text).ok());
        let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
        Some(next.ok_or_else(|| {
            let location = String::from_utf8_lossy(location);
            Error::Redirect(format!("failed to parse Location header {location:?}"))
        }))
    }

    /// Sends one request over a kept or a new connection; a kept one that turns out dead is replaced once.
    async fn exchange(&self, step: Step<'_>) -> Result<Answer, Error> {
        let shared = &*self.shared;
        let proxy = shared.proxies.select(step.url);
        let secure = |url: &Url| url.scheme() == "https";
        let generation = if secure(step.url) || proxy.is_some_and(secure) {
            shared.tls.config().await?.1
        } else {
            0
        };
        let (to, made) = if let Some(fixed) = step.fixed {
            (Arc::clone(&fixed.to), Made::Opening(&fixed.opening))
        } else {
            let headers = shared.headers(step.request, step.url, step.at_home, step.deadline);
            (way_to(step.url, proxy), Made::Headers(headers.await?))
        };
        let way = Way { to, generation };
        let mut retry = true;
        loop {
            let idle = self.pool.take(&way).await;
            let kept = idle.is_some();
            let (connection, seat) = if let Some(idle) = idle {
                idle
            } else {
                let seat = self.seat(step.url)?;
                let (options, tls) = (&shared.options.proxy, &shared.tls);
                // It is rare, and each target's task would hold the room for it all the time.
                let opened = Box::pin(connect::open(step.url, proxy, options, tls));
                (opened.await?, seat)
            };
            let used = Used {
                way: way.clone(),
                seat,
                http2: None,
            };
            let failure = match shared.ask(step, &made, connection, used).await? {
                Ok(answer) => {
                    if step.at_home
                        && answer.status == StatusCode::UNAUTHORIZED
                        && let Made::Headers(headers) = &made
                    {
                        shared.credentials.refused(headers).await;
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let replayable = failure.nothing_sent
                || matches!(
                    step.request.method,
                    Method::GET | Method::HEAD | Method::PUT
                );
            if !(kept && retry && replayable) {
                return Err(failure.error);
            }
            retry = false;
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

    /// Reads the body of an answer and keeps the connection if it stays open.
    async fn read(
        &self,
        request: &Request,
        answer: Answer,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let packed = answer.fields.get(CONTENT_ENCODING.as_str());
        let gzip = packed.is_some_and(|value| value.eq_ignore_ascii_case(b"gzip"));
        let limit = body_limit(request.body_limit);
        let read = if request.head_counts {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = Instant::now() + left / 2;
            body::read_some(answer.incoming, gzip, limit, patience).await
        } else {
            let plan = body::Plan {
                gzip,
                keep_packed: request.keep_packed,
                limit,
            };
            body::read(answer.incoming, plan).await?
        };
        let Used { way, seat, http2 } = answer.used;
        let connection = match (read.connection, http2) {
            (Some(http1), _) => Some(Connection::Http1(http1)),
            (None, Some(http2)) => Some(Connection::Http2(http2)),
            (None, None) => None,
        };
        let may_rest = !self.is_of_target || seat.may_rest();
        if let Some(connection) = connection.filter(|_| read.whole && may_rest) {
            self.pool.put(way, connection, seat);
        }
        Ok(Response {
            status: answer.status,
            headers: answer.fields,
            body: read.body,
            packed: read.packed,
            whole: read.whole,
        })
    }
}

/// A request as far as it is made before it is known which protocol the peer speaks.
enum Made<'m> {
    Headers(HeaderMap),
    /// For HTTP/1.
    Opening(&'m Opening),
}

impl Shared {
    /// What of a request is the same each time. None when there is something that must be asked for each time, or something
    /// wrong that is told when it is sent.
    fn fixed(self: &Arc<Self>, prepared: &Prepared) -> Option<Fixed> {
        if !self.credentials.are_fixed() {
            return None;
        }
        let (request, url) = (&prepared.request, &prepared.url);
        let headers = self.headers(request, url, true, Instant::now());
        let headers = headers.now_or_never()?.ok()?;
        Some(Fixed {
            owner: Arc::clone(self),
            to: way_to(url, self.proxies.select(url)),
            opening: self.opening(request, url, &headers),
        })
    }

    /// All headers but those that the protocol demands.
    async fn headers(
        &self,
        request: &Request,
        url: &Url,
        at_home: bool,
        deadline: Instant,
    ) -> Result<HeaderMap, Error> {
        let mut headers = request.headers.clone();
        if at_home {
            self.credentials.apply(&mut headers, deadline).await?;
        }
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
        if let Some(proxy) = self.forwarder(url)
            && let Some(value) = connect::proxy_authorization(proxy)
        {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// The proxy that a request is sent to as it is, to be forwarded.
    fn forwarder(&self, url: &Url) -> Option<&Url> {
        let proxy = self.proxies.select(url);
        proxy.filter(|proxy| url.scheme() == "http" && !is_socks(proxy))
    }

    /// The head of a request as HTTP/1 has it.
    fn opening(&self, request: &Request, url: &Url, headers: &HeaderMap) -> Opening {
        let host = host(url);
        let path = path(url);
        let target = match self.forwarder(url) {
            Some(_) => Cow::Owned(format!("{}://{host}{path}", url.scheme())),
            None => Cow::Borrowed(path),
        };
        http1::encode(&request.method, &target, &host, headers, request.body.len())
    }

    /// Sends a request over a connection, if it can be sent at all.
    async fn ask(
        &self,
        step: Step<'_>,
        made: &Made<'_>,
        connection: Connection,
        used: Used,
    ) -> Result<Result<Answer, Failure>, Error> {
        let Step { request, url, .. } = step;
        match connection {
            Connection::Http1(connection) => {
                let message = Message {
                    opening: match made {
                        Made::Opening(opening) => Opening::clone(opening),
                        Made::Headers(headers) => self.opening(request, url, headers),
                    },
                    body: request.body.clone(),
                    bodiless: request.method == Method::HEAD,
                };
                step.sent.store(true, Ordering::Relaxed);
                let answer = connection.ask(message).await;
                Ok(answer.map(|answer| Answer {
                    status: answer.status,
                    fields: answer.fields,
                    incoming: Incoming::Http1(answer.incoming),
                    used,
                }))
            }
            Connection::Http2(http2) => {
                let headers = match made {
                    Made::Headers(headers) => headers.clone(),
                    Made::Opening(_) => {
                        let headers = self.headers(request, url, step.at_home, step.deadline);
                        headers.await?
                    }
                };
                let message = message(request, url, headers)?;
                step.sent.store(true, Ordering::Relaxed);
                Ok(over_http2(http2, message, used).await)
            }
        }
    }
}

async fn over_http2(
    mut http2: Http2,
    message: hyper::Request<Full<Bytes>>,
    mut used: Used,
) -> Result<Answer, Failure> {
    match http2.send_request(message).await {
        Ok(answer) => {
            used.http2 = Some(http2);
            let (head, frames) = answer.into_parts();
            Ok(Answer {
                status: head.status,
                fields: Fields::from(&head.headers),
                incoming: Incoming::Http2 {
                    frames,
                    data: Vec::new(),
                },
                used,
            })
        }
        Err(why) => Err(Failure {
            error: protocol(&why),
            nothing_sent: why.is_canceled(),
        }),
    }
}

/// A request as HTTP/2 has it.
fn message(
    request: &Request,
    url: &Url,
    headers: HeaderMap,
) -> Result<hyper::Request<Full<Bytes>>, Error> {
    let (host, path) = (host(url), path(url));
    let uri = format!("{}://{host}{path}", url.scheme()).parse::<Uri>();
    let mut message = hyper::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = uri.map_err(|e| Error::Url(format!("{path:?}: {e}")))?;
    *message.headers_mut() = headers;
    Ok(message)
}

/// See [`Way::to`].
fn way_to(url: &Url, proxy: Option<&Url>) -> Arc<str> {
    let to = format!(
        "{}://{} {}",
        url.scheme(),
        authority(url),
        proxy.map_or("", Url::as_str)
    );
    to.into()
}

/// The host as a request names it.
fn host(url: &Url) -> Cow<'_, str> {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => Cow::Owned(format!("{host}:{port}")),
        None => Cow::Borrowed(host),
    }
}

/// Path and query.
fn path(url: &Url) -> &str {
    match &url[Position::BeforePath..Position::AfterQuery] {
        "" => "/",
        path => path,
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
