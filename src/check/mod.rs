//! What is wrong, or could be better, in configuration files, rule files and metrics pages?
//!
//! Findings are data: the command line shows them, programs that embed the library do what they like.
//! [`rules()`] checks a rule file, [`config()`] a `prometheus.yml` and all that it names, [`metrics()`] a
//! page of metrics; [`alertmanager`] and [`web`] check those configurations, [`unit_test`] runs promtool's
//! unit tests of rules, [`routing`] cases of the route tree. Every finding names the check that made it; [`lint::catalogue`] explains them.

pub mod analysis;
pub mod changes;
mod config;
mod finding;
pub mod fix;
pub mod lint;
pub mod metrics;
pub mod routing;
mod rules;
pub mod source;
pub mod unit_test;

pub use config::{ConfigCheck, ConfigReport, alertmanager, config, router_templates, web};
pub use finding::{Finding, FindingPlace, PlaceWithin, RuleName, Severity};
pub use metrics::metrics;
pub use rules::{RuleFile, RulesReport, rules};
