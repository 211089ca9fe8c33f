use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::show::{Kind, Notification};

/// More than any receiver takes.
const BODY_MAX: usize = 4 << 20;

pub(super) async fn serve(listener: TcpListener, sender: mpsc::Sender<Notification>) {
    let closed = sender.clone();
    let take = move |method: Method, OriginalUri(uri): OriginalUri, body: Bytes| {
        let sender = sender.clone();
        async move { answer(&method, uri.path(), &body, &sender).await }
    };
    let app = Router::new()
        .fallback(any(take))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    // An error here means that the listener is gone, and with it the inbox.
    let _ = axum::serve(listener, app)
        .with_graceful_shutdown(async move { closed.closed().await })
        .await;
}

async fn answer(
    method: &Method,
    path: &str,
    body: &[u8],
    sender: &mpsc::Sender<Notification>,
) -> Response {
    if *method == Method::GET || *method == Method::HEAD {
        return "watchfire inbox: send notifications here with POST\n".into_response();
    }
    let notification = Notification::from_http(path, body);
    let kind = notification.kind;
    if sender.send(notification).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    match kind {
        Kind::PagerDuty => (
            StatusCode::ACCEPTED,
            json,
            r#"{"status":"success","message":"Event processed","dedup_key":"inbox"}"#,
        )
            .into_response(),
        // The bot API answers in JSON, incoming webhooks in plain text.
        Kind::Slack if path.contains("/api/") => (
            json,
            r#"{"ok":true,"channel":"C0INBOX","ts":"1700000000.000100"}"#,
        )
            .into_response(),
        Kind::Slack => "ok".into_response(),
        _ => (json, r#"{"ok":true}"#).into_response(),
    }
}
