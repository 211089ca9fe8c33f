//! `--web.config.file` at work: who may come, and over what.
//!
//! compat: the file is looked at for each request, and the certificates that it names for each new
//! connection, so that a renewed certificate or a changed password needs no reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::time::Instant;

use super::passwords::Passwords;
use super::rate::Limiter;
use super::tls;
use crate::config::web::{self, WebOptions};
use crate::config::{Error, Files};
use crate::model::http_client::SecretSource;

/// The file and what it last said.
#[derive(Debug)]
pub struct Web {
    path: PathBuf,
    seen: Mutex<Seen>,
    passwords: Passwords,
}

#[derive(Debug)]
struct Seen {
    /// The file's bytes when it was read.
    bytes: Vec<u8>,
    said: Said,
    /// What the files held that it names, and what was made of them.
    tls: Option<(Vec<Option<String>>, Arc<ServerConfig>)>,
}

/// What the file says.
#[derive(Debug, Clone)]
struct Said {
    options: Arc<WebOptions>,
    limiter: Option<Arc<Limiter>>,
}

/// What a new connection speaks.
#[derive(Debug, Clone)]
pub(super) struct Speech {
    /// None for plain HTTP.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Whether HTTP/2 may be chosen.
    pub(super) http2: bool,
}

/// The real disk.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

impl Said {
    fn read(path: &Path) -> Result<Self, String> {
        let options = web::load(path, &Disk).map_err(|e: Error| e.to_string())?;
        Ok(Self {
            limiter: options
                .rate_limit
                .map(|limit| Arc::new(Limiter::new(limit, Instant::now()))),
            options: Arc::new(options),
        })
    }
}

impl Web {
    /// Reads the file and the certificates that it names.
    pub fn open(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
        let web = Self {
            path: path.to_owned(),
            seen: Mutex::new(Seen {
                bytes,
                said: Said::read(path)?,
                tls: None,
            }),
            passwords: Passwords::default(),
        };
        if let Some(tls) = &web.look()?.options.tls {
            for what in tls::left_out(tls) {
                tracing::warn!("web.config.file: {what} is not spoken here and left out");
            }
        }
        web.look_at_certificates()?;
        Ok(web)
    }

    /// What a new connection speaks.
    pub(super) async fn speech(self: &Arc<Self>) -> Result<Speech, String> {
        let web = Arc::clone(self);
        let look = tokio::task::spawn_blocking(move || web.look_at_certificates());
        look.await.map_err(|e| e.to_string())?
    }

    /// Reads the file if it changed.
    fn look(&self) -> Result<Said, String> {
        let bytes = std::fs::read(&self.path).map_err(|e| e.to_string())?;
        let mut seen = self.seen.lock();
        if bytes != seen.bytes {
            let said = Said::read(&self.path)?;
            let same_limit = said.options.rate_limit == seen.said.options.rate_limit;
            let limiter = if same_limit {
                seen.said.limiter.clone()
            } else {
                said.limiter.clone()
            };
            seen.said = Said { limiter, ..said };
            seen.bytes = bytes;
            seen.tls = None;
        }
        Ok(seen.said.clone())
    }

    /// Reads the certificates if they changed.
    fn look_at_certificates(&self) -> Result<Speech, String> {
        let options = self.look()?.options;
        let http2 = !options.disable_http2;
        let Some(tls) = &options.tls else {
            // compat: plain HTTP is HTTP/1.1.
            return Ok(Speech {
                tls: None,
                http2: false,
            });
        };
        let mut pem = Vec::new();
        for source in [&tls.cert, &tls.key, &tls.client_ca] {
            pem.push(match source {
                // `config::web` knows no references.
                SecretSource::None | SecretSource::Ref(_) => None,
                SecretSource::Inline(secret) => Some(secret.expose().to_owned()),
                SecretSource::File(path) => Some(
                    std::fs::read_to_string(path)
                        .map_err(|e| format!("failed to read {}: {e}", path.display()))?,
                ),
            });
        }
        let mut seen = self.seen.lock();
        let config = match &seen.tls {
            Some((known, config)) if *known == pem => Arc::clone(config),
            _ => {
                let config = Arc::new(tls::build(tls, &pem, http2)?);
                seen.tls = Some((pem, Arc::clone(&config)));
                config
            }
        };
        Ok(Speech {
            tls: Some(config),
            http2,
        })
    }

    /// Lets a request pass, with the headers that its answer shall have, or gives the answer that it gets
    /// instead.
    pub(super) async fn admit(
        self: &Arc<Self>,
        headers: &HeaderMap,
    ) -> Result<HeaderMap, Box<Response<Body>>> {
        let web = Arc::clone(self);
        let look = tokio::task::spawn_blocking(move || web.look());
        let said = match look.await.map_err(|e| e.to_string()) {
            Ok(Ok(said)) => said,
            Ok(Err(why)) | Err(why) => {
                tracing::error!(err = why, "unable to parse web.config.file");
                return Err(refusal(StatusCode::INTERNAL_SERVER_ERROR).into());
            }
        };
        if said.limiter.is_some_and(|l| !l.allow(Instant::now())) {
            return Err(refusal(StatusCode::TOO_MANY_REQUESTS).into());
        }
        let added = extra_headers(&said.options);
        let users = &said.options.users;
        if users.is_empty() || self.passwords.admit(users, headers).await {
            return Ok(added);
        }
        let mut answer = refusal(StatusCode::UNAUTHORIZED);
        answer.headers_mut().extend(added);
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Err(answer.into())
    }
}

/// The headers that the file wants on every answer.
fn extra_headers(options: &WebOptions) -> HeaderMap {
    let parsed = options.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    parsed.collect()
}

/// An answer as Go's `http.Error` gives it.
fn refusal(status: StatusCode) -> Response<Body> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or_default());
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}
