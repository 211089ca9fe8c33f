mod grafana;
mod surface;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use tower::ServiceExt as _;

use super::*;
use crate::storage::reference::ReferenceStorage;
use crate::time::WallTime;

fn parts() -> Parts {
    let mut parts = Parts::new(
        Arc::new(ReferenceStorage::new()),
        Arc::new(|| WallTime::from_ms(1_700_000_000_000)),
    );
    parts.readiness.set_ready();
    parts.build.version = "3.14.0".to_owned();
    parts.external_url = "http://host:9090".to_owned();
    parts.listen_port = 9090;
    parts
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(parts: Parts, request: Request<Body>) -> Answer {
    let response = router(State::new(parts))
        .oneshot(request)
        .await
        .expect("never fails");
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("in memory");
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .expect("valid request")
}

async fn get(path: &str) -> Answer {
    ask(parts(), request(Method::GET, path)).await
}

#[tokio::test]
async fn whatever_reads_for_clients_is_refused_while_memory_is_short() {
    let short = || {
        let mut parts = parts();
        parts.sheds_queries = Arc::new(|| true);
        parts
    };
    for path in [
        "/api/v1/query?query=up",
        "/api/v1/query_range?query=up&start=0&end=1&step=1",
        "/api/v1/series?match[]=up",
        "/api/v1/labels",
        "/api/v1/label/job/values",
        "/api/v1/query_exemplars?query=up",
        "/federate?match[]=up",
    ] {
        let answer = ask(short(), request(Method::GET, path)).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(
            answer.body.contains("memory is short"),
            "{path}: {}",
            answer.body
        );
    }
    for path in [
        "/api/v1/rules",
        "/api/v1/alerts",
        "/api/v1/targets",
        "/metrics",
    ] {
        let answer = ask(short(), request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_answer_as_go_does() {
    for path in [
        "/nope",
        "/api/v1/nope",
        "/rules/test/test",
        "/alertmanager/api/v2/status",
    ] {
        let answer = get(path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, "404 page not found\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn get_only_paths_refuse_other_methods() {
    for path in [
        "/api/v1/targets",
        "/api/v1/status/buildinfo",
        "/api/v1/notifications",
    ] {
        let answer = ask(parts(), request(Method::POST, path)).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.headers["allow"], "GET, OPTIONS", "{path}");
    }
}

#[tokio::test]
async fn cors_headers_stand_where_an_origin_asks() {
    let mut options = request(Method::OPTIONS, "/api/v1/targets");
    options
        .headers_mut()
        .insert("origin", HeaderValue::from_static("http://x"));
    let answer = ask(parts(), options).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["access-control-allow-origin"], "http://x");
    assert!(
        !get("/api/v1/targets")
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn nothing_is_answered_before_the_daemon_is_ready() {
    let mut unready = parts();
    unready.readiness = Arc::default();
    let readiness = Arc::clone(&unready.readiness);
    let answer = ask(unready, request(Method::GET, "/-/ready")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["x-prometheus-stopping"], "false");
    readiness.set_stopping();
    let mut stopping = parts();
    stopping.readiness = readiness;
    let answer = ask(stopping, request(Method::GET, "/api/v1/targets")).await;
    assert_eq!(answer.headers["x-prometheus-stopping"], "true");
    assert_eq!(
        get("/-/healthy").await.body,
        "Prometheus Server is Healthy.\n"
    );
}

#[tokio::test]
async fn lifecycle_is_off_unless_asked_for() {
    let answer = ask(parts(), request(Method::POST, "/-/reload")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "Lifecycle API is not enabled.")
    );
    assert_eq!(get("/-/quit").await.status, 405);
}

#[tokio::test]
async fn targets_are_shown_with_what_was_dropped() {
    let mut parts = parts();
    parts.targets = Arc::new(|| {
        vec![state::PoolView {
            name: "job".to_owned(),
            active: vec![state::TargetView {
                url: "http://127.0.0.1:9090/metrics".to_owned(),
                health: "up",
                ..state::TargetView::default()
            }],
            dropped_count: 3,
            ..state::PoolView::default()
        }]
    });
    let answer = ask(parts, request(Method::GET, "/api/v1/targets")).await;
    assert!(
        answer
            .body
            .contains("\"globalUrl\":\"http://host:9090/metrics\""),
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains("\"droppedTargetCounts\":{\"job\":3}"),
        "{}",
        answer.body
    );
    assert!(
        answer
            .body
            .contains("\"lastScrape\":\"0001-01-01T00:00:00Z\""),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn large_answers_are_packed_for_those_who_take_it() {
    let mut parts = parts();
    parts.config = Arc::new(|| "x".repeat(5000));
    let mut asked = request(Method::GET, "/api/v1/status/config");
    asked.headers_mut().insert(
        "accept-encoding",
        HeaderValue::from_static("deflate, gzip;q=0.8"),
    );
    let answer = ask(parts, asked).await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_route_prefix_moves_everything() {
    let mut parts = parts();
    parts.route_prefix = "/prom/".to_owned();
    let state = State::new(parts);
    for (path, status) in [
        ("/prom/-/healthy", 200),
        ("/-/healthy", 404),
        ("/prom/nope", 404),
    ] {
        let response = router(state.clone())
            .oneshot(request(Method::GET, path))
            .await
            .expect("never fails");
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
}

fn group(name: &str) -> crate::rules::GroupView {
    use crate::rules::{AlertState, AlertView, GroupView, Health, RuleKind, RuleView};
    use crate::time::{Span, Timestamp};
    let rule = |name: &str, kind| RuleView {
        name: name.to_owned(),
        query: "up == 0".to_owned(),
        labels: crate::model::Labels::empty(),
        kind,
        health: Health::Ok,
        last_error: String::new(),
        evaluation_time: std::time::Duration::from_millis(1),
        last_evaluation: Some(Timestamp::from_ms(1_700_000_000_123)),
    };
    let alert = AlertView {
        labels: crate::model::Labels::from_pairs([("alertname", "Down")]),
        annotations: crate::model::Labels::empty(),
        state: AlertState::Firing,
        active_at: Timestamp::from_ms(1_700_000_000_000),
        keep_firing_since: None,
        value: 0.0,
    };
    let alerting = RuleKind::Alerting {
        state: AlertState::Firing,
        hold: Span::seconds(90),
        keep_firing_for: Span::ZERO,
        annotations: crate::model::Labels::empty(),
        alerts: vec![alert],
    };
    GroupView {
        name: name.to_owned(),
        file: "rules.yml".to_owned(),
        interval: Span::seconds(15),
        limit: 0,
        rules: vec![rule("Down", alerting), rule("r", RuleKind::Recording)],
        evaluation_time: std::time::Duration::from_millis(2),
        last_evaluation: None,
    }
}

async fn rules(query: &str) -> Answer {
    let mut parts = parts();
    parts.rules = Arc::new(|| vec![group("g1"), group("g2")]);
    ask(
        parts,
        request(Method::GET, &format!("/api/v1/rules{query}")),
    )
    .await
}

#[tokio::test]
async fn rules_look_as_upstream_shows_them() {
    let answer = rules("?rule_group[]=g1&rule_group=mimir&type=alert").await;
    assert_eq!(
        answer.body,
        r#"{"status":"success","data":{"groups":[{"name":"g1","file":"rules.yml","rules":[{"state":"firing","name":"Down","query":"up == 0","duration":90,"keepFiringFor":0,"labels":{},"annotations":{},"alerts":[{"labels":{"alertname":"Down"},"annotations":{},"state":"firing","activeAt":"2023-11-14T22:13:20Z","value":"0e+00"}],"health":"ok","evaluationTime":0.001,"lastEvaluation":"2023-11-14T22:13:20.123Z","type":"alerting"}],"interval":15,"limit":0,"evaluationTime":0.002,"lastEvaluation":"0001-01-01T00:00:00Z"}]}}"#
    );
}

#[tokio::test]
async fn pages_of_rules_continue_where_the_token_says() {
    let first: serde_json::Value =
        serde_json::from_str(&rules("?group_limit=1").await.body).expect("JSON");
    let token = first["data"]["groupNextToken"].as_str().expect("a token");
    assert_eq!(token, "da7bbf6fea1386911aedd4c196cd14b54c7c80db");
    let second = rules(&format!("?group_limit=1&group_next_token={token}")).await;
    assert!(second.body.contains("\"name\":\"g2\"") && !second.body.contains("groupNextToken"));
    for query in [
        "?group_next_token=x",
        "?group_limit=1&group_next_token=x",
        "?type=x",
        "?group_limit=0",
    ] {
        assert_eq!(rules(query).await.status, 400, "{query}");
    }
}
