//! The endpoints that tell of the server itself, and the status page.

use futures_util::StreamExt as _;

use super::*;
use crate::model::Labels;
use crate::relabel::{self, Action, Rule};

fn data(answer: &Answer) -> serde_json::Value {
    let mut body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(body["status"], "success", "{body}");
    body["data"].take()
}

fn relabeling() -> Parts {
    let mut parts = parts();
    parts.relabel_steps = Arc::new(|pool, labels: &Labels| {
        let rules = vec![Rule {
            source_labels: vec!["a".to_owned()],
            target_label: "b".to_owned(),
            ..Rule::default()
        }];
        let steps = relabel::trace(labels, &rules);
        (pool == "job").then(|| rules.into_iter().zip(steps).collect())
    });
    parts
}

#[tokio::test]
async fn relabel_steps_show_each_rule_and_what_it_makes() {
    let path = "/api/v1/targets/relabel_steps?scrapePool=job&labels=%7B%22a%22%3A%22x%22%7D";
    let answer = ask(relabeling(), request(Method::GET, path)).await;
    let expected = serde_json::json!({ "steps": [{
        "rule": {
            "sourceLabels": ["a"], "separator": ";", "regex": "(.*)", "targetLabel": "b",
            "replacement": "$1", "action": Action::Replace.as_str(),
        },
        "output": { "a": "x", "b": "x" },
        "keep": true,
    }]});
    assert_eq!(data(&answer), expected);
    for (query, error) in [
        ("", "no scrapePool parameter provided"),
        ("?scrapePool=job", "no labels parameter provided"),
        ("?scrapePool=job&labels=x", "error parsing labels: "),
        (
            "?scrapePool=nope&labels=%7B%7D",
            "error retrieving scrape config: scrape pool \\\"nope\\\" not found",
        ),
    ] {
        let path = format!("/api/v1/targets/relabel_steps{query}");
        let answer = ask(relabeling(), request(Method::GET, &path)).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains(error), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn features_tell_what_is_switched_on() {
    let mut parts = parts();
    parts.syntax.experimental_functions = true;
    parts.features.insert("exemplar-storage".to_owned());
    let features = data(&ask(parts, request(Method::GET, "/api/v1/features")).await);
    assert_eq!(features["promql_functions"]["info"], true);
    assert_eq!(features["tsdb"]["exemplar_storage"], true);
    let features = data(&get("/api/v1/features").await);
    assert_eq!(features["promql_functions"]["info"], false);
    assert_eq!(features["promql_functions"]["rate"], true);
    assert_eq!(features["service_discovery_providers"]["kubernetes"], false);
    let categories: Vec<&String> = features.as_object().expect("a map").keys().collect();
    assert_eq!(
        categories,
        [
            "api",
            "otlp_receiver",
            "prometheus",
            "promql",
            "promql_functions",
            "promql_operators",
            "rules",
            "scrape",
            "service_discovery_providers",
            "templating_functions",
            "tsdb",
            "ui"
        ]
    );
}

#[tokio::test]
async fn notifications_are_told_as_they_come_even_before_the_daemon_is_ready() {
    let mut parts = parts();
    parts.readiness = Arc::default();
    let notices = parts.notices.clone();
    notices.add("first", WallTime::from_ms(1_700_000_000_000));
    let state = State::new(parts);
    let ask = |path: &str| router(state.clone()).oneshot(request(Method::GET, path));
    let response = ask("/api/v1/notifications/live").await.expect("answers");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    notices.remove("first");
    notices.end();
    let mut text = String::new();
    while let Some(chunk) = events.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
    }
    let event = |active| {
        format!(
            "data: {{\"text\":\"first\",\"date\":\"2023-11-14T22:13:20Z\",\"active\":{active}}}\n\n"
        )
    };
    assert_eq!(text, event(true) + &event(false));
    let response = ask("/api/v1/notifications").await.expect("answers");
    assert_eq!(response.status().as_u16(), 200);
    let late = ask("/api/v1/notifications/live").await.expect("answers");
    assert_eq!(late.status().as_u16(), 204);
}

#[tokio::test]
async fn the_status_page_has_a_strict_policy_and_links_lead_to_it() {
    for path in [
        "/query",
        "/graph?g0.expr=up&g0.tab=1",
        "/alerts",
        "/targets",
        "/rules",
        "/status",
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers["content-security-policy"]
            .to_str()
            .expect("text");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let mut prefixed = parts();
    prefixed.external_url = "http://host/prom".to_owned();
    prefixed.route_prefix = "/prom".to_owned();
    let state = State::new(prefixed);
    for (path, status) in [
        ("/prom", 302),
        ("/prom/", 302),
        ("/prom/alerts", 200),
        ("/alerts", 404),
    ] {
        let answer = router(state.clone()).oneshot(request(Method::GET, path));
        let answer = answer.await.expect("answers");
        assert_eq!(answer.status().as_u16(), status, "{path}");
        if status == 302 {
            assert_eq!(answer.headers()["location"], "/prom/query", "{path}");
        }
    }
    assert_eq!(get("/").await.headers["location"], "/query");
    let post = ask(parts(), request(Method::POST, "/query")).await;
    assert_eq!(post.status, 405);
}
