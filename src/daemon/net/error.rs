use std::io;

use rustls::{AlertDescription, CertificateError};
use thiserror::Error as ThisError;

/// Why a request was not answered. Texts follow Go's `net/http`, which is what users search for.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The options cannot be acted on; found before any request.
    #[error("{0}")]
    Options(String),
    /// The address is no URL of scheme http or https.
    #[error("{0}")]
    Url(String),
    /// A request failed for `cause`.
    #[error("{method} \"{url}\": {cause}")]
    Exchange {
        /// The method as Go prints it, `Get`.
        method: String,
        /// The address without its password.
        url: String,
        /// What went wrong.
        cause: Box<Error>,
        /// Whether the request had gone out by then, so that the peer may have acted on it.
        sent: bool,
    },
    /// The host's name leads nowhere.
    #[error("dial tcp: lookup {host}: {text}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver says.
        text: String,
    },
    /// No connection was made.
    #[error("dial tcp {address}: {text}")]
    Connect {
        /// Address and port.
        address: String,
        /// The system's reason.
        text: String,
    },
    /// The proxy refused, or could not be understood.
    #[error("{0}")]
    Proxy(String),
    /// The TLS handshake failed, or cannot be tried.
    #[error("tls: {0}")]
    Tls(String),
    /// The peer ended TLS.
    #[error("remote error: tls: {0}")]
    TlsAlert(String),
    /// The peer broke off or did not speak HTTP.
    #[error("{0}")]
    Protocol(String),
    /// The deadline passed.
    #[error("context deadline exceeded")]
    Timeout,
    /// The body reached the limit.
    #[error("body size limit exceeded")]
    BodyTooLarge,
    /// Too many redirects, or one to nowhere.
    #[error("{0}")]
    Redirect(String),
    /// A file with a secret could not be read.
    #[error("{0}")]
    Secret(String),
    /// The token endpoint did not give a token.
    #[error("oauth2: {0}")]
    Token(String),
}

impl Error {
    /// The innermost cause, without method and address.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Exchange { cause, .. } => cause.cause(),
            other => other,
        }
    }

    /// Whether the peer may have got the request all the same.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Exchange { sent: true, .. })
    }

    /// Whether the deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause(), Self::Timeout)
    }
}

/// An operating system's error as Go words it: lower case, without the number.
pub(in crate::daemon) fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text
        .find(" (os error")
        .map_or(text.as_str(), |at| &text[..at]);
    match text {
        "Connection refused" | "No route to host" | "Network is unreachable" => {
            format!("connect: {}", text.to_lowercase())
        }
        _ => {
            let mut chars = text.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_lowercase().chain(chars).collect()
            })
        }
    }
}

/// A failure of a TLS connection as Go words it.
pub(super) fn tls_error(error: &io::Error) -> Error {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(cause) = cause else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Protocol("EOF".to_owned()),
            _ => Error::Protocol(io_text(error)),
        };
    };
    match cause {
        rustls::Error::InvalidCertificate(why) => {
            Error::Tls(format!("failed to verify certificate: {}", x509_text(why)))
        }
        rustls::Error::InvalidMessage(_) => {
            Error::Tls("first record does not look like a TLS handshake".to_owned())
        }
        rustls::Error::AlertReceived(alert) => Error::TlsAlert(match alert {
            AlertDescription::UnknownCA => "unknown certificate authority".to_owned(),
            AlertDescription::ProtocolVersion => "protocol version not supported".to_owned(),
            other => words(&format!("{other:?}")),
        }),
        other => Error::Tls(other.to_string()),
    }
}

fn x509_text(why: &CertificateError) -> String {
    match why {
        // An authority of the same name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "x509: certificate signed by unknown authority".to_owned()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "x509: certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::NotValidForName => {
            "x509: certificate is not valid for this name".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<&str> = presented
                .iter()
                .map(|name| {
                    name.split_once("(\"")
                        .and_then(|(_, rest)| rest.strip_suffix("\")"))
                        .unwrap_or(name)
                })
                .collect();
            format!(
                "x509: certificate is valid for {}, not {}",
                names.join(", "),
                expected.to_str()
            )
        }
        other => match other.to_string() {
            // An authority that is not ours shows its own certificate.
            text if text.contains("CaUsedAsEndEntity") => {
                "x509: certificate signed by unknown authority".to_owned()
            }
            text => format!("x509: {text}"),
        },
    }
}

/// `BadCertificate` as `bad certificate`.
fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push(' ');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
