//! The HTTP APIs: Prometheus v1, Alertmanager v2, federation, remote write, health.
//!
//! Everything here receives handles ([`State`]) and starts nothing; `daemon` listens and calls
//! [`router`]. Each part has a `routes()` that [`router`] mounts: `api_v1`, `api_v2`,
//! `remote_write`, `federate`, `health`, the self-metrics, and the status page.

pub mod api_v1;
pub mod api_v2;
pub mod federate;
mod health;
pub mod json;
pub mod metrics;
pub mod notices;
mod pages;
pub mod params;
pub mod query_log;
pub mod remote_write;
mod reply;
pub mod state;
pub mod syntax_tree;
mod wrap;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::any;

pub use params::Params;
pub use reply::{ErrorKind, Failure, Reply};
pub use state::{Parts, State};

/// The whole HTTP surface for `state`, under its route prefix.
pub fn router(state: State) -> Router {
    let api = api_v1::routes()
        .merge(remote_write::routes())
        .merge(federate::routes())
        .merge(api_v2::routes())
        .merge(health::routes())
        .merge(metrics::page::routes())
        .merge(pages::routes());
    let prefix = state.route_prefix.trim_end_matches('/').to_owned();
    let api = if prefix.is_empty() {
        api
    } else {
        // The router's nesting does not know the prefix with a slash after it.
        Router::new()
            .route(&format!("{prefix}/"), any(pages::home))
            .nest(&prefix, api)
    };
    api.fallback(wrap::unknown)
        .layer(middleware::from_fn_with_state(
            state.clone(),
            wrap::measured,
        ))
        .layer(middleware::from_fn(wrap::compressed))
        .with_state(state)
}

/// A plain-text answer as Go's `http.Error` gives it.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (
        status,
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; charset=utf-8"),
            ),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ],
        text.into(),
    )
        .into_response()
}

#[cfg(test)]
mod tests;
