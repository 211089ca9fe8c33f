use serde_json::Value as Json;

use super::context::{NotifyContext, Render};
use super::exchange::{Error, HttpReply, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, source};
use super::webhook::{max_alerts, message};
use super::{body, status};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const PAYLOAD_BYTES_MAX: usize = 512 * 1024;

/// incident.io.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentIo {
    /// Where to post.
    pub url: SecretSource,
    /// The alert source's token; it takes the place of what `http_config` says.
    pub alert_source_token: SecretSource,
    /// How many alerts at most; 0 for all.
    pub max_alerts: usize,
}

impl IncidentIo {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        Self {
            url: source(fields, "url"),
            alert_source_token: source(fields, "alert_source_token"),
            max_alerts: max_alerts(fields),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let (mut render, left_out) = Render::truncated(ctx, notification, self.max_alerts);
        let mut message_bytes = message(&render, "1", left_out);
        if message_bytes.len() > PAYLOAD_BYTES_MAX {
            // compat: the first alert stands for all, and the count of those left out stays as it was.
            render.data.alerts.truncate(1);
            message_bytes = message(&render, "1", left_out);
        }
        let url = render.secret(&self.url, "url_file")?;
        let token = render.secret(&self.alert_source_token, "alert_source_token_file")?;
        let mut request = body::request("POST", url, &Json::Null);
        request.body = message_bytes;
        if !token.is_empty() {
            request
                .headers
                .push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        Ok(Outgoing::Http(request))
    }

    pub(super) fn next(ctx: &NotifyContext<'_>, reply: Reply) -> Progress {
        Progress::Finished(match status::check(reply, &[], ctx.now, details) {
            Ok(_) => Outcome::delivered(),
            Err(outcome) => outcome,
        })
    }
}

/// What incident.io says about a refused alert.
fn details(reply: &HttpReply) -> String {
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        return String::new();
    };
    let text = |name: &str| answer.get(name).and_then(Json::as_str).unwrap_or_default();
    let errors: Vec<&str> = answer
        .get("errors")
        .and_then(Json::as_array)
        .map(|errors| errors.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    let parts = [
        text("message").to_owned(),
        text("error").to_owned(),
        errors.join(", "),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}
