//! Bodies of requests, checked as go-openapi checks them: the first mistake is answered.

use std::borrow::Cow;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{StatusCode, header, request};
use serde_json::{Map, Value};

use super::{Refusal, coded};
use crate::text::quote::quote;
use crate::time::WallTime;

/// Reads a JSON body; `what` is the parameter's name.
pub(super) async fn read(
    parts: &request::Parts,
    body: Body,
    limit: usize,
    what: &str,
) -> Result<Value, Refusal> {
    parse(&bytes(parts, body, limit, what).await?, what)
}

/// The bytes of a body that says it is JSON.
pub(super) async fn bytes(
    parts: &request::Parts,
    body: Body,
    limit: usize,
    what: &str,
) -> Result<Bytes, Refusal> {
    let bytes = to_bytes(body, limit).await.map_err(|_| {
        coded(
            StatusCode::PAYLOAD_TOO_LARGE,
            413,
            "http: request body too large",
        )
    })?;
    if bytes.is_empty() {
        return Err(required(what, "body"));
    }
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = format!(
            "unsupported media type {}, only [application/json] are allowed",
            quote(kind)
        );
        return Err(coded(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message));
    }
    Ok(bytes)
}

/// Reads JSON.
pub(super) fn parse(bytes: &[u8], what: &str) -> Result<Value, Refusal> {
    let read = serde_json::from_slice(bytes)
        .or_else(|error| serde_json::from_str(&replace_bad_text(bytes).ok_or(error)?));
    read.map_err(|error| {
        let why = if error.is_eof() {
            "unexpected EOF".to_owned()
        } else {
            error.to_string()
        };
        unreadable(what, &why)
    })
}

/// compat: Go's decoder takes bytes that are no UTF-8 and halves of surrogate pairs for U+FFFD. None when there is
/// nothing of the kind.
fn replace_bad_text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    let mut replaced = matches!(text, Cow::Owned(_));
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let unit = |escape: &str| {
            let digits = escape.strip_prefix('u')?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let next = |escape: &str| unit(escape.get(5..)?.strip_prefix('\\')?);
        let taken = match (unit(escape), next(escape)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 11,
            (Some(0xd800..=0xdfff), _) => {
                replaced = true;
                out.push('\u{fffd}');
                rest = escape.get(5..).unwrap_or_default();
                continue;
            }
            // The escape's first character, which may be a backslash.
            _ => escape.chars().next().map_or(0, char::len_utf8),
        };
        out.push('\\');
        out.push_str(escape.get(..taken).unwrap_or_default());
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    replaced.then_some(out)
}

/// The body is not what it should be.
pub(super) fn unreadable(what: &str, why: &str) -> Refusal {
    let message = format!("parsing {what} body from \"\" failed, because {why}");
    coded(StatusCode::BAD_REQUEST, 400, &message)
}

/// A field that must be there is not.
pub(super) fn required(path: &str, place: &str) -> Refusal {
    let message = format!("{path} in {place} is required");
    coded(StatusCode::UNPROCESSABLE_ENTITY, 602, &message)
}

/// The words of Go's decoder for a value of the wrong kind.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A text field; absent or null is `None`.
pub(super) fn text<'v>(
    object: &'v Map<String, Value>,
    name: &str,
    what: &str,
    go_field: &str,
) -> Result<Option<&'v str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(what, other, go_field, "string")),
    }
}

/// A field of the wrong kind.
pub(super) fn wrong(what: &str, value: &Value, go_field: &str, wanted: &str) -> Refusal {
    let why = format!(
        "json: cannot unmarshal {} into Go struct field {go_field} of type {wanted}",
        kind(value)
    );
    unreadable(what, &why)
}

/// Texts by name; `None` when absent or null.
pub(super) fn text_map(
    object: &Map<String, Value>,
    name: &str,
    what: &str,
    go_field: &str,
) -> Result<Option<Vec<(String, String)>>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key.clone(), text.clone())),
                Value::Null => Ok((key.clone(), String::new())),
                other => Err(wrong(what, other, &format!("{go_field}.{key}"), "string")),
            })
            .collect::<Result<_, _>>()
            .map(Some),
        Some(other) => Err(wrong(what, other, go_field, "models.LabelSet")),
    }
}

/// A time; absent, null and empty are `None`.
pub(super) fn time(
    object: &Map<String, Value>,
    name: &str,
    what: &str,
    go_field: &str,
) -> Result<Option<WallTime>, Refusal> {
    let Some(given) = text(object, name, what, go_field)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    parse_time(given).map(Some).ok_or_else(|| {
        let given = quote(given);
        let why =
            format!("parsing time {given} as \"2006-01-02\": cannot parse {given} as \"2006\"");
        unreadable(what, &why)
    })
}

/// compat: `strfmt` also takes times without a zone and dates, as UTC.
pub(super) fn parse_time(text: &str) -> Option<WallTime> {
    if let Some(time) = WallTime::parse_rfc3339(text) {
        return Some(time);
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    i64::try_from(instant.as_nanosecond())
        .ok()
        .map(WallTime::from_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_text_becomes_the_replacement_character_as_in_go() {
        for (given, wanted) in [
            (&br#"["\ud800"]"#[..], "\u{fffd}"),
            (br#"["\udc00x"]"#, "\u{fffd}x"),
            (br#"["\ud800\ud83d\ude00"]"#, "\u{fffd}\u{1f600}"),
            (br#"["\\\\ud800\udc00\n"]"#, "\\\\ud800\u{fffd}\n"),
            (b"[\"a\xffb\"]", "a\u{fffd}b"),
        ] {
            let value = parse(given, "alerts").ok();
            assert_eq!(value, Some(serde_json::json!([wanted])));
        }
        for wrong in [&b"[\"\\ud8\"]"[..], b"[\"\\", b"\\u", b"[\xff]"] {
            assert!(parse(wrong, "alerts").is_err(), "{wrong:?}");
        }
    }
}
