//! Receivers: what is sent for a notification, and what does the answer mean?
//!
//! Everything here is pure. [`Integration::request`] makes the first request of a notification from the
//! alerts and the templates; the shell sends it and hands the answer to [`Integration::next`], which
//! says whether another request follows or how the notification ended. Answers come from outside:
//! whatever they hold, there is an outcome.
//!
//! Bodies are upstream's byte for byte: order of fields, escapes, what is left out when empty, where
//! texts are cut. Options come from a section of `alertmanager.yml` through [`Fields`].

mod body;
mod context;
mod discord;
mod email;
mod exchange;
mod fields;
mod incidentio;
mod jira;
mod mattermost;
mod msteams;
mod opsgenie;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod status;
mod telegram;
#[cfg(test)]
mod tests;
mod victorops;
mod webex;
mod webhook;
mod wechat;

pub use body::USER_AGENT;
pub use context::{NotifyContext, ReadFile, expand_route_labels};
pub use discord::Discord;
pub use email::{Email, Threading};
pub use exchange::{
    EmailAuth, EmailMessage, Error, HttpReply, HttpRequest, Kept, Outcome, Outgoing, Progress,
    Reply,
};
pub use fields::Fields;
pub use incidentio::IncidentIo;
pub use jira::Jira;
pub use mattermost::Mattermost;
pub use msteams::{MsTeams, MsTeamsV2};
pub use opsgenie::OpsGenie;
pub use pagerduty::PagerDuty;
pub use pushover::Pushover;
pub use rocketchat::RocketChat;
pub use slack::Slack;
pub use sns::{AwsCredentials, Sns};
pub use telegram::Telegram;
pub use victorops::VictorOps;
pub use webex::Webex;
pub use webhook::Webhook;
pub use wechat::WeChat;

use super::Notification;

/// A way to tell somebody.
#[derive(Debug, Clone, PartialEq)]
pub enum Integration {
    /// Discord.
    Discord(Discord),
    /// E-mail.
    Email(Email),
    /// incident.io.
    IncidentIo(IncidentIo),
    /// Jira.
    Jira(Box<Jira>),
    /// Mattermost.
    Mattermost(Box<Mattermost>),
    /// Microsoft Teams, connectors.
    MsTeams(MsTeams),
    /// Microsoft Teams, workflows.
    MsTeamsV2(MsTeamsV2),
    /// OpsGenie.
    OpsGenie(Box<OpsGenie>),
    /// PagerDuty.
    PagerDuty(Box<PagerDuty>),
    /// Pushover.
    Pushover(Box<Pushover>),
    /// Rocket.Chat.
    RocketChat(Box<RocketChat>),
    /// Slack.
    Slack(Box<Slack>),
    /// Amazon SNS.
    Sns(Box<Sns>),
    /// Telegram.
    Telegram(Telegram),
    /// VictorOps.
    VictorOps(VictorOps),
    /// Webex.
    Webex(Webex),
    /// A webhook.
    Webhook(Webhook),
    /// WeChat Work.
    WeChat(Box<WeChat>),
}

/// Where a notification of several requests stands. Begins as `Stage::default()`, one per attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    step: usize,
    memory: Vec<String>,
}

impl Integration {
    /// Reads the options of a section of kind `webhook`, `slack`, ...; `None` for an unknown kind.
    pub fn read(kind: &str, fields: &dyn Fields) -> Option<Self> {
        Some(match kind {
            "discord" => Self::Discord(Discord::read(fields)),
            "email" => Self::Email(Email::read(fields)),
            "incidentio" => Self::IncidentIo(IncidentIo::read(fields)),
            "jira" => Self::Jira(Box::new(Jira::read(fields))),
            "mattermost" => Self::Mattermost(Box::new(Mattermost::read(fields))),
            "msteams" => Self::MsTeams(MsTeams::read(fields)),
            "msteamsv2" => Self::MsTeamsV2(MsTeamsV2::read(fields)),
            "opsgenie" => Self::OpsGenie(Box::new(OpsGenie::read(fields))),
            "pagerduty" => Self::PagerDuty(Box::new(PagerDuty::read(fields))),
            "pushover" => Self::Pushover(Box::new(Pushover::read(fields))),
            "rocketchat" => Self::RocketChat(Box::new(RocketChat::read(fields))),
            "slack" => Self::Slack(Box::new(Slack::read(fields))),
            "sns" => Self::Sns(Box::new(Sns::read(fields))),
            "telegram" => Self::Telegram(Telegram::read(fields)),
            "victorops" => Self::VictorOps(VictorOps::read(fields)),
            "webex" => Self::Webex(Webex::read(fields)),
            "webhook" => Self::Webhook(Webhook::read(fields)),
            "wechat" => Self::WeChat(Box::new(WeChat::read(fields))),
            _ => return None,
        })
    }

    /// The first request of a notification.
    pub fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        match self {
            Self::Discord(i) => i.request(ctx, notification),
            Self::Email(i) => i.request(ctx, notification),
            Self::IncidentIo(i) => i.request(ctx, notification),
            Self::Jira(i) => i.request(ctx, notification),
            Self::Mattermost(i) => i.request(ctx, notification),
            Self::MsTeams(i) => i.request(ctx, notification),
            Self::MsTeamsV2(i) => i.request(ctx, notification),
            Self::OpsGenie(i) => i.request(ctx, notification),
            Self::PagerDuty(i) => i.request(ctx, notification),
            Self::Pushover(i) => i.request(ctx, notification),
            Self::RocketChat(i) => i.request(ctx, notification),
            Self::Slack(i) => i.request(ctx, notification),
            Self::Sns(i) => i.request(ctx, notification),
            Self::Telegram(i) => i.request(ctx, notification),
            Self::VictorOps(i) => i.request(ctx, notification),
            Self::Webex(i) => i.request(ctx, notification),
            Self::Webhook(i) => i.request(ctx, notification),
            Self::WeChat(i) => i.request(ctx, notification),
        }
    }

    /// What follows a reply. `ctx` and `notification` are those of [`Integration::request`].
    pub fn next(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
        stage: &mut Stage,
        reply: Reply,
    ) -> Progress {
        let reply = if self.reads_answers() {
            reply.without_torn_success()
        } else {
            reply
        };
        match self {
            Self::Email(_) => Email::next(reply),
            Self::IncidentIo(_) => IncidentIo::next(ctx, reply),
            Self::Jira(i) => i.next(ctx, notification, stage, reply),
            Self::Mattermost(i) => i.next(ctx, notification, reply),
            Self::OpsGenie(i) => i.next(ctx, notification, stage, reply),
            Self::PagerDuty(i) => i.next(ctx, reply),
            Self::RocketChat(i) => i.next(ctx, notification, reply),
            Self::Slack(i) => i.next(ctx, notification, stage, reply),
            Self::Telegram(_) => Telegram::next(ctx, reply),
            Self::WeChat(i) => i.next(ctx, notification, stage, reply),
            Self::Discord(_)
            | Self::MsTeams(_)
            | Self::MsTeamsV2(_)
            | Self::Pushover(_)
            | Self::Sns(_)
            | Self::VictorOps(_)
            | Self::Webex(_)
            | Self::Webhook(_) => Webhook::next(ctx, reply),
        }
    }
}

impl Integration {
    /// Whether the body of an answer decides; for the others the status does.
    const fn reads_answers(&self) -> bool {
        matches!(
            self,
            Self::Jira(_)
                | Self::RocketChat(_)
                | Self::Slack(_)
                | Self::Telegram(_)
                | Self::WeChat(_)
        )
    }
}

/// The call of a built-in template: `{{ template "slack.default.title" . }}`.
fn template_call(kind: &str, name: &str) -> String {
    format!("{{{{ template \"{kind}.default.{name}\" . }}}}")
}

/// Appends to the path of an address, as upstream does, escaping what must be.
fn join_path(url: &str, path: &str) -> Result<String, Error> {
    let mut parsed =
        url::Url::parse(url).map_err(|e| Error::fatal(format!("invalid address: {e}")))?;
    let joined = format!("{}{path}", parsed.path());
    parsed.set_path(&joined);
    Ok(parsed.to_string())
}

/// Go's `url.Values.Encode`: sorted by name.
fn form<N: AsRef<str>>(pairs: Vec<(N, String)>) -> String {
    let mut pairs: Vec<(String, String)> = pairs
        .into_iter()
        .map(|(name, value)| (name.as_ref().to_owned(), value))
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let parts: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                crate::template::escape_query(name),
                crate::template::escape_query(value)
            )
        })
        .collect();
    parts.join("&")
}
