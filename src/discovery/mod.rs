//! Where do targets come from, and what does an answer of a discovery mechanism mean?
//!
//! [`Options`] says what a `*_sd_configs` entry asks for; [`mod@file`], [`http`] and [`dns`] turn what was
//! read or answered into [`TargetGroup`]s with upstream's meta labels. Polling, watching and asking is
//! the work of `daemon`.

pub mod dns;
mod error;
pub mod file;
pub mod http;
mod options;
mod target_group;

pub use error::Error;
pub use options::{DnsOptions, FileOptions, HttpOptions, Options, RecordType};
pub use target_group::TargetGroup;
