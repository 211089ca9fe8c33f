use serde_json::Value as Json;

use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, HttpReply, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, flag, source, text_or};
use super::{body, status};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;
use crate::time::Span;

const BYTES_MAX: usize = 1 << 15;
const MESSAGE_MAX: usize = 4096;
const TOO_LONG: &str = "Alertmanager notification could not be sent: message length exceeds Telegram limits.\n\t\t\tPlease check the template used for producing the message content.";

/// Telegram.
#[derive(Debug, Clone, PartialEq)]
pub struct Telegram {
    /// Where the API is.
    pub api_url: String,
    /// The bot's token; part of the address.
    pub bot_token: SecretSource,
    /// The chat.
    pub chat: Chat,
    /// The thread in the chat; none when 0.
    pub message_thread_id: i64,
    /// The message; a template.
    pub message: String,
    /// Whether devices stay quiet.
    pub disable_notifications: bool,
    /// `HTML`, `Markdown`, `MarkdownV2` or nothing.
    pub parse_mode: String,
}

/// Which chat to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chat {
    /// The chat's number.
    Id(i64),
    /// A file with the chat's number.
    File(SecretSource),
}

impl Telegram {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let chat = match source(fields, "chat_id") {
            file @ SecretSource::File(_) => Chat::File(file),
            _ => Chat::Id(fields.int("chat_id").unwrap_or(0)),
        };
        Self {
            api_url: text_or(fields, "api_url", "https://api.telegram.org"),
            bot_token: source(fields, "bot_token"),
            chat,
            message_thread_id: fields.int("message_thread_id").unwrap_or(0),
            message: text_or(
                fields,
                "message",
                &super::template_call("telegram", "message"),
            ),
            disable_notifications: flag(fields, "disable_notifications"),
            parse_mode: text_or(fields, "parse_mode", "HTML"),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let text = if self.parse_mode == "HTML" {
            let text = render.html(&self.message)?;
            // Cutting HTML would break it.
            if text.len() > BYTES_MAX || visible_length(&text) > MESSAGE_MAX {
                TOO_LONG.to_owned()
            } else {
                text
            }
        } else {
            truncate_runes(&render.text(&self.message)?, MESSAGE_MAX)
        };
        let chat = match &self.chat {
            Chat::Id(id) => *id,
            Chat::File(file) => {
                let text = render.secret(file, "chat_id_file")?;
                text.parse()
                    .map_err(|_| Error::fatal("could not parse chat_id from chat_id_file"))?
            }
        };
        let mut pairs: Vec<(String, Json)> = vec![
            ("chat_id".to_owned(), chat.to_string().into()),
            ("text".to_owned(), text.into()),
            ("disable_web_page_preview".to_owned(), "true".into()),
        ];
        if self.disable_notifications {
            pairs.push(("disable_notification".to_owned(), "true".into()));
        }
        if self.message_thread_id != 0 {
            let id = self.message_thread_id.to_string();
            pairs.push(("message_thread_id".to_owned(), id.into()));
        }
        if !self.parse_mode.is_empty() {
            pairs.push(("parse_mode".to_owned(), self.parse_mode.as_str().into()));
        }
        let token = render.secret(&self.bot_token, "bot_token_file")?;
        let api = self.api_url.trim_end_matches('/');
        Ok(body::post(
            format!("{api}/bot{token}/sendMessage"),
            &body::sorted(pairs),
        ))
    }

    pub(super) fn next(ctx: &NotifyContext<'_>, reply: Reply) -> Progress {
        let reply = match reply {
            Reply::Http(reply) => reply,
            other => {
                let failed = status::check(other, &[], ctx.now, status::body_text);
                return Progress::Finished(
                    failed
                        .err()
                        .unwrap_or_else(|| Outcome::give_up("no answer")),
                );
            }
        };
        Progress::Finished(judge(ctx, &reply))
    }
}

/// compat: upstream tries again whatever Telegram says.
fn judge(ctx: &NotifyContext<'_>, reply: &HttpReply) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        let body = status::body_text(reply);
        return Outcome::retry(
            format!("unexpected status code {}: {body}", reply.status),
            status::retry_after(reply, ctx.now),
        );
    };
    if answer.get("ok") == Some(&Json::Bool(true)) {
        return Outcome::delivered();
    }
    let description = answer
        .get("description")
        .and_then(Json::as_str)
        .unwrap_or("no description");
    let wait = answer
        .get("parameters")
        .and_then(|p| p.get("retry_after"))
        .and_then(Json::as_u64)
        .map(|seconds| Span::seconds(seconds.min(3600) as i64));
    Outcome::retry(
        format!(
            "telegram: {} ({})",
            status::shorten(description),
            reply.status
        ),
        wait.or_else(|| status::retry_after(reply, ctx.now)),
    )
}

/// The number of characters without tags; an entity counts as one.
fn visible_length(html: &str) -> usize {
    let (mut count, mut in_tag) = (0, false);
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            '&' => {
                count += 1;
                if let Some(end) = rest.find(';').filter(|end| *end <= 8)
                    && rest[..end]
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '#')
                {
                    rest = &rest[end + 1..];
                }
            }
            _ => count += 1,
        }
    }
    count
}
