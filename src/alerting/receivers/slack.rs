use serde_json::Value as Json;

use super::body::{self, Object};
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpReply, Kept, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, flag, source, text, text_or};
use super::{Stage, status};
use crate::alerting::{Notification, Verdict};
use crate::model::http_client::SecretSource;
use crate::text::quote::quote;

const TITLE_MAX: usize = 1024;
const UPDATE_URL: &str = "https://slack.com/api/chat.update";

/// Errors of Slack's API that are about the moment and not about the message.
const TRANSIENT: [&str; 6] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
];

/// Slack, through an incoming webhook or as an app.
#[derive(Debug, Clone, PartialEq)]
pub struct Slack {
    /// The webhook's address, or `chat.postMessage`.
    pub api_url: SecretSource,
    /// The token of an app; it is sent as a bearer token to `app_url`.
    pub app_token: SecretSource,
    /// Where apps post.
    pub app_url: String,
    /// The channel; a template, as all texts below.
    pub channel: String,
    /// The sender's name.
    pub username: String,
    /// The bar's colour.
    pub color: String,
    /// The attachment's title.
    pub title: String,
    /// Where the title leads.
    pub title_link: String,
    /// Text above the attachment.
    pub pretext: String,
    /// The attachment's text.
    pub text: String,
    /// The message's own text.
    pub message_text: String,
    /// Fields of the attachment.
    pub fields: Vec<Field>,
    /// Whether fields are short unless they say otherwise.
    pub short_fields: bool,
    /// The attachment's footer.
    pub footer: String,
    /// What clients show that cannot show attachments.
    pub fallback: String,
    /// For interactive messages.
    pub callback_id: String,
    /// An emoji as the sender's picture.
    pub icon_emoji: String,
    /// The sender's picture.
    pub icon_url: String,
    /// A picture in the attachment.
    pub image_url: String,
    /// A small picture in the attachment.
    pub thumb_url: String,
    /// Whether names are linked.
    pub link_names: bool,
    /// Which texts are Markdown; empty for upstream's three.
    pub mrkdwn_in: Vec<String>,
    /// Buttons.
    pub actions: Vec<Action>,
    /// Whether the group's first message is edited instead of sending more.
    pub update_message: bool,
}

/// A field of an attachment, also of Mattermost and Rocket.Chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its title.
    pub title: String,
    /// Its text.
    pub value: String,
    /// Whether it may stand beside another.
    pub short: Option<bool>,
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// `button`.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// Where it leads.
    pub url: String,
    /// `primary`, `danger` or nothing.
    pub style: String,
    /// For interactive buttons: its name.
    pub name: String,
    /// For interactive buttons: its value.
    pub value: String,
    /// For interactive buttons: a question asked first: text, title, ok and dismiss.
    pub confirm: Option<[String; 4]>,
}

impl Field {
    pub(super) fn read(fields: &dyn Fields) -> Self {
        Self {
            title: text(fields, "title"),
            value: text(fields, "value"),
            short: fields.flag("short"),
        }
    }
}

impl Action {
    fn read(fields: &dyn Fields) -> Self {
        let url = text(fields, "url");
        // compat: a link takes nothing of an interactive button.
        let interactive = url.is_empty();
        let own = |name| {
            if interactive {
                text(fields, name)
            } else {
                String::new()
            }
        };
        Self {
            kind: text(fields, "type"),
            text: text(fields, "text"),
            style: text(fields, "style"),
            name: own("name"),
            value: own("value"),
            confirm: fields
                .section("confirm")
                .filter(|_| interactive)
                .map(|c| ["text", "title", "ok_text", "dismiss_text"].map(|name| text(c, name))),
            url,
        }
    }

    fn build(&self, render: &Render<'_>) -> Result<Json, Error> {
        let mut object = Object::new();
        for (name, template) in [
            ("type", &self.kind),
            ("text", &self.text),
            ("url", &self.url),
            ("style", &self.style),
            ("name", &self.name),
            ("value", &self.value),
        ] {
            object = object.put_some(name, render.text(template)?);
        }
        if let Some(confirm) = &self.confirm {
            let mut inner = Object::new();
            for (name, template) in ["text", "title", "ok_text", "dismiss_text"]
                .into_iter()
                .zip(confirm)
            {
                inner = inner.put_some(name, render.text(template)?);
            }
            object = object.put("confirm", inner.build());
        }
        Ok(object.build())
    }
}

impl Slack {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str, template: &str| {
            text_or(fields, name, &super::template_call("slack", template))
        };
        Self {
            api_url: source(fields, "api_url"),
            app_token: source(fields, "app_token"),
            app_url: text_or(fields, "app_url", "https://slack.com/api/chat.postMessage"),
            channel: text(fields, "channel"),
            username: default("username", "username"),
            color: default("color", "color"),
            title: default("title", "title"),
            title_link: default("title_link", "titlelink"),
            pretext: default("pretext", "pretext"),
            text: default("text", "text"),
            message_text: text(fields, "message_text"),
            fields: fields
                .sections("fields")
                .into_iter()
                .map(Field::read)
                .collect(),
            short_fields: flag(fields, "short_fields"),
            footer: default("footer", "footer"),
            fallback: default("fallback", "fallback"),
            callback_id: default("callback_id", "callbackid"),
            icon_emoji: default("icon_emoji", "iconemoji"),
            icon_url: default("icon_url", "iconurl"),
            image_url: text(fields, "image_url"),
            thumb_url: text(fields, "thumb_url"),
            link_names: flag(fields, "link_names"),
            mrkdwn_in: fields.texts("mrkdwn_in").to_vec(),
            actions: fields
                .sections("actions")
                .into_iter()
                .map(Action::read)
                .collect(),
            update_message: flag(fields, "update_message"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        self.message(ctx, notification, self.edited(ctx))
    }

    /// The message of the group that is edited instead of sending another.
    fn edited<'a>(&self, ctx: &NotifyContext<'a>) -> Option<&'a Kept> {
        ctx.kept.filter(|_| self.update_message)
    }

    /// A new message, or the new content of an old one.
    fn message(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        old: Option<&Kept>,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let attachment = self.attachment(&render)?;
        let mut channel = render.text(&self.channel)?;
        let token = render.secret(&self.app_token, "app_token_file")?;
        let mut url = if token.is_empty() {
            render.secret(&self.api_url, "api_url_file")?
        } else {
            self.app_url.clone()
        };
        let mut edited = String::new();
        if let Some(Kept::SlackMessage {
            timestamp,
            channel: id,
        }) = old
        {
            UPDATE_URL.clone_into(&mut url);
            channel.clone_from(id);
            edited.clone_from(timestamp);
        }
        let message = Object::new()
            .put_some("channel", channel)
            .put_some("username", render.text(&self.username)?)
            .put_some("icon_emoji", render.text(&self.icon_emoji)?)
            .put_some("icon_url", render.text(&self.icon_url)?)
            .put_some("link_names", self.link_names)
            .put_some("text", render.text(&self.message_text)?)
            .put("attachments", vec![attachment])
            .put_some("ts", edited)
            .build();
        let mut request = body::request("POST", url, &message);
        if !token.is_empty() {
            request
                .headers
                .push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        Ok(Outgoing::Http(request))
    }

    fn attachment(&self, render: &Render<'_>) -> Result<Json, Error> {
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let field = Object::new()
                .put_some("title", render.text(&field.title)?)
                .put_some("value", render.text(&field.value)?)
                .put("short", field.short.unwrap_or(self.short_fields));
            fields.push(field.build());
        }
        let mut actions = Vec::with_capacity(self.actions.len());
        for action in &self.actions {
            actions.push(action.build(render)?);
        }
        let markdown: Vec<Json> = if self.mrkdwn_in.is_empty() {
            vec!["fallback".into(), "pretext".into(), "text".into()]
        } else {
            self.mrkdwn_in
                .iter()
                .map(|name| name.as_str().into())
                .collect()
        };
        let title = truncate_runes(&render.text(&self.title)?, TITLE_MAX);
        Ok(Object::new()
            .put_some("title", title)
            .put_some("title_link", render.text(&self.title_link)?)
            .put_some("pretext", render.text(&self.pretext)?)
            .put("text", render.text(&self.text)?)
            .put("fallback", render.text(&self.fallback)?)
            .put("callback_id", render.text(&self.callback_id)?)
            .put_some("fields", fields)
            .put_some("actions", actions)
            .put_some("image_url", render.text(&self.image_url)?)
            .put_some("thumb_url", render.text(&self.thumb_url)?)
            .put("footer", render.text(&self.footer)?)
            .put_some("color", render.text(&self.color)?)
            .put_some("mrkdwn_in", markdown)
            .build())
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        stage: &mut Stage,
        reply: Reply,
    ) -> Progress {
        let outcome = match status::check(reply, &[], ctx.now, status::body_text) {
            Ok(reply) => {
                let outcome = self.accepted(&reply);
                let refused = matches!(outcome.verdict, Verdict::GiveUp { .. });
                stage.step += 1;
                // compat: upstream gives up. A message that was deleted, or that may not be edited any more, must not
                // keep the group from being told.
                if refused
                    && stage.step == 1
                    && self.edited(ctx).is_some()
                    && let Ok(message) = self.message(ctx, notification, None)
                {
                    return Progress::Send(message);
                }
                outcome
            }
            Err(outcome) => outcome,
        };
        Progress::Finished(name_channel(outcome, ctx, notification, &self.channel))
    }

    /// Slack says "no" with status 200 too.
    fn accepted(&self, reply: &HttpReply) -> Outcome {
        let is_json = reply
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        if !is_json {
            return if reply.body == b"ok" {
                Outcome::delivered()
            } else {
                Outcome::give_up(format!(
                    "received an error response from Slack: {}",
                    status::body_text(reply)
                ))
            };
        }
        let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
            let body = quote(&status::body_text(reply));
            return Outcome::retry(format!("could not unmarshal JSON response {body}"), None);
        };
        let field = |name: &str| {
            answer
                .get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if answer.get("ok").is_some_and(|ok| !ok.is_boolean()) {
            let body = quote(&status::body_text(reply));
            return Outcome::retry(format!("could not unmarshal JSON response {body}"), None);
        }
        if answer.get("ok") != Some(&Json::Bool(true)) {
            let error = status::shorten(&field("error"));
            let reason = format!("error response from Slack: {error}");
            // compat: upstream gives up on these too; Slack asks to try again.
            return if TRANSIENT.contains(&&*error) {
                Outcome::retry(reason, None)
            } else {
                Outcome::give_up(reason)
            };
        }
        let (timestamp, channel) = (field("ts"), field("channel"));
        let mut outcome = Outcome::delivered();
        if self.update_message && !timestamp.is_empty() && !channel.is_empty() {
            outcome.keep = Some(Kept::SlackMessage { timestamp, channel });
        }
        outcome
    }
}

/// compat: reasons name the channel, of which the template is given.
pub(super) fn name_channel(
    mut outcome: Outcome,
    ctx: &NotifyContext<'_>,
    notification: &Notification,
    channel: &str,
) -> Outcome {
    let channel = Render::new(ctx, notification).text(channel);
    let channel = channel.unwrap_or_default();
    match &mut outcome.verdict {
        Verdict::Delivered => {}
        Verdict::Retry { reason, .. } | Verdict::GiveUp { reason } => {
            *reason = format!("channel {}: {reason}", quote(&channel));
        }
    }
    outcome
}
