//! Where an answer's body ends.

use super::Malformed;

/// Extensions of all chunks of a body, in bytes.
const EXTENSION_BYTES_MAX: usize = 16 << 10;
/// Trailers of a body, in bytes.
const TRAILER_BYTES_MAX: usize = 16 << 10;
/// Trailers of a body.
const TRAILERS_MAX: usize = 100;

const TRAILERS_TOO_LARGE: Malformed = Malformed("chunk trailers bytes over limit");

/// How the body of an answer is marked off, and how much of it has come.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// In chunks, each with its size.
    Chunked(Chunks),
    /// All that comes until the peer closes.
    UntilClose,
}

/// What [`Framing::decode`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decoded {
    /// So many bytes of data lie at the begin now.
    pub(super) data: usize,
    /// So many bytes were looked at: all, unless the body ends before.
    pub(super) used: usize,
}

impl Framing {
    /// Moves the data among `raw` to its begin.
    pub(super) fn decode(&mut self, raw: &mut [u8]) -> Result<Decoded, Malformed> {
        let all = raw.len();
        let count = match self {
            Self::Length(left) => {
                let count = usize::try_from(*left).map_or(all, |left| left.min(all));
                *left -= count as u64;
                count
            }
            Self::Chunked(chunks) => return chunks.decode(raw),
            Self::UntilClose => all,
        };
        Ok(Decoded {
            data: count,
            used: count,
        })
    }

    /// Whether the body is there to its last byte.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == At::End,
            Self::UntilClose => false,
        }
    }

    /// How many bytes are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            _ => None,
        }
    }
}

/// What comes next in a body of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// The first digit of a size.
    #[default]
    Size,
    /// More digits, or what ends them.
    Digits,
    /// White space after a size.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// After the last chunk or a trailer: the end, or another trailer.
    Line,
    EndLf,
    Trailer,
    TrailerLf,
    End,
}

/// The state of a body that comes in chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Of the present chunk, as far as its size is read.
    left: u64,
    extension_bytes: usize,
    trailers: Vec<u8>,
    trailer_count: usize,
}

impl Chunks {
    fn decode(&mut self, raw: &mut [u8]) -> Result<Decoded, Malformed> {
        let (mut data, mut used) = (0, 0);
        while self.at != At::End {
            if self.at == At::Data {
                let there = raw.len() - used;
                let count = usize::try_from(self.left).map_or(there, |left| left.min(there));
                if count == 0 {
                    break;
                }
                raw.copy_within(used..used + count, data);
                data += count;
                used += count;
                self.left -= count as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            let Some(byte) = raw.get(used) else { break };
            used += 1;
            self.at = self.step(*byte)?;
        }
        Ok(Decoded { data, used })
    }

    /// Takes a byte that is not data; tells what comes next.
    fn step(&mut self, byte: u8) -> Result<At, Malformed> {
        Ok(match (self.at, byte) {
            (At::Size, _) => {
                self.left = 0;
                self.digit(byte)?
                    .ok_or(Malformed("invalid chunk size line: missing size digit"))?
            }
            (At::Digits, _) => match self.digit(byte)? {
                Some(next) => next,
                None => {
                    after_size(byte).ok_or(Malformed("invalid chunk size line: Invalid Size"))?
                }
            },
            (At::Space, _) => {
                after_size(byte).ok_or(Malformed("invalid chunk size linear white space"))?
            }
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension, b'\n') => {
                return Err(Malformed("invalid chunk extension contains newline"));
            }
            (At::Extension, _) => {
                self.extension_bytes += 1;
                if self.extension_bytes >= EXTENSION_BYTES_MAX {
                    return Err(Malformed("chunk extensions over limit"));
                }
                At::Extension
            }
            (At::SizeLf, b'\n') if self.left == 0 => At::Line,
            (At::SizeLf, b'\n') => At::Data,
            (At::SizeLf, _) => return Err(Malformed("invalid chunk size LF")),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataCr, _) => return Err(Malformed("invalid chunk body CR")),
            (At::DataLf, b'\n') => At::Size,
            (At::DataLf, _) => return Err(Malformed("invalid chunk body LF")),
            (At::Line, b'\r') => At::EndLf,
            (At::Line | At::Trailer, _) => {
                self.keep(byte)?;
                if self.at == At::Trailer && byte == b'\r' {
                    At::TrailerLf
                } else {
                    At::Trailer
                }
            }
            (At::TrailerLf, b'\n') => {
                if self.trailer_count >= TRAILERS_MAX {
                    return Err(Malformed("chunk trailers count overflow"));
                }
                self.trailer_count += 1;
                self.keep(byte)?;
                At::Line
            }
            (At::TrailerLf, _) => return Err(Malformed("invalid trailer end LF")),
            (At::EndLf, b'\n') => {
                self.check_trailers()?;
                At::End
            }
            (At::EndLf, _) => return Err(Malformed("invalid chunk end LF")),
            (At::Data | At::End, _) => self.at,
        })
    }

    /// Takes a digit of a size; `None` for what is none.
    fn digit(&mut self, byte: u8) -> Result<Option<At>, Malformed> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Ok(None);
        };
        let left = self.left.checked_mul(16);
        self.left = left
            .and_then(|left| left.checked_add(u64::from(digit)))
            .ok_or(Malformed("invalid chunk size: overflow"))?;
        Ok(Some(At::Digits))
    }

    fn keep(&mut self, byte: u8) -> Result<(), Malformed> {
        self.trailers.push(byte);
        if self.trailers.len() >= TRAILER_BYTES_MAX {
            return Err(TRAILERS_TOO_LARGE);
        }
        Ok(())
    }

    /// Nobody wants trailers, but what are none must not pass for an answer.
    fn check_trailers(&mut self) -> Result<(), Malformed> {
        let mut trailers = std::mem::take(&mut self.trailers);
        if trailers.is_empty() {
            return Ok(());
        }
        trailers.extend_from_slice(b"\r\n");
        if trailers.len() >= TRAILER_BYTES_MAX {
            return Err(TRAILERS_TOO_LARGE);
        }
        let mut lines = vec![httparse::EMPTY_HEADER; self.trailer_count];
        match httparse::parse_headers(&trailers, &mut lines) {
            Ok(httparse::Status::Complete(_)) => Ok(()),
            Ok(httparse::Status::Partial) => Err(Malformed("partial header")),
            Err(httparse::Error::HeaderName) => Err(Malformed("invalid header name")),
            Err(httparse::Error::HeaderValue) => Err(Malformed("invalid header value")),
            Err(httparse::Error::NewLine) => Err(Malformed("invalid new line")),
            Err(httparse::Error::TooManyHeaders) => Err(Malformed("too many headers")),
            Err(_) => Err(Malformed("invalid token")),
        }
    }
}

/// What follows a size, whose last digit was followed by `byte`.
fn after_size(byte: u8) -> Option<At> {
    match byte {
        b'\t' | b' ' => Some(At::Space),
        b';' => Some(At::Extension),
        b'\r' => Some(At::SizeLf),
        _ => None,
    }
}
