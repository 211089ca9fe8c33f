use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};
use hyper::StatusCode;

use super::{TIMEOUT, client, lines};
use crate::daemon::net::Request;
use crate::daemon::testing::{echo, secret, serve};
use crate::model::Secret;
use crate::model::http_client::{Authorization, ClientOptions, HeaderOptions};

fn with_secrets() -> ClientOptions {
    ClientOptions {
        authorization: Some(Authorization {
            scheme: "Token".to_owned(),
            credentials: secret("t0k3n"),
        }),
        http_headers: vec![HeaderOptions {
            name: "X-Scope".to_owned(),
            values: vec!["open".to_owned()],
            secrets: vec![Secret::new("hidden")],
            files: Vec::new(),
        }],
        ..ClientOptions::default()
    }
}

/// A server that sends its callers to `target`, and one that shows what arrives there.
async fn sending_to(target: &str) -> u16 {
    let target = target.to_owned();
    let away = get(move || async move { Redirect::to(&target) });
    let router = Router::new().route("/", away).route("/echo", any(echo));
    serve(router).await.port()
}

fn has(lines: &[String], wanted: &str) -> bool {
    lines.iter().any(|line| line == wanted)
}

#[tokio::test]
async fn what_is_configured_follows_to_another_port_of_the_host() {
    let elsewhere = serve(Router::new().route("/", get(echo))).await.port();
    let port = sending_to(&format!("http://127.0.0.1:{elsewhere}/")).await;
    let seen = lines(
        &client(with_secrets()),
        &format!("http://127.0.0.1:{port}/"),
    )
    .await;
    for wanted in [
        "authorization: Token t0k3n",
        "x-scope: open",
        "x-scope: hidden",
    ] {
        assert!(has(&seen, wanted), "{seen:?}");
    }
}

#[tokio::test]
async fn another_host_gets_nothing_even_when_it_sends_the_caller_back() {
    let elsewhere = serve(Router::new().route("/", get(echo))).await.port();
    let port = sending_to(&format!("http://localhost:{elsewhere}/")).await;
    let client = client(with_secrets());
    let seen = lines(&client, &format!("http://127.0.0.1:{port}/")).await;
    assert!(
        has(&seen, &format!("host: localhost:{elsewhere}")),
        "{seen:?}"
    );
    let leaked = |seen: &[String]| {
        seen.iter()
            .any(|line| line.starts_with("authorization") || line.starts_with("x-scope"))
    };
    assert!(!leaked(&seen), "{seen:?}");
    let back = sending_to(&format!("http://127.0.0.1:{port}/echo")).await;
    let port = sending_to(&format!("http://localhost:{back}/")).await;
    let seen = lines(&client, &format!("http://127.0.0.1:{port}/")).await;
    assert!(
        has(&seen, &format!("host: 127.0.0.1:{}", port_of(&seen))),
        "{seen:?}"
    );
    assert!(!leaked(&seen), "{seen:?}");
}

fn port_of(seen: &[String]) -> &str {
    let host = seen.iter().find_map(|line| line.strip_prefix("host: "));
    host.and_then(|host| host.rsplit_once(':'))
        .expect("a host")
        .1
}

#[tokio::test]
async fn redirects_end_and_can_be_declined() {
    let router = Router::new()
        .route("/loop", get(|| async { Redirect::to("/loop") }))
        .route("/home", get(|| async { Redirect::to("echo?a=b") }))
        .route("/nowhere", get(|| async { Redirect::to("gopher://x/") }))
        .route("/echo", get(echo));
    let port = serve(router).await.port();
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let following = client(with_secrets());
    let seen = lines(&following, &url("home")).await;
    assert_eq!(seen[0], "GET /echo?a=b HTTP/1.1");
    assert!(has(&seen, "authorization: Token t0k3n"), "{seen:?}");
    let why = super::cause(&following, &url("loop")).await;
    assert_eq!(why, "stopped after 10 redirects");
    let why = super::cause(&following, &url("nowhere")).await;
    assert!(why.contains("Location"), "{why}");
    let staying = client(ClientOptions {
        follow_redirects: false,
        ..with_secrets()
    });
    let answer = super::fetch(&staying, &url("loop")).await.expect("answers");
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_status_says_whether_method_and_body_come_along() {
    let router = Router::new()
        .route("/307", any(|| async { Redirect::temporary("/echo") }))
        .route("/303", any(|| async { Redirect::to("/echo") }))
        .route("/echo", any(echo));
    let port = serve(router).await.port();
    let client = client(ClientOptions::default());
    for (status, first, last) in [(307, "POST", "the body"), (303, "GET", "")] {
        let url = format!("http://127.0.0.1:{port}/{status}");
        let request = Request::post(url, "text/plain", "the body", TIMEOUT);
        let answer = client.send(request).await.expect("answers");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.starts_with(first), "{text}");
        assert_eq!(
            text.lines().last().unwrap_or_default() == "the body",
            !last.is_empty()
        );
    }
}
