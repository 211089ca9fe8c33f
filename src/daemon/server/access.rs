//! `--web.config.file` at work: who may come, and over what.
//!
//! The file and the certificates it names are looked at for each new connection, so that a renewed
//! certificate or a changed password needs no reload.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rustls::ServerConfig;
use sha2::{Digest as _, Sha256};

use super::tls;
use crate::config::web::{self, WebOptions};
use crate::config::{Error, Files};
use crate::model::http_client::SecretSource;

/// compat: compared with when the user is unknown, so that names cannot be found by the clock.
const NOBODY: &str = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
/// How many passwords that were found right are remembered, to spare bcrypt at each request.
const REMEMBERED_MAX: usize = 100;

/// The file and what it last said.
#[derive(Debug)]
pub struct Web {
    path: PathBuf,
    options: ArcSwap<WebOptions>,
    /// The file's bytes, and those of what it names, when the options were read.
    seen: Mutex<Seen>,
    /// Hashes of right answers: header and bcrypt hash.
    remembered: Mutex<BTreeSet<[u8; 32]>>,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    pem: Vec<Option<String>>,
    config: Option<Arc<ServerConfig>>,
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

impl Web {
    /// Reads the file and the certificates that it names.
    pub fn open(path: &Path) -> Result<Self, String> {
        let options = web::load(path, &Disk).map_err(|e| e.to_string())?;
        let web = Self {
            path: path.to_owned(),
            options: ArcSwap::from_pointee(options),
            seen: Mutex::default(),
            remembered: Mutex::default(),
        };
        web.look()?;
        Ok(web)
    }

    /// The TLS configuration for a new connection; none for plain HTTP.
    pub(super) fn tls(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        self.look()
    }

    /// Reads what changed.
    fn look(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        let bytes = std::fs::read(&self.path).map_err(|e| e.to_string())?;
        let mut seen = self.seen.lock();
        if bytes != seen.bytes {
            let options = web::load(&self.path, &Disk).map_err(|e: Error| e.to_string())?;
            self.options.store(Arc::new(options));
            self.remembered.lock().clear();
            seen.bytes = bytes;
            seen.config = None;
        }
        let options = self.options.load();
        let Some(tls) = &options.tls else {
            return Ok(None);
        };
        let mut pem = Vec::new();
        for source in [&tls.cert, &tls.key, &tls.client_ca] {
            pem.push(match source {
                SecretSource::None => None,
                SecretSource::Inline(secret) => Some(secret.expose().to_owned()),
                SecretSource::File(path) => Some(
                    std::fs::read_to_string(path)
                        .map_err(|e| format!("failed to read {}: {e}", path.display()))?,
                ),
            });
        }
        if let Some(config) = &seen.config
            && seen.pem == pem
        {
            return Ok(Some(Arc::clone(config)));
        }
        let config = Arc::new(tls::build(tls, &pem, !options.disable_http2)?);
        seen.pem = pem;
        seen.config = Some(Arc::clone(&config));
        Ok(Some(config))
    }

    /// The refusal of a request without the right password; none lets it pass.
    pub(super) async fn refusal(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let options = self.options.load_full();
        if options.users.is_empty() {
            return None;
        }
        let (name, password) = credentials(headers).unwrap_or_default();
        let hash = options
            .users
            .iter()
            .find(|(user, _)| *user == name)
            .map(|(_, hash)| hash.expose().to_owned());
        let key: [u8; 32] = Sha256::digest(format!(
            "{name}\0{password}\0{}",
            hash.as_deref().unwrap_or_default()
        ))
        .into();
        if hash.is_some() && self.remembered.lock().contains(&key) {
            return None;
        }
        // bcrypt is slow on purpose.
        let right = tokio::task::spawn_blocking(move || {
            let known = hash.is_some();
            bcrypt::verify(password, hash.as_deref().unwrap_or(NOBODY)).unwrap_or(false) && known
        })
        .await
        .unwrap_or(false);
        if right {
            let mut remembered = self.remembered.lock();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(key);
            return None;
        }
        let mut refusal = Response::new(Body::from("Unauthorized\n"));
        *refusal.status_mut() = StatusCode::UNAUTHORIZED;
        refusal
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        refusal.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        Some(refusal)
    }

    /// Adds the headers that the file wants on every answer.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.options.load().headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) {
                headers.insert(name, value);
            }
        }
    }
}

/// Name and password of HTTP basic authentication.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
