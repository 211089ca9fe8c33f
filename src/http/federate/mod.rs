//! `/federate`: the newest samples of chosen series in the text format.

mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{Params, State, plain, wrap};
use crate::model::{Labels, Matcher, Sample};
use crate::promql::parser;
use crate::storage::{Error, SelectHints, Storage};

use text::Page;

/// What [`super::router`] mounts.
pub fn routes() -> Router<State> {
    Router::new().route("/federate", any(federate))
}

async fn federate(Extract(state): Extract<State>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return wrap::method_not_allowed("GET, HEAD, OPTIONS");
    }
    if let Some(refusal) = wrap::not_ready(&state) {
        return refusal;
    }
    if let Some(refusal) = wrap::memory_refusal(&state) {
        return refusal;
    }
    let (parts, body) = request.into_parts();
    let params = match Params::read(&parts, body, state.limits.form_bytes).await {
        Ok(params) => params,
        Err(failure) => return failure.into_response(),
    };
    let mut sets = Vec::new();
    for text in params.all("match[]") {
        match parser::parse_metric_selector(text) {
            Ok(matchers) => sets.push(matchers),
            Err(errors) => {
                let text = errors.first().map_or_else(String::new, ToString::to_string);
                return plain(StatusCode::BAD_REQUEST, format!("{text}\n"));
            }
        }
    }
    let allow_utf8 = allows_utf8(&parts.headers);
    let external = (state.external_labels)();
    let storage = Arc::clone(&state.storage);
    let max_ms = (state.now)().as_ms();
    let min_ms = max_ms.saturating_sub(state.lookback_ms);
    let page = tokio::task::spawn_blocking(move || {
        let newest = newest(&*storage, min_ms, max_ms, &sets)?;
        Ok::<_, Error>(Page::new(&external, allow_utf8).write(newest))
    })
    .await;
    match page {
        Ok(Ok(page)) => (
            [(
                header::CONTENT_TYPE,
                if allow_utf8 {
                    "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
                } else {
                    "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
                },
            )],
            page,
        )
            .into_response(),
        Ok(Err(e)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
        Err(e) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
    }
}

/// Whether the asker understands quoted names.
fn allows_utf8(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("escaping=allow-utf-8"))
    })
}

/// The newest sample of every series that one of the sets selects.
/// compat: a series whose newest sample marks its end is left out.
fn newest(
    storage: &dyn Storage,
    min_ms: i64,
    max_ms: i64,
    sets: &[Vec<Matcher>],
) -> Result<BTreeMap<Labels, Sample>, Error> {
    let hints = SelectHints {
        min_ms,
        max_ms,
        step_ms: 0,
        function: String::new(),
        limit: 0,
        sorted: true,
    };
    let querier = storage.querier(min_ms, max_ms)?;
    let mut found = BTreeMap::new();
    for set in sets {
        for entry in querier.select(&hints, set)? {
            let entry = entry?;
            let mut last = None;
            for sample in entry.samples {
                last = Some(sample?);
            }
            if let Some(sample) = last.filter(|sample| !sample.value.is_stale()) {
                found.insert(entry.labels, sample);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
