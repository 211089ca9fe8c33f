//! `basic_auth_users`: names and passwords against bcrypt hashes.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::model::Secret;

/// compat: compared with when the user is unknown, so that names cannot be found by the clock.
const NOBODY: &str = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
/// How many answers are remembered, to spare bcrypt at each request.
const REMEMBERED_MAX: usize = 100;

/// What was found out about passwords.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    /// Answers by the hash of name, password and bcrypt hash.
    remembered: Mutex<BTreeMap<[u8; 32], bool>>,
    /// bcrypt is slow on purpose: guessers get one core together.
    comparing: tokio::sync::Mutex<()>,
}

impl Passwords {
    /// Whether the request names one of the users, with the right password.
    pub(super) async fn admit(&self, users: &[(String, Secret)], headers: &HeaderMap) -> bool {
        let Some((name, password)) = credentials(headers) else {
            return false;
        };
        let known = users.iter().find(|(user, _)| *user == name);
        let hash = known.map_or(NOBODY, |(_, hash)| hash.expose()).to_owned();
        let known = known.is_some();
        let key = Sha256::digest(format!("{name}\0{hash}\0{password}")).into();
        if let Some(right) = self.recall(&key) {
            return right && known;
        }
        let _turn = self.comparing.lock().await;
        if let Some(right) = self.recall(&key) {
            return right && known;
        }
        let compare = move || bcrypt::verify(password, &hash).unwrap_or(false);
        let right = tokio::task::spawn_blocking(compare).await.unwrap_or(false) && known;
        let mut remembered = self.remembered.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(key, right);
        right
    }

    fn recall(&self, key: &[u8; 32]) -> Option<bool> {
        self.remembered.lock().get(key).copied()
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
