use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{cause, client, fetch, lines};
use crate::daemon::testing::{Authority, TlsServer, echo, secret, serve};
use crate::model::http_client::{
    ClientOptions, Grant, JwtBearer, OAuth2, SecretSource, SignatureAlgorithm, TlsOptions,
};

/// An endpoint of tokens: what it was asked, and what it answers.
#[derive(Default)]
struct Endpoint {
    /// Header and form of each request.
    asked: Mutex<Vec<(String, BTreeMap<String, String>)>>,
    /// Whether client id and secret must stand in the form.
    wants_form: bool,
    /// Seconds that tokens are good.
    life: u32,
}

type Shared = Arc<Endpoint>;

async fn token(
    State(endpoint): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let header = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let in_form = form.contains_key("client_id") || form.contains_key("assertion");
    let mut asked = endpoint.asked.lock().expect("unpoisoned");
    asked.push((header, form));
    if endpoint.wants_form && !in_form {
        let body = json!({"error": "invalid_client", "error_description": "say it in the form"});
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let body = json!({
        "access_token": format!("t{}", asked.len()),
        "token_type": "bearer",
        "expires_in": endpoint.life.to_string(),
    });
    Json(body).into_response()
}

fn router(endpoint: &Shared) -> Router {
    Router::new()
        .route("/token", post(token))
        .route("/", get(echo))
        .with_state(Arc::clone(endpoint))
}

async fn start(endpoint: Endpoint) -> (Shared, String) {
    let endpoint = Arc::new(endpoint);
    let address = serve(router(&endpoint)).await;
    (endpoint, format!("http://{address}"))
}

fn oauth2(options: OAuth2) -> ClientOptions {
    ClientOptions {
        oauth2: Some(Box::new(options)),
        ..ClientOptions::default()
    }
}

fn credentials(url: &str) -> OAuth2 {
    OAuth2 {
        client_id: "an id".to_owned(),
        client_secret: secret("s/"),
        token_url: format!("{url}/token"),
        ..OAuth2::default()
    }
}

fn asked(endpoint: &Shared) -> Vec<(String, BTreeMap<String, String>)> {
    endpoint.asked.lock().expect("unpoisoned").clone()
}

#[tokio::test]
async fn one_token_serves_until_it_expires() {
    let lasting = Endpoint {
        life: 3600,
        ..Endpoint::default()
    };
    let (endpoint, url) = start(lasting).await;
    let mut options = credentials(&url);
    options.scopes = vec!["a".to_owned(), "b".to_owned()];
    options.endpoint_params = vec![("audience".to_owned(), "x y".to_owned())];
    let client = client(oauth2(options));
    for _ in 0..3 {
        let seen = lines(&client, &url).await;
        assert!(
            seen.contains(&"authorization: Bearer t1".to_owned()),
            "{seen:?}"
        );
    }
    // "an+id:s%2F", as Go escapes both.
    let form = [
        ("audience", "x y"),
        ("grant_type", "client_credentials"),
        ("scope", "a b"),
    ];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let wanted = ("Basic YW4raWQ6cyUyRg==".to_owned(), BTreeMap::from(form));
    assert_eq!(asked(&endpoint), [wanted]);
}

#[tokio::test]
async fn a_token_about_to_expire_is_replaced() {
    let fleeting = Endpoint {
        life: 5,
        ..Endpoint::default()
    };
    let (endpoint, url) = start(fleeting).await;
    let client = client(oauth2(credentials(&url)));
    for number in 1..=3 {
        let seen = lines(&client, &url).await;
        assert!(
            seen.contains(&format!("authorization: Bearer t{number}")),
            "{seen:?}"
        );
    }
    assert_eq!(asked(&endpoint).len(), 3);
}

#[tokio::test]
async fn credentials_go_into_the_form_where_the_header_is_refused() {
    let picky = Endpoint {
        wants_form: true,
        life: 5,
        ..Endpoint::default()
    };
    let (endpoint, url) = start(picky).await;
    let client = client(oauth2(credentials(&url)));
    for _ in 0..2 {
        lines(&client, &url).await;
    }
    let asked = asked(&endpoint);
    // Once it is known what the endpoint wants, it is not asked the other way again.
    let headers: Vec<bool> = asked.iter().map(|(header, _)| header.is_empty()).collect();
    assert_eq!(headers, [false, true, true]);
    assert_eq!(
        asked[1].1.get("client_secret").map(String::as_str),
        Some("s/")
    );
}

#[tokio::test]
async fn a_refused_token_and_a_changed_secret_bring_a_new_one() {
    let lasting = Endpoint {
        life: 3600,
        ..Endpoint::default()
    };
    let endpoint = Arc::new(lasting);
    let strict = get(|headers: HeaderMap| async move {
        match headers.get("authorization").map(HeaderValue::as_bytes) {
            Some(b"Bearer t1") => StatusCode::UNAUTHORIZED,
            _ => StatusCode::OK,
        }
    });
    let router = Router::new()
        .route("/token", post(token))
        .route("/", strict)
        .with_state(Arc::clone(&endpoint));
    let url = format!("http://{}", serve(router).await);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "one\n").expect("writes");
    let mut options = credentials(&url);
    options.client_secret = SecretSource::File(file.path().to_owned());
    let client = client(oauth2(options));
    for (status, tokens) in [(401, 1), (200, 2), (200, 2)] {
        let answer = fetch(&client, &url).await.expect("answers");
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(asked(&endpoint).len(), tokens);
    }
    std::fs::write(file.path(), "two\n").expect("writes");
    fetch(&client, &url).await.expect("answers");
    assert_eq!(asked(&endpoint).len(), 3);
}

#[tokio::test]
async fn refusals_read_as_in_go() {
    let router = Router::new()
        .route(
            "/json",
            post(|| async {
                let body = json!({"error": "invalid_scope", "error_description": "no such scope"});
                (StatusCode::BAD_REQUEST, Json(body))
            }),
        )
        .route(
            "/text",
            post(|| async { (StatusCode::FORBIDDEN, "go away") }),
        )
        .route(
            "/empty",
            post(|| async { Json(json!({"token_type": "bearer"})) }),
        )
        .route("/odd", post(|| async { Json(json!([1])) }));
    let url = format!("http://{}", serve(router).await);
    for (path, wanted) in [
        ("json", "oauth2: \"invalid_scope\" \"no such scope\""),
        (
            "text",
            "oauth2: cannot fetch token: 403 Forbidden\nResponse: go away",
        ),
        ("empty", "oauth2: server response missing access_token"),
        ("odd", "oauth2: cannot parse json"),
    ] {
        let mut options = credentials(&url);
        options.token_url = format!("{url}/{path}");
        let why = cause(&client(oauth2(options)), &url).await;
        assert!(why.starts_with(wanted), "{why}");
    }
    let mut options = credentials(&url);
    options.scopes = vec!["a".to_owned()];
    options.endpoint_params = vec![("scope".to_owned(), "b".to_owned())];
    let why = cause(&client(oauth2(options)), &url).await;
    assert_eq!(why, "oauth2: cannot overwrite parameter \"scope\"");
}

#[tokio::test]
async fn the_endpoint_has_tls_of_its_own() {
    let (theirs, ours) = (Authority::new(), Authority::new());
    let lasting = Endpoint {
        life: 3600,
        ..Endpoint::default()
    };
    let endpoint = Arc::new(lasting);
    let pair = theirs.issue(&["localhost"]);
    let server = TlsServer {
        clients_of: Some(ours.pem.clone()),
        ..TlsServer::default()
    };
    let tokens = server.serve(&pair, router(&endpoint)).await.port();
    let target = format!("http://{}/", serve(router(&endpoint)).await);
    let mut options = credentials(&format!("https://localhost:{tokens}"));
    let why = cause(&client(oauth2(options.clone())), &target).await;
    assert!(why.contains("unknown authority"), "{why}");
    let us = ours.issue(&["us"]);
    options.tls = TlsOptions {
        ca: secret(&theirs.pem),
        cert: secret(&us.cert),
        key: secret(&us.key),
        ..TlsOptions::default()
    };
    let seen = lines(&client(oauth2(options)), &target).await;
    assert!(
        seen.contains(&"authorization: Bearer t1".to_owned()),
        "{seen:?}"
    );
}

/// A key and the certificate that verifies what it signs.
const KEY: &str = include_str!("../../server/testdata/localhost.key");
const CERT: &str = include_str!("../../server/testdata/localhost.pem");

fn decoded(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn verify(scheme: SignatureScheme, message: &str, signature: &str) {
    let der = CertificateDer::from_pem_slice(CERT.as_bytes()).expect("good PEM");
    let (_, cert) = X509Certificate::from_der(&der).expect("a certificate");
    let key = &cert.public_key().subject_public_key.data;
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    let provider = rustls::crypto::ring::default_provider();
    let known = provider.signature_verification_algorithms.mapping;
    let (_, algorithms) = known
        .iter()
        .find(|(known, _)| *known == scheme)
        .expect("known");
    let good = algorithms.iter().any(|a| {
        a.verify_signature(key, message.as_bytes(), &signature)
            .is_ok()
    });
    assert!(good, "{scheme:?}");
}

#[tokio::test]
async fn an_assertion_is_signed_and_says_who_we_are() {
    for (algorithm, scheme) in [
        (SignatureAlgorithm::Rs256, SignatureScheme::RSA_PKCS1_SHA256),
        (SignatureAlgorithm::Rs384, SignatureScheme::RSA_PKCS1_SHA384),
        (SignatureAlgorithm::Rs512, SignatureScheme::RSA_PKCS1_SHA512),
    ] {
        let (endpoint, url) = start(Endpoint::default()).await;
        let mut options = credentials(&url);
        options.scopes = vec!["read".to_owned()];
        options.grant = Grant::JwtBearer(JwtBearer {
            key: secret(KEY),
            key_id: "k1".to_owned(),
            algorithm,
            audience: "https://them".to_owned(),
            claims: [("team".to_owned(), json!({"id": 7}))]
                .into_iter()
                .collect(),
            ..JwtBearer::default()
        });
        lines(&client(oauth2(options)), &url).await;
        let (header, form) = asked(&endpoint).remove(0);
        assert_eq!(header, "");
        assert_eq!(
            form["grant_type"],
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        );
        assert_eq!(form["scope"], "read");
        let parts: Vec<&str> = form["assertion"].split('.').collect();
        let [head, claims, signature] = parts.as_slice() else {
            panic!("three parts: {parts:?}");
        };
        let wanted = json!({"alg": algorithm.as_str(), "kid": "k1", "typ": "JWT"});
        assert_eq!(decoded(head), wanted);
        let claims = decoded(claims);
        for (name, value) in [
            ("iss", json!("an id")),
            ("sub", json!("an id")),
            ("aud", json!("https://them")),
            ("scope", json!("read")),
            ("team", json!({"id": 7})),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        let life = claims["exp"].as_i64().zip(claims["iat"].as_i64());
        assert_eq!(life.map(|(end, begin)| end - begin), Some(600));
        verify(scheme, &format!("{}.{}", parts[0], parts[1]), signature);
    }
}

#[tokio::test]
async fn a_key_of_another_kind_cannot_sign() {
    let (_, url) = start(Endpoint::default()).await;
    let mut options = credentials(&url);
    options.grant = Grant::JwtBearer(JwtBearer {
        key: secret(&Authority::new().issue(&["x"]).key),
        ..JwtBearer::default()
    });
    let why = cause(&client(oauth2(options)), &url).await;
    assert!(why.contains("not a valid RSA private key"), "{why}");
}
