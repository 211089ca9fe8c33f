//! TLS as a client: roots, own certificate, names, versions; files are read again when they change.

mod verify;

use std::sync::{Arc, Once};

use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use verify::{AcceptAny, Authorities};

use super::Error;
use super::auth;
use crate::model::http_client::{SecretSource, TlsOptions, TlsVersion};

/// Makes ring the process's cryptography. Cheap to call again.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An embedding program may have chosen already; its choice stands for others, ours is explicit.
        let _ = ring::default_provider().install_default();
    });
}

/// Options and the configuration last built from them.
#[derive(Debug)]
pub(super) struct Tls {
    options: TlsOptions,
    http2: bool,
    built: Mutex<Option<Arc<Built>>>,
}

#[derive(Debug)]
struct Built {
    pem: Pem,
    config: Arc<ClientConfig>,
    generation: u64,
}

/// What the files held when a configuration was built.
#[derive(Debug, PartialEq, Eq)]
struct Pem {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

impl Tls {
    pub(super) fn new(options: &TlsOptions, http2: bool) -> Self {
        Self {
            options: options.clone(),
            http2,
            built: Mutex::new(None),
        }
    }

    /// The name to verify and to send instead of the host's.
    pub(super) fn server_name(&self) -> Option<&str> {
        Some(self.options.server_name.as_str()).filter(|n| !n.is_empty())
    }

    /// The configuration for a new connection and its generation, which grows when files change.
    pub(super) async fn config(&self) -> Result<(Arc<ClientConfig>, u64), Error> {
        let cached = self.built.lock().clone();
        if let Some(built) = &cached
            && !self.reads_files()
        {
            return Ok((Arc::clone(&built.config), built.generation));
        }
        let pem = Pem {
            ca: text(&self.options.ca, "CA cert").await?,
            cert: text(&self.options.cert, "client cert").await?,
            key: text(&self.options.key, "client key").await?,
        };
        let generation = match &cached {
            Some(built) if built.pem == pem => {
                return Ok((Arc::clone(&built.config), built.generation));
            }
            Some(built) => built.generation + 1,
            None => 0,
        };
        let config = Arc::new(build(&self.options, self.http2, &pem)?);
        *self.built.lock() = Some(Arc::new(Built {
            pem,
            config: Arc::clone(&config),
            generation,
        }));
        Ok((config, generation))
    }

    fn reads_files(&self) -> bool {
        [&self.options.ca, &self.options.cert, &self.options.key]
            .iter()
            .any(|source| matches!(source, SecretSource::File(_)))
    }
}

async fn text(source: &SecretSource, what: &str) -> Result<Option<String>, Error> {
    auth::read(source).await.map_err(|e| match e {
        Error::Secret(text) => Error::Secret(format!("unable to read {what}: {text}")),
        other => other,
    })
}

fn build(options: &TlsOptions, http2: bool, pem: &Pem) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let versions = versions(options)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|e| Error::Options(e.to_string()))?;
    let builder = if options.insecure_skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
    } else {
        let (roots, named) = roots(pem.ca.as_deref())?;
        let verifier = Authorities::new(roots, named, provider)?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
    };
    let mut config = match (&pem.cert, &pem.key) {
        (Some(cert), Some(key)) => {
            let chain: Vec<CertificateDer<'static>> =
                CertificateDer::pem_slice_iter(cert.as_bytes())
                    .collect::<Result<_, _>>()
                    .map_err(|e| Error::Tls(format!("client certificate: {e}")))?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|e| Error::Tls(format!("client key: {e}")))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| Error::Tls(format!("client certificate: {e}")))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    Ok(config)
}

fn versions(options: &TlsOptions) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let lowest = options.min_version.unwrap_or(TlsVersion::Tls12);
    let highest = options.max_version.unwrap_or(TlsVersion::Tls13);
    let mut versions = Vec::new();
    if lowest <= TlsVersion::Tls12 && highest >= TlsVersion::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    if highest >= TlsVersion::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if versions.is_empty() {
        return Err(Error::Options(
            "tls max_version is below TLS 1.2, the lowest version spoken here".to_owned(),
        ));
    }
    Ok(versions)
}

/// The authorities to trust, and the certificates that the options name among them.
fn roots(ca: Option<&str>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
    let mut store = RootCertStore::empty();
    if let Some(ca) = ca {
        let named: Vec<_> = CertificateDer::pem_slice_iter(ca.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| Error::Tls(format!("CA: {e}")))?;
        for certificate in &named {
            store
                .add(certificate.clone())
                .map_err(|e| Error::Tls(format!("CA: {e}")))?;
        }
        if named.is_empty() {
            return Err(Error::Tls("unable to use specified CA cert".to_owned()));
        }
        return Ok((store, named));
    }
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        // A container without certificates still reaches Slack.
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok((store, Vec::new()))
}
