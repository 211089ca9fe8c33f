//! What a text holds: a plain file, or Kubernetes objects as `kubectl get` and `helm template` print them.
//!
//! Positions are always those of the whole text. What is in a text that holds no object of Kubernetes is
//! decided as upstream does: the first YAML document counts.

mod alertmanager_config;
mod kubernetes;

use std::ops::Range;
use std::sync::Arc;

use crate::alerting::matchers::Syntax;
use crate::config::alertmanager as router;
use crate::rules::file::FileOptions;
use crate::text::yaml::{self, Document, Node, Problem};

use super::lint::errors;
use super::{Finding, RuleFile, fix};

/// The object or document that a stretch of a text belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The bytes of the text.
    pub bytes: Range<usize>,
    /// What it is, such as `PrometheusRule monitoring/node (from chart/templates/node.yaml)`.
    pub name: String,
}

/// The rules of a text.
#[derive(Debug, Clone, Default)]
pub struct RuleSource {
    /// One per file or `PrometheusRule`, with the rules that are right.
    pub files: Vec<RuleFile>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The Kubernetes objects that the rules come from.
    pub origins: Vec<Origin>,
    /// Objects of other kinds, which were left alone.
    pub others: usize,
}

impl RuleSource {
    /// How many rules are right.
    pub fn rule_count(&self) -> usize {
        self.files.iter().map(RuleFile::rule_count).sum()
    }
}

/// Reads every rule of a text: of a rule file, or of all `PrometheusRule` objects.
pub fn rule_source(name: &str, bytes: &[u8], options: &FileOptions) -> RuleSource {
    let mut found = RuleSource::default();
    let text = match yaml::utf8(bytes) {
        Ok(text) => text,
        Err(problem) => {
            found.findings.push(refused(name, bytes, problem));
            return found;
        }
    };
    match kubernetes::objects(text) {
        Ok(Some(objects)) => {
            for object in objects {
                kubernetes::rules(name, object, *options, &mut found);
            }
        }
        Ok(None) => {
            let (file, findings) = RuleFile::parse(name, bytes, options);
            found.files.extend(file);
            found.findings.extend(findings);
            found.findings.extend(later_documents(name, text));
        }
        Err(problem) => {
            let mut finding = refused(name, bytes, problem);
            finding.fix = fix::of_unquoted_templates(text);
            found.findings.push(finding);
        }
    }
    found
}

/// Checks the configuration of a router, or all `AlertmanagerConfig` objects; the second answer names the
/// objects.
pub fn router_source(name: &str, bytes: &[u8], syntax: Syntax) -> (Vec<Finding>, Vec<Origin>) {
    let refused = |problems: Vec<Problem>| -> Vec<Finding> {
        let problems = problems.into_iter();
        problems
            .map(|problem| refused(name, bytes, problem))
            .collect()
    };
    let text = match yaml::utf8(bytes) {
        Ok(text) => text,
        Err(problem) => return (refused(vec![problem]), Vec::new()),
    };
    match kubernetes::objects(text) {
        Err(problem) => (refused(vec![problem]), Vec::new()),
        Ok(None) => {
            let parsed = router::parse(text, syntax);
            (refused(parsed.err().unwrap_or_default()), Vec::new())
        }
        Ok(Some(objects)) => {
            let (mut problems, mut origins) = (Vec::new(), Vec::new());
            for object in objects {
                if object.kind == "AlertmanagerConfig" {
                    problems.extend(alertmanager_config::check(&object, syntax));
                    origins.push(object.origin());
                }
            }
            if origins.is_empty() {
                let text = "there is no AlertmanagerConfig among the Kubernetes objects";
                problems.push(Problem::at(yaml::Place::default(), text));
            }
            (refused(problems), origins)
        }
    }
}

/// Whether a file of a folder holds no rules at all but something else that is well known: a test of
/// rules, a configuration, Kubernetes objects of other kinds.
pub fn is_something_else(bytes: &[u8]) -> bool {
    let Ok(text) = yaml::utf8(bytes) else {
        return false;
    };
    match kubernetes::objects(text) {
        Ok(Some(objects)) => objects.iter().all(|object| object.kind != "PrometheusRule"),
        Ok(None) => yaml::parse_first(text).is_ok_and(|document| {
            let has = |field: &str| document.root.entry(field).is_some();
            let others = [
                "tests",
                "rule_files",
                "scrape_configs",
                "receivers",
                "route",
                "scrape_configs",
            ];
            !has("groups") && others.into_iter().any(has)
        }),
        Err(_) => false,
    }
}

fn refused(name: &str, bytes: &[u8], problem: Problem) -> Finding {
    let source: Arc<str> = Arc::from(&*String::from_utf8_lossy(bytes));
    Finding::refused(&errors::CONFIG, name, &source, problem)
}

/// Prometheus reads the first document only and says nothing of the others.
fn later_documents(name: &str, text: &str) -> Option<Finding> {
    let separated =
        memchr::memmem::find_iter(text.as_bytes(), "\n---").any(|at| !text[..at].trim().is_empty());
    if !separated {
        return None;
    }
    let documents = yaml::parse(text).ok()?;
    let first = documents.first()?;
    let later = documents
        .iter()
        .skip(1)
        .find(|document| !document.root.is_null())?;
    let message = if first.root.is_null() {
        "the file begins with an empty YAML document, and Prometheus reads no other: it finds no rules"
    } else {
        "this YAML document is not read: Prometheus takes the first of a file only"
    };
    let problem = Problem::at(later.root.span.start, message);
    let finding = Finding::at(&errors::LATER_DOCUMENT, name, &later.source, problem);
    Some(finding.with_hint(
        "put its groups under the `groups:` of the first document, or into a file of their own",
    ))
}

/// A document whose root is a part of another one.
fn part(document: &Document, root: &Node) -> Document {
    Document {
        root: root.clone(),
        source: Arc::clone(&document.source),
    }
}

#[cfg(test)]
mod tests;
