//! `/api/v1/write`: samples that others push, remote write 1.0 and 2.0.
//!
//! compat: one refused sample refuses a 1.0 request as a whole; a 2.0 request keeps its good samples and is told
//! how many. A push that cannot be written gets 503 and is sent again by its sender.

mod convert;
mod memo;
mod v1;
mod v2;

use std::fmt;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{State, plain, wrap};
use crate::codec::prompb;
use crate::model::{Labels, Sample};
use crate::storage::{self, AppendError, Appender, SeriesRef};

pub use memo::Memo;

/// Series, samples, labels and the like that one request may have.
const PARTS_MAX: usize = 10_000_000;

/// compat: samples further in the future than this are refused.
const AHEAD_MS: i64 = 10 * 60 * 1000;

/// What [`super::router`] mounts.
pub fn routes() -> Router<State> {
    Router::new().route("/api/v1/write", any(write))
}

/// The message that a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    V1,
    V2,
}

/// What was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Written {
    samples: usize,
    histograms: usize,
    exemplars: usize,
}

/// Why a request, or a part of it, was not taken.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    text: String,
    written: Written,
}

impl Refusal {
    fn bad(text: impl fmt::Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: text.to_string(),
            written: Written::default(),
        }
    }
}

impl From<storage::Error> for Refusal {
    fn from(error: storage::Error) -> Self {
        let status = match error {
            storage::Error::Full(_) | storage::Error::Closed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            text: error.to_string(),
            written: Written::default(),
        }
    }
}

/// Appends a sample of a series that the request has brought samples of before if there is an `id`: then its labels
/// are not looked at again.
fn append_sample(
    batch: &mut dyn Appender,
    id: Option<SeriesRef>,
    labels: &Labels,
    sample: Sample,
) -> Result<SeriesRef, AppendError> {
    match id {
        Some(id) if batch.append_known(id, &sample)? => Ok(id),
        _ => batch.append(None, labels, sample),
    }
}

async fn write(Extract(state): Extract<State>, request: Request) -> Response {
    if *request.method() != Method::POST {
        return wrap::method_not_allowed("OPTIONS, POST");
    }
    if let Some(refusal) = wrap::not_ready(&state) {
        return refusal;
    }
    if !state.accept_remote_write {
        return plain(
            StatusCode::NOT_FOUND,
            "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n",
        );
    }
    let message = match message(request.headers()) {
        Ok(message) => message,
        Err(text) => return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{text}\n")),
    };
    let most = state.limits.push_bytes;
    let body = match to_bytes(request.into_body(), most).await {
        Ok(body) => body,
        Err(e) => return plain(StatusCode::BAD_REQUEST, format!("{e}\n")),
    };
    let storage = std::sync::Arc::clone(&state.storage);
    let latest_ms = (state.now)().as_ms().saturating_add(AHEAD_MS);
    let done = tokio::task::spawn_blocking(move || {
        let bytes = prompb::decompress(&body, most).map_err(Refusal::bad)?;
        match message {
            Message::V1 => v1::write(&*storage, &state.pushed, &bytes, latest_ms),
            Message::V2 => v2::write(&*storage, &bytes, latest_ms),
        }
    })
    .await;
    let outcome = done.unwrap_or_else(|e| Err(storage::Error::Cancelled(e.to_string()).into()));
    answer(message, outcome)
}

fn answer(message: Message, outcome: Result<Written, Refusal>) -> Response {
    let (mut response, written) = match outcome {
        Ok(written) => (StatusCode::NO_CONTENT.into_response(), written),
        Err(refusal) => {
            if refusal.status.is_server_error() {
                tracing::error!(err = refusal.text, "remote write could not be stored");
            } else {
                tracing::debug!(err = refusal.text, "remote write was refused");
            }
            let text = format!("{}\n", refusal.text);
            (plain(refusal.status, text), refusal.written)
        }
    };
    if message == Message::V2 {
        for (name, count) in [
            ("x-prometheus-remote-write-samples-written", written.samples),
            (
                "x-prometheus-remote-write-histograms-written",
                written.histograms,
            ),
            (
                "x-prometheus-remote-write-exemplars-written",
                written.exemplars,
            ),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from(count));
        }
    }
    response
}

/// Which message the headers announce; the error is upstream's.
fn message(headers: &HeaderMap) -> Result<Message, String> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let content_type = match text(header::CONTENT_TYPE) {
        None | Some("") => "application/x-protobuf",
        Some(content_type) => content_type,
    };
    let mut parts = content_type.split(';');
    if parts.next().map(str::trim) != Some("application/x-protobuf") {
        return Err(format!(
            "expected application/x-protobuf as the first (media) part, got {content_type} content-type"
        ));
    }
    let mut message = Message::V1;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(format!(
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got {parameter} in {content_type} content-type"
            ));
        };
        if name.trim() == "proto" {
            message = match value.trim() {
                "prometheus.WriteRequest" => Message::V1,
                "io.prometheus.write.v2.Request" => Message::V2,
                other => {
                    return Err(format!(
                        "got {content_type} content type; unknown type for remote write protobuf message {other}, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
                    ));
                }
            };
        }
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("" | "snappy") => Ok(message),
        Some(other) => Err(format!(
            "{other} encoding (compression) is not accepted by this server; only snappy is acceptable"
        )),
    }
}

/// Whether a refused sample is the sender's fault, so that it shall not send it again.
fn is_senders_fault(error: &AppendError) -> bool {
    !matches!(error, AppendError::Refused(_))
}

#[cfg(test)]
mod tests;
