//! `/api/v1/notifications` and the stream of them, `/api/v1/notifications/live`.
//!
//! compat: both answer while the program is not ready, for that is one of the things they tell.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::stream;
use serde_json::{Value, json};

use crate::http::notices::{Notice, Notices};
use crate::http::{Reply, State, wrap};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/notifications", any(list))
        .route("/api/v1/notifications/live", any(live))
}

fn shown(notice: &Notice) -> Value {
    json!({
        "text": notice.text,
        "date": notice.date.to_string(),
        "active": notice.active,
    })
}

async fn list(Extract(state): Extract<State>, request: Request) -> Response {
    wrap::answer(&state, &request, || notices(&state.notices))
}

/// The answer to a question for notices; also while the store opens.
pub(crate) fn notices(notices: &Notices) -> Response {
    let all: Vec<Value> = notices.active().iter().map(shown).collect();
    Reply::json(&all).into_response()
}

async fn live(Extract(state): Extract<State>, request: Request) -> Response {
    if request.method() == Method::HEAD {
        return wrap::method_not_allowed("GET, OPTIONS");
    }
    wrap::answer(&state, &request, || {
        let Some(subscription) = state.notices.subscribe() else {
            // compat: 204 tells a browser not to come back.
            return StatusCode::NO_CONTENT.into_response();
        };
        let events = stream::unfold(subscription, |mut subscription| async {
            let notice = subscription.next().await?;
            let event = format!("data: {}\n\n", shown(&notice));
            Some((Ok::<_, Infallible>(event), subscription))
        });
        (
            [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/event-stream"),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ],
            Body::from_stream(events),
        )
            .into_response()
    })
}
