//! What tests of the shell share: a certificate authority, TLS servers in this process, an echo.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use hyper::header::HeaderValue;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tower::Service as _;

use crate::model::Secret;
use crate::model::http_client::SecretSource;

/// An authority that signs certificates for tests.
pub(in crate::daemon) struct Authority {
    /// Its own certificate.
    pub(in crate::daemon) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Pair {
    pub(in crate::daemon) cert: String,
    pub(in crate::daemon) key: String,
}

impl Authority {
    pub(in crate::daemon) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signs").pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// A certificate for names and addresses.
    pub(in crate::daemon) fn issue(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.sign(&CertificateParams::new(names).expect("good names"))
    }

    /// A certificate with these parameters.
    pub(in crate::daemon) fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("signs");
        Pair {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A certificate that signed itself and may sign others, as `openssl req -x509` makes them.
pub(in crate::daemon) fn self_signed_authority(name: &str) -> Pair {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    Pair {
        cert: params.self_signed(&key).expect("signs").pem(),
        key: key.serialize_pem(),
    }
}

/// How a TLS server of a test is.
#[derive(Default)]
pub(in crate::daemon) struct TlsServer {
    pub(in crate::daemon) protocols: Vec<&'static str>,
    pub(in crate::daemon) versions: Vec<&'static SupportedProtocolVersion>,
    /// Whose certificates clients must show.
    pub(in crate::daemon) clients_of: Option<String>,
    /// Counts the connections.
    pub(in crate::daemon) connections: Arc<AtomicUsize>,
}

impl TlsServer {
    /// Serves `router`; each request gets the header `x-tls` with version, protocol and name asked for.
    pub(in crate::daemon) async fn serve(self, pair: &Pair, router: Router) -> SocketAddr {
        let acceptor = self.acceptor(pair);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let connections = self.connections;
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let (acceptor, router) = (acceptor.clone(), router.clone());
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let tls = stream.get_ref().1;
                    let seen = format!(
                        "{:?} {} {}",
                        tls.protocol_version().expect("shaken hands"),
                        String::from_utf8_lossy(tls.alpn_protocol().unwrap_or(b"none")),
                        tls.server_name().unwrap_or("none"),
                    );
                    let service = tower::service_fn(move |request| {
                        let (mut request, mut router): (hyper::Request<_>, _) =
                            (request, router.clone());
                        let seen = HeaderValue::from_str(&seen).expect("plain text");
                        request.headers_mut().insert("x-tls", seen);
                        async move { router.call(request).await }
                    });
                    let service = TowerToHyperService::new(service);
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        address
    }

    /// The handshake alone.
    pub(in crate::daemon) fn acceptor(&self, pair: &Pair) -> tokio_rustls::TlsAcceptor {
        tokio_rustls::TlsAcceptor::from(Arc::new(self.config(pair)))
    }

    fn config(&self, pair: &Pair) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = match self.versions.as_slice() {
            [] => rustls::ALL_VERSIONS,
            some => some,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("good versions");
        let builder = match &self.clients_of {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                let authority = CertificateDer::from_pem_slice(pem.as_bytes()).expect("good PEM");
                roots.add(authority).expect("an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("roots"))
            }
        };
        let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).expect("good PEM");
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("good PEM");
        let mut config = builder
            .with_single_cert(vec![cert], key)
            .expect("they belong together");
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|p| p.as_bytes().to_vec())
            .collect();
        config
    }
}

/// Serves a router over plain HTTP.
pub(in crate::daemon) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Answers with the request's first line and its headers.
pub(in crate::daemon) async fn echo(request: Request) -> Result<String, Infallible> {
    let mut lines = vec![format!(
        "{} {} {:?}",
        request.method(),
        request.uri(),
        request.version()
    )];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap_or("?")));
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 16).await;
    lines.push(String::from_utf8_lossy(&body.unwrap_or_default()).into_owned());
    Ok(lines.join("\n"))
}

/// A secret in place.
pub(in crate::daemon) fn secret(text: &str) -> SecretSource {
    SecretSource::Inline(Secret::new(text))
}
