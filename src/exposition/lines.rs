//! What both text forms share: names, label blocks, and upstream's way to complain.

use std::ops::Range;

use super::Error;
use super::error::quote_bytes;
use super::series::{Pair, Parts};

/// Which of the two text forms is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 0.0.4 and 1.0.0: blanks may stand nearly everywhere.
    Classic,
    /// OpenMetrics: exactly one space, only where it belongs.
    OpenMetrics,
}

/// Where in a line the reader stood when it met something wrong; decides how upstream names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    Family,
    Labels,
    LabelValue,
    Value,
    Timestamp,
    ExemplarLabels,
    ExemplarLabelValue,
    ExemplarValue,
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Help {
        family: Range<usize>,
        text: Range<usize>,
    },
    Type {
        family: Range<usize>,
        metric_type: crate::model::MetricType,
    },
    Unit {
        family: Range<usize>,
        unit: Range<usize>,
    },
    Comment(Range<usize>),
    /// A sample; its parts are kept in the reader.
    Sample,
}

/// A position in a page.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    pub(super) body: &'a [u8],
    pub(super) at: usize,
    /// Where the current line began.
    pub(super) start: usize,
    pub(super) form: Form,
}

/// The line, from 1, in which an offset lies.
pub(super) fn line_of(body: &[u8], offset: usize) -> usize {
    let before = body.get(..offset).unwrap_or(body);
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// What bytes may be in names, looked up: bit 0 for labels, bit 1 for metrics, bit 2 for beginnings.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        if byte.is_ascii_alphabetic() || byte == b'_' {
            table[b] = 7;
        } else if byte == b':' {
            table[b] = 6;
        } else if byte.is_ascii_digit() {
            table[b] = 3;
        }
        b += 1;
    }
    table
}

pub(super) fn is_name_start(b: u8) -> bool {
    CLASS[b as usize] == 7
}

#[inline]
pub(super) fn is_metric_name_start(b: u8) -> bool {
    CLASS[b as usize] & 4 != 0
}

fn is_name(b: u8) -> bool {
    CLASS[b as usize] & 1 != 0
}

fn is_metric_name(b: u8) -> bool {
    CLASS[b as usize] & 2 != 0
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(body: &'a [u8], form: Form) -> Self {
        Self {
            body,
            at: 0,
            start: 0,
            form,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.body.get(range).unwrap_or_default()
    }

    /// Goes on while `accept` likes the byte, and tells where that began and ended.
    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> Range<usize> {
        let from = self.at;
        let rest = self.body.get(from..).unwrap_or_default();
        let taken = rest.iter().position(|b| !accept(*b)).unwrap_or(rest.len());
        self.at = from + taken;
        from..self.at
    }

    /// Skips what must stand there; `false`, without moving, when it does not.
    pub(super) fn skip(&mut self, literal: &[u8]) -> bool {
        let found = self.slice(self.at..self.at + literal.len()) == literal;
        if found {
            self.at += literal.len();
        }
        found
    }

    /// Skips blanks where the form allows them.
    pub(super) fn skip_blanks(&mut self) {
        if self.form == Form::Classic {
            while matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            }
        }
    }

    /// Reads name and labels of a sample line, and tells where they are.
    pub(super) fn series(&mut self, parts: &mut Parts) -> Result<Range<usize>, Error> {
        let from = self.at;
        parts.pairs.clear();
        if self.peek() == Some(b'{') {
            self.at += 1;
            self.labels(parts, false)?;
            return Ok(from..self.at);
        }
        parts.name = self.metric_name();
        let mut key = parts.name.clone();
        self.skip_blanks();
        if self.peek() == Some(b'{') {
            self.at += 1;
            self.labels(parts, true)?;
            key.end = self.at;
        }
        Ok(key)
    }

    /// Passes over name and labels of a sample line whose caller has seen the same bytes before, and says how many
    /// they are; without moving when the line goes on otherwise here.
    pub(super) fn pass(&mut self, length: usize) -> Option<Range<usize>> {
        let key = self.at..self.at.checked_add(length)?;
        // Labels end with their brace whatever follows, a name only before a blank that no labels follow.
        if self.slice(key.clone()).last() != Some(&b'}') {
            let mut after = self.clone();
            after.at = key.end;
            if !matches!(after.peek(), Some(b' ' | b'\t')) {
                return None;
            }
            after.skip_blanks();
            if after.peek() == Some(b'{') {
                return None;
            }
        }
        self.at = key.end;
        Some(key)
    }

    pub(super) fn metric_name(&mut self) -> Range<usize> {
        self.take_while(is_metric_name)
    }

    /// The name in a metadata line, without its quotes.
    pub(super) fn family_name(&mut self, word: &str) -> Result<Range<usize>, Error> {
        match self.peek() {
            Some(b) if is_metric_name_start(b) => Ok(self.metric_name()),
            Some(b'"') => {
                match self.quoted(true) {
                    Some(range) => {
                        self.check_utf8(&range, "name")?;
                        Ok(range)
                    }
                    None => Err(self
                        .unexpected(&format!("expected metric name after {word}"), Place::Family)),
                }
            }
            _ => Err(self.unexpected(&format!("expected metric name after {word}"), Place::Family)),
        }
    }

    /// Reads a quoted text and returns what is between the quotes. `None`, without moving, when it does
    /// not end, or holds a line break that is not allowed.
    fn quoted(&mut self, line_breaks: bool) -> Option<Range<usize>> {
        let from = self.at + 1;
        let rest = self.body.get(from..)?;
        let mut i = 0;
        loop {
            let tail = rest.get(i..)?;
            let step = if line_breaks {
                memchr::memchr2(b'"', b'\\', tail)?
            } else {
                memchr::memchr3(b'"', b'\\', b'\n', tail)?
            };
            i += step;
            match *rest.get(i)? {
                b'"' => break,
                b'\\' if *rest.get(i + 1)? == b'\n' => return None,
                b'\\' => i += 2,
                _ => return None,
            }
        }
        self.at = from + i + 1;
        Some(from..from + i)
    }

    fn check_utf8(&self, range: &Range<usize>, what: &str) -> Result<(), Error> {
        let bytes = self.slice(range.clone());
        if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
            return Ok(());
        }
        let whole = self.slice(range.start.saturating_sub(1)..range.end + 1);
        Err(self.fail(format!(
            "invalid UTF-8 label {what}: {}",
            quote_bytes(whole)
        )))
    }

    /// Reads a block of labels after its `{`. `parts.name` must be empty when the name may stand inside.
    pub(super) fn labels(&mut self, parts: &mut Parts, mut named: bool) -> Result<(), Error> {
        loop {
            self.skip_blanks();
            let (name, quoted) = match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b) if is_name_start(b) => (self.take_while(is_name), false),
                Some(b'"') => match self.quoted(true) {
                    Some(range) => (range, true),
                    None => return Err(self.unexpected("expected label name", Place::Labels)),
                },
                _ => return Err(self.unexpected("expected label name", Place::Labels)),
            };
            if quoted {
                self.check_utf8(&name, "name")?;
            }
            self.skip_blanks();
            match self.peek() {
                Some(b'=') => self.at += 1,
                Some(end @ (b',' | b'}')) if quoted => {
                    self.at += 1;
                    if named {
                        let seen = quote_bytes(self.slice(self.start..self.at));
                        return Err(
                            self.fail(format!("metric name already set while parsing: {seen}"))
                        );
                    }
                    named = true;
                    parts.name = name;
                    if end == b'}' {
                        break;
                    }
                    continue;
                }
                _ => return Err(self.unexpected("expected equal", Place::Labels)),
            }
            let value = self.label_value(Place::LabelValue)?;
            parts.pairs.push((name, value));
            self.skip_blanks();
            match (self.peek(), self.form) {
                (Some(b','), _) => self.at += 1,
                // compat: the classic form does not miss the comma between labels.
                (Some(b'}'), _) | (_, Form::Classic) => {}
                _ => return Err(self.unexpected("expected comma or brace close", Place::Labels)),
            }
        }
        if named {
            return Ok(());
        }
        // compat: upstream has read the value when it complains.
        self.take_while(|b| b == b' ');
        self.take_while(|b| !matches!(b, b' ' | b'\n'));
        Err(self.fail_while("metric name not set"))
    }

    fn label_value(&mut self, place: Place) -> Result<Range<usize>, Error> {
        self.skip_blanks();
        if self.peek() == Some(b'"')
            && let Some(range) = self.quoted(self.form == Form::Classic)
        {
            self.check_utf8(&range, "value")?;
            let foreign = place == Place::ExemplarLabelValue
                && memchr::memchr(0, self.slice(range.clone())).is_some();
            if !foreign {
                return Ok(range);
            }
            self.at = range.start - 1;
        }
        Err(self.unexpected("expected label value", place))
    }

    /// Reads the labels of an exemplar after its `{`.
    pub(super) fn exemplar_labels(&mut self) -> Result<Vec<Pair>, Error> {
        let mut pairs = Vec::new();
        loop {
            let (name, quoted) = match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(pairs);
                }
                Some(b) if is_name_start(b) => (self.take_while(is_name), false),
                Some(b'"') => match self.quoted(false) {
                    Some(range) => (range, true),
                    None => {
                        return Err(self.unexpected("expected label name", Place::ExemplarLabels));
                    }
                },
                _ => return Err(self.unexpected("expected label name", Place::ExemplarLabels)),
            };
            if quoted {
                self.check_utf8(&name, "name")?;
            }
            match self.peek() {
                Some(b'=') => self.at += 1,
                Some(b',' | b'}') if quoted => {
                    return Err(self.unexpected("expected label name", Place::ExemplarLabels));
                }
                _ => return Err(self.unexpected("expected equal", Place::ExemplarLabels)),
            }
            let value = self.label_value(Place::ExemplarLabelValue)?;
            pairs.push((name, value));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => {
                    return Err(
                        self.unexpected("expected comma or brace close", Place::ExemplarLabels)
                    );
                }
            }
        }
    }

    /// An error at the current position.
    pub(super) fn fail(&self, message: String) -> Error {
        Error::Syntax {
            message,
            line: line_of(self.body, self.start),
            offset: self.at.min(self.body.len()),
        }
    }

    /// An error about the text from the line's beginning to here.
    pub(super) fn fail_while(&self, why: &str) -> Error {
        let seen = quote_bytes(self.slice(self.start..self.at));
        self.fail(format!("{why} while parsing: {seen}"))
    }

    /// `EXPECTED, got TOKEN (KIND) while parsing: LINE`, as upstream's lexer sees the token.
    pub(super) fn unexpected(&self, expected: &str, place: Place) -> Error {
        let (kind, end) = self.token(place);
        let length = self.body.len();
        // compat: the classic form is read as if a line break followed the last byte.
        let with_break = |from: usize| {
            let mut bytes = self.slice(from..(end + 1).min(length)).to_vec();
            if self.form == Form::Classic && end >= length {
                bytes.push(b'\n');
            }
            quote_bytes(&bytes)
        };
        let from = if kind == "EOF" { self.start } else { self.at };
        let got = with_break(from);
        let seen = with_break(self.start);
        self.fail(format!(
            "{expected}, got {got} (\"{kind}\") while parsing: {seen}"
        ))
    }

    /// How upstream's lexer would call what stands here, and where it would have stopped.
    fn token(&self, place: Place) -> (&'static str, usize) {
        let at = self.at;
        let Some(first) = self.peek() else {
            let kind = if self.form == Form::OpenMetrics {
                "EOF"
            } else {
                "INVALID"
            };
            return (kind, at);
        };
        let next = self.body.get(at + 1).copied();
        let in_labels = matches!(place, Place::Labels | Place::ExemplarLabels);
        match first {
            b'=' if in_labels => ("EQUAL", at + 1),
            b',' if in_labels => ("COMMA", at + 1),
            b'}' if in_labels => ("BCLOSE", at + 1),
            b if in_labels && is_name_start(b) => ("LNAME", self.clone().take_while(is_name).end),
            b'"' if in_labels || matches!(place, Place::LabelValue | Place::ExemplarLabelValue) => {
                ("INVALID", self.unterminated(place))
            }
            b' ' if place == Place::Timestamp
                && next.is_some_and(|b| !matches!(b, b' ' | b'\n')) =>
            {
                let mut tail = self.clone();
                tail.at += 1;
                (
                    "TIMESTAMP",
                    tail.take_while(|b| !matches!(b, b' ' | b'\n')).end,
                )
            }
            b if place == Place::Timestamp && self.form == Form::Classic && b.is_ascii_digit() => (
                "TIMESTAMP",
                self.clone().take_while(|b| b.is_ascii_digit()).end,
            ),
            b'#' if place == Place::Start => ("INVALID", self.broken_meta()),
            _ => ("INVALID", at),
        }
    }

    /// Where a quoted text that does not end stops being one.
    fn unterminated(&self, place: Place) -> usize {
        let rest = self.body.get(self.at + 1..).unwrap_or_default();
        let breaks = self.form == Form::Classic || place == Place::Labels;
        let stop = rest.iter().position(|b| {
            (*b == b'\n' && !breaks) || (*b == 0 && place == Place::ExemplarLabelValue)
        });
        stop.map_or(self.body.len(), |n| self.at + 1 + n)
    }

    /// Where a `#` line stops being one of the lines that OpenMetrics knows.
    fn broken_meta(&self) -> usize {
        let rest = self.slice(self.at..self.body.len());
        let matched = |word: &[u8]| rest.iter().zip(word).take_while(|(a, b)| a == b).count();
        let longest = [&b"# HELP "[..], b"# TYPE ", b"# UNIT ", b"# EOF"]
            .into_iter()
            .map(matched)
            .max();
        self.at + longest.unwrap_or(0)
    }
}
