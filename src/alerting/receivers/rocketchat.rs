use serde_json::Value as Json;

use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpReply, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, flag, source, text, text_or};
use super::slack::{Field, name_channel};
use super::{join_path, status};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;
use crate::text::quote::quote;

const TITLE_MAX: usize = 1024;

/// Rocket.Chat.
#[derive(Debug, Clone, PartialEq)]
pub struct RocketChat {
    /// Where the server is.
    pub api_url: String,
    /// Who sends.
    pub token_id: SecretSource,
    /// The sender's token.
    pub token: SecretSource,
    /// The channel; a template, as all texts below.
    pub channel: String,
    /// The bar's colour.
    pub color: String,
    /// The attachment's title.
    pub title: String,
    /// Where the title leads.
    pub title_link: String,
    /// The attachment's text.
    pub text: String,
    /// Fields of the attachment.
    pub fields: Vec<Field>,
    /// Whether fields are short unless they say otherwise.
    pub short_fields: bool,
    /// An emoji as the sender's picture.
    pub emoji: String,
    /// The sender's picture.
    pub icon_url: String,
    /// A picture in the attachment.
    pub image_url: String,
    /// A small picture in the attachment.
    pub thumb_url: String,
    /// Buttons: text, address, message.
    pub actions: Vec<[String; 3]>,
}

impl RocketChat {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str, template: &str| {
            text_or(fields, name, &super::template_call("rocketchat", template))
        };
        Self {
            api_url: text_or(fields, "api_url", "https://open.rocket.chat/"),
            token_id: source(fields, "token_id"),
            token: source(fields, "token"),
            channel: text(fields, "channel"),
            color: text_or(
                fields,
                "color",
                "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}",
            ),
            title: default("title", "title"),
            title_link: default("title_link", "titlelink"),
            text: default("text", "text"),
            fields: fields
                .sections("fields")
                .into_iter()
                .map(Field::read)
                .collect(),
            short_fields: flag(fields, "short_fields"),
            emoji: default("emoji", "emoji"),
            icon_url: default("icon_url", "iconurl"),
            image_url: text(fields, "image_url"),
            thumb_url: text(fields, "thumb_url"),
            actions: fields
                .sections("actions")
                .into_iter()
                .map(|action| ["text", "url", "msg"].map(|name| text(action, name)))
                .collect(),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let message = Object::new()
            .put_some("channel", render.text(&self.channel)?)
            .put_some("emoji", render.text(&self.emoji)?)
            .put_some("avatar", render.text(&self.icon_url)?)
            .put_some("attachments", vec![self.attachment(&render)?]);
        let url = join_path(
            &format!("{}/", self.api_url.trim_end_matches('/')),
            "api/v1/chat.postMessage",
        )?;
        let mut request = body::request("POST", url, &message.build());
        for (name, secret, what) in [
            ("X-Auth-Token", &self.token, "token_file"),
            ("X-User-Id", &self.token_id, "token_id_file"),
        ] {
            request
                .headers
                .push((name.to_owned(), render.secret(secret, what)?));
        }
        Ok(Outgoing::Http(request))
    }

    fn attachment(&self, render: &Render<'_>) -> Result<Json, Error> {
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let field = Object::new()
                .put("short", field.short.unwrap_or(self.short_fields))
                .put_some("title", render.text(&field.title)?)
                .put_some("value", render.text(&field.value)?);
            fields.push(field.build());
        }
        let mut actions = Vec::with_capacity(self.actions.len());
        for [text, url, message] in &self.actions {
            // compat: the only kind there is.
            let action = Object::new()
                .put("type", "button")
                .put_some("text", render.text(text)?)
                .put_some("url", render.text(url)?)
                .put("is_webview", false)
                .put_some("msg", render.text(message)?)
                .put("msg_in_chat_window", false);
            actions.push(action.build());
        }
        Ok(Object::new()
            .put_some(
                "title",
                truncate_runes(&render.text(&self.title)?, TITLE_MAX),
            )
            .put_some("title_link", render.text(&self.title_link)?)
            .put_some("text", render.text(&self.text)?)
            .put_some("image_url", render.text(&self.image_url)?)
            .put_some("thumb_url", render.text(&self.thumb_url)?)
            .put_some("color", render.text(&self.color)?)
            .put_some("fields", fields)
            .put_some("actions", actions)
            .build())
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        reply: Reply,
    ) -> Progress {
        let outcome = match status::check(reply, &[], ctx.now, status::body_text) {
            Ok(reply) => judge(&reply),
            Err(outcome) => outcome,
        };
        Progress::Finished(name_channel(outcome, ctx, notification, &self.channel))
    }
}

/// Rocket.Chat says "no" with status 200 too.
fn judge(reply: &HttpReply) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        let body = quote(&status::body_text(reply));
        return Outcome::retry(format!("could not unmarshal JSON response {body}"), None);
    };
    if answer.get("success").is_some_and(|ok| !ok.is_boolean()) {
        let body = quote(&status::body_text(reply));
        return Outcome::retry(format!("could not unmarshal JSON response {body}"), None);
    }
    if answer.get("success") == Some(&Json::Bool(true)) {
        return Outcome::delivered();
    }
    let error = answer
        .get("error")
        .and_then(Json::as_str)
        .unwrap_or_default();
    Outcome::give_up(format!(
        "error response from Rocketchat: {}",
        status::shorten(error)
    ))
}
