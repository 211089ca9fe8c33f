use std::fmt::Write as _;
use std::hash::Hasher as _;
use std::net::Ipv6Addr;

use super::JobOptions;
use super::error::Error;
use crate::model::labels::Fnv64;
use crate::model::{Labels, LabelsBuilder};
use crate::relabel;
use crate::text::duration;
use crate::time::Span;

/// The label that holds host and port.
pub const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const PARAM_PREFIX: &str = "__param_";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const META_PREFIX: &str = "__meta_";
const RESERVED_PREFIX: &str = "__";

/// One endpoint to scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The labels that its series get.
    pub labels: Labels,
    /// The labels before relabeling, with the job's defaults.
    pub discovered: Labels,
    /// Where it is fetched.
    pub url: String,
    /// How often.
    pub interval: Span,
    /// How long a scrape may take.
    pub timeout: Span,
    /// What tells it from other targets: upstream's hash over all its labels and its URL. Spreads
    /// targets over the interval.
    pub hash: u64,
}

/// What relabeling made of discovered labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Populated {
    /// A target.
    Target(Box<Target>),
    /// Nothing: relabeling dropped it.
    Dropped {
        /// Its labels before relabeling.
        discovered: Labels,
    },
}

/// The labels of a target before relabeling: its own, its group's, the job's defaults.
pub fn discovered_labels(own: &Labels, group: &Labels, options: &JobOptions) -> Labels {
    let mut builder = LabelsBuilder::from(own);
    for (name, value) in group {
        if !own.contains(name) {
            builder.set(name, value);
        }
    }
    let interval = options.scrape_interval.to_string();
    let timeout = options.scrape_timeout.to_string();
    for (name, value) in [
        ("job", options.job_name.as_str()),
        (INTERVAL, &interval),
        (TIMEOUT, &timeout),
        (METRICS_PATH, &options.metrics_path),
        (SCHEME, &options.scheme),
    ] {
        if builder.get(name).is_empty() {
            builder.set(name, value);
        }
    }
    for (name, values) in &options.params {
        let label = format!("{PARAM_PREFIX}{name}");
        if let Some(first) = values.first()
            && builder.get(&label).is_empty()
        {
            builder.set(&label, first);
        }
    }
    builder.build()
}

/// Makes a target of discovered labels.
pub fn populate(own: &Labels, group: &Labels, options: &JobOptions) -> Result<Populated, Error> {
    let discovered = discovered_labels(own, group, options);
    let mut builder = LabelsBuilder::from(&discovered);
    if !relabel::apply(&mut builder, &options.relabel_rules) {
        return Ok(Populated::Dropped { discovered });
    }
    let address = builder.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err(Error::NoAddress);
    }
    if address.contains('/') {
        return Err(Error::InvalidHostname(address));
    }
    let (interval, timeout) = timing(&builder)?;
    builder.retain(|name, _| !name.starts_with(META_PREFIX));
    if builder.get("instance").is_empty() {
        builder.set("instance", &address);
    }
    let all = builder.build();
    let url = url(&all, options);
    Ok(Populated::Target(Box::new(Target {
        labels: all.filter(|name| !name.starts_with(RESERVED_PREFIX)),
        discovered,
        hash: hash(&all, &url),
        url,
        interval,
        timeout,
    })))
}

fn timing(labels: &LabelsBuilder) -> Result<(Span, Span), Error> {
    let parse = |label: &str, what: &'static str| {
        let ms = duration::parse_ms(labels.get(label)).map_err(|why| Error::Timing(what, why))?;
        if ms == 0 {
            Err(Error::ZeroTiming(what))
        } else {
            Ok(Span::from_ms(ms))
        }
    };
    let interval = parse(INTERVAL, "interval")?;
    let timeout = parse(TIMEOUT, "timeout")?;
    if timeout > interval {
        return Err(Error::TimeoutAboveInterval {
            timeout: labels.get(TIMEOUT).to_owned(),
            interval: labels.get(INTERVAL).to_owned(),
        });
    }
    Ok((interval, timeout))
}

/// compat: upstream hashes the hash of the labels in decimal, padded to 16, and then the URL.
fn hash(labels: &Labels, url: &str) -> u64 {
    let mut hash = Fnv64::default();
    hash.write(format!("{:016}", labels.hash64()).as_bytes());
    hash.write(url.as_bytes());
    hash.finish()
}

/// The URL as Go's `url.URL` writes it.
fn url(labels: &Labels, options: &JobOptions) -> String {
    let get = |name| labels.get(name).unwrap_or_default();
    let mut out = String::new();
    if !get(SCHEME).is_empty() {
        let _ = write!(out, "{}:", get(SCHEME));
    }
    let _ = write!(out, "//{}", get(ADDRESS));
    let path = get(METRICS_PATH);
    if !path.is_empty() && !path.starts_with('/') {
        out.push('/');
    }
    escape_into(&mut out, path, b"-_.~$&+,/:;=@", false);
    let mut params = options.params.clone();
    for (name, value) in labels {
        let Some(name) = name.strip_prefix(PARAM_PREFIX) else {
            continue;
        };
        match params.iter_mut().find(|(n, _)| n == name) {
            Some((_, values)) => match values.first_mut() {
                Some(first) => value.clone_into(first),
                None => values.push(value.to_owned()),
            },
            None => params.push((name.to_owned(), vec![value.to_owned()])),
        }
    }
    params.sort();
    let mut separator = '?';
    for (name, values) in &params {
        for value in values {
            out.push(separator);
            separator = '&';
            escape_into(&mut out, name, b"-_.~", true);
            out.push('=');
            escape_into(&mut out, value, b"-_.~", true);
        }
    }
    out
}

fn escape_into(out: &mut String, text: &str, plain: &[u8], plus_for_space: bool) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(byte as char);
        } else if byte == b' ' && plus_for_space {
            out.push('+');
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

impl Target {
    /// Host and port to connect to. compat: the port of the scheme is not written into the address
    /// since 3.0, only connected to.
    pub fn host_and_port(address: &str, scheme: &str) -> Option<(String, u16)> {
        let default = if scheme == "https" { 443 } else { 80 };
        let (host, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let (host, tail) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (
                    host,
                    tail.strip_prefix(':')
                        .or_else(|| tail.is_empty().then_some(""))?,
                )
            }
            None => address.rsplit_once(':').unwrap_or((address, "")),
        };
        let port = if port.is_empty() {
            default
        } else {
            port.parse().ok()?
        };
        (!host.is_empty()).then(|| (host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::{Action, Rule};

    fn options() -> JobOptions {
        JobOptions {
            job_name: "node".to_owned(),
            params: vec![("module".to_owned(), vec!["a b".to_owned(), "c".to_owned()])],
            ..JobOptions::default()
        }
    }

    fn own(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[test]
    fn discovered_labels_become_a_target() {
        let own = own(&[
            ("__address__", "h:9100"),
            ("__meta_x", "1"),
            ("a", "own"),
            ("__param_z", "?"),
        ]);
        let group = [("a", "group"), ("b", "group")].into_iter().collect();
        let Ok(Populated::Target(target)) = populate(&own, &group, &options()) else {
            panic!("a target");
        };
        assert_eq!(
            target.labels.to_string(),
            r#"{a="own", b="group", instance="h:9100", job="node"}"#
        );
        assert_eq!(
            target.url,
            "http://h:9100/metrics?module=a+b&module=c&z=%3F"
        );
        assert_eq!(target.interval, Span::minutes(1));
        assert_eq!(target.discovered.get("__meta_x"), Some("1"));
        assert_eq!(target.discovered.get("__scrape_timeout__"), Some("10s"));
    }

    #[test]
    fn relabeling_decides_interval_path_and_drop() {
        let rule = |target: &str, value: &str| Rule {
            target_label: target.to_owned(),
            replacement: value.to_owned(),
            ..Rule::default()
        };
        let mut options = options();
        options.relabel_rules = vec![
            rule("__scrape_interval__", "5s"),
            rule("__scrape_timeout__", "10s"),
        ];
        let own = own(&[("__address__", "h")]);
        let error = populate(&own, &Labels::empty(), &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"scrape timeout cannot be greater than scrape interval ("10s" > "5s")"#
        );
        options.relabel_rules = vec![rule("__metrics_path__", "x?y"), rule("__scheme__", "https")];
        let Ok(Populated::Target(target)) = populate(&own, &Labels::empty(), &options) else {
            panic!("a target");
        };
        assert_eq!(target.url, "https://h/x%3Fy?module=a+b&module=c");
        assert_eq!(target.labels.get("instance"), Some("h"));
        options.relabel_rules = vec![Rule {
            action: Action::Drop,
            ..Rule::default()
        }];
        assert!(matches!(
            populate(&own, &Labels::empty(), &options),
            Ok(Populated::Dropped { .. })
        ));
    }

    #[test]
    fn bad_addresses_and_timings_are_refused_in_upstreams_words() {
        for (pairs, text) in [
            (&[("x", "y")][..], "no address"),
            (
                &[("__address__", "a/b")],
                r#""a/b" is not a valid hostname"#,
            ),
            (
                &[("__address__", "a"), ("__scrape_interval__", "x")],
                r#"error parsing scrape interval: not a valid duration string: "x""#,
            ),
            (
                &[("__address__", "a"), ("__scrape_timeout__", "0")],
                "scrape timeout cannot be 0",
            ),
        ] {
            let error = populate(&own(pairs), &Labels::empty(), &options()).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn ports_come_from_the_scheme() {
        let split = Target::host_and_port;
        assert_eq!(split("h", "http"), Some(("h".to_owned(), 80)));
        assert_eq!(split("h:1", "https"), Some(("h".to_owned(), 1)));
        assert_eq!(split("[::1]", "https"), Some(("::1".to_owned(), 443)));
        assert_eq!(split("[::1]:9", "https"), Some(("::1".to_owned(), 9)));
        assert_eq!(split(":80", "http"), None);
        assert_eq!(split("h:x", "http"), None);
    }
}
