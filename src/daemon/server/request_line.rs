//! Makes request lines fit for a strict parser: Go's server takes `"`, `<` and `>` in a query string, as in
//! `curl 'http://host/api/v1/query?query=up{job="x"}>0'`, and the HTTP library here does not. They are
//! percent-encoded on the way in; nothing else changes.
//!
//! Request lines are found by following the messages of an HTTP/1 connection. Whatever is not simple
//! (chunked bodies, upgrades, HTTP/2) switches the search off for the rest of the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of a header line is looked at: the names that matter are short.
const HEADER_BYTES: usize = 128;
/// Bytes that are read at once.
const CHUNK: usize = 4096;

/// A stream whose request lines are mended.
#[derive(Debug)]
pub(super) struct Lenient<S> {
    stream: S,
    scanner: Scanner,
    /// Mended bytes that were not read yet, from `at` on.
    mended: Vec<u8>,
    at: usize,
}

impl<S> Lenient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            scanner: Scanner::default(),
            mended: Vec::new(),
            at: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.mended.len() {
            if this.scanner.place == Place::Off {
                return Pin::new(&mut this.stream).poll_read(cx, buf);
            }
            this.mended.clear();
            this.at = 0;
            let mut chunk = [0; CHUNK];
            let mut raw = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut raw))?;
            this.scanner.feed(raw.filled(), &mut this.mended);
        }
        let rest = this.mended.get(this.at..).unwrap_or_default();
        let taken = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..taken).unwrap_or_default());
        this.at += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Method,
    Path,
    Query,
    Version,
    Header,
    /// So many bytes of a body are left.
    Body(u64),
    /// Not followed any more.
    Off,
}

#[derive(Debug)]
struct Scanner {
    place: Place,
    /// The beginning of the method or of the header line.
    line: Vec<u8>,
    length: Option<u64>,
    /// The search ends with this request's head.
    last: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            place: Place::Method,
            line: Vec::new(),
            length: None,
            last: false,
        }
    }
}

impl Scanner {
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.place {
                Place::Off => {
                    out.extend_from_slice(bytes);
                    return;
                }
                Place::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (body, after) = bytes.split_at(here);
                    out.extend_from_slice(body);
                    bytes = after;
                    self.place = match left - here as u64 {
                        0 => Place::Method,
                        left => Place::Body(left),
                    };
                }
                _ => {
                    bytes = rest;
                    self.head_byte(byte, out);
                }
            }
        }
    }

    fn head_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.place, byte) {
            (Place::Query, b'"') => return out.extend_from_slice(b"%22"),
            (Place::Query, b'<') => return out.extend_from_slice(b"%3C"),
            (Place::Query, b'>') => return out.extend_from_slice(b"%3E"),
            // Empty lines in front of a request.
            (Place::Method, b'\r' | b'\n') if self.line.is_empty() => {}
            (Place::Header, b'\n') => self.header_ends(),
            (_, b'\n') => self.begin(Place::Header),
            (Place::Method, b' ') if self.line == b"PRI" => self.place = Place::Off,
            (Place::Method, b' ') => self.begin(Place::Path),
            (Place::Path, b'?') => self.place = Place::Query,
            (Place::Path | Place::Query, b' ') => self.place = Place::Version,
            (Place::Method | Place::Header, byte) if self.line.len() < HEADER_BYTES => {
                self.line.push(byte);
            }
            _ => {}
        }
        out.push(byte);
    }

    fn begin(&mut self, place: Place) {
        self.place = place;
        self.line.clear();
    }

    fn header_ends(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        if line.is_empty() {
            let length = self.length.take().unwrap_or(0);
            self.place = match length {
                _ if self.last => Place::Off,
                0 => Place::Method,
                length => Place::Body(length),
            };
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            let length = std::str::from_utf8(digits)
                .ok()
                .and_then(|d| d.parse().ok());
            // Two lengths, or none that can be read: the parser behind us decides.
            self.last |= length.is_none() || self.length.is_some();
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            || name.eq_ignore_ascii_case(b"upgrade")
        {
            self.last = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(input: &[u8], step: usize) -> String {
        let mut scanner = Scanner::default();
        let mut out = Vec::new();
        for chunk in input.chunks(step) {
            scanner.feed(chunk, &mut out);
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn queries_are_mended_and_nothing_else() {
        let input = b"\r\nGET /a\"b?q=up{job=\"x\"}>0 HTTP/1.1\r\nX: \"<\r\n\r\n\
            POST /q HTTP/1.1\r\nContent-Length: 7\r\n\r\n\"?\"<\n\n>\
            GET /?a=<b HTTP/1.1\r\nHost: \"h\"\r\n\r\n";
        let expected = "\r\nGET /a\"b?q=up{job=%22x%22}%3E0 HTTP/1.1\r\nX: \"<\r\n\r\n\
            POST /q HTTP/1.1\r\nContent-Length: 7\r\n\r\n\"?\"<\n\n>\
            GET /?a=%3Cb HTTP/1.1\r\nHost: \"h\"\r\n\r\n";
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(mended(input, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn what_is_not_simple_is_left_alone() {
        for input in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /?\" x",
            "POST /?x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET /?\" x\r\n",
            "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET /?\" x",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nGET /?\" x",
            "POST / HTTP/1.1\r\nContent-Length: +\"\r\n\r\nGET /?\" x",
            "",
        ] {
            assert_eq!(mended(input.as_bytes(), 5), input);
        }
        let endless = [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'x'; 100_000]].concat();
        let mut scanner = Scanner::default();
        scanner.feed(&endless, &mut Vec::new());
        assert!(scanner.line.capacity() <= 2 * HEADER_BYTES);
    }
}
