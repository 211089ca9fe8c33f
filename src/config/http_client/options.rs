use std::path::PathBuf;

use super::{JWT_BEARER, tls_version};
use crate::config::schema::{Record, Value};
use crate::model::Secret;
use crate::model::http_client::{
    Authorization, BasicAuth, ClientOptions, Grant, HeaderOptions, JwtBearer, OAuth2, ProxyOptions,
    SecretSource, SignatureAlgorithm, TlsOptions,
};
use crate::text::yaml::{Decoder, Dialect};

/// The options that a checked section stands for. File names must have been joined to their folder.
pub(crate) fn options(record: &Record) -> ClientOptions {
    ClientOptions {
        basic_auth: record.record("basic_auth").map(|auth| BasicAuth {
            username: source(auth, "username"),
            password: source(auth, "password"),
        }),
        authorization: record.record("authorization").map(|auth| Authorization {
            scheme: auth.text("type").to_owned(),
            credentials: source(auth, "credentials"),
        }),
        oauth2: record.record("oauth2").map(|o| Box::new(oauth2_options(o))),
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

fn oauth2_options(oauth2: &Record) -> OAuth2 {
    OAuth2 {
        client_id: oauth2.text("client_id").to_owned(),
        client_secret: source(oauth2, "client_secret"),
        scopes: oauth2.texts("scopes").to_vec(),
        token_url: oauth2.text("token_url").to_owned(),
        endpoint_params: oauth2.text_map("endpoint_params").to_vec(),
        grant: match oauth2.text("grant_type") {
            JWT_BEARER => Grant::JwtBearer(jwt_bearer(oauth2)),
            _ => Grant::ClientCredentials,
        },
        tls: oauth2
            .record("tls_config")
            .map(tls_options)
            .unwrap_or_default(),
        proxy: proxy_options(oauth2),
    }
}

fn jwt_bearer(oauth2: &Record) -> JwtBearer {
    JwtBearer {
        key: source(oauth2, "client_certificate_key"),
        key_id: oauth2.text("client_certificate_key_id").to_owned(),
        algorithm: SignatureAlgorithm::parse(oauth2.text("signature_algorithm"))
            .unwrap_or_default(),
        issuer: oauth2.text("iss").to_owned(),
        audience: oauth2.text("audience").to_owned(),
        claims: match oauth2.value("claims") {
            Value::Any(node) => Decoder::new(Dialect::V2).json_map(node),
            _ => serde_json::Map::new(),
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

/// A secret given in place as `name`, in a file as `name_file`, or by name as `name_ref`.
fn source(record: &Record, name: &str) -> SecretSource {
    if let Some(path) = record.path(&format!("{name}_file")) {
        return SecretSource::File(path);
    }
    match (record.text(name), record.text(&format!("{name}_ref"))) {
        ("", "") => SecretSource::None,
        ("", reference) => SecretSource::Ref(reference.to_owned()),
        (text, _) => SecretSource::Inline(Secret::new(text)),
    }
}

/// The options of a checked `tls_config`.
pub(crate) fn tls_options(tls: &Record) -> TlsOptions {
    TlsOptions {
        ca: source(tls, "ca"),
        cert: source(tls, "cert"),
        key: source(tls, "key"),
        server_name: tls.text("server_name").to_owned(),
        insecure_skip_verify: tls.bool("insecure_skip_verify"),
        min_version: tls_version(tls.text("min_version")),
        max_version: tls_version(tls.text("max_version")),
    }
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
