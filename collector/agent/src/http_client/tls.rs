//! TLS as a client: whom to trust, and who we are. Files are read again when they change, and count from the next
//! connection on.

use std::sync::{Arc, LazyLock, Mutex, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_platform_verifier::Verifier;
use taffrail_core::Clock;
use tracing::{info, warn};

use super::pinned::Pinned;
use super::source::{Source, Watched};
use crate::config::Secret;
use crate::status::lock;

/// `tls_config`, as Prometheus has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// Authorities to trust instead of the machine's, in PEM.
    pub ca: Option<Source>,
    /// Our certificate and the chain above it, in PEM.
    pub cert: Option<Source>,
    /// Our private key, in PEM.
    pub key: Option<Source>,
    /// The name that the server's certificate has to be for, instead of the host's in the address.
    pub server_name: Option<String>,
    /// Any certificate will do.
    pub insecure_skip_verify: bool,
    /// The oldest version that will do.
    pub min_version: Version,
    /// The newest version that is offered.
    pub max_version: Option<Version>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2
    #[default]
    V12,
    /// TLS 1.3
    V13,
}

/// TLS settings at work.
#[derive(Debug)]
pub struct Trust {
    tls: Tls,
    ca: Option<Watched>,
    cert: Option<Watched>,
    key: Option<Watched>,
    /// What the present parts were made of.
    made_of: Mutex<Pems>,
    now: Arc<Now>,
}

type Pems = [Option<Secret>; 3];

/// What handshakes use now.
#[derive(Debug)]
struct Now {
    verifier: RwLock<Arc<dyn ServerCertVerifier>>,
    ours: RwLock<Option<Arc<CertifiedKey>>>,
}

impl Trust {
    /// Reads what `tls` names.
    ///
    /// # Errors
    /// In words, with the key of `tls_config` that is wrong.
    pub fn new(tls: &Tls, clock: &Clock) -> Result<Self, String> {
        let watch = |source: &Option<Source>| source.clone().map(|s| Watched::new(s, clock.clone()));
        let (ca, cert, key) = (watch(&tls.ca), watch(&tls.cert), watch(&tls.key));
        let text = |watched: &Option<Watched>| watched.as_ref().map(Watched::text_blocking).transpose();
        let pems = [text(&ca)?, text(&cert)?, text(&key)?];
        let (verifier, ours) = parts(tls, &pems)?;
        let now = Arc::new(Now { verifier: RwLock::new(verifier), ours: RwLock::new(ours) });
        Ok(Trust { tls: tls.clone(), ca, cert, key, made_of: Mutex::new(pems), now })
    }

    /// The settings of connections; they follow [`Trust::refresh`]. ALPN is the caller's to set.
    ///
    /// # Errors
    /// When no version is left between the oldest and the newest.
    pub fn config(&self) -> Result<ClientConfig, String> {
        let (least, most) = (self.tls.min_version, self.tls.max_version.unwrap_or(Version::V13));
        let all: [(Version, &'static SupportedProtocolVersion); 2] =
            [(Version::V13, &rustls::version::TLS13), (Version::V12, &rustls::version::TLS12)];
        let versions: Vec<_> =
            all.into_iter().filter(|(v, _)| (least..=most).contains(v)).map(|(_, v)| v).collect();
        if versions.is_empty() {
            return Err("min_version is newer than max_version".into());
        }
        let builder = ClientConfig::builder_with_protocol_versions(&versions)
            .dangerous()
            .with_custom_certificate_verifier(self.now.clone());
        if self.tls.cert.is_none() {
            return Ok(builder.with_no_client_auth());
        }
        let mut config = builder.with_client_cert_resolver(self.now.clone());
        // A session that is taken up again has the identity of the certificate before.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// The name that the server's certificate has to be for, where the config gives one.
    ///
    /// # Errors
    /// When it is no host's name.
    pub fn server_name(&self) -> Result<Option<ServerName<'static>>, String> {
        let name = self.tls.server_name.clone();
        let wrong = |name| format!("server_name `{name}` is not a host's name");
        name.map(|name| ServerName::try_from(name.clone()).map_err(|_| wrong(name))).transpose()
    }

    /// Looks at the files again, as far as that is due. What cannot be used is said, and what was there before goes on.
    pub async fn refresh(&self) {
        let mut pems = Pems::default();
        for (pem, watched) in pems.iter_mut().zip([&self.ca, &self.cert, &self.key]) {
            let Some(watched) = watched else { continue };
            let Ok(text) = watched.text().await else { return };
            *pem = Some(text);
        }
        if *lock(&self.made_of) == pems {
            return;
        }
        match parts(&self.tls, &pems) {
            Ok((verifier, ours)) => {
                put(&self.now.verifier, verifier);
                put(&self.now.ours, ours);
                info!("certificates were read again");
            }
            // A certificate and its key are two files: between two writes they do not go together.
            Err(error) => warn!("changed certificates cannot be used, those before go on: {error}"),
        }
        *lock(&self.made_of) = pems;
    }
}

type Parts = (Arc<dyn ServerCertVerifier>, Option<Arc<CertifiedKey>>);

fn parts(tls: &Tls, [ca, cert, key]: &Pems) -> Result<Parts, String> {
    let provider = provider()?;
    let verifier: Arc<dyn ServerCertVerifier> = match ca {
        _ if tls.insecure_skip_verify => Arc::new(Anybody(provider.clone())),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            let pinned = certificates(pem, "ca")?;
            for certificate in &pinned {
                roots.add(certificate.clone()).map_err(|error| format!("ca: {error}"))?;
            }
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            let authorities = built.map_err(|error| format!("ca: {error}"))?;
            Arc::new(Pinned::new(authorities, pinned))
        }
        None => Arc::new(Machine),
    };
    let (Some(cert), Some(key)) = (cert, key) else { return Ok((verifier, None)) };
    let chain = certificates(cert, "cert")?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
    let key = key.map_err(|error| format!("key: no private key in PEM: {error}"))?;
    let ours = CertifiedKey::from_der(chain, key, &provider);
    let ours = ours.map_err(|error| format!("cert and key do not go together: {error}"))?;
    Ok((verifier, Some(Arc::new(ours))))
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Result<Arc<CryptoProvider>, String> {
    CryptoProvider::get_default().cloned().ok_or_else(|| "no TLS provider is installed".to_owned())
}

/// The certificates of a PEM file; `what` names the key that it is from.
pub(crate) fn certificates(pem: &Secret, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(found) if found.is_empty() => Err(format!("{what}: no certificate in it; PEM is expected")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

fn put<T>(place: &RwLock<T>, value: T) {
    *place.write().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
}

fn get<T: Clone>(place: &RwLock<T>) -> T {
    place.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

impl ServerCertVerifier for Now {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        get(&self.verifier).verify_server_cert(end, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        get(&self.verifier).verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        get(&self.verifier).verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        get(&self.verifier).supported_verify_schemes()
    }
}

impl ResolvesClientCert for Now {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        get(&self.ours).filter(|ours| ours.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        get(&self.ours).is_some()
    }
}

/// Trusts the authorities that the machine trusts. They are read when the first certificate is shown, and once for all
/// clients: that takes memory, and much that is asked speaks no TLS.
#[derive(Debug)]
struct Machine;

static MACHINE: LazyLock<Result<Verifier, String>> = LazyLock::new(|| {
    let read = provider().and_then(|provider| Verifier::new(provider).map_err(|error| error.to_string()));
    read.map_err(|error| format!("the machine's certificate authorities cannot be read: {error}"))
});

impl Machine {
    fn verifier() -> Result<&'static Verifier, rustls::Error> {
        MACHINE.as_ref().map_err(|error| rustls::Error::General(error.clone()))
    }
}

impl ServerCertVerifier for Machine {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Self::verifier()?.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::verifier()?.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::verifier()?.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = CryptoProvider::get_default();
        provider.map(|p| p.signature_verification_algorithms.supported_schemes()).unwrap_or_default()
    }
}

/// `insecure_skip_verify`: any certificate will do, as long as its owner signs the handshake.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
