//! Status line and headers of an answer.

use std::mem::MaybeUninit;

use hyper::StatusCode;
use hyper::header::HeaderMap;
use memchr::memchr_iter;

use super::Malformed;
use super::framing::{Chunks, Framing};

/// The largest head that is read.
const HEAD_BYTES_MAX: usize = 408 << 10;
/// Lines of a head.
const HEADERS_MAX: usize = 100;
/// The longest name of a header.
const NAME_BYTES_MAX: usize = 1 << 15;

/// The headers of an answer, by names in lower case.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// A line each, `name:value`.
    lines: Box<[u8]>,
}

impl Fields {
    /// Names and values in the order that they came in.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let lines = self.lines.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }

    /// The first value of a name, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.iter();
        all.find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Of fields that take so many bytes, two more for each.
    fn new<'f>(bytes: usize, fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Self {
        let mut lines = Vec::with_capacity(bytes);
        for (name, value) in fields {
            lines.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            lines.push(b':');
            lines.extend_from_slice(value);
            lines.push(b'\n');
        }
        Self {
            lines: lines.into_boxed_slice(),
        }
    }
}

impl From<&HeaderMap> for Fields {
    fn from(headers: &HeaderMap) -> Self {
        let all = headers.iter();
        Self::new(
            0,
            all.map(|(name, value)| (name.as_str(), value.as_bytes())),
        )
    }
}

/// A header's value if it is plain text.
pub(in crate::daemon::net) fn text(value: &[u8]) -> Option<&str> {
    let is_plain = value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| is_plain)
}

/// What an answer begins with.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
    /// Whether the peer keeps the connection open after the answer.
    pub(super) stays_open: bool,
}

/// What [`Reader::find`] found at the begin of the bytes, and how long it is.
#[derive(Debug)]
pub(super) enum Found {
    /// A status 1xx, after which another head comes.
    Interim(usize),
    Final(Head, usize),
}

/// Finds heads in bytes that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// So many bytes were looked at and are no whole head.
    seen: usize,
}

impl Reader {
    /// Looks at the bytes since the last head, of which there are more than last time. An answer to a request that asked
    /// for the head alone is `bodiless`.
    pub(super) fn find(
        &mut self,
        bytes: &[u8],
        bodiless: bool,
    ) -> Result<Option<Found>, Malformed> {
        if bytes.is_empty() || (self.seen > 0 && !has_end(bytes, self.seen.saturating_sub(3))) {
            self.seen = bytes.len();
        } else if let Some(found) = parse(bytes, bodiless)? {
            self.seen = 0;
            return Ok(Some(found));
        } else {
            self.seen = bytes.len();
        }
        if self.seen >= HEAD_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        Ok(None)
    }
}

const TOO_LARGE: Malformed = Malformed("message head is too large");

/// Whether an empty line begins in `bytes` behind `from`.
fn has_end(bytes: &[u8], from: usize) -> bool {
    let bytes = bytes.get(from..).unwrap_or_default();
    memchr_iter(b'\n', bytes).any(|at| {
        let next = bytes.get(at + 1..).unwrap_or_default();
        next.starts_with(b"\n") || next.starts_with(b"\r\n")
    })
}

fn parse(bytes: &[u8], bodiless: bool) -> Result<Option<Found>, Malformed> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut head, bytes, &mut lines);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(why) => return Err(malformed(why)),
    };
    if length > HEAD_BYTES_MAX || head.headers.iter().any(|h| h.name.len() > NAME_BYTES_MAX) {
        return Err(TOO_LARGE);
    }
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed("invalid HTTP status-code parsed"))?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some(Found::Interim(length)));
    }
    let is_old = head.version == Some(0);
    let told = Told::by(head.headers);
    let framing = match status.as_u16() {
        101 | 204 | 304 => Framing::Length(0),
        _ if bodiless => Framing::Length(0),
        _ => told.framing(is_old)?,
    };
    let keeps = !told.closes && (!is_old || told.keeps);
    let all = head.headers.iter().map(|h| (h.name, h.value));
    let bytes = all
        .clone()
        .map(|(name, value)| name.len() + value.len() + 2);
    let head = Head {
        status,
        fields: Fields::new(bytes.sum(), all),
        stays_open: keeps
            && status != StatusCode::SWITCHING_PROTOCOLS
            && !matches!(framing, Framing::UntilClose),
        framing,
    };
    Ok(Some(Found::Final(head, length)))
}

fn malformed(why: httparse::Error) -> Malformed {
    match why {
        httparse::Error::HeaderName
        | httparse::Error::HeaderValue
        | httparse::Error::NewLine
        | httparse::Error::Token => Malformed("invalid HTTP header parsed"),
        httparse::Error::Status => Malformed("invalid HTTP status-code parsed"),
        httparse::Error::TooManyHeaders => TOO_LARGE,
        httparse::Error::Version => Malformed("invalid HTTP version parsed"),
    }
}

/// What headers say about the message and its connection.
#[derive(Default)]
struct Told<'h> {
    /// The last `Transfer-Encoding`.
    encoding: Option<&'h [u8]>,
    /// What all of `Content-Length` agree on, `Err` when they do not.
    length: Option<Result<u64, Malformed>>,
    closes: bool,
    keeps: bool,
}

impl<'h> Told<'h> {
    fn by(headers: &[httparse::Header<'h>]) -> Self {
        let mut told = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                10 if is("connection") => {
                    let listed = text(header.value)
                        .into_iter()
                        .flat_map(|list| list.split(','));
                    for option in listed.map(str::trim) {
                        told.closes |= option.eq_ignore_ascii_case("close");
                        told.keeps |= option.eq_ignore_ascii_case("keep-alive");
                    }
                }
                14 if is("content-length") => {
                    for number in header.value.split(|byte| *byte == b',') {
                        told.length = Some(agreed(told.length, number.trim_ascii()));
                    }
                }
                17 if is("transfer-encoding") => told.encoding = Some(header.value),
                _ => {}
            }
        }
        told
    }

    /// As RFC 9112 section 6.3 decides for answers.
    fn framing(&self, is_old: bool) -> Result<Framing, Malformed> {
        match (self.encoding, self.length) {
            (Some(_), _) if is_old => Err(Malformed("unexpected transfer-encoding parsed")),
            (Some(encoding), _) => {
                let last = text(encoding).and_then(|list| list.rsplit(',').next());
                let is_chunked = last.is_some_and(|l| l.trim().eq_ignore_ascii_case("chunked"));
                Ok(if is_chunked {
                    Framing::Chunked(Chunks::default())
                } else {
                    Framing::UntilClose
                })
            }
            (None, Some(length)) => length.map(Framing::Length),
            (None, None) => Ok(Framing::UntilClose),
        }
    }
}

/// A length that is said in `number` too.
fn agreed(said: Option<Result<u64, Malformed>>, number: &[u8]) -> Result<u64, Malformed> {
    const INVALID: Malformed = Malformed("invalid content-length parsed");
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let number = text(number).filter(|_| is_number);
    let number: u64 = number.and_then(|n| n.parse().ok()).ok_or(INVALID)?;
    match said {
        Some(Ok(other)) if other != number => Err(INVALID),
        Some(Err(why)) => Err(why),
        _ => Ok(number),
    }
}
