//! Alertmanager's API v2 under `/api/v2`; the decision record and dead letters under `/api/watchfire/v1`.
//!
//! Answers are upstream's byte for byte where it has them: order of fields, escapes, error bodies.

mod alerts;
mod body;
mod dead_letters;
mod decisions;
mod handle;
mod list;
mod posted;
mod silences;
mod status;
#[cfg(test)]
mod tests;
mod write;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};

use super::State;
use crate::text::quote::quote;

pub use handle::{Handle, ReceiverInfo, RouterInfo};

/// What [`super::router`] mounts.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/api/v2/status", only(get(status::status), "GET"))
        .route("/api/v2/receivers", only(get(status::receivers), "GET"))
        .route(
            "/api/v2/alerts",
            only(get(alerts::list).merge(post(alerts::take)), "GET,POST"),
        )
        .route("/api/v2/alerts/groups", only(get(alerts::groups), "GET"))
        .route(
            "/api/v2/silences",
            only(get(silences::list).merge(post(silences::set)), "GET,POST"),
        )
        .route(
            "/api/v2/silence/{id}",
            only(get(silences::show).delete(silences::expire), "GET,DELETE"),
        )
        .route("/api/v2/{*path}", any(unknown_path))
        .route("/api/watchfire/v1/decisions", get(decisions::list))
        .route("/api/watchfire/v1/dead_letters", get(dead_letters::list))
}

/// compat: go-openapi's answer to other methods; HEAD and OPTIONS are others too.
fn only(methods: MethodRouter<State>, allowed: &'static str) -> MethodRouter<State> {
    methods.fallback(move |method: Method| async move {
        let message = format!("method {method} is not allowed, but [{allowed}] are");
        let mut response = coded(StatusCode::METHOD_NOT_ALLOWED, 405, &message).into_response();
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static(allowed));
        response
    })
}

async fn unknown_path(OriginalUri(uri): OriginalUri) -> Refusal {
    let message = format!("path {} was not found", uri.path());
    coded(StatusCode::NOT_FOUND, 404, &message)
}

/// An error answer: a status and a JSON body, or none.
struct Refusal {
    status: StatusCode,
    body: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.body.is_empty() {
            return self.status.into_response();
        }
        json(self.status, self.body)
    }
}

/// An error that go-openapi found: `{"code":602,"message":"..."}`.
fn coded(status: StatusCode, code: u16, message: &str) -> Refusal {
    let mut out = format!("{{\"code\":{code},\"message\":");
    write::text(&mut out, message);
    out.push('}');
    Refusal { status, body: out }
}

/// An error of Alertmanager's own: a JSON string.
fn refused(status: StatusCode, message: &str) -> Refusal {
    let mut out = String::new();
    write::text(&mut out, message);
    out.push('\n');
    Refusal { status, body: out }
}

/// A JSON answer as go-openapi ends it.
fn ok(mut out: String) -> Response {
    out.push('\n');
    json(StatusCode::OK, out)
}

fn json(status: StatusCode, body: String) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// An error without a body.
fn empty(status: StatusCode) -> Refusal {
    Refusal {
        status,
        body: String::new(),
    }
}

/// compat: `swag.ConvertBool`; an absent parameter is its default.
fn flag(params: &super::Params, name: &str, default: bool) -> bool {
    let mut values = params.all(name);
    match values.next() {
        None => default,
        Some(text) => matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "1" | "yes" | "ok" | "y" | "on" | "selected" | "checked" | "t" | "enabled"
        ),
    }
}

/// The handle, or the answer when there is no router.
fn handle(state: &State) -> Result<Handle, Refusal> {
    state.alerting.clone().ok_or_else(|| {
        refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "the router of alerts is not running",
        )
    })
}

/// Whether a text is a UUID, as the path parameter must be.
fn check_uuid(id: &str) -> Result<(), Refusal> {
    if uuid::Uuid::try_parse(id).is_ok() {
        return Ok(());
    }
    let message = format!("silenceID in path must be of type uuid: {}", quote(id));
    Err(coded(StatusCode::UNPROCESSABLE_ENTITY, 601, &message))
}
