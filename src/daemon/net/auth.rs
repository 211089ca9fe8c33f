//! Secrets, the `Authorization` header and the headers of `http_headers`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::Error;
use super::token::Tokens;
use crate::model::http_client::{ClientOptions, Grant, HeaderOptions, SecretSource, TlsOptions};

/// Reads a secret; files lose the white space around their content. None when nothing was given.
pub(super) async fn read(source: &SecretSource) -> Result<Option<String>, Error> {
    match source {
        SecretSource::None => Ok(None),
        SecretSource::Inline(secret) => Ok(Some(secret.expose().to_owned())),
        SecretSource::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) => Err(Error::Secret(format!(
                "unable to read file {path}: open {path}: {}",
                super::error::io_text(&e),
                path = path.display(),
            ))),
        },
        SecretSource::Ref(_) => Err(Error::Secret(NO_MANAGER.to_owned())),
    }
}

/// What upstream says when a secret is given by name.
const NO_MANAGER: &str = "cannot use secret ref without manager";

/// As [`read`]; an error says whose secret it was. Nothing counts as empty.
pub(super) async fn read_for(source: &SecretSource, whose: &str) -> Result<String, Error> {
    match read(source).await {
        Ok(text) => Ok(text.unwrap_or_default()),
        Err(Error::Secret(why)) => Err(Error::Secret(format!("unable to read {whose}: {why}"))),
        Err(other) => Err(other),
    }
}

/// Refuses options that give a secret by name: there is nobody to ask for it.
pub(super) fn refuse_references(options: &ClientOptions) -> Result<(), Error> {
    let mut sources = tls_sources(&options.tls).to_vec();
    if let Some(auth) = &options.basic_auth {
        sources.push((&auth.username, "username"));
        sources.push((&auth.password, "password"));
    }
    if let Some(authorization) = &options.authorization {
        sources.push((&authorization.credentials, "credentials"));
    }
    if let Some(oauth2) = &options.oauth2 {
        sources.push((&oauth2.client_secret, "client secret"));
        if let Grant::JwtBearer(jwt) = &oauth2.grant {
            sources.push((&jwt.key, "client certificate key"));
        }
        sources.extend(tls_sources(&oauth2.tls));
    }
    for (source, what) in sources {
        if let SecretSource::Ref(name) = source {
            return Err(Error::Options(format!(
                "unable to use {what}: {NO_MANAGER}\n\
                 hint: no secret manager can be configured; give the secret {name:?} in place or in a file"
            )));
        }
    }
    Ok(())
}

fn tls_sources(tls: &TlsOptions) -> [(&SecretSource, &'static str); 3] {
    [
        (&tls.ca, "CA cert"),
        (&tls.cert, "client cert"),
        (&tls.key, "client key"),
    ]
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
        refuse_references(options)?;
        let tokens = match &options.oauth2 {
            Some(oauth2) => Some(Tokens::new(oauth2)?),
            None => None,
        };
        Ok(Self {
            options: options.clone(),
            tokens,
        })
    }

    /// Whether they are the same each time and nobody must be asked for them.
    pub(super) fn are_fixed(&self) -> bool {
        let is_fixed = |source: &SecretSource| !matches!(source, SecretSource::File(_));
        let basic = self.options.basic_auth.iter();
        let other = self.options.authorization.iter();
        self.tokens.is_none()
            && basic.flat_map(|b| [&b.username, &b.password]).all(is_fixed)
            && other.map(|a| &a.credentials).all(is_fixed)
            && self.options.http_headers.iter().all(|h| h.files.is_empty())
    }

    /// Adds headers to a request for the host that was configured. A request that a redirect sent
    /// elsewhere must not get any: what is configured is meant for nobody else.
    pub(super) async fn apply(
        &self,
        headers: &mut HeaderMap,
        deadline: Instant,
    ) -> Result<(), Error> {
        for header in &self.options.http_headers {
            add_header(headers, header).await?;
        }
        if headers.contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let value = if let Some(basic_auth) = &self.options.basic_auth {
            let username = read_for(&basic_auth.username, "basic auth username").await?;
            let password = read_for(&basic_auth.password, "basic auth password").await?;
            Some(basic(&username, &password))
        } else if let Some(authorization) = &self.options.authorization {
            let whose = "authorization credentials";
            let credentials = read_for(&authorization.credentials, whose).await?;
            let scheme = match authorization.scheme.as_str() {
                "" => "Bearer",
                scheme => scheme,
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

    /// Takes note that the peer refused what [`Self::apply`] added: a token is fetched anew next time.
    pub(super) async fn refused(&self, headers: &HeaderMap) {
        if let Some(tokens) = &self.tokens
            && let Some(sent) = headers.get(AUTHORIZATION)
        {
            tokens.forget(sent).await;
        }
    }
}

async fn add_header(headers: &mut HeaderMap, header: &HeaderOptions) -> Result<(), Error> {
    let name = HeaderName::from_bytes(header.name.as_bytes())
        .map_err(|_| Error::Options(format!("invalid header field name {:?}", header.name)))?;
    let mut values: Vec<String> = header.values.clone();
    values.extend(header.secrets.iter().map(|s| s.expose().to_owned()));
    for file in &header.files {
        values.push(read_for(&SecretSource::File(file.clone()), "headers file").await?);
    }
    for value in values {
        let value = HeaderValue::from_str(&value).map_err(|_| {
            Error::Options(format!("invalid header field value for {:?}", header.name))
        })?;
        headers.append(&name, value);
    }
    Ok(())
}
