//! TLS as a server. Certificates are read again when their files change, and count from the next connection on.

use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use taffrail_core::Clock;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::config::Secret;
use crate::http_client::tls::{certificates, provider};
use crate::http_client::{Source, Watched};
use crate::status::lock;

/// Who we are to those who connect, and who may.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerTls {
    /// Our certificate and the chain above it, in PEM.
    pub cert: Source,
    /// Our private key, in PEM.
    pub key: Source,
    /// Authorities in PEM, one of which has to have signed the certificate of whoever connects.
    pub client_ca: Option<Source>,
}

/// The settings at work.
#[derive(Debug)]
pub struct ServerTrust {
    cert: Watched,
    key: Watched,
    client_ca: Option<Watched>,
    now: Mutex<(Pems, Arc<ServerConfig>)>,
}

type Pems = [Option<Secret>; 3];

impl ServerTrust {
    /// Reads what `tls` names; waits for the disk.
    ///
    /// # Errors
    /// In words, with the key that is wrong.
    pub fn new(tls: &ServerTls, clock: &Clock) -> Result<Self, String> {
        let watch = |source: &Source| Watched::new(source.clone(), clock.clone());
        let (cert, key) = (watch(&tls.cert), watch(&tls.key));
        let client_ca = tls.client_ca.as_ref().map(watch);
        let ca = client_ca.as_ref().map(Watched::text_blocking).transpose()?;
        let pems = [Some(cert.text_blocking()?), Some(key.text_blocking()?), ca];
        let config = server_config(&pems)?;
        Ok(ServerTrust { cert, key, client_ca, now: Mutex::new((pems, config)) })
    }

    /// What takes the next connection.
    pub async fn acceptor(&self) -> TlsAcceptor {
        let mut pems = Pems::default();
        for (pem, watched) in
            pems.iter_mut().zip([Some(&self.cert), Some(&self.key), self.client_ca.as_ref()])
        {
            let Some(watched) = watched else { continue };
            // What was read before goes on, and the file's trouble is said there.
            *pem = watched.text().await.ok();
        }
        let mut now = lock(&self.now);
        if now.0 != pems {
            match server_config(&pems) {
                Ok(new) => {
                    now.1 = new;
                    info!("certificates were read again");
                }
                // A certificate and its key are two files: between two writes they do not go together.
                Err(error) => warn!("changed certificates cannot be used, those before go on: {error}"),
            }
            now.0 = pems;
        }
        TlsAcceptor::from(now.1.clone())
    }
}

fn server_config([cert, key, client_ca]: &Pems) -> Result<Arc<ServerConfig>, String> {
    let provider = provider()?;
    let missing = || "a certificate or its key is missing".to_owned();
    let chain = certificates(cert.as_ref().ok_or_else(missing)?, "cert_file")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_ref().ok_or_else(missing)?.expose().as_bytes());
    let key = key.map_err(|error| format!("key_file: no private key in PEM: {error}"))?;
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem, "client_ca_file")? {
                roots.add(certificate).map_err(|error| format!("client_ca_file: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("client_ca_file: {error}"))?)
        }
    };
    let config = builder.with_single_cert(chain, key);
    let config = config.map_err(|error| format!("cert_file and key_file do not go together: {error}"))?;
    Ok(Arc::new(config))
}
