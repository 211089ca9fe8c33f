//! The status page at the addresses that links of alerts and habit lead to.

use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{State, wrap};
use crate::ui;

/// Where the page is; which part it shows is the script's business.
const PATHS: [&str; 6] = [
    "/query", "/graph", "/alerts", "/targets", "/rules", "/status",
];

pub(super) fn routes() -> Router<State> {
    let home = Router::new().route("/", any(home));
    PATHS
        .into_iter()
        .fold(home, |router, path| router.route(path, any(page)))
}

fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// compat: the root leads to the page for queries, by the path under which others reach us.
pub(super) async fn home(Extract(state): Extract<State>, request: Request) -> Response {
    if !is_read(&request) {
        return wrap::method_not_allowed("GET, HEAD, OPTIONS");
    }
    let base = url::Url::parse(&state.external_url)
        .map(|url| url.path().trim_end_matches('/').to_owned())
        .unwrap_or_default();
    match HeaderValue::from_str(&format!("{base}/query")) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn page(request: Request) -> Response {
    if !is_read(&request) {
        return wrap::method_not_allowed("GET, HEAD, OPTIONS");
    }
    (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                header::CONTENT_SECURITY_POLICY,
                ui::content_security_policy(),
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        ui::HTML,
    )
        .into_response()
}
