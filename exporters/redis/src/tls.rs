//! TLS to a server.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::connection::Error;

/// Whom a server with TLS has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authorities that are trusted, in PEM; without it, the machine's.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate has to be for, where it is not the host of the URL.
    pub server_name: Option<String>,
}

impl Tls {
    /// What shakes hands with `host`. Blocks on files.
    pub(crate) fn connector(&self, host: &str) -> Result<(TlsConnector, ServerName<'static>), Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| Error::Tls(format!("`{name}` is neither a DNS name nor an address")))?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Tls(e.to_string()))?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        Ok((TlsConnector::from(Arc::new(config)), name))
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        let Some(path) = &self.ca_file else {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(store);
        };
        let fail = |why: String| Error::Tls(format!("{}: {why}", path.display()));
        for der in CertificateDer::pem_file_iter(path).map_err(|e| fail(e.to_string()))? {
            let der = der.map_err(|e| fail(e.to_string()))?;
            store.add(der).map_err(|e| fail(e.to_string()))?;
        }
        match store.is_empty() {
            true => Err(fail("it holds no `-----BEGIN CERTIFICATE-----` block".to_owned())),
            false => Ok(store),
        }
    }
}
