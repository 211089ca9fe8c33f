//! `/api/v1/admin/tsdb/...`: what `--web.enable-admin-api` allows.

use axum::extract::{Request, State as Extract};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};

use crate::http::{ErrorKind, Failure, Params, State, wrap};
use crate::promql::parser;
use crate::tsdb::{self, Db};

type Work = Box<dyn FnOnce(&Db) -> Result<(), tsdb::Error> + Send>;

/// Deletes samples of series: `match[]`, `start`, `end`.
pub(super) fn delete_series() -> MethodRouter<State> {
    any(|state: Extract<State>, request: Request| handle(state, request, Action::Delete))
}

/// Gives back the space of deleted samples.
pub(super) fn clean_tombstones() -> MethodRouter<State> {
    any(|state: Extract<State>, request: Request| handle(state, request, Action::Clean))
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Delete,
    Clean,
}

async fn handle(Extract(state): Extract<State>, request: Request, action: Action) -> Response {
    let (parts, body) = request.into_parts();
    if !matches!(parts.method, Method::POST | Method::PUT) {
        return wrap::method_not_allowed("OPTIONS, POST, PUT");
    }
    if let Some(refusal) = wrap::not_ready(&state) {
        return refusal;
    }
    let params = match Params::read(&parts, body, state.limits.form_bytes).await {
        Ok(params) => params,
        Err(failure) => return failure.into_response(),
    };
    match act(&state, &params, action).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn act(state: &State, params: &Params, action: Action) -> Result<(), Failure> {
    let db = state
        .admin
        .clone()
        .ok_or_else(|| Failure::new(ErrorKind::Unavailable, "admin APIs disabled"))?;
    let internal = |e: &dyn std::fmt::Display| Failure::new(ErrorKind::Internal, e.to_string());
    let work: Work = match action {
        Action::Clean => Box::new(Db::clean_tombstones),
        Action::Delete => {
            let mut sets = Vec::new();
            for text in params.all("match[]") {
                let matchers = parser::parse_metric_selector(text).map_err(|errors| {
                    let text = errors.first().map_or_else(String::new, ToString::to_string);
                    Failure::invalid("match[]", text)
                })?;
                sets.push(matchers);
            }
            if sets.is_empty() {
                return Err(Failure::bad_data("no match[] parameter provided"));
            }
            let start = params.time_ms("start")?.unwrap_or(i64::MIN);
            let end = params.time_ms("end")?.unwrap_or(i64::MAX);
            Box::new(move |db| {
                for set in &sets {
                    db.delete_series(set, start, end)?;
                }
                Ok(())
            })
        }
    };
    tokio::task::spawn_blocking(move || work(&db))
        .await
        .map_err(|e| internal(&e))?
        .map_err(|e| internal(&e))
}
