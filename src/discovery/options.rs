use crate::model::http_client::ClientOptions;
use crate::time::Span;

use super::TargetGroup;

/// What one entry of a `*_sd_configs` list asks for, checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Options {
    /// `static_configs`: all entries of a job together; sources are their indexes.
    Static(Vec<TargetGroup>),
    /// `file_sd_configs`
    File(FileOptions),
    /// `http_sd_configs`
    Http(Box<HttpOptions>),
    /// `dns_sd_configs`
    Dns(DnsOptions),
    /// A mechanism whose configuration is understood and checked but that cannot run yet.
    Unsupported {
        /// The section's name, such as `consul_sd_configs`.
        kind: &'static str,
    },
}

impl Options {
    /// The section's name in the configuration.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Static(_) => "static_configs",
            Self::File(_) => "file_sd_configs",
            Self::Http(_) => "http_sd_configs",
            Self::Dns(_) => "dns_sd_configs",
            Self::Unsupported { kind } => kind,
        }
    }
}

/// `file_sd_configs`: files that list targets.
#[derive(Debug, Clone, PartialEq)]
pub struct FileOptions {
    /// Patterns whose last part may hold one `*`; relative ones are joined to the configuration's folder.
    pub files: Vec<String>,
    /// How often files are read again even when nothing was noticed; default 5m.
    pub refresh_interval: Span,
}

/// `http_sd_configs`: a server that lists targets.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpOptions {
    /// What is asked.
    pub url: String,
    /// How often; default 1m. The same length is the request's timeout.
    pub refresh_interval: Span,
    /// How to talk to it.
    pub client: ClientOptions,
}

/// `dns_sd_configs`: names that resolve to targets.
#[derive(Debug, Clone, PartialEq)]
pub struct DnsOptions {
    /// The names to ask for.
    pub names: Vec<String>,
    /// How often; default 30s.
    pub refresh_interval: Span,
    /// Which records; default SRV.
    pub record_type: RecordType,
    /// The port of records that have none.
    pub port: u16,
}

/// Which records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordType {
    /// Services: host and port.
    #[default]
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Name servers.
    Ns,
}

impl RecordType {
    /// Reads the word in the configuration, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "SRV" => Self::Srv,
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "MX" => Self::Mx,
            "NS" => Self::Ns,
            _ => return None,
        })
    }
}
