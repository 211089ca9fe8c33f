use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::Request;
use axum::response::Response;

use super::{Refusal, handle, ok, write};
use crate::http::State;

/// The Alertmanager whose behaviour this is.
const ALERTMANAGER_VERSION: &str = "0.34.0";

/// `GET /api/v2/status`
pub(super) async fn status(Extract(state): Extract<State>) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    // compat: there is no cluster; upstream says so when its listener is off.
    let mut out = String::from(
        "{\"cluster\":{\"peers\":[],\"status\":\"disabled\"},\"config\":{\"original\":",
    );
    write::text(&mut out, &handle.info().original);
    out.push_str("},\"uptime\":");
    write::time(&mut out, handle.started());
    out.push_str(",\"versionInfo\":");
    let build = &state.build;
    write::pairs(
        &mut out,
        [
            ("branch", build.branch.as_str()),
            ("buildDate", &build.build_date),
            ("buildUser", &build.build_user),
            ("goVersion", &build.go_version),
            ("revision", &build.revision),
            ("version", ALERTMANAGER_VERSION),
        ],
    );
    out.push('}');
    Ok(ok(out))
}

/// `GET /api/v2/receivers`
pub(super) async fn receivers(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = super::alerts::query(request, &state).await?;
    let matchers = super::alerts::matchers(&params, "receiver_matchers", handle.syntax())?;
    let receivers = super::alerts::receiver_labels(&handle);
    let wanted = receivers.iter().filter(|(_, labels)| {
        matchers
            .iter()
            .all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
    });
    let mut out = String::from("[");
    write::list(&mut out, wanted, |out, (name, labels)| {
        out.push_str("{\"labels\":");
        write::labels(out, labels);
        out.push_str(",\"name\":");
        write::text(out, name);
        out.push('}');
    });
    out.push(']');
    Ok(ok(out))
}
