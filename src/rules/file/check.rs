//! The checks of a rule, with upstream's texts.

use crate::model::{METRIC_NAME, ValidationScheme};
use crate::promql::ast::Expr;
use crate::promql::parser;
use crate::template;
use crate::text::quote::quote;
use crate::text::yaml::{Node, Problem, ProblemKind, Span};

use super::advice::{advice, unclosed_at};
use super::read::{RawRule, Reader};

/// Checks a rule; its expression when that is one at all.
pub(super) fn rule(
    reader: &Reader<'_>,
    group: &str,
    number: usize,
    raw: &RawRule<'_>,
) -> Option<Expr> {
    let name = if raw.alert.is_empty() {
        &raw.record
    } else {
        &raw.alert
    };
    // Few rules have anything wrong to say it of.
    let who = || format!("group {}, rule {number}, {}", quote(group), quote(name));
    let fail = |span: Span, what: &str| reader.decoder.fail(span, format!("{}: {what}", who()));
    let place = |node: Option<&Node>| node.map_or(raw.place, |node| node.span);
    match (raw.record.is_empty(), raw.alert.is_empty()) {
        (false, false) => fail(
            place(raw.alert_node),
            "only one of 'record' and 'alert' must be set",
        ),
        (true, true) => fail(raw.place, "one of 'record' or 'alert' must be set"),
        _ => {}
    }
    if !raw.record.is_empty() {
        recording(reader, raw, &fail);
    }
    let scheme = reader.options.validation;
    let said = |problem: Option<String>| problem.map(|what| format!("{}: {what}", who()));
    names(reader, &raw.labels, |name| said(label_name(name, scheme)));
    names(reader, &raw.annotations, |name| {
        let good = scheme.is_valid_label_name(name);
        said((!good).then(|| format!("invalid annotation name: {name}")))
    });
    if !raw.alert.is_empty() {
        templates(reader, raw, &who);
    }
    if raw.expr.is_empty() {
        fail(place(raw.expr_node), "field 'expr' must be set in rule");
        return None;
    }
    expression(reader, raw, &who)
}

fn recording(reader: &Reader<'_>, raw: &RawRule<'_>, fail: &dyn Fn(Span, &str)) {
    let span = raw.record_node.map_or(raw.place, |node| node.span);
    for (given, field) in [
        (!raw.annotations.is_empty(), "annotations"),
        (raw.hold != 0, "for"),
        (raw.keep_firing_for != 0, "keep_firing_for"),
    ] {
        if given {
            fail(span, &format!("invalid field '{field}' in recording rule"));
        }
    }
    let name = &raw.record;
    if !reader.options.validation.is_valid_metric_name(name) {
        fail(span, &format!("invalid recording rule name: {name}"));
    }
    // compat: UTF-8 names may hold braces, but here they mean an expression in the wrong field.
    if name.contains(['{', '}']) {
        fail(
            span,
            &format!("braces present in the recording rule name; should it be in expr?: {name}"),
        );
    }
}

/// What is wrong with the name of a label.
pub(super) fn label_name(name: &str, scheme: ValidationScheme) -> Option<String> {
    let good = scheme.is_valid_label_name(name) && name != METRIC_NAME;
    (!good).then(|| format!("invalid label name: {name}"))
}

/// Reports names that `judge` finds something to say about.
pub(super) fn names(
    reader: &Reader<'_>,
    pairs: &[(&Node, String)],
    judge: impl Fn(&str) -> Option<String>,
) {
    for (key, _) in pairs {
        if let Some(message) = judge(key.as_str().unwrap_or_default()) {
            reader.decoder.fail(key.span, message);
        }
    }
}

fn templates(reader: &Reader<'_>, raw: &RawRule<'_>, who: &dyn Fn() -> String) {
    let alert = format!("__alert_{}", raw.alert);
    let labels = raw.labels.iter().zip(&raw.label_values);
    let annotations = raw.annotations.iter().zip(&raw.annotation_values);
    let all = labels
        .map(|pair| ("label", pair))
        .chain(annotations.map(|pair| ("annotation", pair)));
    for (what, ((key, text), node)) in all {
        let Err(error) = template::rules::check(&alert, text) else {
            continue;
        };
        let name = quote(key.as_str().unwrap_or_default());
        let message = format!("{}: {what} {name}: {error}", who());
        let problem = match error.offset() {
            Some(offset) => Problem::at(reader.document.place_in_scalar(node, offset), message)
                .within(node, offset..offset),
            None => Problem::new(node.span, message),
        };
        reader
            .decoder
            .report(problem.of_kind(ProblemKind::Template));
    }
}

fn expression(reader: &Reader<'_>, raw: &RawRule<'_>, who: &dyn Fn() -> String) -> Option<Expr> {
    let errors = match parser::parse(&raw.expr, &reader.options.parser) {
        Ok(expr) => return Some(expr),
        Err(errors) => errors,
    };
    // compat: the first one counts; the parser's later ones are often only its consequence.
    let error = errors.first()?;
    let message = format!("{}: could not parse expression: {error}", who());
    // An error at the end of a block scalar stands behind its last character, not on the line after it.
    let last = raw.expr.trim_end().len();
    let start = error.pos.start.min(last);
    let within = match unclosed_at(&raw.expr, error) {
        Some(bracket) => bracket..bracket + 1,
        None => start..error.pos.end.clamp(start, last),
    };
    let span = raw.expr_node.map_or(raw.place, |node| Span {
        start: reader.document.place_in_scalar(node, within.start),
        end: reader.document.place_in_scalar(node, within.end),
    });
    let mut problem = Problem::new(span, message);
    problem.hint = advice(&raw.expr, error);
    if let Some(node) = raw.expr_node {
        problem = problem.within(node, within);
    }
    reader
        .decoder
        .report(problem.of_kind(ProblemKind::Expression));
    None
}
