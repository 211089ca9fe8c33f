use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::daemon::testing::{secret, serve};
use crate::discovery::{FileOptions, HttpOptions};
use crate::model::http_client::{BasicAuth, ClientOptions};
use crate::time::Span;

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn addresses(discovery: &Discovery) -> Vec<String> {
    let groups = discovery.groups();
    let targets = groups.iter().flat_map(|g| &g.targets);
    targets
        .map(|t| t.get("__address__").unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_change_break_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(r#"[{"targets": ["one:1"]}, {"targets": ["two:2"]}]"#);
    let options = Options::File(FileOptions {
        files: vec![folder.path().join("*.json").display().to_string()],
        refresh_interval: Span::minutes(5),
    });
    let discovery = Discovery::start(
        "job",
        &[options],
        Clock::compressed(100),
        &Registry::default(),
    );
    until("found", || addresses(&discovery) == ["one:1", "two:2"]).await;
    assert_eq!(
        discovery.groups()[0].labels.get("__meta_filepath"),
        Some(path.display().to_string().as_str())
    );
    write(r#"[{"targets": ["three:3"]}]"#);
    until("changed", || addresses(&discovery) == ["three:3"]).await;
    write("[{");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        addresses(&discovery),
        ["three:3"],
        "a broken file changes nothing"
    );
    std::fs::remove_file(&path).unwrap();
    until("gone", || addresses(&discovery).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_asked_again_and_its_errors_change_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sd", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for reply in [
            (200, r#"[{"targets": ["one:1"]}, {"targets": ["two:2"]}]"#),
            (500, "no"),
            (200, r#"[{"targets": ["three:3"]}]"#),
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            requests.push(String::from_utf8_lossy(&buffer[..length]).to_ascii_lowercase());
            let text = format!(
                "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                reply.0,
                reply.1.len(),
                reply.1
            );
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        requests
    });
    let options = Options::Http(Box::new(HttpOptions {
        url: url.clone(),
        refresh_interval: Span::seconds(60),
        client: ClientOptions::default(),
    }));
    let discovery = Discovery::start(
        "job",
        &[options],
        Clock::compressed(200),
        &Registry::default(),
    );
    let mut seen = Vec::new();
    until("the last answer", || {
        let now = addresses(&discovery);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        seen.last().is_some_and(|a| a.len() == 1)
    })
    .await;
    seen.retain(|a| !a.is_empty());
    assert_eq!(seen, [vec!["one:1", "two:2"], vec!["three:3"]]);
    let requests = server.await.unwrap();
    assert!(requests[0].contains("x-prometheus-refresh-interval-seconds: 60"));
    assert!(requests[0].contains("accept: application/json"));
}

#[tokio::test]
async fn static_groups_are_there_at_once_and_keep_their_order() {
    let group = |address: &str| TargetGroup {
        targets: vec![[("__address__", address)].into_iter().collect()],
        ..TargetGroup::default()
    };
    let options = [Options::Static(vec![group("b"), group("a")])];
    let discovery = Discovery::start("job", &options, Clock::real(), &Registry::default());
    assert_eq!(addresses(&discovery), ["b", "a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_password_is_asked_with_it() {
    use axum::http::HeaderMap;
    use axum::response::IntoResponse as _;
    use axum::routing::get;

    let answer = |headers: HeaderMap| async move {
        let header = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
        if header("authorization").as_deref() != Some(b"Basic dTpw") {
            return axum::http::StatusCode::UNAUTHORIZED.into_response();
        }
        let interval = header("x-prometheus-refresh-interval-seconds").unwrap_or_default();
        let label = String::from_utf8_lossy(&interval).into_owned();
        let groups = serde_json::json!([{"targets": ["a:1"], "labels": {"every": label}}]);
        axum::Json(groups).into_response()
    };
    let router = axum::Router::new().route("/sd", get(answer));
    let url = format!("http://{}/sd", serve(router).await);
    let options = |password: &str| {
        Options::Http(Box::new(HttpOptions {
            url: url.clone(),
            refresh_interval: Span::seconds(30),
            client: ClientOptions {
                basic_auth: Some(BasicAuth {
                    username: secret("u"),
                    password: secret(password),
                }),
                ..ClientOptions::default()
            },
        }))
    };
    let both = [options("wrong"), options("p")];
    let discovery = Discovery::start("job", &both, Clock::real(), &Registry::default());
    until("found", || addresses(&discovery) == ["a:1"]).await;
    assert_eq!(discovery.groups()[0].labels.get("every"), Some("30"));
}
