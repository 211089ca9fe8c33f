//! What is wrong, or could be better, in configuration files, rule files and metrics pages?
//!
//! Findings are data: the command line shows them, programs that embed the library do what they like.
//! [`rules()`] checks a rule file, [`config()`] a `prometheus.yml` and all that it names, [`metrics()`] a
//! page of metrics; [`alertmanager`] and [`web`] check those configurations, [`unit_test`] runs promtool's
//! unit tests of rules, [`routing`] cases of the route tree. Every finding names the check that made it;
//! [`lint::catalogue`] explains them. [`source`] finds rules and routes in Kubernetes objects, [`changes`]
//! tells what a change of them does.
//!
//! ```
//! use watchfire::check::lint::{self, Subjects};
//! use watchfire::check::source::rule_source;
//! use watchfire::config::lint::LintOptions;
//! use watchfire::rules::file::FileOptions;
//!
//! let text = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: |\n      sum(up)\n        > foo bar\n  - alert: Low\n    expr: free < 0.1\n    severity: page\n";
//! let source = rule_source("rules.yml", text.as_bytes(), &FileOptions::default());
//! let first = &source.findings[0];
//! assert_eq!(first.id(), "E005");
//! let (file, expression) = (first.place.as_ref().unwrap(), first.within.as_ref().unwrap());
//! assert_eq!((file.line, file.column), (7, 15));
//! assert_eq!((expression.line, expression.column), (2, 9));
//! assert_eq!(source.findings[1].hint.as_deref(), Some("move `severity` under `labels:`"));
//! // What loads can be linted: the findings are data, too.
//! let subjects = Subjects { rules: &source.files, ..Subjects::default() };
//! for finding in lint::run(subjects, &LintOptions::default()) {
//!     println!("{} {finding}", finding.id());
//! }
//! ```

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
