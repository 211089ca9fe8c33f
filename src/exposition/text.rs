//! The classic text form, 0.0.4 and 1.0.0.

use std::ops::Range;

use super::Error;
use super::error::quote_bytes;
use super::lines::{Cursor, Form, Line, Place, is_metric_name_start};
use super::number::parse_float;
use super::series::Parts;
use crate::model::MetricType;

/// Tells how many bytes at the beginning of a line name its series, if they were seen before.
pub(super) type Known<'k> = dyn FnMut(&[u8]) -> Option<usize> + 'k;

/// Reads a page line by line. What a sample line held stays here until the next line is read.
#[derive(Debug)]
pub(super) struct TextReader<'a> {
    pub(super) cursor: Cursor<'a>,
    /// Of the current sample line, unless it was passed over.
    pub(super) parts: Option<Parts>,
    pub(super) key: Range<usize>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
}

impl<'a> TextReader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(body, Form::Classic),
            parts: None,
            key: 0..0,
            value: 0.0,
            timestamp_ms: None,
        }
    }

    /// The next line that says something. `known` is asked how many bytes name the series of a line, if it has seen
    /// them before.
    pub(super) fn next(&mut self, known: &mut Known<'_>) -> Result<Option<Line>, Error> {
        let c = &mut self.cursor;
        loop {
            c.start = c.at;
            c.skip_blanks();
            match c.peek() {
                // compat: a NUL byte at the beginning of a line ends the page.
                None | Some(0) => return Ok(None),
                Some(b'\n') => c.at += 1,
                Some(b'#') => return meta(c).map(Some),
                Some(b) if b == b'{' || is_metric_name_start(b) => {
                    self.key = read_series(c, &mut self.parts, known)?;
                    break;
                }
                Some(_) => return Err(c.unexpected("expected a valid start token", Place::Start)),
            }
        }
        self.suffix()?;
        Ok(Some(Line::Sample))
    }

    /// Reads value and timestamp.
    fn suffix(&mut self) -> Result<(), Error> {
        let c = &mut self.cursor;
        c.skip_blanks();
        let value = c.take_while(|b| !matches!(b, b'{' | b' ' | b'\t' | b'\n'));
        if value.is_empty() {
            return Err(c.unexpected("expected value after metric", Place::Value));
        }
        self.value = parse_float(c.slice(value)).map_err(|why| c.fail_while(&why))?;
        self.timestamp_ms = None;
        c.skip_blanks();
        match c.peek() {
            None => {}
            Some(b'\n') => c.at += 1,
            Some(b) if b.is_ascii_digit() => {
                let digits = c.take_while(|b| b.is_ascii_digit());
                self.timestamp_ms = Some(parse_integer(c, digits)?);
                c.skip_blanks();
                match c.peek() {
                    None => {}
                    Some(b'\n') => c.at += 1,
                    Some(_) => {
                        return Err(
                            c.unexpected("expected next entry after timestamp", Place::Timestamp)
                        );
                    }
                }
            }
            Some(_) => {
                return Err(c.unexpected("expected timestamp or new record", Place::Timestamp));
            }
        }
        Ok(())
    }
}

/// Reads name and labels of a sample line, or passes over them.
pub(super) fn read_series(
    c: &mut Cursor<'_>,
    parts: &mut Option<Parts>,
    known: &mut Known<'_>,
) -> Result<Range<usize>, Error> {
    let length = known(c.slice(c.at..c.body.len()));
    if let Some(key) = length.and_then(|length| c.pass(length)) {
        *parts = None;
        return Ok(key);
    }
    c.series(parts.get_or_insert_default())
}

fn parse_integer(c: &Cursor<'_>, digits: Range<usize>) -> Result<i64, Error> {
    let text = std::str::from_utf8(c.slice(digits)).unwrap_or_default();
    text.parse().map_err(|_| {
        c.fail_while(&format!(
            "strconv.ParseInt: parsing \"{text}\": value out of range"
        ))
    })
}

/// Reads a line that begins with `#`.
fn meta(c: &mut Cursor<'_>) -> Result<Line, Error> {
    let from = c.at;
    let end = memchr::memchr(b'\n', c.slice(from..c.body.len())).map_or(c.body.len(), |n| from + n);
    c.at += 1;
    let blanks = c.take_while(|b| matches!(b, b' ' | b'\t'));
    let is_help = c.slice(c.at..c.at + 4) == b"HELP";
    let is_type = c.slice(c.at..c.at + 4) == b"TYPE";
    let spaced = matches!(c.body.get(c.at + 4), Some(b' ' | b'\t'));
    if blanks.is_empty() || !spaced || !(is_help || is_type) {
        c.at = (end + 1).min(c.body.len());
        return Ok(Line::Comment(from..end));
    }
    c.at += 4;
    c.skip_blanks();
    let family = c.family_name(if is_help { "HELP" } else { "TYPE" })?;
    // A quoted name may hold line breaks, so the line's end is found again.
    let end = memchr::memchr(b'\n', c.slice(c.at..c.body.len())).map_or(c.body.len(), |n| c.at + n);
    let text = (c.at + 1).min(end)..end;
    let line = if is_help {
        if std::str::from_utf8(c.slice(text.clone())).is_err() {
            let shown = quote_bytes(c.slice(text));
            return Err(c.fail(format!("help text {shown} is not a valid utf8 string")));
        }
        Line::Help { family, text }
    } else {
        let metric_type = match c.slice(text.clone()) {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"histogram" => MetricType::Histogram,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Unknown,
            other => {
                return Err(c.fail(format!("invalid metric type {}", quote_bytes(other))));
            }
        };
        Line::Type {
            family,
            metric_type,
        }
    };
    c.at = (end + 1).min(c.body.len());
    Ok(line)
}
