//! What do matchers imply, without looking at any alert?

use crate::alerting::matchers::Matcher;
use crate::model::MatchOp;
use crate::text::regex::Regex;

/// More matchers than this are not reasoned about: every pair may be looked at.
const MATCHERS_MAX: usize = 64;

/// A matcher with the values that it can match, where these are few.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) matcher: Matcher,
    /// All values that fulfil it; nothing when they cannot be listed.
    values: Option<Vec<String>>,
}

impl Condition {
    pub(super) fn new(matcher: &Matcher) -> Self {
        let values = match matcher.op {
            MatchOp::Equal => Some(vec![matcher.value.clone()]),
            MatchOp::Regex => Regex::anchored(&matcher.value)
                .ok()
                .and_then(|regex| regex.literal_alternatives().map(<[String]>::to_vec)),
            _ => None,
        };
        Self {
            matcher: matcher.clone(),
            values,
        }
    }

    /// Whether every value fulfils it, also none.
    fn is_idle(&self) -> bool {
        let Matcher { op, value, .. } = &self.matcher;
        matches!(op, MatchOp::Regex) && (value == ".*" || value == "^(?:.*)$")
    }
}

/// Conditions that must all hold.
pub(super) fn conditions(matchers: &[Matcher]) -> Vec<Condition> {
    matchers
        .iter()
        .take(MATCHERS_MAX)
        .map(Condition::new)
        .collect()
}

/// Whether whatever fulfils all of `given` fulfils `wanted` too.
pub(super) fn implies(given: &[Condition], wanted: &Condition) -> bool {
    wanted.is_idle()
        || given
            .iter()
            .filter(|known| known.matcher.name == wanted.matcher.name)
            .any(|known| match &known.values {
                Some(values) => values.iter().all(|value| wanted.matcher.matches(value)),
                None => {
                    known.matcher.op == wanted.matcher.op
                        && known.matcher.value == wanted.matcher.value
                }
            })
}

/// Whether whatever fulfils all of `given` fulfils all of `wanted`.
pub(super) fn implies_all(given: &[Condition], wanted: &[Condition]) -> bool {
    wanted.iter().all(|condition| implies(given, condition))
}

/// Two conditions that nothing fulfils together with the rest.
pub(super) fn contradiction(all: &[Condition]) -> Option<(&Matcher, &Matcher)> {
    all.iter().find_map(|condition| {
        let values = condition.values.as_ref()?;
        let same_label = all
            .iter()
            .filter(|other| other.matcher.name == condition.matcher.name);
        let none_left = !values
            .iter()
            .any(|value| same_label.clone().all(|other| other.matcher.matches(value)));
        let other = same_label.clone().find(|other| {
            other.matcher != condition.matcher
                && !values.iter().any(|value| other.matcher.matches(value))
        });
        none_left.then_some((&condition.matcher, &other.unwrap_or(condition).matcher))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::{Syntax, parse_matchers};

    fn of(text: &str) -> Vec<Condition> {
        conditions(&parse_matchers(Syntax::Fallback, text).unwrap())
    }

    #[test]
    fn matchers_are_reasoned_about() {
        for (given, wanted, yes) in [
            ("a=\"1\"", "a=\"1\"", true),
            ("a=\"1\"", "a=~\"1|2\"", true),
            ("a=~\"1|2\"", "a=\"1\"", false),
            ("a=~\"1|2\"", "a=~\"1|2|3\"", true),
            ("a=\"1\"", "a!=\"2\"", true),
            ("a=\"1\"", "b=\"1\"", false),
            ("", "b=~\".*\"", true),
            ("a=~\"x.*\"", "a=~\"x.*\"", true),
            ("a=\"1\",b=\"2\"", "b=\"2\"", true),
        ] {
            assert_eq!(
                implies_all(&of(given), &of(wanted)),
                yes,
                "{given} => {wanted}"
            );
        }
        assert!(contradiction(&of("a=\"1\",a=\"2\"")).is_some());
        assert!(contradiction(&of("a=~\"1|2\",a!~\"1|2\"")).is_some());
        assert!(contradiction(&of("a=~\"1|2\",a=\"2\"")).is_none());
        assert!(contradiction(&of("a=\"1\",b=\"2\"")).is_none());
    }
}
