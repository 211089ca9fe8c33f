//! `html/template`: in which place of a page does each action print, and how must it be escaped there?
//!
//! [`plan`] follows the text of a template through a small state machine of HTML, CSS and JavaScript
//! and notes for each action which escapers its output needs. A template that is called in several
//! places of a page is planned once for each.

mod context;
mod css;
mod escape;
mod js;
mod planner;
mod transition;
mod url;

pub(super) use planner::{Plan, plan};
