use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Request, StatusCode};
use axum::response::Response;

use super::{Refusal, handle, ok, refused, write};
use crate::alerting::decisions::{Decision, Stage};
use crate::http::State;
use crate::time::WallTime;

/// Answers at most so many decisions unless `limit` says otherwise.
const LIMIT_DEFAULT: usize = 1000;

/// `GET /api/watchfire/v1/decisions`: what was decided about alerts, oldest first.
///
/// `filter` (a matcher, may be repeated) and `receiver` choose alerts and receivers, `start` and `end`
/// (RFC 3339 or seconds) the time, `limit` the latest so many.
pub(super) async fn list(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = super::alerts::query(request, &state).await?;
    let matchers = super::alerts::matchers(&params, "filter", handle.syntax())?;
    let receiver = params.get("receiver").to_owned();
    let bound = |name: &str| {
        params
            .time_ms(name)
            .map(|ms| ms.map(WallTime::from_ms))
            .map_err(|_| bad_parameter(name))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    let limit = match params.limit().map_err(|_| bad_parameter("limit"))? {
        0 => LIMIT_DEFAULT,
        limit => limit,
    };
    let found = handle
        .act(move |router| {
            let wanted = move |decision: &Decision| {
                matchers
                    .iter()
                    .all(|m| m.matches(decision.labels.get(&m.name).unwrap_or_default()))
                    && (receiver.is_empty() || *decision.place.receiver == *receiver)
                    && start.is_none_or(|start| decision.last >= start)
                    && end.is_none_or(|end| decision.at <= end)
            };
            let newest_first = router.decisions().iter().rev();
            let mut found: Vec<Decision> = newest_first.filter(wanted).take(limit).collect();
            found.reverse();
            found
        })
        .await
        .unwrap_or_default();
    let mut out = String::from("{\"status\":\"success\",\"data\":[");
    write::list(&mut out, &found, decision);
    out.push_str("]}");
    Ok(ok(out))
}

fn bad_parameter(name: &str) -> Refusal {
    refused(
        StatusCode::BAD_REQUEST,
        &format!("invalid parameter {name}"),
    )
}

fn decision(out: &mut String, decision: &Decision) {
    out.push_str("{\"at\":");
    write::time(out, decision.at);
    out.push_str(",\"last\":");
    write::time(out, decision.last);
    let _ = write!(
        out,
        ",\"count\":{},\"fingerprint\":\"{:016x}\",\"labels\":",
        decision.count, decision.fingerprint
    );
    write::labels(out, &decision.labels);
    for (name, value) in [
        ("groupKey", &decision.place.group_key),
        ("receiver", &decision.place.receiver),
        ("integration", &decision.place.integration),
    ] {
        let _ = write!(out, ",\"{name}\":");
        write::text(out, value);
    }
    out.push_str(",\"stage\":");
    write::text(out, decision.verdict.name());
    out.push_str(",\"detail\":");
    write::text(out, &decision.verdict.to_string());
    facts(out, &decision.verdict);
    out.push('}');
}

/// The parts of a decision that a program may want, beside the words.
fn facts(out: &mut String, stage: &Stage) {
    match stage {
        Stage::Inhibited { rule, by } => {
            out.push_str(",\"rule\":");
            write::text(out, rule);
            out.push_str(",\"inhibitedBy\":[");
            write::list(out, by, write::labels);
            out.push(']');
        }
        Stage::Inactive(names) | Stage::Muted(names) => {
            out.push_str(",\"timeIntervals\":");
            write::texts(out, names);
        }
        Stage::Silenced(notes) => {
            out.push_str(",\"silencedBy\":[");
            write::list(out, notes, |out, note| {
                out.push_str("{\"id\":");
                write::text(out, &note.id);
                out.push_str(",\"createdBy\":");
                write::text(out, &note.created_by);
                out.push_str(",\"comment\":");
                write::text(out, &note.comment);
                out.push_str(",\"endsAt\":");
                write::time(out, note.ends_at);
                out.push('}');
            });
            out.push(']');
        }
        Stage::Grouped { flush_at: at } | Stage::Failed { retry_at: at, .. } => {
            out.push_str(",\"next\":");
            write::time(out, *at);
        }
        Stage::Deduplicated { since: Some(since) } => {
            out.push_str(",\"since\":");
            write::time(out, *since);
        }
        Stage::Sent { attempts } => {
            let _ = write!(out, ",\"attempts\":{attempts}");
        }
        _ => {}
    }
}
