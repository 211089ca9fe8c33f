use std::fmt::Write as _;

use serde_json::Value as Json;

use super::body;
use super::context::{NotifyContext, Render};
use super::exchange::{Error, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, source};
use super::status;
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

/// A generic webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Where to post; a template.
    pub url: SecretSource,
    /// How many alerts at most; 0 for all.
    pub max_alerts: usize,
    /// A body of one's own, its texts being templates.
    pub payload: Option<Json>,
}

impl Webhook {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        Self {
            url: source(fields, "url"),
            max_alerts: max_alerts(fields),
            payload: fields.any("payload").filter(|p| !p.is_null()).cloned(),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let (render, left_out) = Render::truncated(ctx, notification, self.max_alerts);
        let url = render
            .text(&render.secret(&self.url, "url_file")?)
            .map_err(|e| Error::fatal(format!("failed to template webhook URL: {e}")))?;
        if url.is_empty() {
            return Err(Error::fatal("webhook URL is empty after templating"));
        }
        if let Some(payload) = &self.payload {
            return Ok(body::post(url, &body::expand_deep(&render, payload)?));
        }
        let message = message(&render, "4", left_out);
        let mut request = body::request("POST", url, &Json::Null);
        request.body = message;
        Ok(Outgoing::Http(request))
    }

    pub(super) fn next(ctx: &NotifyContext<'_>, reply: Reply) -> Progress {
        // compat: the reason names no body; receivers of all kinds answer here.
        Progress::Finished(
            match status::check(reply, &[], ctx.now, status::body_text) {
                Ok(_) => Outcome::delivered(),
                Err(outcome) => outcome,
            },
        )
    }
}

/// The `max_alerts` field.
pub(super) fn max_alerts(fields: &dyn Fields) -> usize {
    fields
        .int("max_alerts")
        .and_then(|max| usize::try_from(max).ok())
        .unwrap_or(0)
}

/// The message of webhooks and of incident.io: the template data and three fields more.
pub(super) fn message(render: &Render<'_>, version: &str, left_out: usize) -> Vec<u8> {
    let mut out = render.data.to_json();
    out.pop();
    out.push_str(",\"version\":");
    crate::template::write_json_string(&mut out, version);
    out.push_str(",\"groupKey\":");
    crate::template::write_json_string(&mut out, &render.notification.group_key);
    let _ = writeln!(out, ",\"truncatedAlerts\":{left_out}}}");
    out.into_bytes()
}
