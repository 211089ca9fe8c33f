//! HTTP/1.1 as a client: one request at a time over a stream that is kept in between.
//!
//! Of what the daemon does all day most is this: write a request that is the same each time, read an answer. It happens in
//! the task that asks, straight into memory that is there, because a library that serves every use, with a task, channels
//! and buffers for each connection, took a tenth of the whole cost of a scrape. Heads are parsed by httparse, as in hyper;
//! `tests` holds everything against hyper, byte by byte.
//!
//! `head` and `framing` know the protocol and do no I/O; `Connection` brings them the bytes.

mod buffer;
mod framing;
mod head;
mod request;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io::{self, Cursor};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures_util::FutureExt as _;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::Error;
use super::error::tls_error;
pub(super) use buffer::Buffer;
use framing::Framing;
pub use head::Fields;
pub(super) use head::text;
use head::{Found, Head};
pub(super) use request::{Opening, encode};

/// A stream to a peer.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

pub(super) type Stream = Box<dyn Duplex>;

/// There is always room for so many bytes more before a read.
const ROOM_BYTES: usize = 4 << 10;
/// Room is made for so many bytes at most only because a peer says that they will come.
const ROOM_BYTES_MAX: u64 = 4 << 20;

/// What is not HTTP, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed(&'static str);

/// A request as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) opening: Opening,
    pub(super) body: Bytes,
    /// Whether the answer has no body whatever its head says, as that to HEAD.
    pub(super) bodiless: bool,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether the peer cannot have seen anything of the request.
    pub(super) nothing_sent: bool,
}

/// A connection on which nothing is under way.
pub(super) struct Connection {
    stream: Stream,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Whether the peer keeps the connection open and has nothing to say, as it should be when nothing was asked.
    pub(super) async fn is_quiet(&mut self) -> bool {
        poll_fn(|context| {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
            Poll::Ready(read.is_pending())
        })
        .await
    }

    /// Sends a request and reads the head of the answer.
    pub(super) async fn ask(self, message: Message) -> Result<Answer, Failure> {
        let mut exchange = Exchange {
            stream: self.stream,
            head: message.opening.bytes,
            body: message.body,
            is_sent: false,
            nothing_sent: true,
            send_error: None,
            buffer: Buffer::default(),
        };
        match exchange.read_head(message.bodiless).await {
            Ok((head, length)) => Ok(Answer {
                status: head.status,
                fields: head.fields,
                incoming: Incoming {
                    exchange,
                    begin: length,
                    end: length,
                    framing: head.framing,
                    stays_open: head.stays_open && !message.opening.closes,
                },
            }),
            Err(error) => Err(Failure {
                error,
                nothing_sent: exchange.nothing_sent,
            }),
        }
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) fields: Fields,
    pub(super) incoming: Incoming,
}

/// A request on its way and what has come in return.
struct Exchange {
    stream: Stream,
    /// What of the request is not sent yet.
    head: Bytes,
    body: Bytes,
    is_sent: bool,
    nothing_sent: bool,
    /// The peer may have answered before it closed its ear, so this counts only when nothing can be read.
    send_error: Option<io::Error>,
    /// Holds memory only while there is something in it.
    buffer: Buffer,
}

impl Exchange {
    async fn read_head(&mut self, bodiless: bool) -> Result<(Head, usize), Error> {
        let mut reader = head::Reader::default();
        loop {
            if self.read(0).await? == 0 {
                return Err(unexpected_eof());
            }
            loop {
                match reader.find(&self.buffer, bodiless).map_err(not_http)? {
                    Some(Found::Final(head, length)) => return Ok((head, length)),
                    Some(Found::Interim(length)) => drop(self.buffer.drain(..length)),
                    None => break,
                }
            }
        }
    }

    /// Reads more into the buffer, where `expected` bytes are likely to come; tells how many came, none at the end.
    async fn read(&mut self, expected: u64) -> Result<usize, Error> {
        let read = poll_fn(|context| self.poll_read(context, expected)).await;
        read.map_err(|why| broken(&why))
    }

    fn poll_read(&mut self, context: &mut Context<'_>, expected: u64) -> Poll<io::Result<usize>> {
        if !self.is_sent && self.send_error.is_none() {
            match self.poll_send(context) {
                Poll::Ready(Ok(())) => self.is_sent = true,
                Poll::Ready(Err(why)) => self.send_error = Some(why),
                // Who answers before all is sent may wait for being heard.
                Poll::Pending => {}
            }
        }
        if self.buffer.capacity() == 0 {
            self.buffer = Buffer::with_room();
        }
        // More room than needed: a read that does not fill it is known to have taken all that was there.
        let wanted = ROOM_BYTES.max(expected.min(ROOM_BYTES_MAX) as usize + 1);
        if self.buffer.capacity() - self.buffer.len() < wanted {
            self.buffer.reserve(wanted);
        }
        let read = pin!(self.stream.read_buf(&mut *self.buffer)).poll(context);
        if self.buffer.is_empty() {
            // Nobody knows how long it takes until something comes.
            self.buffer = Buffer::default();
        }
        match (read, self.send_error.take()) {
            (Poll::Ready(Ok(count)), why) if count > 0 => {
                self.send_error = why;
                Poll::Ready(Ok(count))
            }
            (_, Some(why)) => Poll::Ready(Err(why)),
            (read, None) => read,
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let stream = Pin::new(&mut self.stream);
            let sent = match (self.head.is_empty(), self.body.is_empty()) {
                (true, true) => return stream.poll_flush(context),
                (false, true) => stream.poll_write(context, &self.head),
                (true, false) => stream.poll_write(context, &self.body),
                (false, false) => {
                    let both = [&self.head, &self.body].map(|part| io::IoSlice::new(part));
                    stream.poll_write_vectored(context, &both)
                }
            };
            let count = match sent {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => return Poll::Pending,
            };
            self.nothing_sent = false;
            let of_head = count.min(self.head.len());
            self.head.advance(of_head);
            self.body.advance(count - of_head);
        }
    }
}

/// The body of an answer, as far as it has come.
pub(super) struct Incoming {
    exchange: Exchange,
    /// Where in the buffer the data lies; what lies behind was not looked at yet.
    begin: usize,
    end: usize,
    framing: Framing,
    stays_open: bool,
}

impl Incoming {
    /// Waits for more data; `false` when the body has ended.
    pub(super) async fn more(&mut self) -> Result<bool, Error> {
        loop {
            let end = self.end;
            let buffer = &mut self.exchange.buffer;
            let raw = buffer.get_mut(end..).unwrap_or_default();
            let decoded = self
                .framing
                .decode(raw)
                .map_err(|Malformed(why)| Error::Protocol(why.to_owned()))?;
            // What nobody asked for would be taken for the next answer.
            self.stays_open &= decoded.used == raw.len();
            self.end += decoded.data;
            buffer.truncate(self.end);
            if decoded.data > 0 {
                return Ok(true);
            }
            if self.framing.is_done() {
                return Ok(false);
            }
            let expected = self.framing.left().unwrap_or_default();
            if self.exchange.read(expected).await? == 0 {
                return match self.framing {
                    Framing::UntilClose => Ok(false),
                    _ => Err(unexpected_eof()),
                };
            }
        }
    }

    /// The data that has come since the last [`Self::clear`].
    pub(super) fn data(&self) -> &[u8] {
        let data = self.exchange.buffer.get(self.begin..self.end);
        data.unwrap_or_default()
    }

    /// Drops the data at hand.
    pub(super) fn clear(&mut self) {
        self.exchange.buffer.truncate(self.begin);
        self.end = self.begin;
    }

    /// The memory of the data and where in it that begins; and the connection, where the body has ended and it stays.
    pub(super) fn finish(self) -> (Buffer, usize, Option<Connection>) {
        let Exchange {
            stream,
            buffer,
            is_sent,
            ..
        } = self.exchange;
        let stays = self.stays_open && is_sent && self.framing.is_done();
        let connection = stays.then(|| Connection::new(stream));
        (buffer, self.begin, connection)
    }
}

/// Reads an answer that is at hand, in two pieces, after which the peer closes. For the fuzzer.
#[doc(hidden)]
pub fn read_answer(first: &[u8], second: &[u8]) -> Result<(StatusCode, Vec<u8>), Error> {
    let [first, second] = [first, second].map(|piece| Cursor::new(piece.to_vec()));
    let pieces = AsyncReadExt::chain(first, second);
    let stream = tokio::io::join(pieces, tokio::io::sink());
    let message = Message {
        opening: encode(&Method::GET, "/", "", &HeaderMap::new(), 0),
        body: Bytes::new(),
        bodiless: false,
    };
    let read = async {
        let asked = Connection::new(Box::new(stream)).ask(message).await;
        let mut answer = asked.map_err(|failure| failure.error)?;
        while answer.incoming.more().await? {}
        Ok((answer.status, answer.incoming.data().to_vec()))
    };
    // Nothing of it waits.
    read.now_or_never().unwrap_or(Err(Error::Timeout))
}

fn unexpected_eof() -> Error {
    Error::Protocol("unexpected EOF".to_owned())
}

fn not_http(Malformed(why): Malformed) -> Error {
    Error::Protocol(format!("malformed HTTP response: {why}"))
}

/// What a stream's failure means here, where a message is under way.
fn broken(why: &io::Error) -> Error {
    match why.kind() {
        io::ErrorKind::UnexpectedEof => unexpected_eof(),
        _ => tls_error(why),
    }
}
