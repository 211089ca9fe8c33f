//! # The house and its rooms
//!
//! One package, one library, one thin binary. Modules stand in tiers and imports point down:
//!
//! | tier | modules | what they are |
//! |---|---|---|
//! | 0 | [`time`](crate::time) [`model`](crate::model) [`codec`](crate::codec) [`disk`](crate::disk) [`math`](crate::math) [`text`](crate::text) | words that everyone shares |
//! | 1 | [`exposition`](crate::exposition) [`relabel`](crate::relabel) [`discovery`](crate::discovery) [`scrape`](crate::scrape) [`storage`](crate::storage) [`tsdb`](crate::tsdb) [`promql`](crate::promql) [`template`](crate::template) [`rules`](crate::rules) [`alerting`](crate::alerting) | cores: synchronous, no clock, no network; `now` is an argument |
//! | 2 | [`config`](crate::config) [`check`](crate::check) | YAML to checked options; findings |
//! | 3 | [`ui`](crate::ui) [`http`](crate::http) [`daemon`](crate::daemon) | the shell: tokio, sockets, the real clock |
//! | 4 | [`cli`](crate::cli) | the doors, one file per verb |
//!
//! `tests/architecture.rs` holds the table of imports and fails when a line breaks it; `clippy.toml`
//! bans clocks, files and the environment outside their rooms.
//!
//! # The walk of one sample
//!
//! 1. `daemon::scrape_loop` sleeps until a target's turn and fetches bytes over the target's own connection. A target stays on
//!    one thread (`daemon::scrapes::lanes`) from here to the log, unless its page is large or the disk slow.
//! 2. [`exposition`](crate::exposition) finds the lines and what they say; of lines whose series it has seen on the page before, only
//!    the number is read.
//! 3. [`scrape`](crate::scrape) relabels, checks limits, notes which series are gone and writes one batch
//!    through [`storage::Appender`](crate::storage::Appender): into the log, then visible.
//! 4. [`rules`](crate::rules) asks [`promql`](crate::promql), which pulls through
//!    [`storage::Querier`](crate::storage::Querier); results become series or a
//!    [`model::Alert`](crate::model::Alert).
//! 5. [`alerting`](crate::alerting) decides who hears of it, journals the intention, and hands out an action.
//! 6. `daemon::notify_loop` sends it; the verdict goes back to [`alerting`](crate::alerting).
//!
//! Each step is one direction; nobody reaches back. Rules and routing meet only at the alert, PromQL and the
//! engine only at the seam [`storage`](crate::storage).
//!
//! # What survives
//!
//! - Samples: a batch is in the write-ahead log before a query can see it.
//! - Rule state (`for`, `keep_firing_for`): recorded after each evaluation that changed it, before alerts go out.
//! - Alerts, silences, the notification log and intended notifications, dead letters: journaled on every change.
//! - The decision record: written on every change, not synced; bounded by count and age.
