//! Reads an answer's body piece by piece, unpacking gzip, never past the limit.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Error;

/// A buffer that refuses to grow to `limit` bytes.
struct Capped {
    bytes: Vec<u8>,
    limit: u64,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        // compat: a body of exactly the limit is too large already.
        if (self.bytes.len() as u64).saturating_add(piece.len() as u64) >= self.limit {
            self.full = true;
            return Err(io::Error::other("body size limit exceeded"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads `body` to its end.
pub(super) async fn read(
    mut body: Incoming,
    gzip: bool,
    limit: u64,
    size_guess: usize,
) -> Result<Vec<u8>, Error> {
    let capped = Capped {
        bytes: Vec::with_capacity(size_guess.min(16 << 20)),
        limit,
        full: false,
    };
    if !gzip {
        let mut out = capped;
        while let Some(piece) = next(&mut body).await? {
            out.write_all(&piece).map_err(|_| Error::BodyTooLarge)?;
        }
        return Ok(out.bytes);
    }
    let mut decoder = MultiGzDecoder::new(capped);
    let failed = |full: bool, e: &io::Error| {
        if full {
            Error::BodyTooLarge
        } else {
            Error::Protocol(format!("gzip: {e}"))
        }
    };
    while let Some(piece) = next(&mut body).await? {
        if let Err(e) = decoder.write_all(&piece) {
            return Err(failed(decoder.get_ref().full, &e));
        }
    }
    if let Err(e) = decoder.try_finish() {
        return Err(failed(decoder.get_ref().full, &e));
    }
    let out = decoder
        .finish()
        .map_err(|e| Error::Protocol(format!("gzip: {e}")))?;
    Ok(out.bytes)
}

/// Reads `body` as far as it goes until `deadline`, and whether that was all of it.
pub(super) async fn read_some(
    mut body: Incoming,
    gzip: bool,
    limit: u64,
    deadline: Instant,
) -> (Vec<u8>, bool) {
    let capped = || Capped {
        bytes: Vec::new(),
        limit,
        full: false,
    };
    // What comes packed is bounded too: nothing is unpacked before all of it is there.
    let mut out = capped();
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
    let mut decoder = MultiGzDecoder::new(capped());
    // A packed body that cannot be unpacked says nothing.
    let unpacked = decoder
        .write_all(&out.bytes)
        .and_then(|()| decoder.finish())
        .map(|capped| capped.bytes);
    (unpacked.unwrap_or_default(), whole)
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
