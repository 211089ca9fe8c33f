//! `eval` and what is expected of it.

use std::collections::BTreeMap;

use super::load::Written;
use crate::model::Labels;
use crate::promql::Error;
use crate::promql::annotations::{Annotations, Severity};
use crate::text::quote::quote;
use crate::text::regex::Regex;

/// An `eval` command.
#[derive(Debug)]
pub(super) struct Eval {
    pub(super) expr: String,
    /// From 1.
    pub(super) line: usize,
    pub(super) is_range: bool,
    /// The times of the expected values, which for instant queries matter to range vectors only.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
    /// When an instant query is evaluated.
    pub(super) at_ms: i64,
    pub(super) fail: bool,
    pub(super) warn: bool,
    pub(super) info: bool,
    pub(super) ordered: bool,
    /// `expected_fail_message` and `expected_fail_regexp`.
    pub(super) fail_message: Option<String>,
    pub(super) fail_pattern: Option<Regex>,
    pub(super) expected_fail: Vec<Text>,
    pub(super) expected_warn: Vec<Text>,
    pub(super) expected_info: Vec<Text>,
    pub(super) no_warn: bool,
    pub(super) no_info: bool,
    pub(super) scalar: Option<f64>,
    pub(super) text: String,
    pub(super) series: BTreeMap<Labels, Expected>,
    /// Whether the result is of a kind that range queries do not have.
    pub(super) not_as_range: bool,
}

/// The expected values of a series and the position of their line.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) position: usize,
    pub(super) values: Vec<Written>,
}

/// The text of an error or annotation.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Any,
    Exactly(String),
    Matching(Regex),
}

impl Text {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => text == expected,
            Self::Matching(pattern) => pattern.is_match(text),
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Any => "^.*$",
            Self::Exactly(text) => text,
            Self::Matching(pattern) => pattern.pattern(),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Exactly(_) => "message",
            Self::Any | Self::Matching(_) => "pattern",
        }
    }
}

impl Eval {
    pub(super) fn is_fail(&self) -> bool {
        self.fail || !self.expected_fail.is_empty()
    }

    /// Compares an error with the expected one.
    pub(super) fn check_failure(&self, error: &Error) -> Result<(), String> {
        let text = error.to_string();
        let (expr, line) = (quote(&self.expr), self.line);
        if let Some(expected) = &self.fail_message
            && *expected != text
        {
            return Err(format!(
                "expected error {} evaluating query {expr} (line {line}), but got: {text}",
                quote(expected)
            ));
        }
        if let Some(expected) = &self.fail_pattern
            && !expected.is_match(&text)
        {
            return Err(format!(
                "expected error matching pattern {} evaluating query {expr} (line {line}), but got: {text}",
                quote(expected.pattern())
            ));
        }
        if let Some(expected) = self.expected_fail.first()
            && !expected.matches(&text)
        {
            return Err(format!(
                "expected error matching {} evaluating query {expr} (line {line}), but got: {text}",
                quote(expected.shown())
            ));
        }
        Ok(())
    }

    /// Compares annotations with the expected ones; `expr` is what was evaluated.
    pub(super) fn check_annotations(
        &self,
        expr: &str,
        annotations: &Annotations,
    ) -> Result<(), String> {
        let (warnings, infos) = annotations.texts(expr, 0, 0);
        let (shown, line) = (quote(expr), self.line);
        if self.warn && warnings.is_empty() {
            return Err(format!(
                "expected warnings evaluating query {shown} (line {line}) but got none"
            ));
        }
        if self.info && infos.is_empty() {
            return Err(format!(
                "expected info annotations evaluating query {shown} (line {line}) but got none"
            ));
        }
        let all = || {
            let texts: Vec<String> = annotations.iter().map(|a| a.text(expr)).collect();
            format!("[{}]", texts.join(" "))
        };
        for (severity, expected, found) in [
            (Severity::Warning, &self.expected_warn, &warnings),
            (Severity::Info, &self.expected_info, &infos),
        ] {
            let kind = match severity {
                Severity::Warning => "warn",
                Severity::Info => "info",
            };
            if expected.is_empty() {
                continue;
            }
            if found.is_empty() {
                return Err(format!(
                    "expected {kind} annotations but none were found for query {shown} (line {line})"
                ));
            }
            if let Some(missing) = expected
                .iter()
                .find(|text| !found.iter().any(|found| text.matches(found)))
            {
                return Err(format!(
                    "expected {kind} annotation matching {} {} but no matching annotation was found for query {shown} (line {line}), found: {}",
                    missing.kind(),
                    quote(missing.shown()),
                    all()
                ));
            }
            if let Some(extra) = found
                .iter()
                .find(|found| !expected.iter().any(|text| text.matches(found)))
            {
                return Err(format!(
                    "unexpected {kind} annotation {} found for query {expr} (line {line})",
                    quote(extra)
                ));
            }
        }
        if self.no_warn && !warnings.is_empty() {
            return Err(format!(
                "unexpected warning annotations evaluating query {shown} (line {line}): {}",
                all()
            ));
        }
        if self.no_info && !infos.is_empty() {
            return Err(format!(
                "unexpected info annotations evaluating query {shown} (line {line}): {}",
                all()
            ));
        }
        Ok(())
    }
}
