//! Which proxy a request goes through, as Go's `httpproxy` decides.

use std::net::IpAddr;

use url::Url;

use super::Error;
use crate::model::http_client::ProxyOptions;

/// A proxy and who goes past it.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
    /// Whether `localhost` and loopback addresses go past the proxy.
    loopback_is_direct: bool,
}

#[derive(Debug, Clone)]
enum Exception {
    All,
    Address(IpAddr, Option<u16>),
    Network(IpAddr, u8),
    /// A domain with a leading dot; `true` when the domain itself counts too.
    Domain(String, bool, Option<u16>),
}

impl Proxies {
    pub(super) fn new(options: &ProxyOptions) -> Result<Self, Error> {
        if options.from_environment {
            return Self::from_variables(|name| std::env::var(name).ok());
        }
        let Some(url) = options.url.as_deref().filter(|u| !u.is_empty()) else {
            return Ok(Self::default());
        };
        let url = parse(url)?;
        Ok(Self {
            http: Some(url.clone()),
            https: Some(url),
            exceptions: exceptions(&options.no_proxy),
            // compat: without no_proxy upstream sends even loopback through the proxy.
            loopback_is_direct: !options.no_proxy.is_empty(),
        })
    }

    /// compat: the variables' upper case forms win; `variable` gives their values.
    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let value = |name: &str| {
            [name.to_owned(), name.to_lowercase()]
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        };
        let proxy = |name: &str| {
            value(name)
                .map(|text| {
                    if text.contains("://") {
                        parse(&text)
                    } else {
                        parse(&format!("http://{text}"))
                    }
                })
                .transpose()
        };
        Ok(Self {
            http: proxy("HTTP_PROXY")?,
            https: proxy("HTTPS_PROXY")?,
            exceptions: exceptions(&value("NO_PROXY").unwrap_or_default()),
            loopback_is_direct: true,
        })
    }

    /// The proxy for a request to `target`; none when it goes directly.
    pub(super) fn select(&self, target: &Url) -> Option<&Url> {
        let proxy = if target.scheme() == "https" {
            self.https.as_ref()
        } else {
            self.http.as_ref()
        }?;
        let host = target.host_str()?.trim_matches(['[', ']']).to_lowercase();
        let port = target.port_or_known_default();
        let address: Option<IpAddr> = host.parse().ok();
        if self.loopback_is_direct
            && (host == "localhost" || address.is_some_and(|a| a.is_loopback()))
        {
            return None;
        }
        let excepted = self
            .exceptions
            .iter()
            .any(|e| e.covers(&host, address, port));
        (!excepted).then_some(proxy)
    }
}

impl Exception {
    fn covers(&self, host: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        match self {
            Self::All => true,
            Self::Address(want, want_port) => {
                address == Some(*want) && want_port.is_none_or(|p| Some(p) == port)
            }
            Self::Network(net, bits) => address.is_some_and(|a| in_network(a, *net, *bits)),
            Self::Domain(suffix, itself, want_port) => {
                (host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..]))
                    && want_port.is_none_or(|p| Some(p) == port)
            }
        }
    }
}

fn in_network(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let shift = 32 - u32::from(bits.min(32));
            u32::from(a).checked_shr(shift) == u32::from(n).checked_shr(shift)
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let shift = 128 - u32::from(bits.min(128));
            u128::from(a).checked_shr(shift) == u128::from(n).checked_shr(shift)
        }
        _ => false,
    }
}

fn exceptions(list: &str) -> Vec<Exception> {
    list.split(',')
        .map(|entry| entry.trim().to_lowercase())
        .filter(|entry| !entry.is_empty())
        .filter_map(|entry| exception(&entry))
        .collect()
}

fn exception(entry: &str) -> Option<Exception> {
    if entry == "*" {
        return Some(Exception::All);
    }
    if let Some((net, bits)) = entry.split_once('/') {
        return Some(Exception::Network(net.parse().ok()?, bits.parse().ok()?));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse().ok()?))
        }
        _ => (entry, None),
    };
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse() {
        return Some(Exception::Address(address, port));
    }
    let host = host.strip_prefix('*').unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    Some(match host.strip_prefix('.') {
        Some(_) => Exception::Domain(host.to_owned(), false, port),
        None => Exception::Domain(format!(".{host}"), true, port),
    })
}

/// Whether a proxy speaks SOCKS5 instead of HTTP.
pub(super) fn is_socks(proxy: &Url) -> bool {
    matches!(proxy.scheme(), "socks5" | "socks5h")
}

fn parse(text: &str) -> Result<Url, Error> {
    let url =
        Url::parse(text).map_err(|e| Error::Options(format!("invalid proxy url {text:?}: {e}")))?;
    match url.scheme() {
        "http" | "https" | "socks5" | "socks5h" if url.host_str().is_some() => Ok(url),
        "http" | "https" | "socks5" | "socks5h" => Err(Error::Options(format!(
            "proxy url {text:?} names no host\nhint: give it as http://host:port"
        ))),
        other => Err(Error::Options(format!(
            "proxy scheme {other:?} is not supported\nhint: use http://, https:// or socks5://"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(no_proxy: &str, target: &str) -> bool {
        let proxies = Proxies::new(&ProxyOptions {
            url: Some("http://proxy:3128".to_owned()),
            no_proxy: no_proxy.to_owned(),
            ..ProxyOptions::default()
        })
        .expect("valid options");
        proxies
            .select(&Url::parse(target).expect("valid address"))
            .is_some()
    }

    #[test]
    fn exceptions_go_past_the_proxy() {
        for (no_proxy, target, expected) in [
            ("", "http://localhost/", true),
            ("x", "http://localhost/", false),
            ("example.com", "http://example.com/", false),
            ("example.com", "http://a.example.com/", false),
            (".example.com", "http://example.com/", true),
            ("*.example.com", "http://a.example.com/", false),
            ("example.com:81", "http://example.com/", true),
            ("10.0.0.0/8", "http://10.2.3.4/", false),
            ("10.0.0.0/8", "http://11.2.3.4/", true),
            ("0.0.0.0/0", "http://11.2.3.4/", false),
            ("1.2.3.4:80", "http://1.2.3.4/", false),
            ("fe80::1", "http://[fe80::1]:9/", false),
            ("*", "http://anything/", false),
            ("notexample.com", "http://example.com/", true),
        ] {
            assert_eq!(proxied(no_proxy, target), expected, "{no_proxy} {target}");
        }
    }

    #[test]
    fn the_environment_names_proxies_for_each_scheme() {
        let proxies = Proxies::from_variables(|name| {
            let value = match name {
                "http_proxy" => "small:1",
                "HTTPS_PROXY" => "socks5://u:p@big:2",
                "https_proxy" => "http://not-this",
                "no_proxy" => "direct.example, 10.0.0.0/8",
                _ => return None,
            };
            Some(value.to_owned())
        })
        .expect("good variables");
        for (target, expected) in [
            ("http://a.example/", Some("http://small:1/")),
            ("https://a.example/", Some("socks5://u:p@big:2")),
            ("https://direct.example/", None),
            ("http://10.1.2.3/", None),
            ("http://localhost/", None),
            ("https://127.0.0.1:9/", None),
        ] {
            let url = Url::parse(target).expect("valid address");
            assert_eq!(proxies.select(&url).map(Url::as_str), expected, "{target}");
        }
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_by_name() {
        for (url, wanted) in [
            ("ftp://proxy", "proxy scheme \"ftp\" is not supported"),
            ("http:", "invalid proxy url"),
            ("socks5:", "names no host"),
        ] {
            let error = Proxies::new(&ProxyOptions {
                url: Some(url.to_owned()),
                ..ProxyOptions::default()
            })
            .expect_err("refused");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
