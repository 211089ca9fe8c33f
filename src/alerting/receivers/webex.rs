use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_bytes};
use super::exchange::{Error, Outgoing};
use super::fields::{Fields, text, text_or};
use crate::alerting::Notification;

const MESSAGE_BYTES_MAX: usize = 7439;

/// Webex; the token is in `http_config`.
#[derive(Debug, Clone, PartialEq)]
pub struct Webex {
    /// Where messages go.
    pub api_url: String,
    /// The room; a template.
    pub room_id: String,
    /// The message; a template.
    pub message: String,
}

impl Webex {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        Self {
            api_url: text_or(fields, "api_url", "https://webexapis.com/v1/messages"),
            room_id: text(fields, "room_id"),
            message: text_or(fields, "message", &super::template_call("webex", "message")),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let message = truncate_bytes(&render.text(&self.message)?, MESSAGE_BYTES_MAX);
        let message = Object::new()
            .put("markdown", message)
            .put_some("roomId", render.text(&self.room_id)?);
        Ok(body::post(self.api_url.clone(), &message.build()))
    }
}
