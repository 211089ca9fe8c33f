//! How are labels rewritten and targets or samples dropped before they are used?
//!
//! A [`Rule`] is one entry of `relabel_configs`, `metric_relabel_configs`, `write_relabel_configs` or
//! `alert_relabel_configs`. [`apply`] runs a list of them; [`trace`] also says what each step did.

mod apply;
mod letter_case;
mod rule;

pub use apply::{Step, apply, trace};
pub use rule::{Action, Error, Rule};
