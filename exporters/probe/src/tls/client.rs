//! The client's side of TLS: settings made ready once, then one handshake a probe.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, SupportedCipherSuite, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::roots::{Roots, RootsError, Time};
use super::verify::{Presented, Recorder};
use crate::attempt::Attempt;
use crate::failure::Failure;
use taffrail_core::secret::{Source, SourceError};

/// A version of TLS that probes can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// What `tls_config` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The authorities trusted, in PEM; without them, the machine's.
    pub ca: Option<Source>,
    /// The certificate and key that the client presents, in PEM.
    pub identity: Option<(Source, Source)>,
    /// The name that the server's certificate must be for; without one, the target's host.
    pub server_name: Option<String>,
    /// Any certificate will do.
    pub insecure_skip_verify: bool,
    /// The oldest version offered.
    pub min: Version,
    /// The newest version offered.
    pub max: Version,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            ca: None,
            identity: None,
            server_name: None,
            insecure_skip_verify: false,
            min: Version::Tls12,
            max: Version::Tls13,
        }
    }
}

/// TLS settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A file cannot be read.
    #[error("{key}: {why}")]
    File {
        /// The setting: `ca_file`.
        key: &'static str,
        /// What is wrong.
        why: SourceError,
    },
    /// The authorities cannot be used.
    #[error("ca_file: {0}")]
    Roots(RootsError),
    /// Certificate and key cannot be used.
    #[error("{key}: {why}")]
    Identity {
        /// The setting: `cert_file`.
        key: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// Settings made ready: reading files and setting up ciphers is done once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    options: Options,
    config: Arc<ClientConfig>,
    /// Those of the options, if they name any.
    roots: Option<Roots>,
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

/// How a handshake went.
#[derive(Debug)]
pub struct Handshake<S> {
    /// The connection, if there is one.
    pub outcome: Result<TlsStream<S>, Failure>,
    /// What the server presented, if it came so far.
    pub presented: Option<Presented>,
}

impl Client {
    /// Makes settings ready. Blocks on the files that they name.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let read = |key, source: &Source| source.read().map_err(|why| OptionsError::File { key, why });
        let roots = match &options.ca {
            Some(source) => Some(Roots::from_pem(&read("ca_file", source)?).map_err(OptionsError::Roots)?),
            None => None,
        };
        let identity = match &options.identity {
            Some((certificate, key)) => {
                Some(identity(&read("cert_file", certificate)?, &read("key_file", key)?)?)
            }
            None => None,
        };
        let config = config(options.min, options.max, identity)
            .map_err(|e| OptionsError::Identity { key: "cert_file", why: e.to_string() })?;
        Ok(Client { options, config: Arc::new(config), roots })
    }

    /// The name that the settings want the server's certificate to be for.
    pub fn server_name(&self) -> Option<&str> {
        self.options.server_name.as_deref()
    }

    /// The same, for servers whose certificate must be for `name`.
    pub fn named(&self, name: &str) -> Self {
        let options = Options { server_name: Some(name.to_owned()), ..self.options.clone() };
        Client { options, ..self.clone() }
    }

    /// Shakes hands over `stream` with the server called `name`, offering the protocols of `alpn`.
    pub async fn connect<S>(
        &self,
        attempt: &mut Attempt<'_>,
        stream: S,
        name: &str,
        alpn: &[&[u8]],
    ) -> Handshake<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let bare = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let Ok(server) = ServerName::try_from(bare.to_owned()) else {
            let why = format!("`{name}` is neither a DNS name nor an address: set tls_config.server_name");
            return Handshake { outcome: Err(Failure::Tls { name: name.to_owned(), why }), presented: None };
        };
        let recorder = Arc::new(Recorder {
            roots: self.trusted(attempt),
            provider: provider(),
            presented: Mutex::new(None),
        });
        // A copy of the settings with a verifier of this connection's own: a few counters go up, nothing is set up.
        let mut config = (*self.config).clone();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.time_provider = Arc::new(Time(attempt.cx.clock.clone()));
        let verifier: Arc<dyn ServerCertVerifier> = recorder.clone();
        config.dangerous().set_certificate_verifier(verifier);
        let connecting = TlsConnector::from(Arc::new(config)).connect(server, stream);
        let outcome = attempt.within(|| format!("shaking hands with {name} (TLS)"), connecting).await;
        let presented = recorder.presented.lock().unwrap_or_else(PoisonError::into_inner).take();
        let problem = presented.as_ref().and_then(|presented| presented.problem.clone());
        let outcome = outcome.and_then(|connected| {
            connected.map_err(|e| Failure::Tls {
                name: name.to_owned(),
                why: problem.unwrap_or_else(|| explain(&e)),
            })
        });
        if outcome.is_ok() {
            attempt.trail.say(format!("TLS established with {name}"));
        }
        Handshake { outcome, presented }
    }

    /// What is trusted; nothing is said when everything is.
    fn trusted(&self, attempt: &mut Attempt<'_>) -> Option<Roots> {
        if self.options.insecure_skip_verify {
            return None;
        }
        if let Some(roots) = &self.roots {
            return Some(roots.clone());
        }
        let roots = attempt.cx.roots.get();
        if roots.is_empty() {
            attempt.trail.say("This machine trusts no authority: install ca-certificates, or set ca_file");
        }
        Some(roots.clone())
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let make = || {
        let mut provider = aws_lc_rs::default_provider();
        // In blackbox_exporter's order, so that a server which lets the client choose gives the same label.
        let rank = |suite: &SupportedCipherSuite| {
            let name = suite.suite().as_str().unwrap_or_default();
            ["AES_128", "AES_256"].iter().position(|cipher| name.contains(cipher)).unwrap_or(2)
        };
        provider.cipher_suites.sort_by_key(rank);
        Arc::new(provider)
    };
    PROVIDER.get_or_init(make).clone()
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(certificates: &[u8], key: &[u8]) -> Result<Identity, OptionsError> {
    let fail = |key, why: String| OptionsError::Identity { key, why };
    let mut chain = Vec::new();
    for der in CertificateDer::pem_slice_iter(certificates) {
        chain.push(der.map_err(|e| fail("cert_file", format!("it is not PEM: {e}")))?);
    }
    if chain.is_empty() {
        return Err(fail("cert_file", "it holds no `-----BEGIN CERTIFICATE-----` block".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|e| fail("key_file", format!("it holds no private key in PEM: {e}")))?;
    Ok((chain, key))
}

fn config(min: Version, max: Version, identity: Option<Identity>) -> Result<ClientConfig, rustls::Error> {
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    if min <= Version::Tls13 && max >= Version::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if min <= Version::Tls12 && max >= Version::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    // Each connection brings a verifier of its own; this one would trust nothing.
    let nobody = Recorder { roots: Some(Roots::new([])), provider: provider(), presented: Mutex::new(None) };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(nobody));
    let mut config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    // Every probe sees the whole handshake.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What rustls says, and for the commonest case what it means.
fn explain(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("the server does not speak TLS on this port ({error})")
        }
        Some(rustls::Error::AlertReceived(alert)) => format!("the server refused: alert {alert:?}"),
        _ if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server closed the connection in the middle of the handshake".into()
        }
        _ => error.to_string(),
    }
}
