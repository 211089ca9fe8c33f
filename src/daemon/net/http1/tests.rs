//! Hyper decides: the same bytes, cut into pieces, must mean the same to both.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn;
use hyper::header::CONNECTION;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::daemon::net::connect::protocol;

/// A peer that answers in pieces, whatever it is asked.
struct Peer {
    is_asked: bool,
    pieces: VecDeque<Vec<u8>>,
    /// Whether it closes after the last piece; otherwise it is silent then.
    closes: bool,
    left: Arc<AtomicUsize>,
}

impl Peer {
    fn new(bytes: &[u8], cuts: &[prop::sample::Index], closes: bool) -> Self {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec());
        let pieces: VecDeque<_> = pieces.filter(|piece| !piece.is_empty()).collect();
        Self {
            is_asked: false,
            left: Arc::new(AtomicUsize::new(pieces.len())),
            pieces,
            closes,
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_asked {
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else {
            return if self.closes {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        };
        let count = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        self.left.store(self.pieces.len(), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        all: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(all.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// More must come.
    Waits,
    Refused(String),
    Answered {
        status: u16,
        fields: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        /// Whether the connection can serve another request.
        kept: bool,
    },
}

fn ours(peer: Peer, method: &Method) -> Outcome {
    let closes = peer.closes;
    let message = Message {
        opening: encode(method, "/", "host", &HeaderMap::new(), 0),
        body: Bytes::new(),
        bodiless: method == Method::HEAD,
    };
    let asked = async {
        let answer = Connection::new(Box::new(peer)).ask(message).await;
        let mut answer = answer.map_err(|failure| failure.error)?;
        while answer.incoming.more().await? {}
        let body = answer.incoming.data().to_vec();
        let (_, _, connection) = answer.incoming.finish();
        let kept = match connection {
            Some(mut connection) => !closes && connection.is_quiet().await,
            None => false,
        };
        let fields = answer.fields.iter();
        Ok(Outcome::Answered {
            status: answer.status.as_u16(),
            fields: sorted(fields.map(|(name, value)| (name.to_owned(), value.to_vec()))),
            body,
            kept,
        })
    };
    let outcome = asked.now_or_never().unwrap_or(Ok(Outcome::Waits));
    outcome.unwrap_or_else(|why: Error| Outcome::Refused(why.to_string()))
}

/// A header map gives its names in an order of its own.
fn sorted(fields: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

fn theirs(peer: Peer, method: &Method) -> Outcome {
    let (closes, left) = (peer.closes, Arc::clone(&peer.left));
    let asked = async {
        let builder = conn::http1::Builder::new();
        let (mut sender, mut connection) = builder.handshake(TokioIo::new(peer)).await?;
        let request = hyper::Request::builder().method(method).uri("/");
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let read = async {
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            drop(sender);
            Ok::<_, hyper::Error>((head, body))
        };
        let end = poll_fn(|context| connection.poll_without_shutdown(context));
        let (read, end) = join(read, end).await;
        let (head, body) = read?;
        let rest = connection.into_parts().read_buf;
        let is_clean = end.is_ok() && rest.is_empty() && left.load(Ordering::Relaxed) == 0;
        let options = head.headers.get_all(CONNECTION).into_iter();
        let options = options.filter_map(|list| list.to_str().ok());
        let options = options.flat_map(|list| list.split(',')).map(str::trim);
        let options: Vec<&str> = options.collect();
        let says = |wanted: &str| options.iter().any(|o| o.eq_ignore_ascii_case(wanted));
        let is_old = head.version == hyper::Version::HTTP_10;
        let stays = !says("close") && (!is_old || says("keep-alive")) && head.status != 101;
        let fields = head.headers.iter();
        Ok::<_, hyper::Error>(Outcome::Answered {
            status: head.status.as_u16(),
            fields: sorted(
                fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())),
            ),
            body: body.to_vec(),
            kept: stays && is_clean && !closes,
        })
    };
    let mut asked = Box::pin(asked);
    // Its two halves wake each other.
    for _ in 0..1_000 {
        if let Some(outcome) = asked.as_mut().now_or_never() {
            return outcome.unwrap_or_else(|why| Outcome::Refused(protocol(&why).to_string()));
        }
    }
    Outcome::Waits
}

fn field() -> impl Strategy<Value = String> {
    let usual = vec![
        "content-type: text/plain; version=0.0.4",
        "Date: Sun, 22 Nov 2026 00:00:00 GMT",
        "Connection: close",
        "connection: keep-alive",
        "Connection: Foo ,\tClose",
        "Connection: keep-alive, close",
        "Connection: close, \u{e9}",
        "Transfer-Encoding: chunked",
        "transfer-encoding: gzip, Chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Content-Length: 5",
        "Content-Length: 5, 5",
        "content-length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "X-Empty:",
        "X-Folded: a\r\n b",
        "X-Space : a",
        ": no name",
        "no colon",
        "X-Odd: \u{e9}\t\u{ff}",
        "X-Bare: a\rb",
    ];
    prop_oneof![
        4 => prop::sample::select(usual[..2].to_vec()).prop_map(str::to_owned),
        4 => prop::sample::select(usual).prop_map(str::to_owned),
        1 => "[A-Za-z-]{1,12}: ?[ -~]{0,12}",
    ]
}

fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let chunk = (
        prop::collection::vec(any::<u8>(), 1..40),
        prop::sample::select(vec![
            "", "", "", " ", "\t ", ";a=b", " ;", ";\"\r\"", ";x\ny", " 1",
        ]),
        0usize..3,
        any::<bool>(),
    );
    let trailers = prop_oneof![
        6 => Just(String::new()),
        1 => Just("Expires: never\r\n".to_owned()),
        1 => Just("no trailer\r\n".to_owned()),
        1 => Just(" folded: a\r\n".to_owned()),
        1 => (99usize..103).prop_map(|count| "a: b\r\n".repeat(count)),
        1 => (16_370usize..16_390).prop_map(|bytes| format!("a: {}\r\n", "b".repeat(bytes - 7))),
    ];
    (prop::collection::vec(chunk, 0..4), trailers).prop_map(|(chunks, trailers)| {
        let mut out = Vec::new();
        for (data, extension, zeros, upper) in chunks {
            let size = "0".repeat(zeros);
            let size = if upper {
                format!("{size}{:X}", data.len())
            } else {
                format!("{size}{:x}", data.len())
            };
            out.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
            out.extend_from_slice(&data);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
        out
    })
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        12 => prop::sample::select(vec!["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"]),
        6 => prop::sample::select(vec![
            "HTTP/1.0 200 OK",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 304 Not Modified",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 200",
            "HTTP/1.1 200 ",
            "HTTP/1.1 999 \u{e9}",
            "HTTP/1.1 099 x",
            "HTTP/1.1 20 OK",
            "HTTP/2.0 200 OK",
            "HTTP/1.1  200 OK",
            "\r\n\nHTTP/1.1 200 OK",
            "ICY 200 OK",
        ]),
    ];
    let interim = prop_oneof![
        8 => Just(""),
        1 => Just("HTTP/1.1 100 Continue\r\n\r\n"),
        1 => Just("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\n\n"),
    ];
    let framed = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|body| {
            (vec![format!("Content-Length: {}", body.len())], body)
        }),
        3 => chunked().prop_map(|body| (vec!["Transfer-Encoding: chunked".to_owned()], body)),
        1 => prop::collection::vec(any::<u8>(), 0..10).prop_map(|body| (Vec::new(), body)),
    ];
    let many = prop_oneof![20 => Just(0usize), 1 => 95usize..105];
    let extra = prop_oneof![8 => Just(""), 1 => Just("HTTP/1.1 500 No\r\n\r\n"), 1 => Just("\r\n")];
    let fields = prop::collection::vec(field(), 0..4);
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n"]);
    (interim, first, framed, fields, many, end, extra).prop_map(
        |(interim, first, (framed, body), fields, many, end, extra)| {
            let mut out = format!("{interim}{first}{end}");
            let filler = std::iter::repeat_n("a: b".to_owned(), many);
            for field in fields.into_iter().chain(framed).chain(filler) {
                out.push_str(&field);
                out.push_str(end);
            }
            out.push_str(end);
            let mut out = out.into_bytes();
            out.extend(body);
            out.extend_from_slice(extra.as_bytes());
            out
        },
    )
}

/// A change somewhere: a byte more, less or other.
fn change() -> impl Strategy<Value = (prop::sample::Index, u8, u8)> {
    let byte = prop_oneof![
        prop::sample::select(b"\r\n\t :;,0159afF\0\x7f\x80".to_vec()),
        any::<u8>(),
    ];
    (any::<prop::sample::Index>(), 0u8..3, byte)
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, kind, byte) in changes {
        let at = at.index(bytes.len().max(1));
        match kind {
            0 => bytes.insert(at, *byte),
            1 if at < bytes.len() => bytes[at] = *byte,
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}

/// The same cases each time; `WATCHFIRE_HTTP1_CASES` asks for so many others.
fn cases() -> Config {
    let more = std::env::var("WATCHFIRE_HTTP1_CASES").ok();
    match more.and_then(|count| count.parse().ok()) {
        Some(count) => Config::with_cases(count),
        None => Config {
            cases: 2_000,
            rng_seed: RngSeed::Fixed(11),
            failure_persistence: None,
            ..Config::default()
        },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_same_bytes_mean_what_they_mean_to_hyper(
        answer in answer(),
        changes in prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(change(), 1..4)],
        cut_off in prop_oneof![4 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        closes in any::<bool>(),
        head_only in prop_oneof![9 => Just(false), 1 => Just(true)],
    ) {
        let mut bytes = changed(answer, &changes);
        if let Some(at) = cut_off {
            bytes.truncate(at.index(bytes.len() + 1));
        }
        let method = if head_only { Method::HEAD } else { Method::GET };
        let ours = ours(Peer::new(&bytes, &cuts, closes), &method);
        let theirs = theirs(Peer::new(&bytes, &cuts, closes), &method);
        prop_assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn who_answers_before_all_is_sent_is_heard() {
    // Room for less than the body, of which the peer takes nothing before it answers.
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let body = Bytes::from(vec![b'x'; 1 << 16]);
    let message = Message {
        opening: encode(&Method::POST, "/", "host", &HeaderMap::new(), body.len()),
        body,
        bodiless: false,
    };
    let reply = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno";
    let (asked, written) = join(
        Connection::new(Box::new(near)).ask(message),
        tokio::io::AsyncWriteExt::write_all(&mut far, reply),
    )
    .await;
    written.expect("room for the answer");
    let mut answer = asked.expect("an answer");
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    while answer.incoming.more().await.expect("a body") {}
    assert_eq!(answer.incoming.data(), b"no");
    let (_, _, connection) = answer.incoming.finish();
    assert!(connection.is_none(), "the request is not sent whole");
}
