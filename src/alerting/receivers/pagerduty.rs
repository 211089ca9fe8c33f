use serde_json::Value as Json;

use super::body::{self, Object, encode};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpReply, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, source, text, text_or};
use super::status;
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;
use crate::text::quote::quote;

const V1_URL: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";
const EVENT_BYTES_MAX: usize = 512_000;
const SUMMARY_MAX: usize = 1024;
const REMOVED: &str =
    "Custom details have been removed because the original event exceeds the maximum size of 512KB";

/// PagerDuty: the events API v2, or v1 when a service key is given.
#[derive(Debug, Clone, PartialEq)]
pub struct PagerDuty {
    /// The key of v1; a template.
    pub service_key: SecretSource,
    /// The key of v2; a template.
    pub routing_key: SecretSource,
    /// Where v2 events go.
    pub url: String,
    /// Who sends; a template, as all texts below.
    pub client: String,
    /// Where the sender is found.
    pub client_url: String,
    /// The incident's summary.
    pub description: String,
    /// More details by name, with upstream's four filled in.
    pub details: Vec<(String, Json)>,
    /// Pictures: source, alternative text, link.
    pub images: Vec<[String; 3]>,
    /// Links: address, text.
    pub links: Vec<[String; 2]>,
    /// What is affected; the client unless given.
    pub source: String,
    /// `error` unless given.
    pub severity: String,
    /// The kind of event.
    pub class: String,
    /// The part that is affected.
    pub component: String,
    /// A cluster or another group of parts.
    pub group: String,
}

impl PagerDuty {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str, template: &str| {
            text_or(fields, name, &super::template_call("pagerduty", template))
        };
        let client = default("client", "client");
        let mut details: Vec<(String, Json)> = match fields.any("details") {
            Some(Json::Object(entries)) => entries
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => fields
                .map("details")
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect(),
        };
        for (name, template) in [
            ("firing", "{{ .Alerts.Firing | toJson }}"),
            ("resolved", "{{ .Alerts.Resolved | toJson }}"),
            ("num_firing", "{{ .Alerts.Firing | len }}"),
            ("num_resolved", "{{ .Alerts.Resolved | len }}"),
        ] {
            if !details.iter().any(|(given, _)| given == name) {
                details.push((name.to_owned(), template.into()));
            }
        }
        let own_source = text(fields, "source");
        Self {
            service_key: source(fields, "service_key"),
            routing_key: source(fields, "routing_key"),
            url: text_or(fields, "url", "https://events.pagerduty.com/v2/enqueue"),
            client_url: default("client_url", "clientURL"),
            description: default("description", "description"),
            details,
            images: fields
                .sections("images")
                .into_iter()
                .map(|image| ["src", "alt", "href"].map(|name| text(image, name)))
                .collect(),
            links: fields
                .sections("links")
                .into_iter()
                .map(|link| ["href", "text"].map(|name| text(link, name)))
                .collect(),
            source: if own_source.is_empty() {
                client.clone()
            } else {
                own_source
            },
            client,
            severity: text(fields, "severity"),
            class: text(fields, "class"),
            component: text(fields, "component"),
            group: text(fields, "group"),
        }
    }

    fn is_v1(&self) -> bool {
        self.service_key != SecretSource::None
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let mut details = Vec::with_capacity(self.details.len());
        for (name, value) in &self.details {
            let value = body::expand_deep(&render, value)
                .map_err(|e| Error::fatal(format!("{}: failed to template: {e}", quote(name))))?;
            details.push((name.clone(), value));
        }
        let details = body::sorted(details);
        let event = if render.firing() {
            "trigger"
        } else {
            "resolve"
        };
        let build = |details: Json| {
            if self.is_v1() {
                self.v1(&render, event, details)
            } else {
                self.v2(&render, event, details)
            }
        };
        let mut message = build(details)?;
        if encode(&message).len() > EVENT_BYTES_MAX {
            message = build(Object::new().put("error", REMOVED).build())?;
        }
        let url = if self.is_v1() { V1_URL } else { &self.url };
        Ok(body::post(url.to_owned(), &message))
    }

    fn v1(&self, render: &Render<'_>, event: &str, details: Json) -> Result<Json, Error> {
        let key = render.text(&render.secret(&self.service_key, "service_key_file")?)?;
        if key.is_empty() {
            return Err(Error::fatal("service key cannot be empty"));
        }
        let description = truncate_runes(&render.text(&self.description)?, SUMMARY_MAX);
        let mut message = Object::new()
            .put("service_key", key)
            .put("incident_key", render.key_hash())
            .put("event_type", event)
            .put_some("description", description)
            .put("event_action", "")
            .put("payload", Json::Null);
        if event == "trigger" {
            message = message
                .put_some("client", render.text(&self.client)?)
                .put_some("client_url", render.text(&self.client_url)?);
        }
        Ok(message.put_some("details", details).build())
    }

    fn v2(&self, render: &Render<'_>, event: &str, details: Json) -> Result<Json, Error> {
        let key = render.text(&render.secret(&self.routing_key, "routing_key_file")?)?;
        if key.is_empty() {
            return Err(Error::fatal("routing key cannot be empty"));
        }
        let severity = if self.severity.is_empty() {
            "error"
        } else {
            &self.severity
        };
        let payload = Object::new()
            .put(
                "summary",
                truncate_runes(&render.text(&self.description)?, SUMMARY_MAX),
            )
            .put("source", render.text(&self.source)?)
            .put("severity", render.text(severity)?)
            .put_some("class", render.text(&self.class)?)
            .put_some("component", render.text(&self.component)?)
            .put_some("group", render.text(&self.group)?)
            .put_some("custom_details", details);
        let mut images = Vec::new();
        for [src, alt, href] in &self.images {
            let src = render.text(src)?;
            if !src.is_empty() {
                let image = Object::new()
                    .put("src", src)
                    .put("alt", render.text(alt)?)
                    .put("href", render.text(href)?);
                images.push(image.build());
            }
        }
        let mut links = Vec::new();
        for [href, text] in &self.links {
            let href = render.text(href)?;
            if !href.is_empty() {
                let link = Object::new()
                    .put("href", href)
                    .put("text", render.text(text)?);
                links.push(link.build());
            }
        }
        Ok(Object::new()
            .put("routing_key", key)
            .put("dedup_key", render.key_hash())
            .put("event_action", event)
            .put("payload", payload.build())
            .put_some("client", render.text(&self.client)?)
            .put_some("client_url", render.text(&self.client_url)?)
            .put_some("images", images)
            .put_some("links", links)
            .build())
    }

    pub(super) fn next(&self, ctx: &NotifyContext<'_>, reply: Reply) -> Progress {
        // compat: v1 says "slow down" with 403.
        let also: &[u16] = if self.is_v1() { &[403] } else { &[] };
        Progress::Finished(match status::check(reply, also, ctx.now, details) {
            Ok(_) => Outcome::delivered(),
            Err(outcome) => outcome,
        })
    }
}

/// What PagerDuty says about a bad request.
fn details(reply: &HttpReply) -> String {
    if reply.status != 400 {
        return String::new();
    }
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        return String::new();
    };
    let message = answer
        .get("message")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let errors: Vec<&str> = answer
        .get("errors")
        .and_then(Json::as_array)
        .map(|errors| errors.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    format!("{message}: {}", errors.join(","))
}
