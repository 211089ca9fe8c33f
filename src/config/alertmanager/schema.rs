//! What each receiver's section may hold: names and types of fields, as upstream's structs have them.

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Bool,
    Text,
    /// A text that is never shown.
    Secret,
    /// An http or https address.
    Url,
    /// An address that is never shown.
    SecretUrl,
    /// An address that may hold template actions and is never shown.
    TemplateUrl,
    Int,
    Uint,
    /// Prometheus's notation.
    Span,
    /// Go's notation.
    GoSpan,
    HostPort,
    Texts,
    /// Text to text.
    Map,
    /// Text to anything.
    AnyMap,
    Any,
    Http,
    Tls,
    Section(&'static Schema),
    Sections(&'static Schema),
    /// A text, taken for the named field, or the whole section.
    TextOr(&'static str, &'static Schema),
    /// A list of texts, taken for the named field, or the whole section.
    TextsOr(&'static str, &'static Schema),
}

/// A section's fields, with upstream's name of the struct for messages.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) type_name: &'static str,
    pub(super) fields: &'static [(&'static str, Type)],
}

use Type::{
    Any, AnyMap, Bool, GoSpan, HostPort, Http, Int, Map, Secret, SecretUrl, Section, Sections,
    Span, TemplateUrl, Text, TextOr, Texts, TextsOr, Tls, Uint, Url,
};

pub(super) const GLOBAL: Schema = Schema {
    type_name: "config.plain",
    fields: &[
        ("resolve_timeout", Span),
        ("http_config", Http),
        ("jira_api_url", Url),
        ("smtp_from", Text),
        ("smtp_hello", Text),
        ("smtp_smarthost", HostPort),
        ("smtp_auth_username", Text),
        ("smtp_auth_password", Secret),
        ("smtp_auth_password_file", Text),
        ("smtp_auth_secret", Secret),
        ("smtp_auth_secret_file", Text),
        ("smtp_auth_identity", Text),
        ("smtp_require_tls", Bool),
        ("smtp_tls_config", Tls),
        ("smtp_force_implicit_tls", Bool),
        ("slack_api_url", SecretUrl),
        ("slack_api_url_file", Text),
        ("slack_app_token", Secret),
        ("slack_app_token_file", Text),
        ("slack_app_url", Url),
        ("pagerduty_url", Url),
        ("opsgenie_api_url", Url),
        ("opsgenie_api_key", Secret),
        ("opsgenie_api_key_file", Text),
        ("wechat_api_url", Url),
        ("wechat_api_secret", Secret),
        ("wechat_api_secret_file", Text),
        ("wechat_api_corp_id", Text),
        ("victorops_api_url", Url),
        ("victorops_api_key", Secret),
        ("victorops_api_key_file", Text),
        ("telegram_api_url", Url),
        ("telegram_bot_token", Secret),
        ("telegram_bot_token_file", Text),
        ("webex_api_url", Url),
        ("rocketchat_api_url", Url),
        ("rocketchat_token", Secret),
        ("rocketchat_token_file", Text),
        ("rocketchat_token_id", Secret),
        ("rocketchat_token_id_file", Text),
        ("mattermost_webhook_url", SecretUrl),
        ("mattermost_webhook_url_file", Text),
    ],
};

/// The kinds of receivers in the order in which upstream builds their integrations: name of the
/// integration, key in the file, schema.
pub(super) const RECEIVERS: &[(&str, &str, &Schema)] = &[
    ("webhook", "webhook_configs", &WEBHOOK),
    ("email", "email_configs", &EMAIL),
    ("pagerduty", "pagerduty_configs", &PAGERDUTY),
    ("opsgenie", "opsgenie_configs", &OPSGENIE),
    ("wechat", "wechat_configs", &WECHAT),
    ("slack", "slack_configs", &SLACK),
    ("victorops", "victorops_configs", &VICTOROPS),
    ("pushover", "pushover_configs", &PUSHOVER),
    ("sns", "sns_configs", &SNS),
    ("telegram", "telegram_configs", &TELEGRAM),
    ("discord", "discord_configs", &DISCORD),
    ("webex", "webex_configs", &WEBEX),
    ("msteams", "msteams_configs", &MSTEAMS),
    ("msteamsv2", "msteamsv2_configs", &MSTEAMSV2),
    ("incidentio", "incidentio_configs", &INCIDENTIO),
    ("jira", "jira_configs", &JIRA),
    ("rocketchat", "rocketchat_configs", &ROCKETCHAT),
    ("mattermost", "mattermost_configs", &MATTERMOST),
];

const WEBHOOK: Schema = Schema {
    type_name: "webhook.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("url", TemplateUrl),
        ("url_file", Text),
        ("max_alerts", Uint),
        ("timeout", GoSpan),
        ("payload", Any),
    ],
};

const EMAIL: Schema = Schema {
    type_name: "email.plain",
    fields: &[
        ("send_resolved", Bool),
        ("to", Text),
        ("from", Text),
        ("hello", Text),
        ("smarthost", HostPort),
        ("auth_username", Text),
        ("auth_password", Secret),
        ("auth_password_file", Text),
        ("auth_secret", Secret),
        ("auth_secret_file", Text),
        ("auth_identity", Text),
        ("headers", Map),
        ("html", Text),
        ("text", Text),
        ("require_tls", Bool),
        ("tls_config", Tls),
        ("force_implicit_tls", Bool),
        ("threading", Section(&THREADING)),
    ],
};

const THREADING: Schema = Schema {
    type_name: "email.ThreadingConfig",
    fields: &[("enabled", Bool), ("thread_by_date", Text)],
};

const PAGERDUTY: Schema = Schema {
    type_name: "pagerduty.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("service_key", Secret),
        ("service_key_file", Text),
        ("routing_key", Secret),
        ("routing_key_file", Text),
        ("url", Url),
        ("client", Text),
        ("client_url", Text),
        ("description", Text),
        ("details", AnyMap),
        ("images", Sections(&PAGERDUTY_IMAGE)),
        ("links", Sections(&PAGERDUTY_LINK)),
        ("source", Text),
        ("severity", Text),
        ("class", Text),
        ("component", Text),
        ("group", Text),
        ("timeout", GoSpan),
    ],
};

const PAGERDUTY_IMAGE: Schema = Schema {
    type_name: "pagerduty.PagerdutyImage",
    fields: &[("src", Text), ("alt", Text), ("href", Text)],
};

const PAGERDUTY_LINK: Schema = Schema {
    type_name: "pagerduty.PagerdutyLink",
    fields: &[("href", Text), ("text", Text)],
};

const OPSGENIE: Schema = Schema {
    type_name: "opsgenie.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_key", Secret),
        ("api_key_file", Text),
        ("api_url", Url),
        ("message", Text),
        ("description", Text),
        ("source", Text),
        ("details", Map),
        ("entity", Text),
        ("responders", Sections(&OPSGENIE_RESPONDER)),
        ("actions", Text),
        ("tags", Text),
        ("note", Text),
        ("priority", Text),
        ("update_alerts", Bool),
    ],
};

const OPSGENIE_RESPONDER: Schema = Schema {
    type_name: "opsgenie.OpsGenieConfigResponder",
    fields: &[
        ("id", Text),
        ("name", Text),
        ("username", Text),
        ("type", Text),
    ],
};

const WECHAT: Schema = Schema {
    type_name: "wechat.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_secret", Secret),
        ("api_secret_file", Text),
        ("corp_id", Text),
        ("message", Text),
        ("api_url", Url),
        ("to_user", Text),
        ("to_party", Text),
        ("to_tag", Text),
        ("agent_id", Text),
        ("message_type", Text),
    ],
};

const SLACK: Schema = Schema {
    type_name: "slack.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", SecretUrl),
        ("api_url_file", Text),
        ("app_token", Secret),
        ("app_token_file", Text),
        ("app_url", Url),
        ("channel", Text),
        ("username", Text),
        ("color", Text),
        ("title", Text),
        ("title_link", Text),
        ("pretext", Text),
        ("text", Text),
        ("message_text", Text),
        ("fields", Sections(&SLACK_FIELD)),
        ("short_fields", Bool),
        ("footer", Text),
        ("fallback", Text),
        ("callback_id", Text),
        ("icon_emoji", Text),
        ("icon_url", Text),
        ("image_url", Text),
        ("thumb_url", Text),
        ("link_names", Bool),
        ("mrkdwn_in", Texts),
        ("actions", Sections(&SLACK_ACTION)),
        ("update_message", Bool),
        ("timeout", GoSpan),
    ],
};

const SLACK_FIELD: Schema = Schema {
    type_name: "slack.plain",
    fields: &[("title", Text), ("value", Text), ("short", Bool)],
};

const SLACK_ACTION: Schema = Schema {
    type_name: "slack.plain",
    fields: &[
        ("type", Text),
        ("text", Text),
        ("url", Text),
        ("style", Text),
        ("name", Text),
        ("value", Text),
        ("confirm", Section(&SLACK_CONFIRM)),
    ],
};

const SLACK_CONFIRM: Schema = Schema {
    type_name: "slack.plain",
    fields: &[
        ("text", Text),
        ("title", Text),
        ("ok_text", Text),
        ("dismiss_text", Text),
    ],
};

const VICTOROPS: Schema = Schema {
    type_name: "victorops.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_key", Secret),
        ("api_key_file", Text),
        ("api_url", Url),
        ("routing_key", Text),
        ("message_type", Text),
        ("state_message", Text),
        ("entity_display_name", Text),
        ("monitoring_tool", Text),
        ("custom_fields", Map),
    ],
};

const PUSHOVER: Schema = Schema {
    type_name: "pushover.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("user_key", Secret),
        ("user_key_file", Text),
        ("token", Secret),
        ("token_file", Text),
        ("title", Text),
        ("message", Text),
        ("url", Text),
        ("url_title", Text),
        ("device", Text),
        ("sound", Text),
        ("priority", Text),
        ("retry", GoSpan),
        ("expire", GoSpan),
        ("ttl", GoSpan),
        ("html", Bool),
        ("monospace", Bool),
    ],
};

const SNS: Schema = Schema {
    type_name: "sns.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", Text),
        ("sigv4", Section(&SIGV4)),
        ("topic_arn", Text),
        ("phone_number", Text),
        ("target_arn", Text),
        ("subject", Text),
        ("message", Text),
        ("attributes", Map),
        ("use_aws_http_client", Bool),
    ],
};

const SIGV4: Schema = Schema {
    type_name: "sigv4.plain",
    fields: &[
        ("region", Text),
        ("access_key", Text),
        ("secret_key", Secret),
        ("profile", Text),
        ("role_arn", Text),
        ("external_id", Text),
        ("use_fips_sts_endpoint", Bool),
    ],
};

const TELEGRAM: Schema = Schema {
    type_name: "telegram.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", Url),
        ("bot_token", Secret),
        ("bot_token_file", Text),
        ("chat_id", Int),
        ("chat_id_file", Text),
        ("message_thread_id", Int),
        ("message", Text),
        ("disable_notifications", Bool),
        ("parse_mode", Text),
        ("timeout", GoSpan),
    ],
};

const DISCORD: Schema = Schema {
    type_name: "discord.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("webhook_url", SecretUrl),
        ("webhook_url_file", Text),
        ("content", Text),
        ("title", Text),
        ("message", Text),
        ("username", Text),
        ("avatar_url", Text),
    ],
};

const WEBEX: Schema = Schema {
    type_name: "webex.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", Url),
        ("message", Text),
        ("room_id", Text),
    ],
};

const MSTEAMS: Schema = Schema {
    type_name: "msteams.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("webhook_url", SecretUrl),
        ("webhook_url_file", Text),
        ("title", Text),
        ("summary", Text),
        ("text", Text),
    ],
};

const MSTEAMSV2: Schema = Schema {
    type_name: "msteamsv2.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("webhook_url", SecretUrl),
        ("webhook_url_file", Text),
        ("title", Text),
        ("text", Text),
    ],
};

const INCIDENTIO: Schema = Schema {
    type_name: "incidentio.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("url", Url),
        ("url_file", Text),
        ("alert_source_token", Secret),
        ("alert_source_token_file", Text),
        ("max_alerts", Uint),
        ("timeout", GoSpan),
    ],
};

const JIRA: Schema = Schema {
    type_name: "jira.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", Url),
        ("api_type", Text),
        ("project", Text),
        ("summary", TextOr("template", &JIRA_FIELD)),
        ("description", TextOr("template", &JIRA_FIELD)),
        ("labels", TextsOr("values", &JIRA_LABELS)),
        ("priority", Text),
        ("issue_type", Text),
        ("reopen_transition", Text),
        ("resolve_transition", Text),
        ("wont_fix_resolution", Text),
        ("reopen_duration", Span),
        ("fields", AnyMap),
    ],
};

const JIRA_FIELD: Schema = Schema {
    type_name: "jira.plain",
    fields: &[("template", Text), ("enable_update", Bool)],
};

const JIRA_LABELS: Schema = Schema {
    type_name: "jira.plain",
    fields: &[("values", Texts), ("enable_update", Bool)],
};

const ROCKETCHAT: Schema = Schema {
    type_name: "rocketchat.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("api_url", Url),
        ("token_id", Secret),
        ("token_id_file", Text),
        ("token", Secret),
        ("token_file", Text),
        ("channel", Text),
        ("color", Text),
        ("title", Text),
        ("title_link", Text),
        ("text", Text),
        ("fields", Sections(&ROCKETCHAT_FIELD)),
        ("short_fields", Bool),
        ("emoji", Text),
        ("icon_url", Text),
        ("image_url", Text),
        ("thumb_url", Text),
        ("link_names", Bool),
        ("actions", Sections(&ROCKETCHAT_ACTION)),
    ],
};

const ROCKETCHAT_FIELD: Schema = Schema {
    type_name: "rocketchat.RocketchatAttachmentField",
    fields: &[("short", Bool), ("title", Text), ("value", Text)],
};

/// compat: these have no names of their own upstream, so the file uses Go's lowered field names.
const ROCKETCHAT_ACTION: Schema = Schema {
    type_name: "rocketchat.RocketchatAttachmentAction",
    fields: &[
        ("type", Text),
        ("text", Text),
        ("url", Text),
        ("imageurl", Text),
        ("iswebview", Bool),
        ("webviewheightratio", Text),
        ("msg", Text),
        ("msginchatwindow", Bool),
        ("msgprocessingtype", Text),
    ],
};

const MATTERMOST: Schema = Schema {
    type_name: "mattermost.plain",
    fields: &[
        ("send_resolved", Bool),
        ("http_config", Http),
        ("webhook_url", SecretUrl),
        ("webhook_url_file", Text),
        ("channel", Text),
        ("username", Text),
        ("text", Text),
        ("fallback", Text),
        ("color", Text),
        ("pretext", Text),
        ("author_name", Text),
        ("author_link", Text),
        ("author_icon", Text),
        ("title", Text),
        ("title_link", Text),
        ("fields", Sections(&MATTERMOST_FIELD)),
        ("thumb_url", Text),
        ("footer", Text),
        ("footer_icon", Text),
        ("image_url", Text),
        ("icon_url", Text),
        ("icon_emoji", Text),
        ("attachments", Sections(&MATTERMOST_ATTACHMENT)),
        ("type", Text),
        ("props", Section(&MATTERMOST_PROPS)),
        ("priority", Section(&MATTERMOST_PRIORITY)),
    ],
};

const MATTERMOST_FIELD: Schema = Schema {
    type_name: "mattermost.plain",
    fields: &[("title", Text), ("value", Text), ("short", Bool)],
};

const MATTERMOST_ATTACHMENT: Schema = Schema {
    type_name: "mattermost.MattermostAttachment",
    fields: &[
        ("fallback", Text),
        ("color", Text),
        ("pretext", Text),
        ("text", Text),
        ("author_name", Text),
        ("author_link", Text),
        ("author_icon", Text),
        ("title", Text),
        ("title_link", Text),
        ("fields", Sections(&MATTERMOST_FIELD)),
        ("thumb_url", Text),
        ("footer", Text),
        ("footer_icon", Text),
        ("image_url", Text),
    ],
};

const MATTERMOST_PROPS: Schema = Schema {
    type_name: "mattermost.MattermostProps",
    fields: &[("card", Text)],
};

const MATTERMOST_PRIORITY: Schema = Schema {
    type_name: "mattermost.MattermostPriority",
    fields: &[
        ("priority", Text),
        ("requested_ack", Bool),
        ("persistent_notifications", Bool),
    ],
};
