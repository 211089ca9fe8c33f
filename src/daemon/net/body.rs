//! Reads an answer's body piece by piece, unpacking gzip, never past the limit.

use std::ops::Deref;

use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::Error;
use super::connect::protocol;
use super::gzip::{Stream, unpack};
use super::http1::{self, Buffer};

/// A packed body of up to so many bytes is unpacked as a whole, a larger one while it comes.
const WHOLE_BYTES_MAX: usize = 4 << 20;

/// The bytes of a body.
#[derive(Debug, Default)]
pub struct Body {
    buffer: Buffer,
    begin: usize,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            buffer: Buffer::from(bytes),
            begin: 0,
        }
    }
}

/// A body that comes.
pub(super) enum Incoming {
    Http1(http1::Incoming),
    Http2 {
        frames: hyper::body::Incoming,
        data: Vec<u8>,
    },
}

impl Incoming {
    /// Waits for more data; `false` when the body has ended.
    async fn more(&mut self) -> Result<bool, Error> {
        match self {
            Self::Http1(incoming) => incoming.more().await,
            Self::Http2 { frames, data } => {
                while let Some(frame) = frames.frame().await {
                    if let Ok(piece) = frame.map_err(|e| protocol(&e))?.into_data() {
                        data.extend_from_slice(&piece);
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::Http1(incoming) => incoming.data(),
            Self::Http2 { data, .. } => data,
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Http1(incoming) => incoming.clear(),
            Self::Http2 { data, .. } => data.clear(),
        }
    }

    /// The data at hand and, after all of the body, the connection if that can be used again.
    fn finish(self) -> (Body, Option<http1::Connection>) {
        match self {
            Self::Http1(incoming) => {
                let (buffer, begin, connection) = incoming.finish();
                (Body { buffer, begin }, connection)
            }
            Self::Http2 { data, .. } => (Body::from(data), None),
        }
    }
}

/// What to do with a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// It comes packed.
    pub(super) gzip: bool,
    /// Unpacking is left to the caller, unless it is too large to wait for all of it.
    pub(super) keep_packed: bool,
    /// Less than so many bytes unpacked.
    pub(super) limit: u64,
}

/// A body that was read.
pub(super) struct Read {
    pub(super) body: Body,
    /// Whether it is packed still.
    pub(super) packed: bool,
    /// Whether it is all of the body.
    pub(super) whole: bool,
    /// What it came over, if that can be used again.
    pub(super) connection: Option<http1::Connection>,
}

/// Reads a body to its end.
pub(super) async fn read(mut incoming: Incoming, plan: Plan) -> Result<Read, Error> {
    let limit = plan.limit;
    while incoming.more().await? {
        let bytes = incoming.data().len();
        if !plan.gzip && bytes as u64 >= limit {
            // compat: a body of exactly the limit is too large already.
            return Err(Error::BodyTooLarge);
        }
        if plan.gzip && bytes > WHOLE_BYTES_MAX {
            return unpack_large(incoming, limit).await;
        }
    }
    let (body, connection) = incoming.finish();
    let mut read = Read {
        body,
        packed: plan.gzip,
        whole: true,
        connection,
    };
    if plan.gzip && !plan.keep_packed {
        read.body = unpacked(&read.body, limit)?;
        read.packed = false;
    }
    Ok(read)
}

fn unpacked(packed: &[u8], limit: u64) -> Result<Body, Error> {
    let mut out = Vec::new();
    let length = unpack(packed, limit, &mut out)?.len();
    out.truncate(length);
    Ok(Body::from(out))
}

async fn unpack_large(mut incoming: Incoming, limit: u64) -> Result<Read, Error> {
    let mut stream = Stream::new(Vec::new(), limit);
    loop {
        stream.push(incoming.data())?;
        incoming.clear();
        if !incoming.more().await? {
            break;
        }
    }
    let (_, connection) = incoming.finish();
    Ok(Read {
        body: Body::from(stream.finish()?),
        packed: false,
        whole: true,
        connection,
    })
}

/// Reads a body as far as it goes until `deadline`.
pub(super) async fn read_some(
    mut incoming: Incoming,
    gzip: bool,
    limit: u64,
    deadline: Instant,
) -> Read {
    let mut taken = 0;
    let whole = loop {
        match timeout_at(deadline, incoming.more()).await {
            // What comes packed is bounded too: nothing is unpacked before all of it is there.
            Ok(Ok(true)) if (incoming.data().len() as u64) < limit => taken = incoming.data().len(),
            Ok(Ok(false)) => break true,
            _ => break false,
        }
    };
    let (mut body, connection) = incoming.finish();
    body.buffer.truncate(body.begin + taken);
    if gzip {
        // A packed body that cannot be unpacked says nothing.
        body = unpacked(&body, limit).unwrap_or_default();
    }
    Read {
        body,
        packed: false,
        whole,
        connection,
    }
}
