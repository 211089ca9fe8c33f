//! E-mail: the whole message, and how to hand it over.

mod address;
mod mime;

use super::context::{NotifyContext, Render};
use super::exchange::{EmailAuth, EmailMessage, Error, Outcome, Outgoing, Progress, Reply};
use super::fields::{Fields, source, text, text_or};
use crate::alerting::Notification;
use crate::model::Secret;
use crate::model::http_client::SecretSource;
use crate::template::gotime::Time;
use crate::text::header::canonical_header;
use crate::text::quote::quote;

/// E-mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Email {
    /// The recipients; a template.
    pub to: String,
    /// The sender; a template.
    pub from: String,
    /// The name for EHLO.
    pub hello: String,
    /// The server, as `host:port`.
    pub smarthost: String,
    /// Who logs in; nobody when empty.
    pub auth_username: String,
    /// The password for PLAIN and LOGIN.
    pub auth_password: SecretSource,
    /// The secret for CRAM-MD5.
    pub auth_secret: SecretSource,
    /// For PLAIN: who to act as.
    pub auth_identity: String,
    /// Header fields, canonical names, values being templates; sorted.
    pub headers: Vec<(String, String)>,
    /// The HTML part; none when empty.
    pub html: String,
    /// The text part; none when empty.
    pub text: String,
    /// Whether STARTTLS must succeed.
    pub require_tls: bool,
    /// Whether TLS begins with the connection; decided by the port when not given: 465 is.
    pub force_implicit_tls: Option<bool>,
    /// Whether mails of a group form a thread, and whether a new one begins each day.
    pub threading: Option<Threading>,
}

/// How mails of a group are put in threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threading {
    /// One thread per group.
    Group,
    /// One thread per group and day.
    Daily,
}

impl Email {
    /// Reads the options.
    pub(super) fn read(fields: &dyn Fields) -> Self {
        let mut headers: Vec<(String, String)> = fields
            .map("headers")
            .iter()
            .map(|(name, value)| (canonical_header(name), value.clone()))
            .collect();
        let (to, from) = (text(fields, "to"), text(fields, "from"));
        let subject = super::template_call("email", "subject");
        for (name, template) in [("Subject", &subject), ("To", &to), ("From", &from)] {
            if !headers.iter().any(|(given, _)| given == name) {
                headers.push((name.to_owned(), template.clone()));
            }
        }
        headers.sort();
        let threading = fields
            .section("threading")
            .filter(|t| t.flag("enabled") == Some(true));
        Self {
            to,
            from,
            hello: text(fields, "hello"),
            smarthost: text(fields, "smarthost"),
            auth_username: text(fields, "auth_username"),
            auth_password: source(fields, "auth_password"),
            auth_secret: source(fields, "auth_secret"),
            auth_identity: text(fields, "auth_identity"),
            headers,
            html: text_or(fields, "html", &super::template_call("email", "html")),
            text: text(fields, "text"),
            require_tls: fields.flag("require_tls").unwrap_or(true),
            force_implicit_tls: fields.flag("force_implicit_tls"),
            threading: threading.map(|t| {
                if t.text("thread_by_date") == Some("none") {
                    Threading::Group
                } else {
                    Threading::Daily
                }
            }),
        }
    }

    pub(super) fn request(
        &self,
        ctx: &NotifyContext<'_>,
        notification: &Notification,
    ) -> Result<Outgoing, Error> {
        let render = Render::new(ctx, notification);
        let (host, port) = split_smarthost(&self.smarthost)?;
        let from = self.sender(&render)?;
        let to = render
            .text(&self.to)
            .map_err(|e| Error::fatal(format!("execute 'to' template: {e}")))?;
        let to = address::parse_list(&to)
            .ok_or_else(|| Error::fatal(format!("parse 'to' addresses: {}", quote(&to))))?;
        let data = self.message(&render)?;
        Ok(Outgoing::Email(Box::new(EmailMessage {
            implicit_tls: self.force_implicit_tls.unwrap_or(port == 465),
            require_tls: self.require_tls,
            host,
            port,
            hello: self.hello.clone(),
            auth: self.auth(&render)?,
            from,
            to,
            data,
        })))
    }

    fn sender(&self, render: &Render<'_>) -> Result<String, Error> {
        let from = render
            .text(&self.from)
            .map_err(|e| Error::fatal(format!("execute 'from' template: {e}")))?;
        let mut addresses = address::parse_list(&from)
            .ok_or_else(|| Error::fatal(format!("parse 'from' addresses: {}", quote(&from))))?;
        match (addresses.pop(), addresses.len()) {
            (Some(address), 0) => Ok(address),
            (_, others) => Err(Error::fatal(format!(
                "must be exactly one 'from' address (got: {})",
                others + 1
            ))),
        }
    }

    fn auth(&self, render: &Render<'_>) -> Result<Option<EmailAuth>, Error> {
        if self.auth_username.is_empty() {
            return Ok(None);
        }
        Ok(Some(EmailAuth {
            username: self.auth_username.clone(),
            identity: self.auth_identity.clone(),
            password: Secret::new(render.secret(&self.auth_password, "auth_password_file")?),
            secret: Secret::new(render.secret(&self.auth_secret, "auth_secret_file")?),
        }))
    }

    fn message(&self, render: &Render<'_>) -> Result<Vec<u8>, Error> {
        let ctx = render.ctx;
        let now = Time::from(ctx.now);
        let mut out = String::new();
        let field = |out: &mut String, name: &str, value: &str| {
            out.push_str(name);
            out.push_str(": ");
            out.push_str(value);
            out.push_str("\r\n");
        };
        for (name, template) in &self.headers {
            let value = render.text(template).map_err(|e| {
                Error::fatal(format!("execute {} header template: {e}", quote(name)))
            })?;
            field(&mut out, name, &mime::encode_header(&value));
        }
        if !self.headers.iter().any(|(name, _)| name == "Message-Id") {
            let id = format!("<{}.{}@{}>", ctx.now.as_ns(), ctx.seed, ctx.hostname);
            field(&mut out, "Message-Id", &id);
        }
        if let Some(threading) = self.threading {
            let day = match threading {
                Threading::Group => String::new(),
                Threading::Daily => now.format("2006-01-02"),
            };
            let hash = render.key_hash();
            let hash = hash.get(..16).unwrap_or(&hash);
            // A message that was never sent: mail programs gather its "answers".
            let root = format!("<alert-{hash}-{day}@alertmanager>");
            field(&mut out, "References", &root);
            field(&mut out, "In-Reply-To", &root);
        }
        field(
            &mut out,
            "Date",
            &now.format("Mon, 02 Jan 2006 15:04:05 -0700"),
        );
        let boundary = mime::boundary(ctx.seed, &render.notification.group_key);
        field(
            &mut out,
            "Content-Type",
            &format!("multipart/alternative;  boundary={boundary}"),
        );
        out.push_str("MIME-Version: 1.0\r\n\r\n");
        let mut parts = Vec::new();
        if !self.text.is_empty() {
            let text = render
                .text(&self.text)
                .map_err(|e| Error::fatal(format!("execute text template: {e}")))?;
            parts.push(("text/plain", text));
        }
        if !self.html.is_empty() {
            let html = render
                .html(&self.html)
                .map_err(|e| Error::fatal(format!("execute html template: {e}")))?;
            // The preferred form comes last.
            parts.push(("text/html", html));
        }
        out.push_str(&mime::multipart(&boundary, &parts));
        Ok(out.into_bytes())
    }

    pub(super) fn next(reply: Reply) -> Progress {
        Progress::Finished(match reply {
            Reply::MailAccepted => Outcome::delivered(),
            // compat: upstream tries again whatever the server said.
            Reply::MailRefused { reason, .. } | Reply::Failed { reason } => {
                Outcome::retry(reason, None)
            }
            Reply::Http(_) => Outcome::give_up("an HTTP server answered a mail"),
        })
    }
}

fn split_smarthost(text: &str) -> Result<(String, u16), Error> {
    let invalid = || Error::fatal(format!("invalid smarthost address {}", quote(text)));
    let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().map_err(|_| invalid())?;
    Ok((host.to_owned(), port))
}
