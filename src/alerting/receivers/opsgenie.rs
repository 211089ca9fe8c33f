use serde_json::Value as Json;

use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpRequest, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, flag, source, text, text_or};
use super::{Stage, join_path, status};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const MESSAGE_MAX: usize = 130;

/// OpsGenie.
#[derive(Debug, Clone, PartialEq)]
pub struct OpsGenie {
    /// The key; a template.
    pub api_key: SecretSource,
    /// Where the API is.
    pub api_url: String,
    /// The alert's message; a template, as all texts below.
    pub message: String,
    /// Its description.
    pub description: String,
    /// Where it comes from.
    pub source: String,
    /// Details beside the common labels.
    pub details: Vec<(String, String)>,
    /// What is affected.
    pub entity: String,
    /// Who responds: id, name, user name, type.
    pub responders: Vec<[String; 4]>,
    /// Actions, separated by commas.
    pub actions: String,
    /// Tags, separated by commas.
    pub tags: String,
    /// A note.
    pub note: String,
    /// The priority.
    pub priority: String,
    /// Whether message and description of an open alert are brought up to date.
    pub update_alerts: bool,
}

impl OpsGenie {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("opsgenie", name));
        Self {
            api_key: source(fields, "api_key"),
            api_url: text_or(fields, "api_url", "https://api.opsgenie.com/"),
            message: default("message"),
            description: default("description"),
            source: default("source"),
            details: fields.map("details").to_vec(),
            entity: text(fields, "entity"),
            responders: fields
                .sections("responders")
                .into_iter()
                .map(|r| {
                    let [id, name, username, kind] =
                        ["id", "name", "username", "type"].map(|name| text(r, name));
                    // compat: the type is taken in lower case unless it is a template.
                    let kind = if kind.contains("{{") {
                        kind
                    } else {
                        kind.to_lowercase()
                    };
                    [id, name, username, kind]
                })
                .collect(),
            actions: text(fields, "actions"),
            tags: text(fields, "tags"),
            note: text(fields, "note"),
            priority: text(fields, "priority"),
            update_alerts: flag(fields, "update_alerts"),
        }
    }

    /// All requests of a notification, in order.
    fn requests(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Vec<HttpRequest>, Error> {
        let render = Render::new(ctx, notification);
        let alias = render.key_hash();
        let key = render.text(&render.secret(&self.api_key, "api_key_file")?)?;
        let url = |path: &str| join_path(&self.api_url, path);
        let mut requests = Vec::new();
        if render.firing() {
            let message = truncate_runes(&render.text(&self.message)?, MESSAGE_MAX);
            let description = render.text(&self.description)?;
            let create = self.create(&render, &alias, &message, &description)?;
            requests.push(body::request("POST", url("v2/alerts")?, &create));
            if self.update_alerts {
                for (name, value) in [("message", message), ("description", description)] {
                    let path = url(&format!("v2/alerts/{alias}/{name}"))?;
                    let update = Object::new().put_some(name, value).build();
                    requests.push(body::request(
                        "PUT",
                        format!("{path}?identifierType=alias"),
                        &update,
                    ));
                }
            }
        } else {
            let path = url(&format!("v2/alerts/{alias}/close"))?;
            let close = Object::new()
                .put("source", render.text(&self.source)?)
                .build();
            requests.push(body::request(
                "POST",
                format!("{path}?identifierType=alias"),
                &close,
            ));
        }
        for request in &mut requests {
            request
                .headers
                .push(("Authorization".to_owned(), format!("GenieKey {key}")));
        }
        Ok(requests)
    }

    fn create(
        &self,
        render: &Render<'_>,
        alias: &str,
        message: &str,
        description: &str,
    ) -> Result<Json, Error> {
        let mut details: Vec<(String, Json)> = render
            .data
            .common_labels
            .iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        for (name, template) in &self.details {
            details.push((name.clone(), render.text(template)?.into()));
        }
        Ok(Object::new()
            .put("alias", alias)
            .put("message", message)
            .put_some("description", description)
            .put("details", body::sorted(details))
            .put("source", render.text(&self.source)?)
            .put_some("responders", self.responders(render)?)
            .put_some("tags", split_list(&render.text(&self.tags)?))
            .put_some("note", render.text(&self.note)?)
            .put_some("priority", render.text(&self.priority)?)
            .put_some("entity", render.text(&self.entity)?)
            .put_some("actions", split_list(&render.text(&self.actions)?))
            .build())
    }

    fn responders(&self, render: &Render<'_>) -> Result<Vec<Json>, Error> {
        let mut out = Vec::new();
        for [id, name, username, kind] in &self.responders {
            let (id, name) = (render.text(id)?, render.text(name)?);
            let (username, kind) = (render.text(username)?, render.text(kind)?);
            // compat: a responder whose templates all came out empty is none.
            if id.is_empty() && name.is_empty() && username.is_empty() && kind.is_empty() {
                continue;
            }
            if kind == "teams" {
                for team in split_list(&name) {
                    out.push(Object::new().put("name", team).put("type", "team").build());
                }
                continue;
            }
            let responder = Object::new()
                .put_some("id", id)
                .put_some("name", name)
                .put_some("username", username)
                .put("type", kind);
            out.push(responder.build());
        }
        Ok(out)
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        self.requests(ctx, notification)?
            .into_iter()
            .next()
            .map(Outgoing::Http)
            .ok_or_else(|| Error::fatal("nothing to send"))
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        stage: &mut Stage,
        reply: Reply,
    ) -> Progress {
        if let Err(outcome) = status::check(reply, &[], ctx.now, status::body_text) {
            return Progress::Finished(outcome);
        }
        stage.step += 1;
        match self.requests(ctx, notification) {
            Ok(requests) => match requests.into_iter().nth(stage.step) {
                Some(request) => Progress::Send(Outgoing::Http(request)),
                None => Progress::Finished(Outcome::delivered()),
            },
            Err(error) => Progress::Finished(error.into_outcome()),
        }
    }
}

/// The parts between commas that are not empty.
fn split_list(text: &str) -> Vec<Json> {
    text.trim()
        .split(',')
        .filter(|part| !part.is_empty())
        .map(Json::from)
        .collect()
}
