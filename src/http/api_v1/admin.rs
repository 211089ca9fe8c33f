//! `/api/v1/admin/tsdb/...`: what `--web.enable-admin-api` allows.

use axum::extract::{Request, State as Extract};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};

use crate::http::{ErrorKind, Failure, Params, Reply, State, wrap};
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

/// Copies the store to `snapshots/NAME` in the data folder: `skip_head`.
pub(super) fn snapshot() -> MethodRouter<State> {
    any(|state: Extract<State>, request: Request| handle(state, request, Action::Snapshot))
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Delete,
    Clean,
    Snapshot,
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
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(reply)) => reply.into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn act(state: &State, params: &Params, action: Action) -> Result<Option<Reply>, Failure> {
    let db = state
        .admin
        .clone()
        .ok_or_else(|| Failure::new(ErrorKind::Unavailable, "admin APIs disabled"))?;
    let internal = |e: &dyn std::fmt::Display| Failure::new(ErrorKind::Internal, e.to_string());
    let mut reply = None;
    let work: Work = match action {
        Action::Clean => Box::new(Db::clean_tombstones),
        Action::Snapshot => {
            let skip_head = boolean(params, "skip_head")?;
            let name = snapshot_name(&(state.now)().to_string(), fastrand::u64(..) >> 1);
            reply = Some(Reply::json(&serde_json::json!({ "name": name })));
            Box::new(move |db| {
                let verified = db.snapshot(&name, skip_head)?;
                match verified.damages.into_iter().next() {
                    None => Ok(()),
                    Some(damage) => Err(tsdb::Error::Corrupt {
                        path: damage.path,
                        offset: damage.offset,
                        reason: damage.reason,
                    }),
                }
            })
        }
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
        .map_err(|e| internal(&e))?;
    Ok(reply)
}

/// compat: Go's `strconv.ParseBool`; false when absent.
fn boolean(params: &Params, name: &str) -> Result<bool, Failure> {
    match params.get(name) {
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        other => Err(Failure::invalid(
            name,
            format!("unable to parse boolean: {other:?}"),
        )),
    }
}

/// compat: `20060102T150405Z-` and 16 hexadecimal digits.
fn snapshot_name(now: &str, random: u64) -> String {
    let seconds = now.split(['.', 'Z', '+']).next().unwrap_or_default();
    let digits: String = seconds
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    format!("{digits}Z-{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_named_as_upstreams() {
        let name = snapshot_name("2026-11-21T13:05:09.123Z", 0xabc);
        assert_eq!(name, "20261121T130509Z-0000000000000abc");
        assert_eq!(snapshot_name("2026-11-21T13:05:09Z", 1).len(), name.len());
    }
}
