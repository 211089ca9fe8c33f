//! Receivers: what is taken over from the global section, and what upstream refuses.

use super::schema::RECEIVERS;
use super::section::{self, Context, Section, Value};
use super::{Integration, Receiver};
use crate::model::Secret;
use crate::text::header::canonical_header;
use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Node};

const SLACK_APP_URL: &str = "https://slack.com/api/chat.postMessage";

/// Reads one receiver with its own checks.
pub(super) fn read(decoder: &Decoder, node: &Node, context: &mut Context<'_>) -> Receiver {
    let mut fields = decoder.fields(node, "config.plain");
    let name = fields.required_string("name", "missing name in receiver");
    let labels = fields.string_map("labels");
    let mut integrations = Vec::new();
    for (kind, key, schema) in RECEIVERS {
        for (index, item) in fields.sequence(key, key).iter().enumerate() {
            let before = decoder.count();
            let options = section::read(decoder, item, schema, context);
            // What could not be read is not checked further.
            if decoder.count() == before
                && let Err(why) = check(kind, &options)
            {
                decoder.fail(options.span, why);
            }
            // compat: only these four are quiet about ends unless told otherwise.
            let quiet = matches!(*kind, "email" | "slack" | "wechat" | "rocketchat");
            integrations.push(Integration {
                kind,
                index,
                send_resolved: options.flag("send_resolved").unwrap_or(!quiet),
                options,
            });
        }
    }
    fields.finish();
    Receiver {
        name,
        labels,
        integrations,
    }
}

/// Fills in what a receiver's section takes over from the global one.
pub(super) fn inherit(decoder: &Decoder, integration: &mut Integration, global: &Section) {
    let kind = integration.kind;
    let options = &mut integration.options;
    let span = options.span;
    let before = decoder.count();
    if options.is_null && !matches!(kind, "slack" | "opsgenie" | "wechat" | "rocketchat") {
        decoder.fail(span, format!("missing {kind} config"));
        return;
    }
    if let Err(why) = take_over(kind, options, global)
        && decoder.count() == before
    {
        decoder.fail(span, why);
    }
}

fn at_most_one(options: &Section, a: &str, b: &str) -> Result<(), String> {
    if options.is_given(a) && options.is_given(b) {
        return Err(format!("at most one of {a} & {b} must be configured"));
    }
    Ok(())
}

fn one_of(options: &Section, a: &str, b: &str) -> Result<(), String> {
    if !options.is_given(a) && !options.is_given(b) {
        return Err(format!("one of {a} or {b} must be configured"));
    }
    at_most_one(options, a, b)
}

fn required(options: &Section, name: &str, why: &str) -> Result<(), String> {
    if options.is_given(name) {
        Ok(())
    } else {
        Err(why.to_owned())
    }
}

fn has_authorization(options: &Section) -> bool {
    options
        .http("http_config")
        .is_some_and(|http| http.authorization.is_some())
}

/// The checks that upstream makes while it reads a section.
fn check(kind: &str, options: &Section) -> Result<(), String> {
    match kind {
        "webhook" => one_of(options, "url", "url_file"),
        "email" => check_email(options),
        "pagerduty" => check_pagerduty(options),
        "opsgenie" => check_opsgenie(options),
        "wechat" => check_wechat(options),
        "slack" => check_slack(options),
        "victorops" => check_victorops(options),
        "pushover" => check_pushover(options),
        "sns" => check_sns(options),
        "telegram" => check_telegram(options),
        "discord" | "msteams" | "msteamsv2" => one_of(options, "webhook_url", "webhook_url_file"),
        "webex" => {
            required(options, "room_id", "missing room_id on webex_config")?;
            if has_authorization(options) {
                return Ok(());
            }
            Err("missing webex_configs.http_config.authorization".to_owned())
        }
        "incidentio" => check_incidentio(options),
        "jira" => check_jira(options),
        "rocketchat" => {
            at_most_one(options, "token", "token_file")?;
            at_most_one(options, "token_id", "token_id_file")
        }
        "mattermost" => {
            at_most_one(options, "webhook_url", "webhook_url_file")?;
            check_titles(options.sections("fields"), "Mattermost")
        }
        _ => Ok(()),
    }
}

fn check_titles(fields: &[Section], product: &str) -> Result<(), String> {
    for field in fields {
        for name in ["title", "value"] {
            if !field.is_given(name) {
                return Err(format!("missing {name} in {product} field configuration"));
            }
        }
    }
    Ok(())
}

fn check_email(options: &Section) -> Result<(), String> {
    let mut seen = Vec::new();
    for (name, _) in options.map("headers") {
        let canonical = canonical_header(name);
        if seen.contains(&canonical) {
            return Err(format!(
                "duplicate header {} in email config",
                quote(&canonical)
            ));
        }
        seen.push(canonical);
    }
    required(options, "to", "missing to address in email config")?;
    let threading = options.section("threading");
    if threading.and_then(|t| t.flag("enabled")) == Some(true) {
        for header in ["References", "In-Reply-To"] {
            if seen.iter().any(|name| name == header) {
                return Err(format!(
                    "conflicting configuration: threading.enabled conflicts with custom {header} header"
                ));
            }
        }
        let by_date = threading.and_then(|t| t.text("thread_by_date"));
        if !matches!(by_date, Some("none" | "daily")) {
            return Err("threading.thread_by_date must be either 'none' or 'daily'".to_owned());
        }
    }
    Ok(())
}

fn check_pagerduty(options: &Section) -> Result<(), String> {
    let keys = [
        "routing_key",
        "service_key",
        "routing_key_file",
        "service_key_file",
    ];
    if !keys.iter().any(|key| options.is_given(key)) {
        return Err("missing service or routing key in PagerDuty config".to_owned());
    }
    at_most_one(options, "routing_key", "routing_key_file")?;
    at_most_one(options, "service_key", "service_key_file")
}

fn check_opsgenie(options: &Section) -> Result<(), String> {
    at_most_one(options, "api_key", "api_key_file")?;
    for responder in options.sections("responders") {
        let text = |name| responder.text(name).unwrap_or_default();
        let shown = format!(
            "{{{} {} {} {}}}",
            text("id"),
            text("name"),
            text("username"),
            text("type")
        );
        if !["id", "username", "name"]
            .iter()
            .any(|name| responder.is_given(name))
        {
            return Err(format!(
                "opsGenieConfig responder {shown} has to have at least one of id, username or name specified"
            ));
        }
        let kind = text("type").to_lowercase();
        let known = ["team", "teams", "user", "escalation", "schedule"];
        if !kind.contains("{{") && !known.contains(&kind.as_str()) {
            return Err(format!(
                "opsGenieConfig responder {shown} type does not match valid options ^(team|teams|user|escalation|schedule)$"
            ));
        }
    }
    Ok(())
}

fn check_wechat(options: &Section) -> Result<(), String> {
    let kind = options.text("message_type").unwrap_or_default();
    if !matches!(kind, "" | "text" | "markdown") {
        return Err(format!(
            "weChat message type {} does not match valid options ^(text|markdown)$",
            quote(kind)
        ));
    }
    at_most_one(options, "api_secret", "api_secret_file")
}

fn check_slack(options: &Section) -> Result<(), String> {
    at_most_one(options, "api_url", "api_url_file")?;
    at_most_one(options, "app_token", "app_token_file")?;
    let webhook = options.is_given("api_url") || options.is_given("api_url_file");
    let token = options.is_given("app_token") || options.is_given("app_token_file");
    if webhook && token {
        return Err(
            "at most one of api_url/api_url_file & app_token/app_token_file must be configured"
                .to_owned(),
        );
    }
    let bot_url = options
        .secret("api_url")
        .is_some_and(|url| url.expose() == SLACK_APP_URL);
    if options.flag("update_message") == Some(true) && !bot_url {
        return Err(format!(
            "update_message can only be used with bot tokens. api_url must be set to {SLACK_APP_URL}"
        ));
    }
    check_titles(options.sections("fields"), "Slack")?;
    for action in options.sections("actions") {
        if !action.is_given("url") && !action.is_given("name") {
            return Err("missing name or url in Slack action configuration".to_owned());
        }
        for name in ["type", "text"] {
            if !action.is_given(name) {
                return Err(format!("missing {name} in Slack action configuration"));
            }
        }
        if let Some(confirm) = action.section("confirm") {
            required(
                confirm,
                "text",
                "missing text in Slack confirmation configuration",
            )?;
        }
    }
    Ok(())
}

fn check_victorops(options: &Section) -> Result<(), String> {
    required(
        options,
        "routing_key",
        "missing Routing key in VictorOps config",
    )?;
    at_most_one(options, "api_key", "api_key_file")?;
    let reserved = [
        "routing_key",
        "message_type",
        "state_message",
        "entity_display_name",
        "monitoring_tool",
        "entity_id",
        "entity_state",
    ];
    for (name, _) in options.map("custom_fields") {
        if reserved.contains(&name.as_str()) {
            return Err(format!(
                "victorOps config contains custom field {name} which cannot be used as it conflicts with the fixed/static fields"
            ));
        }
    }
    Ok(())
}

fn check_pushover(options: &Section) -> Result<(), String> {
    one_of(options, "user_key", "user_key_file")?;
    one_of(options, "token", "token_file")?;
    if options.flag("html") == Some(true) && options.flag("monospace") == Some(true) {
        return Err("at most one of monospace & html must be configured".to_owned());
    }
    Ok(())
}

fn check_sns(options: &Section) -> Result<(), String> {
    let missing = |name: &str| !options.is_given(name);
    // compat: upstream's chain of "differs" lets one or all three through.
    if (missing("target_arn") != missing("topic_arn")) != missing("phone_number") {
        return Err(
            "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config"
                .to_owned(),
        );
    }
    let sigv4 = options.section("sigv4");
    let given = |name: &str| sigv4.is_some_and(|section| section.is_given(name));
    if given("access_key") != given("secret_key") {
        return Err("must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config".to_owned());
    }
    Ok(())
}

fn check_telegram(options: &Section) -> Result<(), String> {
    at_most_one(options, "bot_token", "bot_token_file")?;
    let chat = options.int("chat_id").unwrap_or(0) != 0;
    match (chat, options.is_given("chat_id_file")) {
        (false, false) => {
            return Err("missing chat_id or chat_id_file on telegram_config".to_owned());
        }
        (true, true) => {
            return Err("at most one of chat_id & chat_id_file must be configured".to_owned());
        }
        _ => {}
    }
    let mode = options.text("parse_mode").unwrap_or_default();
    if !matches!(mode, "" | "Markdown" | "MarkdownV2" | "HTML") {
        return Err("unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string".to_owned());
    }
    Ok(())
}

fn check_incidentio(options: &Section) -> Result<(), String> {
    one_of(options, "url", "url_file")?;
    at_most_one(options, "alert_source_token", "alert_source_token_file")?;
    let token =
        options.is_given("alert_source_token") || options.is_given("alert_source_token_file");
    if has_authorization(options) && token {
        return Err("cannot specify alert_source_token or alert_source_token_file when using http_config.authorization".to_owned());
    }
    // compat: without an http_config of its own upstream does not ask.
    if options.has("http_config") && !has_authorization(options) && !token {
        return Err("at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured".to_owned());
    }
    Ok(())
}

fn check_jira(options: &Section) -> Result<(), String> {
    required(options, "project", "missing project in jira_config")?;
    required(options, "issue_type", "missing issue_type in jira_config")?;
    if !matches!(
        options.text("api_type"),
        None | Some("auto" | "cloud" | "datacenter")
    ) {
        return Err(
            "unknown api_type on jira_config, must be auto, cloud or datacenter".to_owned(),
        );
    }
    Ok(())
}

/// Takes over what a section does not say, and refuses where neither says it.
fn take_over(kind: &str, options: &mut Section, global: &Section) -> Result<(), String> {
    if kind == "email" {
        return email(options, global);
    }
    let own_http = options.has("http_config");
    options.inherit("http_config", global, "http_config");
    match kind {
        "slack" => slack(options, global, own_http)?,
        "pagerduty" => options.inherit("url", global, "pagerduty_url"),
        "opsgenie" => {
            options.inherit("api_url", global, "opsgenie_api_url");
            options.inherit("api_key", global, "opsgenie_api_key");
            options.inherit("api_key_file", global, "opsgenie_api_key_file");
            if !options.is_given("api_key") && !options.is_given("api_key_file") {
                return Err("no global OpsGenie API Key set either inline or in a file".to_owned());
            }
        }
        "wechat" => {
            options.inherit("api_url", global, "wechat_api_url");
            if !options.is_given("api_secret") && !options.is_given("api_secret_file") {
                options.inherit("api_secret", global, "wechat_api_secret");
                options.inherit("api_secret_file", global, "wechat_api_secret_file");
            }
            if !options.is_given("api_secret") && !options.is_given("api_secret_file") {
                return Err("no global Wechat Api Secret set either inline or in a file".to_owned());
            }
            options.inherit("corp_id", global, "wechat_api_corp_id");
            required(options, "corp_id", "no global Wechat CorpID set")?;
        }
        "victorops" => {
            options.inherit("api_url", global, "victorops_api_url");
            options.inherit("api_key", global, "victorops_api_key");
            options.inherit("api_key_file", global, "victorops_api_key_file");
            if !options.is_given("api_key") && !options.is_given("api_key_file") {
                return Err("no global VictorOps API Key set".to_owned());
            }
        }
        "telegram" => {
            options.inherit("api_url", global, "telegram_api_url");
            if !options.is_given("bot_token") && !options.is_given("bot_token_file") {
                options.inherit("bot_token", global, "telegram_bot_token");
                options.inherit("bot_token_file", global, "telegram_bot_token_file");
            }
            if !options.is_given("bot_token") && !options.is_given("bot_token_file") {
                return Err("missing bot_token or bot_token_file on telegram_config".to_owned());
            }
        }
        "webex" => options.inherit("api_url", global, "webex_api_url"),
        "jira" => {
            options.inherit("api_url", global, "jira_api_url");
            required(options, "api_url", "no global Jira Cloud URL set")?;
        }
        "rocketchat" => {
            options.inherit("api_url", global, "rocketchat_api_url");
            for (own, file, what) in [
                ("token_id", "token_id_file", "TokenID"),
                ("token", "token_file", "Token"),
            ] {
                options.inherit(own, global, &format!("rocketchat_{own}"));
                options.inherit(file, global, &format!("rocketchat_{file}"));
                if !options.is_given(own) && !options.is_given(file) {
                    return Err(format!(
                        "no global Rocketchat {what} set either inline or in a file"
                    ));
                }
            }
        }
        "mattermost" => {
            if !options.is_given("webhook_url") && !options.is_given("webhook_url_file") {
                options.inherit("webhook_url", global, "mattermost_webhook_url");
                options.inherit("webhook_url_file", global, "mattermost_webhook_url_file");
            }
            if !options.is_given("webhook_url") && !options.is_given("webhook_url_file") {
                return Err(
                    "missing webhook_url or webhook_url_file on mattermost_config".to_owned(),
                );
            }
        }
        _ => {}
    }
    Ok(())
}

fn email(options: &mut Section, global: &Section) -> Result<(), String> {
    options.inherit("tls_config", global, "smtp_tls_config");
    options.inherit("smarthost", global, "smtp_smarthost");
    required(options, "smarthost", "no global SMTP smarthost set")?;
    options.inherit("from", global, "smtp_from");
    required(options, "from", "no global SMTP from set")?;
    options.inherit("hello", global, "smtp_hello");
    options.inherit("auth_username", global, "smtp_auth_username");
    if !options.is_given("auth_password") && !options.is_given("auth_password_file") {
        options.inherit("auth_password", global, "smtp_auth_password");
        options.inherit("auth_password_file", global, "smtp_auth_password_file");
    }
    options.inherit("auth_secret", global, "smtp_auth_secret");
    options.inherit("auth_secret_file", global, "smtp_auth_secret_file");
    options.inherit("auth_identity", global, "smtp_auth_identity");
    options.inherit("require_tls", global, "smtp_require_tls");
    options.inherit("force_implicit_tls", global, "smtp_force_implicit_tls");
    Ok(())
}

fn slack(options: &mut Section, global: &Section, own_http: bool) -> Result<(), String> {
    options.inherit("app_url", global, "slack_app_url");
    let own_token = options.is_given("app_token") || options.is_given("app_token_file");
    // compat: a webhook address or an Authorization header of its own keeps the global token away.
    let own_authorization = own_http && has_authorization(options);
    if !own_token && !own_authorization && !options.is_given("api_url") {
        options.inherit("app_token", global, "slack_app_token");
        options.inherit("app_token_file", global, "slack_app_token_file");
    }
    if !options.is_given("api_url") && !options.is_given("api_url_file") {
        options.inherit("api_url", global, "slack_api_url");
        options.inherit("api_url_file", global, "slack_api_url_file");
    }
    let token = options.is_given("app_token") || options.is_given("app_token_file");
    if !token && !options.is_given("api_url") && !options.is_given("api_url_file") {
        return Err("no Slack API URL nor App token set either inline or in a file".to_owned());
    }
    if token {
        if has_authorization(options) {
            return Err("http authorization can't be set when using Slack App tokens".to_owned());
        }
        let url = options.text("app_url").unwrap_or(SLACK_APP_URL).to_owned();
        options.set("api_url", Value::Secret(Secret::new(url)));
    }
    Ok(())
}
