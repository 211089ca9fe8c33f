//! Routing and notification as a sans-IO core: who hears of an alert, when, and why not.
//!
//! Reading order: [`matchers`] and [`TimeInterval`] are the small words; [`RouteTree`] says which
//! routes an alert takes; [`Inhibitor`] and [`Silences`] say what mutes it. [`Router`] puts them together,
//! [`journal`] keeps its state, [`decisions`] its reasons, [`dead_letters`] what nobody took.
//! Nothing here reads a clock, opens a socket or starts a thread: `now` is always an argument.

pub mod dead_letters;
pub mod decisions;
mod error;
mod inhibit;
pub mod journal;
pub mod matchers;
mod notification;
pub mod notification_log;
pub mod receivers;
mod route;
pub mod router;
mod silence;
pub mod templates;
mod time_interval;

pub use error::Error;
pub use inhibit::{InhibitRule, InhibitSource, Inhibition, Inhibitor};
pub use matchers::{Matcher, Matchers};
use notification::sort_alerts;
pub use notification::{Action, Notification, NotifyReason, Verdict, compare_label_sets};
pub use route::{GroupBy, Route, RouteOptions, RouteTree, label_set_text};
pub use router::Router;
pub use silence::{Silence, SilenceLimits, SilenceNote, SilenceState, Silences};
pub use time_interval::{
    DayOfMonthRange, Location, MonthRange, NamedInterval, TimeInterval, TimeRange, WEEKDAYS,
    WeekdayRange, YearRange,
};
