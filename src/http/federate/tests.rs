use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt as _;

use crate::http::{Parts, State, router};
use crate::model::{Labels, Sample, stale_nan};
use crate::storage::Storage;
use crate::storage::reference::ReferenceStorage;
use crate::time::WallTime;

const NOW_MS: i64 = 6_000_000;

async fn ask(query: &str, accept: &str) -> (u16, String) {
    let storage = ReferenceStorage::new();
    let mut batch = storage.appender();
    for (name, job, instance, ms, value) in [
        ("up", "a", "i1", NOW_MS - 1000, 1.0),
        ("up", "b", "", NOW_MS - 2000, 0.0),
        ("up", "old", "", NOW_MS - 300_001, 0.0),
        ("up", "gone", "", NOW_MS, stale_nan()),
        ("my.metric", "a", "", NOW_MS, 1e21),
    ] {
        let labels = Labels::from_pairs([("__name__", name), ("job", job), ("instance", instance)]);
        batch
            .append(None, &labels, Sample::float(ms, value))
            .unwrap();
    }
    batch.commit().unwrap();
    let mut parts = Parts::new(Arc::new(storage), Arc::new(|| WallTime::from_ms(NOW_MS)));
    parts.readiness.set_ready();
    parts.external_labels = Arc::new(|| Labels::from_pairs([("zone", "eu"), ("job", "never")]));
    let request = Request::get(format!("/federate?{query}"))
        .header("accept", accept)
        .body(Body::empty())
        .unwrap();
    let response = router(State::new(parts)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn newest_samples_are_shown_with_external_labels() {
    let (status, body) = ask("match[]=up&match[]=%7Bjob%3D%22a%22%7D", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        "# TYPE my_metric untyped\n\
         my_metric{job=\"a\",instance=\"\",zone=\"eu\"} 1e+21 6000000\n\
         # TYPE up untyped\n\
         up{instance=\"i1\",job=\"a\",zone=\"eu\"} 1 5999000\n\
         up{job=\"b\",instance=\"\",zone=\"eu\"} 0 5998000\n"
    );
}

#[tokio::test]
async fn names_are_quoted_for_those_who_understand_it() {
    let accept = "text/plain;version=1.0.0;escaping=allow-utf-8";
    let (_, body) = ask("match[]=%7B__name__%3D~%22my.*%22%7D", accept).await;
    assert_eq!(
        body,
        "# TYPE \"my.metric\" untyped\n\
         {\"my.metric\",job=\"a\",instance=\"\",zone=\"eu\"} 1e+21 6000000\n"
    );
}

#[tokio::test]
async fn a_wrong_selector_is_refused() {
    let (status, body) = ask("match[]=up{", "").await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(ask("", "").await, (200, String::new()));
}
