use super::body::USER_AGENT;
use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpRequest, Outgoing};
use super::fields::{Fields, flag, source, text, text_or};
use super::form;
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const URL: &str = "https://api.pushover.net/1/messages.json";
const TITLE_MAX: usize = 250;
const MESSAGE_MAX: usize = 1024;
const URL_MAX: usize = 512;
const SECOND: i64 = 1_000_000_000;

/// Pushover.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushover {
    /// Who is told; a template.
    pub user_key: SecretSource,
    /// The application; a template.
    pub token: SecretSource,
    /// The title; a template, as all texts below.
    pub title: String,
    /// The message.
    pub message: String,
    /// A link.
    pub url: String,
    /// The link's text.
    pub url_title: String,
    /// The device.
    pub device: String,
    /// The sound.
    pub sound: String,
    /// The priority: 2 while firing unless given.
    pub priority: String,
    /// How often an emergency is repeated, in seconds: 60 unless given.
    pub retry_s: i64,
    /// When an emergency ends, in seconds: 3600 unless given.
    pub expire_s: i64,
    /// When the message vanishes, in seconds; never when 0.
    pub ttl_s: i64,
    /// Whether the message is HTML.
    pub html: bool,
    /// Whether the message is shown with letters of one width.
    pub monospace: bool,
}

impl Pushover {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("pushover", name));
        let seconds =
            |name: &str, default: i64| fields.nanoseconds(name).map_or(default, |ns| ns / SECOND);
        Self {
            user_key: source(fields, "user_key"),
            token: source(fields, "token"),
            title: default("title"),
            message: default("message"),
            url: default("url"),
            url_title: text(fields, "url_title"),
            device: text(fields, "device"),
            sound: text(fields, "sound"),
            priority: text_or(
                fields,
                "priority",
                "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}",
            ),
            retry_s: seconds("retry", 60),
            expire_s: seconds("expire", 3600),
            ttl_s: seconds("ttl", 0),
            html: flag(fields, "html"),
            monospace: flag(fields, "monospace"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let message = if self.html {
            render.html(&self.message)?
        } else {
            render.text(&self.message)?
        };
        let message = truncate_runes(&message, MESSAGE_MAX);
        let message = match message.trim() {
            // Pushover refuses empty messages.
            "" => "(no details)",
            text => text,
        };
        let title = truncate_runes(&render.text(&self.title)?, TITLE_MAX);
        let link = truncate_runes(&render.text(&self.url)?, URL_MAX);
        let mut pairs = vec![
            (
                "token",
                render.text(&render.secret(&self.token, "token_file")?)?,
            ),
            (
                "user",
                render.text(&render.secret(&self.user_key, "user_key_file")?)?,
            ),
            ("title", title),
            ("message", message.to_owned()),
            ("url", link),
            ("url_title", render.text(&self.url_title)?),
            ("priority", render.text(&self.priority)?),
            ("retry", self.retry_s.to_string()),
            ("expire", self.expire_s.to_string()),
            ("device", render.text(&self.device)?),
            ("sound", render.text(&self.sound)?),
        ];
        if self.html {
            pairs.push(("html", "1".to_owned()));
        }
        if self.monospace {
            pairs.push(("monospace", "1".to_owned()));
        }
        if self.ttl_s > 0 {
            pairs.push(("ttl", self.ttl_s.to_string()));
        }
        Ok(Outgoing::Http(HttpRequest {
            method: "POST",
            url: format!("{URL}?{}", form(pairs)),
            headers: vec![
                ("User-Agent".to_owned(), USER_AGENT.to_owned()),
                ("Content-Type".to_owned(), "text/plain".to_owned()),
            ],
            body: Vec::new(),
        }))
    }
}
