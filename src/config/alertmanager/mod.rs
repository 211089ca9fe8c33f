//! `alertmanager.yml`: read, checked as Alertmanager 0.34 does, with everything inherited filled in.
//!
//! [`parse`] is the way in. Receivers keep their options as [`Section`]s; what a receiver makes of them
//! is the business of [`crate::alerting`]'s receivers.

mod integration;
mod receiver;
mod route;
mod schema;
mod section;
mod show;

use std::collections::{BTreeMap, BTreeSet};

use crate::alerting::matchers::Syntax;
use crate::alerting::router::{IntegrationOptions, ReceiverOptions, RouterConfig};
use crate::alerting::{InhibitRule, NamedInterval, RouteOptions, RouteTree};
use crate::text::quote::quote;
use crate::text::yaml::{self, Decoder, Dialect, Node, Problem};
use crate::time::Span;

pub use route::{read_interval, read_route, read_time_range};
use section::Context;
pub use section::{Section, Value, parse_go_span};

/// A checked configuration of the router.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerConfig {
    /// The global section with its defaults.
    pub global: Section,
    /// How long an alert without an end fires unless it is renewed. 5 min unless given.
    pub resolve_timeout: Span,
    /// The root route.
    pub route: RouteOptions,
    /// Inhibition rules in order.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Time intervals, the deprecated ones first.
    pub time_intervals: Vec<NamedInterval>,
    /// Receivers in order.
    pub receivers: Vec<Receiver>,
    /// Globs of template files, as given.
    pub templates: Vec<String>,
    /// The configuration as it may be shown: with defaults, without secrets.
    pub original: String,
    /// What is no mistake and still worth knowing: matchers that only the classic syntax understands.
    pub warnings: Vec<Problem>,
}

/// A receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Ways to tell it, in the order in which upstream builds them.
    pub integrations: Vec<Integration>,
}

/// One way to tell a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// `webhook`, `slack`, ...
    pub kind: &'static str,
    /// Which of its kind in the receiver, from 0.
    pub index: usize,
    /// Whether it wants to hear of ends.
    pub send_resolved: bool,
    /// Its options, with what is inherited from the global section.
    pub options: Section,
}

impl AlertmanagerConfig {
    /// What the router must know of it.
    pub fn router(&self) -> RouterConfig {
        let receivers = self.receivers.iter().map(|receiver| ReceiverOptions {
            name: receiver.name.clone(),
            integrations: receiver
                .integrations
                .iter()
                .map(|integration| IntegrationOptions {
                    kind: integration.kind.to_owned(),
                    index: integration.index,
                    send_resolved: integration.send_resolved,
                })
                .collect(),
        });
        RouterConfig {
            tree: RouteTree::new(&self.route),
            inhibit_rules: self.inhibit_rules.clone(),
            time_intervals: self.time_intervals.clone(),
            receivers: receivers.collect(),
            resolve_timeout: self.resolve_timeout,
            // Our own file names them, not this one.
            fallbacks: BTreeMap::new(),
        }
    }
}

/// Reads and checks a configuration; all mistakes at once, in the order of the text.
pub fn parse(text: &str, syntax: Syntax) -> Result<AlertmanagerConfig, Vec<Problem>> {
    parse_in(text, syntax, "")
}

/// As [`parse`], for a file in `folder`: relative paths of templates and of HTTP clients begin there.
pub fn parse_in(
    text: &str,
    syntax: Syntax,
    folder: &str,
) -> Result<AlertmanagerConfig, Vec<Problem>> {
    let document = yaml::parse_first(text).map_err(|problem| vec![problem])?;
    parse_node_in(&document.root, syntax, folder)
}

/// As [`parse`], for a tree that was made of another notation; its spans are where problems stand.
pub fn parse_node(root: &Node, syntax: Syntax) -> Result<AlertmanagerConfig, Vec<Problem>> {
    parse_node_in(root, syntax, "")
}

fn parse_node_in(
    root: &Node,
    syntax: Syntax,
    folder: &str,
) -> Result<AlertmanagerConfig, Vec<Problem>> {
    let decoder = Decoder::new(Dialect::V2);
    let config = read(&decoder, root, syntax, folder);
    let problems = decoder.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read(
    decoder: &Decoder,
    root: &Node,
    syntax: Syntax,
    folder: &str,
) -> Option<AlertmanagerConfig> {
    if root.is_null() {
        decoder.fail(root.span, "no route provided in config");
        return None;
    }
    let mut context = Context {
        folder,
        ..Context::default()
    };
    let mut fields = decoder.fields(root, "config.plain");
    let mut global = fields
        .nested("global", |decoder, node| {
            section::read(decoder, node, &schema::GLOBAL, &mut context)
        })
        .unwrap_or_default();
    check_global(decoder, &global);
    default_global(&mut global);
    let route = fields
        .node("route")
        .filter(|node| !node.is_null())
        .map(|node| (node, read_route(decoder, node, syntax)));
    let inhibit_rules = fields.list("inhibit_rules", "[]config.InhibitRule", |decoder, node| {
        route::read_inhibit_rule(decoder, node, syntax)
    });
    let mut receivers = fields.list("receivers", "[]config.Receiver", |decoder, node| {
        (node, receiver::read(decoder, node, &mut context))
    });
    let mut templates = fields.strings("templates");
    for template in &mut templates {
        crate::config::schema::join(folder, template);
    }
    let time_intervals = read_intervals(&mut fields, decoder);
    // The exporter of traces is not ours to run.
    fields.node("tracing");
    fields.finish();

    let mut names = BTreeSet::new();
    for (node, receiver) in &mut receivers {
        if !receiver.name.is_empty() && !names.insert(receiver.name.clone()) {
            decoder.fail(
                node.span,
                format!(
                    "notification config name {} is not unique",
                    quote(&receiver.name)
                ),
            );
        }
        for integration in &mut receiver.integrations {
            receiver::inherit(decoder, integration, &global);
        }
    }
    let Some((route_node, route)) = route else {
        decoder.fail(root.span, "no routes provided");
        return None;
    };
    check_root(decoder, route_node, &route);
    let interval_names = time_intervals
        .iter()
        .map(|interval| interval.name.as_str())
        .collect();
    check_routes(decoder, route_node, &route, &names, &interval_names);
    let mut config = AlertmanagerConfig {
        resolve_timeout: Span::from_ms(
            global
                .nanoseconds("resolve_timeout")
                .map_or(300_000, |ns| ns / 1_000_000),
        ),
        global,
        route,
        inhibit_rules,
        time_intervals,
        receivers: receivers
            .into_iter()
            .map(|(_, receiver)| receiver)
            .collect(),
        templates,
        original: String::new(),
        warnings: decoder.take_notes(),
    };
    config.original = show::show(root, &config, syntax);
    Some(config)
}

fn read_intervals(fields: &mut yaml::Fields<'_, '_>, decoder: &Decoder) -> Vec<NamedInterval> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for (field, what) in [
        ("mute_time_intervals", "mute time interval"),
        ("time_intervals", "time interval"),
    ] {
        for node in fields.sequence(field, "[]config.TimeInterval") {
            let interval = route::read_named_interval(decoder, node, what);
            if !names.insert(interval.name.clone()) {
                decoder.fail(
                    node.span,
                    format!("{what} {} is not unique", quote(&interval.name)),
                );
            }
            all.push(interval);
        }
    }
    all
}

fn check_global(decoder: &Decoder, global: &Section) {
    for (a, b) in [
        ("slack_app_token", "slack_app_token_file"),
        ("slack_api_url", "slack_api_url_file"),
        ("opsgenie_api_key", "opsgenie_api_key_file"),
        ("victorops_api_key", "victorops_api_key_file"),
        ("telegram_bot_token", "telegram_bot_token_file"),
        ("smtp_auth_password", "smtp_auth_password_file"),
        ("rocketchat_token", "rocketchat_token_file"),
        ("rocketchat_token_id", "rocketchat_token_id_file"),
        ("smtp_auth_secret", "smtp_auth_secret_file"),
        ("wechat_api_secret", "wechat_api_secret_file"),
        ("mattermost_webhook_url", "mattermost_webhook_url_file"),
    ] {
        if global.is_given(a) && global.is_given(b) {
            decoder.fail(
                global.span,
                format!("at most one of {a} & {b} must be configured"),
            );
        }
    }
    let token = global.is_given("slack_app_token") || global.is_given("slack_app_token_file");
    let webhook = global.is_given("slack_api_url") || global.is_given("slack_api_url_file");
    // compat: both at once pass only when the webhook's address is the app's.
    let app_url = global
        .text("slack_app_url")
        .unwrap_or("https://slack.com/api/chat.postMessage");
    let same = global
        .secret("slack_api_url")
        .is_some_and(|url| url.expose() == app_url);
    if token && webhook && !same {
        decoder.fail(
            global.span,
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured",
        );
    }
}

fn default_global(global: &mut Section) {
    for (name, default) in [
        ("smtp_hello", "localhost"),
        ("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"),
        ("opsgenie_api_url", "https://api.opsgenie.com/"),
        ("wechat_api_url", "https://qyapi.weixin.qq.com/cgi-bin/"),
        (
            "victorops_api_url",
            "https://alert.victorops.com/integrations/generic/20131114/alert/",
        ),
        ("telegram_api_url", "https://api.telegram.org"),
        ("webex_api_url", "https://webexapis.com/v1/messages"),
        ("rocketchat_api_url", "https://open.rocket.chat/"),
        ("slack_app_url", "https://slack.com/api/chat.postMessage"),
    ] {
        if !global.has(name) {
            global.default_text(name, default);
        }
    }
    global.default_http("http_config");
    global.default_tls("smtp_tls_config");
    if !global.has("smtp_require_tls") {
        global.set("smtp_require_tls", Value::Bool(true));
    }
}

fn check_root(decoder: &Decoder, node: &Node, route: &RouteOptions) {
    let refuse = |wrong: bool, why: &str| {
        if wrong {
            decoder.fail(node.span, why);
        }
    };
    refuse(
        route.receiver.is_empty(),
        "root route must specify a default receiver",
    );
    refuse(
        !route.matchers.is_empty(),
        "root route must not have any matchers",
    );
    refuse(
        !route.mute_time_intervals.is_empty(),
        "root route must not have any mute time intervals",
    );
    refuse(
        !route.active_time_intervals.is_empty(),
        "root route must not have any active time intervals",
    );
    refuse(route.continues, "cannot have continue in root route");
}

/// Every name that a route uses must be defined. The places are those of the routes.
fn check_routes(
    decoder: &Decoder,
    node: &Node,
    route: &RouteOptions,
    receivers: &BTreeSet<String>,
    intervals: &BTreeSet<&str>,
) {
    if !route.receiver.is_empty() && !receivers.contains(&route.receiver) {
        let span = node.entry("receiver").unwrap_or(node).span;
        decoder.fail(
            span,
            format!(
                "undefined receiver {} used in route",
                quote(&route.receiver)
            ),
        );
    }
    for name in route
        .active_time_intervals
        .iter()
        .chain(&route.mute_time_intervals)
    {
        if !intervals.contains(name.as_str()) {
            decoder.fail(
                node.span,
                format!("undefined time interval {} used in route", quote(name)),
            );
        }
    }
    let nodes = node
        .entry("routes")
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    for (node, route) in nodes.iter().zip(&route.routes) {
        check_routes(decoder, node, route, receivers, intervals);
    }
}

#[cfg(test)]
mod tests;
