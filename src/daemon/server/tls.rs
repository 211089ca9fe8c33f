//! TLS as a server.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use crate::config::web::{ClientAuth, TlsServerOptions};
use crate::model::http_client::TlsVersion;

/// Builds a configuration from what certificate, key and client authority hold, in this order.
pub(super) fn build(
    options: &TlsServerOptions,
    pem: &[Option<String>],
    http2: bool,
) -> Result<ServerConfig, String> {
    let part = |at: usize| pem.get(at).and_then(Option::as_deref);
    let provider = Arc::new(provider(options));
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(part(0).unwrap_or_default().as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| format!("failed to load X509KeyPair: certificate: {e}"))?;
    let key = PrivateKeyDer::from_pem_slice(part(1).unwrap_or_default().as_bytes())
        .map_err(|e| format!("failed to load X509KeyPair: key: {e}"))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(options))
        .map_err(|e| e.to_string())?;
    let mut config = match verifier(options, part(2), &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    }
    .with_single_cert(chain, key)
    .map_err(|e| format!("failed to load X509KeyPair: {e}"))?;
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    Ok(config)
}

/// ring, with the cipher suites and curves that the file names.
fn provider(options: &TlsServerOptions) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !options.cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            let name = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
            // compat: in Go the suites of TLS 1.3 cannot be chosen.
            suite.tls13().is_some() || options.cipher_suites.contains(&name)
        });
    }
    if !options.curves.is_empty() {
        provider.kx_groups.retain(|group| {
            let name = match format!("{:?}", group.name()).as_str() {
                "secp256r1" => "CurveP256",
                "secp384r1" => "CurveP384",
                _ => "X25519",
            };
            options.curves.iter().any(|curve| curve == name)
        });
    }
    provider
}

fn versions(options: &TlsServerOptions) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if options.max_version >= TlsVersion::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if options.min_version <= TlsVersion::Tls12 && options.max_version >= TlsVersion::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}

fn verifier(
    options: &TlsServerOptions,
    ca: Option<&str>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let inner: Arc<dyn ClientCertVerifier> = match options.client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Request | ClientAuth::RequireAny => Arc::new(AnyClient {
            provider: Arc::clone(provider),
            mandatory: options.client_auth == ClientAuth::RequireAny,
        }),
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify => {
            let mut roots = RootCertStore::empty();
            for certificate in
                CertificateDer::pem_slice_iter(ca.unwrap_or_default().as_bytes()).flatten()
            {
                roots.add(certificate).map_err(|e| e.to_string())?;
            }
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let builder = if options.client_auth == ClientAuth::VerifyIfGiven {
                builder.allow_unauthenticated()
            } else {
                builder
            };
            builder.build().map_err(|e| format!("client CA: {e}"))?
        }
    };
    if options.client_allowed_sans.is_empty() {
        return Ok(Some(inner));
    }
    Ok(Some(Arc::new(NamedClient {
        inner,
        names: options.client_allowed_sans.clone(),
    })))
}

/// Takes any certificate; its holder must have the key.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Takes what `inner` takes, if the certificate holds one of the names.
#[derive(Debug)]
struct NamedClient {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientCertVerifier for NamedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn verify_client_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(cert, intermediates, now)?;
        let parsed = rustls::server::ParsedCertificate::try_from(cert)?;
        // Names and addresses are compared as TLS does; e-mail addresses and URIs are not supported.
        let named = self.names.iter().any(|name| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
        });
        if named {
            Ok(verified)
        } else {
            Err(rustls::Error::General(format!(
                "could not find allowed SANs in client cert, found: {:?}",
                self.names
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
