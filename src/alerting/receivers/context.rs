//! What a receiver is given, and how it expands its texts.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::exchange::{Error, Kept};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;
use crate::model::{Alert, Labels};
use crate::template::notify::{AlertData, Data, TemplateSet};
use crate::time::WallTime;

/// Reads a file with a secret; the shell does it, the error is its text.
pub type ReadFile<'a> = dyn Fn(&Path) -> Result<String, String> + 'a;

/// Everything but the notification that a request depends on.
#[derive(Clone, Copy)]
pub struct NotifyContext<'a> {
    /// The templates.
    pub templates: &'a TemplateSet,
    /// The address of the user interface.
    pub external_url: &'a str,
    /// The time of the attempt.
    pub now: WallTime,
    /// What this integration remembers about the group.
    pub kept: Option<&'a Kept>,
    /// Reads files with secrets.
    pub read_file: &'a ReadFile<'a>,
    /// The host's name, for message ids.
    pub hostname: &'a str,
    /// A random number, for message ids and MIME boundaries.
    pub seed: u64,
    /// AWS credentials from the environment, for SNS without keys of its own.
    pub aws: Option<&'a super::sns::AwsCredentials>,
}

impl std::fmt::Debug for NotifyContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotifyContext")
            .field("now", &self.now)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// A notification on its way into a request.
pub(super) struct Render<'a> {
    pub ctx: &'a NotifyContext<'a>,
    pub notification: &'a Notification,
    pub data: Data,
}

impl<'a> Render<'a> {
    pub(super) fn new(ctx: &'a NotifyContext<'a>, notification: &'a Notification) -> Self {
        Self {
            ctx,
            notification,
            data: data(ctx, notification, &notification.alerts),
        }
    }

    /// With at most `max` alerts (0: all), and how many were left out.
    pub(super) fn truncated(
        ctx: &'a NotifyContext<'a>,
        notification: &'a Notification,
        max: usize,
    ) -> (Self, usize) {
        let all = &notification.alerts;
        let kept = match all.get(..max) {
            Some(first) if max > 0 => first,
            _ => all,
        };
        let render = Self {
            ctx,
            notification,
            data: data(ctx, notification, kept),
        };
        (render, all.len() - kept.len())
    }

    /// Expands a text.
    pub(super) fn text(&self, template: &str) -> Result<String, Error> {
        Ok(self
            .ctx
            .templates
            .text(template, &self.data, self.ctx.now)?)
    }

    /// Expands a text as HTML.
    pub(super) fn html(&self, template: &str) -> Result<String, Error> {
        Ok(self
            .ctx
            .templates
            .html(template, &self.data, self.ctx.now)?)
    }

    /// Whether any alert fires.
    pub(super) fn firing(&self) -> bool {
        self.data.status == "firing"
    }

    /// The hash of the group's key: what dedup keys are.
    pub(super) fn key_hash(&self) -> String {
        hex(&Sha256::digest(self.notification.group_key.as_bytes()))
    }

    /// A secret, from where it was given; surrounding white space of files is removed.
    pub(super) fn secret(&self, source: &SecretSource, what: &str) -> Result<String, Error> {
        match source {
            SecretSource::None => Ok(String::new()),
            SecretSource::Inline(secret) => Ok(secret.expose().to_owned()),
            SecretSource::Ref(_) => Err(Error::fatal(format!(
                "failed to read {what}: no secret manager can be configured"
            ))),
            SecretSource::File(path) => match (self.ctx.read_file)(path) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(why) => Err(Error::fatal(format!("failed to read {what}: {why}"))),
            },
        }
    }
}

/// The route's labels with their templates expanded, as the API shows them; one that cannot be expanded
/// stays as it is written.
pub fn expand_route_labels(
    ctx: &NotifyContext<'_>,
    notification: &Notification,
) -> Vec<(String, String)> {
    if notification.route_labels.is_empty() {
        return Vec::new();
    }
    let render = Render::new(ctx, notification);
    notification
        .route_labels
        .iter()
        .map(|(name, value)| {
            let expanded = render.text(value).unwrap_or_else(|_| value.clone());
            (name.clone(), expanded)
        })
        .collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn data(ctx: &NotifyContext<'_>, notification: &Notification, alerts: &[Alert]) -> Data {
    let alerts_data: Vec<AlertData> = alerts
        .iter()
        .map(|alert| alert_data(alert, ctx.now))
        .collect();
    let firing = alerts_data.iter().any(|alert| alert.status == "firing");
    Data {
        receiver: quote_meta(&notification.receiver),
        status: if firing { "firing" } else { "resolved" }.to_owned(),
        alerts: alerts_data,
        notification_reason: notification.reason.as_str().to_owned(),
        group_labels: notification.group_labels.clone(),
        common_labels: common(alerts, |alert| &alert.labels),
        common_annotations: common(alerts, |alert| &alert.annotations),
        route_labels: Labels::from_pairs(notification.route_labels.iter().map(|(n, v)| (n, v))),
        external_url: ctx.external_url.to_owned(),
    }
}

fn alert_data(alert: &Alert, now: WallTime) -> AlertData {
    AlertData {
        status: if alert.resolved_at(now) {
            "resolved"
        } else {
            "firing"
        }
        .to_owned(),
        labels: Some(alert.labels.clone()),
        annotations: Some(alert.annotations.clone()),
        starts_at: alert.starts_at,
        ends_at: alert.ends_at,
        generator_url: alert.generator_url.to_string(),
        fingerprint: format!("{:016x}", alert.labels.fingerprint()),
    }
}

/// What all alerts share.
fn common(alerts: &[Alert], set: impl Fn(&Alert) -> &Labels) -> Labels {
    let Some((first, rest)) = alerts.split_first() else {
        return Labels::empty();
    };
    let mut shared: Vec<(&str, &str)> = set(first).iter().collect();
    for alert in rest {
        if shared.is_empty() {
            break;
        }
        // Both are sorted by name: one walk.
        let mut own = set(alert).iter().peekable();
        shared.retain(|(name, value)| {
            while own.next_if(|(other, _)| other < name).is_some() {}
            own.peek() == Some(&(name, value))
        });
    }
    Labels::from_sorted_slice(&shared)
}

/// Go's `regexp.QuoteMeta`.
fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Upstream's `TruncateInRunes`.
pub(super) fn truncate_runes(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    if max <= 3 {
        return text.chars().take(max).collect();
    }
    let mut out: String = text.chars().take(max - 1).collect();
    out.push('…');
    out
}

/// Upstream's `TruncateInBytes`: whole characters, and the mark's three bytes within the bound.
pub(super) fn truncate_bytes(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    if max < 3 {
        return ".".repeat(max);
    }
    let mut end = max - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_upstream_cuts_them() {
        assert_eq!(truncate_runes("äöüß", 4), "äöüß");
        assert_eq!(truncate_runes("äöüßx", 4), "äöü…");
        assert_eq!(truncate_runes("abcd", 3), "abc");
        assert_eq!(truncate_bytes("äöü", 5), "ä…");
        assert_eq!(truncate_bytes("abc", 2), "..");
        assert_eq!(quote_meta("a.b+c"), "a\\.b\\+c");
    }
}
