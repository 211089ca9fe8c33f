use serde_json::Value as Json;

use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, flag, source, text, text_or};
use super::slack::{Field, name_channel};
use super::status;
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const TEXT_MAX: usize = 16_383;

/// The texts of an attachment, in the order in which they are sent, the fields after the title link.
const BEFORE_FIELDS: [&str; 9] = [
    "fallback",
    "color",
    "pretext",
    "text",
    "author_name",
    "author_link",
    "author_icon",
    "title",
    "title_link",
];
const AFTER_FIELDS: [&str; 4] = ["thumb_url", "footer", "footer_icon", "image_url"];

/// Mattermost.
#[derive(Debug, Clone, PartialEq)]
pub struct Mattermost {
    /// The webhook's address.
    pub webhook_url: SecretSource,
    /// The channel; a template, as all texts below.
    pub channel: String,
    /// The sender's name.
    pub username: String,
    /// The sender's picture.
    pub icon_url: String,
    /// An emoji as the sender's picture.
    pub icon_emoji: String,
    /// The message's type.
    pub kind: String,
    /// The text of a message that has attachments of its own.
    pub text: String,
    /// What a message without attachments of its own consists of.
    pub own: Attachment,
    /// Attachments.
    pub attachments: Vec<Attachment>,
    /// A card shown beside the message.
    pub card: String,
    /// The priority, and whether it asks for an answer and keeps notifying.
    pub priority: Option<Priority>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    texts: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    rest: Vec<(&'static str, String)>,
}

/// How urgent a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priority {
    /// `urgent`, `important` or `standard`; a template.
    pub level: String,
    /// Whether readers must acknowledge it.
    pub requested_ack: bool,
    /// Whether it keeps notifying.
    pub persistent_notifications: bool,
}

impl Attachment {
    fn read(fields: &dyn Fields, default: impl Fn(&str) -> String) -> Self {
        let read = |name: &'static str| (name, text_or(fields, name, &default(name)));
        Self {
            texts: BEFORE_FIELDS.into_iter().map(read).collect(),
            fields: fields
                .sections("fields")
                .into_iter()
                .map(Field::read)
                .collect(),
            rest: AFTER_FIELDS.into_iter().map(read).collect(),
        }
    }

    fn build(&self, render: &Render<'_>) -> Result<Json, Error> {
        let mut object = Object::new();
        for (name, template) in &self.texts {
            let text = render.text(template)?;
            let text = if *name == "text" {
                truncate_runes(&text, TEXT_MAX)
            } else {
                text
            };
            object = object.put_some(name, text);
        }
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let mut built = Object::new()
                .put_some("title", render.text(&field.title)?)
                .put_some("value", render.text(&field.value)?);
            if let Some(short) = field.short {
                built = built.put("short", short);
            }
            fields.push(built.build());
        }
        object = object.put_some("fields", fields);
        for (name, template) in &self.rest {
            object = object.put_some(name, render.text(template)?);
        }
        Ok(object.build())
    }
}

impl Mattermost {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let template = |name: &str| match name {
            "fallback" | "color" | "text" | "title" => super::template_call("mattermost", name),
            "title_link" => super::template_call("mattermost", "titlelink"),
            _ => String::new(),
        };
        let priority = fields.section("priority").map(|p| Priority {
            level: text(p, "priority"),
            requested_ack: flag(p, "requested_ack"),
            persistent_notifications: flag(p, "persistent_notifications"),
        });
        Self {
            webhook_url: source(fields, "webhook_url"),
            channel: text(fields, "channel"),
            username: text_or(
                fields,
                "username",
                &super::template_call("mattermost", "username"),
            ),
            icon_url: text(fields, "icon_url"),
            icon_emoji: text(fields, "icon_emoji"),
            kind: text(fields, "type"),
            text: text_or(fields, "text", &template("text")),
            own: Attachment::read(fields, template),
            attachments: fields
                .sections("attachments")
                .into_iter()
                .map(|section| Attachment::read(section, |_| String::new()))
                .collect(),
            card: fields
                .section("props")
                .map(|props| text(props, "card"))
                .unwrap_or_default(),
            priority: priority.filter(|p| !p.level.is_empty()),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let url = render.secret(&self.webhook_url, "webhook_url_file")?;
        if url.is_empty() {
            return Err(Error::fatal("webhook url missing"));
        }
        let mut message = Object::new();
        let mut attachments = Vec::new();
        if self.attachments.is_empty() {
            attachments.push(self.own.build(&render)?);
        } else {
            let text = truncate_runes(&render.text(&self.text)?, TEXT_MAX);
            message = message.put_some("text", text);
            for attachment in &self.attachments {
                attachments.push(attachment.build(&render)?);
            }
        }
        for (name, template) in [
            ("channel", &self.channel),
            ("username", &self.username),
            ("icon_url", &self.icon_url),
            ("icon_emoji", &self.icon_emoji),
        ] {
            message = message.put_some(name, render.text(template)?);
        }
        message = message
            .put_some("attachments", attachments)
            .put_some("type", render.text(&self.kind)?);
        if !self.card.is_empty() {
            let props = Object::new().put_some("card", render.text(&self.card)?);
            message = message.put("props", props.build());
        }
        if let Some(priority) = &self.priority {
            message = message.put("priority", priority.build(&render)?);
        }
        Ok(body::post(url, &message.build()))
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        reply: Reply,
    ) -> Progress {
        let outcome = match status::check(reply, &[], ctx.now, status::body_text) {
            Ok(_) => Outcome::delivered(),
            Err(outcome) => name_channel(outcome, ctx, notification, &self.channel),
        };
        Progress::Finished(outcome)
    }
}

impl Priority {
    /// compat: an unknown priority is `standard`, and what does not go with it is dropped.
    fn build(&self, render: &Render<'_>) -> Result<Json, Error> {
        let mut priority = render.text(&self.level)?.to_lowercase();
        if !matches!(priority.as_str(), "urgent" | "important" | "standard") {
            "standard".clone_into(&mut priority);
        }
        let ack = self.requested_ack && priority != "standard";
        let persistent = self.persistent_notifications && priority == "urgent";
        Ok(Object::new()
            .put_some("priority", priority)
            .put_some("requested_ack", ack)
            .put_some("persistent_notifications", persistent)
            .build())
    }
}
