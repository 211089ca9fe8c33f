//! OpenMetrics text 1.0.

use std::ops::Range;

use super::Error;
use super::error::quote_bytes;
use super::lines::{Cursor, Form, Line, Place, is_metric_name_start};
use super::number::parse_float;
use super::series::{Parts, sorted_labels, text, unescape};
use super::text::{Known, read_series};
use crate::model::{Exemplar, MetricType};

/// Reads a page line by line. What a sample line held stays here until the next line is read.
#[derive(Debug)]
pub(super) struct OpenMetricsReader<'a> {
    pub(super) cursor: Cursor<'a>,
    /// Of the current sample line, unless it was passed over.
    pub(super) parts: Option<Parts>,
    pub(super) key: Range<usize>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) start_timestamp_ms: i64,
    pub(super) exemplar: Option<Exemplar>,
    /// Whether `_created` series are start timestamps and no samples.
    pub(super) start_timestamps: bool,
    metric_type: MetricType,
    family_length: usize,
    /// The next `_created` line and where it ends, as far as it was looked for.
    ahead: Option<Ahead>,
    /// The last start timestamp and the group of series that it belongs to.
    known: Option<(Vec<u8>, i64)>,
}

/// What a look ahead found: up to `until` there is no other `_created` line.
#[derive(Debug, Clone)]
struct Ahead {
    until: usize,
    created: Option<(Vec<u8>, i64)>,
}

impl<'a> OpenMetricsReader<'a> {
    pub(super) fn new(body: &'a [u8], start_timestamps: bool) -> Self {
        Self {
            cursor: Cursor::new(body, Form::OpenMetrics),
            parts: None,
            key: 0..0,
            value: 0.0,
            timestamp_ms: None,
            start_timestamp_ms: 0,
            exemplar: None,
            start_timestamps,
            metric_type: MetricType::Unknown,
            family_length: 0,
            ahead: None,
            known: None,
        }
    }

    /// The next line. `known` is asked how many bytes name the series of a line, if it has seen them before.
    pub(super) fn next(&mut self, known: &mut Known<'_>) -> Result<Option<Line>, Error> {
        loop {
            // Which start timestamp belongs to a series, its labels tell.
            let line = if self.start_timestamps {
                self.line(&mut |_| None)?
            } else {
                self.line(known)?
            };
            match &line {
                Some(Line::Sample) if self.start_timestamps => {
                    if self.is_created() {
                        continue;
                    }
                    self.start_timestamp_ms = self.start_timestamp();
                }
                Some(Line::Type {
                    family,
                    metric_type,
                }) => {
                    self.metric_type = *metric_type;
                    self.family_length = family.len();
                }
                Some(Line::Help { family, .. } | Line::Unit { family, .. }) => {
                    self.family_length = family.len();
                }
                _ => {}
            }
            return Ok(line);
        }
    }

    fn line(&mut self, known: &mut Known<'_>) -> Result<Option<Line>, Error> {
        let c = &mut self.cursor;
        c.start = c.at;
        self.exemplar = None;
        match c.peek() {
            None => return Err(c.fail("data does not end with # EOF".to_owned())),
            Some(b'#') => return meta(c),
            Some(b) if b == b'{' || is_metric_name_start(b) => {
                self.key = read_series(c, &mut self.parts, known)?;
            }
            Some(_) => return Err(c.unexpected("expected a valid start token", Place::Start)),
        }
        self.suffix()?;
        Ok(Some(Line::Sample))
    }

    /// Reads value, timestamp and exemplar.
    fn suffix(&mut self) -> Result<(), Error> {
        let c = &mut self.cursor;
        self.value = value(c, "metric", Place::Value)?;
        self.timestamp_ms = None;
        if c.peek() == Some(b' ') && c.slice(c.at..c.at + 4) != b" # {" && has_word(c) {
            self.timestamp_ms = Some(timestamp(c, "timestamp")?);
            if !matches!(c.peek(), None | Some(b'\n')) && c.slice(c.at..c.at + 4) != b" # {" {
                return Err(c.unexpected("expected next entry after timestamp", Place::Timestamp));
            }
        }
        match c.peek() {
            None => Err(c.fail("data does not end with # EOF".to_owned())),
            Some(b'\n') => {
                c.at += 1;
                Ok(())
            }
            Some(_) if c.skip(b" # {") => {
                self.exemplar = Some(exemplar(c)?);
                Ok(())
            }
            Some(_) => Err(c.unexpected("expected timestamp or # symbol", Place::Timestamp)),
        }
    }

    /// compat: only these types have start timestamps; a gauge may be called `x_created`.
    const fn has_start(&self) -> bool {
        matches!(
            self.metric_type,
            MetricType::Counter | MetricType::Summary | MetricType::Histogram
        )
    }

    fn is_created(&self) -> bool {
        self.has_start() && self.name().ends_with(b"_created")
    }

    /// The name on the current sample line, which has been read and not passed over.
    fn name(&self) -> &'a [u8] {
        let name = self.parts.as_ref().map(|parts| parts.name.clone());
        self.cursor.slice(name.unwrap_or_default())
    }

    /// compat: the `_created` line may stand anywhere behind the series within its family, but the first
    /// such line that is met must belong to the series.
    fn start_timestamp(&mut self) -> i64 {
        if !self.has_start() {
            self.known = None;
            return 0;
        }
        let name = self.name();
        let family = name.get(..self.family_length).unwrap_or(name);
        let group = self.group(family);
        if let Some((known, at)) = &self.known
            && *known == group
        {
            return *at;
        }
        if self
            .ahead
            .as_ref()
            .is_none_or(|ahead| ahead.until <= self.cursor.at)
        {
            self.ahead = Some(self.look_ahead());
        }
        let created = self.ahead.as_ref().and_then(|ahead| ahead.created.clone());
        self.known = created.filter(|(found, _)| *found == group);
        self.known.as_ref().map_or(0, |(_, at)| *at)
    }

    /// Finds the next `_created` line of the family.
    fn look_ahead(&self) -> Ahead {
        let mut reader = Self::new(self.cursor.body, false);
        reader.cursor.at = self.cursor.at;
        reader.metric_type = self.metric_type;
        while let Ok(Some(Line::Sample)) = reader.line(&mut |_| None) {
            if reader.is_created() {
                let name = reader.name();
                let group = reader.group(name.strip_suffix(b"_created").unwrap_or(name));
                return Ahead {
                    until: reader.cursor.at,
                    created: Some((group, (reader.value * 1000.0) as i64)),
                };
            }
        }
        Ahead {
            // Everything up to the line that ended the search is known to hold none.
            until: reader.cursor.start.max(self.cursor.at + 1),
            created: None,
        }
    }

    /// What series of one histogram, summary or counter have in common.
    fn group(&self, family: &[u8]) -> Vec<u8> {
        let mut group = family.to_vec();
        let pairs = self.parts.iter().flat_map(|parts| &parts.pairs);
        for (name, value) in pairs {
            let name = self.cursor.slice(name.clone());
            let varies = match self.metric_type {
                MetricType::Histogram => name == b"le",
                MetricType::Summary => name == b"quantile",
                _ => false,
            };
            if !varies {
                group.push(0xff);
                group.extend_from_slice(name);
                group.push(0xff);
                group.extend_from_slice(self.cursor.slice(value.clone()));
            }
        }
        group
    }
}

/// Whether a space is followed by something that can be a number.
fn has_word(c: &Cursor<'_>) -> bool {
    !matches!(c.body.get(c.at + 1), None | Some(b' ' | b'\n'))
}

fn word(c: &mut Cursor<'_>) -> Range<usize> {
    c.at += 1;
    c.take_while(|b| !matches!(b, b' ' | b'\n'))
}

fn value(c: &mut Cursor<'_>, after: &str, place: Place) -> Result<f64, Error> {
    if c.peek() != Some(b' ') || !has_word(c) {
        return Err(c.unexpected(&format!("expected value after {after}"), place));
    }
    let word = word(c);
    parse_float(c.slice(word)).map_err(|why| c.fail_while(&why))
}

fn timestamp(c: &mut Cursor<'_>, what: &str) -> Result<i64, Error> {
    let word = word(c);
    let seconds = parse_float(c.slice(word)).map_err(|why| c.fail_while(&why))?;
    if !seconds.is_finite() {
        let shown = crate::text::gofmt::float_f(seconds);
        return Err(c.fail(format!("invalid {what} {shown}")));
    }
    Ok((seconds * 1000.0) as i64)
}

/// Reads an exemplar after its `{`, to the line's end.
fn exemplar(c: &mut Cursor<'_>) -> Result<Exemplar, Error> {
    let pairs = c.exemplar_labels()?;
    let value = value(c, "exemplar labels", Place::ExemplarValue)?;
    let mut timestamp_ms = None;
    if c.peek() == Some(b' ') && has_word(c) {
        timestamp_ms = Some(timestamp(c, "exemplar timestamp")?);
        if !matches!(c.peek(), None | Some(b'\n')) {
            let expected = "expected next entry after exemplar timestamp";
            return Err(c.unexpected(expected, Place::Timestamp));
        }
    }
    match c.peek() {
        None => return Err(c.fail("data does not end with # EOF".to_owned())),
        Some(b'\n') => c.at += 1,
        Some(_) => return Err(c.unexpected("expected timestamp or comment", Place::Timestamp)),
    }
    let mut labels = Vec::with_capacity(pairs.len());
    for (name, value) in &pairs {
        labels.push((
            unescape(text(c.body, name)?),
            unescape(text(c.body, value)?),
        ));
    }
    Ok(Exemplar {
        labels: sorted_labels(labels)?,
        value,
        timestamp_ms,
    })
}

/// Reads a line that begins with `#`. `None` is the end of the page.
fn meta(c: &mut Cursor<'_>) -> Result<Option<Line>, Error> {
    if c.skip(b"# EOF") {
        let _ = c.skip(b"\n");
        if c.peek().is_some() {
            return Err(c.fail("unexpected data after # EOF".to_owned()));
        }
        return Ok(None);
    }
    let words = [
        (&b"# HELP "[..], "HELP"),
        (b"# TYPE ", "TYPE"),
        (b"# UNIT ", "UNIT"),
    ];
    let Some((_, word)) = words.into_iter().find(|(literal, _)| c.skip(literal)) else {
        return Err(c.unexpected("expected a valid start token", Place::Start));
    };
    let family = c.family_name(word)?;
    let end = memchr::memchr(b'\n', c.slice(c.at..c.body.len())).map(|n| c.at + n);
    let (Some(b' '), Some(end)) = (c.peek(), end) else {
        return Err(c.fail(format!("expected text in {word}")));
    };
    let text = c.at + 1..end;
    let shown = c.slice(text.clone());
    let line = match word {
        "HELP" => {
            if std::str::from_utf8(shown).is_err() {
                let shown = quote_bytes(shown);
                return Err(c.fail(format!("help text {shown} is not a valid utf8 string")));
            }
            Line::Help { family, text }
        }
        "TYPE" => {
            let metric_type = metric_type(shown)
                .ok_or_else(|| c.fail(format!("invalid metric type {}", quote_bytes(shown))))?;
            Line::Type {
                family,
                metric_type,
            }
        }
        _ => {
            let name = c.slice(family.clone());
            let fits = name
                .strip_suffix(shown)
                .is_some_and(|rest| rest.ends_with(b"_"));
            if !shown.is_empty() && !fits {
                return Err(c.fail(format!(
                    "unit {} not a suffix of metric {}",
                    quote_bytes(shown),
                    quote_bytes(name)
                )));
            }
            Line::Unit { family, unit: text }
        }
    };
    c.at = end + 1;
    Ok(Some(line))
}

fn metric_type(word: &[u8]) -> Option<MetricType> {
    Some(match word {
        b"counter" => MetricType::Counter,
        b"gauge" => MetricType::Gauge,
        b"histogram" => MetricType::Histogram,
        b"gaugehistogram" => MetricType::GaugeHistogram,
        b"summary" => MetricType::Summary,
        b"info" => MetricType::Info,
        b"stateset" => MetricType::StateSet,
        b"unknown" => MetricType::Unknown,
        _ => return None,
    })
}
