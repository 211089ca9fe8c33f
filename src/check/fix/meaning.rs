//! Does a repaired text still say what it said?

use std::collections::BTreeMap;

use crate::alerting::RouteOptions;
use crate::alerting::matchers::{Matcher, Matchers, Syntax};
use crate::check::Severity;
use crate::check::source::rule_source;
use crate::config::alertmanager;
use crate::model::MatchOp;
use crate::promql::parser;
use crate::rules::file::FileOptions;
use crate::text::yaml::{Document, Node, parse};

use super::FileKind;

/// Checks that `after` loads at least as well as `before`, and says the same.
pub(super) fn check(before: &str, after: &str, kind: FileKind<'_>) -> Result<(), &'static str> {
    match kind {
        FileKind::Rules(options) => rules(before, after, *options),
        FileKind::Router => router(before, after),
    }
}

fn rules(before: &str, after: &str, options: FileOptions) -> Result<(), &'static str> {
    let Ok(new) = parse(after) else {
        return Err("the result would be no YAML");
    };
    // What could not be read said nothing; that its texts are kept is up to the fix.
    let Ok(old) = parse(before) else {
        return Ok(());
    };
    let mistakes = |text: &str| {
        let findings = rule_source("", text.as_bytes(), &options).findings;
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        errors.count()
    };
    if mistakes(after) > mistakes(before) {
        return Err("the result would have more mistakes");
    }
    let said = |documents: &[Document]| -> Vec<_> {
        let roots = documents.iter().map(|document| &document.root);
        roots.map(|root| flat(root, options)).collect()
    };
    if said(&old) != said(&new) {
        return Err("the result would mean something else");
    }
    Ok(())
}

/// What a rule file says: path and text of each value, fields of rules where they belong, expressions as
/// they print.
fn flat(root: &Node, options: FileOptions) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let mut open: Vec<(String, &Node)> = vec![(String::new(), root)];
    while let Some((path, node)) = open.pop() {
        if let Some(text) = node.as_str() {
            let is_expr = path.ends_with("/expr");
            let parsed = is_expr
                .then(|| parser::parse(text, &options.parser).ok())
                .flatten();
            let text = parsed.map_or_else(|| text.to_owned(), |expr| expr.to_string());
            // Of a key given twice with other values both are kept.
            said.entry(path)
                .and_modify(|known: &mut String| {
                    if *known != text {
                        known.push_str(&text);
                    }
                })
                .or_insert_with(|| text.clone());
            continue;
        }
        for (at, item) in node.as_sequence().unwrap_or_default().iter().enumerate() {
            open.push((format!("{path}/{at}"), item));
        }
        for entry in node.as_mapping().unwrap_or_default() {
            let key = entry.key.as_str().unwrap_or("?");
            let mut parents = path.rsplit('/').skip(1).step_by(2);
            let in_rule = parents.next() == Some("rules") && parents.next() == Some("groups");
            let home = super::misplaced::home(key).filter(|_| in_rule);
            open.push(match home {
                Some((home, _)) => (format!("{path}/{home}/{key}"), &entry.value),
                None => (format!("{path}/{key}"), &entry.value),
            });
        }
    }
    said
}

fn router(before: &str, after: &str) -> Result<(), &'static str> {
    let load = |text: &str| alertmanager::parse(text, Syntax::default());
    let Ok(old) = load(before) else {
        return Err("the file does not load");
    };
    let Ok(new) = load(after) else {
        return Err("the result would not load");
    };
    let targets = |config: &alertmanager::AlertmanagerConfig| -> Vec<_> {
        let rules = config.inhibit_rules.iter();
        rules
            .map(|rule| {
                let sources = rule.sources.iter();
                let sources: Vec<_> = sources
                    .map(|s| (plain(&s.matchers.0), s.equal.clone()))
                    .collect();
                (rule.name.clone(), sources, plain(&rule.target_matchers.0))
            })
            .collect()
    };
    let same = old.receivers == new.receivers
        && old.time_intervals == new.time_intervals
        && old.global == new.global
        && targets(&old) == targets(&new)
        && same_route(&old.route, &new.route);
    if same {
        Ok(())
    } else {
        Err("the result would mean something else")
    }
}

/// YAML's depth bounds the recursion.
fn same_route(a: &RouteOptions, b: &RouteOptions) -> bool {
    let without = |route: &RouteOptions| RouteOptions {
        matchers: Matchers::default(),
        routes: Vec::new(),
        ..route.clone()
    };
    plain(&a.matchers.0) == plain(&b.matchers.0)
        && without(a) == without(b)
        && a.routes.len() == b.routes.len()
        && a.routes
            .iter()
            .zip(&b.routes)
            .all(|(a, b)| same_route(a, b))
}

/// Matchers sorted, patterns without the anchors that reading `match_re` adds.
fn plain(matchers: &[Matcher]) -> Vec<(String, MatchOp, String)> {
    let mut plain: Vec<_> = matchers
        .iter()
        .map(|m| {
            let value = m
                .value
                .strip_prefix("^(?:")
                .and_then(|rest| rest.strip_suffix(")$"));
            (m.name.clone(), m.op, value.unwrap_or(&m.value).to_owned())
        })
        .collect();
    plain.sort();
    plain
}
