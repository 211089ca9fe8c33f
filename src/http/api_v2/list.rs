//! Lists that may be long: written piece by piece while they are sent, so that a hundred thousand alerts
//! are neither copied nor held in memory as text, and nobody waits for the router meanwhile.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::{Handle, json};
use crate::alerting::Router;

/// How much is written at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A list that is being written.
struct Pieces<W> {
    handle: Handle,
    items: std::vec::IntoIter<u64>,
    write: W,
    begun: bool,
    separate: bool,
}

/// A piece and what writes the next one; none after the last.
type Piece<W> = (String, Option<Pieces<W>>);

/// A JSON list of what `write` makes of the items; it answers false for one that is left out.
pub(super) async fn respond<W>(handle: Handle, items: Vec<u64>, write: W) -> Response
where
    W: FnMut(&Router, &mut String, u64) -> bool + Send + 'static,
{
    let pieces = Pieces {
        handle,
        items: items.into_iter(),
        write,
        begun: false,
        separate: false,
    };
    let (first, rest) = pieces.next().await;
    let Some(rest) = rest else {
        return json(StatusCode::OK, first);
    };
    // While a piece is sent the next one is written.
    let started = (first, Some(tokio::spawn(rest.next())));
    let body = stream::unfold(Some(started), |state| async {
        let (piece, coming) = state?;
        let after = match coming {
            Some(coming) => {
                let (piece, rest) = coming.await.unwrap_or_default();
                Some((piece, rest.map(|rest| tokio::spawn(rest.next()))))
            }
            None => None,
        };
        Some((Ok::<_, Infallible>(Bytes::from(piece)), after))
    });
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
}

impl<W> Pieces<W>
where
    W: FnMut(&Router, &mut String, u64) -> bool + Send + 'static,
{
    async fn next(mut self) -> Piece<W> {
        let handle = self.handle.clone();
        let piece = handle.act(move |router| {
            let mut out = String::with_capacity(PIECE_BYTES / 4);
            let ended = self.fill(router, &mut out);
            (out, (!ended).then_some(self))
        });
        piece.await.unwrap_or_default()
    }

    /// Writes the next piece; true when it is the last.
    fn fill(&mut self, router: &Router, out: &mut String) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            out.push('[');
        }
        for item in self.items.by_ref() {
            let start = out.len();
            if self.separate {
                out.push(',');
            }
            if (self.write)(router, out, item) {
                self.separate = true;
            } else {
                out.truncate(start);
            }
            if out.len() >= PIECE_BYTES {
                return false;
            }
        }
        out.push_str("]\n");
        true
    }
}
