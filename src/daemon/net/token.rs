//! OAuth 2.0: client credentials or a signed assertion turned into a token, which is kept until it expires.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded;

use super::auth::{basic, read_for};
use super::{Client, Error, Request, Response};
use crate::daemon::Clock;
use crate::model::http_client::{ClientOptions, Grant, JwtBearer, OAuth2, SignatureAlgorithm};

/// How long before its end a token is no longer used, as Go's `oauth2`.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);
/// How long an assertion is good, in seconds.
const ASSERTION_LIFE_SECS: i64 = 600;
/// The largest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// Tokens for one set of options, fetched one at a time.
#[derive(Debug)]
pub(super) struct Tokens {
    options: OAuth2,
    client: Client,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// Where the endpoint wants client id and secret, once that is known.
    place: Option<Place>,
}

/// Where a request for a token carries client id and secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Form,
}

#[derive(Debug, Clone)]
struct Token {
    header: String,
    /// The secret or key that it was got with.
    secret: String,
    expires: Option<Instant>,
}

impl Token {
    fn is_good(&self, secret: &str) -> bool {
        self.secret == secret
            && self
                .expires
                .is_none_or(|at| Instant::now() + EXPIRY_MARGIN < at)
    }
}

impl Tokens {
    pub(super) fn new(options: &OAuth2) -> Result<Self, Error> {
        let client = Client::new(&ClientOptions {
            tls: options.tls.clone(),
            proxy: options.proxy.clone(),
            ..ClientOptions::default()
        })?;
        Ok(Self {
            options: options.clone(),
            client,
            held: Mutex::default(),
        })
    }

    /// The value of an `Authorization` header, from the token at hand or a new one.
    pub(super) async fn header(&self, deadline: Instant) -> Result<String, Error> {
        let secret = match &self.options.grant {
            Grant::ClientCredentials => {
                read_for(&self.options.client_secret, "oauth2 client secret").await?
            }
            Grant::JwtBearer(jwt) => read_for(&jwt.key, "oauth2 client certificate key").await?,
        };
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| token.is_good(&secret)) {
            return Ok(token.header.clone());
        }
        let token = match &self.options.grant {
            Grant::ClientCredentials => {
                self.by_credentials(&secret, &mut held.place, deadline)
                    .await?
            }
            Grant::JwtBearer(jwt) => self.by_assertion(jwt, &secret, deadline).await?,
        };
        let header = token.header.clone();
        held.token = Some(token);
        Ok(header)
    }

    /// Drops the token that was `sent`: its user was refused.
    pub(super) async fn forget(&self, sent: &HeaderValue) {
        let mut held = self.held.lock().await;
        held.token = held
            .token
            .take()
            .filter(|token| token.header.as_bytes() != sent.as_bytes());
    }

    /// compat: an endpoint that is not known yet is tried with the credentials in the header first, and
    /// with those in the form when it refuses.
    async fn by_credentials(
        &self,
        secret: &str,
        place: &mut Option<Place>,
        deadline: Instant,
    ) -> Result<Token, Error> {
        let places: &[Place] = match place {
            Some(Place::Header) => &[Place::Header],
            Some(Place::Form) => &[Place::Form],
            None => &[Place::Header, Place::Form],
        };
        let mut refused = Error::Token("no way to fetch a token".to_owned());
        for at in places {
            let mut form = self.form("client_credentials")?;
            let mut headers = HeaderMap::new();
            match at {
                Place::Header => {
                    let value = basic(&escape(&self.options.client_id), &escape(secret));
                    let value = HeaderValue::from_str(&value)
                        .map_err(|e| Error::Token(format!("client id or secret: {e}")))?;
                    headers.insert(AUTHORIZATION, value);
                }
                Place::Form => {
                    form.insert("client_id".to_owned(), self.options.client_id.clone());
                    if !secret.is_empty() {
                        form.insert("client_secret".to_owned(), secret.to_owned());
                    }
                }
            }
            let answer = self.ask(headers, &form, deadline).await?;
            match token_of(&answer, secret) {
                Ok(token) => {
                    *place = Some(*at);
                    return Ok(token);
                }
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    async fn by_assertion(
        &self,
        jwt: &JwtBearer,
        key: &str,
        deadline: Instant,
    ) -> Result<Token, Error> {
        let mut form = self.form("urn:ietf:params:oauth:grant-type:jwt-bearer")?;
        form.insert("assertion".to_owned(), self.assertion(jwt, key)?);
        let answer = self.ask(HeaderMap::new(), &form, deadline).await?;
        token_of(&answer, key)
    }

    /// What every request for a token says. Configured parameters may replace the grant's name and nothing else.
    fn form(&self, grant: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut form = BTreeMap::from([("grant_type".to_owned(), grant.to_owned())]);
        if !self.options.scopes.is_empty() {
            form.insert("scope".to_owned(), self.options.scopes.join(" "));
        }
        for (name, value) in &self.options.endpoint_params {
            if form.contains_key(name) && name != "grant_type" {
                return Err(Error::Token(format!("cannot overwrite parameter {name:?}")));
            }
            form.insert(name.clone(), value.clone());
        }
        Ok(form)
    }

    /// A JSON web token that says who we are, signed with `key` in PEM.
    fn assertion(&self, jwt: &JwtBearer, key: &str) -> Result<String, Error> {
        let or = |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
        let mut header = BTreeMap::from([("alg", jwt.algorithm.as_str()), ("typ", "JWT")]);
        if !jwt.key_id.is_empty() {
            header.insert("kid", &jwt.key_id);
        }
        let now = Clock::real().now().as_ns().div_euclid(1_000_000_000);
        let mut claims: BTreeMap<String, Json> = BTreeMap::from([
            (
                "iss".to_owned(),
                or(&jwt.issuer, &self.options.client_id).into(),
            ),
            ("sub".to_owned(), self.options.client_id.clone().into()),
            (
                "jti".to_owned(),
                uuid::Uuid::new_v4().hyphenated().to_string().into(),
            ),
            (
                "aud".to_owned(),
                or(&jwt.audience, &self.options.token_url).into(),
            ),
            ("iat".to_owned(), now.into()),
            ("exp".to_owned(), (now + ASSERTION_LIFE_SECS).into()),
        ]);
        if !self.options.scopes.is_empty() {
            claims.insert("scope".to_owned(), self.options.scopes.join(" ").into());
        }
        claims.extend(jwt.claims.clone());
        let part = |value: Json| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!(header)), part(json!(claims)));
        let signature = sign(jwt.algorithm, key, signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    async fn ask(
        &self,
        mut headers: HeaderMap,
        form: &BTreeMap<String, String>,
        deadline: Instant,
    ) -> Result<Response, Error> {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request {
            method: Method::POST,
            url: self.options.token_url.clone(),
            headers,
            body: Bytes::from(body),
            timeout: deadline.saturating_duration_since(Instant::now()),
            body_limit: ANSWER_MAX,
            head_counts: false,
            gzip: false,
            keep_packed: false,
        };
        // The client behind tokens has no credentials of its own, so this cannot go round in circles.
        Box::pin(self.client.send(request)).await
    }
}

fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn sign(algorithm: SignatureAlgorithm, key: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |why: String| Error::Token(format!("client certificate key: {why}"));
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| failed(e.to_string()))?;
    let scheme = match algorithm {
        SignatureAlgorithm::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
        SignatureAlgorithm::Rs384 => SignatureScheme::RSA_PKCS1_SHA384,
        SignatureAlgorithm::Rs512 => SignatureScheme::RSA_PKCS1_SHA512,
    };
    any_supported_type(&key)
        .map_err(|e| failed(e.to_string()))?
        .choose_scheme(&[scheme])
        .ok_or_else(|| failed("key is not a valid RSA private key".to_owned()))?
        .sign(message)
        .map_err(|e| failed(e.to_string()))
}

/// What an answer says, by field: JSON, or a form where the type says so.
fn fields_of(answer: &Response) -> Result<BTreeMap<String, Json>, serde_json::Error> {
    let kind = answer.header("content-type").split(';').next();
    match kind.map(str::trim) {
        Some("application/x-www-form-urlencoded" | "text/plain") => {
            Ok(form_urlencoded::parse(&answer.body)
                .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
                .collect())
        }
        _ => serde_json::from_slice(&answer.body),
    }
}

fn token_of(answer: &Response, secret: &str) -> Result<Token, Error> {
    let fields = fields_of(answer);
    let text = |name: &str| {
        let fields = fields.as_ref().ok()?;
        fields.get(name)?.as_str().filter(|text| !text.is_empty())
    };
    if let Some(code) = text("error") {
        let more = ["error_description", "error_uri"].map(|name| text(name).unwrap_or_default());
        let mut said = format!("{code:?}");
        for part in more.iter().filter(|part| !part.is_empty()) {
            said = format!("{said} {part:?}");
        }
        return Err(Error::Token(said));
    }
    if !answer.status.is_success() {
        let body: String = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(512)
            .collect();
        let status = answer.status_text();
        return Err(Error::Token(format!(
            "cannot fetch token: {status}\nResponse: {body}"
        )));
    }
    if let Err(why) = &fields {
        return Err(Error::Token(format!("cannot parse json: {why}")));
    }
    let access = text("access_token")
        .ok_or_else(|| Error::Token("server response missing access_token".to_owned()))?;
    let kind = match text("token_type") {
        None => "Bearer",
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => "Bearer",
        Some(kind) if kind.eq_ignore_ascii_case("mac") => "MAC",
        Some(kind) if kind.eq_ignore_ascii_case("basic") => "Basic",
        Some(kind) => kind,
    };
    let life = fields.as_ref().ok().and_then(|fields| {
        let seconds = fields.get("expires_in")?;
        seconds
            .as_f64()
            .or_else(|| seconds.as_str()?.parse::<f64>().ok())
    });
    Ok(Token {
        header: format!("{kind} {access}"),
        secret: secret.to_owned(),
        expires: life
            .filter(|seconds| *seconds >= 1.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .and_then(|life| Instant::now().checked_add(life)),
    })
}
