use serde_json::Value as Json;

use super::body::{self, Object, USER_AGENT};
use super::context::{NotifyContext, Render};
use super::exchange::{Error, HttpReply, HttpRequest, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, source, text, text_or};
use super::{Stage, form, join_path, status};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

/// The code of an expired token.
const EXPIRED: i64 = 42_001;

/// WeChat Work: a token is fetched, then the message sent.
#[derive(Debug, Clone, PartialEq)]
pub struct WeChat {
    /// The secret; a template.
    pub api_secret: SecretSource,
    /// The company; a template, as all texts below.
    pub corp_id: String,
    /// Where the API is.
    pub api_url: String,
    /// The message.
    pub message: String,
    /// The users.
    pub to_user: String,
    /// The departments.
    pub to_party: String,
    /// The tags.
    pub to_tag: String,
    /// The application.
    pub agent_id: String,
    /// `text` or `markdown`.
    pub message_type: String,
}

impl WeChat {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("wechat", name));
        let kind = text(fields, "message_type");
        Self {
            api_secret: source(fields, "api_secret"),
            corp_id: text(fields, "corp_id"),
            api_url: text_or(fields, "api_url", "https://qyapi.weixin.qq.com/cgi-bin/"),
            message: default("message"),
            to_user: default("to_user"),
            to_party: default("to_party"),
            to_tag: default("to_tag"),
            agent_id: default("agent_id"),
            message_type: if kind.is_empty() {
                "text".to_owned()
            } else {
                kind
            },
        }
    }

    /// Asks for a token. compat: upstream keeps it for two hours; we ask each time.
    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let secret = render.text(&render.secret(&self.api_secret, "api_secret_file")?)?;
        let query = form(vec![
            ("corpsecret", secret),
            ("corpid", render.text(&self.corp_id)?),
        ]);
        let url = join_path(&self.api_url, "gettoken")?;
        Ok(Outgoing::Http(HttpRequest {
            method: "GET",
            url: format!("{url}?{query}"),
            headers: vec![("User-Agent".to_owned(), USER_AGENT.to_owned())],
            body: Vec::new(),
        }))
    }

    fn message(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        token: &str,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let content = render.text(&self.message)?;
        let is_markdown = self.message_type == "markdown";
        let part = |filled: bool| {
            let text = if filled { content.as_str() } else { "" };
            Object::new().put("content", text).build()
        };
        let message = Object::new()
            .put("text", part(!is_markdown))
            .put_some("touser", render.text(&self.to_user)?)
            .put_some("toparty", render.text(&self.to_party)?)
            .put_some("totag", render.text(&self.to_tag)?)
            .put_some("agentid", render.text(&self.agent_id)?)
            .put("safe", "0")
            .put("msgtype", self.message_type.as_str())
            .put("markdown", part(is_markdown));
        let url = join_path(&self.api_url, "message/send")?;
        let query = form(vec![("access_token", token.to_owned())]);
        Ok(body::post(format!("{url}?{query}"), &message.build()))
    }

    pub(super) fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        stage: &mut Stage,
        reply: Reply,
    ) -> Progress {
        let reply = match status::check(reply, &[], ctx.now, |_| String::new()) {
            Ok(reply) => reply,
            Err(outcome) => return Progress::Finished(outcome),
        };
        if stage.step > 0 {
            return Progress::Finished(judge(&reply));
        }
        stage.step = 1;
        let answer: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
        let token = answer
            .get("access_token")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if token.is_empty() {
            let reason = format!("invalid APISecret for CorpID: {}", self.corp_id);
            return Progress::Finished(Outcome::give_up(reason));
        }
        match self.message(ctx, notification, token) {
            Ok(outgoing) => Progress::Send(outgoing),
            Err(error) => Progress::Finished(error.into_outcome()),
        }
    }
}

fn judge(reply: &HttpReply) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        return Outcome::retry("could not unmarshal JSON response", None);
    };
    let text = answer
        .get("errmsg")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let text = status::shorten(text);
    // compat: an answer without a code is a success, one of the wrong type is none.
    match answer.get("errcode").map(Json::as_i64) {
        None | Some(Some(0)) if answer.is_object() => Outcome::delivered(),
        Some(Some(EXPIRED)) => Outcome::retry(text, None),
        Some(Some(_)) => Outcome::give_up(text),
        _ => Outcome::retry("could not unmarshal JSON response", None),
    }
}
