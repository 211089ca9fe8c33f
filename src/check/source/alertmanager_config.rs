//! `AlertmanagerConfig` objects of the Prometheus operator: rewritten into the section of an
//! `alertmanager.yml` that the operator makes of them, places kept, and checked as such.

use crate::alerting::matchers::Syntax;
use crate::config::alertmanager;
use crate::text::quote::quote;
use crate::text::yaml::{Entry, Kind, Node, Problem, ProblemKind, Span, Style};

use super::kubernetes::Object;

/// Stands for what a secret holds: a value that every field takes.
const SECRET: &str = "https://secret.invalid/";

/// The receiver of the root route, which belongs to the operator.
const ROOT: &str = "watchfire-root";

/// Fields whose keys are data.
const FREE_MAPS: [&str; 4] = [
    "attributes",
    "endpointParams",
    "proxyConnectHeader",
    "labels",
];

/// What is wrong with an object.
pub(super) fn check(object: &Object, syntax: Syntax) -> Vec<Problem> {
    let known = [
        "monitoring.coreos.com/v1alpha1",
        "monitoring.coreos.com/v1beta1",
    ];
    let mut problems: Vec<Problem> = object.wrong_version(&known).into_iter().collect();
    let spec = match object.spec() {
        Ok(spec) => spec,
        Err(problem) => {
            problems.push(problem);
            return problems;
        }
    };
    let mut rewriter = Rewriter::default();
    let root = rewriter.config(spec);
    problems.append(&mut rewriter.problems);
    let found = alertmanager::parse_node(&root, syntax).err();
    let source = &object.document.source;
    problems.extend(
        found
            .unwrap_or_default()
            .into_iter()
            .map(|p| in_their_words(p, source)),
    );
    problems.sort_by_key(|problem| problem.offset);
    problems
}

/// Names fields as the object does.
fn in_their_words(mut problem: Problem, source: &str) -> Problem {
    if problem.kind == ProblemKind::UnknownField {
        let given = source
            .get(problem.offset..problem.end_offset)
            .unwrap_or_default();
        problem.message = format!("field {given} not found in type AlertmanagerConfig");
    }
    problem.hint = problem.hint.map(|hint| match hint.split_once('`') {
        Some((before, rest)) => match rest.split_once('`') {
            Some((name, after)) => format!("{before}`{}`{after}", camel(name)),
            None => hint,
        },
        None => hint,
    });
    problem
}

#[derive(Default)]
struct Rewriter {
    problems: Vec<Problem>,
}

impl Rewriter {
    fn config(&mut self, spec: &Node) -> Node {
        let span = spec.span;
        let mut receivers = vec![mapping(span, vec![("name", text(span, ROOT))])];
        let mut root = vec![("receiver", text(span, ROOT))];
        let mut out = vec![("global", global(span))];
        for entry in spec.as_mapping().unwrap_or_default() {
            let value = &entry.value;
            match entry.key.as_str().unwrap_or_default() {
                "route" if !value.is_null() => {
                    let route = self.node(value);
                    let routes = Node {
                        kind: Kind::Sequence(vec![route]),
                        tag: None,
                        span: value.span,
                    };
                    root.push(("routes", routes));
                }
                "receivers" => match self.node(value).kind {
                    Kind::Sequence(items) => receivers.extend(items),
                    _ if value.is_null() => {}
                    _ => self.fail(value.span, "receivers must be a list"),
                },
                "inhibitRules" => out.push(("inhibit_rules", self.node(value))),
                "muteTimeIntervals" | "timeIntervals" => {
                    out.push(("time_intervals", self.node(value)));
                }
                "route" => {}
                name => {
                    let text = format!("field {name} not found in type AlertmanagerConfig");
                    let problem = Problem::new(entry.key.span, text);
                    self.problems
                        .push(problem.of_kind(ProblemKind::UnknownField));
                }
            }
        }
        out.push(("route", mapping(span, root)));
        let list = Node {
            kind: Kind::Sequence(receivers),
            tag: None,
            span,
        };
        out.push(("receivers", list));
        mapping(span, out)
    }

    fn fail(&mut self, span: Span, message: &str) {
        self.problems.push(Problem::new(span, message));
    }

    fn node(&mut self, node: &Node) -> Node {
        let kind = match &node.kind {
            Kind::Scalar { .. } => node.kind.clone(),
            Kind::Sequence(items) => {
                Kind::Sequence(items.iter().map(|item| self.node(item)).collect())
            }
            Kind::Mapping(_) if is_secret(node) => return text(node.span, SECRET),
            Kind::Mapping(entries) if is_matcher(node) => {
                return self.matcher(node, entries);
            }
            Kind::Mapping(entries) => {
                Kind::Mapping(entries.iter().map(|entry| self.entry(entry)).collect())
            }
        };
        Node {
            kind,
            tag: node.tag.clone(),
            span: node.span,
        }
    }

    fn entry(&mut self, entry: &Entry) -> Entry {
        let name = entry.key.as_str().unwrap_or_default();
        if name.contains('_') {
            // Alertmanager's own spelling, which the object does not know.
            let text = format!("field {name} not found in type AlertmanagerConfig");
            let problem = Problem::new(entry.key.span, text)
                .of_kind(ProblemKind::UnknownField)
                .with_hint(format!("did you mean `{}`?", camel(name)));
            self.problems.push(problem);
        }
        let (name, value) = match name {
            "matchers" | "sourceMatch" | "targetMatch" => {
                let name = match name {
                    "sourceMatch" => "source_matchers",
                    "targetMatch" => "target_matchers",
                    name => name,
                };
                (name.to_owned(), self.matchers(&entry.value))
            }
            "headers" | "details" | "customFields" => (snake(name), pairs(&entry.value)),
            "daysOfMonth" => (snake(name), ranges(&entry.value)),
            "pagerDutyImageConfigs" => ("images".to_owned(), self.node(&entry.value)),
            "pagerDutyLinkConfigs" => ("links".to_owned(), self.links(&entry.value)),
            "urlSecret" => ("url".to_owned(), self.node(&entry.value)),
            "keySecret" => ("key".to_owned(), self.node(&entry.value)),
            "bearerTokenSecret" => ("bearer_token".to_owned(), self.node(&entry.value)),
            free if FREE_MAPS.contains(&free) => (snake(free), secrets_within(&entry.value)),
            name => (snake(name), self.node(&entry.value)),
        };
        Entry {
            key: text(entry.key.span, &name),
            value,
            merged: entry.merged,
        }
    }

    fn links(&mut self, node: &Node) -> Node {
        let mut links = self.node(node);
        let Kind::Sequence(items) = &mut links.kind else {
            return links;
        };
        for item in items {
            let Kind::Mapping(entries) = &mut item.kind else {
                continue;
            };
            for entry in entries {
                if entry.key.as_str() == Some("alt") {
                    entry.key = text(entry.key.span, "text");
                }
            }
        }
        links
    }

    fn matchers(&mut self, node: &Node) -> Node {
        let Kind::Sequence(items) = &node.kind else {
            return self.node(node);
        };
        let items = items.iter().map(|item| {
            if let Some(entries) = item.as_mapping() {
                return self.matcher(item, entries);
            }
            self.fail(
                item.span,
                "a matcher has the fields name, matchType and value",
            );
            item.clone()
        });
        Node {
            kind: Kind::Sequence(items.collect()),
            tag: None,
            span: node.span,
        }
    }

    fn matcher(&mut self, node: &Node, entries: &[Entry]) -> Node {
        let mut regex = false;
        let (mut name, mut value, mut op) = ("", "", None);
        for entry in entries {
            let given = entry.value.as_str().unwrap_or_default();
            match entry.key.as_str().unwrap_or_default() {
                "name" => name = given,
                "value" => value = given,
                "matchType" => op = Some((given, entry.value.span)),
                "regex" => regex = given == "true",
                other => {
                    let text = format!("field {other} not found in type AlertmanagerConfig");
                    let problem = Problem::new(entry.key.span, text);
                    self.problems
                        .push(problem.of_kind(ProblemKind::UnknownField));
                }
            }
        }
        if name.is_empty() {
            self.fail(node.span, "a matcher needs the name of a label");
        }
        let op = match op {
            None | Some(("", _)) => {
                if regex {
                    "=~"
                } else {
                    "="
                }
            }
            Some((op, _)) if matches!(op, "=" | "!=" | "=~" | "!~") => op,
            Some((_, span)) => {
                self.fail(span, "matchType must be one of =, !=, =~ and !~");
                "="
            }
        };
        text(node.span, &format!("{}{op}{}", quote(name), quote(value)))
    }
}

/// `{name: ..., key: ...}`, also below `secret` or `configMap`.
fn is_secret(node: &Node) -> bool {
    let Some(entries) = node.as_mapping() else {
        return false;
    };
    let keys: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry.key.as_str())
        .collect();
    let reference = keys.contains(&"key")
        && keys
            .iter()
            .all(|key| matches!(*key, "name" | "key" | "optional"));
    let wrapped = matches!(keys.as_slice(), ["secret" | "configMap"])
        && entries.iter().all(|entry| is_secret(&entry.value));
    reference || wrapped
}

fn is_matcher(node: &Node) -> bool {
    node.entry("matchType").is_some()
}

/// A list of keys and values as a map.
fn pairs(node: &Node) -> Node {
    let Kind::Sequence(items) = &node.kind else {
        return node.clone();
    };
    let entries = items.iter().filter_map(|item| {
        Some(Entry {
            key: item.entry("key")?.clone(),
            value: item.entry("value")?.clone(),
            merged: false,
        })
    });
    Node {
        kind: Kind::Mapping(entries.collect()),
        tag: None,
        span: node.span,
    }
}

/// A list of `{start: 1, end: 5}` as a list of `1:5`.
fn ranges(node: &Node) -> Node {
    let Kind::Sequence(items) = &node.kind else {
        return node.clone();
    };
    let items = items.iter().map(|item| {
        let number = |field: &str| item.entry(field).and_then(Node::as_str);
        match (number("start"), number("end")) {
            (Some(start), Some(end)) => text(item.span, &format!("{start}:{end}")),
            (Some(day), None) => text(item.span, day),
            _ => item.clone(),
        }
    });
    Node {
        kind: Kind::Sequence(items.collect()),
        tag: None,
        span: node.span,
    }
}

/// A map with free keys, whose values may be secrets.
fn secrets_within(node: &Node) -> Node {
    if is_secret(node) {
        return text(node.span, SECRET);
    }
    let kind = match &node.kind {
        Kind::Scalar { .. } => return node.clone(),
        Kind::Sequence(items) => Kind::Sequence(items.iter().map(secrets_within).collect()),
        Kind::Mapping(entries) => Kind::Mapping(
            entries
                .iter()
                .map(|entry| Entry {
                    key: entry.key.clone(),
                    value: secrets_within(&entry.value),
                    merged: entry.merged,
                })
                .collect(),
        ),
    };
    Node {
        kind,
        tag: None,
        span: node.span,
    }
}

/// What the operator's global configuration may provide: everything, as nobody knows it here.
fn global(span: Span) -> Node {
    let fields = [
        "slack_api_url",
        "opsgenie_api_key",
        "victorops_api_key",
        "wechat_api_secret",
        "telegram_bot_token",
        "rocketchat_token",
        "rocketchat_token_id",
        "mattermost_webhook_url",
    ];
    let mut entries: Vec<(&'static str, Node)> =
        fields.map(|name| (name, text(span, SECRET))).to_vec();
    entries.push(("wechat_api_corp_id", text(span, "corp")));
    entries.push(("smtp_smarthost", text(span, "smtp.invalid:25")));
    entries.push(("smtp_from", text(span, "alerts@smtp.invalid")));
    entries.push(("jira_api_url", text(span, SECRET)));
    mapping(span, entries)
}

fn mapping(span: Span, entries: Vec<(&'static str, Node)>) -> Node {
    let entries = entries.into_iter().map(|(name, value)| Entry {
        key: text(span, name),
        value,
        merged: false,
    });
    Node {
        kind: Kind::Mapping(entries.collect()),
        tag: None,
        span,
    }
}

fn text(span: Span, text: &str) -> Node {
    Node {
        kind: Kind::Scalar {
            text: text.into(),
            style: Style::DoubleQuoted,
        },
        tag: None,
        span,
    }
}

/// `apiURL` as `api_url`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut previous_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && previous_lower {
            out.push('_');
        }
        previous_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `api_url` as `apiURL`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if matches!(part, "url" | "id" | "arn" | "tls") {
            out.push_str(&part.to_ascii_uppercase());
            continue;
        }
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}
