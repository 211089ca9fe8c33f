use std::io;

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
    },
    /// No connection was made.
    #[error("dial tcp {address}: {text}")]
    Connect {
        /// Host and port.
        address: String,
        /// The system's reason.
        text: String,
    },
    /// The proxy refused, or could not be understood.
    #[error("{0}")]
    Proxy(String),
    /// The TLS handshake failed.
    #[error("tls: {0}")]
    Tls(String),
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
