use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, Outgoing};
use super::fields::{Fields, source, text, text_or};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4096;
const CONTENT_MAX: usize = 2000;
const RED: i64 = 0x99_2d22;
const GREEN: i64 = 0x2e_cc71;

/// Discord.
#[derive(Debug, Clone, PartialEq)]
pub struct Discord {
    /// The webhook's address.
    pub webhook_url: SecretSource,
    /// The message's own text; a template.
    pub content: String,
    /// The embed's title; a template.
    pub title: String,
    /// The embed's text; a template.
    pub message: String,
    /// The sender's name.
    pub username: String,
    /// The sender's picture.
    pub avatar_url: String,
}

impl Discord {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("discord", name));
        Self {
            webhook_url: source(fields, "webhook_url"),
            content: text(fields, "content"),
            title: default("title"),
            message: default("message"),
            username: text(fields, "username"),
            avatar_url: text(fields, "avatar_url"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let embed = Object::new()
            .put(
                "title",
                truncate_runes(&render.text(&self.title)?, TITLE_MAX),
            )
            .put(
                "description",
                truncate_runes(&render.text(&self.message)?, DESCRIPTION_MAX),
            )
            .put("color", if render.firing() { RED } else { GREEN });
        let message = Object::new()
            .put(
                "content",
                truncate_runes(&render.text(&self.content)?, CONTENT_MAX),
            )
            .put("embeds", vec![embed.build()])
            .put_some("username", self.username.as_str())
            .put_some("avatar_url", self.avatar_url.as_str());
        let url = render.secret(&self.webhook_url, "webhook_url_file")?;
        Ok(body::post(url, &message.build()))
    }
}
