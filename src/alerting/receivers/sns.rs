use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::body::USER_AGENT;
use super::context::{NotifyContext, Render, hex, truncate_bytes, truncate_runes};
use super::exchange::{Error, HttpRequest, Outgoing};
use super::fields::{Fields, source, text, text_or};
use super::form;
use crate::alerting::Notification;
use crate::model::Secret;
use crate::model::http_client::SecretSource;
use crate::template::gotime::Time;

const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const SMS_MAX: usize = 1600;

/// Amazon SNS.
#[derive(Debug, Clone, PartialEq)]
pub struct Sns {
    /// Where the API is; the region's endpoint when empty. A template, as all texts below but the keys.
    pub api_url: String,
    /// The region.
    pub region: String,
    /// The key's id; the environment's credentials when empty.
    pub access_key: String,
    /// The key.
    pub secret_key: SecretSource,
    /// A role to assume; not supported.
    pub role_arn: String,
    /// The topic.
    pub topic_arn: String,
    /// The phone.
    pub phone_number: String,
    /// The mobile endpoint.
    pub target_arn: String,
    /// The subject of mails.
    pub subject: String,
    /// The message.
    pub message: String,
    /// Attributes, sorted by name.
    pub attributes: Vec<(String, String)>,
}

/// Credentials for AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The key's id.
    pub access_key: String,
    /// The key.
    pub secret_key: Secret,
    /// The token of temporary credentials; empty for others.
    pub session_token: Secret,
    /// The region; empty when not known.
    pub region: String,
}

impl Sns {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let sigv4 = fields.section("sigv4");
        let signing = |name: &str| sigv4.map(|s| text(s, name)).unwrap_or_default();
        let mut attributes = fields.map("attributes").to_vec();
        attributes.sort();
        Self {
            api_url: text(fields, "api_url"),
            region: signing("region"),
            access_key: signing("access_key"),
            secret_key: sigv4.map_or(SecretSource::None, |s| source(s, "secret_key")),
            role_arn: signing("role_arn"),
            topic_arn: text(fields, "topic_arn"),
            phone_number: text(fields, "phone_number"),
            target_arn: text(fields, "target_arn"),
            subject: text_or(fields, "subject", &super::template_call("sns", "subject")),
            message: text_or(fields, "message", &super::template_call("sns", "message")),
            attributes,
        }
    }

    fn credentials(&self, render: &Render<'_>) -> Result<AwsCredentials, Error> {
        if !self.role_arn.is_empty() {
            return Err(Error::fatal("sigv4.role_arn is not supported"));
        }
        let mut credentials = if self.access_key.is_empty() {
            render
                .ctx
                .aws
                .cloned()
                .ok_or_else(|| Error::fatal("no AWS credentials found"))?
        } else {
            AwsCredentials {
                access_key: self.access_key.clone(),
                secret_key: Secret::new(render.secret(&self.secret_key, "secret_key")?),
                session_token: Secret::default(),
                region: String::new(),
            }
        };
        if !self.region.is_empty() {
            credentials.region.clone_from(&self.region);
        }
        if credentials.region.is_empty() {
            return Err(Error::fatal(
                "region not configured in sigv4 or in default credentials chain",
            ));
        }
        Ok(credentials)
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let credentials = self.credentials(&render)?;
        let api_url = render.text(&self.api_url)?;
        let url = if api_url.is_empty() {
            format!("https://sns.{}.amazonaws.com/", credentials.region)
        } else {
            api_url
        };
        let body = form(self.parameters(&render)?);
        let headers = sign(&url, &body, &credentials, &Time::from(ctx.now))?;
        Ok(Outgoing::Http(HttpRequest {
            method: "POST",
            url,
            headers,
            body: body.into_bytes(),
        }))
    }

    fn parameters(&self, render: &Render<'_>) -> Result<Vec<(String, String)>, Error> {
        let mut pairs: Vec<(String, String)> = vec![
            ("Action".to_owned(), "Publish".to_owned()),
            ("Version".to_owned(), "2010-03-31".to_owned()),
        ];
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                pairs.push((name.to_owned(), value));
            }
        };
        let topic = render.text(&self.topic_arn)?;
        if topic
            .rsplit_once('.')
            .is_some_and(|(_, kind)| kind == "fifo")
        {
            put("MessageDeduplicationId", render.key_hash());
            put("MessageGroupId", render.key_hash());
        }
        put("TopicArn", topic);
        let phone = render.text(&self.phone_number)?;
        let text = render.text(&self.message)?;
        let cut = if phone.is_empty() {
            truncate_bytes(&text, MESSAGE_BYTES_MAX)
        } else {
            truncate_runes(&text, SMS_MAX)
        };
        let was_cut = cut != text;
        put("Message", cut);
        put("PhoneNumber", phone);
        put("TargetArn", render.text(&self.target_arn)?);
        put("Subject", render.text(&self.subject)?);
        let mut attributes = Vec::new();
        for (name, template) in &self.attributes {
            attributes.push((render.text(name)?, render.text(template)?));
        }
        if was_cut {
            attributes.push(("truncated".to_owned(), "true".to_owned()));
        }
        attributes.sort();
        for (i, (name, value)) in attributes.into_iter().enumerate() {
            let entry = format!("MessageAttributes.entry.{}", i + 1);
            pairs.push((format!("{entry}.Name"), name));
            pairs.push((format!("{entry}.Value.DataType"), "String".to_owned()));
            pairs.push((format!("{entry}.Value.StringValue"), value));
        }
        Ok(pairs)
    }
}

/// The header fields of a request that is signed with signature version 4.
fn sign(
    url: &str,
    body: &str,
    credentials: &AwsCredentials,
    now: &Time,
) -> Result<Vec<(String, String)>, Error> {
    const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
    let parsed = url::Url::parse(url).map_err(|e| Error::fatal(format!("invalid api_url: {e}")))?;
    let host = match (parsed.host_str(), parsed.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(Error::fatal("invalid api_url: no host")),
    };
    let stamp = now.format("20060102T150405Z");
    let day = stamp.get(..8).unwrap_or_default();
    let token = credentials.session_token.expose();
    let mut signed = vec![
        ("content-type", CONTENT_TYPE.to_owned()),
        ("host", host),
        ("x-amz-date", stamp.clone()),
    ];
    if !token.is_empty() {
        signed.push(("x-amz-security-token", token.to_owned()));
    }
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let fields: Vec<String> = signed
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let fields = fields.concat();
    let canonical = format!(
        "POST\n{}\n{}\n{fields}\n{names}\n{}",
        parsed.path(),
        parsed.query().unwrap_or_default(),
        hex(&Sha256::digest(body.as_bytes()))
    );
    let scope = format!("{day}/{}/sns/aws4_request", credentials.region);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{}", credentials.secret_key.expose()).into_bytes();
    for part in [day, &credentials.region, "sns", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &to_sign));
    let mut headers = vec![
        ("User-Agent".to_owned(), USER_AGENT.to_owned()),
        ("Content-Type".to_owned(), CONTENT_TYPE.to_owned()),
        ("X-Amz-Date".to_owned(), stamp),
        (
            "Authorization".to_owned(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                credentials.access_key
            ),
        ),
    ];
    if !token.is_empty() {
        headers.push(("X-Amz-Security-Token".to_owned(), token.to_owned()));
    }
    Ok(headers)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
