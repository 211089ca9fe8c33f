//! Reads an answer's body piece by piece, unpacking gzip, never past the limit.

use std::io::Write;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Error;
use super::gzip::{Capped, Stream, unpack};

/// A packed body of up to so many bytes is unpacked as a whole, a larger one while it comes.
const WHOLE_BYTES_MAX: usize = 4 << 20;

/// What to do with a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// It comes packed.
    pub(super) gzip: bool,
    /// Unpacking is left to the caller, unless it is too large to wait for all of it.
    pub(super) keep_packed: bool,
    /// Less than so many bytes unpacked.
    pub(super) limit: u64,
    /// So many bytes are likely to come.
    pub(super) size_guess: usize,
}

/// Reads `body` to its end; the second part tells whether it is still packed.
pub(super) async fn read(mut body: Incoming, plan: Plan) -> Result<(Vec<u8>, bool), Error> {
    let limit = plan.limit;
    if !plan.gzip {
        let guess = plan.size_guess.min(16 << 20);
        let mut out = Capped::new(Vec::with_capacity(guess), limit);
        while let Some(piece) = next(&mut body).await? {
            out.write_all(&piece).map_err(|_| Error::BodyTooLarge)?;
        }
        return Ok((out.bytes, false));
    }
    let mut packed = Vec::with_capacity(plan.size_guess.min(WHOLE_BYTES_MAX));
    while let Some(piece) = next(&mut body).await? {
        packed.extend_from_slice(&piece);
        if packed.len() > WHOLE_BYTES_MAX {
            return Ok((unpack_large(&packed, body, limit).await?, false));
        }
    }
    if plan.keep_packed {
        return Ok((packed, true));
    }
    let mut out = Vec::new();
    let length = unpack(&packed, limit, &mut out)?.len();
    out.truncate(length);
    Ok((out, false))
}

async fn unpack_large(begin: &[u8], mut rest: Incoming, limit: u64) -> Result<Vec<u8>, Error> {
    let mut stream = Stream::new(Vec::new(), limit);
    stream.push(begin)?;
    while let Some(piece) = next(&mut rest).await? {
        stream.push(&piece)?;
    }
    stream.finish()
}

/// Reads `body` as far as it goes until `deadline`, and whether that was all of it.
pub(super) async fn read_some(
    mut body: Incoming,
    gzip: bool,
    limit: u64,
    deadline: Instant,
) -> (Vec<u8>, bool) {
    // What comes packed is bounded too: nothing is unpacked before all of it is there.
    let mut out = Capped::new(Vec::new(), limit);
    let whole = loop {
        match timeout_at(deadline, next(&mut body)).await {
            Ok(Ok(Some(piece))) if out.write_all(&piece).is_ok() => {}
            Ok(Ok(None)) => break true,
            _ => break false,
        }
    };
    if !gzip {
        return (out.bytes, whole);
    }
    let mut unpacked = Vec::new();
    // A packed body that cannot be unpacked says nothing.
    let length = unpack(&out.bytes, limit, &mut unpacked).map_or(0, <[u8]>::len);
    unpacked.truncate(length);
    (unpacked, whole)
}

async fn next(body: &mut Incoming) -> Result<Option<bytes::Bytes>, Error> {
    loop {
        let Some(frame) = body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|e| super::connect::protocol(&e))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}
