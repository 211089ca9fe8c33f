//! Shakes hands over a stream, and hands out something that sends requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper::client::conn::{self, http2};
use hyper::header::{HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use url::Url;

use super::Error;
use super::dial::{self, authority, dial};
use super::error::tls_error;
use super::http1;
use super::proxy::is_socks;
use super::tls::Tls;
use crate::model::http_client::ProxyOptions;

/// How long an HTTP/2 connection may be silent before it is asked whether it lives.
const HTTP2_PING_AFTER: Duration = Duration::from_mins(1);

/// A connection on which a request can be sent.
pub(super) enum Connection {
    /// It serves one request after the other.
    Http1(http1::Connection),
    /// Clones serve many at once.
    Http2(Http2),
}

pub(super) type Http2 = http2::SendRequest<Full<Bytes>>;

impl Connection {
    /// Whether it is known that the peer has closed it. Of HTTP/1 that turns out with [`Self::wake`].
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(s) => s.is_closed(),
        }
    }

    /// Goes on with the connection after a rest; `None` when the peer has closed it.
    pub(super) async fn wake(mut self) -> Option<Self> {
        let is_well = match &mut self {
            Self::Http1(c) => c.is_quiet().await,
            Self::Http2(s) => s.ready().await.is_ok(),
        };
        is_well.then_some(self)
    }
}

/// Words a hyper error as Go would.
pub(super) fn protocol(error: &hyper::Error) -> Error {
    if error.is_incomplete_message() {
        return Error::Protocol("unexpected EOF".to_owned());
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::UnexpectedEof => Error::Protocol("unexpected EOF".to_owned()),
                _ => tls_error(io),
            };
        }
        source = inner.source();
    }
    if error.is_parse() {
        return Error::Protocol(format!("malformed HTTP response: {error}"));
    }
    Error::Protocol(error.to_string())
}

/// Opens a connection to the host of `target`, through `proxy` if there is one.
pub(super) async fn open(
    target: &Url,
    proxy: Option<&Url>,
    options: &ProxyOptions,
    tls: &Tls,
) -> Result<Connection, Error> {
    let secure = target.scheme() == "https";
    let Some(proxy) = proxy else {
        return over(dial(target).await?, target, tls).await;
    };
    if is_socks(proxy) {
        return over(dial::through_socks(target, proxy).await?, target, tls).await;
    }
    let stream = dial(proxy).await?;
    if proxy.scheme() == "https" {
        // compat: one `tls_config` serves the proxy and the target.
        let stream = wrap(stream, proxy, tls, Offer::Http1).await?;
        if !secure {
            return Ok(over_http1(stream));
        }
        let tunnel = tunnel(stream, target, proxy, options).await?;
        return start_tls(tunnel, target, tls).await;
    }
    if !secure {
        return Ok(over_http1(stream));
    }
    let tunnel = tunnel(stream, target, proxy, options).await?;
    start_tls(tunnel, target, tls).await
}

/// Speaks HTTP over a stream that leads to the target.
async fn over<S>(stream: S, target: &Url, tls: &Tls) -> Result<Connection, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if target.scheme() == "https" {
        start_tls(stream, target, tls).await
    } else {
        Ok(over_http1(stream))
    }
}

/// Which protocols a TLS handshake offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// HTTP/2 too, where the options allow it.
    AsConfigured,
    /// HTTP/1.1 alone.
    Http1,
}

async fn wrap<S>(
    stream: S,
    host: &Url,
    tls: &Tls,
    offer: Offer,
) -> Result<tokio_rustls::client::TlsStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut config, _) = tls.config().await?;
    if offer == Offer::Http1 {
        Arc::make_mut(&mut config).alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    let name = tls
        .server_name()
        .unwrap_or_else(|| host.host_str().unwrap_or_default())
        .trim_matches(['[', ']'])
        .to_owned();
    let name = ServerName::try_from(name.clone())
        .map_err(|_| Error::Tls(format!("invalid server name {name:?}")))?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|e| tls_error(&e))
}

async fn start_tls<S>(stream: S, target: &Url, tls: &Tls) -> Result<Connection, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = wrap(stream, target, tls, Offer::AsConfigured).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Ok(over_http1(stream));
    }
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // compat: a connection that says nothing for so long is asked whether it still lives.
        .keep_alive_interval(HTTP2_PING_AFTER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| protocol(&e))?;
    tokio::spawn(async move {
        if let Err(e) = connection.await {
            tracing::debug!(err = %e, "http/2 connection ended");
        }
    });
    Ok(Connection::Http2(sender))
}

fn over_http1<S>(stream: S) -> Connection
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Connection::Http1(http1::Connection::new(Box::new(stream)))
}

/// Asks an http proxy to connect us to `target`.
async fn tunnel<S>(
    stream: S,
    target: &Url,
    proxy: &Url,
    options: &ProxyOptions,
) -> Result<TokioIo<hyper::upgrade::Upgraded>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let (mut sender, connection) = conn::http1::handshake::<_, Empty<Bytes>>(stream)
        .await
        .map_err(|e| protocol(&e))?;
    tokio::spawn(connection.with_upgrades());
    let to = authority(target);
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&to)
        .header(HOST, &to)
        .body(Empty::new())
        .map_err(|e| Error::Proxy(e.to_string()))?;
    for (name, values) in &options.connect_headers {
        for value in values {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value.expose()),
            ) {
                request.headers_mut().append(name, value);
            }
        }
    }
    if let Some(value) = proxy_authorization(proxy) {
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| protocol(&e))?;
    if !response.status().is_success() {
        // compat: Go reports the proxy's status text alone.
        let reason = response.status().canonical_reason().unwrap_or("refused");
        return Err(Error::Proxy(reason.to_owned()));
    }
    let upgraded = hyper::upgrade::on(response)
        .await
        .map_err(|e| protocol(&e))?;
    Ok(TokioIo::new(upgraded))
}

/// Credentials in the proxy's address.
pub(super) fn proxy_authorization(proxy: &Url) -> Option<HeaderValue> {
    if proxy.username().is_empty() {
        return None;
    }
    let (name, password) = user_info(proxy);
    HeaderValue::from_str(&super::auth::basic(&name, &password)).ok()
}

/// User name and password in an address.
pub(super) fn user_info(url: &Url) -> (String, String) {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    (
        decode(url.username()),
        decode(url.password().unwrap_or_default()),
    )
}
