//! Listens and serves: connections with bounds, TLS that follows its files, a graceful end.

mod access;
mod passwords;
mod rate;
mod request_line;
#[cfg(test)]
mod tests;
mod timed_body;
mod tls;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service as _;

pub use access::Web;
use request_line::Lenient;
use timed_body::TimedBody;

use crate::http::query_log::ClientAddress;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests that run may go on after the end was asked for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What clients may cost.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at once, over all listeners (`--web.max-connections`).
    pub connections: Arc<Semaphore>,
    /// How long the head of a request may take, idle time before it included, and then its body
    /// (`--web.read-timeout`).
    pub read_timeout: Duration,
}

/// Serves `router` on `listener` until `stop` turns true, then lets requests finish.
///
/// With `web`, TLS and passwords are as its file says.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    web: Option<Arc<Web>>,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            permit = Arc::clone(&bounds.connections).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, client) = match accepted {
            Ok((stream, address)) => (stream, address.ip()),
            Err(e) => {
                // Out of files, most likely: waiting is all that helps.
                tracing::warn!(err = %e, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (router, web) = (router.clone(), web.clone());
        let (watcher, timeout) = (graceful.watcher(), bounds.read_timeout);
        tokio::spawn(async move {
            let _permit = permit;
            let (stream, http2) = match secured(stream, web.as_ref()).await {
                Ok(secured) => secured,
                Err(e) => {
                    tracing::debug!(err = %e, "tls handshake failed");
                    return;
                }
            };
            let speaker = Speaker {
                client,
                router,
                web,
                http2,
                read_timeout: timeout,
            };
            match stream {
                Secured::Plain(stream) => speaker.serve(stream, watcher).await,
                Secured::Tls(stream) => speaker.serve(*stream, watcher).await,
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
}

enum Secured {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

/// Shakes hands where TLS is wanted. The second part says whether HTTP/2 may be spoken.
async fn secured(stream: TcpStream, web: Option<&Arc<Web>>) -> Result<(Secured, bool), String> {
    let Some(web) = web else {
        return Ok((Secured::Plain(stream), false));
    };
    let speech = web.speech().await.inspect_err(|why| {
        tracing::error!(err = why, "web.config.file cannot be followed");
    })?;
    let Some(config) = speech.tls else {
        return Ok((Secured::Plain(stream), speech.http2));
    };
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok((Secured::Tls(Box::new(stream)), speech.http2)),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("timeout".to_owned()),
    }
}

/// What a connection is served with.
struct Speaker {
    /// Who is connected.
    client: IpAddr,
    router: Router,
    web: Option<Arc<Web>>,
    /// Whether HTTP/2 may be spoken.
    http2: bool,
    read_timeout: Duration,
}

impl Speaker {
    async fn serve<S>(self, stream: S, watcher: hyper_util::server::graceful::Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (http2, read_timeout) = (self.http2, self.read_timeout);
        let speaker = Arc::new(self);
        let service = tower::service_fn(move |request| {
            let speaker = Arc::clone(&speaker);
            async move { speaker.answer(request).await }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(read_timeout);
        builder.http2().timer(TokioTimer::new());
        if !http2 {
            builder = builder.http1_only();
        }
        let stream = TokioIo::new(Lenient::new(stream));
        let connection = builder.serve_connection(stream, TowerToHyperService::new(service));
        if let Err(e) = watcher.watch(connection).await {
            tracing::debug!(err = %e, "connection ended");
        }
    }

    async fn answer(
        &self,
        mut request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        request.extensions_mut().insert(ClientAddress(self.client));
        let added = match &self.web {
            None => HeaderMap::new(),
            Some(web) => match web.admit(request.headers()).await {
                Ok(added) => added,
                Err(refusal) => return Ok(*refusal),
            },
        };
        let request = request.map(|body| {
            if hyper::body::Body::is_end_stream(&body) {
                Body::empty()
            } else {
                Body::new(TimedBody::new(body, self.read_timeout))
            }
        });
        let mut answer = self.router.clone().call(request).await?;
        answer.headers_mut().extend(added);
        Ok(answer)
    }
}
