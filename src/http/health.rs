//! `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`, `/version`.

use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::oneshot;

use super::{State, wrap};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/-/healthy", any(healthy))
        .route("/-/ready", any(ready))
        .route("/-/reload", any(reload))
        .route("/-/quit", any(quit))
        .route("/version", any(version))
}

fn text(status: StatusCode, body: impl Into<String>) -> Response {
    (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        )],
        body.into(),
    )
        .into_response()
}

/// GET and HEAD pass; anything else is refused.
fn refused(request: &Request) -> Option<Response> {
    (!matches!(*request.method(), Method::GET | Method::HEAD))
        .then(|| wrap::method_not_allowed("GET, HEAD, OPTIONS"))
}

async fn healthy(request: Request) -> Response {
    refused(&request).unwrap_or_else(|| text(StatusCode::OK, "Prometheus Server is Healthy.\n"))
}

async fn ready(Extract(state): Extract<State>, request: Request) -> Response {
    refused(&request)
        .or_else(|| wrap::not_ready(&state))
        .unwrap_or_else(|| text(StatusCode::OK, "Prometheus Server is Ready.\n"))
}

async fn version(Extract(state): Extract<State>, request: Request) -> Response {
    refused(&request).unwrap_or_else(|| {
        let build = super::api_v1::build_info(&state.build);
        text(StatusCode::OK, format!("{build}\n"))
    })
}

/// POST or PUT, with `--web.enable-lifecycle`; none means that the request may go on.
fn lifecycle_refused(request: &Request, enabled: bool) -> Option<Response> {
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return Some(text(
            StatusCode::METHOD_NOT_ALLOWED,
            "Only POST or PUT requests allowed",
        ));
    }
    (!enabled).then(|| text(StatusCode::FORBIDDEN, "Lifecycle API is not enabled."))
}

async fn reload(Extract(state): Extract<State>, request: Request) -> Response {
    if let Some(refusal) = lifecycle_refused(&request, state.reload.is_some()) {
        return refusal;
    }
    let (sender, outcome) = oneshot::channel();
    let sent = match &state.reload {
        Some(reload) => reload.send(sender).await.is_ok(),
        None => false,
    };
    let outcome = match outcome.await {
        Ok(outcome) if sent => outcome,
        _ => Err("watchfire is stopping".to_owned()),
    };
    match outcome {
        Ok(()) => StatusCode::OK.into_response(),
        Err(why) => super::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("failed to reload config: {why}\n"),
        ),
    }
}

async fn quit(Extract(state): Extract<State>, request: Request) -> Response {
    if let Some(refusal) = lifecycle_refused(&request, state.quit.is_some()) {
        return refusal;
    }
    let Some(quit) = &state.quit else {
        return StatusCode::FORBIDDEN.into_response();
    };
    match quit.try_send(()) {
        Ok(()) => text(StatusCode::OK, "Requesting termination... Goodbye!"),
        Err(_) => text(StatusCode::OK, "Termination already in progress."),
    }
}
