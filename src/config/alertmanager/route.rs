//! Routes, inhibition rules and time intervals as the file has them.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::alerting::matchers::{Syntax, fell_back, parse_matchers};
use crate::alerting::{
    Error, GroupBy, InhibitRule, InhibitSource, Matcher, Matchers, NamedInterval, RouteOptions,
    TimeInterval, TimeRange,
};
use crate::model::MatchOp;
use crate::model::labels::is_legacy_name;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Fields, Node, Problem};
use crate::time;

/// Reads a route and those below it; YAML's depth bounds the recursion.
pub fn read_route(decoder: &Decoder, node: &Node, syntax: Syntax) -> RouteOptions {
    let mut fields = decoder.fields(node, "config.plain");
    let mut route = RouteOptions {
        receiver: fields.string("receiver"),
        group_by: group_by(&mut fields, syntax),
        matchers: Matchers(all_matchers(
            &mut fields,
            ["match", "match_re", "matchers"],
            syntax,
        )),
        mute_time_intervals: fields.strings("mute_time_intervals"),
        active_time_intervals: fields.strings("active_time_intervals"),
        continues: fields.bool("continue", false),
        labels: fields.string_map("labels"),
        group_wait: span(&mut fields, "group_wait"),
        group_interval: span(&mut fields, "group_interval"),
        repeat_interval: span(&mut fields, "repeat_interval"),
        routes: Vec::new(),
    };
    for (name, value) in [
        ("group_interval", route.group_interval),
        ("repeat_interval", route.repeat_interval),
    ] {
        if value.is_some_and(time::Span::is_zero) {
            fields.fail_at(name, format!("{name} cannot be zero"));
        }
    }
    for (name, _) in &route.labels {
        if !syntax.is_label_name(name) {
            fields.fail_at(
                "labels",
                format!("invalid label name {} in labels", quote(name)),
            );
        }
    }
    route.routes = fields.list("routes", "[]*config.Route", |decoder, node| {
        read_route(decoder, node, syntax)
    });
    fields.finish();
    route
}

/// A length of time; null is not given, as for upstream's pointers.
fn span(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<time::Span> {
    let decoder = fields.decoder();
    fields
        .node(name)
        .filter(|node| !node.is_null())
        .and_then(|node| decoder.duration_ms(node))
        .map(time::Span::from_ms)
}

fn group_by(fields: &mut Fields<'_, '_>, syntax: Syntax) -> Option<GroupBy> {
    let decoder = fields.decoder();
    let node = fields.node("group_by").filter(|node| !node.is_null())?;
    let mut names = BTreeSet::new();
    let mut all = false;
    for item in decoder.sequence(node, "[]string") {
        let Some(name) = decoder.string(item) else {
            continue;
        };
        if name == "..." {
            all = true;
        } else if !syntax.is_label_name(&name) {
            decoder.fail(
                item.span,
                format!("invalid label name {} in group_by list", quote(&name)),
            );
        } else if !names.insert(name.clone()) {
            decoder.fail(
                item.span,
                format!("duplicated label {} in group_by", quote(&name)),
            );
        }
    }
    if all && !names.is_empty() {
        decoder.fail(
            node.span,
            "cannot have wildcard group_by (`...`) and other labels at the same time",
        );
    }
    Some(if all {
        GroupBy::All
    } else {
        GroupBy::Labels(names)
    })
}

/// The three ways to write matchers: equality, patterns, and the syntax of [`parse_matchers`].
fn all_matchers(
    fields: &mut Fields<'_, '_>,
    [equal, pattern, free]: [&'static str; 3],
    syntax: Syntax,
) -> Vec<Matcher> {
    let decoder = fields.decoder();
    let mut all = Vec::new();
    if let Some(node) = fields.node(equal) {
        for (key, value) in decoder.map(node, "map[string]string") {
            add(decoder, &mut all, MatchOp::Equal, key, value);
        }
    }
    if let Some(node) = fields.node(pattern) {
        for (key, value) in decoder.map(node, "config.MatchRegexps") {
            if value.is_null() {
                let name = quote(key.as_str().unwrap_or_default());
                decoder.fail(key.span, format!("invalid regexp value for {name}"));
                continue;
            }
            add(decoder, &mut all, MatchOp::Regex, key, value);
        }
    }
    all.extend(matcher_list(fields, free, syntax));
    all
}

fn add(decoder: &Decoder, all: &mut Vec<Matcher>, op: MatchOp, key: &Node, value: &Node) {
    let name = key.as_str().unwrap_or_default();
    if !is_legacy_name(name) {
        decoder.fail(key.span, format!("invalid label name {}", quote(name)));
        return;
    }
    let Some(value_text) = decoder.string(value) else {
        return;
    };
    // compat: upstream anchors the pattern when it reads it, and once more when it matches.
    let value_text = match op {
        MatchOp::Regex => format!("^(?:{value_text})$"),
        _ => value_text,
    };
    match Matcher::new(op, name, value_text) {
        Ok(matcher) => all.push(matcher),
        Err(error) => decoder.fail(value.span, error.to_string()),
    }
}

fn matcher_list(fields: &mut Fields<'_, '_>, name: &'static str, syntax: Syntax) -> Vec<Matcher> {
    let decoder = fields.decoder();
    let mut all = Vec::new();
    for item in fields.sequence(name, "[]string") {
        let Some(text) = decoder.string(item) else {
            continue;
        };
        match parse_matchers(syntax, &text) {
            Ok(matchers) => {
                all.extend(matchers);
                if syntax == Syntax::Fallback
                    && let Some(told) = fell_back(&text)
                {
                    let note = Problem::new(item.span, format!("{}: {told}", quote(&text)));
                    decoder.note(note.with_hint(format!("write {}", told.suggestion)));
                }
            }
            Err(error) => decoder.fail(item.span, error.to_string()),
        }
    }
    all
}

/// Reads an inhibition rule.
pub(super) fn read_inhibit_rule(decoder: &Decoder, node: &Node, syntax: Syntax) -> InhibitRule {
    let mut fields = decoder.fields(node, "config.plain");
    let name = fields.string("name");
    let source = InhibitSource {
        matchers: Matchers(all_matchers(
            &mut fields,
            ["source_match", "source_match_re", "source_matchers"],
            syntax,
        )),
        equal: equal(&mut fields, syntax, "equal"),
    };
    let target_matchers = Matchers(all_matchers(
        &mut fields,
        ["target_match", "target_match_re", "target_matchers"],
        syntax,
    ));
    let several = fields.list("sources", "[]config.InhibitRuleSource", |decoder, node| {
        read_source(decoder, node, syntax)
    });
    let sources = if several.is_empty() {
        vec![source]
    } else {
        if !source.matchers.is_empty() || !source.equal.is_empty() {
            fields.fail_at(
                "sources",
                "sources cannot be combined with source_match, source_match_re, source_matchers, or equal",
            );
        }
        for (at, source) in several.iter().enumerate() {
            if source.matchers.is_empty() {
                fields.fail_at(
                    "sources",
                    format!("source {at}: matchers must not be empty"),
                );
            } else if source.matchers.0.iter().all(|m| m.matches("")) {
                fields.fail_at(
                    "sources",
                    format!("source {at}: at least one matcher must not match the empty string"),
                );
            }
        }
        several
    };
    fields.finish();
    InhibitRule {
        name,
        sources,
        target_matchers,
    }
}

fn read_source(decoder: &Decoder, node: &Node, syntax: Syntax) -> InhibitSource {
    let mut fields = decoder.fields(node, "config.InhibitRuleSource");
    let source = InhibitSource {
        matchers: Matchers(matcher_list(&mut fields, "matchers", syntax)),
        equal: equal(&mut fields, syntax, "source equal"),
    };
    fields.finish();
    source
}

fn equal(fields: &mut Fields<'_, '_>, syntax: Syntax, what: &str) -> Vec<String> {
    let names = fields.strings("equal");
    for name in &names {
        if !syntax.is_label_name(name) {
            fields.fail_at(
                "equal",
                format!("invalid label name {} in {what} list", quote(name)),
            );
        }
    }
    names
}

/// Reads a named list of intervals; `what` is how upstream calls it.
pub(super) fn read_named_interval(decoder: &Decoder, node: &Node, what: &str) -> NamedInterval {
    let mut fields = decoder.fields(node, "config.plain");
    let name = fields.required_string("name", &format!("missing name in {what}"));
    let intervals = fields.list(
        "time_intervals",
        "[]timeinterval.TimeInterval",
        read_interval,
    );
    fields.finish();
    NamedInterval { name, intervals }
}

/// Reads one interval.
pub fn read_interval(decoder: &Decoder, node: &Node) -> TimeInterval {
    let mut fields = decoder.fields(node, "timeinterval.TimeInterval");
    let interval = TimeInterval {
        times: fields
            .node("times")
            .filter(|node| !node.is_null())
            .map(|node| {
                decoder
                    .sequence(node, "[]timeinterval.TimeRange")
                    .iter()
                    .filter_map(|item| read_time_range(decoder, item))
                    .collect()
            }),
        weekdays: ranges(&mut fields, "weekdays"),
        days_of_month: ranges(&mut fields, "days_of_month"),
        months: ranges(&mut fields, "months"),
        years: ranges(&mut fields, "years"),
        location: fields
            .node("location")
            .filter(|node| !node.is_null())
            .and_then(|node| parsed(decoder, node)),
    };
    fields.finish();
    interval
}

/// Reads a range of times of day.
pub fn read_time_range(decoder: &Decoder, node: &Node) -> Option<TimeRange> {
    let mut fields = decoder.fields(node, "timeinterval.yamlTimeRange");
    let (start, end) = (fields.string("start_time"), fields.string("end_time"));
    fields.finish();
    match TimeRange::parse(&start, &end) {
        Ok(range) => Some(range),
        Err(error) => {
            decoder.fail(node.span, error.to_string());
            None
        }
    }
}

fn ranges<T: FromStr<Err = Error>>(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
) -> Option<Vec<T>> {
    let decoder = fields.decoder();
    let node = fields.node(name).filter(|node| !node.is_null())?;
    Some(
        decoder
            .sequence(node, "[]string")
            .iter()
            .filter_map(|item| parsed(decoder, item))
            .collect(),
    )
}

fn parsed<T: FromStr<Err = Error>>(decoder: &Decoder, node: &Node) -> Option<T> {
    match decoder.string(node)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            decoder.fail(node.span, error.to_string());
            None
        }
    }
}
