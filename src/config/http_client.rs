//! The fields of `http_config` and its siblings: table, checks, and the options they become.

use std::path::PathBuf;

use crate::model::Secret;
use crate::model::http_client::{
    Authorization, BasicAuth, ClientOptions, HeaderOptions, OAuth2, ProxyOptions, SecretSource,
    TlsOptions, TlsVersion,
};
use crate::text::quote::quote;
use crate::text::yaml::{self, Decoder, Dialect, Problem};

use crate::config::schema::field::{
    any, boolean, inline, path, paths, pointer, secret, secrets, secrets_map, struct_map,
    structure, text, text_map, texts, url,
};
use crate::config::schema::{Record, Section, Value};

pub(crate) static TLS: Section = Section::new(
    "config.TLSConfig",
    &[
        text("ca"),
        text("cert"),
        secret("key"),
        path("ca_file"),
        path("cert_file"),
        path("key_file"),
        text("ca_ref"),
        text("cert_ref"),
        text("key_ref"),
        text("server_name"),
        boolean("insecure_skip_verify").keep(),
        text("min_version"),
        text("max_version"),
    ],
);

static PROXY: Section = Section::new(
    "config.ProxyConfig",
    &[
        url("proxy_url"),
        text("no_proxy"),
        boolean("proxy_from_environment"),
        secrets_map("proxy_connect_header"),
    ],
);

static BASIC_AUTH: Section = Section::new(
    "config.plain",
    &[
        text("username"),
        path("username_file"),
        text("username_ref"),
        secret("password"),
        path("password_file"),
        text("password_ref"),
    ],
);

static AUTHORIZATION: Section = Section::new(
    "config.Authorization",
    &[
        text("type"),
        secret("credentials"),
        path("credentials_file"),
        text("credentials_ref"),
    ],
);

static OAUTH2: Section = Section::new(
    "config.plain",
    &[
        text("client_id").keep(),
        secret("client_secret"),
        path("client_secret_file"),
        text("client_secret_ref"),
        text("client_certificate_key_id"),
        secret("client_certificate_key"),
        path("client_certificate_key_file"),
        text("client_certificate_key_ref"),
        text("grant_type"),
        text("signature_algorithm"),
        text("iss"),
        text("audience"),
        any("claims"),
        texts("scopes"),
        text("token_url").keep(),
        text_map("endpoint_params"),
        structure("tls_config", &TLS),
        inline(&PROXY),
    ],
);

static HEADER: Section = Section::new(
    "config.Header",
    &[texts("values"), secrets("secrets"), paths("files")],
);

/// What every section that talks HTTP holds in place.
pub(crate) static HTTP_CLIENT: Section = Section::new(
    "config.HTTPClientConfig",
    &[
        pointer("basic_auth", &BASIC_AUTH),
        pointer("authorization", &AUTHORIZATION),
        pointer("oauth2", &OAUTH2),
        secret("bearer_token"),
        path("bearer_token_file"),
        structure("tls_config", &TLS),
        boolean("follow_redirects").or_true().keep(),
        boolean("enable_http2").or_true().keep(),
        inline(&PROXY),
        struct_map("http_headers", &HEADER),
    ],
);

/// Reads and checks a file that holds one `http_config`; relative file names are joined to `folder`.
pub fn parse(text: &str, folder: &str) -> Result<ClientOptions, Vec<Problem>> {
    let document = yaml::parse_first(text).map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut record = Record::read(&decoder, &document.root, &HTTP_CLIENT);
    record.set_directory(folder);
    check(&decoder, &mut record);
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options(&record))
    } else {
        Err(problems)
    }
}

/// Headers that `http_headers` must not set.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

/// Whether a section holds the fields of [`HTTP_CLIENT`].
pub(crate) fn is_part_of(record: &Record) -> bool {
    record
        .slots
        .iter()
        .any(|slot| slot.field.name == "follow_redirects")
}

/// Whether nothing but defaults was said.
pub(crate) fn is_default(record: &Record) -> bool {
    let default = Record::default_of(&HTTP_CLIENT);
    default
        .slots
        .iter()
        .all(|slot| record.value(slot.field.name) == &slot.value)
}

/// Checks the fields as upstream's `Validate` does, and turns the old bearer fields into `authorization`.
pub(crate) fn check(decoder: &Decoder, record: &mut Record) {
    check_authentication(decoder, record);
    if let Some(oauth2) = record.record("oauth2") {
        check_oauth2(decoder, oauth2);
        check_proxy(decoder, oauth2);
        if let Some(tls) = oauth2.record("tls_config") {
            check_tls(decoder, tls);
        }
    }
    if let Some(tls) = record.record("tls_config") {
        check_tls(decoder, tls);
    }
    check_proxy(decoder, record);
    if let Value::RecordMap(headers) = record.value("http_headers") {
        for (name, header) in headers {
            if RESERVED_HEADERS
                .iter()
                .any(|r| r.eq_ignore_ascii_case(name))
            {
                decoder.fail(
                    header.span,
                    format!("setting header {} is not allowed", quote(name)),
                );
            }
        }
    }
    adopt_bearer_fields(record);
}

fn check_authentication(decoder: &Decoder, record: &mut Record) {
    let bearer = usize::from(!record.text("bearer_token").is_empty())
        + usize::from(!record.text("bearer_token_file").is_empty());
    let basic_auth = record.record("basic_auth").is_some();
    let oauth2 = record.record("oauth2").is_some();
    let authorization = record.record("authorization").is_some();
    if bearer > 1 {
        let text = "at most one of bearer_token & bearer_token_file must be configured";
        record.fail(decoder, "bearer_token_file", text);
    }
    if (basic_auth || oauth2) && bearer > 0 {
        let text = "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured";
        record.fail(decoder, "bearer_token", text);
    }
    if let Some(basic_auth) = record.record("basic_auth") {
        at_most_one(
            decoder,
            basic_auth,
            &["username", "username_file", "username_ref"],
            "at most one of basic_auth username, username_file & username_ref must be configured",
        );
        at_most_one(
            decoder,
            basic_auth,
            &["password", "password_file", "password_ref"],
            "at most one of basic_auth password, password_file & password_ref must be configured",
        );
    }
    if authorization && bearer > 0 {
        let text = "authorization is not compatible with bearer_token & bearer_token_file";
        record.fail(decoder, "authorization", text);
    }
    if [basic_auth, oauth2, authorization]
        .iter()
        .filter(|given| **given)
        .count()
        > 1
    {
        let text = "at most one of basic_auth, oauth2 & authorization must be configured";
        record.fail(decoder, "oauth2", text);
    }
    if let Some(authorization) = record.record_mut("authorization") {
        at_most_one(
            decoder,
            authorization,
            &["credentials", "credentials_file", "credentials_ref"],
            "at most one of authorization credentials & credentials_file must be configured",
        );
        let kind = match authorization.text("type").trim() {
            "" => "Bearer".to_owned(),
            kind => kind.to_owned(),
        };
        if kind.eq_ignore_ascii_case("basic") {
            let text = "authorization type cannot be set to \"basic\", use \"basic_auth\" instead";
            authorization.fail(decoder, "type", text);
        }
        authorization.set("type", Value::Text(kind));
    }
}

fn at_most_one(decoder: &Decoder, record: &Record, names: &[&str], message: &str) {
    let given: Vec<_> = names
        .iter()
        .filter(|name| !record.text(name).is_empty())
        .collect();
    if let [_, second, ..] = given.as_slice() {
        record.fail(decoder, second, message);
    }
}

fn check_oauth2(decoder: &Decoder, oauth2: &Record) {
    if oauth2.text("client_id").is_empty() {
        oauth2.fail(decoder, "client_id", "oauth2 client_id must be configured");
    }
    if oauth2.text("token_url").is_empty() {
        oauth2.fail(decoder, "token_url", "oauth2 token_url must be configured");
    }
    at_most_one(
        decoder,
        oauth2,
        &["client_secret", "client_secret_file", "client_secret_ref"],
        "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured",
    );
}

/// Checks a `tls_config`.
pub(crate) fn check_tls(decoder: &Decoder, tls: &Record) {
    for (names, message) in [
        (
            ["ca", "ca_file", "ca_ref"],
            "at most one of ca, ca_file & ca_ref must be configured",
        ),
        (
            ["cert", "cert_file", "cert_ref"],
            "at most one of cert, cert_file & cert_ref must be configured",
        ),
        (
            ["key", "key_file", "key_ref"],
            "at most one of key, key_file & key_ref must be configured",
        ),
    ] {
        at_most_one(decoder, tls, &names, message);
    }
    let given = |names: [&str; 3]| names.iter().any(|name| !tls.text(name).is_empty());
    let cert = given(["cert", "cert_file", "cert_ref"]);
    let key = given(["key", "key_file", "key_ref"]);
    if cert && !key {
        let text = "exactly one of key or key_file must be configured when a client certificate is configured";
        decoder.fail(tls.span, text);
    }
    if key && !cert {
        let text =
            "exactly one of cert or cert_file must be configured when a client key is configured";
        decoder.fail(tls.span, text);
    }
    for name in ["min_version", "max_version"] {
        let version = tls.text(name);
        if !version.is_empty() && tls_version(version).is_none() {
            tls.fail(decoder, name, format!("unknown TLS version: {version}"));
        }
    }
}

fn check_proxy(decoder: &Decoder, record: &Record) {
    let url = !record.text("proxy_url").is_empty();
    let no_proxy = !record.text("no_proxy").is_empty();
    let environment = record.bool("proxy_from_environment");
    let headers =
        matches!(record.value("proxy_connect_header"), Value::SecretsMap(map) if !map.is_empty());
    if headers && !environment && !url {
        let text = "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured";
        record.fail(decoder, "proxy_connect_header", text);
    }
    if environment && url {
        let text = "if proxy_from_environment is configured, proxy_url must not be configured";
        record.fail(decoder, "proxy_url", text);
    }
    if environment && no_proxy {
        let text = "if proxy_from_environment is configured, no_proxy must not be configured";
        record.fail(decoder, "no_proxy", text);
    }
    if !url && no_proxy && !environment {
        let text = "if no_proxy is configured, proxy_url must also be configured";
        record.fail(decoder, "no_proxy", text);
    }
}

fn adopt_bearer_fields(record: &mut Record) {
    if record.record("authorization").is_some() {
        return;
    }
    let token = record.text("bearer_token").to_owned();
    let file = record.text("bearer_token_file").to_owned();
    if token.is_empty() && file.is_empty() {
        return;
    }
    let mut authorization = Record::default_of(&AUTHORIZATION);
    authorization.set("type", Value::Text("Bearer".to_owned()));
    authorization.set("credentials", Value::Secret(Secret::new(token)));
    authorization.set("credentials_file", Value::Text(file));
    record.set("authorization", Value::Record(Box::new(authorization)));
    record.set("bearer_token", Value::Secret(Secret::default()));
    record.set("bearer_token_file", Value::Text(String::new()));
}

/// The options that a checked section stands for. File names must have been joined to their folder.
pub(crate) fn options(record: &Record) -> ClientOptions {
    ClientOptions {
        basic_auth: record.record("basic_auth").map(|auth| BasicAuth {
            username: source(auth, "username", "username_file"),
            password: source(auth, "password", "password_file"),
        }),
        authorization: record.record("authorization").map(|auth| Authorization {
            scheme: auth.text("type").to_owned(),
            credentials: source(auth, "credentials", "credentials_file"),
        }),
        oauth2: record.record("oauth2").map(|oauth2| {
            Box::new(OAuth2 {
                client_id: oauth2.text("client_id").to_owned(),
                client_secret: source(oauth2, "client_secret", "client_secret_file"),
                scopes: oauth2.texts("scopes").to_vec(),
                token_url: oauth2.text("token_url").to_owned(),
                endpoint_params: oauth2.text_map("endpoint_params").to_vec(),
                tls: oauth2
                    .record("tls_config")
                    .map(tls_options)
                    .unwrap_or_default(),
                proxy: proxy_options(oauth2),
            })
        }),
        tls: record
            .record("tls_config")
            .map(tls_options)
            .unwrap_or_default(),
        proxy: proxy_options(record),
        follow_redirects: record.bool("follow_redirects"),
        enable_http2: record.bool("enable_http2"),
        http_headers: match record.value("http_headers") {
            Value::RecordMap(headers) => headers.iter().map(header_options).collect(),
            _ => Vec::new(),
        },
    }
}

fn header_options((name, header): &(String, Record)) -> HeaderOptions {
    HeaderOptions {
        name: name.clone(),
        values: header.texts("values").to_vec(),
        secrets: match header.value("secrets") {
            Value::Secrets(secrets) => secrets.clone(),
            _ => Vec::new(),
        },
        files: header.texts("files").iter().map(PathBuf::from).collect(),
    }
}

fn source(record: &Record, inline: &str, file: &str) -> SecretSource {
    if let Some(path) = record.path(file) {
        return SecretSource::File(path);
    }
    match record.text(inline) {
        "" => SecretSource::None,
        text => SecretSource::Inline(Secret::new(text)),
    }
}

/// The options of a checked `tls_config`.
pub(crate) fn tls_options(tls: &Record) -> TlsOptions {
    TlsOptions {
        ca: source(tls, "ca", "ca_file"),
        cert: source(tls, "cert", "cert_file"),
        key: source(tls, "key", "key_file"),
        server_name: tls.text("server_name").to_owned(),
        insecure_skip_verify: tls.bool("insecure_skip_verify"),
        min_version: tls_version(tls.text("min_version")),
        max_version: tls_version(tls.text("max_version")),
    }
}

fn tls_version(word: &str) -> Option<TlsVersion> {
    Some(match word {
        "TLS10" => TlsVersion::Tls10,
        "TLS11" => TlsVersion::Tls11,
        "TLS12" => TlsVersion::Tls12,
        "TLS13" => TlsVersion::Tls13,
        _ => return None,
    })
}

fn proxy_options(record: &Record) -> ProxyOptions {
    ProxyOptions {
        url: Some(record.text("proxy_url").to_owned()).filter(|url| !url.is_empty()),
        no_proxy: record.text("no_proxy").to_owned(),
        from_environment: record.bool("proxy_from_environment"),
        connect_headers: match record.value("proxy_connect_header") {
            Value::SecretsMap(map) => map.clone(),
            _ => Vec::new(),
        },
    }
}
