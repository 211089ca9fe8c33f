//! Bytes: checked reading and writing, bit streams and record framing, shared by whoever writes files.
//!
//! Everything that reads takes bytes from outside: it never panics and never reserves more memory than
//! the input could fill.

mod bits;
pub mod frame;
pub mod metric_family;
pub mod prompb;
mod reader;
pub(crate) mod wire;
mod writer;

pub use bits::{BitReader, BitWriter};
pub use reader::{Error, Reader};
pub use writer::{put_bytes, put_f64, put_str, put_u32, put_u64, put_varint, put_zigzag};
