//! What do configuration files say, and is it right?
//!
//! Files are read into trees with places ([`crate::text::yaml`]), checked as upstream checks them with
//! every mistake reported at its line and column, and become the options of the cores:
//! [`prometheus::load`] for `prometheus.yml`, [`alertmanager`] for `alertmanager.yml`,
//! [`web`] for `--web.config.file`, [`watchfire`] for our own keys. Nothing here touches the disk or the environment: both
//! are handed in ([`Files`], and a closure).

pub mod alertmanager;
mod error;
mod files;
mod go_url;
pub mod http_client;
mod label_names;
pub mod lint;
pub mod prometheus;
mod relabel;
mod schema;
pub mod watchfire;
pub mod web;

pub use error::{Error, FileProblem};
pub use files::{Files, MemoryFiles};
pub(crate) use schema::parse_bytes;
