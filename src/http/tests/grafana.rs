//! What Grafana's data sources send, as its sources show it: each request must be answered in a way that
//! neither its old nor its new versions stumble over.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;

use super::{ask, group, parts};
use crate::model::{Labels, Sample};
use crate::storage::Storage as _;
use crate::storage::reference::ReferenceStorage;

/// Method, path, form (empty for none), status, and a text that the answer must hold.
type Case = (&'static str, &'static str, &'static str, u16, &'static str);

const DATA_SOURCE: &[Case] = &[
    (
        "POST",
        "/api/v1/query",
        "query=1%2B1&time=4",
        200,
        r#""resultType":"scalar","result":[4,"2"]"#,
    ),
    (
        "GET",
        "/api/v1/query?query=1%2B1&time=4",
        "",
        200,
        r#"[4,"2"]"#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=1%2B1&time=4&timeout=30s",
        200,
        r#"[4,"2"]"#,
    ),
    ("POST", "/api/v1/status/buildinfo", "", 405, ""),
    (
        "GET",
        "/api/v1/status/buildinfo",
        "",
        200,
        r#""version":"3.14.0""#,
    ),
    ("POST", "/api/v1/rules", "", 405, ""),
    ("POST", "/api/v1/alerts", "", 405, ""),
    ("POST", "/api/v1/targets", "", 405, ""),
    ("POST", "/api/v1/notifications", "", 405, ""),
    ("POST", "/api/v1/status/flags", "", 405, ""),
    ("POST", "/api/v1/status/config", "", 405, ""),
    ("POST", "/api/v1/status/tsdb", "", 405, ""),
    ("POST", "/api/v1/metadata", "", 405, ""),
    ("POST", "/api/v1/label/job/values", "", 405, ""),
    ("GET", "/api/v1/rules", "", 200, r#""groups":["#),
    (
        "GET",
        "/api/v1/query_exemplars?query=test&start=1700000000000&end=1700003600000",
        "",
        200,
        r#""data":[]"#,
    ),
    (
        "POST",
        "/api/v1/query_range",
        "query=up&start=1700000000&end=1700000030&step=15",
        200,
        r#""values":[[1700000000,"1"]"#,
    ),
    (
        "POST",
        "/api/v1/query_range",
        "query=up&start=1700000000.123&end=1700000030.123&step=0.5",
        200,
        "[1700000000.123,",
    ),
    (
        "POST",
        "/api/v1/query_range",
        "query=up&start=1700000000&end=1700000030&step=60&timeout=10s",
        200,
        "matrix",
    ),
    (
        "POST",
        "/api/v1/query",
        "query=up&time=1700000000.5",
        200,
        r#""value":[1700000000.500,"1"]"#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=%22hi%22&time=1",
        200,
        r#""resultType":"string","result":[1,"hi"]"#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=up%5B1m%5D&time=1700000001",
        200,
        "matrix",
    ),
    (
        "POST",
        "/api/v1/query",
        "query=0%2F0&time=1",
        200,
        r#"[1,"NaN"]"#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=1%2F0&time=1",
        200,
        r#"[1,"+Inf"]"#,
    ),
    (
        "POST",
        "/api/v1/query_exemplars",
        "query=up&start=1700000000&end=1700003600",
        200,
        r#""data":[]"#,
    ),
    (
        "GET",
        "/api/v1/label/__name__/values?start=1699990000&end=1700010000&limit=40000",
        "",
        200,
        r#"["service.up","up"]"#,
    ),
    (
        "GET",
        "/api/v1/label/__name__/values?limit=1",
        "",
        200,
        "results truncated due to limit",
    ),
    (
        "GET",
        "/api/v1/label/__name__/values?match[]=up&match[]=nope",
        "",
        200,
        r#"["up"]"#,
    ),
    (
        "POST",
        "/api/v1/labels",
        "limit=40000&start=1699990000&end=1700010000&match%5B%5D=up",
        200,
        r#"["__name__","job"]"#,
    ),
    ("GET", "/api/v1/labels", "", 200, r#""service.name""#),
    (
        "GET",
        "/api/v1/labels?match[]=up&match[]={__name__=~%22serv.*%22}",
        "",
        200,
        r#""service.name""#,
    ),
    (
        "GET",
        "/api/v1/label/U__service_2e_name/values",
        "",
        200,
        r#"["api"]"#,
    ),
    (
        "GET",
        "/api/v1/label/job/values?match[]=up&limit=40000",
        "",
        200,
        r#"["a"]"#,
    ),
    (
        "POST",
        "/api/v1/series",
        "match%5B%5D=%7B__name__%21%3D%22%22%7D&limit=40000",
        200,
        r#"{"__name__":"up","job":"a"}"#,
    ),
    (
        "GET",
        "/api/v1/series?match[]=up&start=1699990000&end=1700010000",
        "",
        200,
        r#"[{"__name__":"up","job":"a"}]"#,
    ),
    (
        "GET",
        "/api/v1/series",
        "",
        400,
        "no match[] parameter provided",
    ),
    ("GET", "/api/v1/metadata", "", 200, r#""data":{}"#),
    (
        "GET",
        "/api/v1/metadata?limit=10&limit_per_metric=1&metric=up",
        "",
        200,
        r#""data":{}"#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=up%7B",
        400,
        r#""errorType":"bad_data""#,
    ),
    (
        "POST",
        "/api/v1/query",
        "query=up%20%2B%20on%28%29%20%28up%20or%20%7B__name__%3D%22service.up%22%7D%29&time=1700000000",
        422,
        r#""errorType":"execution""#,
    ),
    (
        "POST",
        "/api/v1/query_range",
        "query=up&start=1&end=100000&step=1",
        400,
        "exceeded maximum resolution of 11,000 points",
    ),
];

const ALERTING: &[Case] = &[
    (
        "GET",
        "/api/v1/rules?file=rules.yml&file[]=rules.yml&rule_group=x&rule_group[]=g1&rule_name=x&rule_name[]=Down&exclude_alerts=false",
        "",
        200,
        r#""name":"Down""#,
    ),
    (
        "GET",
        "/api/v1/rules?group_limit=1",
        "",
        200,
        "groupNextToken",
    ),
    (
        "GET",
        "/api/v1/rules?group_limit=1&group_next_token=nope",
        "",
        400,
        "invalid group_next_token",
    ),
    (
        "GET",
        "/api/v1/rules?file[]=none.yml",
        "",
        200,
        r#""groups":[]"#,
    ),
    (
        "GET",
        "/api/v1/rules?match[]={alertname=%22x%22}",
        "",
        200,
        r#""groups":[]"#,
    ),
    ("GET", "/api/v1/alerts", "", 200, r#""state":"firing""#),
    ("GET", "/rules/test/test", "", 404, "page not found"),
    (
        "GET",
        "/config/v1/rules/test/test",
        "",
        404,
        "page not found",
    ),
    (
        "GET",
        "/alertmanager/api/v2/status",
        "",
        404,
        "page not found",
    ),
    (
        "GET",
        "/api/v1/status/flags",
        "",
        200,
        r#""status":"success""#,
    ),
    (
        "GET",
        "/api/v1/query?query=prometheus_build_info",
        "",
        200,
        r#""result":[]"#,
    ),
];

fn storage() -> ReferenceStorage {
    let storage = ReferenceStorage::new();
    let mut batch = storage.appender();
    for (labels, value) in [
        (Labels::from_pairs([("__name__", "up"), ("job", "a")]), 1.0),
        (
            Labels::from_pairs([("__name__", "service.up"), ("service.name", "api")]),
            2.0,
        ),
    ] {
        batch
            .append(None, &labels, Sample::float(1_700_000_000_000, value))
            .expect("taken");
    }
    batch.commit().expect("written");
    storage
}

async fn replay(cases: &[Case]) {
    for (method, path, form, status, text) in cases {
        let mut parts = parts();
        parts.storage = Arc::new(storage());
        parts.rules = Arc::new(|| vec![group("g1"), group("g2")]);
        let path = path
            .replace('[', "%5B")
            .replace(']', "%5D")
            .replace('{', "%7B")
            .replace('}', "%7D");
        let method: Method = method.parse().expect("a method");
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-grafana-org-id", "1")
            .header("fromalert", "true")
            .body(Body::from((*form).to_owned()))
            .expect("valid request");
        let answer = ask(parts, request).await;
        assert_eq!(answer.status, *status, "{path} {form}: {}", answer.body);
        assert!(answer.body.contains(text), "{path} {form}: {}", answer.body);
        if *status == 405 {
            assert!(
                answer.headers["allow"]
                    .to_str()
                    .is_ok_and(|a| a.contains("GET"))
            );
        } else if *status != 404 {
            let json: Value = serde_json::from_str(&answer.body).expect("JSON");
            let word = if *status == 200 { "success" } else { "error" };
            assert_eq!(json["status"], word, "{path}");
            assert!(
                json["data"].get("features").is_none(),
                "Grafana would take us for Mimir"
            );
        }
    }
}

#[tokio::test]
async fn the_data_source_gets_what_it_asks_for() {
    replay(DATA_SOURCE).await;
}

#[tokio::test]
async fn the_alert_rules_page_gets_what_it_asks_for() {
    replay(ALERTING).await;
}
