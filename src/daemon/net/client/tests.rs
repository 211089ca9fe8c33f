use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response as Answer};
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::daemon::testing::{echo, secret, serve};
use crate::model::http_client::{Authorization, BasicAuth, HeaderOptions, SecretSource};

/// Long, because it ends a hang and measures nothing.
const TIMEOUT: Duration = Duration::from_mins(1);

async fn fetch(options: ClientOptions, url: &str) -> Result<Response, Error> {
    let client = Client::new(&options).expect("valid options");
    client.send(Request::get(url, TIMEOUT)).await
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    static PEERS: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("port 0 binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            PEERS.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(
                hyper_util::rt::TokioIo::new(stream),
                hyper::service::service_fn(|_| async {
                    Ok::<_, Infallible>(hyper::Response::new("ok".to_owned()))
                }),
            ));
        }
    });
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    for _ in 0..5 {
        let answer = client
            .send(Request::get(format!("http://{address}/metrics"), TIMEOUT))
            .await
            .expect("answers");
        assert_eq!(text(&answer), "ok");
    }
    assert_eq!(PEERS.load(Ordering::SeqCst), 1);
}

/// Answers `reply` to each request over a connection, or to the first alone. Says how many connections there were.
async fn raw_server(reply: &'static str, closes: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("port 0 binds");
    let address = listener.local_addr().expect("bound");
    let peers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&peers);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    let _ = stream.write_all(reply.as_bytes()).await;
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    (format!("http://{address}/"), peers)
}

#[tokio::test]
async fn a_connection_is_kept_as_long_as_the_peer_keeps_it() {
    let plain = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let cases = [
        (plain, false, 1),
        (plain, true, 3),
        (
            "HTTP/1.1 200 OK\r\nconnection: Foo, Close\r\ncontent-length: 2\r\n\r\nok",
            false,
            3,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", false, 3),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            false,
            1,
        ),
        // What nobody asked for is not the next answer.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
            false,
            3,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            false,
            1,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nok", true, 3),
    ];
    for (reply, closes, connections) in cases {
        let (url, peers) = raw_server(reply, closes).await;
        let client = Client::new(&ClientOptions::default()).expect("valid options");
        for _ in 0..3 {
            let answer = client.send(Request::get(&url, TIMEOUT)).await;
            let answer = answer.unwrap_or_else(|e| panic!("{reply:?}: {e}"));
            assert_eq!((answer.status.as_u16(), &*text(&answer)), (200, "ok"));
        }
        assert_eq!(peers.load(Ordering::SeqCst), connections, "{reply:?}");
    }
}

/// Answers the first request over each connection, and closes when it has the second.
async fn forgetful_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("port 0 binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = stream.write_all(reply).await;
                let _ = stream.read(&mut request).await;
            });
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn what_a_dead_connection_swallowed_is_asked_again_unless_it_may_count_twice() {
    let url = forgetful_server().await;
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    for _ in 0..4 {
        let answer = client.send(Request::get(&url, TIMEOUT)).await;
        assert_eq!(text(&answer.expect("answers")), "ok");
    }
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    let post = || Request::post(&url, "text/plain", "once", TIMEOUT);
    assert_eq!(text(&client.send(post()).await.expect("answers")), "ok");
    let error = client.send(post()).await.expect_err("no answer");
    assert!(error.may_have_arrived());
    assert_eq!(error.cause().to_string(), "unexpected EOF");
    assert_eq!(text(&client.send(post()).await.expect("answers")), "ok");
}

#[tokio::test]
async fn credentials_and_headers_are_sent() {
    let address = serve(Router::new().route("/", get(echo))).await;
    let answer = fetch(
        ClientOptions {
            basic_auth: Some(BasicAuth {
                username: secret("user"),
                password: secret("pass"),
            }),
            http_headers: vec![HeaderOptions {
                name: "X-Scope".to_owned(),
                values: vec!["a".to_owned(), "b".to_owned()],
                ..HeaderOptions::default()
            }],
            ..ClientOptions::default()
        },
        &format!("http://{address}/"),
    )
    .await
    .expect("answers");
    let lines = text(&answer);
    assert!(
        lines.contains("authorization: Basic dXNlcjpwYXNz"),
        "{lines}"
    );
    assert!(lines.contains("x-scope: a\nx-scope: b"), "{lines}");
    assert!(lines.contains(&format!("host: {address}")), "{lines}");
}

#[tokio::test]
async fn a_credentials_file_is_read_for_each_request() {
    let address = serve(Router::new().route("/", get(echo))).await;
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), "first\n").expect("writes");
    let client = Client::new(&ClientOptions {
        authorization: Some(Authorization {
            scheme: String::new(),
            credentials: SecretSource::File(file.path().to_owned()),
        }),
        ..ClientOptions::default()
    })
    .expect("valid options");
    for content in ["first", "second"] {
        std::fs::write(file.path(), content).expect("writes");
        let answer = client
            .send(Request::get(format!("http://{address}/"), TIMEOUT))
            .await
            .expect("answers");
        assert!(text(&answer).contains(&format!("authorization: Bearer {content}")));
    }
}

#[tokio::test]
async fn bodies_are_unpacked_and_bounded() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b'x'; 1 << 20]).expect("packs");
    let packed = packer.finish().expect("packs");
    let endless = || async {
        let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 4096])));
        Answer::new(Body::from_stream(pieces))
    };
    let address = serve(
        Router::new()
            .route(
                "/gzip",
                get(move || async move { ([(CONTENT_ENCODING, "gzip")], packed).into_response() }),
            )
            .route("/endless", get(endless)),
    )
    .await;
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    let ask = |path: &str, body_limit| Request {
        gzip: true,
        body_limit,
        ..Request::get(format!("http://{address}{path}"), TIMEOUT)
    };
    let all = client.send(ask("/gzip", 0)).await.expect("answers");
    assert_eq!(all.body.len(), 1 << 20);
    for path in ["/gzip", "/endless"] {
        let error = client.send(ask(path, 65_536)).await.expect_err("too large");
        assert_eq!(error.to_string(), "body size limit exceeded");
    }
}

#[tokio::test]
async fn a_slow_peer_costs_the_timeout_and_no_more() {
    let address = serve(Router::new().route(
        "/",
        get(|| async { tokio::time::sleep(Duration::from_mins(1)).await }),
    ))
    .await;
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    let error = client
        .send(Request::get(
            format!("http://{address}/"),
            Duration::from_millis(100),
        ))
        .await
        .expect_err("too slow");
    assert!(error.is_timeout());
    assert_eq!(
        error.to_string(),
        format!("Get \"http://{address}/\": context deadline exceeded")
    );
}

#[tokio::test]
async fn a_refused_connection_reads_as_in_go() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("port 0 binds");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error = fetch(
        ClientOptions::default(),
        &format!("http://{address}/metrics"),
    )
    .await
    .expect_err("nobody listens");
    assert_eq!(
        error.to_string(),
        format!(
            "Get \"http://{address}/metrics\": dial tcp {address}: connect: connection refused"
        )
    );
}

#[test]
fn requests_may_run_on_any_thread() {
    fn sendable<T: Send>(_: &T) {}
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    sendable(&client.send(Request::get("http://x/", TIMEOUT)));
}
