//! Parameters of a request: form body and query string together, as Go's `ParseForm` merges them.

use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use axum::extract::OriginalUri;
use axum::http::{Method, header, request};
use percent_encoding::percent_decode;

use super::Failure;
use super::query_log::{ClientAddress, QueryOrigin};
use crate::text::duration;

/// Names and values in order, the form before the query string, and where they came from.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    /// What was wrong with the form or the query string; the rest of them counts all the same.
    malformed: Option<String>,
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
        let mut form = Form::default();
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
            form.read(&bytes);
        }
        if let Some(query) = parts.uri.query() {
            form.read(query.as_bytes());
        }
        let path = match parts.extensions.get::<OriginalUri>() {
            Some(OriginalUri(uri)) => uri.path(),
            None => parts.uri.path(),
        };
        Ok(Self {
            pairs: form.pairs,
            malformed: form.malformed,
            client: parts.extensions.get().map(|ClientAddress(ip)| *ip),
            method: parts.method.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// Refuses a form that was not well formed, for the few endpoints that look.
    pub fn well_formed(&self) -> Result<(), Failure> {
        match &self.malformed {
            Some(why) => Err(Failure::bad_data(format!(
                "error parsing form values: {why}"
            ))),
            None => Ok(()),
        }
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

/// Pairs as Go's `url.ParseQuery` finds them: what is malformed is left out.
#[derive(Debug, Default)]
struct Form {
    pairs: Vec<(String, String)>,
    malformed: Option<String>,
}

impl Form {
    fn read(&mut self, text: &[u8]) {
        for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            match form_pair(pair) {
                Ok(pair) => self.pairs.push(pair),
                Err(why) => {
                    self.malformed.get_or_insert(why);
                }
            }
        }
    }
}

fn form_pair(pair: &[u8]) -> Result<(String, String), String> {
    if pair.contains(&b';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
    let (name, value) = pair.split_at(at);
    Ok((
        form_text(name)?,
        form_text(value.strip_prefix(b"=").unwrap_or(value))?,
    ))
}

fn form_text(text: &[u8]) -> Result<String, String> {
    for at in memchr::memchr_iter(b'%', text) {
        let escape = text.get(at..text.len().min(at + 3)).unwrap_or_default();
        if escape.len() < 3 || !escape.iter().skip(1).all(u8::is_ascii_hexdigit) {
            let escape = String::from_utf8_lossy(escape);
            let escape = crate::text::quote::quote(&escape);
            return Err(format!("invalid URL escape {escape}"));
        }
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    Ok(percent_decode(&spaced).decode_utf8_lossy().into_owned())
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
    rfc3339_ms(text.as_bytes()).ok_or_else(failed)
}

/// RFC 3339 as Go's `time.Parse` reads it: years of four digits, no leap seconds, an hour of one digit, any number of
/// digits after a point or a comma.
fn rfc3339_ms(text: &[u8]) -> Option<i64> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let rest = rest.strip_prefix(b"T")?;
    let (hour, rest) = digits(rest, 2).or_else(|| digits(rest, 1))?;
    let (minute, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let (ms, rest) = fraction(rest);
    let time = i8::try_from(month).ok().zip(i8::try_from(day).ok());
    let date = time.and_then(|(month, day)| {
        jiff::civil::Date::new(i16::try_from(year).ok()?, month, day).ok()
    })?;
    let days = jiff::civil::date(1970, 1, 1).until(date).ok()?.get_days();
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = i64::from(days) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((local - zone_seconds(rest)?) * 1000 + ms)
}

/// A number of exactly so many digits, and what follows it.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(count)?;
    let number = number.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0'))
    })?;
    Some((number, rest))
}

/// Milliseconds after the second, if any are written, and what follows them.
fn fraction(text: &[u8]) -> (i64, &[u8]) {
    let Some(written) = text.strip_prefix(b".").or_else(|| text.strip_prefix(b",")) else {
        return (0, text);
    };
    let count = written.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return (0, text);
    }
    let (number, rest) = written.split_at(count);
    let at = |place: usize| number.get(place).map_or(0, |b| i64::from(b - b'0'));
    (at(0) * 100 + at(1) * 10 + at(2), rest)
}

/// `Z` or how far local time is ahead; Go takes 24 hours and 60 minutes, too.
fn zone_seconds(text: &[u8]) -> Option<i64> {
    if text == b"Z" {
        return Some(0);
    }
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    (rest.is_empty() && hours <= 24 && minutes <= 60)
        .then_some(sign * (hours * 3600 + minutes * 60))
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
            ("2015-06-03T13:21:58,5559999999999Z", 1_433_337_718_555),
            ("2015-06-03T3:21:58Z", 1_433_301_718_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("1970-01-03T00:00:01+24:00", 86_401_000),
        ] {
            assert_eq!(parse_time_ms(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "abc",
            "2015-06-03",
            "NaN",
            "Inf",
            "2015-06-03T13:21:60Z",
            "2015-02-29T13:21:00Z",
            "2015-06-03t13:21:00z",
            "2015-06-03T13:21:00",
            "2015-06-03T13:21:00.Z",
            "2015-06-03T13:21:00+0100",
            "2015-06-03T13:21:00+25:00",
        ] {
            assert!(parse_time_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_pairs_are_left_out_as_go_does() {
        let mut form = Form::default();
        form.read(b"a=1&b=%zz&c=2;d=3&&e=x+%2B%ff&f&=g&h=100%");
        let expected = [("a", "1"), ("e", "x +\u{fffd}"), ("f", ""), ("", "g")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.pairs, expected);
        assert_eq!(
            form.malformed.as_deref(),
            Some("invalid URL escape \"%zz\"")
        );
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
