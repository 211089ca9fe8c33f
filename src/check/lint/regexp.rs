use crate::check::{Finding, Severity};
use crate::model::{MatchOp, Matcher};

use super::Page;
use super::subject::{Subject, World};

pub(super) static PAGE: Page = Page::new(
    "W020",
    "useless-regexp",
    Severity::Info,
    "A matcher's pattern is a plain text, matches everything, or has anchors that are there anyway.",
)
.pint("promql/regexp")
.why("Patterns always match the whole value, so `^` and `$` change nothing. A pattern without special characters is an equality that takes longer and hides what is meant. `=~\".*\"` matches everything, also series without the label.")
.example("expr: rate(http_requests_total{job=~\"^api$\"}[5m]) > 9", "expr: rate(http_requests_total{job=\"api\"}[5m]) > 9");

pub(super) static NEVER: Page = Page::new(
    "W029",
    "selects-nothing",
    Severity::Warning,
    "The matchers of a selector contradict each other: no series fulfils all of them.",
)
.pint("promql/impossible")
.why("A selector that finds nothing makes the rule silent for ever. Two equalities on one label, or `!~\".*\"`, which no value fulfils, are the usual causes.")
.example("expr: up{env=\"prod\", env=\"test\"} == 0", "expr: up{env=~\"prod|test\"} == 0");

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for selector in subject.analysis.selectors() {
        for matcher in &selector.matchers {
            if let Some((message, hint)) = useless(matcher) {
                let finding = subject.on_expr(&PAGE, selector.pos, message);
                out.push(finding.with_hint(hint));
            }
        }
        if let Some(why) = contradiction(&selector.matchers) {
            out.push(subject.on_expr(&NEVER, selector.pos, why));
        }
    }
}

fn useless(matcher: &Matcher) -> Option<(String, String)> {
    let (equality, negated) = match matcher.op {
        MatchOp::Regex => ("=", false),
        MatchOp::NotRegex => ("!=", true),
        MatchOp::Equal | MatchOp::NotEqual => return None,
    };
    let pattern = &matcher.value;
    if pattern == ".*" {
        return (!negated).then(|| {
            (
                format!("`{matcher}` matches everything, also series without the label"),
                format!(
                    "take it away, or use `{}=~\".+\"` when the label must be there",
                    matcher.name
                ),
            )
        });
    }
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = match bare.strip_suffix('$') {
        Some(before) if !before.ends_with('\\') => before,
        _ => bare,
    };
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    if !bare.contains(special) {
        return Some((
            format!("`{matcher}` has a pattern that is a plain text"),
            format!("write `{}{equality}\"{bare}\"`", matcher.name),
        ));
    }
    // Anchors within alternatives change what is matched; only those around everything are idle.
    (bare.len() < pattern.len() && !bare.contains('|')).then(|| {
        (
            format!("`{matcher}`: patterns are always anchored, so `^` and `$` change nothing"),
            format!("write `{}{}\"{bare}\"`", matcher.name, matcher.op.as_str()),
        )
    })
}

fn contradiction(matchers: &[Matcher]) -> Option<String> {
    for (at, matcher) in matchers.iter().enumerate() {
        if matcher.op == MatchOp::NotRegex && matcher.value == ".*" {
            return Some(format!("no value fulfils `{matcher}`"));
        }
        if matcher.op != MatchOp::Equal {
            continue;
        }
        // Selectors have few matchers; the parser bounds the text.
        let others = matchers
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at);
        for (_, other) in others.filter(|(_, other)| other.name == matcher.name) {
            if !other.matches(&matcher.value) {
                return Some(format!("no series fulfils both `{matcher}` and `{other}`"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn idle_patterns() {
        assert_finds(
            "W020",
            &[
                "up{job=~\"a\"} == 0",
                "up{job=~\"^a.+$\"} == 0",
                "up{job=~\".*\"} == 0",
                "rate(a_total{x!~\"b\"}[5m]) > 1",
            ],
        );
        assert_silent(
            "W020",
            &[
                "up{job=\"a\"} == 0",
                "up{job=~\"a|b\"} == 0",
                "up{job=~\".+\"} == 0",
                "up{job=~\"^a|b$\"} == 0",
                "up{job=~\"a\\\\$\"} == 0",
            ],
        );
    }

    #[test]
    fn selectors_that_find_nothing() {
        assert_finds(
            "W029",
            &[
                "up{a=\"1\", a=\"2\"} == 0",
                "up{a=\"1\", a!~\"1|2\"} == 0",
                "up{a!~\".*\"} == 0",
            ],
        );
        assert_silent(
            "W029",
            &[
                "up{a=\"1\", a!=\"2\"} == 0",
                "up{a=~\"1|2\", a!=\"2\"} == 0",
            ],
        );
    }
}
