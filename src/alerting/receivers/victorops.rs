use serde_json::Value as Json;

use super::context::{NotifyContext, Render, truncate_runes};
use super::exchange::{Error, Outgoing};
use super::fields::{Fields, source, text, text_or};
use super::{body, join_path};
use crate::alerting::Notification;
use crate::model::http_client::SecretSource;

const MESSAGE_MAX: usize = 20_480;

/// VictorOps, now Splunk On-Call.
#[derive(Debug, Clone, PartialEq)]
pub struct VictorOps {
    /// The key; part of the address.
    pub api_key: SecretSource,
    /// Where the API is.
    pub api_url: String,
    /// Part of the address too; a template, as all texts below.
    pub routing_key: String,
    /// `CRITICAL` unless `WARNING` or `INFO`.
    pub message_type: String,
    /// The message.
    pub state_message: String,
    /// The incident's name.
    pub entity_display_name: String,
    /// Who sends.
    pub monitoring_tool: String,
    /// More fields.
    pub custom_fields: Vec<(String, String)>,
}

impl VictorOps {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let default = |name: &str| text_or(fields, name, &super::template_call("victorops", name));
        Self {
            api_key: source(fields, "api_key"),
            api_url: text_or(
                fields,
                "api_url",
                "https://alert.victorops.com/integrations/generic/20131114/alert/",
            ),
            routing_key: text(fields, "routing_key"),
            message_type: text_or(fields, "message_type", "CRITICAL"),
            state_message: default("state_message"),
            entity_display_name: default("entity_display_name"),
            monitoring_tool: default("monitoring_tool"),
            custom_fields: fields.map("custom_fields").to_vec(),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let key = render.secret(&self.api_key, "API key from file")?;
        let route = render.text(&self.routing_key)?;
        let url = join_path(&self.api_url, &format!("{key}/{route}"))?;
        let mut kind = render.text(&self.message_type)?;
        if !render.firing() {
            "RECOVERY".clone_into(&mut kind);
        } else if !matches!(kind.as_str(), "INFO" | "WARNING" | "CRITICAL") {
            "CRITICAL".clone_into(&mut kind);
        }
        let message = truncate_runes(&render.text(&self.state_message)?, MESSAGE_MAX);
        let mut pairs: Vec<(String, Json)> = vec![
            ("message_type".to_owned(), kind.into()),
            ("entity_id".to_owned(), render.key_hash().into()),
            (
                "entity_display_name".to_owned(),
                render.text(&self.entity_display_name)?.into(),
            ),
            ("state_message".to_owned(), message.into()),
            (
                "monitoring_tool".to_owned(),
                render.text(&self.monitoring_tool)?.into(),
            ),
        ];
        for (name, template) in &self.custom_fields {
            pairs.push((name.clone(), render.text(template)?.into()));
        }
        Ok(body::post(url, &body::sorted(pairs)))
    }
}
