use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::{Refusal, body, check_uuid, coded, empty, flag, handle, ok, refused, write};
use crate::alerting::{Error, Matcher, Matchers, Silence, SilenceState};
use crate::http::State;
use crate::model::MatchOp;
use crate::text::quote::quote;
use crate::text::regex::Regex;
use crate::time::WallTime;

/// `GET /api/v2/silences`
pub(super) async fn list(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = super::alerts::query(request, &state).await?;
    let filter = super::alerts::matchers(&params, "filter", handle.syntax())?;
    let show = |state| match state {
        SilenceState::Active => flag(&params, "active", true),
        SilenceState::Pending => flag(&params, "pending", true),
        SilenceState::Expired => flag(&params, "expired", true),
    };
    let now = (state.now)();
    let mut silences = handle
        .act(|router| router.silences().iter().cloned().collect::<Vec<_>>())
        .await
        .unwrap_or_default();
    silences.retain(|silence| {
        // compat: a filter asks for silences that hold the very same matcher.
        show(silence.state(now))
            && filter.iter().all(|wanted| {
                let mut own = silence.matcher_sets.iter().flat_map(|set| &set.0);
                own.any(|m| (&m.name, m.op, &m.value) == (&wanted.name, wanted.op, &wanted.value))
            })
    });
    silences.sort_by(|a, b| compare(a, b, now));
    let mut out = String::from("[");
    write::list(&mut out, &silences, |out, silence| {
        write::silence(out, silence, now);
    });
    out.push(']');
    Ok(ok(out))
}

/// compat: active ones by end, pending ones by start, expired ones by end, the latest first.
fn compare(a: &Silence, b: &Silence, now: WallTime) -> Ordering {
    let rank = |silence: &Silence| match silence.state(now) {
        SilenceState::Active => 1,
        SilenceState::Pending => 2,
        SilenceState::Expired => 3,
    };
    rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
        1 => a.ends_at.cmp(&b.ends_at),
        2 => a.starts_at.cmp(&b.starts_at),
        _ => b.ends_at.cmp(&a.ends_at),
    })
}

/// `GET /api/v2/silence/{id}`
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    check_uuid(&id)?;
    let handle = handle(&state)?;
    let now = (state.now)();
    let found = handle
        .act(move |router| router.silences().get(&id).cloned())
        .await
        .flatten();
    let Some(silence) = found else {
        return Err(empty(StatusCode::NOT_FOUND));
    };
    let mut out = String::new();
    write::silence(&mut out, &silence, now);
    Ok(ok(out))
}

/// `DELETE /api/v2/silence/{id}`
pub(super) async fn expire(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    check_uuid(&id)?;
    let handle = handle(&state)?;
    let now = (state.now)();
    match handle
        .act(move |router| router.expire_silence(now, &id))
        .await
    {
        Some(Ok(())) => Ok(StatusCode::OK.into_response()),
        Some(Err(Error::SilenceNotFound)) => Err(empty(StatusCode::NOT_FOUND)),
        Some(Err(error)) => Err(refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            &error.to_string(),
        )),
        None => Err(empty(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

/// `POST /api/v2/silences`
pub(super) async fn set(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let (parts, payload) = request.into_parts();
    let value = body::read(&parts, payload, state.limits.form_bytes, "silence").await?;
    let Value::Object(object) = value else {
        let why = format!(
            "json: cannot unmarshal {} into Go value of type models.PostableSilence",
            body::kind(&value)
        );
        return Err(body::unreadable("silence", &why));
    };
    let now = (state.now)();
    let silence = read_silence(&object)?;
    let refuse = |why: &str| {
        let why = format!("Failed to create silence: {why}");
        Err(refused(StatusCode::BAD_REQUEST, &why))
    };
    if silence.starts_at >= silence.ends_at {
        return refuse("start time must be before end time");
    }
    if silence.ends_at < now {
        return refuse("end time can't be in the past");
    }
    match handle
        .act(move |router| router.set_silence(now, silence))
        .await
    {
        Some(Ok(id)) => {
            let mut out = String::from("{\"silenceID\":");
            write::text(&mut out, &id);
            out.push('}');
            Ok(ok(out))
        }
        Some(Err(error @ Error::SilenceNotFound)) => {
            Err(refused(StatusCode::NOT_FOUND, &error.to_string()))
        }
        Some(Err(error)) => Err(refused(StatusCode::BAD_REQUEST, &error.to_string())),
        None => Err(empty(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

fn read_silence(object: &Map<String, Value>) -> Result<Silence, Refusal> {
    const WHAT: &str = "silence";
    let text = |name: &str| body::text(object, name, WHAT, &format!("Silence.{name}"));
    let time = |name: &str| body::time(object, name, WHAT, &format!("Silence.{name}"));
    let id = body::text(object, "id", WHAT, "PostableSilence.id")?.unwrap_or_default();
    let annotations = body::text_map(object, "annotations", WHAT, "Silence.annotations")?;
    // compat: what is missing is told in the order of the alphabet.
    let (comment, created_by) = (text("comment")?, text("createdBy")?);
    let (ends_at, starts_at) = (time("endsAt")?, time("startsAt")?);
    let missing = |name: &str| body::required(name, "body");
    let comment = comment.ok_or_else(|| missing("comment"))?;
    let created_by = created_by.ok_or_else(|| missing("createdBy"))?;
    let ends_at = ends_at.ok_or_else(|| missing("endsAt"))?;
    let matchers = match object.get("matchers") {
        None | Some(Value::Null) => return Err(missing("matchers")),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(coded(
                StatusCode::UNPROCESSABLE_ENTITY,
                612,
                "matchers in body should have at least 1 items",
            ));
        }
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(at, item)| read_matcher(at, item))
            .collect::<Result<Vec<_>, _>>()?,
        Some(other) => {
            return Err(body::wrong(
                WHAT,
                other,
                "Silence.matchers",
                "models.Matchers",
            ));
        }
    };
    let starts_at = starts_at.ok_or_else(|| missing("startsAt"))?;
    Ok(Silence {
        id: id.to_owned(),
        matcher_sets: vec![Matchers(matchers)],
        starts_at,
        ends_at,
        updated_at: WallTime::ZERO,
        created_by: created_by.to_owned(),
        comment: comment.to_owned(),
        annotations: annotations
            .unwrap_or_default()
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    })
}

fn read_matcher(at: usize, item: &Value) -> Result<Matcher, Refusal> {
    const WHAT: &str = "silence";
    let empty_object = Map::new();
    let object = match item {
        Value::Object(object) => object,
        Value::Null => &empty_object,
        other => {
            return Err(body::wrong(
                WHAT,
                other,
                "Silence.matchers",
                "models.Matcher",
            ));
        }
    };
    let flag = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(body::wrong(WHAT, other, &format!("Matcher.{name}"), "bool")),
    };
    let text = |name: &str| body::text(object, name, WHAT, &format!("Matcher.{name}"));
    let missing = |name: &str| body::required(&format!("matchers.{at}.{name}"), "body");
    let equal = flag("isEqual")?.unwrap_or(true);
    let regex = flag("isRegex")?.ok_or_else(|| missing("isRegex"))?;
    let name = text("name")?.ok_or_else(|| missing("name"))?;
    let value = text("value")?.ok_or_else(|| missing("value"))?;
    let op = match (equal, regex) {
        (true, false) => MatchOp::Equal,
        (false, false) => MatchOp::NotEqual,
        (true, true) => MatchOp::Regex,
        (false, true) => MatchOp::NotRegex,
    };
    Matcher::new(op, name, value).map_err(|_| {
        // compat: this check looks at the bare pattern.
        let why = Regex::unanchored(value)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        let why = format!(
            "invalid silence: invalid label matcher {at} in set 0: invalid regular expression {}: {why}",
            quote(value)
        );
        refused(StatusCode::BAD_REQUEST, &why)
    })
}
