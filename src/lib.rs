//! watchfire scrapes Prometheus metrics, keeps them safe and small, evaluates alerting rules and
//! calls the right person through Slack, PagerDuty, e-mail or a webhook.
//!
//! The same parts that make up the daemon can be embedded in another program. The modules are
//! listed in tiers; imports point down the list, never up (`tests/architecture.rs` holds the table):
//!
//! - words that everyone shares: [`time`], [`model`], [`codec`], [`disk`],
//!   [`math`], [`parallel`], [`text`];
//! - cores, deterministic and without clock or network: [`exposition`], [`relabel`],
//!   [`discovery`], [`storage`], [`scrape`], [`tsdb`], [`promql`], [`template`], [`rules`], [`alerting`];
//! - meaning: [`config`] and [`check`];
//! - the shell with tokio, sockets and the real clock: [`ui`], [`http`], [`daemon`];
//! - the doors: [`cli`].
//!
//! The project's own account of its design is in [`manual`].

#[cfg(doc)]
pub mod manual;

pub mod codec;
pub mod disk;
pub mod math;
pub mod model;
pub mod parallel;
pub mod text;
pub mod time;

pub mod alerting;
pub mod discovery;
pub mod exposition;
pub mod promql;
pub mod relabel;
pub mod rules;
pub mod scrape;
pub mod storage;
pub mod template;
pub mod tsdb;

pub mod check;
pub mod config;

pub mod daemon;
pub mod http;
pub mod ui;

pub mod cli;
