use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::Request;
use axum::response::Response;

use super::{Refusal, flag, handle, ok, write};
use crate::alerting::dead_letters::DeadLetter;
use crate::http::State;

/// `GET /api/watchfire/v1/dead_letters`: notifications that a receiver never took, by group and integration,
/// the latest first.
///
/// `receiver` chooses one receiver, `open=true` leaves out groups that got through later.
pub(super) async fn list(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = super::alerts::query(request, &state).await?;
    let receiver = params.get("receiver").to_owned();
    let only_open = flag(&params, "open", false);
    let mut letters: Vec<DeadLetter> = handle
        .act(move |router| {
            let wanted = |letter: &&DeadLetter| {
                (receiver.is_empty() || letter.receiver == receiver)
                    && !(only_open && letter.reached_at.is_some())
            };
            router
                .dead_letters()
                .iter()
                .filter(wanted)
                .cloned()
                .collect()
        })
        .await
        .unwrap_or_default();
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.last));
    let mut out = String::from("{\"status\":\"success\",\"data\":[");
    write::list(&mut out, &letters, dead_letter);
    out.push_str("]}");
    Ok(ok(out))
}

fn dead_letter(out: &mut String, letter: &DeadLetter) {
    out.push('{');
    for (name, value) in [
        ("receiver", letter.receiver.as_str()),
        ("integration", &letter.key.integration),
        ("groupKey", &letter.key.group_key),
        ("reason", &letter.reason),
        ("fallbackReceiver", &letter.fallback),
    ] {
        let _ = write!(out, "\"{name}\":");
        write::text(out, value);
        out.push(',');
    }
    for (name, time) in [
        ("firstAt", Some(letter.first)),
        ("lastAt", Some(letter.last)),
        ("reachedAt", letter.reached_at),
    ] {
        let _ = write!(out, "\"{name}\":");
        match time {
            Some(time) => write::time(out, time),
            None => out.push_str("null"),
        }
        out.push(',');
    }
    let _ = write!(
        out,
        "\"count\":{},\"alertCount\":{},\"alerts\":[",
        letter.count, letter.alert_count
    );
    write::list(out, &letter.alerts, write::labels);
    out.push_str("]}");
}
