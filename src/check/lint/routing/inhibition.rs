use crate::check::Finding;
use crate::text::yaml::Node;

use super::logic::{Condition, conditions, implies_all};
use super::{Context, EQUAL, LOOP, MUTES_NOTHING};

/// Rules that are compared with each other.
const RULES_MAX: usize = 300;

/// The fields that hold a rule's sources, and its targets.
const SOURCES: [&str; 4] = [
    "source_matchers",
    "source_match",
    "source_match_re",
    "sources",
];
const TARGETS: [&str; 3] = ["target_matchers", "target_match", "target_match_re"];

struct Rule<'a> {
    node: &'a Node,
    sources: Vec<Vec<Condition>>,
    target: Vec<Condition>,
    equal: Vec<Vec<String>>,
}

pub(super) fn check(context: &Context<'_>, out: &mut Vec<Finding>) {
    let options = &context.routing.config.inhibit_rules;
    let rules: Vec<Rule<'_>> = options
        .iter()
        .zip(context.section("inhibit_rules"))
        .map(|(rule, node)| Rule {
            node,
            sources: rule
                .sources
                .iter()
                .map(|source| conditions(&source.matchers.0))
                .collect(),
            target: conditions(&rule.target_matchers.0),
            equal: rule
                .sources
                .iter()
                .map(|source| source.equal.clone())
                .collect(),
        })
        .collect();
    for rule in &rules {
        if mutes_nothing(rule) {
            let message = "every source of this rule is a target as well, and such alerts do not mute each other: it mutes nothing";
            let finding = context.on_field(&MUTES_NOTHING, rule.node, &TARGETS, message);
            out.push(finding.with_hint("let the target matchers name what is less severe"));
        }
        if !context.alerts.all.is_empty() {
            equal(context, rule, out);
        }
    }
    for (at, rule) in rules.iter().take(RULES_MAX).enumerate() {
        for earlier in rules.iter().take(at) {
            if mutes(earlier, rule) && mutes(rule, earlier) {
                let line = earlier.node.span.start.line;
                let message = format!(
                    "this rule mutes the sources of the one in line {line}, and that one mutes the sources of this: both alerts fall silent"
                );
                out.push(context.on_field(&LOOP, rule.node, &SOURCES, message));
                break;
            }
        }
    }
}

/// Whether whatever is a source is a target, and the other way round.
fn mutes_nothing(rule: &Rule<'_>) -> bool {
    let [source] = rule.sources.as_slice() else {
        return false;
    };
    implies_all(source, &rule.target) && implies_all(&rule.target, source)
}

/// Whether the targets of `a` are just the sources of `b`.
fn mutes(a: &Rule<'_>, b: &Rule<'_>) -> bool {
    let [source] = b.sources.as_slice() else {
        return false;
    };
    !source.is_empty() && implies_all(source, &a.target) && !mutes_nothing(a)
}

fn equal(context: &Context<'_>, rule: &Rule<'_>, out: &mut Vec<Finding>) {
    for (source, labels) in rule.sources.iter().zip(&rule.equal) {
        for label in labels {
            let lacks = |side: &[Condition]| {
                let matchers: Vec<_> = side.iter().map(|c| c.matcher.clone()).collect();
                let mut alerts = context
                    .alerts
                    .all
                    .iter()
                    .filter(|alert| alert.may_match_all(&matchers, &context.external))
                    .peekable();
                let any = alerts.peek().is_some();
                any && !alerts.any(|alert| alert.can_have(label, &context.external))
            };
            let (source_lacks, target_lacks) = (lacks(source), lacks(&rule.target));
            let unknown = !context.alerts.known_labels().contains(label.as_str());
            let meant = context.meant(label).filter(|_| unknown);
            let message = match (source_lacks, target_lacks, &meant) {
                (true, true, _) => format!(
                    "neither sources nor targets can have the label `{label}`: both are empty, which is equal, so every source mutes every target"
                ),
                (true, false, _) => format!(
                    "no source can have the label `{label}`, so targets that have it are never muted"
                ),
                (false, true, _) => format!(
                    "no target can have the label `{label}`, so sources that have it mute nothing"
                ),
                (false, false, Some(_)) => format!(
                    "no rule sets or keeps the label `{label}`: empty on both sides it is equal, so every source mutes every target"
                ),
                (false, false, None) => continue,
            };
            let place = rule.node.entry("equal").unwrap_or(rule.node);
            let item = place.as_sequence().unwrap_or_default();
            let item = item.iter().find(|item| item.as_str() == Some(label));
            let finding = context.on_node(&EQUAL, item.unwrap_or(place), message);
            out.push(match meant {
                Some(meant) => finding.with_hint(format!("did you mean `{meant}`?")),
                None => finding,
            });
        }
    }
}
