//! Checked options of an HTTP client: what `http_config` and its siblings say. Scrapes, discovery,
//! receivers and remote Alertmanagers share them; `daemon::net` acts on them.

use std::path::{Path, PathBuf};

use super::Secret;

/// How to talk HTTP to one kind of peer. The default is upstream's: redirects followed, HTTP/2 on.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientOptions {
    /// HTTP basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// OAuth 2.0 client credentials.
    pub oauth2: Option<Box<OAuth2>>,
    /// TLS settings.
    pub tls: TlsOptions,
    /// Proxy settings.
    pub proxy: ProxyOptions,
    /// Whether 3xx answers are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be negotiated over TLS.
    pub enable_http2: bool,
    /// Extra headers, in order.
    pub http_headers: Vec<HeaderOptions>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            tls: TlsOptions::default(),
            proxy: ProxyOptions::default(),
            follow_redirects: true,
            enable_http2: true,
            http_headers: Vec::new(),
        }
    }
}

impl TlsOptions {
    /// Hands the secret key to `tell` if it is given in place.
    pub fn secrets(&self, tell: &mut dyn FnMut(&str)) {
        if let SecretSource::Inline(secret) = &self.key {
            tell(secret.expose());
        }
    }
}

impl ClientOptions {
    /// Hands each file that holds a secret to `tell`.
    pub fn secret_files(&self, tell: &mut dyn FnMut(&Path)) {
        for source in self.sources() {
            if let SecretSource::File(path) = source {
                tell(path);
            }
        }
        for path in self.http_headers.iter().flat_map(|header| &header.files) {
            tell(path);
        }
    }

    fn sources(&self) -> Vec<&SecretSource> {
        let mut sources = vec![&self.tls.key];
        sources.extend(self.basic_auth.iter().map(|auth| &auth.password));
        sources.extend(self.authorization.iter().map(|auth| &auth.credentials));
        if let Some(oauth2) = &self.oauth2 {
            sources.extend([&oauth2.client_secret, &oauth2.tls.key]);
        }
        sources
    }

    /// Hands each secret that is given in place to `tell`.
    pub fn secrets(&self, tell: &mut dyn FnMut(&str)) {
        for source in self.sources() {
            if let SecretSource::Inline(secret) = source {
                tell(secret.expose());
            }
        }
        let headers = self.http_headers.iter().flat_map(|header| &header.secrets);
        let proxy = self.proxy.connect_headers.iter().flat_map(|(_, v)| v);
        for secret in headers.chain(proxy) {
            tell(secret.expose());
        }
        if let Some(url) = self.proxy.url.as_deref().filter(|url| url.contains('@')) {
            tell(url);
        }
    }
}

/// A secret given in place or in a file that is read again at each use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SecretSource {
    /// Nothing was given.
    #[default]
    None,
    /// Given in the configuration.
    Inline(Secret),
    /// Read from this file, surrounding white space removed.
    File(PathBuf),
    /// The name of a secret in a secret manager (`*_ref`). No manager can be configured, so a client
    /// with such a secret is refused.
    Ref(String),
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasicAuth {
    /// The user name.
    pub username: SecretSource,
    /// The password.
    pub password: SecretSource,
}

/// A scheme and its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// `Bearer` unless said otherwise.
    pub scheme: String,
    /// What follows the scheme.
    pub credentials: SecretSource,
}

/// OAuth 2.0 client credentials or JWT bearer grant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OAuth2 {
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretSource,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Where tokens are had.
    pub token_url: String,
    /// Extra form parameters, in order.
    pub endpoint_params: Vec<(String, String)>,
    /// What is shown to get a token.
    pub grant: Grant,
    /// TLS towards the token endpoint.
    pub tls: TlsOptions,
    /// Proxy towards the token endpoint.
    pub proxy: ProxyOptions,
}

/// What an OAuth 2.0 client shows to get a token.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Grant {
    /// Its id and secret.
    #[default]
    ClientCredentials,
    /// An assertion that it signs (RFC 7523).
    JwtBearer(JwtBearer),
}

/// What goes into a signed assertion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JwtBearer {
    /// The RSA key that signs, in PEM.
    pub key: SecretSource,
    /// The `kid` header; none when empty.
    pub key_id: String,
    /// How it signs.
    pub algorithm: SignatureAlgorithm,
    /// The `iss` claim; the client's id when empty.
    pub issuer: String,
    /// The `aud` claim; the token URL when empty.
    pub audience: String,
    /// Claims beside the standard ones, which they replace.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// How an assertion is signed: RSA PKCS #1 v1.5 over a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureAlgorithm {
    /// SHA-256
    #[default]
    Rs256,
    /// SHA-384
    Rs384,
    /// SHA-512
    Rs512,
}

impl SignatureAlgorithm {
    /// The name in configurations and in the header of an assertion.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// Reads the name; none when it is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Rs384, Self::Rs512]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

/// TLS as a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// Authorities to trust instead of the system's, in PEM.
    pub ca: SecretSource,
    /// Our certificate, in PEM.
    pub cert: SecretSource,
    /// Our key, in PEM.
    pub key: SecretSource,
    /// The name to verify and to send as SNI instead of the host's.
    pub server_name: String,
    /// Whether any certificate is accepted.
    pub insecure_skip_verify: bool,
    /// Lowest version.
    pub min_version: Option<TlsVersion>,
    /// Highest version.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.0; accepted in files, treated as 1.2 which is the lowest we speak.
    Tls10,
    /// TLS 1.1; accepted in files, treated as 1.2 which is the lowest we speak.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyOptions {
    /// The proxy's address.
    pub url: Option<String>,
    /// Hosts that are asked directly, as in the `NO_PROXY` variable.
    pub no_proxy: String,
    /// Whether the environment decides.
    pub from_environment: bool,
    /// Headers sent with CONNECT.
    pub connect_headers: Vec<(String, Vec<Secret>)>,
}

/// One extra header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderOptions {
    /// The header's name.
    pub name: String,
    /// Values given in place.
    pub values: Vec<String>,
    /// Secret values given in place.
    pub secrets: Vec<Secret>,
    /// Files that hold values.
    pub files: Vec<PathBuf>,
}
