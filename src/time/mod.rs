//! Points in time and spans. Nothing here reads a clock: `now` is handed in by the caller.
//!
//! Samples live on a millisecond axis ([`Timestamp`]); alerts keep the nanoseconds that their sender
//! gave them ([`WallTime`]).

mod span;
mod timestamp;
mod wall_time;

pub use span::Span;
pub use timestamp::Timestamp;
pub use wall_time::WallTime;
