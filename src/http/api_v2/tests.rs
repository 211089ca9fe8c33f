use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt as _;

use super::*;
use crate::alerting::router::{ReceiverOptions, RouterConfig, RouterOptions};
use crate::alerting::{GroupBy, RouteOptions, RouteTree};
use crate::disk::memory::MemoryDisk;
use crate::http::{Parts, router};
use crate::storage::reference::ReferenceStorage;
use crate::time::{Span, WallTime};

const NOW: WallTime = WallTime::from_ms(1_700_000_000_123);

fn state() -> State {
    let root = RouteOptions {
        receiver: "a".to_owned(),
        group_by: Some(GroupBy::All),
        labels: vec![("team".to_owned(), "{{ .GroupLabels.team }}!".to_owned())],
        ..RouteOptions::default()
    };
    let config = RouterConfig {
        tree: RouteTree::new(&root),
        inhibit_rules: Vec::new(),
        time_intervals: Vec::new(),
        receivers: vec![ReceiverOptions {
            name: "a".to_owned(),
            integrations: Vec::new(),
        }],
        resolve_timeout: Span::minutes(5),
        fallbacks: std::collections::BTreeMap::new(),
    };
    let disk = Arc::new(MemoryDisk::new());
    let options = RouterOptions::default();
    let core = crate::alerting::Router::open(disk, "am", options, config, NOW).expect("opens");
    let info = RouterInfo {
        original: "route:\n  receiver: a<b\n".to_owned(),
        receivers: vec![ReceiverInfo {
            name: "a".to_owned(),
            labels: vec![("owner".to_owned(), "x".to_owned())],
        }],
        ..RouterInfo::default()
    };
    let mut parts = Parts::new(Arc::new(ReferenceStorage::new()), Arc::new(|| NOW));
    parts.alerting = Some(Handle::new(core, info, NOW));
    State::new(parts)
}

async fn send(state: &State, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", "application/json")
        .body(Body::from(body.to_owned()))
        .expect("valid request");
    let response = router(state.clone())
        .oneshot(request)
        .await
        .expect("never fails");
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("in memory");
    (
        head.status.as_u16(),
        String::from_utf8_lossy(&bytes).into_owned(),
    )
}

#[tokio::test]
async fn alerts_come_back_as_alertmanager_writes_them() {
    let state = state();
    let body = r#"[{"labels":{"alertname":"A","team":"b<&"},"annotations":{"s":"x<&> é"},"generatorURL":"http://x/?a=b&c"},{"labels":{"alertname":"Z"},"endsAt":"2023-11-14T22:00:00Z"}]"#;
    assert_eq!(
        send(&state, "POST", "/api/v2/alerts", body).await,
        (200, String::new())
    );
    let (status, text) = send(&state, "GET", "/api/v2/alerts", "").await;
    let expected = r#"[{"annotations":{"s":"x\u003c\u0026\u003e é"},"endsAt":"2023-11-14T22:18:20.123Z","fingerprint":"FP","receivers":[{"name":"a"}],"startsAt":"2023-11-14T22:13:20.123Z","status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},"updatedAt":"2023-11-14T22:13:20.123Z","generatorURL":"http://x/?a=b\u0026c","labels":{"alertname":"A","team":"b\u003c\u0026"}}]"#;
    let fingerprint = crate::model::Labels::from_pairs([("alertname", "A"), ("team", "b<&")]);
    let expected = expected.replace("FP", &format!("{:016x}", fingerprint.fingerprint()));
    assert_eq!((status, text.trim_end()), (200, expected.as_str()));
    let (_, text) = send(&state, "GET", "/api/v2/alerts/groups", "").await;
    let group = format!(
        r#"[{{"alerts":{expected},"labels":{{"alertname":"A","team":"b\u003c\u0026"}},"receiver":{{"name":"a"}},"routeLabels":{{"team":"b\u003c\u0026!"}}}}]"#
    );
    assert_eq!(text.trim_end(), group);
    for (query, count) in [
        ("filter=alertname%3DA", 1),
        ("filter=alertname%3DB", 0),
        ("receiver=b", 0),
        ("receiver_matchers=owner%3Dx", 1),
        ("active=false", 0),
    ] {
        let (_, text) = send(&state, "GET", &format!("/api/v2/alerts?{query}"), "").await;
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
        assert_eq!(list.len(), count, "{query}");
    }
}

#[tokio::test]
async fn mistakes_are_answered_in_alertmanagers_words() {
    let state = state();
    for (method, path, body, status, text) in [
        (
            "POST",
            "/api/v2/alerts",
            "{",
            400,
            r#"{"code":400,"message":"parsing alerts body from \"\" failed, because unexpected EOF"}"#,
        ),
        (
            "POST",
            "/api/v2/alerts",
            "{}",
            400,
            r#"{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal object into Go value of type models.PostableAlerts"}"#,
        ),
        (
            "POST",
            "/api/v2/alerts",
            "[{}]",
            422,
            r#"{"code":602,"message":"0.labels in body is required"}"#,
        ),
        (
            "POST",
            "/api/v2/alerts",
            r#"[{"labels":{}}]"#,
            400,
            "\"at least one label pair required\"\n",
        ),
        (
            "POST",
            "/api/v2/alerts",
            r#"[{"labels":{"a":1}}]"#,
            400,
            r#"{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal number into Go struct field Alert.labels.a of type string"}"#,
        ),
        (
            "POST",
            "/api/v2/alerts",
            "",
            422,
            r#"{"code":602,"message":"alerts in body is required"}"#,
        ),
        (
            "GET",
            "/api/v2/alerts?receiver=%5B",
            "",
            400,
            "\"failed to parse receiver param: error parsing regexp: missing closing ]: `[)$`\"\n",
        ),
        (
            "PUT",
            "/api/v2/alerts",
            "",
            405,
            r#"{"code":405,"message":"method PUT is not allowed, but [GET,POST] are"}"#,
        ),
        (
            "GET",
            "/api/v2/nope",
            "",
            404,
            r#"{"code":404,"message":"path /api/v2/nope was not found"}"#,
        ),
        (
            "GET",
            "/api/v2/silence/abc",
            "",
            422,
            r#"{"code":601,"message":"silenceID in path must be of type uuid: \"abc\""}"#,
        ),
        (
            "DELETE",
            "/api/v2/silence/00000000-0000-0000-0000-000000000000",
            "",
            404,
            "",
        ),
        (
            "POST",
            "/api/v2/silences",
            "{}",
            422,
            r#"{"code":602,"message":"comment in body is required"}"#,
        ),
    ] {
        let (seen_status, seen) = send(&state, method, path, body).await;
        assert_eq!(
            (seen_status, seen.as_str()),
            (status, text),
            "{method} {path} {body}"
        );
    }
}

#[tokio::test]
async fn silences_are_set_shown_and_expired() {
    let state = state();
    let silence = |matchers: &str, starts: &str, ends: &str| {
        format!(
            r#"{{"matchers":[{matchers}],"startsAt":"{starts}","endsAt":"{ends}","createdBy":"me","comment":"c"}}"#
        )
    };
    let plain = r#"{"name":"a","value":"b","isRegex":false}"#;
    for (matchers, starts, ends, text) in [
        (
            r#"{"name":"a","value":"","isRegex":false}"#,
            "2020-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z",
            "invalid silence: matcher set 0: at least one matcher must not match the empty string",
        ),
        (
            r#"{"name":"a","value":"[","isRegex":true}"#,
            "2020-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z",
            "invalid silence: invalid label matcher 0 in set 0: invalid regular expression \\\"[\\\": error parsing regexp: missing closing ]: `[`",
        ),
        (
            plain,
            "2020-01-01T00:00:00Z",
            "2021-01-01T00:00:00Z",
            "Failed to create silence: end time can't be in the past",
        ),
        (
            plain,
            "2031-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z",
            "Failed to create silence: start time must be before end time",
        ),
    ] {
        let (status, seen) = send(
            &state,
            "POST",
            "/api/v2/silences",
            &silence(matchers, starts, ends),
        )
        .await;
        assert_eq!((status, seen), (400, format!("\"{text}\"\n")));
    }
    let body = silence(plain, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    let (status, text) = send(&state, "POST", "/api/v2/silences", &body).await;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("an object");
    let id = answer["silenceID"].as_str().expect("an id");
    assert_eq!(status, 200);
    let (_, text) = send(&state, "GET", "/api/v2/silences?filter=a%3Db", "").await;
    let expected = format!(
        r#"[{{"id":"{id}","status":{{"state":"active"}},"updatedAt":"2023-11-14T22:13:20.123Z","comment":"c","createdBy":"me","endsAt":"2030-01-01T00:00:00.000Z","matchers":[{{"isEqual":true,"isRegex":false,"name":"a","value":"b"}}],"startsAt":"2023-11-14T22:13:20.123Z"}}]"#
    );
    assert_eq!(text.trim_end(), expected);
    let path = format!("/api/v2/silence/{id}");
    assert_eq!(
        send(&state, "DELETE", &path, "").await,
        (200, String::new())
    );
    let (_, text) = send(
        &state,
        "GET",
        "/api/v2/silences?active=false&expired=false",
        "",
    )
    .await;
    assert_eq!(text, "[]\n");
}

#[tokio::test]
async fn status_and_receivers_show_the_configuration() {
    let state = state();
    let (_, text) = send(&state, "GET", "/api/v2/status", "").await;
    let status: serde_json::Value = serde_json::from_str(&text).expect("an object");
    assert_eq!(status["config"]["original"], "route:\n  receiver: a<b\n");
    assert_eq!(status["cluster"]["status"], "disabled");
    assert_eq!(status["versionInfo"]["version"], "0.34.0");
    let (_, text) = send(&state, "GET", "/api/v2/receivers", "").await;
    assert_eq!(
        text,
        "[{\"labels\":{\"name\":\"a\",\"owner\":\"x\"},\"name\":\"a\"}]\n"
    );
}

#[tokio::test]
async fn decisions_are_told() {
    let state = state();
    let body = r#"[{"labels":{"alertname":"A"}},{"labels":{"alertname":"B"}}]"#;
    send(&state, "POST", "/api/v2/alerts", body).await;
    let path = "/api/watchfire/v1/decisions?filter=alertname%3DA";
    let (status, text) = send(&state, "GET", path, "").await;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("an object");
    let stages: Vec<&str> = answer["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|decision| decision["stage"].as_str())
        .collect();
    assert_eq!((status, stages), (200, vec!["received", "grouped"]));
}
