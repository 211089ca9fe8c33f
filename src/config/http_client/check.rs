use super::{AUTHORIZATION, JWT_BEARER, tls_version};
use crate::config::schema::{Record, Value};
use crate::model::Secret;
use crate::model::http_client::SignatureAlgorithm;
use crate::text::quote::quote;
use crate::text::yaml::Decoder;

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
    if oauth2.text("grant_type") != JWT_BEARER {
        at_most_one(
            decoder,
            oauth2,
            &["client_secret", "client_secret_file", "client_secret_ref"],
            "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured",
        );
        return;
    }
    at_most_one(
        decoder,
        oauth2,
        &[
            "client_certificate_key",
            "client_certificate_key_file",
            "client_certificate_key_ref",
        ],
        "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref \
         must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer",
    );
    let algorithm = oauth2.text("signature_algorithm");
    if !algorithm.is_empty() && SignatureAlgorithm::parse(algorithm).is_none() {
        let text = "valid signature algorithms are RS256, RS384 and RS512";
        oauth2.fail(decoder, "signature_algorithm", text);
    }
    if let Value::Any(claims) = oauth2.value("claims") {
        // Read for its complaints.
        decoder.json_map(claims);
    }
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
