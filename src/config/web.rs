//! `--web.config.file`: how our own HTTP server authenticates and encrypts, as exporter-toolkit reads it.

use std::path::Path;
use std::time::Duration;

use crate::config::alertmanager::parse_go_span;
use crate::config::schema::field::{boolean, int, path, secret, structure, text, text_map, texts};
use crate::config::schema::{Record, Section, Value};
use crate::config::{Error, FileProblem, Files};
use crate::model::Secret;
use crate::model::http_client::{SecretSource, TlsVersion};
use crate::text::quote::quote;
use crate::text::yaml::{self, Decoder, Dialect};

static TLS: Section = Section::new(
    "web.TLSConfig",
    &[
        text("cert"),
        secret("key"),
        text("client_ca"),
        path("cert_file"),
        path("key_file"),
        text("client_auth_type"),
        path("client_ca_file"),
        texts("cipher_suites"),
        texts("curve_preferences"),
        text("min_version").or_text("TLS12"),
        text("max_version").or_text("TLS13"),
        boolean("prefer_server_cipher_suites").or_true(),
        texts("client_allowed_sans"),
    ],
);

static HTTP: Section = Section::new(
    "web.HTTPConfig",
    &[boolean("http2").or_true(), text_map("headers")],
);

static RATE_LIMIT: Section = Section::new(
    "web.RateLimiterConfig",
    // Go's notation of durations, not Prometheus's.
    &[int("burst"), text("interval")],
);

static WEB: Section = Section::new(
    "web.Config",
    &[
        structure("tls_server_config", &TLS),
        structure("http_server_config", &HTTP),
        structure("rate_limit", &RATE_LIMIT),
        text_map("basic_auth_users"),
    ],
);

/// Headers that may be set, and the values that are allowed where that is fixed.
const HEADERS: [(&str, &[&str]); 6] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
    ("Permissions-Policy", &[]),
];

const CURVES: [&str; 4] = ["CurveP256", "CurveP384", "CurveP521", "X25519"];

/// What Go's `tls.CipherSuites` names.
const CIPHER_SUITES: [&str; 13] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// What the file says. The default is that of an empty file: plain HTTP for everyone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WebOptions {
    /// `tls_server_config`; none means plain HTTP.
    pub tls: Option<TlsServerOptions>,
    /// `basic_auth_users`: names with bcrypt hashes; none means that everyone may come.
    pub users: Vec<(String, Secret)>,
    /// `http_server_config.http2` is on unless switched off.
    pub disable_http2: bool,
    /// `http_server_config.headers`: added to every answer.
    pub headers: Vec<(String, String)>,
    /// `rate_limit`; none unless an interval is given.
    pub rate_limit: Option<RateLimit>,
}

/// How many requests are answered: a bucket of tokens that fills over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests may come at once. With 0 none is answered.
    pub burst: u64,
    /// How long until one more may come.
    pub interval: Duration,
}

/// TLS as a server.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsServerOptions {
    /// Our certificate chain in PEM.
    pub cert: SecretSource,
    /// Our key in PEM.
    pub key: SecretSource,
    /// Whether clients must show a certificate.
    pub client_auth: ClientAuth,
    /// Authorities of clients in PEM.
    pub client_ca: SecretSource,
    /// Names of which a client's certificate must hold one, if any are given.
    pub client_allowed_sans: Vec<String>,
    /// Lowest version; default 1.2.
    pub min_version: TlsVersion,
    /// Highest version; default 1.3.
    pub max_version: TlsVersion,
    /// Names of cipher suites as Go calls them; empty for the default.
    pub cipher_suites: Vec<String>,
    /// Names of curves as Go calls them; empty for the default.
    pub curves: Vec<String>,
}

/// `client_auth_type`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    None,
    /// One is asked for, and nothing follows from it.
    Request,
    /// One must be shown, whoever signed it.
    RequireAny,
    /// One that is shown must be good.
    VerifyIfGiven,
    /// A good one must be shown.
    RequireAndVerify,
}

impl ClientAuth {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "" | "NoClientCert" => Self::None,
            "RequestClientCert" => Self::Request,
            "RequireAnyClientCert" | "RequireClientCert" => Self::RequireAny,
            "VerifyClientCertIfGiven" => Self::VerifyIfGiven,
            "RequireAndVerifyClientCert" => Self::RequireAndVerify,
            _ => return None,
        })
    }
}

/// Reads and checks the file. Certificates and keys are not read.
pub fn load(path: &Path, files: &dyn Files) -> Result<WebOptions, Error> {
    let name = path.display().to_string();
    let bytes = files.read(path).map_err(|error| Error::Read {
        path: name.clone(),
        reason: format!("open {name}: {error}"),
    })?;
    let folder = path.parent().map(|folder| folder.display().to_string());
    parse(&bytes, folder.as_deref().unwrap_or_default()).map_err(|problems| {
        let source = String::from_utf8_lossy(&bytes).into();
        Error::Invalid(FileProblem::all(&name, &source, problems))
    })
}

/// Reads and checks the text of a file; relative file names are joined to `folder`.
pub fn parse(bytes: &[u8], folder: &str) -> Result<WebOptions, Vec<yaml::Problem>> {
    let document = yaml::utf8(bytes)
        .and_then(yaml::parse_first)
        .map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut record = Record::read(&decoder, &document.root, &WEB);
    record.set_directory(folder);
    let tls = record
        .record("tls_server_config")
        .and_then(|tls| tls_options(&decoder, tls));
    let http = record.record("http_server_config");
    let headers = http
        .map(|http| http.text_map("headers"))
        .unwrap_or_default();
    for (name, value) in headers {
        check_header(&decoder, &record, name, value);
    }
    let users = record.text_map("basic_auth_users");
    for (user, hash) in users {
        if !is_bcrypt(hash) {
            let text = format!("the password of user {} is no bcrypt hash", quote(user));
            let problem = yaml::Problem::new(record.span_of("basic_auth_users"), text);
            decoder
                .report(problem.with_hint("make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`"));
        }
    }
    let options = WebOptions {
        tls,
        users: users
            .iter()
            .map(|(user, hash)| (user.clone(), Secret::new(hash.clone())))
            .collect(),
        disable_http2: http.is_some_and(|http| !http.bool("http2")),
        headers: headers.to_vec(),
        rate_limit: record
            .record("rate_limit")
            .and_then(|limit| rate_limit(&decoder, limit)),
    };
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

fn rate_limit(decoder: &Decoder, limit: &Record) -> Option<RateLimit> {
    let text = limit.text("interval");
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse().ok().or_else(|| parse_go_span(text));
    let Some(ns) = parsed else {
        let complaint = format!("cannot unmarshal !!str `{text}` into time.Duration");
        limit.fail(decoder, "interval", complaint);
        return None;
    };
    let burst = limit.int("burst");
    if ns < 0 || burst < 0 {
        let name = if ns < 0 { "interval" } else { "burst" };
        limit.fail(decoder, name, format!("{name} of rate_limit is negative"));
        return None;
    }
    (ns > 0).then_some(RateLimit {
        burst: burst.unsigned_abs(),
        interval: Duration::from_nanos(ns.unsigned_abs()),
    })
}

fn check_header(decoder: &Decoder, record: &Record, name: &str, value: &str) {
    let complaint = match HEADERS.iter().find(|(known, _)| *known == name) {
        None => format!("HTTP header {} can not be configured", quote(name)),
        Some((_, [])) => return,
        Some((_, allowed)) if allowed.contains(&value) => return,
        Some((_, allowed)) => {
            let quoted: Vec<String> = allowed.iter().map(|value| quote(value)).collect();
            format!(
                "invalid value for {name}. Expected one of: [{}], but got: {}",
                quoted.join(" "),
                quote(value)
            )
        }
    };
    record.fail(decoder, "http_server_config", complaint);
}

/// `$2a$`, `$2b$`, `$2x$` or `$2y$`, a cost, and 53 characters of salt and hash.
fn is_bcrypt(hash: &str) -> bool {
    let mut parts = hash.split('$');
    let good = |part: Option<&str>, fits: fn(&str) -> bool| part.is_some_and(fits);
    good(parts.next(), str::is_empty)
        && good(parts.next(), |kind| {
            matches!(kind, "2" | "2a" | "2b" | "2x" | "2y")
        })
        && good(parts.next(), |cost| {
            cost.parse::<u8>()
                .is_ok_and(|cost| (4..=31).contains(&cost))
        })
        && good(parts.next(), |rest| {
            let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
            rest.len() == 53 && rest.bytes().all(letter)
        })
        && parts.next().is_none()
}

/// The options of a section that says anything at all about certificates.
fn tls_options(decoder: &Decoder, tls: &Record) -> Option<TlsServerOptions> {
    let cert = source(tls, "cert", "cert_file");
    let key = source(tls, "key", "key_file");
    let client_ca = source(tls, "client_ca", "client_ca_file");
    let auth = tls.text("client_auth_type");
    let nothing = [&cert, &key, &client_ca]
        .iter()
        .all(|source| **source == SecretSource::None);
    if nothing && auth.is_empty() {
        return None;
    }
    for (source, message) in [
        (&cert, "missing one of cert or cert_file"),
        (&key, "missing one of key or key_file"),
    ] {
        if *source == SecretSource::None {
            decoder.fail(tls.span, message);
        }
    }
    let client_auth = ClientAuth::parse(auth).unwrap_or_else(|| {
        let text = format!("Invalid ClientAuth: {auth}");
        tls.fail(decoder, "client_auth_type", text);
        ClientAuth::None
    });
    if client_ca != SecretSource::None && client_auth == ClientAuth::None {
        let text = "Client CA's have been configured without a Client Auth Policy";
        decoder.fail(tls.span, text);
    }
    let sans = tls.texts("client_allowed_sans");
    let asks = matches!(
        client_auth,
        ClientAuth::RequireAny | ClientAuth::RequireAndVerify
    );
    if !sans.is_empty() && !asks {
        let text = "client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or \
                    RequireAndVerifyClientCert";
        tls.fail(decoder, "client_allowed_sans", text);
    }
    for curve in tls.texts("curve_preferences") {
        if !CURVES.contains(&curve.as_str()) {
            tls.fail(
                decoder,
                "curve_preferences",
                format!("unknown curve: {curve}"),
            );
        }
    }
    for suite in tls.texts("cipher_suites") {
        if !CIPHER_SUITES.contains(&suite.as_str()) {
            tls.fail(decoder, "cipher_suites", format!("unknown cipher: {suite}"));
        }
    }
    Some(TlsServerOptions {
        cert,
        key,
        client_auth,
        client_ca,
        client_allowed_sans: sans.to_vec(),
        min_version: version(decoder, tls, "min_version", TlsVersion::Tls12),
        max_version: version(decoder, tls, "max_version", TlsVersion::Tls13),
        cipher_suites: tls.texts("cipher_suites").to_vec(),
        curves: tls.texts("curve_preferences").to_vec(),
    })
}

fn version(decoder: &Decoder, tls: &Record, field: &str, default: TlsVersion) -> TlsVersion {
    match tls.text(field) {
        "" => default,
        "TLS10" => TlsVersion::Tls10,
        "TLS11" => TlsVersion::Tls11,
        "TLS12" => TlsVersion::Tls12,
        "TLS13" => TlsVersion::Tls13,
        other => {
            tls.fail(decoder, field, format!("unknown TLS version: {other}"));
            default
        }
    }
}

fn source(record: &Record, inline: &str, file: &str) -> SecretSource {
    if let Some(path) = record.path(file) {
        return SecretSource::File(path);
    }
    match record.value(inline) {
        Value::Text(text) if !text.is_empty() => SecretSource::Inline(Secret::new(text.clone())),
        Value::Secret(secret) if !secret.is_empty() => SecretSource::Inline(secret.clone()),
        _ => SecretSource::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

    #[test]
    fn users_headers_and_certificates_are_read() {
        let text = format!(
            "tls_server_config: {{cert_file: c.pem, key_file: /k.pem, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, min_version: TLS13}}\n\
             http_server_config: {{http2: false, headers: {{X-Frame-Options: deny}}}}\n\
             rate_limit: {{burst: 5, interval: 1.5s}}\n\
             basic_auth_users: {{alice: {HASH}}}\n"
        );
        let options = parse(text.as_bytes(), "etc").unwrap();
        let tls = options.tls.unwrap();
        assert_eq!(tls.cert, SecretSource::File("etc/c.pem".into()));
        assert_eq!(tls.key, SecretSource::File("/k.pem".into()));
        assert_eq!(tls.client_auth, ClientAuth::RequireAndVerify);
        assert_eq!(tls.min_version, TlsVersion::Tls13);
        assert!(options.disable_http2);
        assert_eq!(options.users[0].0, "alice");
        let limit = options.rate_limit.unwrap();
        assert_eq!((limit.burst, limit.interval.as_millis()), (5, 1500));
        assert_eq!(parse(b"", ""), Ok(WebOptions::default()));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("basic_auth_users: {a: plain}", "is no bcrypt hash"),
            (
                "tls_server_config: {cert_file: a}",
                "missing one of key or key_file",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}",
                "without a Client Auth Policy",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, min_version: TLS9}",
                "unknown TLS version: TLS9",
            ),
            (
                "http_server_config: {headers: {X-Foo: x}}",
                "HTTP header \"X-Foo\" can not be configured",
            ),
            (
                "http_server_config: {headers: {X-Frame-Options: x}}",
                "Expected one of: [\"deny\" \"sameorigin\"], but got: \"x\"",
            ),
            (
                "rate_limit: {interval: soon}",
                "cannot unmarshal !!str `soon` into time.Duration",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, cipher_suites: [TLS_NULL]}",
                "unknown cipher: TLS_NULL",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [x]}",
                "client_allowed_sans requires client_auth_type",
            ),
            (
                "tls_config: {}",
                "field tls_config not found in type web.Config",
            ),
        ] {
            let problems = parse(text.as_bytes(), "").unwrap_err();
            assert!(problems[0].message.contains(wanted), "{text}: {problems:?}");
        }
    }
}
