use std::borrow::Cow;
use std::ops::Range;

use super::error::{Error, quote_bytes};
use super::lines::{Cursor, Form};
use super::number::{openmetrics_float, parse_float};
use super::protobuf::KEY_SEPARATOR;
use crate::model::{Exemplar, Labels, METRIC_NAME, MetricType};

/// A series as a page names it.
#[derive(Debug, Clone, Copy)]
pub struct Series<'p> {
    /// What identifies the series on this target's pages: the raw text, or a key built from a
    /// protobuf message. Equal keys mean equal labels
    /// as long as pages of one target are read with the same options.
    pub key: &'p [u8],
    /// The exposed timestamp in milliseconds, if there is one.
    pub timestamp_ms: Option<i64>,
    /// When counting began, in milliseconds; 0 when not known.
    pub start_timestamp_ms: i64,
    /// Exemplars, in the order of the page.
    pub exemplars: &'p [Exemplar],
    pub(super) source: Source<'p>,
}

/// Where the labels of a series are found once somebody wants them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'p> {
    Text {
        body: &'p [u8],
        parts: &'p Parts,
        family: &'p Family,
    },
    /// A text line that was passed over.
    Unread {
        body: &'p [u8],
        at: usize,
        form: Form,
        family: &'p Family,
    },
    Built(&'p Labels),
    /// Name and labels are the parts of the key.
    Key(&'p [u8]),
}

/// What is known of the family that the last metadata lines declared.
#[derive(Debug, Clone, Default)]
pub(super) struct Family {
    pub(super) metric_type: MetricType,
    pub(super) unit: String,
    pub(super) type_and_unit_labels: bool,
}

impl Family {
    /// Whether the page's own label of this name gives way to what the metadata says.
    pub(super) fn overrides(&self, name: &str) -> bool {
        self.type_and_unit_labels
            && match name {
                METRIC_NAME => true,
                "__type__" => self.metric_type != MetricType::Unknown,
                "__unit__" => !self.unit.is_empty(),
                _ => false,
            }
    }

    /// The labels that stand for the metadata.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = self.type_and_unit_labels;
        let metric_type = (known && self.metric_type != MetricType::Unknown)
            .then(|| ("__type__", self.metric_type.as_str()));
        let unit = (known && !self.unit.is_empty()).then_some(("__unit__", self.unit.as_str()));
        metric_type.into_iter().chain(unit)
    }
}

/// Where a label's name and value lie in the body.
pub(super) type Pair = (Range<usize>, Range<usize>);

/// Where name and labels of a text line lie in the body.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) name: Range<usize>,
    pub(super) pairs: Vec<Pair>,
}

impl Series<'_> {
    /// The labels, the name among them; labels with empty values are left out.
    pub fn labels(&self) -> Result<Labels, Error> {
        match self.source {
            Source::Built(labels) => Ok(labels.clone()),
            Source::Key(key) => labels_of_key(key),
            Source::Text {
                body,
                parts,
                family,
            } => parts.labels(body, family),
            Source::Unread {
                body,
                at,
                form,
                family,
            } => Parts::read(body, at, form)?.labels(body, family),
        }
    }

    /// The names of labels that are exposed with empty values, which [`Self::labels`] leaves out.
    pub fn empty_labels(&self) -> Vec<String> {
        match self.source {
            Source::Built(_) => Vec::new(),
            Source::Key(key) => empty_in_key(key),
            Source::Text { body, parts, .. } => parts.empty_labels(body),
            Source::Unread { body, at, form, .. } => Parts::read(body, at, form)
                .map(|parts| parts.empty_labels(body))
                .unwrap_or_default(),
        }
    }
}

impl Parts {
    /// Reads the line that names its series at `at`.
    fn read(body: &[u8], at: usize, form: Form) -> Result<Self, Error> {
        let mut parts = Self::default();
        let mut cursor = Cursor::new(body, form);
        (cursor.start, cursor.at) = (at, at);
        cursor.series(&mut parts)?;
        Ok(parts)
    }

    fn empty_labels(&self, body: &[u8]) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(_, value)| value.is_empty())
            .filter_map(|(name, _)| Some(unescape(text(body, name).ok()?).into_owned()))
            .collect()
    }

    fn labels(&self, body: &[u8], family: &Family) -> Result<Labels, Error> {
        let name = unescape(text(body, &self.name)?);
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(self.pairs.len() + 3);
        pairs.push((METRIC_NAME.into(), name));
        pairs.extend(family.labels().map(|(n, v)| (n.into(), v.into())));
        for (name, value) in &self.pairs {
            let name = unescape(text(body, name)?);
            if family.overrides(&name) {
                continue;
            }
            let value = unescape(text(body, value)?);
            let value = match normal_bound(family.metric_type, &name, &value) {
                Some(normal) => normal.into(),
                None => value,
            };
            pairs.push((name, value));
        }
        sorted_labels(pairs)
    }
}

/// Takes a protobuf series' key apart.
fn labels_of_key(key: &[u8]) -> Result<Labels, Error> {
    let mut parts = key
        .split(|b| *b == KEY_SEPARATOR)
        .map(|part| Cow::Borrowed(std::str::from_utf8(part).unwrap_or_default()));
    let mut pairs = vec![(METRIC_NAME.into(), parts.next().unwrap_or_default())];
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        pairs.push((name, value));
    }
    sorted_labels(pairs)
}

fn empty_in_key(key: &[u8]) -> Vec<String> {
    let mut parts = key
        .split(|b| *b == KEY_SEPARATOR)
        .map(|part| std::str::from_utf8(part).unwrap_or_default())
        .skip(1);
    let mut names = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if value.is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}

/// Builds a set from pairs in any order; a name that comes twice is an error.
pub(super) fn sorted_labels(mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<Labels, Error> {
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some([first, _]) = pairs.array_windows().find(|[a, b]| a.0 == b.0) {
        return Err(Error::RepeatedLabel(first.0.clone().into_owned()));
    }
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    Ok(Labels::from_sorted(
        filled.map(|(n, v)| (n.as_ref(), v.as_ref())),
    ))
}

/// The canonical text of a bucket's bound or a summary's quantile, if this label holds one.
///
/// compat: both forms of text agree with protobuf that way.
fn normal_bound(metric_type: MetricType, name: &str, value: &str) -> Option<String> {
    let is_bound = matches!(
        (metric_type, name),
        (MetricType::Histogram, "le") | (MetricType::Summary, "quantile")
    );
    if !is_bound {
        return None;
    }
    parse_float(value.as_bytes()).ok().map(openmetrics_float)
}

/// A piece of the body that the parser found to be UTF-8.
pub(super) fn text<'b>(body: &'b [u8], range: &Range<usize>) -> Result<&'b str, Error> {
    let bytes = body.get(range.clone()).unwrap_or_default();
    std::str::from_utf8(bytes).map_err(|_| Error::Syntax {
        message: format!("invalid UTF-8 label value: {}", quote_bytes(bytes)),
        line: super::lines::line_of(body, range.start),
        offset: range.start,
    })
}

/// Replaces `\"`, `\\` and `\n`; other backslashes stay.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    unescape_some(text, true)
}

/// Replaces `\\` and `\n`, and `\"` where the form of text wants it.
pub(super) fn unescape_some(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (plain, tail) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ('\\', at + 2),
            Some(b'n') => ('\n', at + 2),
            Some(b'"') if quotes => ('"', at + 2),
            _ => ('\\', at + 1),
        };
        out.push(plain);
        rest = &rest[tail..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
