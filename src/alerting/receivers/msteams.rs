use serde_json::Value as Json;

use super::body::{self, Object};
use super::context::{NotifyContext, Render};
use super::exchange::{Error, Outgoing};
use super::fields::{Fields, source, text_or};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

/// Microsoft Teams through the retired connectors.
#[derive(Debug, Clone, PartialEq)]
pub struct MsTeams {
    /// The webhook's address.
    pub webhook_url: SecretSource,
    /// The card's title; a template, as all texts below.
    pub title: String,
    /// The card's summary.
    pub summary: String,
    /// The card's text.
    pub text: String,
}

impl MsTeams {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("msteams", name));
        Self {
            webhook_url: source(fields, "webhook_url"),
            title: default("title"),
            summary: default("summary"),
            text: default("text"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let card = Object::new()
            .put("@context", "http://schema.org/extensions")
            .put("type", "MessageCard")
            .put("title", render.text(&self.title)?)
            .put("summary", render.text(&self.summary)?)
            .put("text", render.text(&self.text)?)
            .put(
                "themeColor",
                if render.firing() { "8C1A1A" } else { "2DC72D" },
            );
        let url = render.secret(&self.webhook_url, "webhook_url_file")?;
        Ok(body::post(url, &card.build()))
    }
}

/// Microsoft Teams through Power Automate workflows.
#[derive(Debug, Clone, PartialEq)]
pub struct MsTeamsV2 {
    /// The webhook's address.
    pub webhook_url: SecretSource,
    /// The card's title; a template.
    pub title: String,
    /// The card's text; a template.
    pub text: String,
}

impl MsTeamsV2 {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("msteamsv2", name));
        Self {
            webhook_url: source(fields, "webhook_url"),
            title: default("title"),
            text: default("text"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let title = Object::new()
            .put("type", "TextBlock")
            .put("text", render.text(&self.title)?)
            .put("weight", "Bolder")
            .put("size", "Medium")
            .put("wrap", true)
            .put("style", "heading")
            .put("color", if render.firing() { "Attention" } else { "Good" });
        let text = Object::new()
            .put("type", "TextBlock")
            .put("text", render.text(&self.text)?)
            .put("wrap", true);
        let content = Object::new()
            .put(
                "$schema",
                "http://adaptivecards.io/schemas/adaptive-card.json",
            )
            .put("type", "AdaptiveCard")
            .put("version", "1.2")
            .put("body", vec![title.build(), text.build()])
            .put("msteams", Object::new().put("width", "full").build());
        let attachment = Object::new()
            .put("contentType", "application/vnd.microsoft.card.adaptive")
            .put("contentUrl", Json::Null)
            .put("content", content.build());
        let message = Object::new()
            .put("type", "message")
            .put("attachments", vec![attachment.build()]);
        let url = render.secret(&self.webhook_url, "webhook_url_file")?;
        Ok(body::post(url, &message.build()))
    }
}
