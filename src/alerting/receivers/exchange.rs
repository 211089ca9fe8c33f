//! What a receiver wants sent, what came back, and what that means.

use crate::alerting::Verdict;
use crate::model::Secret;
use crate::time::Span;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An HTTP request.
    Http(HttpRequest),
    /// An e-mail.
    Email(Box<EmailMessage>),
}

/// An HTTP request, complete but for what `http_config` adds.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// The address; it may hold secrets and must not be logged.
    pub url: String,
    /// Header fields in order, the content type among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Shows neither address nor header values: both may be secret.
impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An e-mail and how to hand it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailMessage {
    /// The smarthost's name.
    pub host: String,
    /// The smarthost's port.
    pub port: u16,
    /// The name for EHLO; `localhost` when empty, as Go has it.
    pub hello: String,
    /// How to authenticate; nothing when there is no user name.
    pub auth: Option<EmailAuth>,
    /// Whether the connection is encrypted from its first byte.
    pub implicit_tls: bool,
    /// Whether STARTTLS must succeed before anything is sent. Not asked on an implicit TLS connection.
    pub require_tls: bool,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The whole message: header fields, an empty line, the body. Lines end in CR LF.
    pub data: Vec<u8>,
}

/// Credentials for SMTP. Which mechanism is used depends on what the server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAuth {
    /// The user name.
    pub username: String,
    /// For PLAIN: who to act as.
    pub identity: String,
    /// The password for PLAIN and LOGIN.
    pub password: Secret,
    /// The secret for CRAM-MD5.
    pub secret: Secret,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An HTTP answer.
    Http(HttpReply),
    /// The mail server took the message.
    MailAccepted,
    /// The mail server did not take the message.
    MailRefused {
        /// What it said, without secrets.
        reason: String,
        /// Whether trying again may help.
        transient: bool,
    },
    /// There was no answer: no connection, a timeout.
    Failed {
        /// Why, without secrets.
        reason: String,
    },
}

impl Reply {
    /// Takes a success whose body did not come to its end for no answer.
    pub(super) fn without_torn_success(self) -> Self {
        match self {
            Self::Http(reply) if reply.status / 100 == 2 && !reply.whole => Self::Failed {
                reason: "the answer did not come to its end".to_owned(),
            },
            other => other,
        }
    }
}

/// An HTTP answer. Everything in it comes from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub whole: bool,
}

impl HttpReply {
    /// The first header field of a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How a notification goes on after a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Another request of the same notification.
    Send(Outgoing),
    /// The notification is over.
    Finished(Outcome),
}

/// How a notification ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was delivered.
    pub verdict: Verdict,
    /// What to remember for the group's next notification through this integration; `None` leaves what
    /// is remembered as it is.
    pub keep: Option<Kept>,
    /// Whether a request went out that nobody answered: it may have arrived all the same.
    pub unanswered: bool,
}

/// What an integration remembers about a group from one notification to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The Slack message that later notifications edit.
    SlackMessage {
        /// The message's `ts`.
        timestamp: String,
        /// The channel's id.
        channel: String,
    },
}

impl Outcome {
    /// Delivered, with nothing to remember.
    pub(super) const fn delivered() -> Self {
        Self {
            verdict: Verdict::Delivered,
            keep: None,
            unanswered: false,
        }
    }

    /// Not delivered; another attempt may succeed.
    pub(super) fn retry(reason: impl Into<String>, after: Option<Span>) -> Self {
        Self {
            verdict: Verdict::Retry {
                after,
                reason: reason.into(),
            },
            keep: None,
            unanswered: false,
        }
    }

    /// Not delivered, and another attempt would not help.
    pub(super) fn give_up(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::GiveUp {
                reason: reason.into(),
            },
            keep: None,
            unanswered: false,
        }
    }
}

/// Why a notification could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    /// What went wrong, without secrets.
    pub reason: String,
    /// Whether another attempt may succeed.
    pub retry: bool,
}

impl Error {
    /// An error that another attempt would meet again.
    pub(super) fn fatal(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: false,
        }
    }

    /// The error as the end of a notification.
    pub fn into_outcome(self) -> Outcome {
        if self.retry {
            Outcome::retry(self.reason, None)
        } else {
            Outcome::give_up(self.reason)
        }
    }
}

impl From<crate::template::Error> for Error {
    fn from(error: crate::template::Error) -> Self {
        Self::fatal(error.to_string())
    }
}
