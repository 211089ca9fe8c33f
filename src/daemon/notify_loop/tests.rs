use std::time::Duration;

use axum::body::Bytes;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::model::Labels;
use crate::time::WallTime;

fn alert(name: &str) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: Labels::empty(),
        starts_at: WallTime::ZERO,
        ends_at: WallTime::ZERO,
        generator_url: "".into(),
        updated_at: WallTime::ZERO,
        timeout: false,
    }
}

fn options(path: Option<PathBuf>) -> NotifyOptions {
    NotifyOptions {
        path,
        gc_interval: Span::minutes(30),
        retention: Span::hours(1),
        syntax: Syntax::default(),
        silence_limits: SilenceLimits::default(),
        alertname_limit: 0,
        clock: Clock::real(),
        external_url: "http://us".to_owned(),
        receiver_name_in_metrics: false,
    }
}

/// A receiver that hands bodies on at `/good`, and never answers at `/hang`.
async fn receiver() -> (String, mpsc::Receiver<String>) {
    let (tell, told) = mpsc::channel(100);
    let app = axum::Router::new()
        .route(
            "/good",
            post(move |body: Bytes| {
                let tell = tell.clone();
                async move {
                    let _ = tell.send(String::from_utf8_lossy(&body).into_owned()).await;
                }
            }),
        )
        .route("/hang", post(std::future::pending::<()>));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), told)
}

fn config(base: &str) -> Loaded {
    let text = format!(
        "route: {{receiver: a, group_by: ['...'], group_wait: 0s, group_interval: 30s}}
receivers:
- name: a
  webhook_configs: [{{url: '{base}/hang'}}, {{url: '{base}/good'}}]
"
    );
    Loaded::from_text(&text).expect("right")
}

async fn next(told: &mut mpsc::Receiver<String>) -> serde_json::Value {
    let body = tokio::time::timeout(Duration::from_mins(1), told.recv())
        .await
        .expect("in time")
        .expect("a body");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test]
async fn notifications_arrive_though_another_integration_hangs() {
    let (base, mut told) = receiver().await;
    let metrics = Registry::default();
    let folder = tempfile::tempdir().expect("a folder");
    let path = Some(folder.path().to_owned());
    let running = NotifyLoop::start(options(path.clone()), &config(&base), &metrics);
    let running = running.expect("starts");
    running.take(vec![alert("A"), alert("B")]).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let body = next(&mut told).await;
        assert_eq!(body["externalURL"], "http://us");
        assert_eq!(body["notification_reason"], "first notification");
        names.push(body["groupLabels"]["alertname"].as_str().map(str::to_owned));
    }
    names.sort();
    assert_eq!(names, [Some("A".to_owned()), Some("B".to_owned())]);
    running.stop().await;
    // The next process knows what was told, and that the other integration was not.
    drop(running);
    let again = NotifyLoop::start(options(path), &config(&base), &metrics).expect("starts");
    let now = Clock::real().now();
    let views = again.handle().with(|router| router.alerts(now, |_| true));
    assert_eq!(views.len(), 2);
    again.take(vec![alert("C")]).await;
    assert_eq!(next(&mut told).await["groupLabels"]["alertname"], "C");
    again.stop().await;
}

#[tokio::test]
async fn without_a_router_file_notifications_are_shown_in_the_log() {
    let metrics = Registry::default();
    let running = NotifyLoop::start(options(None), &Loaded::log_only(), &metrics).expect("starts");
    let old = WallTime::from_ms(1_700_000_000_000);
    let alerts = vec![Alert {
        starts_at: old,
        ..alert("A")
    }];
    running.take(alerts).await;
    for _ in 0..1200 {
        let now = Clock::real().now();
        let stats = running.handle().with(|router| router.stats(now));
        if stats.counts.delivered == 1 {
            running.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing was shown");
}

#[tokio::test]
async fn a_reload_changes_where_notifications_go() {
    let (base, mut told) = receiver().await;
    let metrics = Registry::default();
    let running = NotifyLoop::start(options(None), &Loaded::log_only(), &metrics).expect("starts");
    let prepared = running.prepare(&config(&base)).expect("right");
    running.switch(prepared).await;
    assert_eq!(running.handle().info().receivers[0].name, "a");
    running.take(vec![alert("A")]).await;
    assert_eq!(next(&mut told).await["receiver"], "a");
    running.stop().await;
}

#[tokio::test]
async fn a_sink_takes_what_would_have_been_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sent.jsonl");
    let text = "route: {receiver: a, group_by: ['...'], group_wait: 0s}
receivers:
- name: a
  webhook_configs: [{url: 'http://127.0.0.1:1/secret'}]
  email_configs: [{to: x@example.org, from: w@example.org, smarthost: '127.0.0.1:1'}]
";
    let own = WatchfireOptions {
        sinks: vec![("a".to_owned(), Sink::File(file.clone()))],
        ..WatchfireOptions::default()
    };
    let loaded = Loaded::from_text(text).expect("right").with_watchfire(&own);
    let metrics = Registry::default();
    let running = NotifyLoop::start(options(None), &loaded, &metrics).expect("starts");
    running.take(vec![alert("A")]).await;
    let mut lines = Vec::new();
    for _ in 0..400 {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        lines = text.lines().map(str::to_owned).collect();
        if lines.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(!lines.concat().contains("secret"), "addresses stay out");
    lines.sort();
    let lines: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |integration: &str| {
        let found = lines.iter().find(|line| line["integration"] == integration);
        found.expect("a line").clone()
    };
    let hook = of("webhook/0");
    assert_eq!(hook["receiver"], "a");
    assert_eq!(hook["alerts"][0]["labels"]["alertname"], "A");
    assert_eq!(hook["body"]["groupLabels"]["alertname"], "A");
    let mail = of("email/0");
    assert_eq!(mail["to"][0], "x@example.org");
    assert!(
        mail["message"]
            .as_str()
            .is_some_and(|m| m.contains("Subject:"))
    );
}

#[test]
fn wrong_files_are_told_with_their_places() {
    let error = Loaded::from_text("route: {receiver: b}\nreceivers: [{name: a}]\n");
    let text = error.expect_err("wrong").to_string();
    assert_eq!(
        text,
        "alertmanager.yml:1:19: undefined receiver \"b\" used in route"
    );
    assert!(Loaded::from_file(Path::new("/nowhere/am.yml"), Syntax::default()).is_err());
}
