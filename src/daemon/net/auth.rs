//! Secrets, the `Authorization` header and OAuth 2.0 tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded;

use super::{Client, Error, Request};
use crate::model::http_client::{ClientOptions, HeaderOptions, OAuth2, SecretSource};

/// How long before its end a token is no longer used, as Go's `oauth2`.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

/// Reads a secret; files lose the white space around their content. None when nothing was given.
pub(super) async fn read(source: &SecretSource) -> Result<Option<String>, Error> {
    match source {
        SecretSource::None => Ok(None),
        SecretSource::Inline(secret) => Ok(Some(secret.expose().to_owned())),
        SecretSource::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) => Err(Error::Secret(format!(
                "unable to read file {}: {}",
                path.display(),
                super::error::io_text(&e)
            ))),
        },
    }
}

/// `Basic` and what follows it.
pub(super) fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

/// Everything that `http_config` adds to a request.
#[derive(Debug)]
pub(super) struct Credentials {
    options: ClientOptions,
    tokens: Option<Tokens>,
}

impl Credentials {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, Error> {
        let tokens = match &options.oauth2 {
            Some(oauth2) => Some(Tokens::new(oauth2)?),
            None => None,
        };
        Ok(Self {
            options: options.clone(),
            tokens,
        })
    }

    /// Adds headers. `same_host` is false after a redirect elsewhere: secrets stay at home.
    pub(super) async fn apply(
        &self,
        headers: &mut HeaderMap,
        same_host: bool,
        deadline: Instant,
    ) -> Result<(), Error> {
        for header in &self.options.http_headers {
            add_header(headers, header, same_host).await?;
        }
        if !same_host || headers.contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let value = if let Some(basic_auth) = &self.options.basic_auth {
            let username = read(&basic_auth.username).await?.unwrap_or_default();
            let password = read(&basic_auth.password).await?.unwrap_or_default();
            Some(basic(&username, &password))
        } else if let Some(authorization) = &self.options.authorization {
            let credentials = read(&authorization.credentials).await?.unwrap_or_default();
            let scheme = if authorization.scheme.is_empty() {
                "Bearer"
            } else {
                &authorization.scheme
            };
            Some(format!("{scheme} {credentials}"))
        } else if let Some(tokens) = &self.tokens {
            Some(tokens.header(deadline).await?)
        } else {
            None
        };
        if let Some(value) = value {
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                Error::Secret("invalid header field value for \"Authorization\"".to_owned())
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(())
    }
}

async fn add_header(
    headers: &mut HeaderMap,
    header: &HeaderOptions,
    secrets_too: bool,
) -> Result<(), Error> {
    let name = HeaderName::from_bytes(header.name.as_bytes())
        .map_err(|_| Error::Options(format!("invalid header field name {:?}", header.name)))?;
    let mut values: Vec<String> = header.values.clone();
    if secrets_too {
        values.extend(header.secrets.iter().map(|s| s.expose().to_owned()));
        for file in &header.files {
            values.extend(read(&SecretSource::File(file.clone())).await?);
        }
    }
    if let Some(host) = values.first()
        && header.name.eq_ignore_ascii_case("host")
    {
        if let Ok(value) = HeaderValue::from_str(host) {
            headers.insert(name, value);
        }
        return Ok(());
    }
    for value in values {
        let value = HeaderValue::from_str(&value).map_err(|_| {
            Error::Options(format!("invalid header field value for {:?}", header.name))
        })?;
        headers.append(&name, value);
    }
    Ok(())
}

/// Client credentials turned into tokens, one at a time, kept until they expire.
#[derive(Debug)]
struct Tokens {
    options: OAuth2,
    client: Client,
    current: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    header: String,
    secret: String,
    expires: Option<Instant>,
}

#[derive(serde::Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
}

impl Tokens {
    fn new(options: &OAuth2) -> Result<Self, Error> {
        let client = Client::new(&ClientOptions {
            tls: options.tls.clone(),
            proxy: options.proxy.clone(),
            ..ClientOptions::default()
        })?;
        Ok(Self {
            options: options.clone(),
            client,
            current: Mutex::new(None),
        })
    }

    async fn header(&self, deadline: Instant) -> Result<String, Error> {
        let secret = read(&self.options.client_secret).await?.unwrap_or_default();
        let mut current = self.current.lock().await;
        if let Some(token) = &*current
            && token.secret == secret
            && token
                .expires
                .is_none_or(|at| Instant::now() + EXPIRY_MARGIN < at)
        {
            return Ok(token.header.clone());
        }
        let token = self.fetch(secret, deadline).await?;
        let header = token.header.clone();
        *current = Some(token);
        Ok(header)
    }

    /// compat: the credentials go into the header first and, when that is refused, into the form.
    async fn fetch(&self, secret: String, deadline: Instant) -> Result<Token, Error> {
        let mut refused = String::new();
        for in_header in [true, false] {
            let answer = self.ask(&secret, in_header, deadline).await?;
            if answer.status == StatusCode::OK {
                return token_of(&answer.body, secret);
            }
            refused = format!(
                "cannot fetch token: {}\nResponse: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
                    .chars()
                    .take(512)
                    .collect::<String>()
            );
        }
        Err(Error::Token(refused))
    }

    /// The form of a token request; with the credentials in it when `secret` is given.
    fn form(&self, secret: Option<&str>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !self.options.scopes.is_empty() {
            form.append_pair("scope", &self.options.scopes.join(" "));
        }
        for (name, value) in &self.options.endpoint_params {
            form.append_pair(name, value);
        }
        if let Some(secret) = secret {
            form.append_pair("client_id", &self.options.client_id);
            form.append_pair("client_secret", secret);
        }
        form.finish()
    }

    async fn ask(
        &self,
        secret: &str,
        in_header: bool,
        deadline: Instant,
    ) -> Result<super::Response, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if in_header {
            let escape =
                |t: &str| form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>();
            if let Ok(value) =
                HeaderValue::from_str(&basic(&escape(&self.options.client_id), &escape(secret)))
            {
                headers.insert(AUTHORIZATION, value);
            }
        }
        let request = Request {
            method: Method::POST,
            url: self.options.token_url.clone(),
            headers,
            body: Bytes::from(self.form((!in_header).then_some(secret))),
            timeout: deadline.saturating_duration_since(Instant::now()),
            body_limit: 1 << 20,
            gzip: false,
        };
        // The client behind tokens has no credentials of its own, so this cannot go round in circles.
        Box::pin(self.client.send(request)).await
    }
}

fn token_of(body: &[u8], secret: String) -> Result<Token, Error> {
    let answer: TokenAnswer = serde_json::from_slice(body)
        .map_err(|e| Error::Token(format!("cannot parse json: {e}")))?;
    let access = answer
        .access_token
        .filter(|t| !t.is_empty())
        .ok_or_else(|| Error::Token("server response missing access_token".to_owned()))?;
    let kind = match answer.token_type.as_deref() {
        None | Some("") => "Bearer".to_owned(),
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => "Bearer".to_owned(),
        Some(kind) => kind.to_owned(),
    };
    let seconds = answer.expires_in.and_then(|v| match v {
        serde_json::Value::Number(n) => n.as_u64(),
        serde_json::Value::String(s) => s.parse().ok(),
        _ => None,
    });
    Ok(Token {
        header: format!("{kind} {access}"),
        secret,
        expires: seconds
            .filter(|s| *s > 0)
            .and_then(|s| Instant::now().checked_add(Duration::from_secs(s))),
    })
}
