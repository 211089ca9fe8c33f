//! How the daemon talks to others: one HTTP client with the whole of `http_config`.
//!
//! A [`Client`] owns a small pool of connections; clones share it. [`Client::dedicated`] gives a
//! scrape target a pool of its own (in practice one connection) that shares TLS state and OAuth 2.0
//! tokens with the job's client.

mod auth;
mod body;
mod client;
mod connect;
mod dial;
mod error;
mod gzip;
pub mod http1;
mod pool;
mod proxy;
mod request;
mod response;
mod smtp;
#[cfg(test)]
mod tests;
mod tls;
mod token;

pub use body::Body;
pub use client::Client;
pub use error::Error;
pub(super) use error::io_text;
pub use request::{Prepared, Request};
pub use response::Response;
pub use smtp::Mailer;
pub use tls::install_provider;

/// What an answer may hold when the caller sets no limit, in bytes after decompression.
///
/// compat: upstream has no such bound and would swallow an endless body until its deadline.
pub const BODY_LIMIT_DEFAULT: u64 = 512 << 20;
