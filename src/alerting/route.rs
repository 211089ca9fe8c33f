//! The route tree: which receivers an alert goes to, and how it is grouped on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hashbrown::HashMap;

use super::{Matcher, Matchers};
use crate::model::{Labels, MatchOp};
use crate::text::quote::quote;
use crate::time::Span;

/// By which labels alerts are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// By every label (`...`): each alert is its own group.
    All,
    /// By these labels; none puts all alerts of the route into one group.
    Labels(BTreeSet<String>),
}

impl Default for GroupBy {
    fn default() -> Self {
        Self::Labels(BTreeSet::new())
    }
}

impl GroupBy {
    /// The fingerprint of the labels that [`Self::group_labels`] gives, without making them.
    pub fn fingerprint(&self, alert: &Labels) -> u64 {
        match self {
            Self::All => alert.fingerprint(),
            Self::Labels(names) => alert.fingerprint_of(|name| names.contains(name)),
        }
    }

    /// The labels of the group that an alert belongs to.
    pub fn group_labels(&self, alert: &Labels) -> Labels {
        match self {
            Self::All => alert.clone(),
            Self::Labels(names) => alert.filter(|name| names.contains(name)),
        }
    }
}

/// One route as the configuration gives it; what is absent is taken from the parent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteOptions {
    /// Who is told; empty to take the parent's.
    pub receiver: String,
    /// How alerts are grouped.
    pub group_by: Option<GroupBy>,
    /// How long a new group waits for company. 30 s at the root.
    pub group_wait: Option<Span>,
    /// How long before a changed group is sent again. 5 min at the root.
    pub group_interval: Option<Span>,
    /// How long before an unchanged group is sent again. 4 h at the root.
    pub repeat_interval: Option<Span>,
    /// Which alerts take this route.
    pub matchers: Matchers,
    /// Whether later siblings are tried after a match.
    pub continues: bool,
    /// Names of intervals in which nothing is sent; not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Names of intervals outside of which nothing is sent; not inherited.
    pub active_time_intervals: Vec<String>,
    /// Labels of the route itself, values being templates; inherited one by one.
    pub labels: Vec<(String, String)>,
    /// The children.
    pub routes: Vec<RouteOptions>,
}

/// One node of the tree with its effective settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Where the parent stands in [`RouteTree::routes`].
    pub parent: Option<usize>,
    /// Where the children stand.
    pub children: Vec<usize>,
    /// How many routes lie between this one and the root.
    pub depth: usize,
    /// The matchers from the root down; the beginning of group keys. Not unique.
    pub key: String,
    /// The key with positions among siblings; unique.
    pub id: String,
    /// Which alerts take this route.
    pub matchers: Matchers,
    /// Whether later siblings are tried after a match.
    pub continues: bool,
    /// Who is told.
    pub receiver: String,
    /// How alerts are grouped.
    pub group_by: GroupBy,
    /// How long a new group waits for company.
    pub group_wait: Span,
    /// How long before a changed group is sent again.
    pub group_interval: Span,
    /// How long before an unchanged group is sent again.
    pub repeat_interval: Span,
    /// Names of intervals in which nothing is sent.
    pub mute_time_intervals: Vec<String>,
    /// Names of intervals outside of which nothing is sent.
    pub active_time_intervals: Vec<String>,
    /// Labels of the route, sorted by name, values being templates.
    pub labels: Vec<(String, String)>,
}

impl Route {
    /// The key of one of the route's groups, as receivers and the notification log use it.
    pub fn group_key(&self, group_labels: &Labels) -> String {
        format!("{}:{}", self.key, label_set_text(group_labels))
    }

    /// compat: amtool calls every route without matchers the default one.
    fn title(&self) -> String {
        if self.matchers.is_empty() {
            "default-route".to_owned()
        } else {
            self.matchers.to_string()
        }
    }
}

/// Draws one line of a tree; what stands before the lines below it.
fn branch(prefix: &str, last: bool, text: &str, out: &mut String) -> String {
    let (mark, below) = if last {
        ("└── ", "    ")
    } else {
        ("├── ", "│   ")
    };
    let _ = writeln!(out, "{prefix}{mark}{text}");
    format!("{prefix}{below}")
}

/// compat: `LabelSet.String` of upstream's model package: `{a="b", c="d"}`, names never quoted.
pub fn label_set_text(labels: &Labels) -> String {
    let mut out = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "{name}={}", quote(value));
    }
    out.push('}');
    out
}

/// The whole tree, depth first; the root is the first route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTree {
    routes: Vec<Route>,
    /// For routes with many children: which of them may match.
    indexes: HashMap<usize, ChildIndex>,
}

/// A route with so many children is not tried one by one.
const INDEXED_CHILDREN_MIN: usize = 8;

/// Children by a matcher that asks for one certain value: of several the one that fewest children before
/// it were found by.
#[derive(Debug, Clone, PartialEq, Default)]
struct ChildIndex {
    /// By name, then by value, the children's positions.
    by_value: BTreeMap<String, HashMap<String, Vec<usize>>>,
    others: Vec<usize>,
}

impl ChildIndex {
    fn add(&mut self, position: usize, matchers: &Matchers) {
        let certain = |m: &&Matcher| m.op == MatchOp::Equal && !m.value.is_empty();
        let taken = |m: &&Matcher| {
            let positions = self.by_value.get(&m.name).and_then(|v| v.get(&m.value));
            positions.map_or(0, Vec::len)
        };
        match matchers.0.iter().filter(certain).min_by_key(taken) {
            Some(m) => self
                .by_value
                .entry(m.name.clone())
                .or_default()
                .entry(m.value.clone())
                .or_default()
                .push(position),
            None => self.others.push(position),
        }
    }

    /// The positions of the children that may match, in order.
    fn candidates(&self, labels: &Labels) -> Vec<usize> {
        let mut found = self.others.clone();
        for (name, by_value) in &self.by_value {
            if let Some(positions) = labels.get(name).and_then(|value| by_value.get(value)) {
                found.extend(positions);
            }
        }
        found.sort_unstable();
        found
    }
}

impl RouteTree {
    /// Fills in what each route inherits.
    pub fn new(root: &RouteOptions) -> Self {
        let mut tree = Self {
            routes: Vec::new(),
            indexes: HashMap::new(),
        };
        tree.add(root, None, 0);
        for (at, route) in tree.routes.iter().enumerate() {
            if route.children.len() < INDEXED_CHILDREN_MIN {
                continue;
            }
            let mut index = ChildIndex::default();
            for (position, child) in route.children.iter().enumerate() {
                if let Some(child) = tree.routes.get(*child) {
                    index.add(position, &child.matchers);
                }
            }
            tree.indexes.insert(at, index);
        }
        tree
    }

    /// All routes, depth first.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route at a place that [`RouteTree::matches`] gave.
    pub fn get(&self, at: usize) -> Option<&Route> {
        self.routes.get(at)
    }

    /// The places of the routes that an alert takes, in order.
    pub fn matches(&self, labels: &Labels) -> Vec<usize> {
        let mut found = Vec::new();
        self.walk(0, labels, &mut found);
        found
    }

    /// The tree as `amtool config routes show` draws it.
    pub fn to_text(&self) -> String {
        let mut out = String::from("Routing tree:\n.\n");
        self.draw(0, "", true, &mut out);
        out.push('\n');
        out
    }

    /// The routes that an alert passes, as `amtool config routes test --tree` draws them.
    pub fn to_text_for(&self, labels: &Labels) -> String {
        let mut out = String::from("Matching routes:\n.\n");
        self.draw_matching(0, labels, "", true, &mut out);
        out.push('\n');
        out
    }

    fn draw(&self, at: usize, prefix: &str, last: bool, out: &mut String) {
        let Some(route) = self.routes.get(at) else {
            return;
        };
        let continues = if route.continues {
            "  continue: true"
        } else {
            ""
        };
        let text = format!("{}{continues}  receiver: {}", route.title(), route.receiver);
        let below = branch(prefix, last, &text, out);
        for (i, child) in route.children.iter().enumerate() {
            self.draw(*child, &below, i + 1 == route.children.len(), out);
        }
    }

    fn draw_matching(
        &self,
        at: usize,
        labels: &Labels,
        prefix: &str,
        last: bool,
        out: &mut String,
    ) {
        let Some(route) = self.routes.get(at) else {
            return;
        };
        let mut passed = Vec::new();
        for child in &route.children {
            let Some(node) = self.routes.get(*child) else {
                continue;
            };
            if node.matchers.matches(labels) {
                passed.push(*child);
                if !node.continues {
                    break;
                }
            }
        }
        let text = if passed.is_empty() {
            format!("{}  receiver: {}", route.title(), route.receiver)
        } else {
            route.title()
        };
        let below = branch(prefix, last, &text, out);
        for (i, child) in passed.iter().enumerate() {
            self.draw_matching(*child, labels, &below, i + 1 == passed.len(), out);
        }
    }

    /// Whether the route at `at` or one below it took the alert. YAML's depth bounds the recursion.
    fn walk(&self, at: usize, labels: &Labels, found: &mut Vec<usize>) -> bool {
        let Some(route) = self.routes.get(at) else {
            return false;
        };
        if !route.matchers.matches(labels) {
            return false;
        }
        let before = found.len();
        let passes_on = |child: usize, found: &mut Vec<usize>| {
            let took = self.walk(child, labels, found);
            !took || self.routes.get(child).is_some_and(|child| child.continues)
        };
        match self.indexes.get(&at) {
            Some(index) => {
                for position in index.candidates(labels) {
                    let child = route.children.get(position);
                    if !child.is_some_and(|child| passes_on(*child, found)) {
                        break;
                    }
                }
            }
            None => {
                for child in &route.children {
                    if !passes_on(*child, found) {
                        break;
                    }
                }
            }
        }
        if found.len() == before {
            found.push(at);
        }
        true
    }

    fn add(&mut self, options: &RouteOptions, parent: Option<usize>, position: usize) -> usize {
        let at = self.routes.len();
        let mut matchers = options.matchers.clone();
        matchers.sort();
        let inherited = parent.and_then(|parent| self.routes.get(parent));
        let (key, id) = match inherited {
            None => (matchers.to_string(), matchers.to_string()),
            Some(parent) => (
                format!("{}/{matchers}", parent.key),
                format!("{}/{matchers}/{position}", parent.id),
            ),
        };
        let mut labels = inherited.map_or_else(Vec::new, |parent| parent.labels.clone());
        for (name, value) in &options.labels {
            match labels.binary_search_by(|(n, _)| n.cmp(name)) {
                Ok(found) => labels[found].1.clone_from(value),
                Err(free) => labels.insert(free, (name.clone(), value.clone())),
            }
        }
        let span = |own: Option<Span>, parents: fn(&Route) -> Span, default: Span| {
            own.unwrap_or_else(|| inherited.map_or(default, parents))
        };
        let route = Route {
            parent,
            children: Vec::new(),
            depth: inherited.map_or(0, |parent| parent.depth + 1),
            key,
            id,
            continues: options.continues,
            receiver: if options.receiver.is_empty() {
                inherited.map_or_else(String::new, |parent| parent.receiver.clone())
            } else {
                options.receiver.clone()
            },
            group_by: options.group_by.clone().unwrap_or_else(|| {
                inherited.map_or_else(GroupBy::default, |parent| parent.group_by.clone())
            }),
            group_wait: span(options.group_wait, |r| r.group_wait, Span::seconds(30)),
            group_interval: span(
                options.group_interval,
                |r| r.group_interval,
                Span::minutes(5),
            ),
            repeat_interval: span(
                options.repeat_interval,
                |r| r.repeat_interval,
                Span::hours(4),
            ),
            // compat: time intervals are the route's own, never the parent's.
            mute_time_intervals: options.mute_time_intervals.clone(),
            active_time_intervals: options.active_time_intervals.clone(),
            matchers,
            labels,
        };
        self.routes.push(route);
        let children = options
            .routes
            .iter()
            .enumerate()
            .map(|(position, child)| self.add(child, Some(at), position))
            .collect();
        if let Some(route) = self.routes.get_mut(at) {
            route.children = children;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::{Syntax, parse_matchers};

    fn route(receiver: &str, matchers: &str) -> RouteOptions {
        RouteOptions {
            receiver: receiver.to_owned(),
            matchers: Matchers(parse_matchers(Syntax::Fallback, matchers).expect("valid")),
            ..RouteOptions::default()
        }
    }

    #[test]
    fn the_deepest_match_wins_and_continue_goes_on() {
        let mut first = route("first", "team=\"a\"");
        first.continues = true;
        first.routes.push(route("deep", "env=\"prod\""));
        let mut root = route("root", "");
        root.routes = vec![first, route("second", "team=~\"a|b\"")];
        let tree = RouteTree::new(&root);
        let receivers = |pairs: &[(&str, &str)]| -> Vec<String> {
            let labels = Labels::from_pairs(pairs.iter().copied());
            tree.matches(&labels)
                .iter()
                .filter_map(|at| tree.get(*at))
                .map(|route| route.receiver.clone())
                .collect()
        };
        assert_eq!(
            receivers(&[("team", "a"), ("env", "prod")]),
            ["deep", "second"]
        );
        assert_eq!(receivers(&[("team", "b")]), ["second"]);
        assert_eq!(receivers(&[]), ["root"]);
    }

    #[test]
    fn many_children_are_found_as_if_tried_one_by_one() {
        let mut root = route("root", "");
        for i in 0..60 {
            let matchers = match i % 5 {
                0 => format!("team=\"t{}\"", i / 10),
                1 => format!("env=\"e{}\",team!=\"t1\"", i % 7),
                2 => format!("team=~\"t{}|t{}\"", i % 4, i % 3),
                3 => "x=\"\",env=\"e1\"".to_owned(),
                _ => "team!=\"\"".to_owned(),
            };
            let mut child = route(&format!("r{i}"), &matchers);
            child.continues = i % 3 != 0;
            root.routes.push(child);
        }
        let tree = RouteTree::new(&root);
        assert_eq!(tree.indexes.len(), 1);
        let mut plain = tree.clone();
        plain.indexes.clear();
        for (team, env, x) in
            (0..8).flat_map(|t| (0..8).flat_map(move |e| (0..2).map(move |x| (t, e, x))))
        {
            let labels = Labels::from_pairs([
                ("team", format!("t{team}")),
                ("env", format!("e{env}")),
                (
                    "x",
                    if x == 0 {
                        String::new()
                    } else {
                        "1".to_owned()
                    },
                ),
            ]);
            assert_eq!(tree.matches(&labels), plain.matches(&labels), "{labels}");
        }
        assert_eq!(
            tree.matches(&Labels::empty()),
            plain.matches(&Labels::empty())
        );
    }

    #[test]
    fn group_keys_are_upstreams() {
        let mut root = route("root", "");
        root.routes.push(route("a", "b=\"2\",a=~\"x.*\""));
        let tree = RouteTree::new(&root);
        let labels = Labels::from_pairs([("alertname", "Down \"x\""), ("z", "1")]);
        assert_eq!(
            tree.routes()[1].group_key(&labels),
            r#"{}/{a=~"x.*",b="2"}:{alertname="Down \"x\"", z="1"}"#
        );
        assert_eq!(tree.routes()[1].id, r#"{}/{a=~"x.*",b="2"}/0"#);
        assert_eq!(tree.routes()[0].group_key(&Labels::empty()), "{}:{}");
    }
}
