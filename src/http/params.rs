//! Parameters of a request: form body and query string together, as Go's `ParseForm` merges them.

use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use axum::extract::OriginalUri;
use axum::http::{Method, header, request};
use url::form_urlencoded;

use super::Failure;
use super::query_log::{ClientAddress, QueryOrigin};
use crate::text::duration;

/// Names and values in order, the form before the query string, and where they came from.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    client: Option<IpAddr>,
    method: String,
    path: String,
}

impl Params {
    /// Reads parameters from a request. A body counts with POST, PUT and PATCH when it is a form.
    pub async fn read(
        parts: &request::Parts,
        body: Body,
        form_bytes: usize,
    ) -> Result<Self, Failure> {
        let mut pairs = Vec::new();
        let is_form = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| {
                v.split(';')
                    .next()
                    .is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded")
            });
        if is_form && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
            let bytes = to_bytes(body, form_bytes).await.map_err(|_| {
                Failure::bad_data("error parsing form values: http: request body too large")
            })?;
            pairs.extend(form_urlencoded::parse(&bytes).into_owned());
        }
        if let Some(query) = parts.uri.query() {
            pairs.extend(form_urlencoded::parse(query.as_bytes()).into_owned());
        }
        let path = match parts.extensions.get::<OriginalUri>() {
            Some(OriginalUri(uri)) => uri.path(),
            None => parts.uri.path(),
        };
        Ok(Self {
            pairs,
            client: parts.extensions.get().map(|ClientAddress(ip)| *ip),
            method: parts.method.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// The first value of `name`; empty when absent.
    pub fn get(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.as_str())
    }

    /// All values of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Who asks, for the query log.
    pub fn origin(&self) -> QueryOrigin {
        QueryOrigin::Request {
            client: self.client,
            method: self.method.clone(),
            path: self.path.clone(),
        }
    }

    /// A point in time in milliseconds; none when the parameter is absent.
    pub fn time_ms(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        parse_time_ms(text)
            .map(Some)
            .map_err(|e| Failure::invalid(name, format!("invalid time value for '{name}': {e}")))
    }

    /// A point in time that must be given.
    pub fn required_time_ms(&self, name: &str) -> Result<i64, Failure> {
        parse_time_ms(self.get(name)).map_err(|e| Failure::invalid(name, e))
    }

    /// A duration in milliseconds; none when the parameter is absent.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        parse_duration_ms(text)
            .map(Some)
            .map_err(|e| Failure::invalid(name, e))
    }

    /// `limit`; 0 means none.
    pub fn limit(&self) -> Result<usize, Failure> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(0);
        }
        let n = atoi(text).map_err(|e| Failure::invalid("limit", e))?;
        usize::try_from(n).map_err(|_| Failure::invalid("limit", "limit must be non-negative"))
    }

    /// An integer; none when the parameter is absent.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        atoi(text).map(Some).map_err(|e| Failure::invalid(name, e))
    }
}

/// Reads an integer; the error is Go's.
pub fn atoi(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|e| {
        let why = match e.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        format!(
            "strconv.Atoi: parsing {}: {why}",
            crate::text::quote::quote(text)
        )
    })
}

/// Seconds since the epoch as a float, or RFC 3339; the answer is in milliseconds.
pub fn parse_time_ms(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text)
        && seconds.is_finite()
    {
        // compat: upstream rounds to the millisecond; far values saturate.
        return Ok((seconds * 1000.0).round() as i64);
    }
    // compat: the bounds that clients send for "everything".
    match text {
        "-292273086-05-16T16:47:06Z" => return Ok(i64::MIN),
        "292277025-08-18T07:12:54.999999999Z" => return Ok(i64::MAX),
        _ => {}
    }
    let failed = || {
        format!(
            "cannot parse {} to a valid timestamp",
            crate::text::quote::quote(text)
        )
    };
    if !text.contains('T') {
        return Err(failed());
    }
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_millisecond)
        .map_err(|_| failed())
}

/// Seconds as a float, or Prometheus's text form; the answer is in milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let nanoseconds = seconds * 1e9;
        if nanoseconds.is_infinite() || nanoseconds.abs() > 9.223_372_036_854_775e18 {
            return Err(format!(
                "cannot parse {} to a valid duration. It overflows int64",
                crate::text::quote::quote(text)
            ));
        }
        if seconds.is_nan() {
            // compat: what is no number becomes the shortest duration of all.
            return Ok(i64::MIN);
        }
        return Ok((seconds * 1000.0).round() as i64);
    }
    duration::parse_ms(text).map_err(|_| {
        format!(
            "cannot parse {} to a valid duration",
            crate::text::quote::quote(text)
        )
    })
}

/// Go's `ParseFloat`, hexadecimal notation left out: underscores may stand between digits, and a number that is too
/// large is none.
fn parse_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let between_digits = |at: usize| at > 0 && digit(at - 1) && digit(at + 1);
    if memchr::memchr_iter(b'_', bytes).any(|at| !between_digits(at)) {
        return None;
    }
    let value: f64 = text.replace('_', "").parse().ok()?;
    let spelled_out = !bytes.iter().any(u8::is_ascii_digit);
    (!value.is_infinite() || spelled_out).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, ms) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.123", 1_700_000_000_123),
            ("1700000000000", 1_700_000_000_000_000),
            ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
            ("2015-06-03T14:21:58.555+01:00", 1_433_337_718_555),
        ] {
            assert_eq!(parse_time_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "abc", "2015-06-03", "NaN", "Inf"] {
            assert!(parse_time_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_prometheus_text() {
        for (text, ms) in [
            ("15", 15_000),
            ("0.5", 500),
            ("1m30s", 90_000),
            ("1_0", 10_000),
            ("NaN", i64::MIN),
            ("-1", -1000),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        assert!(parse_duration_ms("148966367200372").is_err());
        for (text, why) in [
            ("0x", "cannot parse \"0x\" to a valid duration"),
            ("1_", "cannot parse \"1_\" to a valid duration"),
            ("1e400", "cannot parse \"1e400\" to a valid duration"),
            (
                "1e300",
                "cannot parse \"1e300\" to a valid duration. It overflows int64",
            ),
        ] {
            assert_eq!(parse_duration_ms(text), Err(why.to_owned()));
        }
    }
}
