use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::response::{IntoResponse, Redirect, Response as Answer};
use axum::routing::{any, get, post};
use futures_util::stream;
use tokio::net::TcpListener;

use super::*;
use crate::model::Secret;
use crate::model::http_client::{
    Authorization, BasicAuth, HeaderOptions, OAuth2, ProxyOptions, SecretSource,
};

const TIMEOUT: Duration = Duration::from_secs(5);

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("port 0 binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn secret(text: &str) -> SecretSource {
    SecretSource::Inline(Secret::new(text))
}

async fn echo(request: Incoming) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap_or("?")));
    }
    lines.join("\n")
}

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
async fn redirects_keep_secrets_at_home() {
    let elsewhere = serve(Router::new().route("/", get(echo))).await;
    let target = format!("http://{elsewhere}/");
    let address = serve(
        Router::new()
            .route("/away", get(move || async move { Redirect::to(&target) }))
            .route("/home", get(|| async { Redirect::to("/echo") }))
            .route("/loop", get(|| async { Redirect::to("/loop") }))
            .route("/echo", get(echo)),
    )
    .await;
    let options = ClientOptions {
        authorization: Some(Authorization {
            scheme: "Bearer".to_owned(),
            credentials: secret("token"),
        }),
        ..ClientOptions::default()
    };
    let home = fetch(options.clone(), &format!("http://{address}/home")).await;
    assert!(text(&home.expect("answers")).contains("Bearer token"));
    let away = fetch(options.clone(), &format!("http://{address}/away")).await;
    assert!(!text(&away.expect("answers")).contains("Bearer token"));
    let endless = fetch(options.clone(), &format!("http://{address}/loop")).await;
    let error = endless.expect_err("never ends").to_string();
    assert!(error.ends_with("stopped after 10 redirects"), "{error}");
    let not_followed = ClientOptions {
        follow_redirects: false,
        ..options
    };
    let stays = fetch(not_followed, &format!("http://{address}/away")).await;
    assert_eq!(stays.expect("answers").status, StatusCode::SEE_OTHER);
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

#[tokio::test]
async fn tokens_are_fetched_once() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let address = serve(
        Router::new()
            .route(
                "/token",
                post(|request: Incoming| async move {
                    ASKED.fetch_add(1, Ordering::SeqCst);
                    let basic = request.headers().contains_key(AUTHORIZATION);
                    axum::Json(serde_json::json!({
                        "access_token": format!("token-{basic}"),
                        "token_type": "bearer", "expires_in": 3600
                    }))
                }),
            )
            .route("/", get(echo)),
    )
    .await;
    let client = Client::new(&ClientOptions {
        oauth2: Some(Box::new(OAuth2 {
            client_id: "id".to_owned(),
            client_secret: secret("s"),
            token_url: format!("http://{address}/token"),
            ..OAuth2::default()
        })),
        ..ClientOptions::default()
    })
    .expect("valid options");
    for _ in 0..3 {
        let answer = client
            .send(Request::get(format!("http://{address}/"), TIMEOUT))
            .await
            .expect("answers");
        assert!(text(&answer).contains("authorization: Bearer token-true"));
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn plain_requests_go_through_the_proxy_in_absolute_form() {
    let proxy = serve(Router::new().fallback(any(echo))).await;
    let answer = fetch(
        ClientOptions {
            proxy: ProxyOptions {
                url: Some(format!("http://u:p@{proxy}")),
                ..ProxyOptions::default()
            },
            ..ClientOptions::default()
        },
        "http://target.invalid/metrics?a=b",
    )
    .await
    .expect("the proxy answers");
    let lines = text(&answer);
    assert!(
        lines.starts_with("GET http://target.invalid/metrics?a=b"),
        "{lines}"
    );
    assert!(lines.contains("proxy-authorization: Basic dTpw"), "{lines}");
}

#[test]
fn requests_may_run_on_any_thread() {
    fn sendable<T: Send>(_: &T) {}
    let client = Client::new(&ClientOptions::default()).expect("valid options");
    sendable(&client.send(Request::get("http://x/", TIMEOUT)));
}
