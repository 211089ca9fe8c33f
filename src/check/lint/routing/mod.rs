//! Checks of the router's configuration, alone and together with the rules.

mod alerts;
mod inhibition;
mod logic;
mod pages;
mod routes;

use std::collections::BTreeSet;

use crate::alerting::{Route, RouteTree};
use crate::check::Finding;
use crate::text::suggest;
use crate::text::yaml::Node;

use super::Page;
use super::subject::{Routing, World};

pub(super) use alerts::Alerts;
use alerts::External;
pub(super) use pages::*;

/// What the checks of the router share.
struct Context<'a> {
    routing: &'a Routing,
    tree: RouteTree,
    /// The nodes of the routes, in the order of the tree.
    nodes: Vec<&'a Node>,
    alerts: &'a Alerts,
    external: External,
}

pub(super) fn check(world: &World<'_>, alerts: &Alerts, out: &mut Vec<Finding>) {
    let Some(routing) = world.subjects.routing else {
        return;
    };
    let tree = RouteTree::new(&routing.config.route);
    let mut nodes = Vec::new();
    let mut open: Vec<&Node> = routing.document.root.entry("route").into_iter().collect();
    while let Some(node) = open.pop() {
        nodes.push(node);
        let children = node.entry("routes").and_then(Node::as_sequence);
        open.extend(children.unwrap_or_default().iter().rev());
    }
    let set: BTreeSet<String> = alerts.set.keys().cloned().collect();
    let external = match world.subjects.config {
        Some(config) => {
            let names = config.global.external_labels.iter();
            External::Known(names.map(|(name, _)| name.to_owned()).collect())
        }
        None => External::Unknown(set),
    };
    let context = Context {
        routing,
        tree,
        nodes,
        alerts,
        external,
    };
    routes::check(&context, out);
    inhibition::check(&context, out);
    context.unused(out);
    context.unrouted_labels(out);
}

impl<'a> Context<'a> {
    fn on_node(&self, page: &'static Page, node: &Node, message: impl Into<String>) -> Finding {
        let Routing { name, document, .. } = self.routing;
        Finding::on_node(page, name, document, node, message)
    }

    /// Something on a field of a route or of another mapping, or on all of it when the field is absent.
    fn on_field(
        &self,
        page: &'static Page,
        node: &'a Node,
        fields: &[&str],
        message: impl Into<String>,
    ) -> Finding {
        let value = fields.iter().find_map(|field| node.entry(field));
        self.on_node(page, value.unwrap_or(node), message)
    }

    /// Routes with their nodes and places in the tree.
    fn routes(&self) -> impl Iterator<Item = (usize, &Route, &'a Node)> {
        let pairs = self.tree.routes().iter().zip(&self.nodes);
        pairs
            .enumerate()
            .map(|(at, (route, node))| (at, route, *node))
    }

    fn section(&self, name: &str) -> &'a [Node] {
        let node = self.routing.document.root.entry(name);
        node.and_then(Node::as_sequence).unwrap_or_default()
    }

    /// What is known of a label that nobody has: the one that was probably meant.
    fn meant(&self, label: &str) -> Option<String> {
        let known = self.alerts.known_labels();
        known
            .into_iter()
            .find(|other| label.len() >= 4 && suggest::distance(label, other) == 1)
            .map(str::to_owned)
    }

    fn unused(&self, out: &mut Vec<Finding>) {
        let routes = self.tree.routes();
        let named: BTreeSet<&str> = routes.iter().map(|route| route.receiver.as_str()).collect();
        let name = |node: &'a Node| {
            node.entry("name")
                .and_then(|name| Some((name.as_str()?, name)))
        };
        for (receiver, node) in self.section("receivers").iter().filter_map(name) {
            if !named.contains(receiver) {
                let message = format!("no route names the receiver {receiver}");
                let finding = self.on_node(&UNUSED_RECEIVER, node, message);
                out.push(finding.with_hint("give it a route, or take it out"));
            }
        }
        let intervals: BTreeSet<&str> = routes
            .iter()
            .flat_map(|route| {
                route
                    .mute_time_intervals
                    .iter()
                    .chain(&route.active_time_intervals)
            })
            .map(String::as_str)
            .collect();
        let sections = ["time_intervals", "mute_time_intervals"];
        let all = sections.iter().flat_map(|section| self.section(section));
        for (interval, node) in all.filter_map(name) {
            if !intervals.contains(interval) {
                let message = format!("no route names the time interval {interval}");
                out.push(self.on_node(&UNUSED_INTERVAL, node, message));
            }
        }
    }

    fn unrouted_labels(&self, out: &mut Vec<Finding>) {
        let mut looked_at: BTreeSet<&str> = BTreeSet::new();
        for route in self.tree.routes() {
            looked_at.extend(route.matchers.0.iter().map(|m| m.name.as_str()));
            match &route.group_by {
                // Every label counts then.
                crate::alerting::GroupBy::All => return,
                crate::alerting::GroupBy::Labels(names) => {
                    looked_at.extend(names.iter().map(String::as_str));
                }
            }
        }
        for rule in &self.routing.config.inhibit_rules {
            looked_at.extend(rule.target_matchers.0.iter().map(|m| m.name.as_str()));
            for source in &rule.sources {
                looked_at.extend(source.matchers.0.iter().map(|m| m.name.as_str()));
                looked_at.extend(source.equal.iter().map(String::as_str));
            }
        }
        // A router with one route for everything looks at nothing on purpose.
        if self.tree.routes().len() < 2 {
            return;
        }
        for (label, (count, place)) in &self.alerts.set {
            if looked_at.contains(label.as_str()) {
                continue;
            }
            let mut finding = place.clone();
            let rules = if *count == 1 {
                "rule sets"
            } else {
                "rules set"
            };
            finding.message = format!(
                "{count} {rules} the label `{label}`, but no route of {} looks at it",
                self.routing.name
            );
            let near = looked_at
                .iter()
                .find(|other| suggest::distance(label, other) == 1);
            out.push(match near {
                Some(meant) => finding.with_hint(format!("the routes look at `{meant}`")),
                None => finding,
            });
        }
    }
}

#[cfg(test)]
mod tests;
