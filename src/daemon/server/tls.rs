//! TLS as a server.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, SupportedKxGroup, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, NamedGroup, RootCertStore, ServerConfig,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

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
    check_speakable(options, &provider)?;
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
            // compat: in Go the suites of TLS 1.3 cannot be chosen.
            suite.tls13().is_some() || options.cipher_suites.contains(&suite_name(suite))
        });
    }
    if !options.curves.is_empty() {
        provider.kx_groups.retain(|group| {
            options
                .curves
                .iter()
                .any(|c| Some(c.as_str()) == curve(*group))
        });
    }
    provider
}

/// What Go calls a cipher suite.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

/// What Go calls a group for key exchange.
fn curve(group: &dyn SupportedKxGroup) -> Option<&'static str> {
    match group.name() {
        NamedGroup::secp256r1 => Some("CurveP256"),
        NamedGroup::secp384r1 => Some("CurveP384"),
        NamedGroup::X25519 => Some("X25519"),
        _ => None,
    }
}

/// What the file names and we do not speak: older suites, and a curve.
pub(super) fn left_out(options: &TlsServerOptions) -> Vec<String> {
    let ring = ring::default_provider();
    let suites: Vec<String> = ring.cipher_suites.iter().map(suite_name).collect();
    let curves: Vec<_> = ring.kx_groups.iter().map(|group| curve(*group)).collect();
    let suites = options.cipher_suites.iter().filter(|s| !suites.contains(s));
    let curves = options
        .curves
        .iter()
        .filter(|c| !curves.contains(&Some(c.as_str())));
    suites
        .map(|suite| format!("cipher suite {suite}"))
        .chain(curves.map(|curve| format!("curve {curve}")))
        .collect()
}

/// Refuses a file of whose choices nothing is left.
fn check_speakable(options: &TlsServerOptions, provider: &CryptoProvider) -> Result<(), String> {
    if versions(options).is_empty() {
        return Err(
            "no TLS version lies between min_version and max_version; TLS12 and TLS13 are spoken here"
                .to_owned(),
        );
    }
    if provider.kx_groups.is_empty() {
        return Err(format!(
            "none of curve_preferences is spoken here: {}; CurveP256, CurveP384 and X25519 are",
            options.curves.join(", ")
        ));
    }
    let only_tls12 = options.max_version < TlsVersion::Tls13;
    if only_tls12 && provider.cipher_suites.iter().all(|s| s.tls13().is_some()) {
        return Err(format!(
            "none of cipher_suites is spoken here: {}; those with GCM or CHACHA20 are",
            options.cipher_suites.join(", ")
        ));
    }
    Ok(())
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
            let roots = client_roots(ca)?;
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

/// Who may sign the certificates of clients. compat: the system's authorities when the file names none.
fn client_roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("client CA: {e}"))?;
        roots
            .add(certificate)
            .map_err(|e| format!("client CA: {e}"))?;
    }
    Ok(roots)
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
        let found = names_in(cert)
            .ok_or_else(|| rustls::Error::from(rustls::CertificateError::BadEncoding))?;
        // compat: compared to the letter, wildcards too.
        let named = found.iter().any(|name| self.names.contains(name));
        if named {
            Ok(verified)
        } else {
            Err(rustls::Error::General(format!(
                "could not find allowed SANs in client cert, found: {found:?}"
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

/// The alternative names of a certificate: domains, e-mail addresses, addresses and URIs. None when it is
/// malformed.
fn names_in(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let Some(names) = certificate.subject_alternative_name().ok()? else {
        return Some(Vec::new());
    };
    let names = names.value.general_names.iter();
    Some(names.filter_map(name_text).collect())
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let address: IpAddr = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok()?.into(),
                _ => <[u8; 16]>::try_from(*bytes).ok()?.into(),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}
