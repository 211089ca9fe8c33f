//! The running program: build, start, reload and stop; one file per loop; service discovery; network clients.
#![expect(
    clippy::disallowed_methods,
    reason = "the shell reads files, the environment and the real clock"
)]

pub mod alert_sender;
mod app;
mod clock;
pub mod demo;
mod error;
pub mod inbox;
pub mod log;
mod memory;
pub mod net;
pub mod notify_loop;
mod open_files;
mod options;
mod program_text;
pub mod query_log;
pub mod rule_loop;
pub mod scrape_loop;
pub mod scrapes;
pub mod sd;
pub mod server;
pub mod storage_loop;
#[cfg(test)]
mod testing;

pub use app::{RealFiles, run};
pub use clock::Clock;
pub use error::Error;
pub use options::{ConfigSource, MemoryLimit, Options};
