//! What surrounds every handler: methods, CORS, readiness, compression, measuring.

use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{MatchedPath, OriginalUri, Path, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header, response};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use futures_util::stream;

use percent_encoding::percent_decode_str;

use super::{ErrorKind, Failure, Params, Reply, State, plain};
use crate::text::quote::quote;

/// Answers smaller than this are sent as they are.
const COMPRESS_FROM: usize = 1024;
/// Answers larger than this are packed away from the event loop.
const PACK_ELSEWHERE_FROM: usize = 64 << 10;

/// What clients are told while queries are shed.
const MEMORY_SHORT: &str =
    "memory is short: queries are refused until it is below 90% of --memory.limit";

/// Refuses what reads samples or labels for a client while memory is short. Rules do not come this way.
pub(crate) fn check_memory(state: &State) -> Result<(), Failure> {
    if (state.sheds_queries)() {
        return Err(Failure::new(ErrorKind::Unavailable, MEMORY_SHORT));
    }
    Ok(())
}

/// The same for what answers in plain text.
pub(crate) fn memory_refusal(state: &State) -> Option<Response> {
    (state.sheds_queries)()
        .then(|| plain(StatusCode::SERVICE_UNAVAILABLE, format!("{MEMORY_SHORT}\n")))
}

/// An endpoint of the JSON API that takes GET alone; other methods get 405, OPTIONS the CORS headers.
pub(super) fn get<H, F>(handler: H) -> MethodRouter<State>
where
    H: Fn(State, Params) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    endpoint(false, handler)
}

/// An endpoint of the JSON API that takes GET and POST.
pub(super) fn get_or_post<H, F>(handler: H) -> MethodRouter<State>
where
    H: Fn(State, Params) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    endpoint(true, handler)
}

/// An endpoint of the JSON API with a name in its path that takes GET alone.
pub(super) fn get_with_name<H, F>(handler: H) -> MethodRouter<State>
where
    H: Fn(State, String, Params) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    any(
        move |Extract(state): Extract<State>,
              name: Result<Path<String>, PathRejection>,
              request: Request| {
            let raw = raw_name(&request);
            respond(
                state,
                request,
                false,
                async move |state, params| match name {
                    Ok(Path(name)) => handler(state, name, params).await,
                    Err(_) => Err(Failure::bad_data(format!("invalid label name: {raw}"))),
                },
            )
        },
    )
}

/// The name in `.../NAME/values` with its bytes that are no UTF-8, in quotes.
fn raw_name(request: &Request) -> String {
    let segment = request.uri().path().rsplit('/').nth(1).unwrap_or_default();
    let bytes: Vec<u8> = percent_decode_str(segment).collect();
    let mut out = String::from('"');
    for chunk in bytes.utf8_chunks() {
        let quoted = quote(chunk.valid());
        out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// What no route knows: the CORS headers for OPTIONS of the API, else Go's 404; Grafana looks for the words.
pub(super) async fn unknown(Extract(state): Extract<State>, request: Request) -> Response {
    let prefix = state.route_prefix.trim_end_matches('/');
    let path = match request.extensions().get::<OriginalUri>() {
        Some(OriginalUri(uri)) => uri.path(),
        None => request.uri().path(),
    };
    let in_api = path
        .strip_prefix(prefix)
        .is_some_and(|path| path.starts_with("/api/v1/"));
    if in_api && request.method() == Method::OPTIONS {
        return answer(&state, &request, || StatusCode::NO_CONTENT.into_response());
    }
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn endpoint<H, F>(post_too: bool, handler: H) -> MethodRouter<State>
where
    H: Fn(State, Params) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    any(move |Extract(state): Extract<State>, request: Request| {
        respond(state, request, post_too, handler)
    })
}

async fn respond<H, F>(state: State, request: Request, post_too: bool, handler: H) -> Response
where
    H: FnOnce(State, Params) -> F + Send,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    let (parts, body) = request.into_parts();
    let allowed = parts.method == Method::GET || (post_too && parts.method == Method::POST);
    let mut response = if parts.method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if !allowed {
        return method_not_allowed(if post_too {
            "GET, OPTIONS, POST"
        } else {
            "GET, OPTIONS"
        });
    } else if let Some(refusal) = not_ready(&state) {
        return refusal;
    } else {
        match Params::read(&parts, body, state.limits.form_bytes).await {
            Ok(params) => match handler(state.clone(), params).await {
                Ok(reply) => reply.into_response(),
                Err(failure) => failure.into_response(),
            },
            Err(failure) => failure.into_response(),
        }
    };
    set_cors(&state, &parts.headers, response.headers_mut());
    response
}

/// Answers GET and OPTIONS with the CORS headers, whether the daemon is ready or not.
pub(super) fn answer(
    state: &State,
    request: &Request,
    make: impl FnOnce() -> Response,
) -> Response {
    let mut response = match *request.method() {
        Method::GET => make(),
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => return method_not_allowed("GET, OPTIONS"),
    };
    set_cors(state, request.headers(), response.headers_mut());
    response
}

/// The refusal while the daemon starts or stops; none when it is ready.
pub(crate) fn not_ready(state: &State) -> Option<Response> {
    if state.readiness.is_ready() {
        return None;
    }
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    response.headers_mut().insert(
        "X-Prometheus-Stopping",
        HeaderValue::from_static(if state.readiness.is_stopping() {
            "true"
        } else {
            "false"
        }),
    );
    Some(response)
}

/// 405 with the methods that would have worked.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// compat: the headers stand only where the request names an origin that `--web.cors.origin` accepts.
fn set_cors(state: &State, request: &HeaderMap, response: &mut HeaderMap) {
    response.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(header::ORIGIN) else {
        return;
    };
    let accepted = match &state.cors_origin {
        None => true,
        Some(pattern) => origin.to_str().is_ok_and(|o| pattern.is_match(o)),
    };
    if !accepted {
        return;
    }
    for (name, value) in [
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Accept, Authorization, Content-Type, Origin",
        ),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ] {
        response.insert(name, HeaderValue::from_static(value));
    }
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
}

/// Counts requests and their time under the path's pattern.
pub(super) async fn measured(
    Extract(state): Extract<State>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = tokio::time::Instant::now();
    let handler = path.map_or_else(|| "unknown".to_owned(), |p| p.as_str().to_owned());
    let response = next.run(request).await;
    let code = response.status().as_u16().to_string();
    state
        .metrics
        .counter_with(
            "prometheus_http_requests_total",
            "Counter of HTTP requests.",
            &[("handler", &handler), ("code", &code)],
        )
        .add(1.0);
    state
        .metrics
        .histogram_with(
            "prometheus_http_request_duration_seconds",
            "Histogram of latencies for HTTP requests.",
            &[0.1, 0.2, 0.4, 1.0, 3.0, 8.0, 20.0, 60.0, 120.0],
            &[("handler", &handler)],
        )
        .observe(started.elapsed().as_secs_f64());
    response
}

/// Packs answers for clients that take gzip.
pub(super) async fn compressed(request: Request, next: Next) -> Response {
    let takes_gzip = request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|coding| {
            let mut words = coding.split(';');
            words.next().is_some_and(|name| name.trim() == "gzip")
                && !words.any(|q| matches!(q.trim(), "q=0" | "q=0.0"))
        });
    let response = next.run(request).await;
    if !takes_gzip || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let size = HttpBody::size_hint(&body).exact().map(|n| n as usize);
    let Some(size) = size else {
        return packed_stream(parts, body);
    };
    if size < COMPRESS_FROM {
        return Response::from_parts(parts, body);
    }
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let pack = move || {
        let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        let packed = packer.write_all(&bytes).and_then(|()| packer.finish());
        packed.map_err(|_| bytes)
    };
    let packed = if size > PACK_ELSEWHERE_FROM {
        match tokio::task::spawn_blocking(pack).await {
            Ok(packed) => packed,
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    } else {
        pack()
    };
    match packed {
        Ok(packed) => {
            say_packed(&mut parts.headers);
            Response::from_parts(parts, Body::from(packed))
        }
        Err(bytes) => Response::from_parts(parts, Body::from(bytes)),
    }
}

fn say_packed(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Packs an answer that is still being written, piece by piece.
fn packed_stream(mut parts: response::Parts, body: Body) -> Response {
    // Whoever listens to events wants each one as it comes.
    let kind = parts.headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return Response::from_parts(parts, body);
    }
    say_packed(&mut parts.headers);
    let packer = GzEncoder::new(Vec::new(), Compression::fast());
    let state = Some((body.into_data_stream(), packer));
    let pieces = stream::unfold(state, |state| async {
        let (mut pieces, mut packer) = state?;
        loop {
            let piece = match pieces.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Some((Err(std::io::Error::other(error)), None)),
                None => return Some((packer.finish(), None)),
            };
            let packed = tokio::task::spawn_blocking(move || {
                let written = packer.write_all(&piece);
                let packed = std::mem::take(packer.get_mut());
                written.map(|()| (packed, packer))
            });
            match packed.await.map_err(std::io::Error::other).flatten() {
                Ok((packed, left)) if packed.is_empty() => packer = left,
                Ok((packed, packer)) => return Some((Ok(packed), Some((pieces, packer)))),
                Err(error) => return Some((Err(error), None)),
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}
