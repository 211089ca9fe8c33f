//! Which parser does a `Content-Type` ask for?

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Error, ScrapeProtocol};
use crate::text::quote::quote;

/// The form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic text form, 0.0.4 and 1.0.0.
    PrometheusText,
    /// OpenMetrics text.
    OpenMetrics,
    /// Length-delimited protobuf messages.
    Protobuf,
}

impl Format {
    fn of_media_type(media_type: &str) -> Option<Self> {
        let known = [
            ("text/plain", Self::PrometheusText),
            ("application/openmetrics-text", Self::OpenMetrics),
            ("application/vnd.google.protobuf", Self::Protobuf),
        ];
        let mut known = known.into_iter();
        let found = known.find(|(name, _)| name.eq_ignore_ascii_case(media_type));
        found.map(|(_, format)| format)
    }

    /// The form of a protocol's pages.
    pub const fn of_protocol(protocol: ScrapeProtocol) -> Self {
        match protocol {
            ScrapeProtocol::PrometheusProto => Self::Protobuf,
            ScrapeProtocol::PrometheusText0_0_4 | ScrapeProtocol::PrometheusText1_0_0 => {
                Self::PrometheusText
            }
            ScrapeProtocol::OpenMetricsText0_0_1 | ScrapeProtocol::OpenMetricsText1_0_0 => {
                Self::OpenMetrics
            }
        }
    }
}

/// Finds the form of a page. With `fallback`, pages without a known type are read as that, and the
/// second part of the answer tells why.
pub fn detect(
    content_type: &str,
    fallback: Option<ScrapeProtocol>,
) -> Result<(Format, Option<String>), Error> {
    let complaint = match media_type(content_type) {
        Ok(media_type) => match Format::of_media_type(media_type) {
            Some(format) => return Ok((format, None)),
            None => Complaint::Unsupported,
        },
        Err(_) if content_type.is_empty() => Complaint::Blank,
        Err(why) => Complaint::Broken(why),
    };
    match fallback {
        Some(protocol) => Ok((
            Format::of_protocol(protocol),
            Some(complaint.with_fallback(content_type, protocol)),
        )),
        None => Err(Error::ContentType(complaint.without_fallback(content_type))),
    }
}

enum Complaint {
    Blank,
    Broken(&'static str),
    Unsupported,
}

impl Complaint {
    fn with_fallback(&self, content_type: &str, protocol: ScrapeProtocol) -> String {
        let using = format!(
            "using fallback_scrape_protocol {}",
            quote(protocol.media_type())
        );
        let content_type = quote(content_type);
        match self {
            Self::Blank => {
                format!("non-compliant scrape target sending blank Content-Type, {using}")
            }
            Self::Broken(why) => {
                format!("could not parse received Content-Type {content_type}, {using}\n{why}")
            }
            Self::Unsupported => {
                format!("received unsupported Content-Type {content_type}, {using}")
            }
        }
    }

    fn without_fallback(&self, content_type: &str) -> String {
        let content_type = quote(content_type);
        match self {
            Self::Blank => "non-compliant scrape target sending blank Content-Type and no \
                            fallback_scrape_protocol specified for target"
                .to_owned(),
            Self::Broken(why) => format!(
                "cannot parse Content-Type {content_type} and no fallback_scrape_protocol for target\n{why}"
            ),
            Self::Unsupported => format!(
                "received unsupported Content-Type {content_type} and no fallback_scrape_protocol \
                 specified for target"
            ),
        }
    }
}

/// Reads a media type as Go's `mime.ParseMediaType` does, in whatever case; errors are its texts.
fn media_type(header: &str) -> Result<&str, &'static str> {
    let (base, mut rest) = match header.find(';') {
        Some(at) => header.split_at(at),
        None => (header, ""),
    };
    let base = base.trim();
    let (first, tail) = token(base);
    if first.is_empty() {
        return Err("mime: no media type");
    }
    if !tail.is_empty() {
        let Some(tail) = tail.strip_prefix('/') else {
            return Err("mime: expected slash after first token");
        };
        let (subtype, tail) = token(tail);
        if subtype.is_empty() {
            return Err("mime: expected token after slash");
        }
        if !tail.is_empty() {
            return Err("mime: unexpected content after media subtype");
        }
    }
    let mut parameters: SmallVec<[(&str, Cow<'_, str>); 4]> = SmallVec::new();
    while !rest.trim_start().is_empty() {
        let Some((name, value, tail)) = parameter(rest) else {
            if rest.trim() == ";" {
                break;
            }
            return Err("mime: invalid media parameter");
        };
        rest = tail;
        match parameters
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            Some((_, known)) if *known != value => return Err("mime: duplicate parameter name"),
            Some(_) => {}
            None => parameters.push((name, value)),
        }
    }
    Ok(base)
}

fn token(text: &str) -> (&str, &str) {
    let is_special = |b: &u8| {
        matches!(
            b,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
    };
    let mut bytes = text.bytes();
    let end = bytes.position(|b| !b.is_ascii_graphic() || is_special(&b));
    text.split_at(end.unwrap_or(text.len()))
}

/// Reads `; name=value` or `; name="value"`.
fn parameter(rest: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let rest = rest.trim_start().strip_prefix(';')?.trim_start();
    let (name, rest) = token(rest);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    if let Some(quoted) = rest.strip_prefix('"') {
        let mut value = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(chars.next()?),
                c => value.push(c),
            }
        }
        return Some((name, value.into(), chars.as_str()));
    }
    let (value, rest) = token(rest);
    (!value.is_empty()).then(|| (name, value.into(), rest))
}
