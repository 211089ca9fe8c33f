//! How do discovered labels become targets, and fetched pages become samples?
//!
//! Everything here is synchronous and gets `now` handed in; the shell fetches the bytes. A [`Pool`] holds
//! the targets of one job and says which come and go; a [`Schedule`] says when a target is due; a
//! [`ScrapeLoop`] takes what was fetched and writes samples, markers and reports into the store.

mod cache;
mod counters;
mod error;
mod limits;
mod metadata;
mod options;
mod page;
mod place;
mod pool;
mod report;
mod row;
mod schedule;
mod scrape_loop;
mod series_labels;
mod target;

#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use error::Error;
pub use metadata::Families;
pub use options::{Features, JobOptions};
pub use place::{Place, Places};
pub use pool::{Pool, Sync};
pub use report::{Health, Report};
pub use schedule::Schedule;
pub use scrape_loop::{Failure, Page, ScrapeLoop};
pub use target::{ADDRESS, Populated, Target, discovered_labels, populate};
