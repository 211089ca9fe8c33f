//! Listens and serves: connections with bounds, TLS that follows its files, a graceful end.

mod access;
mod request_line;
mod timed_body;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
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
            match secured(stream, web.as_deref()).await {
                Ok(Secured::Plain(stream)) => {
                    connection(stream, client, router, web, watcher, timeout).await;
                }
                Ok(Secured::Tls(stream)) => {
                    connection(*stream, client, router, web, watcher, timeout).await;
                }
                Err(e) => tracing::debug!(err = %e, "tls handshake failed"),
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

async fn secured(stream: TcpStream, web: Option<&Web>) -> Result<Secured, String> {
    let Some(config) = (match web {
        Some(web) => web.tls()?,
        None => None,
    }) else {
        return Ok(Secured::Plain(stream));
    };
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(Secured::Tls(Box::new(stream))),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("timeout".to_owned()),
    }
}

async fn connection<S>(
    stream: S,
    client: IpAddr,
    router: Router,
    web: Option<Arc<Web>>,
    watcher: hyper_util::server::graceful::Watcher,
    read_timeout: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ClientAddress(client));
        let (mut router, web) = (router.clone(), web.clone());
        async move {
            if let Some(web) = &web
                && let Some(refusal) = web.refusal(request.headers()).await
            {
                return Ok(refusal);
            }
            let request = request.map(|body| {
                if hyper::body::Body::is_end_stream(&body) {
                    axum::body::Body::empty()
                } else {
                    axum::body::Body::new(TimedBody::new(body, read_timeout))
                }
            });
            let mut answer = router.call(request).await;
            if let (Some(web), Ok(answer)) = (&web, &mut answer) {
                web.add_headers(answer.headers_mut());
            }
            answer
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout);
    builder.http2().timer(TokioTimer::new());
    let stream = TokioIo::new(Lenient::new(stream));
    let connection = builder.serve_connection(stream, TowerToHyperService::new(service));
    if let Err(e) = watcher.watch(connection).await {
        tracing::debug!(err = %e, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn bounds(read_timeout: Duration) -> Bounds {
        Bounds {
            connections: Arc::new(Semaphore::new(8)),
            read_timeout,
        }
    }

    /// Sends `text` to a server that echoes query and body, and gives what comes back until it hangs up.
    async fn exchange(text: &str, read_timeout: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let (_stop, stopped) = watch::channel(false);
        let echo = |request: axum::extract::Request| async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            match axum::body::to_bytes(request.into_body(), 100).await {
                Ok(body) => format!("[{query} {}]", String::from_utf8_lossy(&body)),
                Err(_) => "[no body]".to_owned(),
            }
        };
        let router = Router::new().route("/q", axum::routing::any(echo));
        tokio::spawn(serve(listener, router, None, bounds(read_timeout), stopped));
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(text.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        answer
    }

    #[tokio::test]
    async fn raw_quotes_in_a_query_are_taken_as_go_takes_them() {
        let answer = exchange(
            "GET /q?query=up{job=\"x\"}>0 HTTP/1.1\r\nHost: x\r\n\r\n\
             POST /q?a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\"<\"\
             GET /q?<> HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            Duration::from_secs(30),
        )
        .await;
        for part in ["[query=up{job=%22x%22}%3E0 ]", "[a \"<\"]", "[%3C%3E ]"] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_request_that_does_not_arrive_in_time_is_given_up() {
        let timeout = Duration::from_millis(100);
        let head = exchange("GET /q HTTP/1.1\r\nHost: x\r\n", timeout).await;
        assert!(!head.contains("200 OK"), "{head}");
        let body =
            "POST /q HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab";
        let answer = exchange(body, timeout).await;
        assert!(answer.contains("[no body]"), "{answer}");
    }

    #[tokio::test]
    async fn requests_that_run_may_finish_when_the_end_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                "done"
            }),
        );
        let server = tokio::spawn(serve(
            listener,
            router,
            None,
            bounds(Duration::from_secs(30)),
            stopped,
        ));
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("writes");
        tokio::time::sleep(Duration::from_millis(30)).await;
        stop.send(true).expect("the server listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.ends_with("done"), "{answer}");
        server.await.expect("ends");
    }

    /// A certificate for localhost and its key, as openssl made them; good for a century.
    const CERT: &str = include_str!("testdata/localhost.pem");
    const KEY: &str = include_str!("testdata/localhost.key");

    #[tokio::test]
    async fn a_web_config_brings_tls_and_passwords_and_is_read_again() {
        use crate::daemon::net::{Client, Request};
        use crate::model::Secret;
        use crate::model::http_client::{BasicAuth, ClientOptions, SecretSource, TlsOptions};

        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("web.yml");
        std::fs::write(folder.path().join("cert.pem"), CERT).expect("writes");
        std::fs::write(folder.path().join("key.pem"), KEY).expect("writes");
        let write = |password: &str| {
            let hash = bcrypt::hash(password, 4).expect("hashes");
            let text = format!(
                "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{alice: '{hash}'}}\n"
            );
            std::fs::write(&file, text).expect("writes");
        };
        write("one");
        let web = Arc::new(Web::open(&file).expect("a good file"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let (_stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "in" }));
        let bounds = bounds(Duration::from_secs(30));
        tokio::spawn(serve(listener, router, Some(web), bounds, stopped));
        let ask = |password: &'static str| async move {
            let client = Client::new(&ClientOptions {
                basic_auth: Some(BasicAuth {
                    username: SecretSource::Inline(Secret::new("alice")),
                    password: SecretSource::Inline(Secret::new(password)),
                }),
                tls: TlsOptions {
                    ca: SecretSource::Inline(Secret::new(CERT)),
                    ..TlsOptions::default()
                },
                ..ClientOptions::default()
            })
            .expect("valid options");
            let url = format!("https://localhost:{port}/");
            let answer = client.send(Request::get(url, Duration::from_secs(5))).await;
            answer.expect("answers").status.as_u16()
        };
        assert_eq!(ask("one").await, 200);
        assert_eq!(ask("one").await, 200);
        assert_eq!(ask("two").await, 401);
        write("two");
        assert_eq!(ask("two").await, 200);
        assert_eq!(ask("one").await, 401);
    }
}
