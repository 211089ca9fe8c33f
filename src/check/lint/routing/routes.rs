use std::collections::BTreeSet;

use crate::alerting::matchers::Matcher;
use crate::alerting::{GroupBy, Route};
use crate::check::Finding;
use crate::model::MatchOp;
use crate::text::suggest;
use crate::text::yaml::Node;
use crate::time::Span;

use super::logic::{Condition, conditions, contradiction, implies_all};
use super::{Context, GROUP_BY, NEVER_TAKEN, REPEAT, REPEAT_RETENTION, UNREACHABLE};

const MATCHER_FIELDS: [&str; 3] = ["matchers", "match", "match_re"];

/// How long Alertmanager remembers what it sent.
const RETENTION: Span = Span::hours(120);

/// Earlier siblings that a route is compared with.
const SIBLINGS_MAX: usize = 500;

pub(super) fn check(context: &Context<'_>, out: &mut Vec<Finding>) {
    // The matchers from the root down, route by route.
    let mut effective: Vec<Vec<Condition>> = Vec::new();
    let mut dead: BTreeSet<usize> = BTreeSet::new();
    for (at, route, node) in context.routes() {
        let mut all = route
            .parent
            .and_then(|parent| effective.get(parent))
            .cloned()
            .unwrap_or_default();
        all.extend(conditions(&route.matchers.0));
        effective.push(all);
        intervals(context, route, node, out);
        if route.parent.is_some_and(|parent| dead.contains(&parent)) {
            // Whoever cannot be reached has no children to speak of.
            dead.insert(at);
            continue;
        }
        let conditions = effective.get(at).map(Vec::as_slice).unwrap_or_default();
        if let Some(message) = unreachable(context, at, route, conditions) {
            dead.insert(at);
            let finding = context.on_field(&UNREACHABLE, node, &MATCHER_FIELDS, message);
            out.push(finding.with_hint(
                "put the narrower route first, or add `continue: true` to the earlier one",
            ));
            continue;
        }
        if !context.alerts.all.is_empty() {
            of_alerts(context, route, node, conditions, out);
        }
    }
}

fn unreachable(
    context: &Context<'_>,
    at: usize,
    route: &Route,
    effective: &[Condition],
) -> Option<String> {
    if let Some((a, b)) = contradiction(effective) {
        return Some(if a == b {
            format!(
                "no alert can take this route: nothing fulfils all matchers on `{}`",
                a.name
            )
        } else {
            format!("no alert can take this route: nothing fulfils both `{a}` and `{b}`")
        });
    }
    let parent = context.tree.get(route.parent?)?;
    let before = parent.children.iter().take_while(|sibling| **sibling != at);
    for sibling in before.take(SIBLINGS_MAX) {
        let Some(earlier) = context.tree.get(*sibling) else {
            continue;
        };
        if earlier.continues || !implies_all(effective, &conditions(&earlier.matchers.0)) {
            continue;
        }
        let line = context
            .nodes
            .get(*sibling)
            .map_or(0, |node| node.span.start.line);
        return Some(format!(
            "no alert can take this route: the one in line {line} ({}) takes them all before",
            earlier.matchers
        ));
    }
    None
}

fn intervals<'a>(context: &Context<'a>, route: &Route, node: &'a Node, out: &mut Vec<Finding>) {
    let own = |field: &str| node.entry(field).is_some();
    let (group, repeat) = (route.group_interval, route.repeat_interval);
    if !own("repeat_interval") && !own("group_interval") {
        return;
    }
    let fields = ["repeat_interval", "group_interval"];
    if group.as_ms() > 0 && repeat.as_ms() % group.as_ms() != 0 {
        let times = repeat.as_ms() / group.as_ms() + 1;
        let real = Span::from_ms(times * group.as_ms());
        let message = format!(
            "repeat_interval {repeat} is no multiple of group_interval {group}: messages are repeated every {real}"
        );
        let finding = context.on_field(&REPEAT, node, &fields, message);
        out.push(finding.with_hint(format!(
            "write `repeat_interval: {real}`, or choose a group_interval that divides it"
        )));
    }
    if repeat.as_ms() > RETENTION.as_ms() && own("repeat_interval") {
        let message = format!(
            "repeat_interval {repeat} is longer than notifications are remembered ({RETENTION} unless --data.retention says otherwise)"
        );
        out.push(context.on_field(&REPEAT_RETENTION, node, &fields, message));
    }
}

fn of_alerts<'a>(
    context: &Context<'a>,
    route: &Route,
    node: &'a Node,
    effective: &[Condition],
    out: &mut Vec<Finding>,
) {
    let matchers: Vec<Matcher> = effective.iter().map(|c| c.matcher.clone()).collect();
    let takes = |matchers: &[Matcher]| {
        let mut alerts = context.alerts.all.iter();
        alerts.any(|alert| alert.may_match_all(matchers, &context.external))
    };
    if route.parent.is_some() && !takes(&matchers) {
        let culprit = route
            .matchers
            .0
            .iter()
            .find(|matcher| !takes(std::slice::from_ref(*matcher)));
        let message = match culprit {
            Some(matcher) => format!("no alert of the checked rules can match `{matcher}`"),
            None => "no alert of the checked rules can match all matchers of this route".to_owned(),
        };
        let finding = context.on_field(&NEVER_TAKEN, node, &MATCHER_FIELDS, message);
        let hint = culprit.and_then(|matcher| probably(context, matcher));
        let finding = match hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        };
        out.push(finding);
        return;
    }
    let Some(group_by) = node.entry("group_by").and_then(Node::as_sequence) else {
        return;
    };
    if route.group_by == GroupBy::All {
        return;
    }
    for item in group_by {
        let Some(label) = item.as_str() else {
            continue;
        };
        let possible = context
            .alerts
            .all
            .iter()
            .filter(|alert| alert.may_match_all(&matchers, &context.external))
            .any(|alert| alert.can_have(label, &context.external));
        let unknown = !context.alerts.known_labels().contains(label);
        let meant = context.meant(label).filter(|_| unknown);
        if possible && meant.is_none() {
            continue;
        }
        let message = match &meant {
            Some(_) if possible => {
                format!("no rule sets or keeps the label `{label}` that is grouped by")
            }
            _ => format!(
                "no alert that takes this route can have the label `{label}` that is grouped by"
            ),
        };
        let finding = context.on_node(&GROUP_BY, item, message);
        out.push(match meant {
            Some(meant) => finding.with_hint(format!("did you mean `{meant}`?")),
            None => finding,
        });
    }
}

/// The value or the label that a matcher probably means.
fn probably(context: &Context<'_>, matcher: &Matcher) -> Option<String> {
    if let Some(label) = context.meant(&matcher.name) {
        return Some(format!("did you mean the label `{label}`?"));
    }
    if matcher.op != MatchOp::Equal {
        return None;
    }
    let alerts = context.alerts.all.iter();
    let values: BTreeSet<&str> = alerts
        .flat_map(|alert| &alert.labels)
        .filter(|(name, _)| *name == matcher.name)
        .filter_map(|(_, value)| value.as_deref())
        .collect();
    suggest::closest(&matcher.value, values.iter().copied())
        .map(|value| format!("did you mean `{value}`?"))
        .or_else(|| {
            let shown: Vec<&str> = values.into_iter().take(5).collect();
            (!shown.is_empty()).then(|| format!("the rules have: {}", shown.join(", ")))
        })
}
